"""Reading and its transpose, writing into zeros: basic indices (slices, integers, newaxis) and index arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.cotangents import Scatter
from ..core.primitive import Sample
from ..core.tracer import Tracer
from ..core.values import Aval, Shape
from .families import linear
from .samples import draw, sample

__all__ = [
    "gather_p", "places_lower", "scatter_p", "slice_p", "slice_transpose", "sliced_shape", "taken_at", "taken_from",
    "unslice_p",
]  # fmt: skip

_ALL = slice(None)


def _axes(index: Sequence[Any], shape: Shape) -> list[tuple[int, int, int]]:
    """For each axis of an array of `shape` where a basic index begins, its step, and how many it takes (0: one)."""
    parts = [k for k in index if k is not None]
    if Ellipsis in parts:
        k = parts.index(Ellipsis)
        parts[k : k + 1] = [_ALL] * (len(shape) - len(parts) + 1)
    parts += [_ALL] * (len(shape) - len(parts))
    out = []
    for part, n in zip(parts, shape, strict=True):
        if isinstance(part, slice):
            places = range(*part.indices(n))
            out.append((places.start, places.step, len(places) or -1))
        else:
            out.append((int(part) % n, 1, 0))
    return out


def _kept(index: Sequence[Any], rank: int) -> list[int]:
    """The axes of the result of a basic index that are not new, for an array of `rank` axes."""
    parts = list(index)
    named = sum(k is not None and k is not Ellipsis for k in parts)
    if Ellipsis in parts:
        k = parts.index(Ellipsis)
        parts[k : k + 1] = [_ALL] * (rank - named)
    else:
        parts += [_ALL] * (rank - named)
    left = [k for k in parts if k is None or isinstance(k, slice)]
    return [i for i, k in enumerate(left) if k is not None]


def taken_from(index: Sequence[Any], shape: Shape, i: Sequence[Any]) -> list[Any]:
    """Where in an array of `shape` the element `i` of what a basic index takes from it stands (compiler)."""
    left = iter([i[k] for k in _kept(index, len(shape))])
    return [start + step * next(left) if count else start for start, step, count in _axes(index, shape)]


def taken_at(b: Any, index: Sequence[Any], shape: Shape, i: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Conditions (at least zero) for element `i` to be among those a basic index takes, and where it is then."""
    conditions, place = [], [0] * len([k for k in index if k is None])
    for k, (start, step, count) in zip(i, _axes(index, shape), strict=True):
        if not count:
            conditions += [k - start, start - k]
            continue
        q, rest = b.divide((k - start) * (1 if step > 0 else -1), abs(step))
        conditions += [q, count - 1 - q, -rest]
        place.append(q)
    kept, full = _kept(index, len(shape)), [0] * len(place)
    for position, q in zip(kept, place[len(place) - len(kept) :], strict=True):
        full[position] = q
    return conditions, full


def _slice_lower(b: Any, x: Any, *, index: Any) -> Any:
    return b.map(lambda *i: x(*taken_from(index, x.shape, i)), cost=0)


def _unslice_lower(b: Any, v: Any, *, index: Any, shape: Any) -> Any:
    def element(*i: Any) -> Any:
        conditions, place = taken_at(b, index, shape, i)
        return b.inside(conditions, lambda: v(*place), b.zero)

    return b.map(element, cost=0)


def _gather_lower(b: Any, x: Any, *indices: Any, unique: bool) -> Any:
    rank = len(b.out.shape) - x.ndim + len(indices)
    for axis, k in enumerate(indices):
        b.check(k, x.shape[axis], axis)

    def element(*i: Any) -> Any:
        return x(*[b.place(k.broadcast(i[:rank]), n) for k, n in zip(indices, x.shape, strict=False)], *i[rank:])

    return b.map(element, cost=1)


def places_lower(b: Any, v: Any, indices: Any, old: Any, unique: bool, adds: bool) -> Any:
    """The definition of writing `v` to the places `indices` of `old` (compiler)."""
    shape = b.out.shape
    spots = np.broadcast_shapes(*[k.shape for k in indices])
    rank = len(spots)
    extent = (*spots, *shape[len(indices) :])
    for axis, k in enumerate(indices):
        b.check(k, shape[axis], axis)

    def place(*r: Any) -> Any:
        return [b.place(k.broadcast(r[:rank]), n) for k, n in zip(indices, shape, strict=False)] + list(r[rank:])

    return b.update(old, extent, place, lambda *r: b.convert(v.broadcast(r)), adds=adds, distinct=unique)


# --- basic indices ----------------------------------------------------------------------------------------------------


def _unslice(v: Any, *, index: tuple[Any, ...], shape: Shape) -> Any:
    out = np.zeros(shape, v.dtype)
    out[index] = v
    return out


def slice_transpose(ct: Any, x: Any, *, index: tuple[Any, ...]) -> Any:
    shape = x.shape
    return Scatter(index, ct, shape, True, lambda: unslice_p(ct, index=index, shape=shape))


def sliced_shape(shape: Shape, index: tuple[Any, ...]) -> Shape:
    return np.broadcast_to(np.empty(()), shape)[index].shape


_BASIC: list[tuple[Shape, tuple[Any, ...]]] = [
    ((4,), (1,)),
    ((4,), (slice(1, 3),)),
    ((5,), (slice(None, None, -2),)),
    ((2, 3), (_ALL, -1)),
    ((2, 3), (None, slice(0, 1), slice(2, 0, -1))),
    ((2, 3), (1, 2)),
    ((3,), (slice(0, 0),)),
]

