"""Convolution and correlation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.values import Shape, dtype_of
from ...numpy_api.axes import normalize_axis
from ...numpy_api.structural import as_array
from ...ops.complex_parts import astype
from ...ops.filtering import convolve_axes_p
from ..adapter import adapts

__all__ = ["convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve", "oaconvolve"]

_MODES = ("full", "valid", "same")


def _signals(in1: Any, in2: Any, function: str) -> tuple[Any, Any]:
    """Return both signals as arrays, integers as real numbers where the other is traced."""
    in1, in2 = (as_array(x, f"scipy.signal.{function}") for x in (in1, in2))
    if in1.ndim != in2.ndim:
        raise ValueError("in1 and in2 should have the same dimensionality")
    dtype = np.result_type(dtype_of(in1), dtype_of(in2))
    return tuple(x if dtype_of(x).kind in "fc" else astype(x, dtype) for x in (in1, in2))


def _swaps(mode: str, s1: Shape, s2: Shape, axes: Sequence[int]) -> bool:
    """Whether the second signal is the one that the first moves in, which only matters for "valid"."""
    if mode not in _MODES:
        raise ValueError("acceptable mode flags are 'valid', 'same', or 'full'")
    if mode != "valid":
        return False
    inside = all(s1[i] >= s2[i] for i in axes)
    if not inside and not all(s2[i] >= s1[i] for i in axes):
        raise ValueError("For 'valid' mode, one must be at least as large as the other in every dimension")
    return not inside


def _centered(x: Any, shape: Sequence[int]) -> Any:
    starts = [(n - m) // 2 for n, m in zip(x.shape, shape, strict=True)]
    return x[tuple(slice(i, i + m) for i, m in zip(starts, shape, strict=True))]


def _along(in1: Any, in2: Any, axes: Sequence[int], mode: str, method: str) -> Any:
    """Convolve along the axes and multiply along the others, in the mode "full" or "valid"."""
    rank = len(axes)
    if not rank:
        return in1 * in2
    last = range(-rank, 0)
    in1, in2 = np.moveaxis(in1, axes, last), np.moveaxis(in2, axes, last)
    return np.moveaxis(convolve_axes_p(in1, in2, mode=mode, rank=rank, method=method), last, axes)


def _all_axes(in1: Any, in2: Any, mode: str, method: str) -> Any:
    axes = range(in1.ndim)
    if _swaps(mode, in1.shape, in2.shape, axes):
        in1, in2 = in2, in1
    if mode != "same":
        return _along(in1, in2, axes, mode, method)
    return _centered(_along(in1, in2, axes, "full", method), in1.shape)


@adapts("scipy.signal")
def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Convolve two n-dimensional signals, as `scipy.signal.convolve`.

    Parameters
    ----------
    in1, in2 : array
        Signals of the same number of axes.
    mode : {"full", "valid", "same"}, default "full"
        What part of the result to return.
    method : {"auto", "direct", "fft"}, default "auto"
        How to compute it; the derivatives are computed the same way.

    Returns
    -------
    array
        The convolution.

    Notes
    -----
    The cotangent of a signal is the correlation of the result's with the other signal.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import signal
    >>> cv.grad(lambda x: signal.convolve(x, np.array([1.0, 2.0]), "valid")[0])(np.ones(3))
    array([2., 1., 0.])
    """
    in1, in2 = _signals(in1, in2, "convolve")
    if in1.ndim == 0:
        return in1 * in2
    if method == "auto":
        method = _chosen(in1, in2, mode)
    if method not in ("direct", "fft"):
        raise ValueError("Acceptable method flags are 'auto', 'direct', or 'fft'.")
    return _all_axes(in1, in2, mode, method)


def _chosen(in1: Any, in2: Any, mode: str) -> str:
    """Let SciPy choose by shapes and dtypes."""
    _swaps(mode, in1.shape, in2.shape, range(in1.ndim))
    if not in1.size or not in2.size:
        return "direct"
    from scipy.signal import choose_conv_method

    stand_ins = [np.broadcast_to(np.zeros((), dtype_of(x)), x.shape) for x in (in1, in2)]
    return str(choose_conv_method(*stand_ins, mode=mode))


