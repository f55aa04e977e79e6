"""``np.linalg``'s norms, condition numbers and ranks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.values import dtype_of, shape_of
from ..ops.complex_parts import astype
from ..ops.decompositions import svdvals_p
from ..ops.least_squares import is_singular_p, matrix_rank_p
from ..ops.linalg import real_dtype
from ..ops.reductions import root_p
from .axes import as_scalar, normalize_axis
from .register import implements
from .structural import as_array

__all__ = ["cond", "matrix_rank", "norm"]


def _inexact(x: Any) -> Any:
    return x if dtype_of(x).kind in "fc" else astype(x, np.dtype(float))


def _euclidean(x: Any, axis: Any, keepdims: bool) -> Any:
    """The root of the sum of squares; derivative 0 at 0, and smooth where only some elements are 0."""
    squares = np.square(np.real(x)) + np.square(np.imag(x)) if dtype_of(x).kind == "c" else np.square(x)
    return root_p(np.sum(squares, axis=axis, keepdims=keepdims))


def _vector_norm(x: Any, order: Any, axis: int, keepdims: bool) -> Any:
    if order is None or order == 2:
        return _euclidean(x, axis, keepdims)
    if isinstance(order, str):
        raise ValueError(f"Invalid norm order '{order}' for vectors")
    if order == 0:
        return astype(x != 0, real_dtype(dtype_of(x))).sum(axis=axis, keepdims=keepdims)
    size = np.abs(x)
    if order == np.inf:
        return np.max(size, axis=axis, keepdims=keepdims, initial=0)
    if order == -np.inf:
        return np.min(size, axis=axis, keepdims=keepdims)
    if order == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    # A Python number, so that it does not widen single precision.
    order = float(order)
    if 0 < order < 1:
        # The power has an infinite slope at 0; the convention for norms is 0.
        still = np.equal(size, 0)
        powers = np.where(still, 0, np.where(still, 1, size) ** order)
    else:
        powers = size**order
    total = np.sum(powers, axis=axis, keepdims=keepdims)
    # The root of a sum of zeros has derivative 0 by convention; the root itself never sees the zero.
    zero = np.equal(total, 0)
    root = np.where(zero, 1, total) ** (1 / order)
    return as_scalar(np.where(zero, 0, root)) if order > 0 else root


def _largest(x: Any) -> Any:
    return np.max(x, axis=-1, initial=0)


def _smallest(x: Any) -> Any:
    return np.min(x, axis=-1)


_OF_SINGULAR_VALUES: dict[Any, Callable[[Any], Any]] = {
    2: _largest,
    -2: _smallest,
    "nuc": lambda s: np.sum(s, axis=-1),
}
_OF_ABSOLUTE_SUMS: dict[Any, tuple[int, Callable[[Any], Any]]] = {
    1: (-2, _largest),
    -1: (-2, _smallest),
    np.inf: (-1, _largest),
    -np.inf: (-1, _smallest),
}


def _matrix_norm(x: Any, order: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    if order in (None, "fro", "f"):
        return _euclidean(x, axes, keepdims)
    if order not in _OF_SINGULAR_VALUES and order not in _OF_ABSOLUTE_SUMS:
        raise ValueError("Invalid norm order for matrices.")
    moved = x if axes == (x.ndim - 2, x.ndim - 1) else np.moveaxis(x, axes, (-2, -1))
    if order in _OF_SINGULAR_VALUES:
        out = _OF_SINGULAR_VALUES[order](svdvals_p(moved))
    else:
        axis, reduce = _OF_ABSOLUTE_SUMS[order]
        out = reduce(np.sum(np.abs(moved), axis=axis))
    return out.reshape(tuple(1 if i in axes else n for i, n in enumerate(x.shape))) if keepdims else out


@implements(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> Any:
    x = _inexact(as_array(x, "np.linalg.norm"))
    ndim = len(shape_of(x))
    keepdims = bool(keepdims)
    if axis is None and ord is None:
        return _euclidean(x, None, keepdims)
    if axis is None and ndim == 2 and ord in ("f", "fro"):
        return _euclidean(x, None, keepdims)
    if axis is None:
        axes = tuple(range(ndim))
    elif isinstance(axis, tuple):
        axes = tuple(normalize_axis(i, ndim) for i in axis)
    else:
        try:
            axes = (normalize_axis(axis, ndim),)
        except TypeError as error:
            raise TypeError("'axis' must be None, an integer or a tuple of integers") from error
    if len(axes) == 1:
        return _vector_norm(x, ord, axes[0], keepdims)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    if axes[0] == axes[1]:
        raise ValueError("Duplicate axes given.")
    return _matrix_norm(x, ord, (axes[0], axes[1]), keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: Any = False, ord: Any = "fro") -> Any:
    return norm(x, axis=(-2, -1), keepdims=keepdims, ord=ord)


@implements(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: Any = False, ord: Any = 2) -> Any:
    x = _inexact(as_array(x, "np.linalg.vector_norm"))
    shape = shape_of(x)
    if isinstance(axis, int | np.integer):
        return norm(x, ord=ord, axis=axis, keepdims=keepdims)
    axes = tuple(range(len(shape))) if axis is None else tuple(normalize_axis(i, len(shape)) for i in axis)
    rest = [i for i in range(len(shape)) if i not in axes]
    length = math.prod(shape[i] for i in axes)
    flat = np.transpose(x, (*axes, *rest)).reshape((length, *(shape[i] for i in rest)))
    out = norm(flat, ord=ord, axis=0)
    return out.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape))) if keepdims else out


# --- condition and rank -----------------------------------------------------------------------------------------------


@implements(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    x = _inexact(as_array(x, "np.linalg.cond"))
    if 0 in shape_of(x)[-2:]:
        raise np.linalg.LinAlgError("cond is not defined on empty arrays")
    if p is None or p in (2, -2):
        s = svdvals_p(x)
        with np.errstate(all="ignore"):
            ratio = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    else:
        ratio = norm(x, p, (-2, -1)) * norm(_inverse_or_nan(x), p, (-2, -1))
    broken = np.logical_and(np.isnan(ratio), np.logical_not(np.any(np.isnan(x), axis=(-2, -1))))
    return as_scalar(np.where(broken, np.inf, ratio))


def _inverse_or_nan(x: Any) -> Any:
    """The inverses of a stack of matrices, NaN for the singular ones."""
    singular = np.expand_dims(is_singular_p(x), (-2, -1))
    return np.where(singular, np.nan, np.linalg.inv(np.where(singular, np.eye(x.shape[-1], dtype=x.dtype), x)))


@implements(np.linalg.matrix_rank)
def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    A = as_array(A, "np.linalg.matrix_rank")
    shape = shape_of(A)
    if len(shape) < 2:
        return np.any(A != 0).astype(int) if shape else astype(A != 0, int)
    if tol is not None and rtol is not None:
        raise ValueError("`tol` and `rtol` can't be both set.")
    relative = tol is None
    tolerance = tol if tol is not None else rtol
    if tolerance is None:
        tolerance = max(shape[-2:]) * np.finfo(_inexact(A).dtype).eps
    return matrix_rank_p(A, tolerance, relative=relative, hermitian=bool(hermitian))
