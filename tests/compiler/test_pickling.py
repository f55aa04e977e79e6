"""Compiled functions, their derivatives and their programs in other processes."""

from __future__ import annotations

import multiprocessing
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from covector.compiler.calls.key import structure_key
from covector.compiler.calls.program import Program
from covector.compiler.jit import JitFunction, jit
from covector.core.graph import Equation, Graph, Var, record
from covector.core.primitive import PRIMITIVES
from covector.core.values import Aval

X = np.array([0.5, -1.0, 2.0])
SCALE = np.array([1.0, 2.0, 3.0])


def again(x: Any) -> Any:
    return pickle.loads(pickle.dumps(x))


# --- functions that a module defines ----------------------------------------------------------------------------------


@jit
def decorated(x: Any) -> Any:
    return np.sum(np.sin(x) * SCALE)


def plain(x: Any, power: int = 2) -> Any:
    return {"sum": np.sum(x**power), "parts": [x * 2, np.exp(x)]}


def with_branch(x: Any) -> Any:
    return np.sin(x) if np.sum(x) > 0 else np.cos(x)


@cv.custom_jvp
def ruled(x: Any) -> Any:
    return np.exp(x)


@ruled.defjvp
def _(primals: Any, tangents: Any) -> Any:
    return ruled(*primals), tangents[0] * 7.0


class Model:
    def __init__(self, weight: Any) -> None:
        self.weight = weight

    @jit
    def __call__(self, x: Any) -> Any:
        return self.weight * x


def check_same(a: Any, b: Any) -> None:
    for x, y in zip(cv.tree.leaves(a), cv.tree.leaves(b), strict=True):
        assert_allclose(x, y, rtol=1e-14)
        assert np.asarray(x).dtype == np.asarray(y).dtype


def test_a_decorated_function_is_found_by_its_name() -> None:
    assert again(decorated) is decorated


def test_a_function_of_a_module_travels_by_name_and_keeps_its_options() -> None:
    f = jit(plain, static_argnames="power", threads=1)
    g = again(f)
    assert isinstance(g, JitFunction) and g.__wrapped__ is plain and g.options == f.options
    check_same(g(X, power=3), f(X, power=3))
    check_same(cv.grad(lambda x: g(x, power=3)["sum"])(X), 3 * X**2)


def test_a_derivative_of_a_compiled_function() -> None:
    out, pullback = cv.vjp(jit(plain), X)
    ct = {"sum": 2.0, "parts": [np.ones(3), X]}
    check_same(again(pullback)(ct), pullback(ct))
    _, push = cv.linearize(jit(with_branch), X)
    check_same(again(push)(X), push(X))
    check_same(push(X), np.cos(X) * X)


def test_a_derivative_with_a_rule_of_the_users() -> None:
    _, pullback = cv.vjp(jit(lambda x: ruled(np.sin(x))), X)
    check_same(again(pullback)(np.ones(3)), (7.0 * np.cos(X),))


def test_a_second_derivative() -> None:
    _, pullback = cv.vjp(cv.grad(lambda x: jit(plain)(x)["sum"]), X)
    check_same(again(pullback)(SCALE), (2 * SCALE,))


# --- functions that none does -----------------------------------------------------------------------------------------


def test_a_local_function_travels_as_its_programs() -> None:
    offset = np.array([1.0, 2.0, 3.0])
    f = jit(lambda x: np.sin(x) + offset if x[0] > 0 else np.cos(x))
    want = [f(X), f(-X)]
    g = again(f)
    check_same([g(X), g(-X)], want)
    check_same(cv.grad(lambda x: np.sum(g(x)))(X), np.cos(X))
    check_same(again(g)(X), want[0])
    offset[:] = 0.0
    check_same(g(X), want[0])
    assert_allclose(f(X), np.sin(X))
    with pytest.raises(TypeError, match="came from another process as its recorded programs"):
        g(np.zeros(4))


def test_a_local_function_that_was_never_called_says_so() -> None:
    with pytest.raises(pickle.PicklingError, match=r"lambda.*cannot be pickled.*top of a module, or call it first"):
        pickle.dumps(jit(lambda x: x))


def test_a_local_rule_is_named() -> None:
    @cv.custom_jvp
    def rule(x: Any) -> Any:
        return x * 2

    f = jit(lambda x: rule(x))
    f(X)
    with pytest.raises(pickle.PicklingError, match="the parameter 'rule' of custom_jvp.*top of a module"):
        pickle.dumps(f)


def test_a_bound_method() -> None:
    model = Model(SCALE)
    assert_allclose(again(model)(X), SCALE * X)
    assert_allclose(again(model.__call__)(X), SCALE * X)


# --- programs ---------------------------------------------------------------------------------------------------------

SAMPLED = sorted(name for name, p in PRIMITIVES.items() if p.samples)


def sample_graph(name: str) -> tuple[Graph, list[Any]]:
    p = PRIMITIVES[name]
    s = p.samples[0]
    run = lambda *xs: p(*xs, **s.params) if p.multiple else [p(*xs, **s.params)]
    avals = [Aval(np.shape(x), np.asarray(x).dtype) for x in s.args]
    return record(run, avals, "sample"), list(s.args)


