"""NumPy's functions of diagonals and triangles."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..core.views import link_view
from ..ops.indexing import gather_p, scatter_p
from .axes import normalize_axis
from .joining import stack
from .register import implements
from .structural import moveaxis, ravel

__all__ = ["diag", "diagonal", "trace", "tril", "triu"]


def _positions(rows: int, columns: int, offset: int) -> tuple[Any, Any]:
    """Row and column numbers of the diagonal `offset` of a matrix."""
    i = np.arange(max(-offset, 0), max(min(rows, columns - offset), max(-offset, 0)))
    return i, i + offset


@implements(np.diagonal, view=True)
def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    if a.ndim < 2:
        raise ValueError("diag requires an array of at least two dimensions")
    first, second = normalize_axis(axis1, a.ndim), normalize_axis(axis2, a.ndim)
    if first == second:
        raise ValueError("axis1 and axis2 cannot be the same")
    i, j = _positions(a.shape[first], a.shape[second], int(offset))
    out = moveaxis(gather_p(moveaxis(a, (first, second), (0, 1)), i, j, unique=True), 0, -1)
    derive = partial(np.diagonal, offset=int(offset), axis1=first, axis2=second)
    return link_view(out, a, derive, writeable=False, copied=True)


@implements(np.linalg.diagonal, view=True)
def matrix_diagonal(x: Any, /, *, offset: int = 0) -> Any:
    return diagonal(x, offset, -2, -1)


@implements(np.trace)
def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@implements(np.linalg.trace)
def matrix_trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    return trace(x, offset, -2, -1, dtype)


@implements(np.diag, view=True)
def diag(v: Any, k: int = 0) -> Any:
    if v.ndim == 2:
        return diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("Input must be 1- or 2-d.")
    n = v.size + abs(k)
    i, j = _positions(n, n, int(k))
    return scatter_p(v, i, j, shape=(n, n), unique=True)


@implements(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    return diag(ravel(v), k)


@implements(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    return np.where(np.tri(*m.shape[-2:], k=k, dtype=bool), m, m.dtype.type(0))


@implements(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    return np.where(np.tri(*m.shape[-2:], k=k - 1, dtype=bool), m.dtype.type(0), m)


@implements(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    count = x.size if N is None else N
    dtype = np.promote_types(x.dtype, int)
    x = x if x.dtype == dtype else x.astype(dtype)
    # Products one after the other, as NumPy forms them: exact derivatives at 0 too.
    columns = [np.ones(x.shape, x.dtype)]
    while len(columns) < count:
        columns.append(columns[-1] * x)
    if not count:
        return np.empty((x.size, 0), x.dtype)
    return stack(columns[:count] if increasing else columns[:count][::-1], 1)


@implements(np.diag_indices_from)
def diag_indices_from(arr: Any) -> tuple[Any, ...]:
    return np.diag_indices_from(np.empty(arr.shape, bool))


@implements(np.tril_indices_from)
def tril_indices_from(arr: Any, k: int = 0) -> tuple[Any, ...]:
    return np.tril_indices_from(np.empty(arr.shape, bool), k)


@implements(np.triu_indices_from)
def triu_indices_from(arr: Any, k: int = 0) -> tuple[Any, ...]:
    return np.triu_indices_from(np.empty(arr.shape, bool), k)
