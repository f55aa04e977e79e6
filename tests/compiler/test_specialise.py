"""Which program serves which call: signatures, answers, the short way and the general one."""

from __future__ import annotations

import sys
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import optree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from covector.compiler.tracing.fast import fast_call
from covector.compiler.tracing.signature import Arguments, Static, leaf_key, static_key
from covector.compiler.tracing.specialise import MISMATCH, Input, specialise
from covector.core.values import Aval

X = np.array([1.0, 2.0, 3.0])


# --- signatures -------------------------------------------------------------------------------------------------------


def test_one_program_per_dtype_shape_and_structure() -> None:
    f = cv.jit(lambda x, y=None: x if y is None else x + y)
    calls: list[tuple[Any, ...]] = [
        (X,),
        (X, X),
        (X.astype(np.float32), X),
        (X[:2], X[:2]),
        (X, 1.0),
        (X, 1),
        (X, True),
        (X, 1j),
        (X, np.float64(1)),
        (X, np.array(1.0)),
        (X, np.int8(1)),
        (X.reshape(1, 3), X),
    ]
    for n, args in enumerate(calls, 1):
        for _ in range(2):
            assert_array_equal(f(*args), f.__wrapped__(*args))
        assert f.cache_info() == (n, n, n)
    for args in calls:
        f(*(a + 0 if isinstance(a, np.ndarray) and a.ndim else a for a in args))
    assert f.cache_info().misses == len(calls)


def test_keys_tell_apart_what_needs_another_program() -> None:
    kinds: list[Any] = [X, X[:2], X.astype(int), 1.0, 1, True, 1j, np.float64(1), np.float32(1), np.int64(1)]
    assert len({leaf_key(x) for x in kinds}) == len(kinds)
    assert leaf_key(X) == leaf_key(X + 1) and leaf_key(1.0) == leaf_key(2.0)
    assert leaf_key("text") is None and leaf_key(2**70) is None and leaf_key(np.array("text")) is None
    place = lambda: "it"
    values: list[Any] = [1, 1.0, True, "1", None, (1,), (1.0,), X, X.astype(int), X[:2], len, np.sin, b"1"]
    assert len({static_key(v, place) for v in values}) == len(values)
    for v in values:
        assert static_key(v, place) == static_key(v.copy() if isinstance(v, np.ndarray) else v, place)
    assert static_key(float("nan"), place) == static_key(float("nan"), place)
    assert static_key({1, 2}, place) == static_key({2, 1}, place) != static_key({1}, place)
    assert static_key(slice(0, 2), place) == static_key(slice(0, 2), place) != static_key(slice(0, 3), place)
    with pytest.raises(TypeError, match="it is a bytearray, which cannot be compared"):
        static_key(bytearray(), place)


def test_arguments_are_put_back_where_they_were() -> None:
    pair = namedtuple("pair", "a b")
    static = Static(lambda a, b, c, *, d, e: None, 1, "e")
    args, kwargs = ({"k": [X, None, "s"]}, "static", pair(1.0, len)), {"d": (X, 2), "e": 7}
    arguments = Arguments(static, args, kwargs)
    assert [np.shape(x) for x in arguments.leaves] == [(3,), (), (3,), ()]
    assert arguments.fixed == ["static", 7, "s", len]
    got = arguments.call(lambda *a, **k: (a, k), [-x for x in arguments.leaves], arguments.fixed)
    assert_array_equal(got[0][0]["k"][0], -X)
    assert got[0][0]["k"][1:] == [None, "s"] and got[0][1] == "static" and got[0][2] == (-1.0, len)
    assert got[1]["e"] == 7 and got[1]["d"][1] == -2
    assert arguments.flat_places([0]) == (0,) and arguments.flat_places([2]) == (1,)


# --- the short way ----------------------------------------------------------------------------------------------------

Pair = namedtuple("Pair", "first second")
leaves = st.sampled_from([X, X[:2], np.float32(2), 1.5, 2, True, np.array(3.0), np.arange(4).reshape(2, 2)])
trees = st.recursive(
    leaves | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        | st.builds(Pair, inner, inner)
        | st.dictionaries(st.sampled_from("xy"), inner, max_size=2).map(OrderedDict)
    ),
    max_leaves=8,
)


