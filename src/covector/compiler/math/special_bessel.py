"""Modified Bessel functions of the first kind, of orders 0 and 1."""

from __future__ import annotations

import math

from . import coefficients_special as coefficients
from .registry import scalar
from .writer import Code, Value


def _near(c: Code, x: Value, order: int) -> Value:
    """I(x) for |x| ≤ 8, by a polynomial like the power series: all its terms are positive."""
    quarter = c.at_most(0.25 * x * x, 16.0)
    if order == 0:
        return c.polynomial(quarter, coefficients.I0_NEAR[c.ctype])
    return x * c.polynomial(quarter, coefficients.I1_NEAR[c.ctype])


def _far(c: Code, size: Value, order: int) -> Value:
    """exp(-x) I(x) for x ≥ 8, by a polynomial like the asymptotic series."""
    inverse = 1.0 / size
    table = coefficients.I0_FAR if order == 0 else coefficients.I1_FAR
    return c.polynomial(inverse, table[c.ctype]) / c.sqrt(size)


def _scaled(c: Code, x: Value, order: int) -> Value:
    size = abs(x)
    far = _far(c, size, order)
    far = c.copysign(far, x) if order else far
    value = c.select(size < 8.0, _near(c, x, order) * c.call("exp", -size), far)
    return value


def _unscaled(c: Code, x: Value, order: int) -> Value:
    size = abs(x)
    # A part of a large exponent goes into a factor, so that exp does not overflow before the function does.
    limit, part = (512.0, 44.0) if c.ctype == "f64" else (80.0, 36.0)  # exp(part) is nearly a float
    large = size >= limit
    far = c.call("exp", size - c.select(large, part, 0.0)) * _far(c, size, order)
    far = far * c.select(large, math.exp(part), 1.0)
    far = c.copysign(far, x) if order else far
    return c.select(size < 8.0, _near(c, x, order), far)


@scalar("i0e", f64=4, f32=4)
def i0e(c: Code, x: Value) -> Value:
    """exp(-|x|) I₀(x)."""
    return _scaled(c, x, 0)


@scalar("i1e", f64=4.5, f32=4.5)
def i1e(c: Code, x: Value) -> Value:
    """exp(-|x|) I₁(x)."""
    return _scaled(c, x, 1)


@scalar("i0", f64=4.5, f32=4.5)
def i0(c: Code, x: Value) -> Value:
    """I₀(x)."""
    return _unscaled(c, x, 0)


@scalar("i1", f64=4.5, f32=4.5)
def i1(c: Code, x: Value) -> Value:
    """I₁(x)."""
    return _unscaled(c, x, 1)
