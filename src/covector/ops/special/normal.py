"""Error functions and the normal distribution. Formulas: DLMF 7.10, 7.12."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.values import dtype_of
from ..families import elementwise
from ..samples import binary, draw, sample, unary
from . import expansions
from .common import exp_square, product_error
from .faddeeva import faddeeva_slope
from .ufuncs import sc

__all__ = ["quantile_slope"]

_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)
_HALF_ROOT_PI = math.sqrt(math.pi) / 2
_ROOT_TWO_PI = math.sqrt(2 * math.pi)
_ROOT_HALF = math.sqrt(0.5)

_SMALL = unary(-1.5, 1.5)
_REAL = unary(-3.0, 3.0, complex_=False)

erf = elementwise(
    "erf",
    sc.erf,
    (lambda out, x: _TWO_OVER_ROOT_PI * exp_square(x, -1.0),),
    singular=False,
    keeps_out=False,
    samples=_SMALL,
)
erfc = elementwise(
    "erfc",
    sc.erfc,
    (lambda out, x: -_TWO_OVER_ROOT_PI * exp_square(x, -1.0),),
    singular=False,
    keeps_out=False,
    samples=_SMALL,
)
erfi = elementwise(
    "erfi",
    sc.erfi,
    (lambda out, x: _TWO_OVER_ROOT_PI * exp_square(x, 1.0),),
    singular=False,
    keeps_out=False,
    samples=_SMALL,
)


# Their formulas 2xf - 2/√π and 1 - 2xf cancel for large arguments; of real numbers the expansions do not.
_LONG = [*unary(-1.5, 1.5, complex_=False), sample(np.array([-2.0, 0.0, 3.1, 10.0, 40.0]))]
erfcx_derivative = elementwise(
    "erfcx_derivative",
    None,
    (lambda out, x: 2 * (sc.erfcx(x) + x * out),),
    impl=expansions.erfcx_slope,
    singular=False,
    samples=_LONG,
    source="DLMF 7.10.3",
)
dawsn_derivative = elementwise(
    "dawsn_derivative",
    None,
    (lambda out, x: -2 * (sc.dawsn(x) + x * out),),
    impl=expansions.dawsn_slope,
    singular=False,
    samples=_LONG,
    source="DLMF 7.10.1",
)


def _erfcx_slope(out: Any, x: Any) -> Any:
    return 2 * x * out - _TWO_OVER_ROOT_PI if dtype_of(x).kind == "c" else erfcx_derivative(x)


def _dawsn_slope(out: Any, x: Any) -> Any:
    return 1 - 2 * x * out if dtype_of(x).kind == "c" else dawsn_derivative(x)


erfcx = elementwise("erfcx", sc.erfcx, (_erfcx_slope,), samples=[*unary(-1.0, 1.5), sample(np.array([-2.0, 40.0]))])
dawsn = elementwise("dawsn", sc.dawsn, (_dawsn_slope,), samples=[*_SMALL, sample(np.array([-40.0, 5.0, 30.0]))])
wofz = elementwise(
    "wofz",
    sc.wofz,
    (lambda out, z: faddeeva_slope(1, z),),
    singular=False,
    keeps_out=False,
    samples=[sample(draw(s, d)) for s, d in (((), complex), ((2, 3), complex), ((3,), np.complex64), ((0,), complex))],
    source="DLMF 7.10.2",
)


def _inverse_slope(out: Any, tail: Any) -> Any:
    """exp(out²) where erfc(|out|) = tail: as erfcx(|out|) / tail, which does not magnify the rounding error of out."""
    return sc.erfcx(np.where(np.less(out, 0), -out, out)) / tail


def _distance(x: Any, ends: Any) -> Any:
    """Of a number in (0, ends) the distance to the nearer end, exactly."""
    return np.where(np.greater(x, 0.5 * ends), ends - x, x)


erfinv = elementwise(
    "erfinv",
    sc.erfinv,
    (lambda out, x: _HALF_ROOT_PI * _inverse_slope(out, 1 - np.where(np.less(x, 0), -x, x)),),
    samples=[*unary(-0.9, 0.9, complex_=False), sample(0.0)],
)
erfcinv = elementwise(
    "erfcinv",
    sc.erfcinv,
    (lambda out, x: -_HALF_ROOT_PI * _inverse_slope(out, _distance(x, 2)),),
    samples=unary(0.1, 1.9, complex_=False),
)

ndtr = elementwise(
    "ndtr",
    sc.ndtr,
    (lambda out, x: exp_square(x, -0.5) / _ROOT_TWO_PI,),
    singular=False,
    keeps_out=False,
    samples=_REAL,
)


def quantile_slope(out: Any, p: Any) -> Any:
    """The derivative of the normal quantile `out` of the probability `p`."""
    return _ROOT_TWO_PI * _inverse_slope(_ROOT_HALF * out, 2 * _distance(p, 1))


ndtri = elementwise(
    "ndtri",
    sc.ndtri,
    (quantile_slope,),
    samples=unary(0.05, 0.95, complex_=False),
)


def _inverse_mills(x: Any) -> Any:
    """φ(x)/Φ(x); in the lower tail, where numerator and denominator underflow, by erfcx."""
    upper = np.greater(x, 0)
    ratio = exp_square(np.where(upper, x, 0), -0.5) / (_ROOT_TWO_PI * sc.ndtr(np.where(upper, x, 0)))
    return np.where(upper, ratio, (2 / _ROOT_TWO_PI) / sc.erfcx(-_ROOT_HALF * np.where(upper, 0, x)))


def _ndtri_exp_slope(out: Any, y: Any) -> Any:
    """Φ/φ at out; for out > 0 as eʸ / ((1 - eʸ) φ/(1-Φ)), which does not magnify the rounding error of out."""
    upper = np.greater(out, 0)
    inside = np.where(upper, y, -1)
    tail = -np.expm1(inside) * _inverse_mills(np.where(upper, -out, 0))
    return np.where(upper, np.exp(inside) / tail, 1 / _inverse_mills(np.where(upper, 0, out)))


log_ndtr = elementwise("log_ndtr", sc.log_ndtr, (lambda out, x: _inverse_mills(x),), keeps_out=False, samples=_REAL)
ndtri_exp = elementwise(
    "ndtri_exp",
    sc.ndtri_exp,
    (_ndtri_exp_slope,),
    samples=unary(-4.0, -0.1, complex_=False),
    source="the inverse of log_ndtr",
)


def _owens_t_by_a(out: Any, h: Any, a: Any) -> Any:
    h = np.clip(h, -64, 64)
    ha = h * a
    correction = 1 - np.where(np.less(np.absolute(ha), 64), ha * product_error(h, a, ha), 0)
    return exp_square(h, -0.5) * exp_square(ha, -0.5) * correction / (2 * math.pi * (1 + a * a))


owens_t = elementwise(
    "owens_t",
    sc.owens_t,
    (
        lambda out, h, a: -exp_square(h, -0.5) * sc.erf(_ROOT_HALF * a * h) / (2 * _ROOT_TWO_PI),
        _owens_t_by_a,
    ),
    keeps_out=False,
    samples=binary(complex_=False),
    source="T(h, a) = ∫₀ᵃ exp(-h²(1+x²)/2)/(2π(1+x²)) dx (Owen 1956)",
)
