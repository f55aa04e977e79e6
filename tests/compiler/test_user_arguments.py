"""Pytrees, static arguments, `out=`, donated memory, bound programs and the methods that look inside."""

from __future__ import annotations

import dataclasses
import enum
import types
from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import covector as cv
from compiler.as_python import agrees, assert_alike

A = np.array([3.0, -1.0, 2.0, 0.0])

Pair = namedtuple("Pair", "a b")


class Colour(enum.IntEnum):
    RED = 1
    BLUE = 2


# --- pytrees ----------------------------------------------------------------------------------------------------------


def test_named_tuples() -> None:
    agrees(lambda p: Pair(p.b, p.a * 2), (Pair(A, 2.0),))
    agrees(lambda p: p._replace(a=p[1]), (Pair(A, 2.0),))


def test_dicts_keep_their_order() -> None:
    agrees(lambda d: OrderedDict((k, v * 2) for k, v in reversed(d.items())), OrderedDict([("z", A), ("a", 1.0)]))
    f = cv.jit(lambda d: dict(d.items()))
    assert list(f({"z": A, "a": 1.0})) == ["z", "a"]
    assert list(f({"a": 1.0, "z": A})) == ["a", "z"]
    agrees(lambda d: d[1] + d["a"], {1: A, "a": 1.0})
    agrees(lambda d: d, defaultdict(list, z=A))
    assert list(cv.jit(lambda d: d)(deque([1.0, 2.0], maxlen=3))) == [1.0, 2.0]


def test_nothing_is_an_empty_subtree() -> None:
    agrees(lambda d: d[1] if d[0] is None else d[0], [None, A], [A, None])


def test_a_registered_dataclass_goes_in_and_out() -> None:
    @cv.register_dataclass
    @dataclasses.dataclass
    class State:
        a: Any
        b: Any = 1.0

    f = cv.jit(lambda s: State(s.a * s.b, s.b + 1))
    out = f(State(A, 2.0))
    assert isinstance(out, State)
    assert_alike((out.a, out.b), (A * 2, 3.0))
    assert_alike(f(State(A, 3)).b, 4)


def test_a_class_that_is_not_registered_may_go_in_but_not_out() -> None:
    @dataclasses.dataclass
    class State:
        a: Any

    assert_array_equal(cv.jit(lambda s: s.a * 2)(State(A)), A * 2)
    with pytest.raises(TypeError, match="output .*State; expected an array.*register_pytree_node"):
        cv.jit(lambda x: State(x))(A)


def test_results_that_are_no_arrays_are_named_with_their_place() -> None:
    for wrong in ("a", {1, 2}, object(), slice(1), np.dtype(float)):
        with pytest.raises(TypeError, match=r"output leaf \['second'\]\[1\] .*expected an array"):
            cv.jit(lambda x: {"first": x, "second": (x, wrong)})(A)  # noqa: B023


def test_many_leaves_and_deep_nesting() -> None:
    agrees(lambda xs: [sum(xs), xs[::-1]], [np.full(3, float(i)) for i in range(60)])
    deep: Any = A
    for _ in range(150):
        deep = [deep]
    agrees(lambda t: t, (deep,))


def test_enums_ranges_slices_and_dtypes_belong_to_the_program() -> None:
    agrees(lambda x, s: x[s], (A, slice(0, 2)), (A, slice(1, None)), (A, (slice(0, 1),)), (A, ...))
    agrees(lambda x, s: [x * i for i in s], (A, range(2)), (A, range(3)))
    agrees(lambda x, s: x * s, (A, Colour.RED), (A, Colour.BLUE))
    agrees(lambda x, s: x.astype(s), (A, np.float32), (A, "f4"), (A, int))
    agrees(lambda x, s: s(x), (A, np.sin), (A, np.cos), (A, lambda t: t * 2))
    agrees(lambda x, s: x * s.v, (A, types.SimpleNamespace(v=2.0)), (A, types.SimpleNamespace(v=3.0)))


def test_weak_numbers_and_numpy_scalars_have_programs_of_their_own() -> None:
    f = cv.jit(lambda x, s: x * s)
    single = A.astype(np.float32)
    assert f(single, 2.0).dtype == np.float32
    assert f(single, np.float64(2.0)).dtype == np.float64
    assert f(single, 3.0).dtype == np.float32


# --- static arguments -------------------------------------------------------------------------------------------------


def test_static_values_are_compared_by_type_and_value() -> None:
    f = cv.jit(lambda x, n: x * n, static_argnums=1)
    for n in (2, 2.0, True, 2, np.float64(2), np.arange(4), np.arange(4), np.arange(4.0)):
        assert_array_equal(f(A, n), A * n)
    assert f.cache_info() == (2, 6, 6)


