"""NumPy's functions that repeat, insert and delete elements."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..ops.structural import broadcast_p
from .axes import normalize_axis
from .joining import concatenate
from .register import NUMPY, implements
from .selecting import static_integers, take
from .structural import as_array, as_shape, broadcast_to, moveaxis, ravel, reshape

__all__ = ["delete", "insert", "repeat", "resize", "tile"]


def _interleave(x: Any, repeats: tuple[int, ...], inner: bool) -> Any:
    """Repeat along every axis: each element in place (`inner`), or the array as a whole."""
    shape = x.shape
    axes = tuple(2 * i + (not inner) for i in range(len(shape)))
    wide = tuple(k for n, r in zip(shape, repeats, strict=True) for k in ((n, r) if inner else (r, n)))
    out = broadcast_p(x, shape=wide, axes=axes)
    return reshape(out, tuple(n * r for n, r in zip(shape, repeats, strict=True)))


@implements(np.repeat)
def repeat(a: Any, repeats: Any, axis: int | None = None) -> Any:
    a = as_array(a, "np.repeat")
    counts = static_integers(repeats, "np.repeat", "repeats")
    if axis is None:
        a, axis = ravel(a), 0
    axis = normalize_axis(axis, a.ndim)
    if counts.size == 1 and counts.ndim <= 1:
        count = int(counts.reshape(()))
        if count < 0:
            raise ValueError("repeats may not contain negative values.")
        return _interleave(a, (1,) * axis + (count,) + (1,) * (a.ndim - axis - 1), inner=True)
    return take(a, np.repeat(np.arange(a.shape[axis]), counts), axis)


@implements(np.tile)
def tile(A: Any, reps: Any) -> Any:
    counts = tuple(static_integers(reps, "np.tile", "reps").ravel().tolist())
    x = as_array(A, "np.tile")
    rank = max(len(counts), x.ndim)
    x = reshape(x, (1,) * (rank - x.ndim) + x.shape)
    counts = (1,) * (rank - len(counts)) + counts
    return x if all(r == 1 for r in counts) else _interleave(x, counts, inner=False)


@implements(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    shape = as_shape(new_shape)
    if any(n < 0 for n in shape):
        raise ValueError("all elements of `new_shape` must be non-negative")
    size = math.prod(shape)
    if not a.size or not size:
        return np.zeros(shape, a.dtype)
    flat = ravel(a)
    return reshape(flat[:size] if size <= a.size else take(flat, np.arange(size) % a.size), shape)


@implements(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis(axis, arr.ndim)
    if not isinstance(obj, slice):
        obj = static_positions(obj, "np.delete")
    return take(arr, np.delete(np.arange(arr.shape[axis]), obj), axis)


def static_positions(obj: Any, function: str) -> Any:
    """Return `obj`, integers or a mask, as a plain array; an empty list holds no positions."""
    if isinstance(obj, Iterable) and not hasattr(obj, "dtype") and not len(list(obj)):
        return np.array([], int)
    return static_integers(obj, function, "obj", masks=True)


@implements(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    arr, values = as_array(arr, "np.insert"), as_array(values, "np.insert")
    if axis is None:
        arr, axis = ravel(arr), 0
    axis = normalize_axis(axis, arr.ndim)
    n = arr.shape[axis]
    if isinstance(obj, slice):
        obj = np.arange(*obj.indices(n))
    obj = static_positions(obj, "np.insert")
    if obj.dtype.kind == "b" and NUMPY >= (2, 2):  # before, NumPy read a mask as the indices 0 and 1, and warned
        obj = np.flatnonzero(obj)
    if values.dtype != arr.dtype:
        values = values.astype(arr.dtype)
    values = reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape)
    if obj.size == 1:
        if obj.ndim == 0:
            # As in NumPy: beside a single number, the first axis of the values runs along `axis`.
            values = moveaxis(values, 0, axis)
        count = values.shape[axis]
        places: Any = int(obj.reshape(()))
    else:
        count, places = obj.size, obj
    shape = (*arr.shape[:axis], count, *arr.shape[axis + 1 :])
    order = np.insert(np.arange(n), places, n + np.arange(count))
    return take(concatenate((arr, broadcast_to(values, shape)), axis), order, axis)
