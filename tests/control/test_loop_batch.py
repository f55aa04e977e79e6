"""Batches of loops: lanes that run equally often, lanes that do not, blocks of lanes in recorded programs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from tests.control.loop_examples import INDEX, draw

import covector
from covector.control.loops import loop
from covector.control.loops.loop import loop_p
from covector.core.graph import Graph, record
from covector.core.values import Aval
from covector.errors import ConcretizationError

REAL = Aval((), np.dtype(float))


def newton(a: Any) -> Any:
    """The square root of `a`, from `a`."""
    return covector.while_loop(lambda x: np.abs(x * x - a) > 1e-10 * a, lambda x: 0.5 * (x + a / x), a)


def loops(graph: Graph) -> list[Any]:
    """The loops of a program, those in loops included."""
    found = []
    for eq in graph:
        if eq.primitive is loop_p:
            found += [eq, *loops(eq.params["body"])]
    return found


@pytest.mark.parametrize("lanes", [1, 2, 31, 32, 33, 100])
@pytest.mark.parametrize("transform", [lambda f: f, covector.grad], ids=["value", "gradient"])
def test_lanes_that_run_more_or_less_often(lanes: int, transform: Any) -> None:
    a = np.linspace(1.0, 900.0, lanes) ** 1.5
    want = [transform(newton)(x) for x in a]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fun = covector.vmap(transform(newton))
        np.testing.assert_allclose(fun(a), want, rtol=1e-9)
        np.testing.assert_allclose(covector.jit(fun)(a), want, rtol=1e-9)


def test_no_lanes() -> None:
    assert covector.vmap(newton)(np.zeros(0)).shape == (0,)
    assert covector.jit(covector.vmap(newton))(np.zeros(0)).shape == (0,)
    body = record(lambda i, c, x: [np.sin(c) + x, c], [INDEX, REAL, REAL], "loop")
    fun = lambda c, x: loop_p(c, x, body=body, constants=0, carries=1, length=3, reverse=False)
    assert [y.shape for y in covector.vmap(fun)(np.zeros(0), np.zeros((0, 3)))] == [(0,), (0, 3)]


@pytest.mark.parametrize("compiled", [False, True])
def test_finished_lanes_are_not_computed_on(compiled: bool) -> None:
    # One more step of a finished lane would take the root of a negative number, or divide by zero.
    def fun(x: Any, end: Any) -> Any:
        return covector.while_loop(lambda x: x > end, lambda x: x - 0.3 - 1.0 / np.sqrt(x - end), x)

    def plain(x: float, end: float) -> float:
        while x > end:
            x = x - 0.3 - 1.0 / np.sqrt(x - end)
        return x

    x, end = np.array([5.0, 20.0, 3.0, 4.7]), np.array([1.9, 1.2, 3.0, 4.5])
    want = [plain(a, b) for a, b in zip(x, end, strict=True)]
    slopes = [covector.grad(fun, argnums=(0, 1))(a, b) for a, b in zip(x, end, strict=True)]
    both = covector.vmap(fun), covector.vmap(covector.grad(fun, argnums=(0, 1)))
    if compiled:
        both = covector.jit(both[0]), covector.jit(both[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(both[0](x, end), want, rtol=1e-12)
        np.testing.assert_allclose(np.transpose(both[1](x, end)), slopes, rtol=1e-10)


def test_a_mapped_count() -> None:
    body = record(lambda i, a, c: [np.sin(a * c) + i], [INDEX, REAL, REAL], "loop")

    def fun(n: Any, a: Any, c: Any) -> Any:
        params = {"constants": 1, "carries": 1, "length": None, "reverse": True, "counted": True}
        return loop_p(n, a, c, body=body, **params)[0]

    n, c = np.array([3, 0, 5, 1, 1]), draw(5)
    want = [fun(k, 0.7, x) for k, x in zip(n, c, strict=True)]
    mapped = covector.vmap(fun, in_axes=(0, None, 0))
    np.testing.assert_allclose(mapped(n, 0.7, c), want, rtol=1e-13)
    np.testing.assert_allclose(covector.jit(mapped)(n, 0.7, c), want, rtol=1e-13)
    slope = covector.vmap(covector.grad(fun, argnums=(1, 2)), in_axes=(0, None, 0))
    want = np.transpose([covector.grad(fun, argnums=(1, 2))(k, 0.7, x) for k, x in zip(n, c, strict=True)])
    np.testing.assert_allclose(slope(n, 0.7, c), want, rtol=1e-13)
    np.testing.assert_allclose(covector.jit(slope)(n, 0.7, c), want, rtol=1e-13)


def test_what_is_the_same_in_all_lanes_stays_so() -> None:
    def step(i: Any, a: Any, b: Any, c: Any) -> list[Any]:
        return [np.sin(a), b * c, c + 1.0, a + i]

    body = record(step, [INDEX, REAL, REAL, REAL], "loop")
    fun = lambda a, b, c: loop_p(a, b, c, body=body, constants=0, carries=3, length=4, reverse=False)
    graph = covector.make_graph(covector.vmap(fun, in_axes=(None, 0, None)))(0.3, np.zeros(5), 1.0)
    (loop,) = loops(graph)
    assert [v.shape for v in loop.params["body"].inputs] == [(), (), (5,), ()]
    got = covector.vmap(fun, in_axes=(None, 0, None))(0.3, np.arange(5.0), 1.0)
    for k in range(5):
        for y, want in zip(got, fun(0.3, float(k), 1.0), strict=True):
            np.testing.assert_allclose(y[k], want, rtol=1e-13)


def test_recorded_lanes_are_taken_a_few_at_a_time() -> None:
    graph = covector.make_graph(covector.vmap(newton))(np.ones(100))
    outer, inner = loops(graph)
    (width,) = inner.params["cond"].inputs[1].shape
    assert 4 <= width <= 64
    assert 0 <= outer.params["length"] * width - 100 < width


def test_lanes_with_much_state_or_loops_in_them_come_one_by_one() -> None:
    def large(x: Any) -> Any:
        return covector.while_loop(lambda x: np.sum(x) < 100.0, lambda x: x * 1.5 + 1.0, x)

    def nested(x: Any) -> Any:
        return covector.while_loop(lambda x: x < 100.0, lambda x: newton(x) * 3.0 + x, x)

    for fun, x in ((large, draw(6, 40)), (nested, np.array([1.0, 5.0, 300.0]))):
        graph = covector.make_graph(covector.vmap(fun))(x)
        outer, inner, *_ = loops(graph)
        assert outer.params["length"] == len(x)
        assert inner.params["body"].inputs[1].shape == x.shape[1:]
        want = [fun(y) for y in x]
        np.testing.assert_allclose(covector.vmap(fun)(x), want, rtol=1e-12)
        np.testing.assert_allclose(covector.jit(covector.vmap(fun))(x), want, rtol=1e-12)


def test_batches_of_batches() -> None:
    a = np.linspace(1.0, 50.0, 12).reshape(3, 4)
    twice = covector.vmap(covector.vmap(newton))
    np.testing.assert_allclose(twice(a), np.sqrt(a), rtol=1e-9)
    np.testing.assert_allclose(covector.jit(twice)(a), np.sqrt(a), rtol=1e-9)
    slope = covector.vmap(covector.vmap(covector.grad(newton)), in_axes=1)
    want = [[covector.grad(newton)(x) for x in row] for row in a.T]
    np.testing.assert_allclose(slope(a), want, rtol=1e-9)
    np.testing.assert_allclose(covector.jit(slope)(a), want, rtol=1e-9)


def averaged(x: Any) -> Any:
    """A loop whose lanes know of each other."""

    def step(c: Any, y: Any) -> Any:
        return np.sin(c) + covector.psum(c * y, "i"), covector.pmean(c, "i") * covector.axis_index("i")

    return covector.scan(step, x, np.arange(3.0) / 3)


def test_collectives_in_a_loop() -> None:
    x = draw(4)
    plain = covector.vmap(averaged, axis_name="i")
    for compiled in (covector.jit(plain), covector.vmap(covector.jit(averaged), axis_name="i")):
        for got, want in zip(compiled(x), plain(x), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-13)


def test_collectives_in_a_loop_under_derivatives() -> None:
    x = draw(4)
    cost = lambda x: np.sum(averaged(x)[0] ** 2) + np.sum(averaged(x)[1])
    inner = covector.vmap(covector.grad(cost), axis_name="i")
    np.testing.assert_allclose(covector.jit(inner)(x), inner(x), rtol=1e-12)
    outer = covector.grad(lambda x: np.sum(covector.vmap(cost, axis_name="i")(x)))
    np.testing.assert_allclose(covector.jit(outer)(x), outer(x), rtol=1e-12)
    tangents = covector.vmap(lambda x: covector.jvp(cost, (x,), (1.0,))[1], axis_name="i")
    np.testing.assert_allclose(covector.jit(tangents)(x), tangents(x), rtol=1e-12)


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: covector.while_loop(
            lambda c: c[1] < 3 * x, lambda c: (0.5 * c[0] + 0.1 * covector.psum(c[0], "i"), c[1] + 1), (x, 0)
        )[0],
        lambda x: covector.while_loop(lambda c: c < 0.5 * covector.pmean(c, "i") + 2, lambda c: 1.5 * c + 0.1, x),
        lambda x: covector.fori_loop(0, (2 * x).astype(int), lambda i, c: c + covector.ppermute(c, "i", [(0, 1)]), x),
    ],
    ids=["body", "condition", "count"],
)
def test_collectives_where_lanes_run_more_or_less_often(fun: Any) -> None:
    x = np.array([0.5, 1.0, 2.0])
    lanes = covector.vmap(fun, axis_name="i")
    for run in (lanes, covector.jit(lanes), covector.vmap(covector.jit(fun), axis_name="i"), covector.jacfwd(lanes)):
        with pytest.raises(ConcretizationError, match="different number of steps .* over the axis 'i'.*pmax"):
            run(x)


def test_collectives_where_lanes_agree_when_to_end() -> None:
    def lane(x: Any) -> Any:
        goes_on = lambda c: c[1] < 3 * x
        return covector.while_loop(
            lambda c: covector.pmax(np.where(goes_on(c), 1, 0), "i") > 0,
            lambda c: (np.where(goes_on(c), 0.5 * c[0] + 0.1 * covector.psum(c[0], "i"), c[0]), c[1] + 1),
            (x, 0),
        )[0]

    def plain(x: Any) -> Any:
        y = x
        for k in range(6):
            y = np.where(k < 3 * x, 0.5 * y + 0.1 * np.sum(y), y)
        return y

    x = np.array([0.5, 1.0, 2.0])
    lanes = covector.vmap(lane, axis_name="i")
    want = covector.grad(lambda x: np.sum(plain(x) ** 2))(x)
    for run in (lanes, covector.jit(lanes), covector.vmap(covector.jit(lane), axis_name="i")):
        np.testing.assert_allclose(run(x), plain(x), rtol=1e-13)
        np.testing.assert_allclose(covector.grad(lambda x, run=run: np.sum(run(x) ** 2))(x), want, rtol=1e-12)


def test_collectives_over_lanes_of_an_outer_map() -> None:
    """Lanes of the inner map run more or less often, those of the outer one equally often."""

    def plain(c: Any, n: int) -> Any:
        for _ in range(n):
            c = 0.5 * c + 0.1 * np.sum(c)
        return c

    x, n = np.arange(6.0).reshape(2, 3), np.array([0, 3, 5])
    lane = lambda x, n: covector.fori_loop(0, n, lambda i, c: 0.5 * c + 0.1 * covector.psum(c, "i"), x)
    lanes = covector.vmap(covector.vmap(lane), in_axes=(0, None), axis_name="i")
    want = np.stack([plain(x[:, j], n[j]) for j in range(3)], axis=1)
    np.testing.assert_allclose(covector.jit(lanes)(x, n), want, rtol=1e-13)
    with pytest.raises(ConcretizationError, match="different number of steps"):
        lanes(x, n)


def test_lanes_run_side_by_side_in_plain_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand of them make as many operations as one that runs as often as the longest."""

    def root(a: Any) -> Any:
        return covector.while_loop(lambda x: np.abs(x**3 - a) > 1e-12 * a, lambda x: x - (x - a / x**2) / 3, 1.1 * a)

    calls: list[int] = []
    original = loop._Body.run
    monkeypatch.setattr(loop._Body, "run", lambda self, given: calls.append(1) or original(self, given))
    counts = []
    for a in (np.array([1.0, 1000.0]), np.linspace(1.0, 1000.0, 10_000)):
        calls.clear()
        np.testing.assert_allclose(covector.vmap(covector.grad(root))(a), a ** (-2 / 3) / 3, rtol=1e-6)
        counts.append(len(calls))
    assert 0 < counts[1] < 2 * counts[0] < 300