def test_a_static_array_that_changes_and_signed_zeros() -> None:
    f = cv.jit(lambda x, w: x * np.copysign(1.0, w), static_argnames="w")
    w = np.array([0.0, -0.0, 1.0, -1.0])
    assert_array_equal(f(A, w), A * [1, -1, 1, -1])
    w[0] = -5.0
    assert_array_equal(f(A, w), A * [-1, -1, 1, -1])
    assert_array_equal(f(A, 0.0), A)
    assert_array_equal(f(A, -0.0), -A)


def test_not_a_number_is_one_static_value() -> None:
    f = cv.jit(lambda x, s: x * s, static_argnums=1)
    f(A, float("nan")), f(A, float("nan"))
    assert f.cache_info().misses == 1


def test_a_static_object_is_compared_by_what_it_holds() -> None:
    class Settings:
        __hash__ = None  # type: ignore[assignment]

        def __init__(self, n: int) -> None:
            self.n = n

    f = cv.jit(lambda x, s: [x] * s.n, static_argnums=1)
    s = Settings(2)
    assert len(f(A, s)) == 2
    s.n = 3
    assert len(f(A, s)) == len(f(A, Settings(3))) == 3
    assert f.cache_info().misses == 2


def test_static_by_position_by_name_by_default_and_from_the_end() -> None:
    f = lambda x, n=3: [x] * n
    assert len(cv.jit(f, static_argnums=1)(A)) == 3
    assert len(cv.jit(f, static_argnums=-1)(A, 2)) == 2
    assert len(cv.jit(f, static_argnums=[1])(A, n=1)) == 1
    assert len(cv.jit(f, static_argnames=["n"])(A, 2)) == 2
    assert len(cv.jit(lambda x, **k: [x] * k["n"], static_argnames="n")(A, n=2)) == 2
    assert cv.jit(np.ones, static_argnums=0)(2).shape == (2,)


def test_wrong_static_arguments_are_refused() -> None:
    f = lambda x, n: x
    with pytest.raises(ValueError, match="static_argnums=2 names a position that .* does not have"):
        cv.jit(f, static_argnums=2)
    with pytest.raises(ValueError, match="has no parameter 'zz'"):
        cv.jit(f, static_argnames="zz")
    for wrong in ({"static_argnums": "n"}, {"static_argnums": 1.0}, {"static_argnames": 1}):
        with pytest.raises(TypeError, match=f"jit: {next(iter(wrong))}"):
            cv.jit(f, **wrong)


def test_static_containers_are_compared_by_contents() -> None:
    f = cv.jit(lambda x, ns: [x * n for n in ns], static_argnums=1)
    ns = [1, 2]
    assert_alike(f(A, ns), [A, A * 2])
    ns.append(3)
    assert_alike(f(A, ns), [A, A * 2, A * 3])
    assert_alike(f(A, [1, 2]), [A, A * 2])
    assert f.cache_info() == (1, 2, 2)


def test_a_traced_value_in_a_static_place_says_so() -> None:
    f = cv.jit(lambda x, n: x * n, static_argnums=1)
    with pytest.raises(TypeError, match="static argument 1 .*traced"):
        cv.grad(lambda s: np.sum(f(A, s)))(2.0)


# --- out= and donated memory ------------------------------------------------------------------------------------------


def test_out_receives_the_result_and_is_returned() -> None:
    f = cv.jit(lambda x: x * 2)
    out = np.empty(4)
    assert f(A, out=out) is out
    assert_array_equal(out, A * 2)
    single = np.empty(4, np.float32)
    assert f(A, out=single) is single
    both = (np.empty(4), np.empty(4))
    assert cv.jit(lambda x: (x, x * 2))(A, out=both)[1] is both[1]
    assert_array_equal(both, [A, A * 2])
    assert_array_equal(cv.jit(lambda x: {"s": x.sum()})(A, out={"s": np.zeros(())})["s"], A.sum())


def test_out_may_be_an_argument_or_overlap_with_one() -> None:
    M = np.arange(9.0).reshape(3, 3)
    for f in (lambda x: x.T + x, lambda x: x @ x, lambda x: x[::-1] * 1 + x.sum()):
        x = M.copy()
        cv.jit(f)(x, out=x)
        assert_array_equal(x, f(M))
    line = np.arange(6.0)
    cv.jit(lambda x: x * 2)(line[:4], out=line[1:5])
    assert_array_equal(line, [0, 0, 2, 4, 6, 5])
    back = np.arange(4.0)
    cv.jit(lambda x: x * 2)(back, out=back[::-1])
    assert_array_equal(back, [6, 4, 2, 0])


