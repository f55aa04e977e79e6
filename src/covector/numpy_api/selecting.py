"""NumPy's functions that pick elements by position: take, take_along_axis, compress and their relatives."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, caller
from ..core.tracer import Tracer
from ..core.values import dtype_of
from ..core.views import link_view
from ..ops.indexing import gather_p
from .axes import normalize_axis
from .indexing import are_unique
from .joining import stack
from .plain import plain_or
from .register import implements
from .structural import as_array, as_shape, expand_dims, moveaxis, ravel, reshape

__all__ = ["as_mask", "pick_along", "static_integers", "take", "take_along_axis"]


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    return pick_along(as_array(arr, "np.take_along_axis"), as_array(indices, "np.take_along_axis"), axis)


def pick_along(x: Any, indices: Any, axis: int | None, unique: bool = False) -> Any:
    """``np.take_along_axis``; `unique` promises that no element is taken twice, which makes its transpose cheaper."""
    if axis is None:
        if indices.ndim != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        x, axis = ravel(x), 0
    if x.ndim != indices.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    axis = normalize_axis(axis, x.ndim)
    grid = []
    for i, n in enumerate(x.shape):
        grid.append(indices if i == axis else np.arange(n).reshape((1,) * i + (n,) + (1,) * (x.ndim - 1 - i)))
    return gather_p(x, *grid, unique=unique)


@implements(np.take)
def take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
    x, indices = as_array(a, "np.take"), as_array(indices, "np.take")
    if indices.dtype.kind == "b" or (indices.dtype.kind == "f" and not indices.size):
        indices = indices.astype(int)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"np.take: indices must be integers, got dtype {indices.dtype} at {caller()}")
    if axis is None:
        x, axis = ravel(x), 0
    axis = normalize_axis(axis, x.ndim)
    n = x.shape[axis]
    if mode == "wrap":
        indices = indices % n
    elif mode == "clip":
        indices = np.minimum(np.maximum(indices, 0), n - 1)
    elif mode != "raise":
        raise ValueError(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})")
    picked = gather_p(moveaxis(x, axis, 0), indices, unique=are_unique([indices]))
    return moveaxis(picked, range(indices.ndim), range(axis, axis + indices.ndim)) if axis else picked


@implements(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None, out: Any = None) -> Any:
    mask = as_mask(condition, "np.compress")
    if mask.ndim != 1:
        raise ValueError("condition must be a 1-d array")
    return take(a, np.flatnonzero(mask), axis)


@implements(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    return take(ravel(as_array(arr, "np.extract")), np.flatnonzero(as_mask(condition, "np.extract")))


def as_mask(condition: Any, function: str) -> Any:
    # Comparison gives a plain array, unless the value is not there to be looked at.
    condition = np.not_equal(condition, 0) if isinstance(condition, Tracer) else condition
    if isinstance(condition, Tracer):
        condition = plain_or(
            condition,
            lambda: (
                f"{function} with a condition that depends on a value of which only the shape is known, at {caller()}, "
                f"gives a result of unknown shape; use np.where(condition, x, 0)"
            ),
        )
    return np.asarray(condition)


def static_integers(x: Any, function: str, name: str, masks: bool = False) -> Any:
    """Return an argument that decides shapes as a plain integer array (or, with `masks`, a bool one)."""
    if isinstance(x, Tracer):
        dtype = dtype_of(x)
        x = plain_or(
            x,
            lambda: (
                f"{function} at {caller()} needs plain integers for `{name}`, which decide the shape of the result; "
                f"got a traced value of dtype {dtype}"
            ),
        )
    array = as_array(x, function)
    if array.dtype.kind not in ("iub" if masks else "iu") and array.size:
        raise TypeError(f"{function}: `{name}` must be integers, got dtype {array.dtype} at {caller()}")
    return array if array.size else array.astype(int)


@implements(np.lib.stride_tricks.sliding_window_view, view=True)
def sliding_window_view(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    if writeable:
        raise NotDifferentiableError(
            f"sliding_window_view(..., writeable=True) of a traced value at {caller()} is not supported; leave it out"
        )
    windows = as_shape(window_shape)
    if any(n < 0 for n in windows):
        raise ValueError("`window_shape` cannot contain negative values")
    axes = (
        list(range(x.ndim))
        if axis is None
        else [normalize_axis(i, x.ndim) for i in (axis if isinstance(axis, Iterable) else (axis,))]
    )
    if len(windows) != len(axes):
        raise ValueError(
            f"Must provide matching length window_shape and axis; got {len(windows)} window_shape elements and "
            f"{len(axes)} axes elements."
        )
    for i, n in zip(axes, windows, strict=True):
        if x.shape[i] < n:
            raise ValueError("window shape cannot be larger than input array shape")
    out = x
    for i, n in zip(axes, windows, strict=True):
        starts = np.arange(out.shape[i] - n + 1)
        out = moveaxis(take(out, starts[:, None] + np.arange(n), i), i + 1, -1)
    derive = partial(np.lib.stride_tricks.sliding_window_view, window_shape=windows, axis=tuple(axes))
    return link_view(out, x, derive, writeable=False, copied=True)


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    axis = normalize_axis(axis, arr.ndim)
    moved = moveaxis(arr, axis, -1)
    outer = moved.shape[:-1]
    if not all(outer):
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    results = [as_array(func1d(moved[i], *args, **kwargs), "np.apply_along_axis") for i in np.ndindex(outer)]
    shape = results[0].shape
    stacked = reshape(stack(results), (*outer, *shape))
    rank = len(outer)
    return moveaxis(stacked, range(rank, rank + len(shape)), range(axis, axis + len(shape)))


@implements(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    out = a
    for axis in axes if isinstance(axes, Iterable) else (axes,):
        axis = normalize_axis(axis, a.ndim)
        result = func(out, axis)
        if result.ndim != out.ndim:
            result = expand_dims(result, axis)
            if result.ndim != out.ndim:
                raise ValueError("function is not returning an array of the correct shape")
        out = result
    return out
