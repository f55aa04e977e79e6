"""`scipy.signal` for traced values: convolution and filters.

Every function has SciPy's name and signature and is linear in each of its signals.
"""

from ...ops import filtering as _primitives
from .convolution import convolve, convolve2d, correlate, correlate2d, fftconvolve, oaconvolve
from .filters import lfilter, sosfilt
from .smoothing import detrend, hilbert, savgol_filter

__all__ = [
    "convolve",
    "convolve2d",
    "correlate",
    "correlate2d",
    "detrend",
    "fftconvolve",
    "hilbert",
    "lfilter",
    "oaconvolve",
    "savgol_filter",
    "sosfilt",
]
