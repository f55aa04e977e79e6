"""power, cbrt, hypot, fmod, remainder, floor_divide."""

from __future__ import annotations

import math

from .coefficients_elementary import LOG_TAIL
from .elementary_exponential import exp_pair
from .elementary_logarithm import SHORT_LN2, split
from .rare import or_library, ratio_above
from .registry import scalar
from .writer import Code, Value, single

_TWO_THIRDS = {
    "f64": (0.6666666666666666, 3.700743415417188e-17),
    "f32": (single(0.6666666666666666), -1.9868215517249155e-08),
}
# |log x^y| from which x^y is 0 or infinite
_SATURATED = {"f64": 800.0, "f32": 110.0}


def log_pair(c: Code, x: Value) -> tuple[Value, Value]:
    """log x of a positive finite x as an unevaluated sum, with 12 more bits than one float holds."""
    k, m, _ = split(c, x)
    f = m - 1.0
    # s = f / (2 + f), its square z and its cube as sums
    bottom, bottom_low = c.quick_two_sum(c.constant(2.0), f)
    reciprocal = 1.0 / bottom
    s = f * reciprocal
    s_low = (c.fma(-s, bottom, f) - s * bottom_low) * reciprocal
    z, z_low = c.two_product(s, s)
    z_low = c.fma(s + s, s_low, z_low)
    cube, cube_low = c.two_product(s, z)
    cube_low = cube_low + c.fma(s, z_low, s_low * z)
    # log m = 2s + 2/3 s³ + s⁵ LOG_TAIL(s²)
    high, low = _TWO_THIRDS[c.ctype]
    third, third_low = c.two_product(cube, high)
    third_low = third_low + c.fma(cube, low, cube_low * high)
    rest = c.fma(cube * z, c.polynomial(z, LOG_TAIL[c.ctype]), third_low)
    unit, unit_low = SHORT_LN2[c.ctype]
    total, lost = c.quick_two_sum(k * unit, s + s)
    total, more = c.quick_two_sum(total, third)
    return c.quick_two_sum(total, (lost + more) + (c.fma(s_low, 2.0, rest) + k * unit_low))


@scalar("power", arity=2, f64=1.0, f32=1.0)
def power(c: Code, x: Value, y: Value) -> Value:
    size = abs(x)
    high, low = log_pair(c, size)
    ends = (size.equals(0.0)) | (size.equals(math.inf))
    high = c.select(ends, c.select(size.equals(0.0), -math.inf, size), high)
    high = c.select(size.is_nan(), size, high)
    product = y * high
    small = c.fma(y, low, c.fma(y, high, -product))
    inside = abs(product) < _SATURATED[c.ctype]
    # (±1)^±inf is 1
    product = c.select(size.equals(1.0), 0.0, product)
    result = exp_pair(c, product, c.select(inside, small, 0.0))
    half = y * 0.5
    fractional = y.differs(c.trunc(y))
    odd = ~fractional & half.differs(c.trunc(half))
    result = c.select(odd, c.copysign(result, x), result)
    result = c.select((x < 0.0) & (x > -math.inf) & fractional, math.nan, result)
    return c.select((y.equals(0.0)) | (x.equals(1.0)), 1.0, result)


def _third_root_guess(c: Code, x: Value) -> Value:
    """x^(-1/3) to about 3 %, by a third of the encoding."""
    f = c.format
    target = 4 * f.bias / 3
    if f.ctype == "f64":
        upper = c.bits(x) >> 32
        third = (upper * 0x55555556) >> 32
        return c.from_bits((int((target - 0.03) * 2**20) - third) << 32)
    third_float = c.emit(f"sitofp i32 {c.bits(x).text} to float", "float") * (1 / 3)
    third = c.emit(f"fptosi float {third_float.text} to i32", "i32")
    return c.from_bits(int((target - 0.03) * 2**23) - third)


