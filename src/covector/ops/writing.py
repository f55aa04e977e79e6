"""Assigning to elements, as functions of the old array and the values: what ``x[i] = v`` is to the transforms.

The array of results is new; `core.mutation` lets a primitive change the old one instead where nobody else sees it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.primitive import Primitive, Rule
from ..core.protect import same_layout
from ..core.tracer import Tracer
from ..core.values import Aval, Shape, shape_of
from .families import linear
from .indexing import gather_p, places_lower, slice_p, slice_transpose, sliced_shape, taken_at, taken_from
from .samples import draw, sample

__all__ = ["WritePrimitive", "add_at_p", "put_p", "read_p", "write_p"]

_ALL = slice(None)


def _nothing(*_: Any, **__: Any) -> Any:
    raise NotImplementedError


@dataclass(eq=False, slots=True, repr=False)
class WritePrimitive(Primitive):
    """A primitive ``(x, v, *indices)`` whose result is `x` with `v` at some places.

    Attributes
    ----------
    update : callable
        ``update(x, v, *indices, **params)`` writes to the plain array `x` in place.
    read : callable
        ``read(ct, v, *indices, **params)``: the cotangent of `v` from that of the result; never a view of `ct`.
    lanes : callable
        ``lanes(trace, shape, (v, *indices), batched, **params) -> (args, params)``: the same write for a whole batch
        of arrays of `shape`.
    adds : bool
        Whether it adds to what is there, else it replaces it.
    """

    update: Rule = _nothing
    read: Rule = _nothing
    lanes: Rule = _nothing
    adds: bool = False


def _declare(
    name: str, update: Rule, read: Rule, lanes: Rule, samples: Sequence[Any], lower: Rule, adds: bool = False
) -> Any:
    def impl(x: Any, v: Any, *indices: Any, **params: Any) -> Any:
        out = np.array(x)
        update(out, v, *indices, **params)
        return out

    def jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, **params: Any) -> Any:
        x, v, *indices = args
        tx, tv, *_ = tangents
        if tx is None and tv is None:
            return None
        if tv is None:
            if adds:
                return tx
            tv = np.zeros(shape_of(v), x.dtype)
        return primitive(np.zeros(x.shape, x.dtype) if tx is None else tx, tv, *indices, **params)

    def vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any], **params: Any) -> list[Any]:
        _, v, *indices = args
        left: Any = None
        if wanted[0]:
            left = ct if adds else primitive(ct, np.zeros(shape_of(v), ct.dtype), *indices, **params)
        return [left, read(ct, v, *indices, **params) if wanted[1] else None] + [None] * len(indices)

    def batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], **params: Any) -> Any:
        x = args[0] if batched[0] else np.broadcast_to(args[0], (trace.size, *args[0].shape))
        rest, params = lanes(trace, x.shape[1:], args[1:], batched[1:], **params)
        return primitive(x, *rest, **params)

    primitive = WritePrimitive(
        name,
        impl,
        lambda x, v, *indices, **params: Aval(x.shape, x.dtype),
        jvp,
        vjp,
        batch,
        lower=lower,
        sparsity="moves",
        samples=samples,
        family="write",
        keeps=False,
        keeps_out=False,
        lean=True,
        writes=True,
        update=update,
        read=read,
        lanes=lanes,
        adds=adds,
    )
    return primitive


# --- reading from an array that is written to -------------------------------------------------------------------------


# Like `slice`, but never a view: the array that was read from stays free to be changed in place.
def _read(x: Any, *, index: tuple[Any, ...]) -> Any:
    out = x[index]
    if type(out) is not np.ndarray:
        return out
    # BLAS and sums round differently where elements have gaps between them; a copy keeps those that cost little.
    near = out.flags.forc or sum((n - 1) * abs(s) for n, s in zip(out.shape, out.strides, strict=True)) > 2 * out.nbytes
    return out.copy("K") if near else same_layout(out)


read_p = linear(
    "read",
    _read,
    transpose=slice_transpose,
    lower=slice_p.lower,
    aval=slice_p.aval,
    batch=lambda trace, args, batched, *, index: read_p(args[0], index=(_ALL, *index)),
    lean=True,
    samples=[
        sample(draw((4,)), index=(1,)),
        sample(draw((4,), complex), index=(slice(1, 3),)),
        sample(draw((2, 3), np.float32), index=(_ALL, -1)),
        sample(draw((0, 2)), index=(_ALL, 1), label="empty"),
        sample(draw((1,)), index=(0,), label="[1]"),
    ],
)


# --- basic indices ----------------------------------------------------------------------------------------------------


def _write(x: Any, v: Any, *, index: tuple[Any, ...]) -> None:
    x[index] = v


def _with_axes(v: Any, rank: int) -> Any:
    """Return `v` with `rank` axes, the new ones in front, so that a batch of it lines up with a batch of places.

    A plain value needs none, because it never gets a batch.
    """
    shape = shape_of(v)
    return np.reshape(v, (1,) * (rank - len(shape)) + shape) if isinstance(v, Tracer) else v


def _write_lanes(
    trace: Any, shape: Shape, args: Sequence[Any], batched: Sequence[bool], *, index: Any
) -> tuple[Any, Any]:
    (v,) = args
    if not batched[0] and isinstance(v, Tracer):
        v = _with_axes(v, len(sliced_shape(shape, index)) + 1)
    return (v,), {"index": (_ALL, *index)}


_FEW = 8  # a write to less than one element in so many is done in place rather than by passing over the array


def _write_lower(b: Any, x: Any, v: Any, *, index: Any) -> Any:
    extent = sliced_shape(x.shape, index)
    if x.size > 64 and _FEW * math.prod(extent) <= x.size:
        place = lambda *r: taken_from(index, x.shape, r)
        return b.update(x, extent, place, lambda *r: b.convert(v.broadcast(r)), adds=False, distinct=True)

    def element(*i: Any) -> Any:
        conditions, place = taken_at(b, index, x.shape, i)
        return b.inside(conditions, lambda: b.convert(v.broadcast(place)), lambda: x(*i))

    return b.map(element, cost=0)


write_p = _declare(
    "write",
    _write,
    lambda ct, v, *, index: read_p(ct, index=index),
    _write_lanes,
    [
        sample(draw((4,)), draw((), key="v"), index=(1,)),
        sample(draw((4,)), draw((2,), key="v"), index=(slice(1, 3),)),
        sample(draw((3, 2), np.float32), draw((1, 2), np.float32, key="v"), index=(slice(None, None, 2),)),
        sample(draw((2, 3), complex), draw((2,), complex, key="v"), index=(_ALL, -1)),
        sample(draw((3,)), draw((0,), key="v"), index=(slice(0, 0),), label="empty"),
        sample(draw((1,)), draw((), key="v"), index=(0,), label="[1]"),
    ],
    _write_lower,
)


# --- index arrays, one for each axis ----------------------------------------------------------------------------------


def _put(x: Any, v: Any, *indices: Any, unique: bool) -> None:
    x[indices] = v


def _winners(v: Any, indices: Sequence[Any], shape: tuple[int, ...]) -> Any:
    """Which of the values assigned to the same place is the last, which stays."""
    places = np.broadcast_shapes(*[shape_of(i) for i in indices])
    order = np.arange(1, int(np.prod(places)) + 1).reshape(places)
    last = put_p(np.zeros(shape, order.dtype), order, *indices, unique=True)
    return np.equal(gather_p(last, *indices, unique=False), order)


def _put_read(ct: Any, v: Any, *indices: Any, unique: bool) -> Any:
    out = gather_p(ct, *indices, unique=unique)
    return out if unique else np.where(_winners(v, indices, ct.shape), out, ct.dtype.type(0))


def _add_at(x: Any, v: Any, *indices: Any, unique: bool) -> None:
    if unique:
        x[indices] += v
    else:
        np.add.at(x, indices, v)


def _put_lanes(
    trace: Any, shape: Shape, args: Sequence[Any], batched: Sequence[bool], *, unique: bool
) -> tuple[Any, Any]:
    v, *indices = args
    rank = max(len(shape_of(i)) - b for i, b in zip(indices, batched[1:], strict=True))
    if not batched[0]:
        v = _with_axes(v, rank + 1)
    lanes = np.arange(trace.size).reshape((trace.size,) + (1,) * rank)
    spread = [
        i.reshape((trace.size,) + (1,) * (rank + 1 - len(shape_of(i))) + i.shape[1:]) if b else i
        for i, b in zip(indices, batched[1:], strict=True)
    ]
    return (v, lanes, *spread), {"unique": unique}


_PLACES: list[tuple[tuple[int, ...], tuple[Any, ...], bool]] = [
    ((4,), (np.array([0, 2]),), True),
    ((4,), (np.array([0, 2, 2]),), False),
    ((3, 4), (np.array([[0], [2]]), np.array([1, 3])), True),
    ((3, 2), (np.array([1, 1, 0]), np.array([0, 0, 1])), False),
    ((3,), (np.array([], dtype=int),), True),
]


def _samples(dtype: Any = float) -> list[Any]:
    out = [sample(draw((1,), dtype), draw((1,), dtype, key="v"), np.array([0]), unique=True, label="[1]")]
    for shape, indices, unique in _PLACES:
        places = np.broadcast_shapes(*[i.shape for i in indices])
        x, v = draw(shape, dtype), draw(places, dtype, key="v")
        out.append(sample(x, v, *indices, unique=unique, label=f"{list(shape)}{unique}"))
    return out


_TWO = np.array([1, 1])

put_p = _declare(
    "put",
    _put,
    _put_read,
    _put_lanes,
    [*_samples(), sample(draw((3,), np.float32), draw((2,), np.float32, key="v"), _TWO, unique=False)],
    lambda b, x, v, *indices, unique: places_lower(b, v, indices, x, unique, False),
)

add_at_p = _declare(
    "add_at",
    _add_at,
    lambda ct, v, *indices, unique: gather_p(ct, *indices, unique=unique),
    _put_lanes,
    [*_samples(complex), sample(draw((3,), np.float32), draw((2,), np.float32, key="v"), _TWO, unique=False)],
    lambda b, x, v, *indices, unique: places_lower(b, v, indices, x, unique, True),
    adds=True,
)
