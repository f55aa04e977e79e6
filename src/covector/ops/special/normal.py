"""Error functions and the normal distribution. Formulas: DLMF 7.10, 7.12."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special as sc

from ...core.values import dtype_of
from ..families import elementwise
from ..samples import binary, draw, sample, unary

_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)
_HALF_ROOT_PI = math.sqrt(math.pi) / 2
_ROOT_TWO_PI = math.sqrt(2 * math.pi)
_ROOT_HALF = math.sqrt(0.5)

_SMALL = unary(-1.5, 1.5)
_REAL = unary(-3.0, 3.0, complex_=False)

erf = elementwise(
    "erf", sc.erf, (lambda out, x: _TWO_OVER_ROOT_PI * np.exp(-x * x),), singular=False, keeps_out=False, samples=_SMALL
)
erfc = elementwise(
    "erfc",
    sc.erfc,
    (lambda out, x: -_TWO_OVER_ROOT_PI * np.exp(-x * x),),
    singular=False,
    keeps_out=False,
    samples=_SMALL,
)
erfi = elementwise(
    "erfi",
    sc.erfi,
    (lambda out, x: _TWO_OVER_ROOT_PI * np.exp(x * x),),
    singular=False,
    keeps_out=False,
    samples=_SMALL,
)


def _large(x: Any, direct: Any, sign: int, scale: float) -> Any:
    """`direct`, or beyond 25, where it cancels, scale/x² Σ (2k+1)!! (sign/(2x²))ᵏ (DLMF 7.12.1, differentiated)."""
    if dtype_of(x).kind == "c":
        return direct
    far = np.greater(x if sign < 0 else np.absolute(x), 25)
    y = np.where(far, x, 30)
    ratio = (0.5 * sign) / (y * y)
    total: Any = 0
    for k in range(8, 0, -1):
        total = ratio * (2 * k + 1) * (1 + total)
    return np.where(far, scale / (y * y) * (1 + total), direct)


erfcx = elementwise(
    "erfcx",
    sc.erfcx,
    (lambda out, x: _large(x, 2 * x * out - _TWO_OVER_ROOT_PI, -1, -1 / math.sqrt(math.pi)),),
    samples=[*unary(-1.0, 1.5), sample(np.array([-2.0, 10.0, 40.0, 100.0]))],
    source="DLMF 7.10.3",
)
dawsn = elementwise(
    "dawsn",
    sc.dawsn,
    (lambda out, x: _large(x, 1 - 2 * x * out, 1, -0.5),),
    samples=[*_SMALL, sample(np.array([-40.0, -3.0, 5.0, 30.0]))],
    source="DLMF 7.10.1",
)
wofz = elementwise(
    "wofz",
    sc.wofz,
    (lambda out, z: -2 * z * out + _TWO_OVER_ROOT_PI * 1j,),
    singular=False,
    samples=[sample(draw(s, d)) for s, d in (((), complex), ((2, 3), complex), ((3,), np.complex64), ((0,), complex))],
    source="DLMF 7.10.2",
)
erfinv = elementwise(
    "erfinv", sc.erfinv, (lambda out, x: _HALF_ROOT_PI * np.exp(out * out),), samples=unary(-0.9, 0.9, complex_=False)
)
erfcinv = elementwise(
    "erfcinv", sc.erfcinv, (lambda out, x: -_HALF_ROOT_PI * np.exp(out * out),), samples=unary(0.1, 1.9, complex_=False)
)

ndtr = elementwise(
    "ndtr",
    sc.ndtr,
    (lambda out, x: np.exp(-0.5 * x * x) / _ROOT_TWO_PI,),
    singular=False,
    keeps_out=False,
    samples=_REAL,
)
ndtri = elementwise(
    "ndtri",
    sc.ndtri,
    (lambda out, p: _ROOT_TWO_PI * np.exp(0.5 * out * out),),
    samples=unary(0.05, 0.95, complex_=False),
)


def _inverse_mills(x: Any) -> Any:
    """φ(x)/Φ(x), exact in the lower tail, where numerator and denominator underflow."""
    return (2 / _ROOT_TWO_PI) / sc.erfcx(-_ROOT_HALF * x)


log_ndtr = elementwise("log_ndtr", sc.log_ndtr, (lambda out, x: _inverse_mills(x),), keeps_out=False, samples=_REAL)
ndtri_exp = elementwise(
    "ndtri_exp",
    sc.ndtri_exp,
    (lambda out, y: 1 / _inverse_mills(out),),
    samples=unary(-4.0, -0.1, complex_=False),
    source="the inverse of log_ndtr",
)

owens_t = elementwise(
    "owens_t",
    sc.owens_t,
    (
        lambda out, h, a: -np.exp(-0.5 * h * h) * sc.erf(_ROOT_HALF * a * h) / (2 * _ROOT_TWO_PI),
        lambda out, h, a: np.exp(-0.5 * h * h * (1 + a * a)) / (2 * math.pi * (1 + a * a)),
    ),
    singular=False,
    keeps_out=False,
    samples=binary(complex_=False),
    source="T(h, a) = ∫₀ᵃ exp(-h²(1+x²)/2)/(2π(1+x²)) dx (Owen 1956)",
)
