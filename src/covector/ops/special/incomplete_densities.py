"""The densities of the gamma and beta distributions and their derivatives with respect to the parameters.

They are the mixed derivatives of the incomplete gamma and beta functions (DLMF 8.8.13, 8.17.1). Powers times reciprocal
gamma functions while these can be represented, because the exponential of a sum of logarithms magnifies the rounding
error of the sum; beyond, Stirling's formula about the mean, whose large terms cancel exactly: Loader (2000), "Fast and
accurate computation of binomial probabilities".
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from scipy.special import _ufuncs

from ..families import elementwise
from ..samples import draw, sample
from .common import product_error, sum_error
from .several import in_double
from .ufuncs import sc

__all__ = [
    "beta_density",
    "beta_density_slope",
    "f_density",
    "gamma_density",
    "gamma_density_slope",
    "reciprocal_beta",
    "scaled_gamma_density",
]

_LARGE = 150.0


def _polygamma(n: int, x: Any) -> Any:
    from .gamma import polygamma

    return polygamma(n, x) if n else sc.digamma(x)


def _lowered(a: Any) -> tuple[Any, Any]:
    """The power (a - 1, 0), or (a, 1) divided by x once, where a - 1 would be rounded."""
    small = np.less(a, 0.5)
    return np.where(small, a, a - 1), small


def _stirling_error(a: Any) -> Any:
    """log Γ(a) - (a - 1/2) log a + a - log(2π)/2 (DLMF 5.11.1)."""
    large = np.maximum(a, 15.0)
    square = 1 / (large * large)
    series = (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - square / 1188) * square) * square) * square) / large
    small = np.minimum(a, 15.0)
    direct = sc.gammaln(small) - (small - 0.5) * np.log(small) + small - 0.5 * math.log(2 * math.pi)
    return np.where(a < 15, direct, series)


# --- gamma ------------------------------------------------------------------------------------------------------------


def _gamma_density(a: Any, x: Any) -> Any:
    with np.errstate(all="ignore"):
        large = a > _LARGE
        small = np.where(large, 1.0, a)
        power, below = _lowered(small)
        half = np.power(x, 0.5 * power) * np.exp(-0.5 * x)  # its square may not be representable
        direct = half * sc.rgamma(small) * half / np.where(below, x, 1.0)
        direct = np.where((x == 0) & below, np.inf, direct)
        p = np.where(large, a, 200.0)
        exponent = p * _ufuncs._log1pmx((x - p) / p) - _stirling_error(p)
        return np.where(large, np.exp(exponent) * np.sqrt(p / (2 * math.pi)) / x, direct)[()]


def _at_zero(a: Any, out: Any) -> Any:
    """The derivative of the density by x at 0."""
    ahead = np.where(np.equal(a, 2), 1.0, np.where(np.greater(a, 2) | np.equal(a, 1), 0.0, np.inf * np.sign(a - 1)))
    return ahead - out


def _gamma_by_x(out: Any, a: Any, x: Any) -> Any:
    zero = np.equal(x, 0)
    return np.where(zero, _at_zero(a, out), out * ((a - 1) / np.where(zero, 1, x) - 1))


_SHAPE = {"low": 0.5, "high": 3.0}
gamma_density = elementwise(
    "gamma_density",
    None,
    (lambda out, a, x: out * (np.log(x) - sc.digamma(a)), _gamma_by_x),
    impl=in_double(_gamma_density),
    samples=[
        sample(1.7, draw((), low=0.3, high=4.0)),
        sample(draw((3,), **_SHAPE), draw((2, 3), low=0.3, high=9.0)),
        sample(draw((3,), np.float32, **_SHAPE), draw((3,), np.float32, low=0.3, high=4.0)),
        sample(np.array([160.0, 400.0]), np.array([150.0, 430.0]), label="Stirling"),
        sample(2.5, draw((0,))),
    ],
    source="DLMF 8.8.13; Loader (2000)",
)


def scaled_gamma_density(a: Any, scale: Any, x: Any) -> Any:
    """The density at scale · x, to first order also of the product's rounding error."""
    y = scale * x
    finite = np.greater(y, 0)
    safe = np.where(finite, y, 1)
    error = product_error(np.where(finite, scale, 1), np.where(finite, x, 1), safe)
    return gamma_density(a, y) * (1 + np.where(finite, error * ((a - 1) / safe - 1), 0))


