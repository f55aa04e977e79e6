"""Linear algebra of matrices up to three by three, entry by entry: what compiled programs do with stacks of them.

Elimination chooses pivots as LAPACK does, so that the same matrices are singular.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.cotangents import unbroadcast
from ..core.primitive import Primitive, Routine
from ..core.values import Aval
from .families import batch_elementwise
from .samples import draw, sample

__all__ = ["cholesky", "det", "fits", "inv", "slogdet", "solve"]

_SINGULAR = "Singular matrix"
_SIDES = 8


def fits(a: Aval, *sides: Aval) -> bool:
    """Whether the matrices are so small: up to 3 x 3, complex ones up to 2 x 2, with up to eight right-hand sides."""
    most = 2 if any(x.dtype.kind == "c" for x in (a, *sides)) else 3
    return a.dtype.kind in "fc" and 0 < a.shape[-1] <= most and all(0 < b.shape[-1] <= _SIDES for b in sides)


def _entries(a: Any) -> list[list[Any]]:
    return [[a[..., i, j] for j in range(a.shape[-1])] for i in range(a.shape[-2])]


def _assembled(rows: Sequence[Sequence[Any]]) -> Any:
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _size(x: Any) -> Any:
    """What LAPACK compares pivots by."""
    return np.abs(np.real(x)) + np.abs(np.imag(x)) if x.dtype.kind == "c" else np.abs(x)


def _eliminate(rows: list[list[Any]]) -> tuple[list[Any], list[Any]]:
    """Make the left square part of `rows` upper triangular; return its diagonal and whether rows were exchanged."""
    n = len(rows)
    pivots, exchanges = [], []
    for k in range(n):
        for i in range(k + 1, n):
            larger = _size(rows[i][k]) > _size(rows[k][k])
            exchanges.append(larger)
            for j in range(k, len(rows[k])):
                above, below = rows[k][j], rows[i][j]
                rows[k][j], rows[i][j] = np.where(larger, below, above), np.where(larger, above, below)
        pivot = rows[k][k]
        pivots.append(pivot)
        divisor = np.where(pivot == 0, pivot.dtype.type(1), pivot)
        for i in range(k + 1, n):
            factor = rows[i][k] / divisor
            for j in range(k + 1, len(rows[k])):
                rows[i][j] = rows[i][j] - factor * rows[k][j]
    return pivots, exchanges


def _solved(rows: list[list[Any]]) -> list[list[Any]]:
    """Solve the equations whose right-hand sides stand behind the square part of `rows`."""
    n = len(rows)
    pivots, _ = _eliminate(rows)
    bad = pivots[0] == 0
    for p in pivots[1:]:
        bad = bad | (p == 0)
    pivots[0] = regular_p(pivots[0], bad, message=_SINGULAR)
    out: list[list[Any]] = [[] for _ in rows]
    for k in reversed(range(n)):
        for j in range(n, len(rows[k])):
            x = rows[k][j]
            for i in range(k + 1, n):
                x = x - rows[k][i] * out[i][j - n]
            out[k].append(x / pivots[k])
    return out


def solve(a: Any, b: Any) -> Any:
    """``np.linalg.solve`` with matrices on both sides."""
    dtype = np.result_type(a, b)
    shape = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (np.broadcast_to(x, shape + x.shape[-2:]).astype(dtype) for x in (a, b))
    return _assembled(_solved([[*left, *right] for left, right in zip(_entries(a), _entries(b), strict=True)]))


def inv(a: Any) -> Any:
    """``np.linalg.inv``."""
    n = a.shape[-1]
    one, zero = np.ones(a.shape[:-2], a.dtype), np.zeros(a.shape[:-2], a.dtype)
    rows = _entries(a)
    return _assembled(_solved([[*row, *[one if j == i else zero for j in range(n)]] for i, row in enumerate(rows)]))


def _parity(exchanges: Sequence[Any], dtype: Any) -> Any:
    sign = dtype.type(1)
    for x in exchanges:
        sign = np.where(x, -sign, sign)
    return sign


def det(a: Any) -> Any:
    """``np.linalg.det``."""
    pivots, exchanges = _eliminate(_entries(a))
    sign = _parity(exchanges, a.dtype)
    if len(pivots) == 3:
        # The largest times the smallest: nothing overflows on the way.
        x, y, z = pivots
        large, small = np.maximum(np.abs(x), np.abs(y)), np.minimum(np.abs(x), np.abs(y))
        size = np.maximum(large, np.abs(z)) * np.minimum(small, np.abs(z))
        return sign * np.sign(x) * np.sign(y) * np.sign(z) * (size * np.maximum(small, np.minimum(large, np.abs(z))))
    return sign * pivots[0] * (pivots[1] if len(pivots) > 1 else 1)


def slogdet(a: Any) -> tuple[Any, Any]:
    """``np.linalg.slogdet``."""
    pivots, exchanges = _eliminate(_entries(a))
    sign, log = _parity(exchanges, a.dtype), 0
    for p in pivots:
        size = np.abs(p)
        sign = sign * (p / np.where(size == 0, size.dtype.type(1), size) if a.dtype.kind == "c" else np.sign(p))
        log = log + np.log(size)
    return sign, log


def cholesky(a: Any) -> Any:
    """``np.linalg.cholesky``."""
    n = a.shape[-1]
    rows: list[list[Any]] = []
    bad: Any = False
    zero = np.zeros(a.shape[:-2], a.dtype)
    for i in range(n):
        row: list[Any] = []
        for j in range(i + 1):
            x = a[..., i, j] if j < i else np.real(a[..., i, i])
            for k in range(j):
                other = (row if j == i else rows[j])[k]
                x = x - (row[k] * np.conj(other) if j < i else np.real(other) ** 2 + np.imag(other) ** 2)
            if j == i:
                bad = bad | (x <= 0)
                x = np.sqrt(np.maximum(x, 0))
            row.append(x / np.real(rows[j][j]) if j < i else x.astype(a.dtype))
        rows.append(row + [zero] * (n - 1 - i))
    rows[0][0] = regular_p(rows[0][0], bad, message="Matrix is not positive definite")
    return _assembled(rows)


# --- errors -----------------------------------------------------------------------------------------------------------


def _regular(x: Any, bad: Any, *, message: str) -> Any:
    if np.any(bad):
        raise np.linalg.LinAlgError(message)
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, bad.shape)).copy()[()]


regular_p = Primitive(
    "regular",
    _regular,
    lambda x, bad, *, message: Aval(np.broadcast_shapes(x.shape, bad.shape), x.dtype),
    lambda args, tangents, out, *, message: np.broadcast_to(tangents[0], out.shape),
    lambda ct, wanted, out, args, *, message: [unbroadcast(ct, args[0]), None],
    batch_elementwise(lambda: regular_p),
    lower=Routine("regular"),
    samples=[
        sample(draw((3,)), np.zeros(3, bool), message=_SINGULAR),
        sample(draw(()), np.zeros((), bool), message=_SINGULAR),
        sample(draw((2, 2), np.float32), np.zeros((2, 2), bool), message=_SINGULAR),
        sample(draw((0,)), np.zeros(0, bool), message=_SINGULAR),
    ],
    source="the identity, which raises an error where the second argument says so",
    family="general",
    keeps=False,
    keeps_out=False,
)
