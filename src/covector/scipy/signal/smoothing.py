"""Linear maps of one signal: trends taken off, polynomials fitted to windows, the analytic signal."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.values import dtype_of
from ...numpy_api.axes import normalize_axis
from ...numpy_api.structural import as_array
from ...ops.complex_parts import astype
from ...ops.filtering import convolve_axes_p
from ..adapter import adapts

__all__ = ["detrend", "hilbert", "savgol_filter"]


@adapts("scipy.signal")
def detrend(data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: bool = False) -> Any:
    """Take a linear trend, or the mean, off a signal, as `scipy.signal.detrend`.

    Parameters
    ----------
    data : array
        The signal.
    axis : int, default -1
        Along which axis.
    type : {"linear", "constant"}, default "linear"
        What to take off.
    bp : array_like of int, default 0
        Where pieces with a trend of their own begin.
    overwrite_data : bool
        As in SciPy.

    Returns
    -------
    array
        The signal without its trend.

    Notes
    -----
    An orthogonal projection, which is its own derivative.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import signal
    >>> cv.grad(lambda x: signal.detrend(x, type="constant")[0])(np.array([1.0, 2.0]))
    array([ 0.5, -0.5])
    """
    if type not in ("linear", "l", "constant", "c"):
        raise ValueError("Trend type must be 'linear' or 'constant'.")
    data = as_array(data, "scipy.signal.detrend")
    if type in ("constant", "c"):
        return data - np.mean(data, axis, keepdims=True)
    if dtype_of(data).char not in "dfDF":
        data = astype(data, np.dtype(float))
    n = data.shape[axis]
    bounds = np.unique(np.concatenate([[0, n], np.atleast_1d(bp)]))
    if np.any(bounds > n):
        raise ValueError("Breakpoints must be less than length of data along given axis.")
    moved = np.moveaxis(data, axis, -1)
    pieces = []
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        piece = moved[..., first:last]
        base = _line_basis(last - first).astype(np.empty(0, dtype_of(data)).real.dtype)
        pieces.append(piece - (piece @ base) @ base.T)
    return np.moveaxis(np.concatenate(pieces, axis=-1), -1, axis)


def _line_basis(n: int) -> Any:
    """Return an orthonormal basis of the straight lines over n points, as columns."""
    ones = np.ones((n, 1)) / np.sqrt(n)
    if n < 2:
        return ones
    slope = np.arange(n) - (n - 1) / 2
    return np.concatenate([ones, slope.reshape((n, 1)) / np.sqrt(slope @ slope)], axis=1)


_PADDING: dict[str, Any] = {"mirror": "reflect", "constant": "constant", "nearest": "edge", "wrap": "wrap"}


@adapts("scipy.signal")
def savgol_filter(
    x: Any,
    window_length: int,
    polyorder: int,
    deriv: int = 0,
    delta: float = 1.0,
    axis: int = -1,
    mode: str = "interp",
    cval: float = 0.0,
) -> Any:
    """Smooth a signal by polynomials fitted to a moving window, as `scipy.signal.savgol_filter`.

    Parameters
    ----------
    x : array
        The signal, real.
    window_length, polyorder : int
        Length of the window and order of the polynomials.
    deriv : int, default 0
        Which derivative of the polynomials to return.
    delta : float, default 1.0
        Distance of the samples, for derivatives.
    axis : int, default -1
        Along which axis.
    mode : {"interp", "mirror", "constant", "nearest", "wrap"}, default "interp"
        How to go on beyond the ends; ``"interp"`` evaluates the polynomials of the first and last window.
    cval : float, default 0.0
        What is beyond the ends with ``"constant"``.

    Returns
    -------
    array
        The filtered signal.

    Notes
    -----
    A convolution with constant coefficients.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import signal
    >>> cv.grad(lambda x: signal.savgol_filter(x, 3, 1)[2])(np.ones(5)).round(3)
    array([0.   , 0.333, 0.333, 0.333, 0.   ])
    """
    if mode != "interp" and mode not in _PADDING:
        raise ValueError("mode must be 'mirror', 'constant', 'nearest' 'wrap' or 'interp'.")
    x = as_array(x, "scipy.signal.savgol_filter")
    if dtype_of(x).kind == "c":
        raise TypeError("savgol_filter takes real signals; filter the real and imaginary parts one by one")
    if dtype_of(x) not in (np.float32, np.float64):
        x = astype(x, np.dtype(float))
    axis = normalize_axis(axis, x.ndim)
    moved = np.moveaxis(x, axis, -1)
    from scipy.signal import savgol_coeffs

    dtype = dtype_of(x)
    kernel = savgol_coeffs(window_length, polyorder, deriv=deriv, delta=delta).astype(dtype)
    # A window of even length reaches one sample farther ahead than back.
    before, after = (window_length - 1) // 2, window_length // 2
    if mode != "interp":
        around = [(0, 0)] * (moved.ndim - 1) + [(before, after)]
        extra: Any = {"constant_values": cval} if mode == "constant" else {}
        padded = np.pad(moved, around, mode=_PADDING[mode], **extra)
        return np.moveaxis(_valid(padded, kernel), -1, axis)
    n = moved.shape[-1]
    if window_length > n:
        raise ValueError("If mode is 'interp', window_length must be less than or equal to the size of x.")
    half = window_length // 2
    first = moved[..., :window_length] @ _edge(window_length, polyorder, deriv, delta, range(half)).astype(dtype)
    ends = range(window_length - half, window_length)
    last = moved[..., n - window_length :] @ _edge(window_length, polyorder, deriv, delta, ends).astype(dtype)
    inner = _valid(moved, kernel)[..., half - before : n - half - before]
    return np.moveaxis(np.concatenate([first, inner, last], axis=-1), -1, axis)


def _valid(x: Any, kernel: Any) -> Any:
    return convolve_axes_p(x, kernel, mode="valid", rank=1, method="direct")


def _edge(window: int, order: int, deriv: int, delta: float, at: range) -> Any:
    """Return the matrix, window × points, that evaluates the polynomial fitted to a window at some of its points."""
    powers = np.arange(order + 1)
    center = (window - 1) / 2
    fit = np.linalg.pinv((np.arange(window) - center).reshape((-1, 1)) ** powers)
    # The derivative of t^k is k (k − 1) … (k − deriv + 1) t^(k − deriv).
    factors = np.ones(order + 1)
    for i in range(deriv):
        factors = factors * np.maximum(powers - i, 0)
    t = (np.array(at) - center).reshape((-1, 1))
    evaluate = factors * t ** np.maximum(powers - deriv, 0) / delta**deriv
    return (evaluate @ fit).T


@adapts("scipy.signal")
def hilbert(x: Any, N: int | None = None, axis: int = -1) -> Any:
    """Return the analytic signal, as `scipy.signal.hilbert`.

    Parameters
    ----------
    x : array
        The signal, real.
    N : int, optional
        Number of Fourier components; by default the length of the signal.
    axis : int, default -1
        Along which axis.

    Returns
    -------
    array
        The signal plus i times its Hilbert transform.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import signal
    >>> cv.grad(lambda x: signal.hilbert(x)[0].imag)(np.ones(4)).round(12)
    array([ 0. , -0.5,  0. ,  0.5])
    """
    x = as_array(x, "scipy.signal.hilbert")
    if dtype_of(x).kind == "c":
        raise ValueError("x must be real.")
    n = x.shape[axis] if N is None else int(N)
    if n <= 0:
        raise ValueError("N must be positive.")
    weights = np.zeros(n, np.float32)
    weights[: n // 2 + 1] = 2
    weights[0] = 1
    if n % 2 == 0:
        weights[n // 2] = 1
    shape = [1] * x.ndim
    shape[axis] = n
    return np.fft.ifft(np.fft.fft(x, n, axis=axis) * weights.reshape(shape), axis=axis)
