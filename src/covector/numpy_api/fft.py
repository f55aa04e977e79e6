"""``np.fft`` in terms of transforms of exact length."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np

from ..ops.fft import SWAPPED, fft_p, irfft_p, rfft_p
from ..ops.indexing import slice_p, unslice_p
from .axes import normalize_axis
from .register import implements
from .structural import axis_list, roll

Norm = str | None


def _norm(norm: Norm) -> str:
    norm = "backward" if norm is None else norm
    if norm not in SWAPPED:
        raise ValueError(f'Invalid norm value {norm}; should be "backward","ortho" or "forward".')
    return norm


def _length(n: Any) -> int:
    n = operator.index(n)
    if n < 1:
        raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
    return n


def _fit(a: Any, n: int, axis: int) -> Any:
    """Cut `axis` to length `n`, or extend it with zeros."""
    have = a.shape[axis]
    if have == n:
        return a
    index = (slice(None),) * axis + (slice(0, min(n, have)),)
    if n < have:
        return slice_p(a, index=index)
    return unslice_p(a, index=index, shape=(*a.shape[:axis], n, *a.shape[axis + 1 :]))


def _real(a: Any, name: str) -> Any:
    if a.dtype.kind == "c":
        raise TypeError(f"np.fft.{name} takes real input, got dtype {a.dtype}; use np.fft.fft, or a.real")
    return a


def _one(a: Any, n: Any, axis: int, norm: Norm, inverse: bool) -> Any:
    axis = normalize_axis(axis, a.ndim)
    n = _length(a.shape[axis] if n is None else n)
    return fft_p(_fit(a, n, axis), axes=(axis,), inverse=inverse, norm=_norm(norm))


def _rfft(a: Any, n: Any, axis: int, norm: str, name: str) -> Any:
    axis = normalize_axis(axis, a.ndim)
    n = _length(a.shape[axis] if n is None else n)
    return rfft_p(_fit(_real(a, name), n, axis), axis=axis, norm=norm)


def _irfft(a: Any, n: Any, axis: int, norm: str) -> Any:
    axis = normalize_axis(axis, a.ndim)
    n = _length(2 * (a.shape[axis] - 1) if n is None else n)
    return irfft_p(_fit(a, n // 2 + 1, axis), n=n, axis=axis, norm=norm)


# --- one axis ---------------------------------------------------------------------------------------------------------


@implements(np.fft.fft)
def fft(a: Any, n: int | None = None, axis: int = -1, norm: Norm = None, out: Any = None) -> Any:
    return _one(a, n, axis, norm, inverse=False)


@implements(np.fft.ifft)
def ifft(a: Any, n: int | None = None, axis: int = -1, norm: Norm = None, out: Any = None) -> Any:
    return _one(a, n, axis, norm, inverse=True)


@implements(np.fft.rfft)
def rfft(a: Any, n: int | None = None, axis: int = -1, norm: Norm = None, out: Any = None) -> Any:
    return _rfft(a, n, axis, _norm(norm), "rfft")


@implements(np.fft.irfft)
def irfft(a: Any, n: int | None = None, axis: int = -1, norm: Norm = None, out: Any = None) -> Any:
    return _irfft(a, n, axis, _norm(norm))


@implements(np.fft.hfft)
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: Norm = None, out: Any = None) -> Any:
    return _irfft(np.conj(a), n, axis, SWAPPED[_norm(norm)])


@implements(np.fft.ihfft)
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: Norm = None, out: Any = None) -> Any:
    return np.conj(_rfft(a, n, axis, SWAPPED[_norm(norm)], "ihfft"))


# --- several axes -----------------------------------------------------------------------------------------------------


def _lengths_and_axes(a: Any, s: Any, axes: Any, halved: bool = False) -> tuple[list[int], list[int]]:
    """Lengths and axes to transform; `halved` for the inverse of a real transform, whose last length is implied."""
    if axes is None:
        if s is not None:
            warnings.warn(
                "`axes` should not be `None` if `s` is not `None` (deprecated in NumPy 2.0)",
                DeprecationWarning,
                stacklevel=4,
            )
        axes = range(a.ndim) if s is None else range(-len(s), 0)
    axes = [normalize_axis(i, a.ndim) for i in axes]
    if s is None:
        lengths = [a.shape[i] for i in axes]
        if halved:
            lengths[-1] = 2 * (a.shape[axes[-1]] - 1)
    else:
        if len(s) != len(axes):
            raise ValueError("Shape and axes have different lengths.")
        lengths = [a.shape[i] if n == -1 else operator.index(n) for n, i in zip(s, axes, strict=True)]
    return [_length(n) for n in lengths], axes


def _several(a: Any, lengths: list[int], axes: list[int], norm: Norm, inverse: bool) -> Any:
    norm = _norm(norm)
    if len(set(axes)) == len(axes):
        for n, axis in zip(lengths, axes, strict=True):
            a = _fit(a, n, axis)
        return fft_p(a, axes=tuple(axes), inverse=inverse, norm=norm)
    for n, axis in zip(reversed(lengths), reversed(axes), strict=True):
        a = fft_p(_fit(a, n, axis), axes=(axis,), inverse=inverse, norm=norm)
    return a


@implements(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: Norm = None, out: Any = None) -> Any:
    return _several(a, *_lengths_and_axes(a, s, axes), norm, inverse=False)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: Norm = None, out: Any = None) -> Any:
    return _several(a, *_lengths_and_axes(a, s, axes), norm, inverse=True)


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: Norm = None, out: Any = None) -> Any:
    lengths, axes = _lengths_and_axes(a, s, axes)
    half = _rfft(a, lengths[-1], axes[-1], _norm(norm), "rfftn")
    return _several(half, lengths[:-1], axes[:-1], norm, inverse=False) if axes[:-1] else half


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: Norm = None, out: Any = None) -> Any:
    lengths, axes = _lengths_and_axes(a, s, axes, halved=True)
    if axes[:-1]:
        # NumPy takes these axes in order, but those of the other transforms from the last to the first.
        a = _several(a, lengths[-2::-1], axes[-2::-1], norm, inverse=True)
    return _irfft(a, lengths[-1], axes[-1], _norm(norm))


@implements(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Norm = None, out: Any = None) -> Any:
    return fftn(a, s, axes, norm, out)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Norm = None, out: Any = None) -> Any:
    return ifftn(a, s, axes, norm, out)


@implements(np.fft.rfft2)
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Norm = None, out: Any = None) -> Any:
    return rfftn(a, s, axes, norm, out)


@implements(np.fft.irfft2)
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Norm = None, out: Any = None) -> Any:
    return irfftn(a, s, axes, norm, out)


# --- shifts -----------------------------------------------------------------------------------------------------------


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    shifted = list(range(x.ndim)) if axes is None else axis_list(axes, x.ndim)
    return roll(x, [x.shape[i] // 2 for i in shifted], shifted)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    shifted = list(range(x.ndim)) if axes is None else axis_list(axes, x.ndim)
    return roll(x, [-(x.shape[i] // 2) for i in shifted], shifted)
