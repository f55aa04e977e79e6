"""Powers and exponentials of scipy.special, Box-Cox transformations, degrees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special as sc

from ..families import constant, elementwise
from ..samples import binary, draw, sample, unary
from .hypergeometric import exprel_derivative

_LN2 = math.log(2.0)
_LN10 = math.log(10.0)
_RADIAN = math.pi / 180
_REAL = unary(complex_=False)

# SciPy's own versions of functions that NumPy has too.
elementwise("scipy_exp2", sc.exp2, (lambda out, x: _LN2 * out,), singular=False, samples=_REAL)
elementwise("scipy_expm1", sc.expm1, (lambda out, x: np.exp(x),), singular=False, keeps_out=False, samples=unary())
elementwise("scipy_log1p", sc.log1p, (lambda out, x: 1 / (1 + x),), keeps_out=False, samples=unary(-0.7, 2.0))
elementwise("scipy_cbrt", sc.cbrt, (lambda out, x: 1 / (3 * np.square(out)),), samples=unary(0.1, 3.0, complex_=False))
constant("scipy_round", sc.round, ufunc=sc.round, samples=_REAL)

elementwise("exp10", sc.exp10, (lambda out, x: _LN10 * out,), singular=False, samples=_REAL)
elementwise("cosm1", sc.cosm1, (lambda out, x: -np.sin(x),), singular=False, keeps_out=False, samples=_REAL)
elementwise(
    "powm1",
    sc.powm1,
    (
        lambda out, x, y: y * np.power(x, y - 1),
        lambda out, x, y: (out + 1) * np.log(x),
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
    (lambda out, x: -_RADIAN * (1 + out * out),),
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


def _by_lambda(log: Any, lmbda: Any) -> Any:
    return log * log * exprel_derivative(lmbda * log, 1)


boxcox = elementwise(
    "boxcox",
    sc.boxcox,
    (lambda out, x, lmbda: np.power(x, lmbda - 1), lambda out, x, lmbda: _by_lambda(np.log(x), lmbda)),
    keeps_out=False,
    samples=[*binary((0.3, 2.0), (-2.0, 2.0), complex_=False), sample(draw((3,), low=0.3), 0.0, label="log")],
)
boxcox1p = elementwise(
    "boxcox1p",
    sc.boxcox1p,
    (
        lambda out, x, lmbda: np.exp((lmbda - 1) * np.log1p(x)),
        lambda out, x, lmbda: _by_lambda(np.log1p(x), lmbda),
    ),
    keeps_out=False,
    samples=binary((-0.7, 2.0), (-2.0, 2.0), complex_=False),
)
# Of the inverse by the implicit function theorem.
inv_boxcox = elementwise(
    "inv_boxcox",
    sc.inv_boxcox,
    (
        lambda out, y, lmbda: np.power(out, 1 - lmbda),
        lambda out, y, lmbda: -_by_lambda(np.log(out), lmbda) * np.power(out, 1 - lmbda),
    ),
    samples=[*binary((-0.3, 0.4), (-1.0, 2.0), complex_=False), sample(draw((3,)), 0.0, label="exp")],
)
inv_boxcox1p = elementwise(
    "inv_boxcox1p",
    sc.inv_boxcox1p,
    (
        lambda out, y, lmbda: np.exp((1 - lmbda) * np.log1p(out)),
        lambda out, y, lmbda: -_by_lambda(np.log1p(out), lmbda) * np.exp((1 - lmbda) * np.log1p(out)),
    ),
    samples=binary((-0.3, 0.4), (-1.0, 2.0), complex_=False),
)
