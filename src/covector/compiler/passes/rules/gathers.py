"""Rules about index arrays known at compile time: evenly spaced ones are slices, few runs of them are several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.graph import Var
from ....core.values import Aval, Shape
from ..places import Selection, index_of, selected_shape
from .arithmetic import Inputs, Params

if TYPE_CHECKING:
    from ..simplify import Builder

_RUNS = 4
"""Slices that a gather may be made of."""

_KNOWN = 1 << 16
"""Positions up to which two sets of them are compared."""


def basic_index(b: Builder, indices: Sequence[Any], shape: Shape) -> Selection | None:
    """The selection that constant index arrays make, if each is an arithmetic progression along its own axis."""
    arrays = []
    for i in indices:
        if type(i) is Var or not isinstance(i, int | np.integer | np.ndarray):
            return None
        arrays.append(np.asarray(i))
    rank = max([a.ndim for a in arrays])
    sel: Selection = []
    last = -1
    for a, n in zip(arrays, shape, strict=False):
        entry = _progression(a, n)
        if entry is None:
            return None
        if type(entry) is range:
            (axis,) = (k + rank - a.ndim for k, m in enumerate(a.shape) if m != 1)
            if axis <= last:
                return None
            last = axis
        sel.append(entry)
    return [*sel, *[range(n) for n in shape[len(arrays) :]]]


def _progression(a: Any, n: int) -> int | range | None:
    """The positions in `a` along an axis of length `n`, if it varies along one axis only and evenly."""
    if a.dtype.kind not in "iu" or not a.size or sum(m != 1 for m in a.shape) > 1:
        return None
    flat = a.reshape(-1)
    first, final = int(flat[0]), int(flat[-1])
    if not -n <= first < n or not -n <= final < n:
        return None
    if flat.size == 1:
        return first % n
    step = int(flat[1]) - first
    if step == 0 or first + step * (flat.size - 1) != final or (first < 0) != (final < 0):
        return None
    if not bool((np.diff(flat.astype(np.int64)) == step).all()):
        return None
    first %= n
    return range(first, first + step * flat.size, step)


def gather_is_slice(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    x, *indices = inputs
    sel = basic_index(b, indices, b.aval(x).shape)
    if sel is None:
        return None
    return b.emit("reshape", b.emit("slice", x, index=index_of(sel, b.aval(x).shape)), shape=out.shape)


def gather_is_slices(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """All but one index array are evenly spaced, and that one is in a few runs."""
    x, *indices = inputs
    if any(type(k) is Var or not isinstance(k, np.ndarray | int | np.integer) for k in indices):
        return None
    arrays = [np.asarray(k) for k in indices]
    shape = b.aval(x).shape
    uneven = [k for k, a in enumerate(arrays) if _progression(a, shape[k]) is None]
    if len(uneven) != 1:
        return None
    a = arrays[uneven[0]]
    n = shape[uneven[0]]
    if a.dtype.kind not in "iu" or not a.size or sum(m != 1 for m in a.shape) != 1 or a.min() < -n or a.max() >= n:
        return None
    (own,) = (k for k, m in enumerate(a.shape) if m != 1)
    stops = _runs(a.reshape(-1) % n)
    axis = own + max(k.ndim for k in arrays) - a.ndim
    k = uneven[0]
    even = [*arrays[:k], np.arange(a.size).reshape(a.shape), *arrays[k + 1 :]]
    if len(stops) > _RUNS or basic_index(b, even, (*shape[:k], a.size, *shape[k + 1 :])) is None:
        return None
    parts = []
    for start, stop in zip([0, *stops], stops, strict=False):
        piece = b.constant(np.take(a % n, range(start, stop), own), index=True)
        parts.append(b.emit("gather", x, *indices[: uneven[0]], piece, *indices[uneven[0] + 1 :], **params))
    return b.emit("concat", *parts, axis=axis)


def _runs(flat: Any) -> list[int]:
    """Where the longest evenly spaced runs end, taken from the left."""
    stops: list[int] = []
    start = 0
    while start < flat.size and len(stops) <= _RUNS:
        steps = np.diff(flat[start:])
        breaks = np.flatnonzero(steps != steps[0]) if steps.size and steps[0] != 0 else np.zeros(1, int)
        start = start + int(breaks[0]) + 1 if steps.size and breaks.size else flat.size
        stops.append(start)
    return stops


def gather_of_put(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """What was put at these places, or what was at others before."""
    x, *indices = inputs
    eq = b.maker(x, "put")
    if eq is None:
        return None
    old, v, *places = eq.inputs
    shape = b.aval(x).shape
    if len(places) != len(indices) or b.aval(old).shape != shape:
        return None
    here, there = _positions(b, indices, shape), _positions(b, places, shape)
    if here is None or there is None:
        return None
    if eq.params["unique"] and here.shape == there.shape and bool((here == there).all()):
        return b.like(v, out)
    return None if np.intersect1d(here, there).size else b.emit("gather", old, *indices, **params)


def _positions(b: Builder, indices: Sequence[Any], shape: Shape) -> Any:
    """The places that constant index arrays name, counted along the flattened leading axes."""
    if any(type(k) is Var or not isinstance(k, np.ndarray | int | np.integer) for k in indices):
        return None
    arrays = np.broadcast_arrays(*indices)
    dims = shape[: len(arrays)]
    if not 0 < arrays[0].size <= _KNOWN:
        return None
    if any((k < -n).any() or (k >= n).any() for k, n in zip(arrays, dims, strict=True)):
        return None
    return np.ravel_multi_index(tuple([k % n for k, n in zip(arrays, dims, strict=True)]), dims)


def scatter_is_unslice(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    v, *indices = inputs
    sel = basic_index(b, indices, out.shape)
    if sel is None or math.prod(b.aval(v).shape) != math.prod(selected_shape(sel)):
        return None
    v = b.emit("reshape", v, shape=selected_shape(sel))
    return b.emit("unslice", v, index=index_of(sel, out.shape), shape=out.shape)


def put_is_write(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    x, v, *indices = inputs
    placed = _placed(b, out, v, indices)
    return None if placed is None else b.emit("write", x, placed[0], index=placed[1])


def add_at_is_write(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    x, v, *indices = inputs
    placed = _placed(b, out, v, indices) if b.aval(v).dtype == out.dtype else None
    if placed is None:
        return None
    v, index = placed
    return b.emit("write", x, b.emit("add", b.emit("slice", x, index=index), v), index=index)


def _placed(b: Builder, out: Aval, v: Any, indices: Sequence[Any]) -> tuple[Any, tuple[Any, ...]] | None:
    sel = basic_index(b, indices, out.shape)
    if sel is None:
        return None
    shape = np.broadcast_shapes(*[b.aval(i).shape for i in indices]) + out.shape[len(indices) :]
    v = b.emit("reshape", b.like(v, Aval(shape, out.dtype)), shape=selected_shape(sel))
    return v, index_of(sel, out.shape)