@adapts("scipy.signal")
def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Correlate two n-dimensional signals, as `scipy.signal.correlate`: convolve with the second reversed, conjugated.

    Parameters
    ----------
    in1, in2 : array
        Signals of the same number of axes.
    mode : {"full", "valid", "same"}, default "full"
        What part of the result to return.
    method : {"auto", "direct", "fft"}, default "auto"
        How to compute it; the derivatives are computed the same way.

    Returns
    -------
    array
        The correlation.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import signal
    >>> cv.grad(lambda x: signal.correlate(x, np.array([1.0, 2.0]), "valid")[0])(np.ones(3))
    array([1., 2., 0.])
    """
    in1, in2 = _signals(in1, in2, "correlate")
    return convolve(in1, np.conj(_reversed(in2)), mode, method)


def _reversed(x: Any) -> Any:
    return x[(slice(None, None, -1),) * x.ndim] if x.ndim else x


@adapts("scipy.signal")
def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """Convolve two n-dimensional signals by Fourier transforms, as `scipy.signal.fftconvolve`.

    Parameters
    ----------
    in1, in2 : array
        Signals of the same number of axes.
    mode : {"full", "valid", "same"}, default "full"
        What part of the result to return.
    axes : int or sequence of int, optional
        Axes to convolve along, all by default; along the others the signals are multiplied, with broadcasting.

    Returns
    -------
    array
        The convolution.

    Notes
    -----
    The derivatives are convolutions by Fourier transforms too.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import signal
    >>> cv.grad(lambda x: signal.fftconvolve(x, np.array([1.0, 2.0, 4.0]))[3])(np.ones(4)).round(12) + 0.0
    array([0., 4., 2., 1.])
    """
    return _fourier(in1, in2, mode, axes, "fftconvolve", "fft")


@adapts("scipy.signal")
def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """Convolve two n-dimensional signals by the overlap-add method, as `scipy.signal.oaconvolve`.

    Parameters
    ----------
    in1, in2 : array
        Signals of the same number of axes, one much longer than the other.
    mode : {"full", "valid", "same"}, default "full"
        What part of the result to return.
    axes : int or sequence of int, optional
        Axes to convolve along, all by default; along the others the signals are multiplied, with broadcasting.

    Returns
    -------
    array
        The convolution.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import signal
    >>> cv.grad(lambda x: signal.oaconvolve(np.ones(100), x, "valid")[0])(np.array([1.0, 2.0])).round(12)
    array([1., 1.])
    """
    return _fourier(in1, in2, mode, axes, "oaconvolve", "overlap-add")


def _fourier(in1: Any, in2: Any, mode: str, axes: Any, function: str, method: str) -> Any:
    in1, in2 = _signals(in1, in2, function)
    ndim = in1.ndim
    if ndim == 0:
        return in1 * in2
    if not in1.size or not in2.size:
        return np.zeros(0)
    chosen = range(ndim) if axes is None else [normalize_axis(i, ndim) for i in np.atleast_1d(axes).tolist()]
    if not chosen:
        raise ValueError("when provided, axes cannot be empty")
    if len(set(chosen)) != len(chosen):
        raise ValueError("all axes must be unique")
    # Along an axis of length one convolution is multiplication, and SciPy then does not count it among the axes.
    inner = sorted(i for i in chosen if in1.shape[i] != 1 and in2.shape[i] != 1)
    for i in range(ndim):
        if i not in inner and in1.shape[i] != in2.shape[i] and 1 not in (in1.shape[i], in2.shape[i]):
            raise ValueError(f"incompatible shapes for in1 and in2: {in1.shape} and {in2.shape}")
    if _swaps(mode, in1.shape, in2.shape, inner):
        in1, in2 = in2, in1
    out = _along(in1, in2, inner, "valid" if mode == "valid" else "full", method)
    return _centered(out, in1.shape) if mode == "same" else out


_BOUNDARIES: dict[str, Any] = {"fill": "constant", "pad": "constant", "wrap": "wrap", "circular": "wrap"}
_BOUNDARIES |= {"symm": "symmetric", "symmetric": "symmetric"}


@adapts("scipy.signal")
def convolve2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """Convolve two matrices, as `scipy.signal.convolve2d`.

    Parameters
    ----------
    in1, in2 : array
        Matrices.
    mode : {"full", "valid", "same"}, default "full"
        What part of the result to return.
    boundary : {"fill", "wrap", "symm"}, default "fill"
        How the first matrix goes on beyond its edges.
    fillvalue : scalar, default 0
        What fills the surroundings with ``boundary="fill"``.

    Returns
    -------
    array
        The convolution.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import signal
    >>> cv.grad(lambda x: np.sum(signal.convolve2d(x, np.ones((2, 2)), boundary="symm")))(np.ones((2, 2)))
    array([[9., 9.],
           [9., 9.]])
    """
    in1, in2 = _signals(in1, in2, "convolve2d")
    return _plane(in1, in2, mode, boundary, fillvalue, "convolve2d", first=lambda m: (m - 1) // 2)


def _plane(
    in1: Any, in2: Any, mode: str, boundary: str, fillvalue: Any, function: str, first: Callable[[int], int]
) -> Any:
    """Convolve matrices; `first` says where "same" begins in the full result, by the length of the second."""
    if in1.ndim != 2:
        raise ValueError(f"{function} inputs must both be 2-D arrays")
    if boundary not in _BOUNDARIES:
        raise ValueError("Acceptable boundary flags are 'fill', 'circular' (or 'wrap'), and 'symmetric' (or 'symm').")
    if _swaps(mode, in1.shape, in2.shape, range(2)):
        in1, in2 = in2, in1
    if mode == "valid":
        return _along(in1, in2, range(2), "valid", "direct")
    around = [(n - 1, n - 1) for n in in2.shape]
    kind = _BOUNDARIES[boundary]
    extra: Any = {"constant_values": fillvalue} if kind == "constant" else {}
    full = _along(np.pad(in1, around, mode=kind, **extra), in2, range(2), "valid", "direct")
    if mode == "full":
        return full
    starts = [first(n) for n in in2.shape]
    return full[tuple(slice(i, i + n) for i, n in zip(starts, in1.shape, strict=True))]


@adapts("scipy.signal")
def correlate2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    """Correlate two matrices, as `scipy.signal.correlate2d`.

    Parameters
    ----------
    in1, in2 : array
        Matrices.
    mode : {"full", "valid", "same"}, default "full"
        What part of the result to return.
    boundary : {"fill", "wrap", "symm"}, default "fill"
        How the first matrix goes on beyond its edges.
    fillvalue : scalar, default 0
        What fills the surroundings with ``boundary="fill"``.

    Returns
    -------
    array
        The correlation.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import signal
    >>> cv.grad(lambda x: signal.correlate2d(x, np.array([[1.0, 2.0]]), "valid")[0, 0])(np.ones((1, 3)))
    array([[1., 2., 0.]])
    """
    in1, in2 = _signals(in1, in2, "correlate2d")
    if in2.ndim == 2:
        in2 = np.conj(_reversed(in2))
    return _plane(in1, in2, mode, boundary, fillvalue, "correlate2d", first=lambda m: m // 2)
