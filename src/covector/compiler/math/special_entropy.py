"""x log y and its relatives."""

from __future__ import annotations

import math

from . import coefficients_special as coefficients
from .registry import scalar
from .writer import Code, Value


@scalar("xlogy", arity=2, f64=2, f32=2)
def xlogy(c: Code, x: Value, y: Value) -> Value:
    """x log y, and 0 where x is 0 and y is a number."""
    nothing = x.equals(0.0) & ~y.is_nan()
    return c.select(nothing, 0.0, x * c.call("log", y))


@scalar("xlog1py", arity=2, f64=2, f32=2)
def xlog1py(c: Code, x: Value, y: Value) -> Value:
    """x log(1 + y), and 0 where x is 0 and y is a number."""
    nothing = x.equals(0.0) & ~y.is_nan()
    return c.select(nothing, 0.0, x * c.call("log1p", y))


@scalar("entr", f64=2, f32=2)
def entr(c: Code, x: Value) -> Value:
    """-x log x, 0 at 0, -inf left of it."""
    value = -x * c.call("log", x)
    return c.select(x < 0.0, -math.inf, c.select(x.equals(0.0), 0.0, value))


# Exponents by which quotients outside the format are brought into it: of the numerator and of the denominator.
_SCALES = {"f64": (600, 500), "f32": (80, 70)}


def _log_ratio(c: Code, x: Value, y: Value) -> tuple[Value, Value, Value, Value]:
    """(near, s, rest, log(x/y)) of positive x and y.

    `near`: x and y differ by a factor below 3. There log(x/y) = 2 artanh(s) = 2s + s·rest with s = (x - y)/(x + y),
    which is more accurate than the logarithm of the quotient where they differ by a factor below 5/3.
    """
    # Halves, so that the sum does not overflow.
    difference, total = 0.5 * x - 0.5 * y, 0.5 * x + 0.5 * y
    s = difference / total
    near = abs(s) < 0.5
    square = s * s
    rest = square * c.polynomial(square, coefficients.LOG_RATIO[c.ctype])

    over, under = _SCALES[c.ctype]
    ratio = x / y
    high, low = ratio > c.format.largest, ratio < c.format.tiny
    above = x * c.select(high, 2.0**-over, c.select(low, 2.0**over, 1.0))
    below = y * c.select(high, 2.0**under, c.select(low, 2.0**-under, 1.0))
    shift = (over + under) * math.log(2.0)
    far = c.call("log", above / below) + c.select(high, shift, c.select(low, -shift, 0.0))
    return near, s, rest, c.select(abs(s) < 0.25, c.fma(s, rest, s + s), far)


def _of_positive(c: Code, x: Value, y: Value, value: Value, at_zero: Value | float) -> Value:
    """`value` for positive x and y, `at_zero` for x = 0 ≤ y, NaN for NaN, else infinite."""
    usual = (x > 0.0) & (y > 0.0)
    other = c.select(x.equals(0.0) & (y >= 0.0), at_zero, c.constant(math.inf))
    other = c.select(x.is_nan() | y.is_nan(), math.nan, other)
    return c.select(usual, value, other)


@scalar("rel_entr", arity=2, f64=3, f32=3)
def rel_entr(c: Code, x: Value, y: Value) -> Value:
    """x log(x/y)."""
    logarithm = _log_ratio(c, x, y)[3]
    # Infinite numbers follow IEEE arithmetic, which scaling would have changed.
    infinite = abs(x).equals(math.inf) | abs(y).equals(math.inf)
    return _of_positive(c, x, y, x * c.select(infinite, c.call("log", x / y), logarithm), 0.0)


@scalar("kl_div", arity=2, f64=5, f32=5)
def kl_div(c: Code, x: Value, y: Value) -> Value:
    """x log(x/y) - x + y; of neighbours (x - y) s (1 + (1 + s) rest/(2s)), which is never negative."""
    near, s, rest, logarithm = _log_ratio(c, x, y)
    difference = x - y
    close = difference * s * c.fma(0.5 * (1.0 + s), rest / s, 1.0)
    close = c.select(difference.equals(0.0), 0.0, close)
    value = c.select(near, close, c.fma(x, logarithm, y - x))
    return _of_positive(c, x, y, value, y)
