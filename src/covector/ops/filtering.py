"""Convolution over several axes and recursive filters, the bilinear maps behind `covector.scipy.signal`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.cotangents import unbroadcast
from ..core.primitive import Primitive, bind
from ..core.values import Aval, Shape, dtype_of
from .families import like, multilinear
from .samples import deferred, draw, sample

__all__ = ["all_pole_p", "convolve_axes_p"]


# --- convolution ------------------------------------------------------------------------------------------------------
# out[k] = Σ_j a[k − j] v[j] over the last `rank` axes, for all k ("full") or those where v lies inside a ("valid").


def _backwards(x: Any, rank: int) -> Any:
    return x[(..., *(slice(None, None, -1),) * rank)]


def _shape(a: Shape, v: Shape, mode: str, rank: int) -> Shape:
    at = len(a) - rank
    lanes = np.broadcast_shapes(a[:at], v[: len(v) - rank])
    sign, extra = (1, -1) if mode == "full" else (-1, 1)
    return lanes + tuple(n + sign * m + extra for n, m in zip(a[at:], v[len(v) - rank :], strict=True))


def _convolve(a: Any, v: Any, *, mode: str, rank: int, method: str) -> Any:
    dtype = np.result_type(a, v)
    shape = _shape(a.shape, v.shape, mode, rank)
    if not a.size or not v.size or 0 in shape:
        return np.zeros(shape, dtype)
    if method == "direct":
        return _direct(a, v, mode, rank)
    from scipy import signal

    ndim = max(a.ndim, v.ndim)
    a, v = (x.reshape((1,) * (ndim - x.ndim) + x.shape) for x in (a, v))
    convolve = signal.oaconvolve if method == "overlap-add" else signal.fftconvolve
    return convolve(a, v, mode=mode, axes=tuple(range(ndim - rank, ndim))).astype(dtype, copy=False)


def _direct(a: Any, v: Any, mode: str, rank: int) -> Any:
    if a.ndim == v.ndim == rank:
        from scipy import signal

        return signal.convolve(a, v, mode=mode, method="direct")
    lengths = v.shape[v.ndim - rank :]
    if mode == "full":
        around = [(0, 0)] * (a.ndim - rank) + [(m - 1, m - 1) for m in lengths]
        a = np.pad(a, around)
    axes = tuple(range(a.ndim - rank, a.ndim))
    windows = np.lib.stride_tricks.sliding_window_view(a, lengths, axis=axes)
    inner = list(range(rank))
    outer = list(range(rank, 2 * rank))
    return np.einsum(windows, [..., *outer, *inner], _backwards(v, rank), [..., *inner], [..., *outer])


def _transpose_a(ct: Any, a: Any, v: Any, *, mode: str, rank: int, method: str) -> Any:
    other = "valid" if mode == "full" else "full"
    return unbroadcast(convolve_axes_p(ct, _backwards(v, rank), mode=other, rank=rank, method=method), a)


def _transpose_v(ct: Any, a: Any, v: Any, *, mode: str, rank: int, method: str) -> Any:
    first, second = (ct, _backwards(a, rank)) if mode == "full" else (_backwards(a, rank), ct)
    return unbroadcast(convolve_axes_p(first, second, mode="valid", rank=rank, method=method), v)


def _convolve_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], **params: Any) -> Any:
    ndim = max(x.ndim - b for x, b in zip(args, batched, strict=True))
    lined_up = [
        x.reshape(x.shape[:1] + (1,) * (ndim + 1 - x.ndim) + x.shape[1:]) if b else x
        for x, b in zip(args, batched, strict=True)
    ]
    return bind(convolve_axes_p, lined_up, params)


def _convolve_samples() -> list[Any]:
    shapes: list[tuple[Shape, Shape, str, int]] = [
        ((3, 4), (2, 2), "full", 2),
        ((3, 4), (2, 3), "valid", 2),
        ((2, 5), (3,), "full", 1),
        ((5,), (2, 3), "valid", 1),
        ((1,), (1,), "full", 1),
        ((0, 2), (2,), "valid", 1),
    ]
    out = []
    for method in ("direct", "fft", "overlap-add"):
        for a, v, mode, rank in shapes:
            label = f"{method} {mode} {list(a)}*{list(v)}"
            out.append(sample(draw(a, key="a"), draw(v, key="v"), mode=mode, rank=rank, method=method, label=label))
    one = {"mode": "full", "rank": 1, "method": "fft"}
    out.append(sample(draw((3,), np.float32), draw((2,), np.float32), label="float32", **one))
    out.append(sample(draw((3,), complex), draw((2, 2), complex), label="complex", **one))
    return out


convolve_axes_p = multilinear(
    "convolve_axes",
    _convolve,
    transposes=(_transpose_a, _transpose_v),
    aval=lambda a, v, *, mode, rank, method: Aval(
        _shape(a.shape, v.shape, mode, rank), np.result_type(a.dtype, v.dtype)
    ),
    batch=_convolve_batch,
    samples=_convolve_samples(),
    source="the transpose of a convolution is one with the reversed kernel",
)


# --- recursive filters ------------------------------------------------------------------------------------------------
# y[k] = u[k] − Σ_{j ≥ 1} a[j] y[k − j] along the last axis: a ∗ y = u, cut off after the length of u, for a[0] = 1.


def _all_pole(a: Any, u: Any) -> Any:
    dtype = np.result_type(a, u)
    if not u.size or not a.size:
        return np.zeros(np.broadcast_shapes(a.shape[:-1], u.shape[:-1]) + u.shape[-1:], dtype)
    if a.ndim == 1:
        from scipy import signal

        if a.size == 1:
            return (u / a[0]).astype(dtype, copy=False)
        return signal.lfilter(np.ones(1, dtype), a.astype(dtype, copy=False), u.astype(dtype, copy=False), axis=-1)
    lanes = np.broadcast_shapes(a.shape[:-1], u.shape[:-1])
    y = np.broadcast_to(u, lanes + u.shape[-1:]).astype(dtype)
    past = a[..., :0:-1]
    for k in range(y.shape[-1]):
        n = min(k, past.shape[-1])
        if n:
            y[..., k] -= (past[..., past.shape[-1] - n :] * y[..., k - n : k]).sum(axis=-1)
        y[..., k] /= a[..., 0]
    return y


def _causal(a: Any, y: Any) -> Any:
    """Return the convolution along the last axis, cut off after the length of `y`."""
    return convolve_axes_p(a, y, mode="full", rank=1, method="direct")[..., : y.shape[-1]]


def _all_pole_jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
    (a, _), (da, du) = args, tangents
    terms = [] if du is None else [du]
    if da is not None and out.shape[-1]:
        terms.append(-_causal(da, out))
    return like(all_pole_p(a, sum(terms[1:], terms[0])), out) if terms else None


def _all_pole_vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any]) -> list[Any]:
    a, u = args
    w = _backwards(all_pole_p(a, _backwards(ct, 1)), 1)
    order, length = a.shape[-1], out.shape[-1]
    by_a = None
    if wanted[0] and length:
        # −Σ_k w[k] y[k − j] for j below the order; y is zero before it begins.
        before = np.zeros((*out.shape[:-1], order - 1), dtype_of(out))
        longer = np.concatenate([before, out], axis=-1)
        lags = convolve_axes_p(longer, _backwards(w, 1), mode="valid", rank=1, method="direct")
        by_a = unbroadcast(-_backwards(lags, 1), a)
    return [by_a, unbroadcast(w, u) if wanted[1] else None]


def _all_pole_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool]) -> Any:
    ndim = max(x.ndim - b for x, b in zip(args, batched, strict=True))
    lined_up = [
        x.reshape(x.shape[:1] + (1,) * (ndim + 1 - x.ndim) + x.shape[1:]) if b else x
        for x, b in zip(args, batched, strict=True)
    ]
    return bind(all_pole_p, lined_up, {})


@deferred
def _stable(shape: Shape, dtype: Any = float) -> Any:
    a = draw(shape, dtype, -0.4, 0.4, key="poles")()
    a[..., 0] = 1
    return a


all_pole_p = Primitive(
    "all_pole",
    _all_pole,
    lambda a, u: Aval(np.broadcast_shapes(a.shape[:-1], u.shape[:-1]) + u.shape[-1:], np.result_type(a.dtype, u.dtype)),
    _all_pole_jvp,
    _all_pole_vjp,
    _all_pole_batch,
    samples=[
        sample(_stable((3,)), draw((5,)), label="order 2"),
        sample(_stable((4,)), draw((2,)), label="short"),
        sample(_stable((3,)), draw((2, 4)), label="lanes"),
        sample(_stable((2, 3)), draw((4,)), label="several filters"),
        sample(_stable((2,), np.float32), draw((3,), np.float32), label="float32"),
        sample(_stable((3,), complex), draw((4,), complex), label="complex"),
        sample(_stable((1,)), draw((1,)), label="[1]"),
        sample(_stable((2,)), draw((0,)), label="empty"),
    ],
    source="a ∗ dy = du − da ∗ y",
    family="general",
)
