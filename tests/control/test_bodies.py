"""Recording of the functions of loops: what they capture, what they must not change, and that nothing leaks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.compiler.tracing.trace import JitTrace
from covector.control.programs.bodies import Body, WrittenOutsideError, record_body, structured
from covector.core.graph import GraphTrace
from covector.core.tracer import open_traces
from covector.core.values import Aval, aval_of

NUMBER = Aval((), np.dtype(float))
VECTOR = Aval((3,), np.dtype(float))
X = np.array([0.5, 1.5, -1.0])


def recorded(fun: Callable[..., Any], avals: Any = (NUMBER,)) -> Body:
    """Record without anything around it; no transform may be left open."""
    body = record_body(fun, avals, "scan")
    assert not open_traces()
    return body


def inside(transform: Callable[..., Any], make: Callable[[Any], Callable[..., Any]], avals: Any = (NUMBER,)) -> Body:
    """Record ``make(x)`` where `x` is traced by a transform."""
    found: list[Body] = []

    def f(x: Any) -> Any:
        found.append(record_body(make(x), avals, "scan"))
        return x.sum()

    transform(f)
    assert not open_traces()
    return found[0]


def by_jit(f: Callable[[Any], Any], x: Any = X) -> Any:
    """Call `f` as `jit` does to record it; `jit` itself would undo that `f` writes to a list of ours."""
    trace = JitTrace()
    try:
        return f(trace.example(aval_of(x), x, type(x) is float))
    finally:
        trace.close()


OUTER: dict[str, Callable[[Callable[[Any], Any]], Any]] = {
    "grad": lambda f: cv.grad(f)(X),
    "jvp": lambda f: cv.jvp(f, (X,), (X,)),
    "vmap": lambda f: cv.vmap(f)(np.stack([X, X])),
    "make_graph": lambda f: cv.make_graph(f)(X),
    "jit": by_jit,
    "grad of vmap": lambda f: cv.grad(lambda x: cv.vmap(f)(x).sum())(np.stack([X, X])),
    "checkpoint": lambda f: cv.grad(cv.checkpoint(f))(X),
    "body": lambda f: record_body(f, [VECTOR], "scan"),
}


def names(body: Body) -> list[str]:
    return [eq.primitive.name for eq in body.graph]


# --- captured values --------------------------------------------------------------------------------------------------


def test_a_program_of_its_arguments() -> None:
    body = recorded(lambda a, b: {"y": np.sin(a) * b, "n": 1, "z": None}, [NUMBER, VECTOR])
    assert body.captured == [] and names(body) == ["sin", "multiply"]
    assert body.avals == [VECTOR, Aval((), np.dtype(int))]
    assert cv.tree.unflatten(body.treedef, [0, 1]) == {"y": 0, "n": 1, "z": None}
    y, n = body.graph.run(2.0, X)
    np.testing.assert_array_equal(y, np.sin(2.0) * X)
    assert n == 1 and isinstance(n, np.int64)


@pytest.mark.parametrize("outer", OUTER)
def test_traced_values_are_captured_once(outer: str) -> None:
    body = inside(OUTER[outer], lambda x: lambda c: (c * x + x, x))
    assert len(body.captured) == 1 and len(body.graph.inputs) == 2
    assert body.graph.inputs[1].aval == VECTOR and body.graph.outputs[1] is body.graph.inputs[1]
    assert names(body) == ["multiply", "add"]


@pytest.mark.parametrize("outer", OUTER)
def test_what_depends_on_captured_values_alone_is_computed_outside(outer: str) -> None:
    body = inside(OUTER[outer], lambda x: lambda c: c * np.sin(x * x))
    assert len(body.captured) == 1 and names(body) == ["multiply"]


@pytest.mark.parametrize("outer", OUTER)
def test_views_of_captured_arrays_show_what_is_there_then(outer: str) -> None:
    def make(x: Any) -> Any:
        x = x * 1.0
        part = x[1:]
        x[1] = 7.0
        return lambda c: c * part

    body = inside(OUTER[outer], make)
    assert len(body.captured) == 1 and body.captured[0].shape == (2,)


def test_captured_values_are_those_of_the_call() -> None:
    """What is assigned after the loop does not change it."""

    def f(x: Any) -> Any:
        x = x * 1.0
        total = cv.scan(lambda c, _: (c + x.sum(), None), 0.0, length=2)[0]
        x[0] = 100.0
        return total + x[0]

    for g in (f, cv.jit(f)):
        assert g(X) == 102.0
        np.testing.assert_array_equal(cv.grad(g)(X), [2.0, 2.0, 2.0])


def test_plain_arrays_are_constants_of_the_program() -> None:
    table = X.copy()
    body = recorded(lambda c: c * table)
    table[:] = 0.0
    np.testing.assert_array_equal(body.graph.run(2.0)[0], 2.0 * X)


def test_captures_through_two_levels() -> None:
    def f(w: Any) -> Any:
        def outer(c: Any, _: Any) -> Any:
            d = c * 0.5
            inner = lambda e, _: (e * w[0] + d + w[1], None)
            return cv.scan(inner, c, length=2)[0], d

        return cv.scan(outer, 1.0, length=3)

    def by_hand(w: Any) -> Any:
        c: Any = 1.0
        ds = []
        for _ in range(3):
            d = e = c
            d = c * 0.5
            for _ in range(2):
                e = e * w[0] + d + w[1]
            c = e
            ds.append(d)
        return c, np.stack([d * np.ones(()) for d in ds])

    w = np.array([0.5, 0.25])
    for g in (f, cv.jit(f), lambda w: cv.make_graph(f)(w).run(w)):
        for got, want in zip(g(w), by_hand(w), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-14)
    np.testing.assert_allclose(cv.jit(cv.jacrev(f))(w)[0], cv.grad(lambda w: by_hand(w)[0])(w), rtol=1e-12)


def test_python_numbers_that_jit_traces_give_way() -> None:
    found = []

    def f(s: Any) -> Any:
        found.append(record_body(lambda c: c * s, [Aval((3,), np.dtype(np.float32))], "scan"))
        return s

    by_jit(f, 2.0)
    assert found[0].avals == [Aval((3,), np.dtype(np.float32))]


def test_functions_of_jit_are_part_of_the_program() -> None:
    inner = cv.jit(lambda x: np.sin(x) * 2.0)
    assert names(recorded(lambda c: inner(c) + 1.0)) == ["sin", "multiply", "add"]


def test_values_without_derivative() -> None:
    def step(c: Any, x: Any) -> Any:
        with cv.no_grad():
            y = c * x
        return c + y * x, None

    f = lambda xs: cv.scan(step, 1.0, xs)[0]
    xs = np.arange(1.0, 4.0)
    want = cv.grad(f)(xs)
    np.testing.assert_allclose(cv.grad(cv.jit(f))(xs), want)
    np.testing.assert_allclose(cv.jit(cv.grad(f))(xs), want)
    assert want[0] == 1.0


def test_collectives() -> None:
    def f(x: Any) -> Any:
        return cv.scan(lambda c, x: (0.5 * c + cv.psum(x, "i") * x, cv.axis_index("i")), 0.0, x)

    xs = np.arange(6.0).reshape(2, 3)
    sums = xs.sum(0)
    want = (0.25 * sums[0] * xs[:, 0] + 0.5 * sums[1] * xs[:, 1] + sums[2] * xs[:, 2], np.array([[0] * 3, [1] * 3]))
    mapped = cv.vmap(f, axis_name="i")
    for g in (mapped, cv.jit(mapped), cv.vmap(cv.jit(f), axis_name="i")):
        for got, expected in zip(g(xs), want, strict=True):
            np.testing.assert_allclose(got, expected)
        slopes = cv.grad(lambda x, g=g: g(x)[0].sum())(xs)
        np.testing.assert_allclose(slopes, np.tile(2.0 * sums * [0.25, 0.5, 1.0], (2, 1)))


# --- what comes from outside stays as it is ---------------------------------------------------------------------------


def _set(x: Any, value: Any) -> Any:
    x[0] = value
    return value


def _add(x: Any, value: Any) -> Any:
    x += value
    return value


def _fill(x: Any, value: Any) -> Any:
    x[...] = value
    return value


def _view(x: Any, value: Any) -> Any:
    x[:2].reshape(2, 1)[0] = value
    return value


def writing(write: str, y: Any, value: Any = None) -> Callable[[Any], Any]:
    """A function that assigns its argument, or the value given, to elements of `y`."""
    return lambda c: (WRITES[write](y, c if value is None else value), c)


WRITES = {"element": _set, "augmented": _add, "all": _fill, "view": _view}


@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("write", WRITES)
def test_assigning_to_an_array_from_outside(write: str, outer: str) -> None:
    for make in (lambda x: x * 1.0, np.zeros_like):
        with pytest.raises(
            WrittenOutsideError, match=r"assigns at .*test_bodies.py:\d+ to an array .* make it a carry"
        ):
            inside(OUTER[outer], lambda x, make=make: writing(write, make(x)))
    assert not open_traces()


@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("write", WRITES)
def test_assigning_what_does_not_depend_on_the_arguments(write: str, outer: str) -> None:
    """It would happen once, and not in each step."""
    with pytest.raises(WrittenOutsideError, match="would happen once"):
        inside(OUTER[outer], lambda x: writing(write, x * 1.0, 2.0))


@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("write", WRITES)
def test_assigning_to_a_copy(write: str, outer: str) -> None:
    for copy in (np.copy, lambda x: x.copy(), lambda x: x + 0.0, np.zeros_like, lambda x: x.flatten()):
        body = inside(OUTER[outer], lambda x, copy=copy: lambda c: (WRITES[write](y := copy(x), c), y))
        assert body.avals[1] == VECTOR and isinstance(body.graph.outputs[1], type(body.graph.inputs[0]))


def test_a_copy_is_made_in_each_step() -> None:
    def f(w: Any) -> Any:
        def step(c: Any, x: Any) -> Any:
            v = w.copy()
            v[0] += x
            return c + v.sum(), v[0]

        return cv.scan(step, 0.0, np.arange(3.0))

    want = cv.jacrev(f)(X)
    assert f(X)[1].tolist() == [0.5, 1.5, 2.5]
    for got, expected in zip(cv.jit(f)(X), f(X), strict=True):
        np.testing.assert_allclose(got, expected)
    for got, expected in zip(cv.jit(cv.jacrev(f))(X), want, strict=True):
        np.testing.assert_allclose(got, expected)


# --- nothing leaks ----------------------------------------------------------------------------------------------------


class Stopped(BaseException):
    """As KeyboardInterrupt is, no Exception."""


@pytest.mark.parametrize("error", [ValueError, Stopped])
def test_an_error_in_the_function_leaves_nothing_open(error: type[BaseException]) -> None:
    def fail(*_: Any) -> Any:
        raise error("in the body")

    runs: list[Callable[[], Any]] = [
        lambda: record_body(fail, [NUMBER], "scan"),
        lambda: cv.scan(fail, 0.0, X),
        lambda: cv.make_graph(lambda x: cv.scan(fail, 0.0, x))(X),
        lambda: cv.make_graph(lambda x: cv.while_loop(fail, lambda c: c, x))(1.0),
        lambda: cv.make_graph(lambda x: cv.while_loop(lambda c: c > 0.0, fail, x))(1.0),
        lambda: cv.grad(lambda x: cv.fori_loop(0, 2, fail, x))(1.0),
        lambda: cv.scan(fail, 0.0, np.zeros(0)),
    ]
    for run in runs:
        with pytest.raises(error, match="in the body"):
            run()
        assert not open_traces() and not structured()
    assert cv.scan(lambda c, x: (c + x, None), 0.0, X)[0] == 1.0


def test_a_value_that_is_kept_is_of_no_use_afterwards() -> None:
    kept = []
    recorded(lambda c: kept.append(c) or c)
    (leaked,) = kept
    for use in (lambda: leaked + 1.0, lambda: bool(leaked), lambda: cv.grad(lambda x: x * leaked)(1.0)):
        with pytest.raises(cv.LeakedTracerError, match="traced by scan"):
            use()
    with pytest.raises(cv.LeakedTracerError):
        recorded(lambda c: c * leaked)
    with pytest.raises(cv.LeakedTracerError):
        recorded(lambda c: leaked)
    with pytest.raises(cv.LeakedTracerError):
        cv.scan(lambda c, x: (leaked, None), 0.0, X)


def test_when_loops_are_recorded() -> None:
    seen: dict[str, bool] = {}

    def noting(name: str) -> Callable[[Any], Any]:
        def f(x: Any) -> Any:
            seen[name] = structured()
            return x.sum()

        return f

    for name, transform in OUTER.items():
        transform(noting(name))
    assert [name for name, recorded in seen.items() if recorded] == ["make_graph", "jit", "body"]
    assert not structured()


def test_threads_do_not_see_each_other() -> None:
    results: list[Any] = []
    inside_body, done = threading.Event(), threading.Event()

    def slow(c: Any) -> Any:
        inside_body.set()
        assert done.wait(10.0)
        return c * 2.0

    def other() -> None:
        try:
            assert inside_body.wait(10.0)
            results.append(structured())
            results.append(cv.scan(lambda c, x: (c + x if x > 0 else c, None), 0.0, X)[0])
        finally:
            done.set()

    thread = threading.Thread(target=other)
    thread.start()
    body = recorded(slow)
    thread.join()
    assert results == [False, 2.0] and names(body) == ["multiply"]


def test_a_transform_in_the_function() -> None:
    body = recorded(lambda c: cv.grad(lambda x: np.sin(x) * c)(c))
    np.testing.assert_allclose(body.graph.run(0.5)[0], np.cos(0.5) * 0.5)
    body = recorded(lambda c: cv.vmap(lambda x: x * c)(X))
    np.testing.assert_allclose(body.graph.run(0.5)[0], 0.5 * X)
    body = recorded(lambda c: cv.make_graph(lambda x: x * 2.0)(c).run(c)[0])
    assert isinstance(body.graph, type(GraphTrace("test").graph)) and body.graph.run(1.5) == [3.0]
    for trace in list(open_traces()):
        trace.close()
