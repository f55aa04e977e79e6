"""Running sums and products, and the linear recurrence that is the derivative of the latter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.cotangents import unbroadcast
from ..core.primitive import Primitive, bind
from ..core.values import Aval
from .families import like, linear
from .indexing import unslice_p
from .samples import draw, sample

__all__ = ["cumsum_p", "exclusive_cumprod_p", "recurrence_p"]

_ALL = slice(None)


# --- cumulative sum ---------------------------------------------------------------------------------------------------


def _cumsum(x: Any, *, axis: int, reverse: bool) -> Any:
    if not reverse:
        return np.add.accumulate(x, axis=axis)
    backwards = (_ALL,) * axis + (slice(None, None, -1),)
    return np.add.accumulate(x[backwards], axis=axis)[backwards]


def _cumsum_lower(b: Any, x: Any, *, axis: int, reverse: bool) -> Any:
    own = lambda *i: b.convert(x(*i))
    return b.scan(axis, reverse, own, lambda last, *i: b.apply("add", last, own(*i)))


cumsum_p = linear(
    "cumsum",
    _cumsum,
    transpose=lambda ct, x, *, axis, reverse: cumsum_p(ct, axis=axis, reverse=not reverse),
    lower=_cumsum_lower,
    aval=lambda x, *, axis, reverse: Aval(x.shape, np.add.accumulate(np.zeros(1, x.dtype)).dtype),
    batch=lambda trace, args, batched, *, axis, reverse: cumsum_p(args[0], axis=axis + 1, reverse=reverse),
    samples=[
        sample(draw((4,)), axis=0, reverse=False),
        sample(draw((4,)), axis=0, reverse=True),
        sample(draw((2, 3), np.float32), axis=1, reverse=False),
        sample(draw((2, 3), complex), axis=0, reverse=True),
        sample(draw((0,)), axis=0, reverse=False),
    ],
    sparsity="contracted",
    numpy=(np.cumsum,),
)


# --- recurrence -------------------------------------------------------------------------------------------------------
# h[k] = b[k] + a[k−1] h[k−1] along the last axis (h[k] = b[k] + a[k] h[k+1] when reversed): the solution of the
# bidiagonal system (I − D) h = b with the n − 1 entries of `a` below (above) the diagonal of D. So
# dh = (I − D)⁻¹ (db + dD h), and the transpose of the inverse is the recurrence in the other direction.

_DIRECT = 256
"""Length up to which the recurrence runs step by step; longer ones run on blocks side by side."""


def _steps(a: Any, b: Any) -> Any:
    """h[k] = b[k] + a[k] h[k−1] along the first axis, with h[−1] = 0."""
    h = np.empty_like(b)
    h[:1] = b[:1]
    for k in range(1, len(b)):
        np.multiply(a[k], h[k - 1], out=h[k])
        h[k] += b[k]
    return h


def _blocks(a: Any, b: Any) -> Any:
    """`_steps` in √n blocks at once, each started at zero, whose true starting values are then carried through.

    Exact up to rounding as long as the product of √n consecutive factors neither overflows nor underflows.
    """
    n, width = b.shape
    size = math.isqrt(n) + 1
    count = -(-n // size)

    def columns(x: Any) -> Any:
        padded = np.zeros((count * size, width), x.dtype)
        padded[:n] = x
        return np.ascontiguousarray(padded.reshape(count, size, width).swapaxes(0, 1))

    a, b = columns(a), columns(b)
    h = _steps(a, b)
    factors = np.multiply.accumulate(a, axis=0)
    ends = _steps(factors[-1], h[-1])
    start = np.concatenate([np.zeros_like(ends[:1]), ends[:-1]])
    h += np.where(start == 0, h.dtype.type(0), factors * start)
    return h.swapaxes(0, 1).reshape(count * size, width)[:n]


def _recurrence(a: Any, b: Any, *, reverse: bool) -> Any:
    dtype = np.result_type(a, b)
    n = b.shape[-1]
    lanes = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    width = math.prod(lanes)
    if n == 0 or width == 0:
        return np.zeros((*lanes, n), dtype)
    step = -1 if reverse else 1
    rows_b = (
        np.moveaxis(np.broadcast_to(b, (*lanes, n))[..., ::step], -1, 0).reshape(n, width).astype(dtype, copy=False)
    )
    rows_a = np.zeros((n, width), dtype)
    rows_a[1:] = np.moveaxis(np.broadcast_to(a, (*lanes, n - 1))[..., ::step], -1, 0).reshape(n - 1, width)
    h = (_steps if n <= _DIRECT or width >= n else _blocks)(rows_a, rows_b)
    return np.moveaxis(h.reshape(n, *lanes), 0, -1)[..., ::step]


def _shifted_pair(reverse: bool) -> tuple[tuple[Any, slice], tuple[Any, slice]]:
    """The index of the elements that step k reads from, and of those it writes to."""
    first, last = (..., slice(None, -1)), (..., slice(1, None))
    return (last, first) if reverse else (first, last)


def _recurrence_jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, *, reverse: bool) -> Any:
    (a, _), (ta, tb) = args, tangents
    source, target = _shifted_pair(reverse)
    if ta is not None:
        through_a = unslice_p(ta * out[source], index=target, shape=out.shape)
        tb = through_a if tb is None else through_a + tb
    return None if tb is None else like(recurrence_p(a, tb, reverse=reverse), out)


def _recurrence_vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any], *, reverse: bool) -> list[Any]:
    a, b = args
    source, target = _shifted_pair(reverse)
    through = recurrence_p(a, ct, reverse=not reverse)
    return [
        unbroadcast(through[target] * out[source], a) if wanted[0] else None,
        unbroadcast(through, b) if wanted[1] else None,
    ]


def _recurrence_aval(a: Aval, b: Aval, *, reverse: bool) -> Aval:
    lanes = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    return Aval((*lanes, b.shape[-1]), np.result_type(a.dtype, b.dtype))


def _recurrence_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, reverse: bool) -> Any:
    rank = max(len(x.shape) - b for x, b in zip(args, batched, strict=True))
    lined_up = [
        x.reshape((trace.size,) + (1,) * (rank + 1 - len(x.shape)) + x.shape[1:]) if b else x
        for x, b in zip(args, batched, strict=True)
    ]
    return bind(recurrence_p, lined_up, {"reverse": reverse})


recurrence_p = Primitive(
    "recurrence",
    _recurrence,
    _recurrence_aval,
    _recurrence_jvp,
    _recurrence_vjp,
    _recurrence_batch,
    samples=[
        sample(draw((3,), key="a"), draw((4,), key="b"), reverse=False),
        sample(draw((3,), key="a"), draw((4,), key="b"), reverse=True),
        sample(draw((2, 2), np.float32, key="a"), draw((2, 3), np.float32, key="b"), reverse=False),
        sample(draw((1,), complex, key="a"), draw((2,), complex, key="b"), reverse=True),
        sample(draw((2,), key="a"), draw((2, 3), key="b"), reverse=False, label="shared factors"),
        sample(draw((0,), key="a"), draw((1,), key="b"), reverse=False),
    ],
    sparsity="contracted",
    family="recurrence",
    source="solution of a unit bidiagonal system, d(A⁻¹ b) = A⁻¹ (db − dA A⁻¹ b)",
)


# --- cumulative product -----------------------------------------------------------------------------------------------
# out[k] = Π_{j<k} x[j], out[0] = 1. The ordinary cumulative product is out · x.


def _exclusive_cumprod(x: Any) -> Any:
    out = np.empty_like(x)
    out[..., :1] = 1
    np.multiply.accumulate(x[..., :-1], axis=-1, out=out[..., 1:])
    return out


_FIRST, _LAST = (..., slice(None, -1)), (..., slice(1, None))


def _exclusive_jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
    (x,), (t,) = args, tangents
    if t is None:
        return None
    return recurrence_p(x[_FIRST], unslice_p((t * out)[_FIRST], index=_LAST, shape=x.shape), reverse=False)


def _exclusive_vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any]) -> list[Any]:
    (x,) = args
    through = recurrence_p(x[_FIRST], ct, reverse=True)
    return [unslice_p(through[_LAST], index=_FIRST, shape=x.shape) * out]


exclusive_cumprod_p = Primitive(
    "exclusive_cumprod",
    _exclusive_cumprod,
    lambda x: x,
    _exclusive_jvp,
    _exclusive_vjp,
    lambda trace, args, batched: exclusive_cumprod_p(args[0]),
    samples=[
        sample(draw((4,))),
        sample(np.array([2.0, 0.0, 3.0, 0.0, 1.5]), label="zeros"),
        sample(draw((2, 3), np.float32)),
        sample(draw((2, 2), complex)),
        sample(draw((1,))),
        sample(draw((0,))),
    ],
    sparsity="contracted",
    family="recurrence",
    source="dout[k] = x[k−1] dout[k−1] + out[k−1] dx[k−1]; exact with zeros, because nothing is divided",
    numpy=(np.cumprod,),
)
