"""Powers and exponentials of scipy.special, Box-Cox transformations, degrees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..families import constant, elementwise
from ..power import power_less_one
from ..samples import binary, draw, sample, unary
from .hypergeometric import exprel_derivative
from .ufuncs import sc

_LN2 = math.log(2.0)
_LN10 = math.log(10.0)
_RADIAN = math.pi / 180
_REAL = unary(complex_=False)

# SciPy's own versions of functions that NumPy has too.
elementwise("scipy_exp2", sc.exp2, (lambda out, x: _LN2 * out,), lower="exp2", singular=False, samples=_REAL)
elementwise(
    "scipy_expm1",
    sc.expm1,
    (lambda out, x: np.exp(x),),
    lower="expm1",
    singular=False,
    keeps_out=False,
    samples=unary(),
)
elementwise(
    "scipy_log1p", sc.log1p, (lambda out, x: 1 / (1 + x),), lower="log1p", keeps_out=False, samples=unary(-0.7, 2.0)
)
elementwise(
    "scipy_cbrt",
    sc.cbrt,
    (lambda out, x: 1 / (3 * np.square(out)),),
    lower="cbrt",
    samples=unary(0.1, 3.0, complex_=False),
)
constant("scipy_round", sc.round, ufunc=sc.round, samples=_REAL)

elementwise("exp10", sc.exp10, (lambda out, x: _LN10 * out,), singular=False, samples=_REAL)
elementwise("cosm1", sc.cosm1, (lambda out, x: -np.sin(x),), singular=False, keeps_out=False, samples=_REAL)
elementwise(
    "powm1",
    sc.powm1,
    (
        lambda out, x, y: y * power_less_one(np.power(x, y), x, y),
        lambda out, x, y: np.power(x, y) * np.log(x),
    ),
    samples=binary((0.3, 2.0), (-2.0, 2.0), complex_=False),
)

# --- degrees ----------------------------------------------------------------------------------------------------------

elementwise("sindg", sc.sindg, (lambda out, x: _RADIAN * sc.cosdg(x),), singular=False, keeps_out=False, samples=_REAL)
elementwise("cosdg", sc.cosdg, (lambda out, x: -_RADIAN * sc.sindg(x),), singular=False, keeps_out=False, samples=_REAL)
elementwise("tandg", sc.tandg, (lambda out, x: _RADIAN * (1 + out * out),), samples=_REAL)
elementwise(
    "cotdg",
    sc.cotdg,
    (lambda out, x: -_RADIAN / np.square(sc.sindg(x)),),  # out is infinite where x is tiny
    keeps_out=False,
    samples=[
        *[sample(draw(s, low=20.0, high=70.0)) for s in ((), (2, 3), (0,))],
        sample(draw((3,), np.float32, 1.0, 2.0)),
    ],
)
elementwise(
    "radian",
    sc.radian,
    (lambda out, d, m, s: _RADIAN, lambda out, d, m, s: _RADIAN / 60, lambda out, d, m, s: _RADIAN / 3600),
    keeps=False,
    singular=False,
    keeps_out=False,
    samples=[
        sample(draw((3,)), draw((2, 1)), draw(())),
        sample(draw((2,), np.float32), 1.0, 2.0),
        sample(draw((0,)), 1.0, 2.0),
        sample(0.5, 1.0, 2.0),
    ],
)

# --- Box-Cox ----------------------------------------------------------------------------------------------------------
# (x^λ - 1)/λ = L e(λL) with L = log x and e(u) = (exp(u) - 1)/u, so d/dλ = L² e'(λL): smooth through λ = 0.


def _by_lambda(power: Any, log: Any, lmbda: Any) -> Any:
    """Given power = exp(λL); for large λL directly, because its rounding error would be a relative error of exp."""
    u = lmbda * log
    large = np.logical_and(np.greater(np.absolute(u), 2), np.isfinite(power))
    divisor = np.where(large, lmbda, 1)
    direct = (np.where(large, power, 0) * (u - 1) + 1) / (divisor * divisor)
    return np.where(large, direct, log * log * exprel_derivative(np.where(large, 0, u), 1))


def _power_of_sum(x: Any, k: Any) -> Any:
    """(1 + x)ᵏ for x > -1, without the error that the rounding of 1 + x causes."""
    base = 1 + x
    error = np.where(np.greater(np.absolute(x), 1), (x - base) + 1, (1 - base) + x)
    return np.power(base, k) * (1 + k * (error / base))


boxcox = elementwise(
    "boxcox",
    sc.boxcox,
    (
        lambda out, x, lmbda: power_less_one(np.power(x, lmbda), x, lmbda),
        lambda out, x, lmbda: _by_lambda(np.power(x, lmbda), np.log(x), lmbda),
    ),
    keeps_out=False,
    samples=[*binary((0.3, 2.0), (-2.0, 2.0), complex_=False), sample(draw((3,), low=0.3), 0.0, label="log")],
)
boxcox1p = elementwise(
    "boxcox1p",
    sc.boxcox1p,
    (
        lambda out, x, lmbda: _power_of_sum(x, lmbda) / (1 + x),
        lambda out, x, lmbda: _by_lambda(_power_of_sum(x, lmbda), np.log1p(x), lmbda),
    ),
    keeps_out=False,
    samples=binary((-0.7, 2.0), (-2.0, 2.0), complex_=False),
)
# Of the inverse by the implicit function theorem, with x^λ = 1 + λy. Not from log x, which has no digits where x is 1.


def _inverse_by_lambda(x: Any, y: Any, lmbda: Any) -> Any:
    u = lmbda * y
    log = y / sc.exprel(np.log1p(u))
    return -_by_lambda(1 + u, log, lmbda) * x / (1 + u)


inv_boxcox = elementwise(
    "inv_boxcox",
    sc.inv_boxcox,
    (
        lambda out, y, lmbda: out / (1 + lmbda * y),
        lambda out, y, lmbda: _inverse_by_lambda(out, y, lmbda),
    ),
    samples=[*binary((-0.3, 0.4), (-1.0, 2.0), complex_=False), sample(draw((3,)), 0.0, label="exp")],
)
inv_boxcox1p = elementwise(
    "inv_boxcox1p",
    sc.inv_boxcox1p,
    (
        lambda out, y, lmbda: sc.inv_boxcox(y, lmbda) / (1 + lmbda * y),
        lambda out, y, lmbda: _inverse_by_lambda(sc.inv_boxcox(y, lmbda), y, lmbda),
    ),
    keeps_out=False,
    samples=binary((-0.3, 0.4), (-1.0, 2.0), complex_=False),
)
