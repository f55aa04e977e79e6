"""Gamma and beta functions and their relatives. Formulas: DLMF chapters 5, 8 and 25."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import _ufuncs

from ...core.dispatch import REFUSED
from ...core.values import dtype_of
from ..families import constant, elementwise
from ..samples import binary, draw, sample, unary
from ..trigonometric import sine_and_cosine
from .common import parameter, real_only, sum_error, with_parameters
from .incomplete_beta import beta_slope
from .incomplete_densities import beta_density, gamma_density
from .incomplete_gamma import gamma_slope
from .ufuncs import sc

_POSITIVE = unary(0.3, 4.0, complex_=False)
_NEGATIVE = [sample(np.array([-0.5, -1.3, -2.7]), label="negative")]


def _polygamma(n: Any, x: Any) -> Any:
    """ψ⁽ⁿ⁾(x) = (-1)ⁿ⁺¹ n! ζ(n+1, x) for n ≥ 1 (DLMF 25.11.12)."""
    n = np.asarray(n, dtype_of(x))
    return np.where(n % 2, 1, -1).astype(dtype_of(x)) * sc.gamma(n + 1) * _ufuncs._zeta(n + 1, x)


polygamma = elementwise(
    "polygamma",
    None,
    (None, lambda out, n, x: polygamma(n + 1, x)),
    impl=_polygamma,
    keeps_out=False,
    samples=[
        sample(1, draw((), low=0.3, high=4.0)),
        sample(np.array([[1], [2]]), draw((3,), low=0.3, high=4.0)),
        sample(1, draw((3,), np.float32, 0.3, 4.0)),
        sample(1, draw((0,))),
    ],
    source="DLMF 5.15.1",
)
trigamma = elementwise(
    "trigamma",
    None,
    (lambda out, x: polygamma(2, x),),
    impl=lambda x: _polygamma(1, x),
    keeps_out=False,
    samples=[*_POSITIVE, *_NEGATIVE],
    source="DLMF 5.15.1; polygamma of order 1 apart, because compiled programs have a formula for it",
)


def _trigamma(x: Any) -> Any:
    real_only("digamma", x)
    return trigamma(x)


digamma = elementwise(
    "digamma", sc.digamma, (lambda out, x: _trigamma(x),), keeps_out=False, samples=[*_POSITIVE, *_NEGATIVE]
)


def _digamma(x: Any) -> Any:
    """ψ(x), for real x left of -1/2 by reflection (DLMF 5.5.4) with the exact distance to the pole."""
    if dtype_of(x).kind == "c":
        return sc.digamma(x)
    left = np.less(x, -0.5)
    z = np.where(left, x, 0.25)
    reflected = sc.digamma(1 - z) - math.pi / np.tan(math.pi * (z - np.rint(z)))
    return np.where(left, reflected, sc.digamma(np.where(left, 1, x)))


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)
_SHIFT = 10


def _digamma_difference(a: Any, b: Any) -> Any:
    """ψ(a + b) - ψ(a), for positive a and a + b without cancellation for small b.

    By recurrence up to a + 10 (DLMF 5.5.2), and there by the difference of the asymptotic series (DLMF 5.11.2), each
    term of which is a difference of powers: x⁻ⁿ - (x + b)⁻ⁿ = -x⁻ⁿ expm1(-n log1p(b/x)).
    """
    regular = np.logical_and(np.greater(a, 0), np.greater(a + b, 0))
    p, d = np.where(regular, a, 1), np.where(regular, b, 0)
    total: Any = 0
    for k in range(_SHIFT):
        total = total + (d / (p + d + k)) / (p + k)
    x = p + _SHIFT
    log = np.log1p(d / x)
    total = total + log - 0.5 * np.expm1(-log) / x
    for n, number in enumerate(_BERNOULLI, 1):
        total = total - number / (2 * n) * np.expm1(-2 * n * log) * np.power(x, -2.0 * n)
    z, e = np.where(regular, 1, a), np.where(regular, 0, b)
    return np.where(regular, total, _digamma(z + e) - _digamma(z))


gammaln = elementwise(
    "gammaln", sc.gammaln, (lambda out, x: _digamma(x),), keeps_out=False, samples=[*_POSITIVE, *_NEGATIVE]
)
loggamma = elementwise("loggamma", sc.loggamma, (lambda out, x: sc.digamma(x),), keeps_out=False, samples=_POSITIVE)
gamma = elementwise("gamma", sc.gamma, (lambda out, x: out * _digamma(x),), samples=[*_POSITIVE, *_NEGATIVE])
constant("gammasgn", sc.gammasgn, ufunc=sc.gammasgn, samples=_POSITIVE)


def _rgamma_derivative(out: Any, x: Any) -> Any:
    """-ψ(x)/Γ(x); left of 1/2 by reflection (DLMF 5.5.3), which has no poles there."""
    left = np.less(np.real(x), 0.5)
    reflected = np.where(left, 1 - x, 1)
    sine, cosine = sine_and_cosine(x)
    by_reflection = sc.gamma(reflected) * (cosine - sc.digamma(reflected) * sine / math.pi)
    return np.where(left, by_reflection, -out * sc.digamma(np.where(left, 1, x)))


rgamma = elementwise(
    "rgamma",
    sc.rgamma,
    (_rgamma_derivative,),
    samples=[*_POSITIVE, *_NEGATIVE, sample(np.array([0.0, -1.0, -3.0]), label="poles of gamma")],
)


# SciPy's beta and its kin are exponentials of sums of logarithms, or asymptotic where these need not be. Their slopes
# take the quotients of gamma functions instead, while these can be represented.


def _at_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """Γ(a + b) and 1/Γ(a + b), with the rounding error of a + b."""
    total = a + b
    rate = sum_error(a, b, total) * sc.digamma(total)
    return sc.gamma(total) * (1 + rate), sc.rgamma(total) * (1 - rate)


def _accurate(out: Any, value: Any, *sizes: Any) -> Any:
    """`value` where all sizes lie in (0, 150], else `out`."""
    inside: Any = True
    for x in sizes:
        inside = np.logical_and(inside, np.logical_and(np.greater(x, 0), np.less_equal(x, 150)))
    return np.where(inside, value, out)


def _beta_value(out: Any, a: Any, b: Any) -> Any:
    return _accurate(out, sc.gamma(a) * _at_sum(a, b)[1] * sc.gamma(b), a, b, a + b)


def _rest(n: Any, k: Any) -> tuple[Any, Any]:
    """n - k + 1 and its rounding error."""
    difference = n - k
    total = difference + 1.0
    return total, sum_error(n, -k, difference) + sum_error(difference, 1.0, total)


def _binom_rate(n: Any, k: Any, step: Any) -> Any:
    """ψ(r + step) - ψ(r), r = n - k + 1, with the rounding error of r."""
    total, error = _rest(n, k)
    regular = np.logical_and(np.greater(total, 0), np.greater(total + step, 0))
    first, last = np.where(regular, total, 1.0), np.where(regular, total + step, 1.0)
    return _digamma_difference(total, step) + error * (trigamma(last) - trigamma(first))


def _binom_value(out: Any, n: Any, k: Any) -> Any:
    """Γ(n+1) / (Γ(k+1) Γ(n-k+1)) (DLMF 1.2.6)."""
    total, error = _rest(n, k)
    bottom = sc.rgamma(total) * (1 - error * sc.digamma(total))
    return _accurate(out, _at_sum(n, 1.0)[0] * _at_sum(k, 1.0)[1] * bottom, n + 1, k + 1, total)


def _poch_value(out: Any, z: Any, m: Any) -> Any:
    return _accurate(out, _at_sum(z, m)[0] * sc.rgamma(z), z, z + m)


def _digamma_sum(a: Any, b: Any) -> Any:
    """ψ(a + b) with the rounding error of a + b."""
    total = a + b
    return _digamma(total) + sum_error(a, b, total) * trigamma(np.where(np.greater(total, 0), total, 1.0))


beta = elementwise(
    "beta",
    sc.beta,
    (
        lambda out, a, b: -_beta_value(out, a, b) * _digamma_difference(a, b),
        lambda out, a, b: -_beta_value(out, a, b) * _digamma_difference(b, a),
    ),
    samples=binary((0.5, 3.0), (0.5, 3.0), complex_=False),
)
betaln = elementwise(
    "betaln",
    sc.betaln,
    (
        lambda out, a, b: -_digamma_difference(a, b),
        lambda out, a, b: -_digamma_difference(b, a),
    ),
    keeps_out=False,
    samples=binary((0.5, 3.0), (0.5, 3.0), complex_=False),
)
binom = elementwise(
    "binom",
    sc.binom,
    (
        lambda out, n, k: _binom_value(out, n, k) * _binom_rate(n, k, k),
        lambda out, n, k: -_binom_value(out, n, k) * _binom_rate(n, k, 2 * k - n),
    ),
    samples=binary((3.2, 5.0), (0.5, 2.0), complex_=False),
)
poch = elementwise(
    "poch",
    sc.poch,
    (
        lambda out, z, m: _poch_value(out, z, m) * _digamma_difference(z, m),
        lambda out, z, m: _poch_value(out, z, m) * _digamma_sum(z, m),
    ),
    samples=binary((0.5, 3.0), (0.5, 2.0), complex_=False),
)

# scipy.special.zeta is a function of two ufuncs: with and without its second argument.


def _zeta_by_q(out: Any, s: Any, q: Any) -> Any:
    """-s ζ(s+1, q), for tiny q, where the first term q⁻ˢ⁻¹ rules, with the rounding error of s + 1."""
    total = s + 1.0
    tiny = np.logical_and(np.greater(q, 0), np.less(q, 0.1))
    error = sum_error(s, 1.0, total) * np.log(np.where(tiny, q, 1))
    return -s * _ufuncs._zeta(total, q) * (1 - error)


hurwitz_zeta = elementwise(
    "zeta",
    _ufuncs._zeta,
    (parameter("zeta", "x"), _zeta_by_q),
    keeps_out=False,
    samples=with_parameters(3, low=0.5, high=3.0),
    source="DLMF 25.11.17",
)
for _ufunc in (_ufuncs._riemann_zeta, sc.zetac):
    REFUSED[_ufunc] = "its derivative has no closed form in functions that SciPy offers; keep its argument constant"


# --- incomplete gamma -------------------------------------------------------------------------------------------------

_SHAPE = with_parameters(2, low=0.3, high=4.0)
_QUANTILE = with_parameters(2, low=0.1, high=0.9)

gammainc = elementwise(
    "gammainc",
    sc.gammainc,
    (lambda out, a, x: gamma_slope(1, a, x), lambda out, a, x: gamma_density(a, x)),
    keeps_out=False,
    samples=_SHAPE,
)
gammaincc = elementwise(
    "gammaincc",
    sc.gammaincc,
    (lambda out, a, x: -gamma_slope(1, a, x), lambda out, a, x: -gamma_density(a, x)),
    keeps_out=False,
    samples=_SHAPE,
)
gammaincinv = elementwise(
    "gammaincinv",
    sc.gammaincinv,
    (lambda out, a, y: -gamma_slope(1, a, out) / gamma_density(a, out), lambda out, a, y: 1 / gamma_density(a, out)),
    samples=_QUANTILE,
)
gammainccinv = elementwise(
    "gammainccinv",
    sc.gammainccinv,
    (lambda out, a, y: -gamma_slope(1, a, out) / gamma_density(a, out), lambda out, a, y: -1 / gamma_density(a, out)),
    samples=_QUANTILE,
)


# --- incomplete beta --------------------------------------------------------------------------------------------------

_UNIT = with_parameters(2, 3, low=0.1, high=0.9)

betainc = elementwise(
    "betainc",
    sc.betainc,
    (
        lambda out, a, b, x: beta_slope(1, 0, a, b, x),
        lambda out, a, b, x: beta_slope(0, 1, a, b, x),
        lambda out, a, b, x: beta_density(a, b, x),
    ),
    keeps_out=False,
    samples=_UNIT,
)
betaincc = elementwise(
    "betaincc",
    sc.betaincc,
    (
        lambda out, a, b, x: -beta_slope(1, 0, a, b, x),
        lambda out, a, b, x: -beta_slope(0, 1, a, b, x),
        lambda out, a, b, x: -beta_density(a, b, x),
    ),
    keeps_out=False,
    samples=_UNIT,
)
betaincinv = elementwise(
    "betaincinv",
    sc.betaincinv,
    (
        lambda out, a, b, y: -beta_slope(1, 0, a, b, out) / beta_density(a, b, out),
        lambda out, a, b, y: -beta_slope(0, 1, a, b, out) / beta_density(a, b, out),
        lambda out, a, b, y: 1 / beta_density(a, b, out),
    ),
    samples=_UNIT,
)
betainccinv = elementwise(
    "betainccinv",
    sc.betainccinv,
    (
        lambda out, a, b, y: -beta_slope(1, 0, a, b, out) / beta_density(a, b, out),
        lambda out, a, b, y: -beta_slope(0, 1, a, b, out) / beta_density(a, b, out),
        lambda out, a, b, y: -1 / beta_density(a, b, out),
    ),
    samples=_UNIT,
)