def gamma_density_slope(n: int, a: Any, x: Any) -> Any:
    """∂ⁿ/∂aⁿ of the density f, by f' = f g with g = log x - ψ(a) and Leibniz' rule."""
    slopes = [gamma_density(a, x)]
    factors = [np.log(x) - sc.digamma(a), *[-_polygamma(k, a) for k in range(1, n)]]
    for i in range(n):
        slopes.append(sum(math.comb(i, k) * slopes[k] * factors[i - k] for k in range(i + 1)))
    return slopes[n]


# --- beta -------------------------------------------------------------------------------------------------------------


def reciprocal_beta(a: Any, b: Any) -> Any:
    """1/B(a, b) of plain positive numbers with a + b ≤ 150, with the rounding error of a + b (DLMF 5.12.1)."""
    total = a + b
    return sc.rgamma(a) * sc.gamma(total) * sc.rgamma(b) * (1 + sum_error(a, b, total) * sc.digamma(total))


def _beta_prefix(a: Any, b: Any, x: Any, y: Any) -> Any:
    """xᵃ yᵇ / B(a, b) for large a + b and x + y = 1 by Stirling's formula about the mean."""
    total = a + b
    excess = x * b - y * a
    exponent = a * _ufuncs._log1pmx(excess / a) + b * _ufuncs._log1pmx(-excess / b)
    exponent = exponent + _stirling_error(total) - _stirling_error(a) - _stirling_error(b)
    return np.exp(exponent) * np.sqrt(a / (2 * math.pi) * (b / total))


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    with np.errstate(all="ignore"):
        y = 1 - x
        error = (1 - y) - x
        large = a + b > _LARGE
        p, q = np.where(large, 1.0, a), np.where(large, 1.0, b)
        (m, first), (n, second) = _lowered(p), _lowered(q)
        half = np.power(x, 0.5 * m) * np.power(y, 0.5 * n)  # its square may not be representable
        direct = half * reciprocal_beta(p, q) * half
        direct = direct / (np.where(first, x, 1.0) * np.where(second, y, 1.0))
        direct = np.where(((x == 0) & first) | ((y == 0) & second), np.inf, direct)
        direct = direct * (1 + np.where(y > 0, (q - 1) * error / np.where(y > 0, y, 1), 0))
        p, q = np.where(large, a, _LARGE), np.where(large, b, _LARGE)
        return np.where(large, _beta_prefix(p, q, x, y) / (x * y), direct)[()]


def _beta_by_x(out: Any, a: Any, b: Any, x: Any) -> Any:
    first, last = np.equal(x, 0), np.equal(x, 1)
    inside = out * ((a - 1) / np.where(first, 1, x) - (b - 1) / np.where(last, 1, 1 - x))
    # Where the exponent is 0, so is its term; else the density is 0 or infinite and the quotient means its limit.
    rate = np.where(first, np.where(np.equal(a, 1), -(b - 1), np.where(np.greater(a, 2), 0, np.inf)), 0)
    rate = np.where(last, np.where(np.equal(b, 1), a - 1, np.where(np.greater(b, 2), 0, np.inf)), rate)
    return np.where(first | last, rate * np.where(np.equal(out, 0), 1, out), inside)


beta_density = elementwise(
    "beta_density",
    None,
    (
        lambda out, a, b, x: out * (np.log(x) - sc.digamma(a) + sc.digamma(a + b)),
        lambda out, a, b, x: out * (np.log1p(-x) - sc.digamma(b) + sc.digamma(a + b)),
        _beta_by_x,
    ),
    impl=in_double(_beta_density),
    samples=[
        sample(1.7, 2.3, draw((), low=0.1, high=0.9)),
        sample(draw((3,), **_SHAPE), draw((2, 1), **_SHAPE), draw((3,), low=0.1, high=0.9)),
        sample(draw((3,), np.float32, **_SHAPE), 2.5, draw((3,), np.float32, low=0.1, high=0.9)),
        sample(np.array([160.0, 3.0]), np.array([150.0, 430.0]), np.array([0.5, 0.01]), label="Stirling"),
        sample(2.5, 1.5, draw((0,))),
    ],
    source="DLMF 8.17.1; Loader (2000)",
)


