"""Exponential, sine, cosine and Fresnel integrals, dilogarithm, Lambert's W, Wright's omega.

Formulas: DLMF chapters 4, 6 to 8, 25.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special as sc
from scipy.special import _ufuncs

from ...core.dispatch import UFUNCS
from ...core.errors import NotDifferentiableError, caller
from ...core.values import dtype_of
from ..families import elementwise
from ..samples import draw, sample, unary
from .common import parameter, with_parameters

_POSITIVE = unary(0.3, 3.0)
_REAL = unary(-2.0, 2.0)

exp1 = elementwise("exp1", sc.exp1, (lambda out, z: -np.exp(-z) / z,), keeps_out=False, samples=_POSITIVE)
expi = elementwise("expi", sc.expi, (lambda out, z: np.exp(z) / z,), keeps_out=False, samples=_POSITIVE)


def _expn_derivative(out: Any, n: Any, x: Any) -> Any:
    """-E_{n-1}(x) (DLMF 8.19.13); E₀ = exp(-x)/x by itself, because SciPy has no negative orders."""
    first = np.equal(n, 0)
    return np.where(first, -(1 + 1 / x) * out, -sc.expn(np.where(first, 0, n - 1), x))


expn = elementwise(
    "expn",
    sc.expn,
    (parameter("expn", "n"), _expn_derivative),
    samples=[*with_parameters(2, low=0.3, high=3.0), *with_parameters(0, low=0.3, high=3.0)],
)


def _nonzero(numerator: Any, z: Any) -> Any:
    """numerator / z, which tends to 1 at 0."""
    zero = np.equal(z, 0)
    return np.where(zero, 1, numerator / np.where(zero, 1, z))


def _output(ufunc: np.ufunc, i: int) -> Any:
    return lambda z: ufunc(z)[i]


si = elementwise(
    "sine_integral",
    None,
    (lambda out, z: np.sinc(z / math.pi),),
    impl=_output(sc.sici, 0),
    singular=False,
    keeps_out=False,
    samples=_REAL,
)
ci = elementwise(
    "cosine_integral",
    None,
    (lambda out, z: np.cos(z) / z,),
    impl=_output(sc.sici, 1),
    keeps_out=False,
    samples=_POSITIVE,
)
shi = elementwise(
    "sinh_integral",
    None,
    (lambda out, z: _nonzero(np.sinh(z), z),),
    impl=_output(sc.shichi, 0),
    keeps_out=False,
    samples=_REAL,
)
chi = elementwise(
    "cosh_integral",
    None,
    (lambda out, z: np.cosh(z) / z,),
    impl=_output(sc.shichi, 1),
    keeps_out=False,
    samples=_POSITIVE,
)
fresnel_s = elementwise(
    "fresnel_s",
    None,
    (lambda out, z: np.sin(0.5 * math.pi * z * z),),
    impl=_output(sc.fresnel, 0),
    singular=False,
    keeps_out=False,
    samples=_REAL,
)
fresnel_c = elementwise(
    "fresnel_c",
    None,
    (lambda out, z: np.cos(0.5 * math.pi * z * z),),
    impl=_output(sc.fresnel, 1),
    singular=False,
    keeps_out=False,
    samples=_REAL,
)
UFUNCS[sc.sici] = lambda z: (si(z), ci(z))
UFUNCS[sc.shichi] = lambda z: (shi(z), chi(z))
UFUNCS[sc.fresnel] = lambda z: (fresnel_s(z), fresnel_c(z))


def _spence_derivative(out: Any, z: Any) -> Any:
    """log z / (1 - z); for real z as -1 / exprel(log z), which is smooth through 1."""
    if dtype_of(z).kind == "c":
        return np.log(z) / (1 - z)
    return -1 / sc.exprel(np.log(z))


spence = elementwise(
    "spence",
    sc.spence,
    (_spence_derivative,),
    samples=[*unary(0.2, 3.0), sample(1.0, label="one")],
    source="DLMF 25.12.2 with argument 1 - z",
)
wrightomega = elementwise(
    "wrightomega",
    sc.wrightomega,
    (lambda out, z: out / (1 + out),),
    samples=[*unary(-2.0, 2.0, complex_=False), sample(draw((3,), complex))],
    source="ω + log ω = z",
)

_TOLERANCE = 1e-8

lambertw = elementwise(
    "lambertw",
    None,
    (lambda out, z, k: np.exp(-out) / (1 + out), None),
    impl=lambda z, k: _ufuncs._lambertw(z, k, _TOLERANCE),
    samples=[
        sample(draw((3,), low=0.1), 0),
        sample(draw((3,), complex), np.array([[0], [1]])),
        sample(0j, 0),
        sample(draw((2,), np.complex64), 0),
        sample(draw((0,), complex), 0),
    ],
    source="W exp W = z",
)


def _lambertw(z: Any, k: Any, tol: Any) -> Any:
    if tol != _TOLERANCE:
        raise NotDifferentiableError(
            f"scipy.special.lambertw(..., tol={tol!r}) of a traced value is not supported (at {caller()}); "
            f"leave tol out"
        )
    return lambertw(z, k)


# scipy.special.lambertw is a function that calls this ufunc.
UFUNCS[_ufuncs._lambertw] = _lambertw
