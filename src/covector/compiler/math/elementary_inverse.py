"""arcsin, arccos, arctan, arctan2."""

from __future__ import annotations

import math

from .coefficients_elementary import ARCSIN, ARCTAN
from .registry import scalar
from .writer import Code, Value, single

_PI = {
    "f64": (3.141592653589793, 1.2246467991473532e-16),
    "f32": (single(3.141592653589793), -8.742277657347586e-08),
}


def _arctan_of_ratio(c: Code, y: Value, x: Value) -> tuple[Value, Value]:
    """arctan(y/x) in [0, π/2] for positive y and x, as an unevaluated sum.

    The angle is taken from 0, π/4 or π/2, whichever leaves a tangent t with |t| ≤ 1/2; then y - x is exact where used.
    """
    near = y <= x * 0.5
    far = y > x * 2.0
    sum_, lost = c.two_sum(x, y)
    top = c.select(near, y, c.select(far, -x, y - x))
    bottom = c.select(near, x, c.select(far, y, sum_))
    reciprocal = 1.0 / bottom
    t = top * reciprocal
    rest = (c.fma(-t, bottom, top) - t * c.select(near | far, 0.0, lost)) * reciprocal
    rest = c.select(abs(t) < c.format.tiny, 0.0, rest)  # nothing exact is left below the normal numbers
    half, half_low = _PI[c.ctype][0] / 2, _PI[c.ctype][1] / 2
    base = c.select(near, c.constant(0.0), c.select(far, half, c.constant(half / 2)))
    base_low = c.select(near, c.constant(0.0), c.select(far, half_low, c.constant(half_low / 2)))
    z = t * t
    total, lost = c.quick_two_sum(base, t)
    return total, lost + (base_low + c.fma(t * z, c.polynomial(z, ARCTAN[c.ctype]), rest))


@scalar("arctan", f64=1.0, f32=1.0)
def arctan(c: Code, x: Value) -> Value:
    # beyond the bound arctan is π/2 to the last bit; the bound keeps the quotients finite
    size = c.at_most(abs(x), 2.0 ** (2 * c.format.fraction))
    high, low = _arctan_of_ratio(c, size, c.constant(1.0))
    return c.copysign(high + low, x)


@scalar("arctan2", arity=2, f64=1.0, f32=1.0)
def arctan2(c: Code, y: Value, x: Value) -> Value:
    f = c.format
    a, b = abs(y), abs(x)
    # an infinity acts as 1 against 0 or, another infinity, against 1; and 0/0 as 0/1
    above, beside = a.equals(math.inf), b.equals(math.inf)
    a, b = (
        c.select(above, 1.0, c.select(beside, 0.0, a)),
        c.select(beside, 1.0, c.select(above, 0.0, b)),
    )
    larger = c.select(a > b, a, b)
    # keeps y ± x finite and y/x normal where the angle is
    scale = c.select(larger > 2.0 ** (f.bias - 2), 2.0 ** -(f.fraction + 2), c.constant(1.0))
    scale = c.select(larger < 2.0 ** (f.fraction + 4 - f.bias), 2.0 ** (f.fraction + 2), scale)
    a, b = a * scale, b * scale
    b = c.select(larger.equals(0.0), 1.0, b)
    high, low = _arctan_of_ratio(c, a, b)
    left = c.bits(x) >> (f.bits - 1)
    positive = left.equals(0)
    pi, pi_low = _PI[c.ctype]
    base, lost = c.quick_two_sum(c.constant(pi), -high)
    result = c.select(positive, high + low, base + (lost + (pi_low - low)))
    nan = (x.is_nan()) | (y.is_nan())
    return c.copysign(c.select(nan, x + y, result), y)


def _arcsin_rest(c: Code, t: Value, z: Value) -> Value:
    """arcsin(t) - t for z = t² ≤ 1/4."""
    return t * z * c.polynomial(z, ARCSIN[c.ctype])


def _folded(c: Code, x: Value) -> tuple[Value, Value, Value, Value]:
    """(|x| ≤ 1/2, t, what t lacks, arcsin(t) - t): t is |x|, or √((1 - |x|)/2) where |x| is above 1/2."""
    size = abs(x)
    inner = size <= 0.5
    z = c.select(inner, size * size, c.fma(size, -0.5, 0.5))
    root = c.sqrt(z)
    correction = c.fma(-root, root, z) / c.at_least(root + root, c.format.tiny)
    t = c.select(inner, size, root)
    return inner, t, c.select(inner, 0.0, correction), _arcsin_rest(c, t, z)


@scalar("arcsin", f64=1.0, f32=1.0)
def arcsin(c: Code, x: Value) -> Value:
    inner, t, lack, rest = _folded(c, x)
    half, half_low = _PI[c.ctype][0] / 2, _PI[c.ctype][1] / 2
    base, lost = c.quick_two_sum(c.constant(half), t * -2.0)
    outer = base + (lost + c.fma(lack + rest, -2.0, half_low))
    return c.copysign(c.select(inner, t + rest, outer), x)


@scalar("arccos", f64=1.0, f32=1.0)
def arccos(c: Code, x: Value) -> Value:
    inner, t, lack, rest = _folded(c, x)
    pi, pi_low = _PI[c.ctype]
    negative = x < 0.0
    # inner: π/2 ∓ arcsin; outer: 2 arcsin(t), or π minus it
    factor = c.select(inner, 1.0, c.constant(2.0))
    base = c.select(inner, pi / 2, c.select(negative, pi, c.constant(0.0)))
    base_low = c.select(inner, pi_low / 2, c.select(negative, pi_low, c.constant(0.0)))
    sign = c.select(inner ^ negative, -factor, factor)
    total, lost = c.two_sum(base, t * sign)
    return total + (lost + c.fma(lack + rest, sign, base_low))
