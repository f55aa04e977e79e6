"""Convolution along the last axis, the one bilinear map behind np.convolve and np.correlate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.cotangents import unbroadcast
from ..core.primitive import bind
from ..core.values import Aval
from .families import multilinear
from .samples import draw, sample

__all__ = ["convolve_p"]

_BACKWARDS = (..., slice(None, None, -1))


def _convolve(a: Any, v: Any, *, mode: str) -> Any:
    """out[k] = Σ_j a[k − j] v[j] for all k ("full"), or those where v lies inside a ("valid", len(a) ≥ len(v))."""
    if a.ndim == 1 and v.ndim == 1:
        return np.convolve(a, v, mode)
    n, m = a.shape[-1], v.shape[-1]
    if mode == "full":
        if n < m:
            a, v, n, m = v, a, m, n
        padded = np.zeros((*a.shape[:-1], n + 2 * (m - 1)), a.dtype)
        padded[..., m - 1 : m - 1 + n] = a
        a = padded
    windows = np.lib.stride_tricks.sliding_window_view(a, m, axis=-1)
    return np.einsum("...kj,...j->...k", windows, v[_BACKWARDS])


def _convolve_aval(a: Aval, v: Aval, *, mode: str) -> Aval:
    n, m = a.shape[-1], v.shape[-1]
    lanes = np.broadcast_shapes(a.shape[:-1], v.shape[:-1])
    return Aval((*lanes, n + m - 1 if mode == "full" else n - m + 1), np.result_type(a.dtype, v.dtype))


def _transpose_a(ct: Any, a: Any, v: Any, *, mode: str) -> Any:
    other = "valid" if mode == "full" else "full"
    return unbroadcast(convolve_p(ct, v[_BACKWARDS], mode=other), a)


def _transpose_v(ct: Any, a: Any, v: Any, *, mode: str) -> Any:
    if mode == "full":
        return unbroadcast(convolve_p(ct, a[_BACKWARDS], mode="valid"), v)
    return unbroadcast(convolve_p(a[_BACKWARDS], ct, mode="valid"), v)


def _convolve_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, mode: str) -> Any:
    rank = max(len(x.shape) - b for x, b in zip(args, batched, strict=True))
    lined_up = [
        x.reshape(x.shape[:1] + (1,) * (rank + 1 - len(x.shape)) + x.shape[1:]) if b else x
        for x, b in zip(args, batched, strict=True)
    ]
    return bind(convolve_p, lined_up, {"mode": mode})


convolve_p = multilinear(
    "convolve",
    _convolve,
    transposes=(_transpose_a, _transpose_v),
    aval=_convolve_aval,
    batch=_convolve_batch,
    samples=[
        sample(draw((4,), key="a"), draw((2,), key="v"), mode="full"),
        sample(draw((2,), key="a"), draw((3,), key="v"), mode="full"),
        sample(draw((4,), key="a"), draw((3,), key="v"), mode="valid"),
        sample(draw((1,), complex, key="a"), draw((2,), complex, key="v"), mode="full"),
        sample(draw((3,), complex, key="a"), draw((2,), key="v"), mode="valid"),
        sample(draw((3,), np.float32, key="a"), draw((2,), np.float32, key="v"), mode="full"),
        sample(draw((2, 4), key="a"), draw((2,), key="v"), mode="valid", label="lanes"),
        sample(draw((2, 3), key="a"), draw((2, 2), key="v"), mode="full", label="lanes"),
        sample(draw((1,), key="a"), draw((1,), key="v"), mode="full", label="[1]"),
        sample(draw((0, 2), key="a"), draw((2,), key="v"), mode="valid", label="no lanes"),
    ],
    numpy=(np.convolve, np.correlate),
)
