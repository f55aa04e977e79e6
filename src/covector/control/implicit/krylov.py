"""Iterative solvers of linear systems that see the matrix only through its products with vectors.

All take real vectors and are written with `while_loop`, so that one text runs step by step, batched and compiled.
Each returns the solution and the norm of its residual as the method knows it, which is nan or above the threshold
where it did not arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..while_loop import while_loop

__all__ = ["RESTART", "bicgstab", "cg", "gmres"]

Product = Callable[[Any], Any]

RESTART = 30
"""The largest number of basis vectors that `gmres` keeps."""


def _norm(v: Any) -> Any:
    return np.sqrt(np.dot(v, v))


def _nonzero(x: Any) -> Any:
    """The denominator `x`; nan instead of zero, which ends an iteration without a warning."""
    return np.where(x == 0, np.nan, x)


def cg(
    matvec: Product, b: Any, x: Any, *, threshold: Any, maxiter: int, precondition: Product | None = None
) -> tuple[Any, Any]:
    """Solve a symmetric positive definite system by conjugate gradients (Hestenes & Stiefel 1952).

    Parameters
    ----------
    matvec : callable
        The product of the matrix with a vector.
    b, x : array_like
        The right-hand side, and where to begin.
    threshold : float
        The norm of the residual to reach.
    maxiter : int
        At most so many products.
    precondition : callable, optional
        The product of an approximate inverse, symmetric and positive definite, with a vector.
    """
    apply = _identity if precondition is None else precondition
    r = b - matvec(x)
    z = apply(r)

    def going(state: Any) -> Any:
        _, r, _, _, k = state
        return (_norm(r) > threshold) & (k < maxiter)

    def step(state: Any) -> Any:
        x, r, p, rz, k = state
        q = matvec(p)
        alpha = rz / _nonzero(np.dot(p, q))
        x, r = x + alpha * p, r - alpha * q
        z = apply(r)
        new = np.dot(r, z)
        return x, r, z + (new / _nonzero(rz)) * p, new, k + 1

    x, r, _, _, _ = while_loop(going, step, (x, r, z, np.dot(r, z), 0))
    return x, _norm(r)


def _identity(v: Any) -> Any:
    return v


def bicgstab(
    matvec: Product, b: Any, x: Any, *, threshold: Any, maxiter: int, precondition: Product | None = None
) -> tuple[Any, Any]:
    """Solve any regular system by the stabilised biconjugate gradient method (van der Vorst 1992).

    The parameters are those of `cg`; the preconditioner need not be symmetric. It applies from the right, so that the
    residual is that of the system as given.
    """
    apply = _identity if precondition is None else precondition
    r = b - matvec(x)
    shadow = r

    def going(state: Any) -> Any:
        _, r, _, _, k = state
        return (_norm(r) > threshold) & (k < maxiter)

    def step(state: Any) -> Any:
        x, r, p, rho, k = state
        u = apply(p)
        v = matvec(u)
        alpha = rho / _nonzero(np.dot(shadow, v))
        s = r - alpha * v
        w = apply(s)
        t = matvec(w)
        # Where s is zero the half step has arrived, and t is zero too.
        tt = np.dot(t, t)
        omega = np.where(tt == 0, 0.0, np.dot(t, s) / np.where(tt == 0, 1.0, tt)).astype(r.dtype)
        x = x + alpha * u + omega * w
        r = s - omega * t
        new = np.dot(shadow, r)
        beta = np.where(tt == 0, 0.0, (new / _nonzero(rho)) * (alpha / _nonzero(omega))).astype(r.dtype)
        return x, r, r + beta * (p - omega * v), new, k + 2

    x, r, _, _, _ = while_loop(going, step, (x, r, r, np.dot(r, r), 0))
    return x, _norm(r)


def gmres(
    matvec: Product, b: Any, x: Any, *, threshold: Any, maxiter: int, precondition: Product | None = None
) -> tuple[Any, Any]:
    """Solve any regular system by minimal residuals, restarted (Saad & Schultz 1986).

    The parameters are those of `bicgstab`. The residual is computed anew at each restart and at the end.
    """
    apply = _identity if precondition is None else precondition
    most = max(1, min(RESTART, b.shape[0]))

    def going(state: Any) -> Any:
        _, r, k, progress = state
        return (_norm(r) > threshold) & (k < maxiter) & progress

    def cycle(state: Any) -> Any:
        x, r, k, _ = state
        update, steps = _cycle(lambda v: matvec(apply(v)), r, threshold, most)
        new = x + apply(update)
        left = b - matvec(new)
        # A cycle that makes nothing smaller will not do so the next time either.
        return new, left, k + steps, _norm(left) < _norm(r)

    x, r, _, _ = while_loop(going, cycle, (x, b - matvec(x), 0, True))
    return x, _norm(r)


def _cycle(matvec: Product, r: Any, threshold: Any, most: int) -> tuple[Any, Any]:
    """Return the combination of at most `most` basis vectors that makes the residual smallest, and how many there are.

    The Hessenberg matrix is brought to triangular form column by column: `turn` is the product of the rotations.
    """
    size, dtype = r.shape[0], r.dtype
    length = _norm(r)
    rows = np.arange(most + 1)
    first = np.where(length == 0, r, r / np.where(length == 0, 1.0, length)).astype(dtype)
    basis = np.where((rows == 0)[:, None], first, np.zeros((most + 1, size), dtype))

    def going(state: Any) -> Any:
        _, turn, _, j, alive = state
        return (np.abs(length * turn[j, 0]) > threshold) & (j < most) & alive

    def step(state: Any) -> Any:
        basis, turn, triangle, j, _ = state
        w = matvec(basis[j])
        before = _norm(w)
        # Orthogonalised twice: once leaves errors of the size of what cancels (Giraud et al. 2005).
        h = basis @ w
        w = w - h @ basis
        again = basis @ w
        w = w - again @ basis
        after = _norm(w)
        column = turn @ np.where(rows == j + 1, after, h + again)
        above, below = column[j], column[j + 1]
        radius = np.sqrt(above * above + below * below)
        safe = np.where(radius == 0, 1.0, radius)
        c, s = np.where(radius == 0, 1.0, above / safe), below / safe
        upper, lower = turn[j].copy(), turn[j + 1].copy()
        turn[j] = c * upper + s * lower
        turn[j + 1] = c * lower - s * upper
        triangle[:, j] = np.where(rows < j, column, np.where(rows == j, radius, 0.0))[:most]
        basis[j + 1] = np.where(after == 0, w, w / np.where(after == 0, 1.0, after))
        return basis, turn, triangle, j + 1, after > np.finfo(dtype).eps * before

    start = (basis, np.eye(most + 1, dtype=dtype), np.eye(most, dtype=dtype), 0, True)
    basis, turn, triangle, j, _ = while_loop(going, step, start)
    # Columns that were not reached are those of the identity, with zeros on the right-hand side. A zero on the diagonal
    # belongs to a singular system; that direction stays as it is.
    regular = np.diagonal(triangle) != 0
    right = np.where((rows[:most] < j) & regular, length * turn[:most, 0], 0.0).astype(dtype)
    triangle = triangle + np.where(regular, 0.0, 1.0).astype(dtype) * np.eye(most, dtype=dtype)
    return np.linalg.solve(triangle, right) @ basis[:most], j
