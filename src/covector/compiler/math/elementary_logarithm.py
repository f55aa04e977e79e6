"""log, log2, log10, log1p, arcsinh, arccosh, arctanh.

x = 2^k·m with √½ ≤ m < √2, f = m - 1, s = f/(2 + f): log m = 2 atanh s = f - (f²/2 - s·(f²/2 + s²·LOG(s²)))
(FreeBSD msun, e_log.c). The sum with k·log 2 is made with its rounding error kept, so that only the last addition
rounds in the size of the result.
"""

from __future__ import annotations

import math

from .coefficients_elementary import LOG
from .elementary_exponential import LN2, NEGLIGIBLE
from .registry import scalar
from .writer import Code, Value, encoding, single

# leading parts with so many zero bits at the end that k times them is exact, and what they lack
SHORT_LN2 = {
    "f64": (float.fromhex("0x1.62e42fefa2000p-1"), 7.371002565167799e-13),
    "f32": (float.fromhex("0x1.62e4p-1"), 1.428606765330187e-06),
}
_SHORT_LOG10_2 = {
    "f64": (float.fromhex("0x1.34413509f6000p-2"), 3.694239077158931e-13),
    "f32": (float.fromhex("0x1.344p-2"), 4.605039066518657e-06),
}
_LOG2_E = {
    "f64": (1.4426950408889634, 2.0355273740931033e-17),
    "f32": (single(1.4426950408889634), 1.925963033500011e-08),
}
_LOG10_E = {
    "f64": (0.4342944819032518, 1.098319650216765e-17),
    "f32": (single(0.4342944819032518), -1.0103049952192578e-08),
}
# above this, arcsinh x and arccosh x are log 2x to the last bit
_HUGE = {"f64": 2.0**57, "f32": 2.0**28}


def split(c: Code, x: Value) -> tuple[Value, Value, Value]:
    """(k, m, k + bias + 1 as an integer, if x is normal) of a positive finite x."""
    f = c.format
    steps = f.fraction + 2
    subnormal = x < f.tiny
    bits = c.bits(c.select(subnormal, x * 2.0**steps, x))
    # the offset keeps the exponent positive under a logical shift
    offset = (f.bias + 1) << f.fraction
    moved = bits + (offset - encoding(math.sqrt(0.5), f.ctype))
    exponent = moved >> f.fraction
    mantissa = (bits + offset) - (exponent << f.fraction)
    anchor = 2.0**f.fraction
    k = c.from_bits(exponent | encoding(anchor, f.ctype))
    zero = anchor + f.bias + 1.0
    k = k - c.select(subnormal, c.constant(zero + steps), c.constant(zero))
    return k, c.from_bits(mantissa), exponent


def _atanh_part(c: Code, f: Value, extra: Value | None = None) -> Value:
    """f - log(1 + f) - extra for the reduced f."""
    s = f / (f + 2.0)
    z = s * s
    half = f * 0.5
    inner = c.fma(half, f, z * c.polynomial(z, LOG[c.ctype]))
    return c.fma(half, f, -(s * inner if extra is None else c.fma(s, inner, extra)))


def _sum(c: Code, k: Value, f: Value, extra: Value | None = None) -> Value:
    """k·log 2 + log(1 + f) + extra."""
    high, low = SHORT_LN2[c.ctype]
    total, lost = c.quick_two_sum(k * high, f)
    small = k * low if extra is None else c.fma(k, low, extra)
    return total + (lost - _atanh_part(c, f, small))


def _edges(c: Code, x: Value, result: Value) -> Value:
    """log at 0, infinity, NaN and below 0."""
    proper = (x > 0.0) & (x < math.inf)
    outside = c.select(x.equals(math.inf), x, math.nan)
    return c.select(proper, result, c.select(x.equals(0.0), -math.inf, outside))


@scalar("log", f64=1.0, f32=1.0)
def log(c: Code, x: Value) -> Value:
    k, m, _ = split(c, x)
    return _edges(c, x, _sum(c, k, m - 1.0))


