"""Iterations that look for a fixed point of a function of real vectors.

Each returns the last point, and how far the function moves it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...transforms.jvp import jvp
from ...transforms.vmap import vmap
from ..while_loop import while_loop
from .system import Method, solve_here

__all__ = ["HISTORY", "anderson", "newton", "norm", "picard"]

Map = Callable[[Any], Any]

HISTORY = 5
"""The number of differences that Anderson's method combines."""


def norm(v: Any) -> Any:
    """The Euclidean norm."""
    return np.sqrt(np.dot(v, v))


def _far(moved: Any, x: Any, tol: float) -> Any:
    return norm(moved) > tol * (1.0 + norm(x))


def picard(g: Map, x: Any, tol: float, maxiter: int) -> tuple[Any, Any]:
    """Iterate ``x = g(x)``; it converges, linearly, where `g` is a contraction."""

    def going(state: Any) -> Any:
        x, moved, k = state
        return _far(moved, x, tol) & (k < maxiter)

    def step(state: Any) -> Any:
        x, moved, k = state
        new = x + moved
        return new, g(new) - new, k + 1

    x, moved, _ = while_loop(going, step, (x, g(x) - x, 0))
    return x, moved


def anderson(g: Map, x: Any, tol: float, maxiter: int) -> tuple[Any, Any]:
    """Combine the last few steps such that the linearised residual is smallest (Anderson 1965, Walker & Ni 2011)."""
    size, dtype = x.shape[0], x.dtype
    most = max(1, min(HISTORY, size))
    rounding = 10 * float(np.finfo(dtype).eps)

    def going(state: Any) -> Any:
        x, moved, _, _, k = state
        return _far(moved, x, tol) & (k < maxiter)

    def step(state: Any) -> Any:
        x, moved, steps, changes, k = state
        gram = changes @ changes.T
        # Rows that are not yet there are zero and get no weight; those that nearly agree are told apart no further
        # than rounding allows.
        scale = np.trace(gram)
        ridge = np.where(scale == 0, 1.0, rounding * scale).astype(dtype)
        weights = np.linalg.solve(gram + ridge * np.eye(most, dtype=dtype), changes @ moved)
        new = x + moved - weights @ (steps + changes)
        then = g(new) - new
        at = k % most
        steps[at] = new - x
        changes[at] = then - moved
        return new, then, steps, changes, k + 1

    empty = np.zeros((most, size), dtype)
    x, moved, _, _, _ = while_loop(going, step, (x, g(x) - x, empty, empty.copy(), 0))
    return x, moved


def newton(g: Map, x: Any, tol: float, maxiter: int) -> tuple[Any, Any]:
    """Newton's method for ``g(x) - x = 0``: few steps, each of which solves a linear system."""
    method = Method("fixed_point: a step of newton")

    def residual(x: Any) -> Any:
        return g(x) - x

    def going(state: Any) -> Any:
        x, moved, k = state
        return _far(moved, x, tol) & (k < maxiter)

    def step(state: Any) -> Any:
        x, moved, k = state

        def product(ts: Any) -> Any:
            return [jvp(residual, (x,), (ts[0],))[1]]

        columns = lambda f, basis: vmap(f, out_axes=1)(basis)
        (change,) = solve_here(product, [moved], method, (), None, columns)
        new = x - change
        return new, residual(new), k + 1

    x, moved, _ = while_loop(going, step, (x, residual(x), 0))
    return x, moved
