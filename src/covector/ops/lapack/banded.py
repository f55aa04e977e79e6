"""Banded equations; a band matrix A is stored as LAPACK stores it: ``ab[upper + i − j, j] = A[i, j]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.cotangents import unbroadcast
from ...core.primitive import Primitive
from ...core.values import Aval
from ..families import like
from ..samples import deferred, draw, sample
from .common import line_up

__all__ = ["from_half", "solve_banded_p"]


def _places(rows: int, n: int, upper: int) -> tuple[Any, Any, Any]:
    """For every place of the storage: the row and column of the matrix that it holds, and whether these exist."""
    j = np.broadcast_to(np.arange(n), (rows, n))
    i = np.arange(rows).reshape((-1, 1)) + j - upper
    inside = (i >= 0) & (i < n)
    return np.where(inside, i, 0), j, inside


def _transposed(ab: Any, lower: int, upper: int) -> Any:
    """Return the transposed matrix, with `upper` diagonals below and `lower` above the main one."""
    i, j, inside = _places(lower + upper + 1, ab.shape[-1], lower)
    # A[i, j] of the transposed is A[j, i], stored at [upper + j − i, i].
    return np.where(inside, ab[..., np.where(inside, upper + j - i, 0), i], 0)


def _times(ab: Any, x: Any, lower: int, upper: int) -> Any:
    """Return A x."""
    # Row i of A holds, in the storage of Aᵀ, column i.
    i, _, _ = _places(lower + upper + 1, ab.shape[-1], lower)
    rows = _transposed(ab, lower, upper)
    return (rows.reshape((*rows.shape, 1)) * x[..., i, :]).sum(axis=-3)


def _minus_outer(w: Any, x: Any, lower: int, upper: int) -> Any:
    """Return −w xᵀ at the places of the storage, zero outside the matrix."""
    i, _, inside = _places(lower + upper + 1, w.shape[-2], upper)
    return np.where(inside, -(w[..., i, :] * x.reshape((*x.shape[:-2], 1, *x.shape[-2:]))).sum(axis=-1), 0)


def from_half(ab: Any, lower: bool) -> Any:
    """Return all diagonals of the Hermitian matrix of which `ab` stores those of one triangle."""
    k, n = ab.shape[-2] - 1, ab.shape[-1]
    i, j, inside = _places(2 * k + 1, n, k)
    mine = (i >= j) if lower else (i <= j)
    stored = ab[..., np.where(inside, (0 if lower else k) + np.where(mine, i - j, j - i), 0), np.where(mine, j, i)]
    if ab.dtype.kind == "c":
        stored = np.where(i == j, np.real(stored), np.where(mine, stored, np.conj(stored)))
    return np.where(inside, stored, 0)


def _solve_banded(ab: Any, b: Any, *, lower: int, upper: int, definite: bool) -> Any:
    """Solve A x = b; `definite` promises that A is Hermitian and positive definite, as `from_half` makes it."""
    dtype = np.result_type(ab, b)
    if not b.size:
        return np.zeros(np.broadcast_shapes(ab.shape[:-2], b.shape[:-2]) + b.shape[-2:], dtype)
    n, m = b.shape[-2:]
    if ab.ndim == 2:
        x = _solve_one(ab, np.moveaxis(b, -2, 0).reshape((n, -1)), lower, upper, definite)
        return np.moveaxis(x.reshape((n, *b.shape[:-2], m)), 0, -2)
    # A stack of matrices is one matrix with the same number of diagonals.
    stack = np.broadcast_shapes(ab.shape[:-2], b.shape[:-2])
    rows = lower + upper + 1
    ab = np.where(_places(rows, n, upper)[2], ab, 0)
    long = np.moveaxis(np.broadcast_to(ab, (*stack, rows, n)), -2, 0).reshape((rows, -1))
    x = _solve_one(long, np.broadcast_to(b, (*stack, n, m)).reshape((-1, m)), lower, upper, definite)
    return x.reshape((*stack, n, m))


def _solve_one(ab: Any, b: Any, lower: int, upper: int, definite: bool) -> Any:
    from scipy.linalg import solve_banded, solveh_banded

    if definite:
        return solveh_banded(ab[: upper + 1], b, check_finite=False)
    return solve_banded((lower, upper), ab, b, check_finite=False)


def _jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, *, lower: int, upper: int, definite: bool) -> Any:
    (ab, _), (dab, db) = args, tangents
    change = None if dab is None else _times(dab, out, lower, upper)
    right = db if change is None else -change if db is None else db - change
    return like(solve_banded_p(ab, right, lower=lower, upper=upper, definite=definite), out)


def _vjp(
    ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any], *, lower: int, upper: int, definite: bool
) -> list[Any]:
    ab, b = args
    w = solve_banded_p(_transposed(ab, lower, upper), ct, lower=upper, upper=lower, definite=definite)
    return [
        unbroadcast(_minus_outer(w, out, lower, upper), ab) if wanted[0] else None,
        unbroadcast(w, b) if wanted[1] else None,
    ]


def _aval(ab: Aval, b: Aval, **_: Any) -> Aval:
    return Aval(np.broadcast_shapes(ab.shape[:-2], b.shape[:-2]) + b.shape[-2:], np.result_type(ab.dtype, b.dtype))


@deferred
def _band(shape: tuple[int, ...], dtype: Any = float, main: int = 1) -> Any:
    ab = draw(shape, dtype, -0.5, 0.5, key="band")()
    ab[..., main, :] += np.arange(2, shape[-1] + 2)
    return ab


_TWO = {"lower": 1, "upper": 1, "definite": False}

solve_banded_p = Primitive(
    "solve_banded",
    _solve_banded,
    _aval,
    _jvp,
    _vjp,
    line_up(lambda: solve_banded_p),
    samples=[
        sample(_band((3, 4)), draw((4, 2)), label="tridiagonal", **_TWO),
        sample(_band((4, 4), main=1), draw((4, 1)), label="two below, one above", lower=2, upper=1, definite=False),
        sample(_band((2, 3, 3)), draw((3, 1)), label="stack", **_TWO),
        sample(_band((3, 3)), draw((2, 3, 1)), label="one matrix, stacked sides", **_TWO),
        sample(_band((3, 3), np.float32), draw((3, 1), np.float32), label="float32", **_TWO),
        sample(_band((3, 3), complex), draw((3, 2), complex), label="complex", **_TWO),
        sample(_band((1, 1), main=0), draw((1, 1)), label="1x1", lower=0, upper=0, definite=False),
        sample(draw((3, 0)), draw((0, 2)), label="empty", **_TWO),
    ],
    source="x = A⁻¹ b with dx = A⁻¹ (db − dA x), where dA has the diagonals of A; Giles 2008, section 2.3",
    family="general",
)
