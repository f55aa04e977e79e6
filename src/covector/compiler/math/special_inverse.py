"""Inverse error functions and the normal quantile."""

from __future__ import annotations

import math

from . import coefficients_special as coefficients
from .registry import scalar
from .writer import Code, Value


def _quantile(c: Code, square: Value) -> Value:
    """erfinv(x)/x, given `square` = -log(1 - x²), by three polynomials: in it, or in its root s (Giles 2010)."""
    s = c.sqrt(square)
    near = c.polynomial(square - 3.0, coefficients.QUANTILE_NEAR[c.ctype])
    ratio = (s - 4.0) / (s + 4.0)
    middle = c.polynomial(ratio, coefficients.QUANTILE_MIDDLE[c.ctype])
    far = c.polynomial(ratio - 0.5, coefficients.QUANTILE_FAR[c.ctype])
    return c.select(square < 6.25, near, s * c.select(s < 5.5, middle, far))


@scalar("erfinv", f64=4, f32=4)
def erfinv(c: Code, x: Value) -> Value:
    """Infinite at ±1, NaN beyond."""
    size = abs(x)
    value = x * _quantile(c, -c.call("log", (1.0 - size) * (1.0 + size)))
    return c.select(size.equals(1.0), c.copysign(math.inf, x), value)


@scalar("erfcinv", f64=4, f32=4)
def erfcinv(c: Code, x: Value) -> Value:
    """erfinv(1 - x) with all digits of small x; infinite at 0 and 2, NaN beyond."""
    rest = 2.0 - x
    value = (1.0 - x) * _quantile(c, -c.call("log", x * rest))
    return c.select(x.equals(0.0), math.inf, c.select(rest.equals(0.0), -math.inf, value))


@scalar("ndtri", f64=4, f32=4)
def ndtri(c: Code, p: Value) -> Value:
    """-√2 erfinv(1 - 2p); infinite at 0 and 1, NaN beyond."""
    rest = 1.0 - p
    value = (2.0 * p - 1.0) * math.sqrt(2.0) * _quantile(c, -c.call("log", 4.0 * p * rest))
    return c.select(p.equals(0.0), -math.inf, c.select(rest.equals(0.0), math.inf, value))