@pytest.mark.parametrize("name", SAMPLED)
def test_every_primitive_survives_in_a_program(name: str) -> None:
    graph, args = sample_graph(name)
    program = Program(graph)
    found = again(program)
    with np.errstate(all="ignore"):
        for x, y in zip(found(*args), program(*args), strict=True):
            assert_array_equal(x, y)
    assert structure_key(found.graph) == structure_key(graph) is not None


def test_an_unpicklable_parameter_is_named() -> None:
    graph = Graph()
    x = Var(0, Aval((3,), np.dtype(float)))
    y = Var(1, x.aval)
    graph.count, graph.inputs, graph.outputs = 2, [x], [y]
    graph.equations.append(Equation(PRIMITIVES["sin"], [x], {"lock": multiprocessing.Lock()}, [y]))
    with pytest.raises(pickle.PicklingError, match="the parameter 'lock' of sin"):
        pickle.dumps(Program(graph))


# --- the key ----------------------------------------------------------------------------------------------------------


def graph_of(f: Callable[..., Any], *args: Any) -> Graph:
    return cv.make_graph(f)(*args)


def test_equal_programs_have_equal_keys() -> None:
    first = graph_of(lambda x: np.sin(x) * SCALE + 2.0, X)
    later = graph_of(lambda y: [np.cos(y), np.sin(y) * SCALE.copy() + 2.0][1], X)
    # The unused operation counts: keys are of programs as they are.
    assert structure_key(first) != structure_key(later)
    assert structure_key(first) == structure_key(graph_of(lambda y: np.sin(y) * SCALE.copy() + 2.0, X * 3))


DIFFERENT = [
    (lambda x: np.sin(x), X),
    (lambda x: np.cos(x), X),
    (lambda x: np.sin(x), X[:2]),
    (lambda x: np.sin(x), X.astype(np.float32)),
    (lambda x: np.sin(x), X[None]),
    (lambda x: np.sin(x), 1.0),
    (lambda x: np.sin(x), np.float64(1.0)),
    (lambda x: np.sin(np.sin(x)), X),
    (lambda x: x - np.sin(x), X),
    (lambda x: np.sin(x) - x, X),
    (lambda x: np.sum(x, axis=0), X),
    (lambda x: np.sum(x, axis=0, keepdims=True), X),
    (lambda x: x * 2, X),
    (lambda x: x * 2.0, X),
    (lambda x: x * np.float64(2.0), X),
    (lambda x: x * True, X),
    (lambda x: x * 0.0, X),
    (lambda x: x * -0.0, X),
    (lambda x: x * np.array([1.0, 2.0, 3.0]), X),
    (lambda x: x * np.array([1.0, 2.0, 4.0]), X),
    (lambda x: x * np.array([1, 2, 3]), X),
    (lambda x: x[::-1], X),
    (lambda x: x[::2], X),
    (lambda x: x[[0, 1]], X),
    (lambda x: (x, x), X),
    (lambda x: (x, x + 1), X),
    (lambda x: (x + 1, x), X),
    (lambda x: x + 1, X),
]


def test_different_programs_have_different_keys() -> None:
    keys = [structure_key(graph_of(f, x)) for f, x in DIFFERENT]
    assert None not in keys
    assert len(set(keys)) == len(keys)


def test_what_has_no_contents_has_no_key() -> None:
    assert structure_key(graph_of(lambda x: ruled(x), X)) is None


# --- other processes --------------------------------------------------------------------------------------------------


def work(f: Any, x: Any) -> Any:
    return cv.tree.map(np.asarray, f(x))


def tasks() -> list[tuple[Any, Any]]:
    offset = np.array([1.0, 2.0, 3.0])
    local = jit(lambda x: np.sum(np.sin(x) * offset))
    local(X)
    _, pullback = cv.vjp(jit(plain), X)
    return [
        (decorated, X),
        (jit(plain), X),
        (local, X),
        (pullback, {"sum": 1.0, "parts": [np.ones(3), np.ones(3)]}),
        (Model(SCALE), X),
    ]


@pytest.mark.parametrize("method", [m for m in ("fork", "spawn") if m in multiprocessing.get_all_start_methods()])
def test_in_a_pool(method: str) -> None:
    given = tasks()
    want = [work(f, x) for f, x in given]
    with multiprocessing.get_context(method).Pool(1) as pool:
        got = pool.starmap_async(work, given).get(timeout=120)
    check_same(got, want)


def test_in_loky() -> None:
    loky = pytest.importorskip("loky")
    given = tasks()
    executor = loky.get_reusable_executor(max_workers=1)
    got = list(executor.map(work, *zip(*given, strict=True), timeout=120))
    executor.shutdown()
    check_same(got, [work(f, x) for f, x in given])


def test_messages_have_no_addresses() -> None:
    with pytest.raises(pickle.PicklingError) as error:
        pickle.dumps(jit(lambda x: x))
    assert not re.search("0x[0-9a-f]+", str(error.value))
