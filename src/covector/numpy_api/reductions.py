"""NumPy's reductions and running sums in terms of primitives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.primitive import Primitive, bind
from ..ops.cumulative import cumsum_p, exclusive_cumprod_p
from ..ops.logic import where_p
from ..ops.reductions import (
    all_p,
    any_p,
    argmax_p,
    argmin_p,
    count_nonzero_p,
    max_p,
    mean_p,
    min_p,
    nanmax_p,
    nanmin_p,
    prod_p,
    sum_p,
)
from .axes import all_axes, is_default, normalize_axis
from .register import existing, implements
from .structural import as_array, moveaxis, ravel

__all__ = ["cast", "extremum", "kept", "mean", "reduce_masked"]

_NO: Any = np._NoValue
_AXES = tuple(tuple(range(n)) for n in range(65))
"""All axes of an array by its number of dimensions."""


def kept(result: Any, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: Any) -> Any:
    """Return `result` with the reduced axes put back as ones if `keepdims` says so."""
    if keepdims is _NO or not keepdims:
        return result
    return result.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape)))


def cast(a: Any, dtype: Any) -> Any:
    """Return `a` in `dtype`; None leaves it as it is."""
    return a if dtype is None or a.dtype == dtype else a.astype(dtype)


def _mask(a: Any, where: Any) -> Any:
    """Return the mask as an array that broadcasts to `a`; None if everything is selected."""
    if is_default(where) or where is True:
        return None
    mask = as_array(where, "where=")
    if mask.dtype.kind != "b":
        raise TypeError(f"where= must be a bool array, got dtype {mask.dtype}")
    if np.broadcast_shapes(a.shape, mask.shape) != a.shape:
        raise ValueError(f"where= of shape {mask.shape} does not broadcast to the array's shape {a.shape}")
    return mask


def reduce_masked(
    primitive: Primitive, a: Any, axis: Any, keepdims: Any, where: Any, neutral: Any, initial: Any, combine: Any
) -> Any:
    """Reduce the selected elements of `a`, then combine with the initial value."""
    mask = _mask(a, where)
    if mask is not None:
        a = where_p(mask, a, a.dtype.type(neutral))
    axes = all_axes(axis, a.ndim)
    result = kept(bind(primitive, (a,), {"axis": axes}), a.shape, axes, keepdims)
    return result if initial is _NO else combine(result, initial)


# --- sums, means, products --------------------------------------------------------------------------------------------


@implements(np.sum)
def sum(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = _NO,
    initial: Any = _NO,
    where: Any = _NO,
) -> Any:
    if dtype is None and out is None and keepdims is _NO and initial is _NO and where is _NO:
        ndim = len(a.shape)
        return bind(sum_p, (a,), {"axis": _AXES[ndim] if axis is None else all_axes(axis, ndim)})
    return reduce_masked(sum_p, cast(a, dtype), axis, keepdims, where, 0, initial, np.add)


@implements(np.prod)
def prod(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    keepdims: Any = _NO,
    initial: Any = _NO,
    where: Any = _NO,
) -> Any:
    return reduce_masked(prod_p, cast(a, dtype), axis, keepdims, where, 1, initial, np.multiply)


@implements(np.mean)
def mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NO, *, where: Any = _NO) -> Any:
    if dtype is None and out is None and keepdims is _NO and where is _NO:
        ndim = len(a.shape)
        return bind(mean_p, (a,), {"axis": _AXES[ndim] if axis is None else all_axes(axis, ndim)})
    if is_default(where) or where is True:
        axes = all_axes(axis, a.ndim)
        return kept(bind(mean_p, (cast(a, dtype),), {"axis": axes}), a.shape, axes, keepdims)
    dtype = mean_dtype(a) if dtype is None else np.dtype(dtype)
    total = sum(a, axis, np.float32 if dtype == np.float16 else dtype, keepdims=keepdims, where=where)
    return cast(total / selected(a, axis, keepdims, where), dtype)


def mean_dtype(a: Any) -> np.dtype[Any]:
    """The dtype of the mean of `a`."""
    return a.dtype if a.dtype.kind in "fc" else np.dtype(float)


def selected(a: Any, axis: Any, keepdims: Any, where: Any) -> Any:
    """The number of elements in each slice that the mask selects, as an int or an array of ints."""
    mask = _mask(a, where)
    if mask is None:
        return math.prod([a.shape[i] for i in all_axes(axis, a.ndim)])
    shape = a.shape
    axes = all_axes(axis, len(shape))
    count = count_nonzero_p(mask if mask.shape == shape else np.broadcast_to(mask, shape), axis=axes)
    return kept(count, shape, axes, keepdims)


# --- extrema ----------------------------------------------------------------------------------------------------------


def _lowest(dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "iu":
        return np.iinfo(dtype).min
    return complex(-math.inf, -math.inf) if dtype.kind == "c" else dtype.kind != "b" and -math.inf


def _highest(dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "iu":
        return np.iinfo(dtype).max
    return complex(math.inf, math.inf) if dtype.kind == "c" else dtype.kind == "b" or math.inf


def extremum(
    name: str, primitive: Primitive, a: Any, axis: Any, out: Any, keepdims: Any, initial: Any, where: Any, combine: Any
) -> Any:
    """The largest or smallest of the selected elements and the initial value."""
    if initial is _NO and not (is_default(where) or where is True):
        raise ValueError(f"np.{name}: reduction without a value for the empty selection; give initial= beside where=")
    shape = a.shape
    if initial is not _NO and 0 in [shape[i] for i in all_axes(axis, len(shape))]:
        result = np.broadcast_to(initial, tuple(n for i, n in enumerate(shape) if i not in all_axes(axis, len(shape))))
        return kept(result, shape, all_axes(axis, len(shape)), keepdims)
    neutral = _lowest(a.dtype) if combine in (np.maximum, np.fmax) else _highest(a.dtype)
    return reduce_masked(primitive, a, axis, keepdims, where, neutral, initial, combine)


@implements(np.max, np.amax)
def max(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO, initial: Any = _NO, where: Any = _NO) -> Any:
    if out is None and keepdims is _NO and initial is _NO and where is _NO:
        ndim = len(a.shape)
        return bind(max_p, (a,), {"axis": _AXES[ndim] if axis is None else all_axes(axis, ndim)})
    return extremum("max", max_p, a, axis, out, keepdims, initial, where, np.maximum)


@implements(np.min, np.amin)
def min(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO, initial: Any = _NO, where: Any = _NO) -> Any:
    if out is None and keepdims is _NO and initial is _NO and where is _NO:
        ndim = len(a.shape)
        return bind(min_p, (a,), {"axis": _AXES[ndim] if axis is None else all_axes(axis, ndim)})
    return extremum("min", min_p, a, axis, out, keepdims, initial, where, np.minimum)


@implements(np.nanmax)
def nanmax(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO, initial: Any = _NO, where: Any = _NO) -> Any:
    return extremum("nanmax", nanmax_p, a, axis, out, keepdims, initial, where, np.fmax)


@implements(np.nanmin)
def nanmin(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO, initial: Any = _NO, where: Any = _NO) -> Any:
    return extremum("nanmin", nanmin_p, a, axis, out, keepdims, initial, where, np.fmin)


@implements(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO) -> Any:
    return max(a, axis, keepdims=keepdims) - min(a, axis, keepdims=keepdims)


# --- running sums and products ----------------------------------------------------------------------------------------


@implements(np.cumsum)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    a = cast(a, dtype)
    if axis is None:
        a, axis = ravel(a), 0
    return cumsum_p(a, axis=normalize_axis(axis, a.ndim), reverse=False)


@implements(np.cumprod)
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    a = cast(a, dtype)
    if dtype is None and a.dtype.kind in "biu":
        a = cast(a, np.cumprod(np.ones(1, a.dtype)).dtype)
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis(axis, a.ndim)
    if axis == a.ndim - 1:
        return exclusive_cumprod_p(a) * a
    return moveaxis(exclusive_cumprod_p(moveaxis(a, axis, -1)), -1, axis) * a


def _cumulative(name: str, function: Callable[..., Any], start: int) -> Callable[..., Any]:
    def cumulative(
        x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None, include_initial: bool = False
    ) -> Any:
        if axis is None:
            if x.ndim > 1:
                raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
            axis = 0
        if x.ndim == 0:
            x = x.reshape((1,))
        result = function(x, axis, dtype)
        if not include_initial:
            return result
        axis = normalize_axis(axis, x.ndim)
        first = np.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), start, result.dtype)
        return np.concatenate([first, result], axis=axis)

    return cumulative


implements(*existing("cumulative_sum"))(_cumulative("cumulative_sum", cumsum, 0))
implements(*existing("cumulative_prod"))(_cumulative("cumulative_prod", cumprod, 1))


# --- positions and truths ---------------------------------------------------------------------------------------------


@implements(np.any)
def any(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO, *, where: Any = _NO) -> Any:
    return reduce_masked(any_p, a, axis, keepdims, where, 0, _NO, None)


@implements(np.all)
def all(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO, *, where: Any = _NO) -> Any:
    return reduce_masked(all_p, a, axis, keepdims, where, 1, _NO, None)


@implements(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    axes = all_axes(axis, a.ndim)
    return kept(count_nonzero_p(a, axis=axes), a.shape, axes, keepdims)


def position(name: str, primitive: Primitive, a: Any, axis: Any, out: Any, keepdims: Any) -> Any:
    """The index of an extremum along one axis, or in the flattened array."""
    shape = a.shape
    if axis is None:
        result = bind(primitive, (ravel(a),), {"axis": 0})
        return kept(result, shape, tuple(range(len(shape))), keepdims)
    axis = normalize_axis(axis, len(shape))
    return kept(bind(primitive, (a,), {"axis": axis}), shape, (axis,), keepdims)


@implements(np.argmax)
def argmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = _NO) -> Any:
    return position("argmax", argmax_p, a, axis, out, keepdims)


@implements(np.argmin)
def argmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = _NO) -> Any:
    return position("argmin", argmin_p, a, axis, out, keepdims)
