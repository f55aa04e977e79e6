"""Sorting, searching and counting in terms of primitives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.primitive import bind
from ..core.tracer import Tracer
from ..core.views import layout
from ..ops.indexing import gather_p
from ..ops.sorting import argpartition_p, argsort_p, lexsort_p, searchsorted_p
from .axes import normalize_axis
from .plain import plain
from .register import implements
from .selecting import pick_along
from .storing import relaid
from .structural import as_array, ravel

__all__ = ["argsort", "sort"]


# --- sort and partition -----------------------------------------------------------------------------------------------


def _no_fields(name: str, order: Any) -> None:
    if order is not None:
        raise ValueError(f"np.{name}: order= names fields of a structured dtype; the traced value has none")


def _line(a: Any, axis: Any) -> tuple[Any, int]:
    """The array and axis to sort along; None means the flattened array."""
    return (ravel(a), 0) if axis is None else (a, normalize_axis(axis, a.ndim))


@implements(np.sort)
def sort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None) -> Any:
    _no_fields("sort", order)
    a, axis = _line(a, axis)
    # Always stable: the derivative follows the elements taken, and among equal ones that must not be arbitrary.
    return _laid_out(pick_along(a, argsort_p(a, axis=axis, kind="stable"), axis, unique=True), a)


def _laid_out(x: Any, a: Any) -> Any:
    """Return `x` in the memory order of `a`, of which NumPy sorts a copy."""
    held = layout(a) if isinstance(a, Tracer) and isinstance(x, Tracer) else None
    return x if held is None or not held.flags.fnc else relaid(x, "F")


@implements(np.argsort)
def argsort(a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None) -> Any:
    _no_fields("argsort", order)
    if kind is not None and stable is not None:
        raise ValueError("`kind` and `stable` parameters can't be provided at the same time. Use only one of them.")
    a, axis = _line(a, axis)
    return argsort_p(a, axis=axis, kind="stable" if stable else kind)


@implements(np.sort_complex)
def sort_complex(a: Any) -> Any:
    result = sort(a)
    return result if result.dtype.kind == "c" else result.astype(np.result_type(result.dtype, np.complex64))


def _kth(kth: Any, n: int) -> tuple[int, ...]:
    found = [int(k) for k in np.atleast_1d(plain(kth, "np.partition"))]
    for k in found:
        if not -n <= k < n:
            raise ValueError(f"kth(={k}) out of bounds ({n})")
    return tuple(sorted({k % n for k in found}))


@implements(np.partition)
def partition(a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None) -> Any:
    a, axis = _line(a, axis)
    return _laid_out(pick_along(a, argpartition(a, kth, axis, kind, order), axis, unique=True), a)


@implements(np.argpartition)
def argpartition(a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None) -> Any:
    _no_fields("argpartition", order)
    if kind != "introselect":
        raise ValueError(f"select kind must be 'introselect' (got {kind!r})")
    a, axis = _line(a, axis)
    return argpartition_p(a, kth=_kth(kth, a.shape[axis]), axis=axis)


@implements(np.lexsort)
def lexsort(keys: Any, axis: int = -1) -> Any:
    rows = [as_array(k, "np.lexsort") for k in keys]
    if not rows:
        raise TypeError("need sequence of keys with len > 0 in lexsort")
    return bind(lexsort_p, rows, {"axis": normalize_axis(axis, rows[0].ndim)})


# --- search -----------------------------------------------------------------------------------------------------------


@implements(np.searchsorted)
def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    a, v = as_array(a, "np.searchsorted"), as_array(v, "np.searchsorted")
    if side not in ("left", "right"):
        raise ValueError(f"search side must be 'left' or 'right' (got {side!r})")
    if a.ndim != 1:
        raise ValueError(f"np.searchsorted: the first argument must be 1-D, got shape {a.shape}")
    if sorter is not None:
        a = gather_p(a, as_array(sorter, "np.searchsorted"), unique=False)
    return searchsorted_p(a, v, side=side, lanes=0)


@implements(np.digitize)
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    bins = as_array(bins, "np.digitize")
    edges = plain(bins, "np.digitize, which looks whether its bins increase or decrease,")
    steps = np.diff(edges)
    if not (np.all(steps >= 0) or np.all(steps <= 0)):
        raise ValueError("bins must be monotonically increasing or decreasing")
    side = "left" if right else "right"
    if len(edges) and edges[-1] < edges[0]:
        return len(edges) - searchsorted_p(edges[::-1], as_array(x, "np.digitize"), side=side, lanes=0)
    return searchsorted_p(edges, as_array(x, "np.digitize"), side=side, lanes=0)


# --- results whose shape depends on values ----------------------------------------------------------------------------


@implements(np.nonzero)
def nonzero(a: Any) -> Any:
    return np.nonzero(plain(a, "np.nonzero, whose shape depends on values,"))


@implements(np.flatnonzero)
def flatnonzero(a: Any) -> Any:
    return np.flatnonzero(plain(a, "np.flatnonzero, whose shape depends on values,"))


@implements(np.argwhere)
def argwhere(a: Any) -> Any:
    return np.argwhere(plain(a, "np.argwhere, whose shape depends on values,"))


@implements(np.unique)
def unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    value = plain(ar, "np.unique, whose shape depends on values,")
    # Only newer NumPy has `sorted`; unsorted output is in no particular order, so the sorted one will do.
    _, first, inverse, counts = np.unique(value, True, True, True, axis, equal_nan=equal_nan)
    if axis is None:
        values = gather_p(ravel(ar), first, unique=False)
    else:
        values = np.take(ar, first, axis=axis)
    extra = [x for x, asked in ((first, return_index), (inverse, return_inverse), (counts, return_counts)) if asked]
    return (values, *extra) if extra else values


def _named(function: Any, *fields: Any) -> Any:
    return type(function(np.zeros(0)))(*fields)


@implements(np.unique_values)
def unique_values(x: Any, /) -> Any:
    return unique(x, equal_nan=False)


@implements(np.unique_counts)
def unique_counts(x: Any, /) -> Any:
    return _named(np.unique_counts, *unique(x, return_counts=True, equal_nan=False))


@implements(np.unique_inverse)
def unique_inverse(x: Any, /) -> Any:
    return _named(np.unique_inverse, *unique(x, return_inverse=True, equal_nan=False))


@implements(np.unique_all)
def unique_all(x: Any, /) -> Any:
    return _named(
        np.unique_all, *unique(x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False)
    )
