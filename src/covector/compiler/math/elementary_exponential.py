"""exp, exp2, expm1, sinh, cosh, tanh.

All reduce x = k·log 2 + r with |r| ≤ log(2)/2 (Tang 1989). With a fused multiply-add, x - k·LN2 is exact for the
nearest float LN2: both terms are multiples of ulp(LN2) and the difference is below 1/2. What LN2 lacks follows as a
second, small term, which enters where it costs no rounding.
"""

from __future__ import annotations

from .coefficients_elementary import EXP
from .registry import scalar
from .writer import Code, Value, encoding, single

LN2 = {
    "f64": (0.6931471805599453, 2.3190468138462996e-17),
    "f32": (single(0.6931471805599453), -1.9046542121259336e-09),
}
_LOG2_E = 1.4426950408889634
# beyond these, exp is infinite or rounds to 0
_EXP_HIGH = {"f64": 710.0, "f32": 89.0}
_EXP_ZERO = {"f64": -745.1332191019412, "f32": single(-103.97207708399179)}
# below this, expm1 is -1
_EXPM1_LOW = {"f64": -40.0, "f32": -18.0}
# beyond these, sinh and cosh are infinite and tanh is 1
_HYPERBOLIC_HIGH = {"f64": 711.0, "f32": 90.0}
_TANH_HIGH = {"f64": 20.0, "f32": 10.0}
# below this, x is expm1(x), sinh(x) to the last bit
NEGLIGIBLE = {"f64": 2.0**-54, "f32": 2.0**-25}


def nearest(c: Code, x: Value, factor: float) -> tuple[Value, Value]:
    """rint(x·factor) as a float, and the encoding that holds it in its low bits."""
    shifted = c.fma(x, factor, c.format.rounder)
    return shifted - c.format.rounder, c.bits(shifted)


def power_of_two(c: Code, low_bits: Value, offset: int = 0) -> Value:
    """2^(k + offset) in the normal range, for `low_bits` from `nearest`."""
    f = c.format
    exponent = low_bits + (f.bias + offset - encoding(f.rounder, f.ctype))
    return c.from_bits(exponent << f.fraction)


def scaled(c: Code, y: Value, low_bits: Value) -> Value:
    """y·2^k for any k that may overflow or underflow: two factors, the second rounds once."""
    f = c.format
    both = low_bits + (2 * f.bias - encoding(f.rounder, f.ctype))
    first = both >> 1
    return y * c.from_bits(first << f.fraction) * c.from_bits((both - first) << f.fraction)


def _reduced(c: Code, x: Value) -> tuple[Value, Value, Value]:
    """(r, small, low_bits): x = k·log 2 + r + small."""
    k, low_bits = nearest(c, x, _LOG2_E)
    high, low = LN2[c.ctype]
    return c.fma(k, -high, x), k * -low, low_bits


def _rest(c: Code, r: Value, small: Value) -> Value:
    """e^(r + small) - 1 - r."""
    sum_ = r + small
    return c.fma(sum_ * sum_, c.polynomial(sum_, EXP[c.ctype]), small)


def _bounded(c: Code, x: Value, zero: float, high: float) -> tuple[Value, Value]:
    """(the argument to use, whether the result is 0).

    Where the result is 0 the argument becomes 0: a product that underflows costs some processors a hundred cycles.
    """
    vanishes = x < zero
    return c.at_most(c.select(vanishes, 0.0, x), high), vanishes


def exp_pair(c: Code, high: Value, low: Value) -> Value:
    """e^(high + low) for |low| ≤ ulp(high); all but the last rounding are far below one unit."""
    x, vanishes = _bounded(c, high, _EXP_ZERO[c.ctype] - 1.0, _EXP_HIGH[c.ctype])
    r, small, low_bits = _reduced(c, x)
    total, lost = c.quick_two_sum(c.constant(1.0), r)
    return c.select(vanishes, 0.0, scaled(c, total + (lost + _rest(c, r, small + low)), low_bits))


