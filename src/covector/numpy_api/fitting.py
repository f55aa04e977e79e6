"""Polynomials by roots and by least squares, and their division; coefficients stand highest power first."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..core.errors import ConcretizationError, caller
from ..core.tracer import concrete
from ..core.values import dtype_of
from ..ops.complex_parts import astype
from .joining import concatenate
from .linalg import eigvals, inv, lstsq
from .plain import decided, plain
from .polynomials import convolve
from .register import implements
from .structural import as_array, atleast_1d

__all__ = ["leading_zeros", "polyfit", "roots"]


def leading_zeros(p: Any, function: str, exactly: bool) -> int:
    """How many of the first elements are zero, which NumPy drops; under `vmap` the same number in all lanes.

    Where there are no values, elements are taken for different from zero.
    """
    zero = decided(p, lambda p: np.equal(p, 0) if exactly else np.isclose(p, 0, rtol=1e-14))
    if zero is None or not zero.size:
        return 0
    counts = np.cumprod(zero.reshape(-1, p.shape[0]), axis=1).sum(axis=1)
    if np.any(counts != counts[0]):
        raise ConcretizationError(
            f"{function} at {caller()} meets polynomials of different degree in one vmap, whose results differ in "
            f"shape; loop over them instead"
        )
    return int(counts[0])


@implements(np.roots)
def roots(p: Any) -> Any:
    p = atleast_1d(as_array(p, "np.roots"))
    if p.ndim != 1:
        raise ValueError("Input must be a rank-1 array.")
    leading = leading_zeros(p, "np.roots", exactly=True)
    if leading == p.shape[0]:
        return np.array([])
    trailing = leading_zeros(p[::-1], "np.roots", exactly=True)
    p = p[leading : p.shape[0] - trailing]
    if dtype_of(p).kind not in "fc":
        p = astype(p, np.dtype(float))
    n = p.shape[0] - 1
    if n == 0:
        return np.zeros(trailing, p.dtype)
    first = -p[1:] / p[0]
    companion = concatenate((first.reshape((1, n)), np.eye(n - 1, n, dtype=p.dtype)), axis=0)
    found = eigvals(companion)
    return concatenate((found, np.zeros(trailing, found.dtype))) if trailing else found


@implements(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    zeros = atleast_1d(as_array(seq_of_zeros, "np.poly"))
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] and zeros.shape[0]:
        zeros = eigvals(zeros)
    elif zeros.ndim != 1:
        raise ValueError("input must be 1d or non-empty square 2d array.")
    if not zeros.shape[0]:
        return 1.0
    dtype = zeros.dtype if zeros.dtype.kind in "fc" else np.dtype(float)
    a: Any = np.ones((1,), dtype)
    for k in range(zeros.shape[0]):
        a = convolve(a, concatenate((np.ones(1, dtype), -astype(zeros[k : k + 1], dtype))))
    if dtype.kind == "c":
        values = plain(zeros, "np.poly, which looks for conjugate pairs,")
        if np.all(np.sort(values) == np.sort(values.conjugate())):
            a = np.real(a)
    return a


@implements(np.polydiv)
def polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    """``np.polydiv``; how many terms quotient and remainder have is decided by values, as in NumPy."""
    u, v = (atleast_1d(as_array(x, "np.polydiv")) for x in (u, v))
    dtype = np.result_type(u.dtype, v.dtype, 0.0)
    u, v = astype(u, dtype), astype(v, dtype)
    m, n = u.shape[0] - 1, v.shape[0] - 1
    scale = 1.0 / v[0]
    terms = []
    rest = u
    for k in range(max(m - n + 1, 0)):
        term = scale * rest[k]
        terms.append(term.reshape((1,)))
        rest = concatenate((rest[:k], rest[k : k + n + 1] - term * v, rest[k + n + 1 :]))
    quotient = concatenate(terms) if terms else np.zeros(1, dtype)
    return quotient, rest[min(leading_zeros(rest, "np.polydiv", exactly=False), m) :]


@implements(np.polyfit)
def polyfit(x: Any, y: Any, deg: int, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    order = int(deg) + 1
    x, y = as_array(x, "np.polyfit") + 0.0, as_array(y, "np.polyfit") + 0.0
    _check_fit(x, y, int(deg))
    rcond = x.shape[0] * np.finfo(x.dtype).eps if rcond is None else rcond
    left, right = np.vander(x, order), y
    if w is not None:
        w = as_array(w, "np.polyfit") + 0.0
        if w.ndim != 1:
            raise TypeError("expected a 1-d array for weights")
        if w.shape[0] != y.shape[0]:
            raise TypeError("expected w and y to have the same length")
        left = left * w.reshape((-1, 1))
        right = right * (w.reshape((-1, 1)) if y.ndim == 2 else w)
    scale = np.sqrt((left * left).sum(axis=0))
    left = left / scale
    c, residuals, rank, s = lstsq(left, right, rcond)
    c = (c.T / scale).T
    value = concrete(rank)
    if value is not None and np.any(value != order) and not full:
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=3)
    if full:
        return c, residuals, rank, s, rcond
    if not cov:
        return c
    base = inv(left.T @ left) / (scale.reshape((-1, 1)) * scale)
    if cov == "unscaled":
        factor: Any = 1.0
    else:
        if x.shape[0] <= order:
            raise ValueError("the number of data points must exceed order to scale the covariance matrix")
        factor = residuals / (x.shape[0] - order)
        factor = factor[0] if y.ndim == 1 else factor
    return c, base * factor if y.ndim == 1 else base.reshape((*base.shape, 1)) * factor


def _check_fit(x: Any, y: Any, deg: int) -> None:
    if deg < 0:
        raise ValueError("expected deg >= 0")
    if x.ndim != 1:
        raise TypeError("expected 1D vector for x")
    if x.size == 0:
        raise TypeError("expected non-empty vector for x")
    if not 1 <= y.ndim <= 2:
        raise TypeError("expected 1D or 2D array for y")
    if x.shape[0] != y.shape[0]:
        raise TypeError("expected x and y to have same length")
