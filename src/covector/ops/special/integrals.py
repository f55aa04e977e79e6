"""Exponential, sine, cosine and Fresnel integrals, dilogarithm, Lambert's W, Wright's omega.

Formulas: DLMF chapters 4, 6 to 8, 25.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import _ufuncs

from ...core.dispatch import UFUNCS
from ...core.errors import NotDifferentiableError, caller
from ...core.values import dtype_of
from ..families import elementwise
from ..samples import draw, sample, unary
from .common import parameter, product_error, with_parameters
from .ufuncs import sc

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


def _sine_quotient(z: Any) -> Any:
    """sin(z)/z; z/π, of which sinc is taken near 0, loses digits of large z."""
    small = np.less(np.absolute(z), 1)
    return np.where(small, np.sinc(np.where(small, z, 0) / math.pi), np.sin(z) / np.where(small, 1, z))


def _of_square(z: Any) -> tuple[Any, Any]:
    """sin and cos of πz²/2: for real z from the exact square, reduced by whole quarter turns."""
    if dtype_of(z).kind == "c":
        return np.sin(0.5 * math.pi * z * z), np.cos(0.5 * math.pi * z * z)
    square = z * z
    turns = np.rint(square)
    angle = 0.5 * math.pi * ((square - turns) + product_error(z, z, square))
    sine, cosine = np.sin(angle), np.cos(angle)
    quarter = np.remainder(turns, 4)
    odd, second = np.equal(np.remainder(turns, 2), 1), np.greater_equal(quarter, 2)
    first = np.logical_or(np.equal(quarter, 1), np.equal(quarter, 2))
    s, c = np.where(odd, cosine, sine), np.where(odd, sine, cosine)
    return np.where(second, -s, s), np.where(first, -c, c)


def _output(ufunc: np.ufunc, i: int) -> Any:
    return lambda z: ufunc(z)[i]


si = elementwise(
    "sine_integral",
    None,
    (lambda out, z: _sine_quotient(z),),
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
    (lambda out, z: _of_square(z)[0],),
    impl=_output(sc.fresnel, 0),
    singular=False,
    keeps_out=False,
    samples=_REAL,
)
fresnel_c = elementwise(
    "fresnel_c",
    None,
    (lambda out, z: _of_square(z)[1],),
    impl=_output(sc.fresnel, 1),
    singular=False,
    keeps_out=False,
    samples=_REAL,
)
UFUNCS[sc.sici] = lambda z: (si(z), ci(z))
UFUNCS[sc.shichi] = lambda z: (shi(z), chi(z))
UFUNCS[sc.fresnel] = lambda z: (fresnel_s(z), fresnel_c(z))


def _spence_derivative(out: Any, z: Any) -> Any:
    """log z / (1 - z); for real z near 1 as -1 / exprel(log z), which is smooth through 1."""
    if dtype_of(z).kind == "c":
        return np.log(z) / (1 - z)
    near = np.less(np.absolute(z - 1), 0.5)
    smooth = -1 / sc.exprel(np.log(np.where(near, z, 1)))
    return np.where(near, smooth, np.log(z) / (1 - np.where(near, 0, z)))


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