def _other_base(c: Code, x: Value, factor: tuple[float, float], unit: tuple[float, float]) -> Value:
    k, m, _ = split(c, x)
    f = m - 1.0
    high, low = c.quick_two_sum(f, -_atanh_part(c, f))
    product = high * factor[0]
    rest = c.fma(high, factor[0], -product) + c.fma(low, factor[0], high * factor[1])
    total, lost = c.quick_two_sum(k * unit[0], product)
    if unit[1]:
        rest = c.fma(k, unit[1], rest)
    return _edges(c, x, total + (lost + rest))


@scalar("log2", f64=1.0, f32=1.0)
def log2(c: Code, x: Value) -> Value:
    return _other_base(c, x, _LOG2_E[c.ctype], (1.0, 0.0))


@scalar("log10", f64=1.0, f32=1.0)
def log10(c: Code, x: Value) -> Value:
    return _other_base(c, x, _LOG10_E[c.ctype], _SHORT_LOG10_2[c.ctype])


def log1p_formula(c: Code, x: Value, low: Value | None = None) -> Value:
    """log(1 + x + low) for -1 < x < inf and |low| ≤ ulp(x)."""
    # 1 + x = u + lost exactly; the lost part enters as lost/u, here through a few terms of 1/(1 + f)
    u, lost = c.two_sum(c.constant(1.0), x)
    k, m, exponent = split(c, u)
    near = k.equals(0.0)
    f = c.select(near, x, m - 1.0)
    half_scale = c.from_bits((2 * c.format.bias + 2 - exponent) << c.format.fraction)  # 2^(1 - k), k up to bias + 1
    inverse = c.fma(c.fma(1.0 - f, f, -1.0), f, 1.0)
    missing = c.select(near, 0.0 if low is None else low, (lost if low is None else lost + low) * 0.5 * half_scale)
    return _sum(c, k, f, missing * inverse)


@scalar("log1p", f64=1.0, f32=1.0)
def log1p(c: Code, x: Value) -> Value:
    result = log1p_formula(c, x)
    result = c.select(abs(x) < NEGLIGIBLE[c.ctype], x, result)
    proper = (x > -1.0) & (x < math.inf)
    outside = c.select(x.equals(math.inf), x, math.nan)
    return c.select(proper, result, c.select(x.equals(-1.0), -math.inf, outside))


@scalar("arcsinh", f64=2.0, f32=2.0)
def arcsinh(c: Code, x: Value) -> Value:
    size = abs(x)
    huge = size > _HUGE[c.ctype]
    bounded = c.select(huge, 1.0, size)
    square = bounded * bounded
    small = bounded + square / (c.sqrt(square + 1.0) + 1.0)
    result = log1p_formula(c, c.select(huge, size, small)) + c.select(huge, LN2[c.ctype][0], c.constant(0.0))
    result = c.select(size < NEGLIGIBLE[c.ctype], size, c.select(size < math.inf, result, size))
    return c.copysign(result, x)


@scalar("arccosh", f64=1.5, f32=1.5)
def arccosh(c: Code, x: Value) -> Value:
    huge = x > _HUGE[c.ctype]
    t = c.select(huge, 1.0, x - 1.0)
    # x = 1 + t: log1p(t + √(t (t + 2))), with what t + 2, the product, the root and the sum round away
    other, lost = c.two_sum(t, c.constant(2.0))
    product, error = c.two_product(t, other)
    root = c.sqrt(product)
    rest = c.fma(t, lost, error + c.fma(-root, root, product)) / c.at_least(root + root, c.format.tiny)
    sum_, error = c.two_sum(root, t)
    low = c.select(huge, 0.0, rest + error)
    result = log1p_formula(c, c.select(huge, x, sum_), low) + c.select(huge, LN2[c.ctype][0], c.constant(0.0))
    outside = c.select(x.equals(math.inf), x, math.nan)
    return c.select((x >= 1.0) & (x < math.inf), result, outside)


@scalar("arctanh", f64=2.0, f32=2.0)
def arctanh(c: Code, x: Value) -> Value:
    size = abs(x)
    result = log1p_formula(c, (size + size) / (1.0 - size)) * 0.5
    result = c.select(size < NEGLIGIBLE[c.ctype], size, result)
    outside = c.select(size.equals(1.0), math.inf, c.constant(math.nan))
    return c.copysign(c.select(size < 1.0, result, outside), x)
