"""Pieces that several special functions share."""

from __future__ import annotations

import math

from . import coefficients_special as coefficients
from .writer import Code, Value, encoding, single

__all__ = ["cotangent", "is_odd", "log_parts", "sinc_near"]

_LN2 = "0.693147180559945309417232121458176568"


def _ln2_parts(ctype: str) -> tuple[float, float]:
    """log 2 as a head, whose product with any exponent is exact, and a tail."""
    head = math.floor(math.log(2) * 2.0**42) / 2.0**42 if ctype == "f64" else math.floor(math.log(2) * 2**14) / 2**14
    # The tail from decimal digits: log 2 - head in exact integers.
    digits = int(_LN2[2:])
    scale = 10 ** (len(_LN2) - 2)
    power = 2**42
    return head, (digits * power - int(head * power) * scale) / (scale * power)


def log_parts(code: Code, x: Value, *, subnormal: bool = False) -> tuple[Value, Value]:
    """(h, l) with h + l = log x to about 8 bits more than the format holds, for positive finite x.

    log x = k log 2 + 2 artanh(s) with x = 2ᵏ m, √½ ≤ m < √2 and s = (m - 1)/(m + 1), whose own rounding error is
    computed too. `subnormal`: whether x may be that small.
    """
    format_ = code.format
    shift = 0.0
    if subnormal:
        tiny = x < format_.tiny
        x = code.select(tiny, x * 2.0 ** (format_.fraction + 2), x)
        shift = -(format_.fraction + 2)
    bits = code.bits(x)
    root = encoding(math.sqrt(0.5) if code.ctype == "f64" else single(math.sqrt(0.5)), code.ctype)
    one = encoding(1.0, code.ctype)
    moved = bits + (one - root)
    whole = 2.0**format_.fraction
    # The biased exponent in the low bits of 2^fraction is a float after one subtraction, without a conversion.
    exponent = code.from_bits((moved >> format_.fraction) | encoding(whole, code.ctype)) - (whole + format_.bias)
    if subnormal:
        exponent = exponent + code.select(tiny, shift, 0.0)
    m = code.from_bits((moved & ((1 << format_.fraction) - 1)) + root)
    numerator, below = m - 1.0, m + 1.0
    below_error = m - (below - 1.0)
    inverse = 1.0 / below
    s = numerator * inverse
    s_error = code.fma(-s, below_error, code.fma(-s, below, numerator)) * inverse
    square = s * s
    rest = s * square * code.polynomial(square, coefficients.LOG_REST[code.ctype])
    head, tail = _ln2_parts(code.ctype)
    high, error = code.quick_two_sum(exponent * head, s + s)
    return high, error + code.fma(exponent, tail, code.fma(s_error, 2.0, rest))


def is_odd(code: Code, whole: Value) -> Value:
    """Whether a float without fraction is odd; those too large for a last bit are not."""
    half = 0.5 * whole
    return half.differs(code.rint(half))


def sinc_near(code: Code, r: Value) -> Value:
    """sin(πr)/(πr) for |r| ≤ 1/2."""
    return code.polynomial(r * r, coefficients.SINC[code.ctype])


def cotangent(code: Code, r: Value) -> Value:
    """π cot(πr) for |r| ≤ 1/2."""
    return code.fma(-r, code.polynomial(r * r, coefficients.COTANGENT_PI[code.ctype]), 1.0 / r)
