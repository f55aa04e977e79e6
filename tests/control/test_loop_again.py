"""Loops of unknown length inside of loops: reverse mode runs them again in place of keeping stacks for all runs."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector
from covector.control.loops import again as loop_again
from covector.core.graph import Graph
from covector.core.programs import programs_in

XS = np.array([1.0, 90.0, 0.01, 20.0])


def doubling(a: Any, x: Any) -> Any:
    """A number of steps that depends on `a` and `x`, and an array and an integer that go along."""
    start = (x, np.ones(3) * a, 0)
    done = covector.while_loop(
        lambda c: c[0] < 100.0,
        lambda c: (a * c[0] + 0.1 / (1.0 + c[0] ** 2), np.sin(c[1] * a) + 0.3 * c[1], c[2] + 1),
        start,
    )
    return done[0] / 100.0 + np.sum(done[1]) * done[2]


def counted(a: Any, x: Any) -> Any:
    return covector.fori_loop(0, (a * x).astype(int) + 1, lambda i, c: np.sin(a * c) + x / (i + 1), a)


def twice(a: Any, x: Any) -> Any:
    """A loop of unknown length in one, in which the state of another does not matter."""
    return covector.while_loop(
        lambda c: c[1] < 3.0, lambda c: (c[0] * np.sin(doubling(a, x + c[1])), c[1] + a), (x, 0.0)
    )[0]


def scanned(inner: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, xs: covector.scan(lambda c, x: (np.sin(c + inner(a, x)), c * x), 0.1, xs)


def summed(inner: Callable[..., Any]) -> Callable[..., Any]:
    def fun(a: Any, xs: Any) -> Any:
        c, ys = scanned(inner)(a, xs)
        return c + np.sum(ys)

    return fun


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_again, "_MUCH", 0)
    monkeypatch.setattr(loop_again, "_TIMES", 0)


def sizes(graph: Graph) -> list[int]:
    """How many numbers the results of each operation of a program are, those of programs inside included."""
    here = [v.size for eq in graph.equations for v in eq.outputs]
    return here + [n for eq in graph.equations for inner in programs_in(eq.params) for n in sizes(inner)]


INNER = pytest.mark.parametrize("inner", [doubling, counted, twice])


def runs_again(fun: Any, *args: Any) -> bool:
    """Whether the gradient runs an inner loop again: it is a loop that counts what one with a condition has counted."""
    made: list[Any] = []
    original = loop_again.Again.kept
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop_again.Again, "kept", lambda self, args: made.append(1) or original(self, args))
        covector.make_graph(fun)(*args)
    return bool(made)


@INNER
@pytest.mark.parametrize("a", [1.5, 1.03])
def test_gradients(inner: Any, a: float) -> None:
    fun = summed(inner)
    want = covector.grad(fun, argnums=(0, 1))(a, XS)
    assert runs_again(covector.grad(fun), a, XS)
    for compiled in (
        covector.jit(covector.grad(fun, argnums=(0, 1))),
        covector.grad(covector.jit(fun), argnums=(0, 1)),
    ):
        for got, expected in zip(compiled(a, XS), want, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-9)


@INNER
def test_with_checkpoints(inner: Any) -> None:
    def fun(a: Any, xs: Any, **options: Any) -> Any:
        return covector.scan(lambda c, x: (np.sin(c + inner(a, x)), None), 0.1, xs, **options)[0]

    want = covector.grad(fun)(1.5, XS)
    for checkpoint in ("sqrt", 2):
        gradient = covector.grad(lambda a, xs, c=checkpoint: fun(a, xs, checkpoint=c))
        np.testing.assert_allclose(gradient(1.5, XS), want, rtol=1e-9)
        np.testing.assert_allclose(covector.jit(gradient)(1.5, XS), want, rtol=1e-9)


@INNER
def test_second_derivatives(inner: Any) -> None:
    fun = summed(inner)
    want = covector.jacfwd(covector.grad(fun))(1.5, XS)
    for twice_differentiated in (
        covector.grad(covector.grad(fun)),
        covector.jacfwd(covector.grad(fun)),
        covector.grad(lambda a, xs: covector.jvp(lambda a: fun(a, xs), (a,), (1.0,))[1]),
    ):
        np.testing.assert_allclose(covector.jit(twice_differentiated)(1.5, XS), want, rtol=1e-7)


@INNER
def test_batches(inner: Any) -> None:
    fun = summed(inner)
    several = np.array([1.5, 1.2, 2.0, 1.03, 1.7, 1.4, 1.3])
    want = np.array([covector.grad(fun)(a, XS) for a in several])
    for lanes in (
        covector.vmap(covector.grad(fun), in_axes=(0, None)),
        covector.grad(lambda a, xs: np.sum(covector.vmap(fun, in_axes=(0, None))(a, xs))),
    ):
        np.testing.assert_allclose(covector.jit(lanes)(several, XS), want, rtol=1e-9)


def test_the_outer_loop_has_no_stacks_of_stacks() -> None:
    many = np.linspace(1.0, 50.0, 1000)
    gradient = covector.grad(lambda a, xs: scanned(doubling)(a, xs)[0])
    assert max(sizes(covector.make_graph(gradient)(1.5, many))) <= 10 * len(many)


@pytest.mark.usefixtures("always")
def test_small_stacks_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    gradient = covector.grad(summed(doubling))
    monkeypatch.undo()
    assert not runs_again(gradient, 1.5, XS)
    large = np.ones((1000, 100))
    step = lambda c, x: (covector.while_loop(lambda s: s[0] < 9.0, lambda s: np.exp(np.sin(s)) + s, c + x), None)
    assert runs_again(covector.grad(lambda xs: np.sum(covector.scan(step, np.zeros(100), xs)[0])), large)


def test_what_the_residuals_do_not_depend_on_is_not_run_again() -> None:
    """The derivative of a loop linear in the state needs no state, so that the outer loop keeps none of it."""

    def inner(w: Any, c: Any) -> Any:
        return covector.while_loop(
            lambda s: s[1] < 5.0, lambda s: (s[0] * np.exp(np.sin(s[1] * w)), s[1] + 1.0), (c, 0.0)
        )[0]

    step = lambda w, c: (inner(w, c), None)
    pushed = lambda w, c: covector.scan(lambda c, _: step(w, c), c, length=300)[0]
    start = np.ones(50)
    gradient = covector.make_graph(covector.grad(lambda c: np.sum(pushed(0.3, c))))(start)
    assert max(sizes(gradient)) < 300 * 50


def test_pullbacks_can_be_pickled() -> None:
    fun = covector.jit(summed(doubling))
    _, pullback = covector.vjp(fun, 1.5, XS)
    again = pickle.loads(pickle.dumps(pullback))
    for got, want in zip(again(1.0), pullback(1.0), strict=True):
        np.testing.assert_array_equal(got, want)