def test_out_none_is_no_out() -> None:
    assert_array_equal(cv.jit(lambda x: x * 2)(A, out=None), A * 2)


def test_wrong_out_is_refused() -> None:
    f = cv.jit(lambda x: x * 2)
    for wrong in (np.empty(3), np.empty((2, 4))):
        with pytest.raises(ValueError, match=r"out= of .* must be an array of shape \(4,\) .*; got shape"):
            f(A, out=wrong)
    with pytest.raises(ValueError, match="structure"):
        f(A, out=[np.empty(4)])
    with pytest.raises(ValueError, match="read-only"):
        f(A, out=np.broadcast_to(0.0, (4,)))
    with pytest.raises(TypeError, match="Cannot cast"):
        f(A, out=np.empty(4, int))


def test_donated_memory_never_spoils_results() -> None:
    twice = cv.jit(lambda x: (x, x * 2, x[::-1] * 3), donate_argnums=0)
    assert_alike(twice(A.copy()), (A, A * 2, A[::-1] * 3))
    two = cv.jit(lambda x, y: (x * 2, y * 3), donate_argnums=(0, 1))
    shared = A.copy()
    assert_alike(two(shared, shared), (A * 2, A * 3))
    overlapping = A.copy()
    assert_alike(two(overlapping[:3], overlapping[1:]), (A[:3] * 2, A[1:] * 3))
    hidden = A.copy()
    assert_alike(cv.jit(lambda x: (x * 2, hidden * 3), donate_argnums=0)(hidden), (A * 2, A * 3))
    M = np.arange(9.0).reshape(3, 3)
    assert_alike(cv.jit(lambda x: x.T * 1, donate_argnums=0)(M.copy()), np.ascontiguousarray(M.T))


def test_donated_read_only_memory_is_not_written_to() -> None:
    x = A.copy()
    x.flags.writeable = False
    cv.jit(lambda x: x * 2, donate_argnums=0)(x)
    assert_array_equal(x, A)


def test_a_donated_number_stays() -> None:
    number = 1.5
    twice = cv.jit(lambda x: x * 2.0, donate_argnums=0)
    assert (float(twice(number)), float(twice(number)), number) == (3.0, 3.0, 1.5)


def test_a_failure_in_donated_memory_is_told() -> None:
    f = cv.jit(lambda x, i: x * x[i], donate_argnums=0)
    with pytest.raises(IndexError, match="out of bounds"):
        f(A.copy(), np.array([0, 1, 2, 9]))


def test_donating_an_argument_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="donate_argnums"):
        cv.jit(lambda x: x, donate_argnums=3)(A)


# --- looking inside ---------------------------------------------------------------------------------------------------


def test_a_bound_program() -> None:
    step = cv.jit(lambda x, s: x * s).bind(A, 2.0)
    assert_alike((step(A, 3.0), step(A + 1, 2.0)), (A * 3, (A + 1) * 2))
    assert_alike(cv.jit(lambda x, n: [x] * n, static_argnums=1).bind(A, 2)(A, 2), [A, A])


@pytest.mark.parametrize("other", [np.ones(2), np.ones((4, 1)), np.ones(4, np.float32), np.ones(4, int)])
def test_a_bound_program_refuses_other_shapes_and_dtypes(other: np.ndarray) -> None:
    step = cv.jit(lambda x: x * 2).bind(A)
    with pytest.raises(ValueError, match=r"leaf 0 of the inputs is an array \w+\[.*compiled for float64\[4\]"):
        step(other)
    assert_array_equal(step(A[::-1]), A[::-1] * 2)


def test_lower_shows_every_stage_and_compiles() -> None:
    lowered = cv.jit(lambda x, s: np.sum(np.exp(x) * s)).lower(A, 2.0)
    assert "exp" in str(lowered.graph) and "exp" in str(lowered.simplified)
    assert "define" in str(lowered.llvm) and str(lowered.kernels)
    compiled = lowered.compile()
    np.testing.assert_allclose(compiled(A, 2.0), np.sum(np.exp(A) * 2), rtol=1e-14)
    with pytest.raises(TypeError, match="other structure, dtypes, shapes"):
        compiled(A[:2], 2.0)


def test_reports_and_counts() -> None:
    f = cv.jit(lambda x: x * 2)
    assert str(f.compile_report()) == "nothing compiled yet"
    f(A), f(A), f(A[:2])
    assert f.cache_info() == (1, 2, 2)
    assert "trace" in str(f.compile_report()) and "compile" in str(f.compile_report())
    f.cache_clear()
    assert f.cache_info() == (0, 0, 0)
    assert_array_equal(f(A), A * 2)
    assert f.__wrapped__(3) == 6
