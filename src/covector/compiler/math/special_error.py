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


def _scaled(c: Code, size: Value) -> Value:
    """erfcx of a non-negative number, which a polynomial in (x - 4)/(x + 4) gives (Shepherd and Laframboise 1981)."""
    bounded = c.at_most(size, 2.0 ** (c.format.fraction + 8))
    above = 2.0 * bounded / (bounded + 4.0)  # the variable plus 1, by which the polynomial is right at 0
    value = c.fma(above, c.polynomial(above - 1.0, coefficients.ERFCX[c.ctype]), 1.0)
    return 0.5 * value / (0.5 + size)


def _exp_of_square(c: Code, x: Value, factor: float) -> tuple[Value, Value]:
    """(p, e) with p (1 + e) = exp(factor · x²), factor ±1 or ±1/2, for x so small that x² is finite."""
    square, error = c.two_product(x, x)
    return c.call("exp", square * factor), error * factor


@scalar("erfcx", f64=4, f32=4)
def erfcx(c: Code, x: Value) -> Value:
    """Of a negative number 2 exp(x²) - erfcx(-x)."""
    scaled = _scaled(c, abs(x))
    power, error = _exp_of_square(c, c.at_most(abs(x), 30.0), 1.0)
    below = c.select(power < math.inf, c.fma(power, error, power), power)
    below = 2.0 * below - scaled
    return c.select(x < 0.0, below, scaled)


@scalar("erfc", f64=4, f32=4)
def erfc(c: Code, x: Value) -> Value:
    """exp(-x²) erfcx(x), with the rounding error of x² made good."""
    size = c.at_most(abs(x), 30.0)
    power, error = _exp_of_square(c, size, -1.0)
    tail = power * _scaled(c, size)
    tail = c.fma(tail, error, tail)
    return c.select(x < 0.0, 2.0 - tail, tail)


@scalar("ndtr", f64=4, f32=4)
def ndtr(c: Code, x: Value) -> Value:
    """exp(-x²/2) erfcx(|x|/√2)/2, or 1 less that."""
    size = c.at_most(abs(x), 42.0)
    power, error = _exp_of_square(c, size, -0.5)
    tail = 0.5 * power * _scaled(c, size * math.sqrt(0.5))
    tail = c.fma(tail, error, tail)
    return c.select(x > 0.0, 1.0 - tail, tail)


@scalar("log_ndtr", f64=4, f32=4)
def log_ndtr(c: Code, x: Value) -> Value:
    """log(erfcx(-x/√2)/2) - x²/2 left of 0, log1p(-ndtr(-x)) right of it, by one logarithm."""
    size = abs(x)
    half = 0.5 * _scaled(c, size * math.sqrt(0.5))
    power, error = _exp_of_square(c, c.at_most(size, 42.0), -0.5)
    tail = half * power
    tail = c.fma(tail, error, tail)
    right = x > 0.0
    # Not less than -1, where x² is all that counts.
    left = c.at_least(half - 1.0, 2.0**-c.format.fraction - 1.0)
    value = c.call("log1p", c.select(right, -tail, left))
    return c.select(right, value, c.fma(-0.5 * x, x, value))