@scalar("exp", f64=1.0, f32=1.0)
def exp(c: Code, x: Value) -> Value:
    x, vanishes = _bounded(c, x, _EXP_ZERO[c.ctype], _EXP_HIGH[c.ctype])
    r, small, low_bits = _reduced(c, x)
    return c.select(vanishes, 0.0, scaled(c, (r + _rest(c, r, small)) + 1.0, low_bits))


@scalar("exp2", f64=1.0, f32=1.0)
def exp2(c: Code, x: Value) -> Value:
    high, low = LN2[c.ctype]
    bias, fraction_bits = c.format.bias, c.format.fraction
    x, vanishes = _bounded(c, x, -float(bias + fraction_bits), float(bias + 2))
    k, low_bits = nearest(c, x, 1.0)
    fraction = x - k
    r = fraction * high
    small = c.fma(fraction, low, c.fma(fraction, high, -r))
    return c.select(vanishes, 0.0, scaled(c, (r + _rest(c, r, small)) + 1.0, low_bits))


def expm1_pair(c: Code, x: Value, shift: int) -> tuple[Value, Value]:
    """expm1(x)·2^-shift as an unevaluated sum, for x between the bounds above."""
    r, small, low_bits = _reduced(c, x)
    high, low = c.quick_two_sum(r, _rest(c, r, small))
    scale = power_of_two(c, low_bits, -shift)
    less = scale - 2.0**-shift
    total, error = c.two_sum(less, high * scale)
    return total, c.fma(low, scale, error + ((scale - less) - 2.0**-shift))


@scalar("expm1", f64=1.25, f32=1.25)
def expm1(c: Code, x: Value) -> Value:
    bounded = c.at_least(c.at_most(x, _EXP_HIGH[c.ctype]), _EXPM1_LOW[c.ctype])
    high, low = expm1_pair(c, bounded, 1)
    return c.select(abs(x) < NEGLIGIBLE[c.ctype], x, (high + low) * 2.0)


def quotient(c: Code, top: tuple[Value, Value], bottom: tuple[Value, Value]) -> tuple[Value, Value]:
    """top / bottom of two unevaluated sums, as one."""
    reciprocal = 1.0 / bottom[0]
    q = top[0] * reciprocal
    rest = c.fma(-q, bottom[0], top[0]) + c.fma(-q, bottom[1], top[1])
    return q, rest * reciprocal


@scalar("tanh", f64=1.0, f32=1.0)
def tanh(c: Code, x: Value) -> Value:
    # tanh x = h / (h + 1) with h = expm1(2|x|)/2
    size = c.at_most(abs(x), _TANH_HIGH[c.ctype])
    high, low = expm1_pair(c, size + size, 1)
    bottom, error = c.two_sum(high, c.constant(1.0))
    q, rest = quotient(c, (high, low), (bottom, error + low))
    return c.copysign(q + rest, x)


@scalar("sinh", f64=1.0, f32=1.0)
def sinh(c: Code, x: Value) -> Value:
    # with g = expm1(|x|)/8: sinh|x| = 4 (g + g / (1 + 8g)), which overflows only where sinh does
    high, low = expm1_pair(c, c.at_most(abs(x), _HYPERBOLIC_HIGH[c.ctype]), 3)
    eighth, error = c.two_sum(high, c.constant(0.125))
    q, rest = quotient(c, (high * 0.125, low * 0.125), (eighth, error + low))
    total, lost = c.quick_two_sum(high, q)
    result = (total + (lost + (low + rest))) * 4.0
    return c.copysign(c.select(abs(x) < NEGLIGIBLE[c.ctype], abs(x), result), x)


@scalar("cosh", f64=1.0, f32=1.0)
def cosh(c: Code, x: Value) -> Value:
    high, low = expm1_pair(c, c.at_most(abs(x), _HYPERBOLIC_HIGH[c.ctype]), 3)
    eighth, error = c.two_sum(high, c.constant(0.125))
    return (eighth + ((error + low) + 0.015625 / eighth)) * 4.0
