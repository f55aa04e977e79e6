"""Trigonometric and hyperbolic functions and their inverses, angles, sinc."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.values import dtype_of
from .families import elementwise
from .power import direction
from .samples import binary, draw, sample, unary

__all__ = ["sinc_derivative", "sine_and_cosine"]

sin = elementwise("sin", np.sin, (lambda out, x: np.cos(x),), keeps_out=False, singular=False, samples=unary())
cos = elementwise("cos", np.cos, (lambda out, x: -np.sin(x),), keeps_out=False, singular=False, samples=unary())
tan = elementwise("tan", np.tan, (lambda out, x: 1 + np.square(out),), keeps=False, samples=unary(-1.2, 1.2))
# Factors instead of 1 - x², which cancels near ±1.
arcsin = elementwise(
    "arcsin", np.arcsin, (lambda out, x: 1 / np.sqrt((1 - x) * (1 + x)),), keeps_out=False, samples=unary(-0.9, 0.9)
)
arccos = elementwise(
    "arccos", np.arccos, (lambda out, x: -1 / np.sqrt((1 - x) * (1 + x)),), keeps_out=False, samples=unary(-0.9, 0.9)
)
arctan = elementwise(
    "arctan", np.arctan, (lambda out, x: 1 / (1 + np.square(x)),), keeps_out=False, samples=unary(0.2, 2.0)
)

sinh = elementwise("sinh", np.sinh, (lambda out, x: np.cosh(x),), keeps_out=False, singular=False, samples=unary())
cosh = elementwise("cosh", np.cosh, (lambda out, x: np.sinh(x),), keeps_out=False, singular=False, samples=unary())


def _sech_squared(x: Any) -> Any:
    """4 e / (1 + e)² with e = exp(-2|x|): 1 - tanh² has no digits left for large x, and cosh overflows."""
    if dtype_of(x).kind == "c":
        e = np.exp(2 * np.where(np.less(np.real(x), 0), x, -x))
        return 4 * e / np.square(1 + e)
    e = np.absolute(x)
    e *= -2
    own = e if type(e) is np.ndarray else None
    e = np.exp(e, out=own)
    below = e + 1
    below *= below
    e *= 4
    e /= below
    return e


sech_squared = elementwise(
    "sech_squared", None, (lambda out, x: -2 * np.tanh(x) * out,), impl=_sech_squared, singular=False, samples=unary()
)
tanh = elementwise("tanh", np.tanh, (lambda out, x: sech_squared(x),), keeps_out=False, singular=False, samples=unary())


def _root_of_one_plus_square(x: Any) -> Any:
    """√(1 + x²), for real x without overflow: beyond 10⁹ it is |x| to the last digit."""
    if dtype_of(x).kind == "c":
        return np.sqrt(1 + np.square(x))
    far = np.greater(np.absolute(x), 1e9)
    return np.where(far, np.absolute(x), np.sqrt(1 + np.square(np.where(far, 0, x))))


arcsinh = elementwise(
    "arcsinh",
    np.arcsinh,
    (lambda out, x: 1 / _root_of_one_plus_square(x),),
    keeps_out=False,
    samples=[*unary(), sample(np.array([-1e200, 1e12]), label="huge")],
)
# Two roots: their product has the branch of arccosh, and neither overflows.
arccosh = elementwise(
    "arccosh",
    np.arccosh,
    (lambda out, x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)),),
    keeps_out=False,
    samples=unary(1.2, 3.0),
)
arctanh = elementwise(
    "arctanh", np.arctanh, (lambda out, x: 1 / ((1 - x) * (1 + x)),), keeps_out=False, samples=unary(-0.9, 0.9)
)

_RADIAN = math.pi / 180
_DEGREE = 180 / math.pi
for _ufunc, _factor in ((np.deg2rad, _RADIAN), (np.radians, _RADIAN), (np.rad2deg, _DEGREE), (np.degrees, _DEGREE)):
    elementwise(
        _ufunc.__name__,
        _ufunc,
        (lambda out, x, factor=_factor: factor,),
        keeps=False,
        singular=False,
        keeps_out=False,
        samples=unary(complex_=False),
    )


def _over_square(y: Any, x: Any, other: Any) -> Any:
    """y / (x² + other²) without overflow, 0 at the origin."""
    length = np.hypot(x, other)
    return direction(direction(y, length), length)


arctan2 = elementwise(
    "arctan2",
    np.arctan2,
    (lambda out, y, x: _over_square(x, x, y), lambda out, y, x: -_over_square(y, x, y)),
    keeps_out=False,
    samples=binary(complex_=False),
)


# --- sinc -------------------------------------------------------------------------------------------------------------

_TERMS = 25


def _series(y: Any, order: int) -> Any:
    """Σ_{m even ≥ order} (-1)^(m/2) y^(m-order) / ((m-order)! (m+1)): the derivative of sin(y)/y about 0."""
    start = order + order % 2
    square = y * y
    term = (-1.0) ** (start // 2) * (y if order % 2 else y * 0 + 1)
    total = term / (start + 1)
    for m in range(start + 2, start + 2 * _TERMS, 2):
        k = m - order
        term = term * (square * (-1.0 / (k * (k - 1))))
        total = total + term / (m + 1)
    return total


def sine_and_cosine(x: Any) -> tuple[Any, Any]:
    """sin πx and cos πx to the last digits also for large x and near their zeros."""
    whole = np.rint(np.real(x))
    sign = np.where(np.remainder(whole, 2) == 0, 1, -1).astype(whole.dtype)
    part = x - whole
    near_half = np.where(np.real(part) < 0, -part, part)
    cosine = np.where(np.real(near_half) > 0.25, np.sin(math.pi * (0.5 - near_half)), np.cos(math.pi * part))
    return sign * np.sin(math.pi * part), sign * cosine


def _recurrence(x: Any, order: int) -> Any:
    """From y s(y) = sin y, differentiated: y s⁽ⁿ⁾ + n s⁽ⁿ⁻¹⁾ = sin⁽ⁿ⁾ y with y = πx; stable upwards where |y| > n."""
    sine, cosine = sine_and_cosine(x)
    cycle = (sine, cosine, -sine, -cosine)
    y = math.pi * x
    s = cycle[0] / y
    for n in range(1, order + 1):
        s = (cycle[n % 4] - n * s) / y
    return s


def _sinc_derivative(x: Any, order: Any) -> Any:
    x = np.asarray(x)
    x = x if x.dtype.kind in "fc" else x.astype(float)
    out = np.empty(np.broadcast_shapes(x.shape, np.shape(order)), x.dtype)
    x, order = np.broadcast_to(x, out.shape), np.broadcast_to(order, out.shape)
    for n in np.unique(order).astype(int).tolist():
        here = order == n
        small = here & (np.abs(x) < (n + 1) / math.pi)
        large = here & ~small
        out[small] = math.pi**n * _series(math.pi * x[small], n)
        out[large] = math.pi**n * _recurrence(x[large], n)
    return out[()]


sinc_derivative = elementwise(
    "sinc_derivative",
    None,
    (lambda out, x, order: sinc_derivative(x, order + 1), None),
    impl=_sinc_derivative,
    singular=False,
    keeps_out=False,
    samples=[
        sample(draw((3,)), 1),
        sample(np.array([0.0, 1e-3, 0.4, 1.0, 7.5]), 2),
        sample(draw((2,), complex), 1),
        sample(draw(()), 1),
        sample(draw((0,)), 1),
        sample(draw((3,), np.float32), 1),
        sample(draw((2, 1)), np.array([0, 1, 3])),
    ],
    source="derivative of order n of sin(πx)/(πx): Taylor series about 0, recurrence from the product rule elsewhere",
)
sinc_slope = elementwise(
    "sinc_slope",
    None,
    (lambda out, x: sinc_derivative(x, 2),),
    impl=lambda x: _sinc_derivative(x, 1),
    singular=False,
    keeps_out=False,
    samples=[*unary(), sample(np.array([0.0, 1.0, 7.5]))],
    source="the first derivative apart, because compiled programs have a formula for it",
)
sinc = elementwise(
    "sinc",
    None,
    (lambda out, x: sinc_slope(x),),
    impl=np.sinc,
    singular=False,
    keeps_out=False,
    samples=[*unary(), sample(np.array([0.0, 1.0]))],
)
