"""Logistic functions and logarithms of sums."""

from __future__ import annotations

import math

from .registry import scalar
from .writer import Code, Value


@scalar("expit", f64=3, f32=3)
def expit(c: Code, x: Value) -> Value:
    """1/(1 + e) or e/(1 + e) with e = exp(-|x|), which neither overflows nor cancels."""
    power = c.call("exp", -abs(x))
    return c.select(x < 0.0, power, 1.0) / (1.0 + power)


@scalar("log_expit", f64=2, f32=2)
def log_expit(c: Code, x: Value) -> Value:
    """min(x, 0) - log1p(exp(-|x|))."""
    return -(c.call("log1p", c.call("exp", -abs(x))) - c.at_most(x, 0.0))


@scalar("logit", f64=3, f32=3)
def logit(c: Code, p: Value) -> Value:
    """±log1p(|1 - 2p|/min(p, 1 - p)): the zero at 1/2 stays a zero, and no argument is near -1."""
    low = p < 0.5
    under = c.select(low, p + 0.0, 1.0 - p)
    # A quotient that would overflow is taken 2⁻⁶⁴ times; then 1 is nothing beside it.
    tiny = abs(p) < 4.0 / c.format.largest
    quotient = c.select(tiny, 2.0**-64, 1.0) * abs(1.0 - 2.0 * p) / under
    value = c.call("log1p", quotient)
    value = c.select(tiny, value + 64 * math.log(2.0), value)
    value = c.select(low, -value, value)
    return c.select(p.equals(0.0), -math.inf, value)


def _log_of_sum(c: Code, x: Value, y: Value, base: str) -> Value:
    difference = x - y
    scale = 1.0 if base == "e" else 1.0 / math.log(2.0)
    rest = c.call("log1p", c.call("exp" if base == "e" else "exp2", -abs(difference)))
    larger = c.select(difference > 0.0, x, y)
    value = larger + rest if base == "e" else c.fma(rest, scale, larger)
    # Equal infinities, whose difference is NaN.
    return c.select(x.equals(y), x + math.log(2.0) * scale, value)


@scalar("logaddexp", arity=2, f64=3, f32=3)
def logaddexp(c: Code, x: Value, y: Value) -> Value:
    """max(x, y) + log1p(exp(-|x - y|)).

    The accuracy is relative to the larger of |x|, |y| and the result, as in NumPy: where the terms cancel, the
    rounding of the arguments themselves is larger.
    """
    return _log_of_sum(c, x, y, "e")


@scalar("logaddexp2", arity=2, f64=3, f32=3)
def logaddexp2(c: Code, x: Value, y: Value) -> Value:
    """The same to base 2."""
    return _log_of_sum(c, x, y, "2")


def _share(c: Code, x: Value, y: Value, base: str) -> Value:
    """1/(1 + baseʸ⁻ˣ) with the rounding error of y - x (Knuth, TAOCP 4.2.2); of equal infinities all or nothing."""
    difference, error = c.two_sum(y, -x)
    error = c.select(abs(difference) < math.inf, error, 0.0) * (1.0 if base == "e" else math.log(2.0))
    right = difference > 0.0
    power = c.call("exp" if base == "e" else "exp2", -abs(difference))
    power = c.fma(power, c.select(right, -error, error), power)
    share = c.select(right, power, 1.0) / (1.0 + power)
    equal = abs(x).equals(math.inf) & x.equals(y)
    return c.select(equal, c.select(x > 0.0, 1.0, 0.0), share)


@scalar("logaddexp_share", arity=2, f64=3.5, f32=3.5)
def logaddexp_share(c: Code, x: Value, y: Value) -> Value:
    """The derivative of `logaddexp` by its first argument."""
    return _share(c, x, y, "e")


@scalar("logaddexp2_share", arity=2, f64=3.5, f32=3.5)
def logaddexp2_share(c: Code, x: Value, y: Value) -> Value:
    """The derivative of `logaddexp2` by its first argument."""
    return _share(c, x, y, "2")
