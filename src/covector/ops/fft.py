"""Discrete Fourier transforms of exact length; padding and truncation are separate operations.

The matrix of the transform is symmetric, so it is its own transpose, whatever the normalisation.
Real transforms keep the first ``m = n // 2 + 1`` frequencies.  With the pairing ``Re(u · v)`` between cotangents and
tangents and c = (1, 2, …, 2[, 1 if n is even]), the number of frequencies of the full transform each one stands for,

    rfft:   R x = F[:m] x              Rᵀ u = Re Σ_k u_k F_k           = irfft'(conj(u) / c)
    irfft:  S v = Re Σ_k c_k v_k G_k    Sᵀ w = c · G[:m] w              = c · conj(rfft'(w))

where F and G are the forward and backward matrices and the prime swaps the normalisations, so that the scales agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.values import Aval
from .families import linear
from .samples import draw, sample

__all__ = ["SWAPPED", "fft_p", "irfft_p", "rfft_p"]

SWAPPED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The normalisation of the transform in the other direction that has the same scale."""


def _complex(dtype: Any) -> np.dtype[Any]:
    """The complex dtype in which a transform of `dtype` comes out."""
    return np.result_type(dtype, 1j)


def _fft(x: Any, *, axes: tuple[int, ...], inverse: bool, norm: str) -> Any:
    return (np.fft.ifftn if inverse else np.fft.fftn)(x, axes=axes, norm=norm)  # type: ignore[arg-type]


fft_p = linear(
    "fft",
    _fft,
    transpose=lambda ct, x, *, axes, inverse, norm: fft_p(ct, axes=axes, inverse=inverse, norm=norm),
    aval=lambda x, *, axes, inverse, norm: Aval(x.shape, _complex(x.dtype)),
    batch=lambda trace, args, batched, *, axes, inverse, norm: fft_p(
        args[0], axes=tuple(i + 1 for i in axes), inverse=inverse, norm=norm
    ),
    samples=[
        sample(draw((4,)), axes=(0,), inverse=False, norm="backward"),
        sample(draw((3,), complex), axes=(0,), inverse=True, norm="backward"),
        sample(draw((2, 3), complex), axes=(0, 1), inverse=False, norm="ortho"),
        sample(draw((2, 3), np.float32), axes=(1,), inverse=True, norm="forward"),
        sample(draw((0, 3)), axes=(1,), inverse=False, norm="forward"),
    ],
    sparsity="dense",
    numpy=(np.fft.fft, np.fft.ifft, np.fft.fftn, np.fft.ifftn, np.fft.fft2, np.fft.ifft2),
)


def _weights(n: int, axis: int, rank: int, dtype: Any) -> Any:
    """The c above, along `axis`, in the real dtype that belongs to `dtype`."""
    c = np.full(n // 2 + 1, 2, np.empty(0, dtype).real.dtype)
    c[0] = 1
    if n % 2 == 0:
        c[-1] = 1
    return c.reshape((-1,) + (1,) * (rank - axis - 1))


def _rfft_transpose(ct: Any, x: Any, *, axis: int, norm: str) -> Any:
    n = x.shape[axis]
    halved = np.conj(ct) / _weights(n, axis, len(ct.shape), ct.dtype)
    return irfft_p(halved, n=n, axis=axis, norm=SWAPPED[norm])


def _irfft_transpose(ct: Any, x: Any, *, n: int, axis: int, norm: str) -> Any:
    return np.conj(rfft_p(ct, axis=axis, norm=SWAPPED[norm])) * _weights(n, axis, len(ct.shape), ct.dtype)


def _with_length(shape: tuple[int, ...], axis: int, n: int) -> tuple[int, ...]:
    return (*shape[:axis], n, *shape[axis + 1 :])


rfft_p = linear(
    "rfft",
    lambda x, *, axis, norm: np.fft.rfft(x, axis=axis, norm=norm),
    transpose=_rfft_transpose,
    aval=lambda x, *, axis, norm: Aval(_with_length(x.shape, axis, x.shape[axis] // 2 + 1), _complex(x.dtype)),
    batch=lambda trace, args, batched, *, axis, norm: rfft_p(args[0], axis=axis + 1, norm=norm),
    samples=[
        sample(draw((4,)), axis=0, norm="backward"),
        sample(draw((5,)), axis=0, norm="forward"),
        sample(draw((1,)), axis=0, norm="backward"),
        sample(draw((3, 2)), axis=0, norm="ortho"),
        sample(draw((2, 4), np.float32), axis=1, norm="ortho"),
        sample(draw((0, 2)), axis=1, norm="ortho"),
    ],
    sparsity="dense",
    numpy=(np.fft.rfft, np.fft.rfftn, np.fft.rfft2, np.fft.ihfft),
)

irfft_p = linear(
    "irfft",
    lambda x, *, n, axis, norm: np.fft.irfft(x, n, axis, norm),
    transpose=_irfft_transpose,
    aval=lambda x, *, n, axis, norm: Aval(_with_length(x.shape, axis, n), np.empty(0, _complex(x.dtype)).real.dtype),
    batch=lambda trace, args, batched, *, n, axis, norm: irfft_p(args[0], n=n, axis=axis + 1, norm=norm),
    samples=[
        sample(draw((3,), complex), n=4, axis=0, norm="backward"),
        sample(draw((3,), complex), n=5, axis=0, norm="forward"),
        sample(draw((2, 2)), n=3, axis=0, norm="ortho"),
        sample(draw((1, 3), np.complex64), n=4, axis=1, norm="backward"),
        sample(draw((1,), complex), n=1, axis=0, norm="backward"),
        sample(draw((0, 2), complex), n=2, axis=1, norm="ortho"),
    ],
    sparsity="dense",
    numpy=(np.fft.irfft, np.fft.irfftn, np.fft.irfft2, np.fft.hfft),
)
