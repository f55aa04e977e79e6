"""Gamma and beta functions and their relatives. Formulas: DLMF chapters 5, 8 and 25."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special as sc
from scipy.special import _ufuncs

from ...core.dispatch import REFUSED
from ...core.values import dtype_of
from ..families import constant, elementwise
from ..samples import binary, draw, sample, unary
from .common import parameter, real_only, with_parameters

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


def _trigamma(x: Any) -> Any:
    real_only("digamma", x)
    return polygamma(1, x)


digamma = elementwise(
    "digamma", sc.digamma, (lambda out, x: _trigamma(x),), keeps_out=False, samples=[*_POSITIVE, *_NEGATIVE]
)
gammaln = elementwise(
    "gammaln", sc.gammaln, (lambda out, x: sc.digamma(x),), keeps_out=False, samples=[*_POSITIVE, *_NEGATIVE]
)
loggamma = elementwise("loggamma", sc.loggamma, (lambda out, x: sc.digamma(x),), keeps_out=False, samples=_POSITIVE)
gamma = elementwise("gamma", sc.gamma, (lambda out, x: out * sc.digamma(x),), samples=[*_POSITIVE, *_NEGATIVE])
constant("gammasgn", sc.gammasgn, ufunc=sc.gammasgn, samples=_POSITIVE)


def _rgamma_derivative(out: Any, x: Any) -> Any:
    """-ψ(x)/Γ(x); left of 1/2 by reflection (DLMF 5.5.3), which has no poles there."""
    left = np.less(np.real(x), 0.5)
    reflected = np.where(left, 1 - x, 1)
    sine, cosine = np.sin(math.pi * x), np.cos(math.pi * x)
    by_reflection = sc.gamma(reflected) * (cosine - sc.digamma(reflected) * sine / math.pi)
    return np.where(left, by_reflection, -out * sc.digamma(np.where(left, 1, x)))


rgamma = elementwise(
    "rgamma",
    sc.rgamma,
    (_rgamma_derivative,),
    samples=[*_POSITIVE, *_NEGATIVE, sample(np.array([0.0, -1.0, -3.0]), label="poles of gamma")],
)

beta = elementwise(
    "beta",
    sc.beta,
    (
        lambda out, a, b: out * (sc.digamma(a) - sc.digamma(a + b)),
        lambda out, a, b: out * (sc.digamma(b) - sc.digamma(a + b)),
    ),
    samples=binary((0.5, 3.0), (0.5, 3.0), complex_=False),
)
betaln = elementwise(
    "betaln",
    sc.betaln,
    (
        lambda out, a, b: sc.digamma(a) - sc.digamma(a + b),
        lambda out, a, b: sc.digamma(b) - sc.digamma(a + b),
    ),
    keeps_out=False,
    samples=binary((0.5, 3.0), (0.5, 3.0), complex_=False),
)
binom = elementwise(
    "binom",
    sc.binom,
    (
        lambda out, n, k: out * (sc.digamma(n + 1) - sc.digamma(n - k + 1)),
        lambda out, n, k: out * (sc.digamma(n - k + 1) - sc.digamma(k + 1)),
    ),
    samples=binary((3.2, 5.0), (0.5, 2.0), complex_=False),
)
poch = elementwise(
    "poch",
    sc.poch,
    (
        lambda out, z, m: out * (sc.digamma(z + m) - sc.digamma(z)),
        lambda out, z, m: out * sc.digamma(z + m),
    ),
    samples=binary((0.5, 3.0), (0.5, 2.0), complex_=False),
)

# scipy.special.zeta is a function of two ufuncs: with and without its second argument.
hurwitz_zeta = elementwise(
    "zeta",
    _ufuncs._zeta,
    (parameter("zeta", "x"), lambda out, s, q: -s * _ufuncs._zeta(s + 1, q)),
    keeps_out=False,
    samples=with_parameters(3, low=0.5, high=3.0),
    source="DLMF 25.11.17",
)
for _ufunc in (_ufuncs._riemann_zeta, sc.zetac):
    REFUSED[_ufunc] = "its derivative has no closed form in functions that SciPy offers; keep its argument constant"


# --- incomplete gamma -------------------------------------------------------------------------------------------------


def _gamma_density(a: Any, x: Any) -> Any:
    """xᵃ⁻¹ e⁻ˣ / Γ(a) (DLMF 8.8.13)."""
    return np.exp(sc.xlogy(a - 1, x) - x - sc.gammaln(a))


_SHAPE = with_parameters(2, low=0.3, high=4.0)
_QUANTILE = with_parameters(2, low=0.1, high=0.9)

gammainc = elementwise(
    "gammainc",
    sc.gammainc,
    (parameter("gammainc", "a"), lambda out, a, x: _gamma_density(a, x)),
    keeps_out=False,
    samples=_SHAPE,
)
gammaincc = elementwise(
    "gammaincc",
    sc.gammaincc,
    (parameter("gammaincc", "a"), lambda out, a, x: -_gamma_density(a, x)),
    keeps_out=False,
    samples=_SHAPE,
)
gammaincinv = elementwise(
    "gammaincinv",
    sc.gammaincinv,
    (parameter("gammaincinv", "a"), lambda out, a, y: 1 / _gamma_density(a, out)),
    samples=_QUANTILE,
)
gammainccinv = elementwise(
    "gammainccinv",
    sc.gammainccinv,
    (parameter("gammainccinv", "a"), lambda out, a, y: -1 / _gamma_density(a, out)),
    samples=_QUANTILE,
)


# --- incomplete beta --------------------------------------------------------------------------------------------------


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    """xᵃ⁻¹ (1-x)ᵇ⁻¹ / B(a, b) (DLMF 8.17.1)."""
    return np.exp(sc.xlogy(a - 1, x) + sc.xlog1py(b - 1, -x) - sc.betaln(a, b))


_UNIT = with_parameters(2, 3, low=0.1, high=0.9)

betainc = elementwise(
    "betainc",
    sc.betainc,
    (parameter("betainc", "a"), parameter("betainc", "b"), lambda out, a, b, x: _beta_density(a, b, x)),
    keeps_out=False,
    samples=_UNIT,
)
betaincc = elementwise(
    "betaincc",
    sc.betaincc,
    (parameter("betaincc", "a"), parameter("betaincc", "b"), lambda out, a, b, x: -_beta_density(a, b, x)),
    keeps_out=False,
    samples=_UNIT,
)
betaincinv = elementwise(
    "betaincinv",
    sc.betaincinv,
    (parameter("betaincinv", "a"), parameter("betaincinv", "b"), lambda out, a, b, y: 1 / _beta_density(a, b, out)),
    samples=_UNIT,
)
betainccinv = elementwise(
    "betainccinv",
    sc.betainccinv,
    (parameter("betainccinv", "a"), parameter("betainccinv", "b"), lambda out, a, b, y: -1 / _beta_density(a, b, out)),
    samples=_UNIT,
)
