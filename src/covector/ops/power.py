"""Powers, roots, and the Euclidean length of two numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.dispatch import UFUNCS
from ..core.values import dtype_of
from .complex_parts import astype
from .families import elementwise
from .samples import binary, draw, sample, unary

__all__ = ["cbrt", "float_power", "hypot", "power", "power_less_one", "reciprocal", "sqrt", "square"]

_ndarray = np.ndarray
_PLAIN = (int, float, complex, np.number)

sqrt = elementwise("sqrt", np.sqrt, (lambda out, x: 0.5 / out,), keeps=False, samples=unary(0.1, 3.0))
cbrt = elementwise(
    "cbrt", np.cbrt, (lambda out, x: 1 / (3 * np.square(out)),), keeps=False, samples=unary(0.1, 3.0, complex_=False)
)
square = elementwise("square", np.square, (lambda out, x: 2 * x,), keeps_out=False, singular=False, samples=unary())
reciprocal = elementwise("reciprocal", np.reciprocal, (lambda out, x: -np.square(out),), samples=unary(0.3, 3.0))


# --- x**y -------------------------------------------------------------------------------------------------------------


def _power(x: Any, y: Any) -> Any:
    # NumPy's operator knows cheap exponents (2, 0.5, -1) that its ufunc does not. Before NumPy 2.3 it also ignored
    # the dtype of those exponents, which the ufunc promotes with.
    same = type(x) is _ndarray and getattr(y, "dtype", x.dtype) == x.dtype
    return x**y if same else np.power(x, y)


def _power_of_base(out: Any, x: Any, y: Any) -> Any:
    """y x^(y-1), without log and with 0 for y = 0 even at x = 0, so that all orders of a whole power are exact."""
    if isinstance(y, _PLAIN):
        if y == 2:
            return 2 * x
        if y == 1:
            return 1
        if y == 0:
            return 0.0
        if y == 0.5:
            return 0.5 / out
        if dtype_of(out).kind == "f":
            y = dtype_of(out).type(y)  # a float64 number would widen a float32 array
        less = y - 1
        return y * power(x, less) if less + 1 == y else _by_quotient(out, x, y)
    zero = np.equal(y, 0)
    less = np.where(zero, 1, y - 1)
    direct = np.where(zero, 0, y * np.power(x, less))
    if dtype_of(out).kind == "c":
        return direct
    inexact = np.logical_and(np.not_equal(less + 1, y), np.logical_not(zero))
    return np.where(inexact, _by_quotient(out, np.where(inexact, x, 1), y), direct)


def power_less_one(out: Any, x: Any, y: Any) -> Any:
    """Return x^(y-1) for real positive x, given ``out = x**y``."""
    less = y - 1
    inexact = np.not_equal(less + 1, y)
    usable = np.logical_and(inexact, np.logical_and(np.not_equal(out, 0), np.isfinite(out)))
    return np.where(usable, out / np.where(usable, x, 1), np.power(x, less))


def _by_quotient(out: Any, x: Any, y: Any) -> Any:
    """y xʸ / x where y - 1 is rounded: the exponent's error times log x would be a relative error of the power."""
    direct = np.logical_or(np.equal(x, 0), np.logical_or(np.equal(out, 0), np.isinf(out)))
    quotient = y * (out / np.where(direct, 1, x))
    return np.where(direct, y * np.power(np.where(direct, x, 1), y - 1), quotient)


def _power_of_exponent(out: Any, x: Any, y: Any) -> Any:
    """x^y log x; 0 at x = 0 where that is the limit (y > 0) or the convention (y = 0)."""
    zero = np.logical_and(np.equal(x, 0), np.greater_equal(np.real(y), 0))
    return out * np.log(np.where(zero, 1, x))


power = elementwise(
    "power",
    np.power,
    (_power_of_base, _power_of_exponent),
    impl=_power,
    samples=[
        *binary((0.3, 2.0), (-2.0, 2.0)),
        *[sample(draw((3,), key=n), n, label=f"x**{n}") for n in (0, 1, 2, 3, -1, -2)],
        sample(draw((3,), np.float32), 3),
        sample(draw((3,), complex), 3),
        sample(draw((2,)), np.array([[2], [0], [3]])),
        sample(draw((3,), low=0.2), 0.5),
    ],
)


def _raise(x: Any, y: Any) -> Any:
    """``x**y``; NumPy computes a square like `np.square`, whose derivative needs nothing but x."""
    return square(x) if type(y) is int and y == 2 else power(x, y)


UFUNCS[np.power] = _raise


def float_power(x: Any, y: Any) -> Any:
    """Raise to a power in at least double precision."""
    dtype = np.result_type(dtype_of(x), dtype_of(y), np.float64)
    return power(astype(x, dtype), astype(y, dtype))


UFUNCS[np.float_power] = float_power


# --- length -----------------------------------------------------------------------------------------------------------


def direction(x: Any, out: Any) -> Any:
    """x / out, and 0 where `out`, a length, is 0."""
    zero = np.equal(out, 0)
    return np.where(zero, 0, x / np.where(zero, 1, out))


hypot = elementwise(
    "hypot",
    np.hypot,
    (lambda out, x, y: direction(x, out), lambda out, x, y: direction(y, out)),
    samples=binary(complex_=False),
)