def equal(a: Any, b: Any) -> bool:
    (x, s), (y, t) = cv.tree.flatten(a), cv.tree.flatten(b)
    return s == t and all(
        type(p) is type(q) and np.asarray(p).dtype == np.asarray(q).dtype and np.array_equal(p, q)
        for p, q in zip(x, y, strict=True)
    )


@settings(max_examples=40, deadline=None)
@given(trees, trees, st.sampled_from([(), (0,), (1,)]))
def test_the_short_way_takes_what_it_should_and_nothing_else(one: Any, two: Any, static: tuple[int, ...]) -> None:
    def f(a: Any, b: Any = None, **more: Any) -> Any:
        return cv.tree.map(lambda x: x, (a, {"b": b}, more))

    leaf = lambda t: all(x is t for x in cv.tree.leaves(t))
    if static and not (isinstance((one, two)[static[0]], float | int)):
        static = ()
    g = cv.jit(f, static_argnums=static)
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((one, two), {}),
        ((one,), {}),
        ((one,), {"b": two}),
        ((two, one), {"more": one}),
        ((), {"a": one}),
    ]
    if static:
        calls = calls[:1]
    for args, kwargs in calls:
        expected = f(*args, **kwargs)
        assert equal(g(*args, **kwargs), expected)
        assert g._recent is not None
        assert equal(g._recent(args, kwargs), expected)
        key = Arguments(g._static, args, kwargs).key
        for other, named in calls:
            if Arguments(g._static, other, named).key != key:
                assert g._recent(other, named) is MISMATCH
    assert leaf(X)


def test_the_short_way_is_short() -> None:
    """Frames of Python per call: ours, the written function, what calls the machine code."""
    scale = np.ones(3)
    single, many = cv.jit(lambda x: x + 1), cv.jit(lambda t: {"a": [x * scale for x in t["a"]]})
    tree = {"a": [X] * 10}
    single(X), many(tree)
    for g, argument, limit in ((single, X, 6), (many, tree, 7)):
        frames = 0

        def count(frame: Any, event: str, _: Any) -> None:
            nonlocal frames
            frames += event == "call"

        sys.setprofile(count)
        g(argument)
        sys.setprofile(None)
        assert frames <= limit


def test_a_mismatch_takes_the_general_way() -> None:
    f = cv.jit(lambda x: x + 1)
    f(X)
    recent = f._recent
    assert recent is not None
    for args, kwargs in (
        ((X[:2],), {}),
        ((X.astype(int),), {}),
        ((1.0,), {}),
        (([X],), {}),
        ((), {"x": X}),
        ((X, X), {}),
        ((), {}),
        ((np.ma.masked_array(X),), {}),
    ):
        assert recent(args, kwargs) is MISMATCH
    assert_array_equal(recent((X,), {}), X + 1)


def test_programs_that_need_the_general_way_have_no_short_one() -> None:
    state = np.zeros(3)

    def f(x: Any) -> Any:
        state[:] = x
        return x + 1

    g = cv.jit(f)
    g(X)
    assert g._recent is None
    g(X * 2)
    assert_array_equal(state, X * 2)
    h = cv.jit(lambda xs: sum(xs))
    many = [1.0] * 300
    assert h(many) == 300.0 and h(many) == 300.0
    assert h._recent is None


# --- one specialisation -----------------------------------------------------------------------------------------------


def as_input(x: Any, example: bool = True) -> Input:
    return Input(Aval(np.shape(x), np.asarray(x).dtype), x if example else None, weak=False, is_array=True)


