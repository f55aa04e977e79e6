"""Operations that only move elements: reshape, permute axes, broadcast, concatenate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.primitive import Primitive, bind
from ..core.tracer import Tracer
from ..core.values import Aval, Shape
from .families import linear
from .samples import draw, sample

__all__ = ["broadcast_axes", "broadcast_p", "concat_p", "reshape_p", "transpose_p"]


# --- reshape ----------------------------------------------------------------------------------------------------------

reshape_p = linear(
    "reshape",
    lambda x, *, shape: np.reshape(x, shape),
    transpose=lambda ct, x, *, shape: ct.reshape(x.shape),
    lower=lambda b, x, *, shape: b.map(
        lambda *i: x(*b.reshaped(i, shape, x.shape)),
        cost=0,
        pieces=[(x, lambda i: b.reshaped(i, x.shape, shape))],
    ),
    aval=lambda x, *, shape: Aval(shape, x.dtype),
    batch=lambda trace, args, batched, *, shape: reshape_p(args[0], shape=(trace.size, *shape)),
    samples=[
        sample(draw((6,)), shape=(2, 3)),
        sample(draw((2, 3), np.float32), shape=(3, 2)),
        sample(draw((1,), complex), shape=()),
        sample(draw(()), shape=(1, 1)),
        sample(draw((0, 2)), shape=(3, 0)),
    ],
    numpy=(np.reshape, np.ravel),
)


# --- transpose --------------------------------------------------------------------------------------------------------


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


transpose_p = linear(
    "transpose",
    lambda x, *, axes: x.transpose(axes),
    transpose=lambda ct, x, *, axes: transpose_p(ct, axes=_inverse(axes)),
    lower=lambda b, x, *, axes: b.map(lambda *i: x(*[i[k] for k in _inverse(axes)]), cost=0),
    aval=lambda x, *, axes: Aval(tuple(x.shape[i] for i in axes), x.dtype),
    batch=lambda trace, args, batched, *, axes: transpose_p(args[0], axes=(0, *(i + 1 for i in axes))),
    samples=[
        sample(draw((2, 3)), axes=(1, 0)),
        sample(draw((2, 3, 4), np.float32), axes=(2, 0, 1)),
        sample(draw((3,), complex), axes=(0,)),
        sample(draw((0, 2)), axes=(1, 0)),
    ],
    numpy=(np.transpose,),
)


# --- broadcast --------------------------------------------------------------------------------------------------------


def _broadcast(x: Any, *, shape: Shape, axes: tuple[int, ...]) -> Any:
    """Place the axes of `x` at positions `axes` of `shape` and repeat it along the others: a view with zero strides."""
    x = np.asarray(x)
    strides = [0] * len(shape)
    for axis, n, stride in zip(axes, x.shape, x.strides, strict=True):
        if n != 1:
            strides[axis] = stride
    if not math.prod(shape):
        return np.empty(shape, x.dtype)
    view = np.ndarray(shape, x.dtype, x, 0, tuple(strides)) if x.flags.c_contiguous else _strided(x, shape, axes)
    view.flags.writeable = False
    return view


def _strided(x: Any, shape: Shape, axes: tuple[int, ...]) -> Any:
    full = tuple(x.shape[axes.index(i)] if i in axes else 1 for i in range(len(shape)))
    return np.broadcast_to(x.reshape(full), shape)


def _sum_broadcast(ct: Any, x: Any, *, shape: Shape, axes: tuple[int, ...]) -> Any:
    summed = tuple(i for i in range(len(shape)) if i not in axes or (x.shape[axes.index(i)] == 1 and shape[i] != 1))
    return ct.sum(axis=summed).reshape(x.shape) if summed else ct


broadcast_p = linear(
    "broadcast",
    _broadcast,
    transpose=_sum_broadcast,
    lower=lambda b, x, *, shape, axes: b.map(
        lambda *i: x(*[0 if n == 1 else i[k] for k, n in zip(axes, x.shape, strict=True)]), cost=0
    ),
    aval=lambda x, *, shape, axes: Aval(shape, x.dtype),
    batch=lambda trace, args, batched, *, shape, axes: broadcast_p(
        args[0], shape=(trace.size, *shape), axes=(0, *(i + 1 for i in axes))
    ),
    samples=[
        sample(draw(()), shape=(2, 3), axes=()),
        sample(draw((3,)), shape=(2, 3), axes=(1,)),
        sample(draw((2,), np.float32), shape=(2, 3), axes=(0,)),
        sample(draw((2, 1), complex), shape=(2, 3), axes=(0, 1)),
        sample(draw((1,)), shape=(0, 2), axes=(1,)),
        sample(draw((0,)), shape=(2, 0), axes=(1,)),
    ],
    numpy=(np.broadcast_to,),
)


def broadcast_axes(x: Any, shape: Shape, axis: tuple[int, ...]) -> Any:
    """Put back the axes `axis` of `shape` that a reduction to `x` removed: the transpose of a sum."""
    if len(axis) == len(shape) and type(x) is not np.ndarray and not isinstance(x, Tracer):
        # A number for every element: zero strides, without the detour through axes.
        return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape)) if 0 not in shape else np.empty(shape, x.dtype)
    axes = tuple([i for i in range(len(shape)) if i not in axis])
    if isinstance(x, Tracer):
        return bind(broadcast_p, (x,), {"shape": shape, "axes": axes})
    return _broadcast(x, shape=shape, axes=axes)


# --- concatenate ------------------------------------------------------------------------------------------------------


def _concat_jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, *, axis: int) -> Any:
    if all(t is None for t in tangents):
        return None
    parts = [np.zeros(x.shape, x.dtype) if t is None else t for x, t in zip(args, tangents, strict=True)]
    return concat_p(*parts, axis=axis)


def _concat_vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any], *, axis: int) -> list[Any]:
    cts: list[Any] = []
    before = (slice(None),) * axis
    start = 0
    for want, x in zip(wanted, args, strict=True):
        stop = start + x.shape[axis]
        cts.append(ct[(*before, slice(start, stop))] if want else None)
        start = stop
    return cts


def _concat_aval(*avals: Aval, axis: int) -> Aval:
    first = avals[0].shape
    for a in avals:
        if a.shape[:axis] != first[:axis] or a.shape[axis + 1 :] != first[axis + 1 :]:
            raise ValueError(f"cannot concatenate arrays of shapes {[a.shape for a in avals]} along axis {axis}")
    length = sum(a.shape[axis] for a in avals)
    return Aval((*first[:axis], length, *first[axis + 1 :]), np.result_type(*[a.dtype for a in avals]))


def _concat_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, axis: int) -> Any:
    lanes = [x if b else np.broadcast_to(x, (trace.size, *x.shape)) for x, b in zip(args, batched, strict=True)]
    return concat_p(*lanes, axis=axis + 1)


def _concat_lower(b: Any, *xs: Any, axis: int) -> Any:
    starts = [sum([x.shape[axis] for x in xs[:k]]) for k in range(len(xs))]

    def element(i: Any, k: int) -> Any:
        own = lambda: b.convert(xs[k](*i[:axis], i[axis] - starts[k], *i[axis + 1 :]))
        return own() if k == 0 else b.inside([i[axis] - starts[k]], own, lambda: element(i, k - 1))

    def place(start: int) -> Any:
        return lambda i: [*i[:axis], i[axis] + start, *i[axis + 1 :]]

    pieces = [(x, place(start)) for x, start in zip(xs, starts, strict=True)]
    return b.map(lambda *i: element(i, len(xs) - 1), cost=0, pieces=pieces)


# Linear in all of its arguments, however many there are.
concat_p = Primitive(
    "concat",
    lambda *xs, axis: np.concatenate(xs, axis),
    _concat_aval,
    _concat_jvp,
    _concat_vjp,
    _concat_batch,
    sparsity="moves",
    samples=[
        sample(draw((2,)), draw((3,), key="b"), axis=0),
        sample(draw((2, 1)), draw((2, 3), np.float32), draw((2, 0)), axis=1),
        sample(draw((2,), complex), draw((1,)), axis=0, label="complex,real"),
        sample(draw((3,), np.float32), draw((2,), np.float32, key="b"), axis=0),
        sample(draw((1,)), axis=0),
    ],
    lower=_concat_lower,
    family="concat",
    keeps=False,
    keeps_out=False,
    numpy=(np.concatenate, np.stack),
)