@scalar("cbrt", f64=1.0, f32=1.0)
def cbrt(c: Code, x: Value) -> Value:
    # Householder steps for r = x^(-1/3), where h = 1 - x r³: r (1 + h/3 + 2h²/9 + 14h³/81 + …)
    steps = 54 if c.ctype == "f64" else 24
    size = abs(x)
    subnormal = size < c.format.tiny
    size = c.select(subnormal, size * 2.0**steps, size)
    r = _third_root_guess(c, size)
    for coefficients in ((1 / 3, 2 / 9, 14 / 81, 35 / 243), (1 / 3, 2 / 9)):
        h = c.fma(size * r, -(r * r), 1.0)
        r = c.fma(r * h, c.polynomial(h, coefficients), r)
    square = r * r
    y = size * square
    y_square, lost = c.two_product(y, y)
    y = c.fma(c.fma(-y, y_square, size) - y * lost, square * (1 / 3), y)
    y = c.select(subnormal, y * 2.0 ** -(steps // 3), y)
    return c.select((abs(x) < math.inf) & (abs(x) > 0.0), c.copysign(y, x), x)


@scalar("hypot", arity=2, f64=1.0, f32=1.0)
def hypot(c: Code, x: Value, y: Value) -> Value:
    f = c.format
    a, b = abs(x), abs(y)
    larger, smaller = c.select(a > b, a, b), c.select(a > b, b, a)
    step = f.bias // 2 + f.fraction + 10
    high, low = larger > 2.0 ** (f.bias // 2 - 2), larger < 2.0 ** -(f.bias // 2 - f.fraction // 2 - 1)
    scale = c.select(high, 2.0**-step, c.select(low, 2.0**step, c.constant(1.0)))
    back = c.select(high, 2.0**step, c.select(low, 2.0**-step, c.constant(1.0)))
    larger, smaller = larger * scale, smaller * scale
    result = c.sqrt(c.fma(larger, larger, smaller * smaller)) * back
    return c.select((a.equals(math.inf)) | (b.equals(math.inf)), math.inf, result)


def truncated_rest(c: Code, x: Value, y: Value) -> Value:
    """fmod. For |x/y| < 2^fraction the quotient is right or one too large, and x - q·y exact."""
    a, b = abs(x), abs(y)
    rest = c.fma(-c.trunc(a / b), b, a)
    rest = c.select(rest < 0.0, rest + b, rest)
    rest = c.select((b.equals(math.inf)) & (a < math.inf), a, rest)
    guard = ratio_above(2.0**c.format.fraction)
    return or_library(c, c.copysign(rest, x), x, y, library="fmod", guard=guard)


def floored_rest(c: Code, rest: Value, y: Value) -> Value:
    """The remainder with the sign of y, from that with the sign of x."""
    opposite = (y < 0.0) ^ (rest < 0.0)
    moved = c.select(opposite, rest + y, rest)
    return c.select(rest.equals(0.0), c.copysign(0.0, y), moved)


@scalar("fmod", arity=2, f64=0.0, f32=0.0)
def fmod(c: Code, x: Value, y: Value) -> Value:
    return truncated_rest(c, x, y)


@scalar("remainder", arity=2, f64=0.5, f32=0.5)
def remainder(c: Code, x: Value, y: Value) -> Value:
    return floored_rest(c, truncated_rest(c, x, y), y)


@scalar("floor_divide", arity=2, f64=0.0, f32=0.0)
def floor_divide(c: Code, x: Value, y: Value) -> Value:
    # NumPy's: the quotient of what the truncated remainder leaves, one less where the signs differ, then floored
    rest = truncated_rest(c, x, y)
    plain = x / y
    whole = (x - rest) / y
    whole = c.select((rest.differs(0.0)) & ((y < 0.0) ^ (rest < 0.0)), whole - 1.0, whole)
    low = c.floor(whole)
    low = c.select(whole - low > 0.5, low + 1.0, low)
    low = c.select(whole.equals(0.0), c.copysign(0.0, plain), low)
    return c.select(y.equals(0.0), plain, low)