def test_a_specialisation_by_itself() -> None:
    spec = specialise(
        lambda given, hidden: given[0] * hidden[0] if given[0][0] > 0 else -given[0],
        [as_input(X)],
        [as_input(2 * X)],
        len,
    )
    assert "float64[3], float64[3]" in repr(spec) and "1 guards" in repr(spec)
    assert len(spec.graph.inputs) == 2 and len(spec.graph.outputs) == 1
    assert spec.guarded is not None and len(spec.guarded.outputs) == 2
    assert_array_equal(spec.run([X], [X]), X * X)
    assert spec.run([-X], [X]) is MISMATCH
    assert_array_equal(spec.force([-X], [X]), -X * X)
    again = specialise(
        lambda given, hidden: given[0] * hidden[0] if given[0][0] > 0 else -given[0],
        [as_input(X)],
        [as_input(2 * X)],
        len,
    )
    other = specialise(
        lambda given, hidden: given[0] * hidden[0] if given[0][0] > 0 else -given[0],
        [as_input(-X)],
        [as_input(2 * X)],
        len,
    )
    assert spec.same_guards(again) and not spec.same_guards(other)


def test_without_an_example_there_are_no_answers() -> None:
    spec = specialise(lambda given, hidden: np.sin(given[0]), [as_input(X, example=False)], [], len)
    assert spec.guards == []
    with pytest.raises(cv.ConcretizationError, match="jit knows only shape and dtype"):
        specialise(lambda given, hidden: bool(given[0][0]), [as_input(X, example=False)], [], len)


def test_the_program_that_fitted_last_is_tried_first() -> None:
    f = cv.jit(lambda x: x + 1 if x[0] > 0 else (x - 1 if x[0] < -5 else x))
    for x in (X, -X, -X * 10):
        f(x)
    ((table,),) = [[e.table for e in group] for group in f._variants._groups.values()]
    for x in (X, -X, -X * 10, X):
        f(x)
        ((bucket,),) = [list(table.values())]
        assert bucket[0].run([x]) is not MISMATCH


def test_fast_call_of_a_guarded_program() -> None:
    f = cv.jit(lambda x: (x, np.sum(x)) if x[0] > 0 else -x)
    found, arguments = f._found((X,), {})
    call = fast_call(f._variants, found, arguments)
    assert call is not None
    assert_array_equal(call((X,), {})[0], X)
    assert type(call((X,), {})[1]) is np.float64
    assert call((-X,), {}) is MISMATCH


def test_bound_functions_check_nothing_and_read_what_is_hidden() -> None:
    w = np.ones(3)
    f = cv.jit(lambda x, s: x * w * s if x[0] > 0 else x)
    bound = f.bind(X, 2.0)
    assert_allclose(bound(X, 3.0), X * 3)
    w[:] = 5
    assert_allclose(bound(X, 3.0), X * 15)
    assert_allclose(bound(-X, 3.0), -X * 15)  # the answer of the example
    w = np.ones((2, 3))
    with pytest.raises(TypeError, match="has changed; bind it again"):
        bound(X, 3.0)
    assert "Bound" in repr(bound)
    checked = f.lower(X, 2.0).compile()
    with pytest.raises(TypeError, match="recorded for other values"):
        checked(-X, 3.0)


def test_many_shapes_end_in_python_with_a_warning() -> None:
    f = cv.jit(lambda x: x + 1)
    with pytest.warns(RuntimeWarning, match="because the dtype or shape of argument leaf 0 changed; pad arrays"):
        for n in range(70):
            assert_array_equal(f(np.zeros(n)), np.ones(n))
    assert f.cache_info().specialisations == 64
    assert_array_equal(f(np.zeros(3)), np.ones(3))


def test_options_reach_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    from covector.compiler import backend

    seen: list[Any] = []
    real = backend.executable

    def spy(graph: Any, **options: Any) -> Any:
        seen.append(options)
        return real(graph, **options)

    monkeypatch.setattr(backend, "executable", spy)
    cv.jit(lambda a, b, c: a["x"] + b * c, threads=1, donate_argnums=(0, 2))({"x": X, "y": X}, X, X)
    assert seen == [{"threads": 1, "donate": (0, 1, 3)}]


def test_optree_namespaces_agree() -> None:
    assert cv.tree.structure({"b": 1, "a": 2}) == optree.tree_structure({"b": 1, "a": 2}, namespace="covector")