slice_p = linear(
    "slice",
    lambda x, *, index: x[index],
    transpose=slice_transpose,
    lower=_slice_lower,
    aval=lambda x, *, index: Aval(sliced_shape(x.shape, index), x.dtype),
    batch=lambda trace, args, batched, *, index: slice_p(args[0], index=(_ALL, *index)),
    samples=[
        *[sample(draw(s), index=i, label=f"{list(s)}{i}") for s, i in _BASIC],
        sample(draw((4,), np.float32), index=(slice(1, None),)),
        sample(draw((4,), complex), index=(slice(1, None, 2),)),
        sample(draw((1,)), index=(0,), label="[1]"),
        sample(draw((0, 2)), index=(_ALL, 1), label="empty"),
    ],
)

unslice_p = linear(
    "unslice",
    _unslice,
    transpose=lambda ct, v, *, index, shape: ct[index],
    lower=_unslice_lower,
    aval=lambda v, *, index, shape: Aval(shape, v.dtype),
    batch=lambda trace, args, batched, *, index, shape: unslice_p(
        args[0], index=(_ALL, *index), shape=(trace.size, *shape)
    ),
    samples=[
        *[sample(draw(sliced_shape(s, i)), index=i, shape=s, label=f"{list(s)}{i}") for s, i in _BASIC],
        sample(draw((2,), complex), index=(slice(1, None, 2),), shape=(4,)),
        sample(draw((2,), np.float32), index=(slice(1, 3),), shape=(4,), label="float32"),
    ],
)


# --- index arrays -----------------------------------------------------------------------------------------------------
# gather: x[i, j, …] with index arrays on the leading axes of x; scatter: zeros, then out[i, j, …] += v.


def _scatter(v: Any, *indices: Any, shape: Shape, unique: bool) -> Any:
    out = np.zeros(shape, v.dtype)
    if unique:
        out[indices] = v
    else:
        np.add.at(out, indices, v)
    return out


def _gather_transpose(ct: Any, x: Any, *indices: Any, unique: bool) -> Any:
    shape = x.shape
    if any(isinstance(i, Tracer) for i in indices):
        return scatter_p(ct, *indices, shape=shape, unique=unique)
    return Scatter(indices, ct, shape, unique, lambda: scatter_p(ct, *indices, shape=shape, unique=unique))


def _index_shape(indices: Sequence[Any]) -> Shape:
    return np.broadcast_shapes(*[np.shape(i) for i in indices])


def _lanes(trace: Any, indices: Sequence[Any], batched: Sequence[bool]) -> list[Any]:
    """Index arrays for a batch: one for the batch axis itself, and the others lined up behind it."""
    rank = max(np.ndim(i) - b for i, b in zip(indices, batched, strict=True))
    lanes = np.arange(trace.size).reshape((trace.size,) + (1,) * rank)
    out = [lanes]
    for i, b in zip(indices, batched, strict=True):
        out.append(i.reshape((trace.size,) + (1,) * (rank + 1 - np.ndim(i)) + i.shape[1:]) if b else i)
    return out


def _gather_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, unique: bool) -> Any:
    x, *indices = args
    if not batched[0]:
        rank = max(np.ndim(i) - b for i, b in zip(indices, batched[1:], strict=True))
        lined_up = [
            i.reshape((trace.size,) + (1,) * (rank + 1 - np.ndim(i)) + i.shape[1:]) if b else i
            for i, b in zip(indices, batched[1:], strict=True)
        ]
        return gather_p(x, *lined_up, unique=False)
    return gather_p(x, *_lanes(trace, indices, batched[1:]), unique=unique)


def _scatter_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, shape: Shape, unique: bool) -> Any:
    v, *indices = args
    if not batched[0]:
        v = np.broadcast_to(v, (trace.size, *np.shape(v)))
    return scatter_p(v, *_lanes(trace, indices, batched[1:]), shape=(trace.size, *shape), unique=unique)


_GATHER: list[tuple[Shape, tuple[Any, ...]]] = [
    ((4,), (np.array([0, 2, 2]),)),
    ((4, 2), (np.array([[3, 0], [1, 1]]),)),
    ((3, 4), (np.array([0, 2]), np.array([1, -1]))),
    ((3, 4), (np.array([[0], [2]]), np.array([1, 3]))),
    ((3, 2), (np.array([], dtype=int),)),
]


def _scatter_samples() -> list[Sample]:
    out = []
    for shape, indices in _GATHER:
        v = draw(_index_shape(indices) + shape[len(indices) :])
        out.append(sample(v, *indices, shape=shape, unique=False, label=f"{list(shape)}"))
    v = draw((2,), np.float32)
    return [*out, sample(v, np.array([1, 1]), shape=(3,), unique=False, label="float32")]


gather_p = linear(
    "gather",
    lambda x, *indices, unique: x[indices],
    transpose=_gather_transpose,
    lower=_gather_lower,
    aval=lambda x, *indices, unique: Aval(
        np.broadcast_shapes(*[i.shape for i in indices]) + x.shape[len(indices) :], x.dtype
    ),
    batch=_gather_batch,
    samples=[
        *[sample(draw(s), *i, unique=False, label=f"{list(s)}") for s, i in _GATHER],
        sample(draw((4,), complex), np.array([1, 3]), unique=True),
        sample(draw((4,), np.float32), np.array([1, 3]), unique=True),
        sample(draw((1,)), np.array([0]), unique=True, label="[1]"),
    ],
)

scatter_p = linear(
    "scatter",
    _scatter,
    transpose=lambda ct, v, *indices, shape, unique: gather_p(ct, *indices, unique=unique),
    lower=lambda b, v, *indices, shape, unique: places_lower(b, v, indices, None, unique, not unique),
    aval=lambda v, *indices, shape, unique: Aval(shape, v.dtype),
    batch=_scatter_batch,
    samples=_scatter_samples(),
)
