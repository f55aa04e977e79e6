"""Steps of all kinds: whether they are made one by one in Python, compiled, or batched, the result is the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from agreement import close

XS = np.arange(3.0)
ROWS = np.ones((3, 2))


def _write_to_view(c: Any, x: Any) -> Any:
    v = c[1:]
    v[0] = x
    return c, v


# Step, first state, sequence.
STEPS: dict[str, tuple[Any, Any, Any]] = {
    "the element becomes the state": (lambda c, x: (x, c), 0.0, XS),
    "a constant state": (lambda c, x: (np.float64(2.0), x), 0.0, XS),
    "numbers of Python": (lambda c, x: (2.0, 1), 0.0, XS),
    "nothing changes": (lambda c, x: (c, c), 1.0, XS),
    "numbers swap": (lambda c, x: ((c[1], c[0]), x), (1.0, 2.0), XS),
    "arrays swap": (lambda c, x: ((c[1], c[0] + x), c[0]), (np.zeros(2), np.ones(2)), ROWS),
    "one array twice": (lambda c, x: ((c[1], c[1]), c[1]), (np.zeros(2), np.ones(2)), ROWS),
    "a view of the state": (lambda c, x: (c.T @ np.diag(x), c[0]), np.eye(2), ROWS),
    "writing to a view": (_write_to_view, np.arange(3.0), XS),
    "keys in another order": (lambda c, x: ({"b": c["a"] * x, "a": c["b"] + 1.0}, c), {"a": 1.0, "b": 2.0}, XS),
    "integers": (lambda c, x: (c + 1, c * x), 0, XS),
    "small integers": (lambda c, x: (c + np.uint8(1), c), np.uint8(3), XS),
    "bools": (lambda c, x: (c | (x > 1), c), False, XS),
    "complex": (lambda c, x: (c * (1 + x * 1j), np.abs(c)), 1 + 0j, XS),
    "float32": (lambda c, x: (c * np.float32(2) + x.astype(np.float32), x), np.float32(1), XS),
    "no elements": (lambda c, x: (c, x), np.zeros((0, 2)), np.zeros((3, 0))),
    "filled": (lambda c, x: (np.full_like(c, x), c), np.zeros(2), XS),
    "a window": (lambda c, x: (np.concatenate([c[1:], x[None]]), c.sum()), np.zeros(4), XS),
    "rolled": (lambda c, x: (np.roll(c, 1) + x, c[0]), np.arange(4.0), XS),
    "sorted": (lambda c, x: (np.sort(c * x), c.max()), np.arange(4.0), XS),
    "solved": (lambda c, x: (np.linalg.solve(np.eye(2) * (2 + x), c), c.sum()), np.ones(2), XS),
}


def loop(name: str) -> Any:
    step = STEPS[name][0]
    return lambda init, xs: cv.scan(step, init, xs)


def squares(f: Any) -> Any:
    """The sum of the squares of all results that have a derivative."""

    def total(init: Any, xs: Any) -> Any:
        ys = [y for y in cv.tree.leaves(f(init, xs)) if y.dtype.kind in "fc"]
        return sum([(np.abs(y) ** 2).sum() for y in ys], 0.0 * xs.sum())

    return total


def _wrt(init: Any) -> Any:
    return (0, 1) if all(np.asarray(x).dtype.kind in "fc" for x in cv.tree.leaves(init)) else 1


@pytest.mark.parametrize("name", STEPS)
def test_compiled(name: str) -> None:
    f, (_, init, xs) = loop(name), STEPS[name]
    want = f(init, xs)
    got = cv.jit(f)(init, xs)
    close(got, want)
    assert [type(x) for x in cv.tree.leaves(got)] == [type(x) for x in cv.tree.leaves(want)]
    close(cv.jit(lambda xs: f(init, xs))(xs), want)
    graph = cv.make_graph(f)(init, xs)
    close(cv.tree.unflatten(cv.tree.structure(want), graph.run(*cv.tree.leaves((init, xs)))), want)


@pytest.mark.parametrize("name", STEPS)
def test_derivatives(name: str) -> None:
    f, (_, init, xs) = loop(name), STEPS[name]
    wrt = _wrt(init)
    want = cv.grad(squares(f), argnums=wrt)(init, xs)
    close(cv.grad(squares(cv.jit(f)), argnums=wrt)(init, xs), want)
    close(cv.jit(cv.grad(squares(f), argnums=wrt))(init, xs), want)
    close(cv.jacfwd(squares(cv.jit(f)), argnums=1)(init, xs), want[1] if wrt == (0, 1) else want)
    close(cv.jit(cv.jacfwd(squares(f), argnums=1))(init, xs), want[1] if wrt == (0, 1) else want)


@pytest.mark.parametrize("name", STEPS)
def test_batches(name: str) -> None:
    f, (_, init, xs) = loop(name), STEPS[name]
    lanes = np.stack([xs, xs + 1.0])
    want = cv.tree.map(lambda *ys: np.stack(ys), f(init, lanes[0]), f(init, lanes[1]))
    close(cv.vmap(f, in_axes=(None, 0))(init, lanes), want)
    close(cv.vmap(cv.jit(f), in_axes=(None, 0))(init, lanes), want)
    close(cv.jit(cv.vmap(f, in_axes=(None, 0)))(init, lanes), want)
