"""Error functions and the normal distribution."""

from __future__ import annotations

import math

from . import coefficients_special as coefficients
from .registry import scalar
from .writer import Code, Value


@scalar("erf", f64=2, f32=2)
def erf(c: Code, x: Value) -> Value:
    """x + x·polynomial(x²) for |x| < 1, beyond it 1 - exp(log erfc) with a polynomial for log erfc."""
    near = c.fma(x, c.polynomial(x * x, coefficients.ERF_NEAR[c.ctype]), x)
    size = c.at_most(abs(x), 5.93)
    exponent = c.polynomial(size - 1.0, coefficients.ERF_FAR[c.ctype])
    far = c.copysign(1.0 - c.call("exp", -exponent), x)
    return c.select(size < 1.0, near, far)


def _quotient(c: Code, size: Value, scale: float = 1.0) -> tuple[Value, Value]:
    """(t, d) with erfcx(scale · size) = (1 + t)/(2d), for a non-negative number.

    By a polynomial in (x - 4)/(x + 4) (Shepherd and Laframboise 1981), in a form that is exact at 0; t is small, so
    that its rounding errors are too.
    """
    y = c.at_most(size * scale, 2.0 ** (c.format.fraction + 8))
    above = 2.0 * y / (y + 4.0)  # the variable plus 1
    return above * c.polynomial(above - 1.0, coefficients.ERFCX[c.ctype]), c.fma(size, scale, 0.5)


def _exp_of_square(c: Code, x: Value, factor: float) -> tuple[Value, Value]:
    """(p, e) with p (1 + e) = exp(factor · x²), factor ±1 or ±1/2, for x so small that x² is finite."""
    square, error = c.two_product(x, x)
    return c.call("exp", square * factor), error * factor


def _tail(c: Code, size: Value, scale: float, factor: float) -> Value:
    """exp(factor · size²) erfcx(scale · size) for size not much larger than where this underflows."""
    power, error = _exp_of_square(c, size, factor)
    t, below = _quotient(c, size, scale)
    return 0.5 * power * (1.0 + c.fma(error, 1.0 + t, t)) / below


@scalar("erfcx", f64=4, f32=4)
def erfcx(c: Code, x: Value) -> Value:
    """Of a negative number 2 exp(x²) - erfcx(-x)."""
    t, below = _quotient(c, abs(x))
    scaled = 0.5 * (1.0 + t) / below
    power, error = _exp_of_square(c, c.at_most(abs(x), 30.0), 1.0)
    power = c.select(power < math.inf, c.fma(power, error, power), power)
    return c.select(x < 0.0, 2.0 * power - scaled, scaled)


@scalar("erfc", f64=4, f32=4)
def erfc(c: Code, x: Value) -> Value:
    """exp(-x²) erfcx(x), with the rounding error of x² made good."""
    tail = _tail(c, c.at_most(abs(x), 30.0), 1.0, -1.0)
    return c.select(x < 0.0, 2.0 - tail, tail)


@scalar("ndtr", f64=4, f32=4)
def ndtr(c: Code, x: Value) -> Value:
    """exp(-x²/2) erfcx(|x|/√2)/2, or 1 less that."""
    tail = 0.5 * _tail(c, c.at_most(abs(x), 42.0), math.sqrt(0.5), -0.5)
    return c.select(x > 0.0, 1.0 - tail, tail)


@scalar("log_ndtr", f64=5, f32=5)
def log_ndtr(c: Code, x: Value) -> Value:
    """log(erfcx(-x/√2)/2) - x²/2 left of 0, log1p(-ndtr(-x)) right of it, by one logarithm."""
    right = x > 0.0
    # Left of 0 the power has no part, and need not be subnormal, which is slow.
    power, error = _exp_of_square(c, c.select(right, c.at_most(x, 42.0), 0.0), -0.5)
    t, below = _quotient(c, abs(x), math.sqrt(0.5))
    tail = 0.25 * power * (1.0 + c.fma(error, 1.0 + t, t)) / below
    # Not less than -1, where x² is all that counts.
    left = c.at_least(tail - 1.0, 2.0**-c.format.fraction - 1.0)
    value = c.call("log1p", c.select(right, -tail, left))
    return c.select(right, value, c.fma(-0.5 * x, x, value))