def _f_density(m: Any, n: Any, x: Any) -> Any:
    """wᵃ vᵇ / (x B(a, b)) with a = m/2, b = n/2, w = mx/(n + mx) and v = n/(n + mx), and their rounding errors."""
    with np.errstate(all="ignore"):
        a, b = 0.5 * m, 0.5 * n
        top = m * x
        bottom = n + top
        top_error = product_error(m, x, top)
        bottom_error = (sum_error(n, top, bottom) + top_error) / bottom
        w, v = top / bottom, n / bottom
        error = a * (top_error / top + _quotient_error(top, bottom, w) - bottom_error)
        error = error + b * (_quotient_error(n, bottom, v) - bottom_error)
        error = np.where(np.isfinite(error), error, 0.0)
        large = a + b > _LARGE
        p, q = np.where(large, 1.0, a), np.where(large, 1.0, b)
        power, below = _lowered(p)
        half = np.power(w, 0.5 * power) * np.power(v, 0.5 * q)
        direct = half * reciprocal_beta(p, q) * half * np.where(below, 1 / x, w / x) * (1 + error)
        p, q = np.where(large, a, _LARGE), np.where(large, b, _LARGE)
        inside = np.where(large, _beta_prefix(p, q, w, v) / x, direct)
        at_zero = np.where(m > 2, 0.0, np.where(m == 2, 1.0, np.inf))
        return np.where(x == 0, at_zero, inside)[()]


def _quotient_error(p: Any, q: Any, quotient: Any) -> Any:
    """The relative rounding error of p/q."""
    back = quotient * q
    return ((p - back) - product_error(quotient, q, back)) / p


def _f_by_first(out: Any, m: Any, n: Any, x: Any) -> Any:
    total = n + m * x
    return 0.5 * out * (np.log(m * x / total) + n * (1 - x) / total + sc.digamma(0.5 * (m + n)) - sc.digamma(0.5 * m))


def _f_by_second(out: Any, m: Any, n: Any, x: Any) -> Any:
    total = n + m * x
    return 0.5 * out * (np.log(n / total) + m * (x - 1) / total + sc.digamma(0.5 * (m + n)) - sc.digamma(0.5 * n))


f_density = elementwise(
    "f_density",
    None,
    (
        _f_by_first,
        _f_by_second,
        lambda out, m, n, x: out * ((0.5 * m - 1) / x - 0.5 * (m + n) * m / (n + m * x)),
    ),
    impl=in_double(_f_density),
    samples=[
        sample(3.4, 5.2, draw((), low=0.3, high=4.0)),
        sample(draw((3,), **_SHAPE), draw((2, 1), **_SHAPE), draw((3,), low=0.3, high=4.0)),
        sample(draw((3,), np.float32, **_SHAPE), 2.5, draw((3,), np.float32, low=0.3, high=4.0)),
        sample(2.5, 1.5, draw((0,))),
    ],
    source="the density of I_w(m/2, n/2) at w = mx/(n + mx)",
)


def beta_density_slope(n: int, m: int, a: Any, b: Any, x: Any) -> Any:
    """∂ⁿ⁺ᵐ/∂aⁿ∂bᵐ of the density f, by ∂f/∂a = f g, g = log x - ψ(a) + ψ(a+b), likewise in b, and Leibniz' rule."""

    @cache
    def shared(k: int) -> Any:
        return _polygamma(k, a + b)

    @cache
    def first(k: int, j: int) -> Any:
        """∂ᵏ⁺ʲ/∂aᵏ∂bʲ of g."""
        factor = shared(k + j)
        if j == 0:
            factor = factor - _polygamma(k, a)
        return factor + np.log(x) if k == j == 0 else factor

    @cache
    def second(j: int) -> Any:
        """∂ʲ/∂bʲ of the factor of ∂f/∂b."""
        factor = shared(j) - _polygamma(j, b)
        return factor + np.log1p(-x) if j == 0 else factor

    @cache
    def slope(i: int, j: int) -> Any:
        if i:
            return sum(
                math.comb(i - 1, k) * math.comb(j, h) * slope(k, h) * first(i - 1 - k, j - h)
                for k in range(i)
                for h in range(j + 1)
            )
        if j:
            return sum(math.comb(j - 1, h) * slope(0, h) * second(j - 1 - h) for h in range(j))
        return beta_density(a, b, x)

    return slope(n, m)
