"""First and second derivatives of Faddeeva's function w, whose formulas -2zw + 2i/√π and -2(w + zw') cancel.

On the real axis by Dawson's integral; far from 0 by the asymptotic series; else off the axis by the continued fraction
of the iterated integrals of erfc, of which w⁽ⁿ⁾ = (2i)ⁿ n! exp(-z²) iⁿerfc(-iz). Formulas: DLMF 7.5, 7.12, 7.18.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..families import elementwise
from ..samples import draw, sample
from .expansions import dawsn_slope
from .ufuncs import sc

__all__ = ["faddeeva_slope"]

_FAR = 6.0
_OFF_AXIS = 1.0
_TERMS = 300
_ROOT_PI = math.sqrt(math.pi)


def _asymptotic(n: int, z: Any) -> Any:
    """-i/(√π z²) Σ (2k+1)!!/(2z²)ᵏ and its derivative (DLMF 7.12.1)."""
    ratio = 0.5 / (z * z)
    total, term = np.ones_like(z), np.ones_like(z)
    for k in range(1, 37):
        term = term * ((2 * k + 1) * ratio)
        total = total + (term if n == 1 else (k + 1) * term)
    return -1j / (_ROOT_PI * z * z) * (total if n == 1 else -2 * total / z)


def _iterated(n: int, z: Any) -> Any:
    """2i w r₁ or -8 w r₁ r₂ with the ratios r of successive iterated integrals of erfc (DLMF 7.18.7)."""
    x = -2j * z
    ratio, first = 2 / (x + np.sqrt(x * x + 8 * _TERMS)), np.ones_like(z)
    for k in range(_TERMS - 1, 0, -1):
        ratio = 1 / (x + 2 * (k + 1) * ratio)
        if k == 2:
            first = ratio
    value = sc.wofz(z)
    return 2j * value * ratio if n == 1 else -8 * value * ratio * first


def _direct(n: int, z: Any) -> Any:
    value = sc.wofz(z)
    slope = -2 * z * value + 2j / _ROOT_PI
    real = z.imag == 0
    if np.any(real):
        x = z.real
        dawson = np.where(real, dawsn_slope(np.where(real, x, 0)), 0)
        slope = np.where(real, -2 * x * np.exp(-(x * x)) + 2j / _ROOT_PI * dawson, slope)
    return slope if n == 1 else -2 * (value + z * slope)


def _upper(n: int, z: Any) -> Any:
    """The derivative in the upper half plane, flat."""
    out = np.empty_like(z)
    far = np.abs(z) >= _FAR
    off = ~far & (z.imag >= _OFF_AXIS)
    for mask, compute in ((far, _asymptotic), (off, _iterated), (~far & ~off, _direct)):
        if np.any(mask):
            out[mask] = compute(n, z[mask])
    return out


def _slope(n: Any, z: Any) -> Any:
    dtype = np.result_type(z, np.complex64)
    n, z = np.broadcast_arrays(n, np.asarray(z, complex))
    out = np.empty_like(z)
    with np.errstate(all="ignore"):
        for order in np.unique(n):
            at = n == order
            own = z[at]
            low = own.imag < 0
            value = _upper(int(order), np.where(low, -own, own))
            gauss = 2 * np.exp(-own * own)  # w(z) = 2 exp(-z²) - w(-z)
            reflected = -2 * own * gauss + value if order == 1 else (4 * own * own - 2) * gauss - value
            out[at] = np.where(low, reflected, value)
    return out.astype(dtype)[()]


faddeeva_slope = elementwise(
    "faddeeva_slope",
    None,
    (
        None,
        lambda out, n, z: -2 * (z * out + int(n) * (sc.wofz(z) if int(n) == 1 else faddeeva_slope(int(n) - 1, z))),
    ),
    impl=_slope,
    singular=False,
    samples=[
        sample(1, draw((), complex)),
        sample(2, draw((2, 3), complex)),
        sample(1, draw((3,), np.complex64)),
        sample(1, np.array([3.0 + 0j, 8j, 9.0 - 1e-3j, 1 - 2j]), label="regions"),
        sample(2, draw((0,), complex)),
    ],
    source="DLMF 7.10.2, 7.18.2",
)
