"""First derivatives of erfcx and of Dawson's integral, whose formulas 2xf - 2/√π and 1 - 2xf cancel.

Taylor series about the nearest multiple of 1/4 up to 12, asymptotic series beyond. Formulas: DLMF 7.10, 7.12, 7.18.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from .common import exp_square
from .ufuncs import sc

__all__ = ["dawsn_slope", "erfcx_slope"]

_REACH = 12
_STEPS = 4
_TERMS = 16
_BITS = 500


@lru_cache(maxsize=1)
def _erfcx_coefficients() -> Any:
    """Row j: the Taylor coefficients (-2)ⁿ exp(x²) iⁿerfc(x) of erfcx about x = j/4 (DLMF 7.18.2).

    The ratio of successive iⁿerfc is the continued fraction of their recurrence (DLMF 7.18.7), of positive terms.
    """
    x = np.arange(_REACH * _STEPS + 1) / _STEPS
    ratios = np.zeros((_TERMS + 1, x.size))
    ratio = np.zeros(x.size)
    for n in range(3000, 0, -1):
        ratio = 1 / (2 * x + 2 * (n + 1) * ratio) if n < 3000 else 1 / (x + np.sqrt(x * x + 2 * n))
        if n <= _TERMS:
            ratios[n] = ratio
    for n in range(1, _TERMS + 1):  # the fraction converges slowly at 0
        ratios[n, 0] = math.gamma((n - 1) / 2 + 1) / math.gamma(n / 2 + 1) / 2
    ratios[0] = sc.erfcx(x)
    return (np.cumprod(ratios, axis=0) * (-2.0) ** np.arange(_TERMS + 1)[:, None]).T


@lru_cache(maxsize=1)
def _dawsn_coefficients() -> Any:
    """Row j: the Taylor coefficients of Dawson's integral about j/4.

    From (n + 1) d₍ₙ₊₁₎ = -2x dₙ - 2 d₍ₙ₋₁₎, which is unstable and hence computed with whole numbers of 500 bits, as is
    F(x) = Σ (-2x²)ᵏ x / (2k + 1)!!.
    """
    rows = []
    for j in range(_REACH * _STEPS + 1):
        term = total = (j << _BITS) // _STEPS
        k = 0
        while term:
            k += 1
            term = -term * 2 * j * j // (_STEPS**2 * (2 * k + 1)) if abs(term) > 1 else 0
            total += term
        d = [total, (1 << _BITS) - 2 * j * total // _STEPS]
        for n in range(1, _TERMS):
            d.append((-2 * j * d[n] // _STEPS - 2 * d[n - 1]) // (n + 1))
        rows.append([float(c / (1 << _BITS)) for c in d])
    return np.array(rows)


def _series_slope(coefficients: Callable[[], Any], x: Any) -> Any:
    """Derivative of the Taylor series about the nearest grid point, for 0 ≤ x ≤ 12."""
    j = np.rint(x * _STEPS).astype(int)
    h = x - j / _STEPS
    rows = coefficients()[j]
    total = rows[..., _TERMS] * _TERMS
    for n in range(_TERMS - 1, 0, -1):
        total = total * h + n * rows[..., n]
    return total


def _far_slope(x: Any, sign: int) -> Any:
    """-1/(2x²) Σ (2k+1)!! (sign/(2x²))ᵏ (DLMF 7.12.1, differentiated), for x > 12."""
    ratio = 0.5 / (x * x)
    total = np.zeros_like(ratio)
    for k in range(14, 0, -1):
        total = sign * ratio * (2 * k + 1) * (1 + total)
    return -ratio * (1 + total)


def dawsn_slope(x: Any) -> Any:
    """Return the derivative 1 - 2x F(x) of Dawson's integral of real numbers."""
    with np.errstate(invalid="ignore", over="ignore"):
        y = np.absolute(np.asarray(x, float))
        near = y <= _REACH
        out = np.where(
            near,
            _series_slope(_dawsn_coefficients, np.where(near, y, 0)),
            _far_slope(np.where(near, 30, y), 1),
        )
    return np.where(np.isnan(y), y, out).astype(_real_dtype(x))[()]


def erfcx_slope(x: Any) -> Any:
    """Return the derivative 2x erfcx(x) - 2/√π of erfcx of real numbers."""
    scale = 2 / math.sqrt(math.pi)
    with np.errstate(invalid="ignore", over="ignore"):
        y = np.asarray(x, float)
        left = y < 0
        near = y <= _REACH
        series = _series_slope(_erfcx_coefficients, np.where(near & ~left, y, 0))
        right = np.where(near, series, scale * _far_slope(np.where(near, 30, y), -1))
        z = np.where(left, y, 0)
        out = np.where(left, 2 * z * (2 * exp_square(z, 1.0) - sc.erfcx(-z)) - scale, right)
    return np.where(np.isnan(y), y, out).astype(_real_dtype(x))[()]


def _real_dtype(x: Any) -> Any:
    dtype = np.asarray(x).dtype
    return dtype if dtype.kind == "f" else float
