"""Smooth quotients and losses, and derivatives that are functions of their own."""

from __future__ import annotations

import math

from . import coefficients_special as coefficients
from .parts import is_odd, sinc_near
from .registry import scalar
from .writer import Code, Value, single


@scalar("sinc", f64=3, f32=3)
def sinc(c: Code, x: Value) -> Value:
    """sin(πx)/(πx) as ±r sinc(r)/x with r = x - rint(x), which is exact."""
    whole = c.rint(x)
    r = x - whole
    core = sinc_near(c, r)
    value = r * core / x
    return c.select(abs(x) < 0.5, core, c.select(is_odd(c, whole), -value, value))


@scalar("sinc_slope", f64=4, f32=4)
def sinc_slope(c: Code, x: Value) -> Value:
    """The derivative of `sinc` as (cos(πx) - sinc(x))/x, or for |x| < 1/2 as x times a polynomial."""
    whole = c.rint(x)
    r = x - whole
    square = r * r
    sine_over = r * c.polynomial(square, coefficients.SINC[c.ctype]) / x
    far = (c.polynomial(square, coefficients.COSINE_PI[c.ctype]) - sine_over) / x
    near = x * c.polynomial(square, coefficients.SINC_SLOPE[c.ctype])
    return c.select(abs(x) < 0.5, near, c.select(is_odd(c, whole), -far, far))


@scalar("sech_squared", f64=4, f32=4)
def sech_squared(c: Code, x: Value) -> Value:
    """The derivative of tanh as 4e/(1 + e)² with e = exp(-2|x|): 1 - tanh² has no digits left for large x."""
    power = c.call("exp", -2.0 * abs(x))
    below = 1.0 + power
    return 4.0 * power / (below * below)


@scalar("exprel", f64=3, f32=3)
def exprel(c: Code, x: Value) -> Value:
    """(exp(x) - 1)/x, and 1 at 0."""
    # A part of a large exponent goes into a factor, so that exp does not overflow before the quotient does.
    large = x > (512.0 if c.ctype == "f64" else 64.0)
    power = c.call("expm1", x - c.select(large, 16.0, 0.0))
    value = power / x * c.select(large, math.exp(16.0), 1.0)
    return c.select(x.equals(0.0), 1.0, c.select(x.equals(math.inf), math.inf, value))


@scalar("huber", arity=2, f64=2, f32=2)
def huber(c: Code, delta: Value, r: Value) -> Value:
    """r²/2 where |r| ≤ delta, beyond it delta (|r| - delta/2); infinite for a negative delta."""
    size = abs(r)
    value = c.select(size <= delta, 0.5 * r * r, delta * (size - 0.5 * delta))
    return c.select(delta < 0.0, math.inf, value)


@scalar("pseudo_huber", arity=2, f64=4, f32=4)
def pseudo_huber(c: Code, delta: Value, r: Value) -> Value:
    """delta² (√(1 + (r/delta)²) - 1) as r²/(1 + √…), which does not cancel; infinite for a negative delta."""
    u = r / delta
    far = abs(u) > 2.0**c.format.fraction
    value = c.select(far, delta * abs(r), r * (r / (1.0 + c.sqrt(c.fma(u, u, 1.0)))))
    value = c.select(delta.equals(0.0) | r.equals(0.0), 0.0, value)
    return c.select(delta < 0.0, math.inf, value)


@scalar("exp10", f64=2, f32=2)
def exp10(c: Code, x: Value) -> Value:
    """exp2 of x log₂10 in two parts."""
    bounded = c.at_least(c.at_most(x, 400.0), -400.0)
    head, tail = _LOG2_10[c.ctype]
    high, low = c.two_product(bounded, head)
    power = c.call("exp2", high)
    rest = c.fma(bounded, tail, low) * math.log(2.0)
    return c.select(power < math.inf, c.fma(power, rest, power), power)


# log₂10, rounded, and the rest of it.
_LOG2_10 = {
    "f64": (3.321928094887362, 1.661617516973592e-16),
    "f32": (single(3.321928094887362), 3.321928094887362 - single(3.321928094887362)),
}


@scalar("cosm1", f64=3, f32=3)
def cosm1(c: Code, x: Value) -> Value:
    """cos(x) - 1 as -2 sin²(x/2)."""
    sine = c.call("sin", 0.5 * x)
    return -2.0 * sine * sine
