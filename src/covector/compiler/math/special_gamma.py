"""log |Γ| and its derivative."""

from __future__ import annotations

import math

from . import coefficients_special as coefficients
from .parts import cotangent, is_odd, log_parts, sinc_near
from .registry import scalar
from .writer import Code, Value, single

# Where ψ vanishes, and the rest of that number.
_ROOT, _ROOT_REST = 1.4616321449683623, 9.549995429965697e-17
# (log(2π) - 1)/2
_STIRLING = 0.41893853320467274


@scalar("gammaln", f64=4, f32=4)
def gammaln(c: Code, x: Value) -> Value:
    """Three ways that share one logarithm, chosen by z = |x|.

    z ≥ 5/2: Stirling's series as (z - 1/2)(log z - 1) + …, which does not cancel (DLMF 5.11.1). Below, the polynomial
    of log Γ(2 + t), and what the recurrence takes off: log(z(z + 1)), log z or nothing (DLMF 5.5.1), so that the
    zeros at 1 and 2 stay zeros. Of a negative number the reflection log π/(z |sin πz|) - log Γ(z) (DLMF 5.5.3).
    """
    z = abs(x)
    large, below_half, below = z >= 2.5, z < 0.5, z < 1.25
    negative = x < -c.format.tiny
    t = z - c.select(below_half, 0.0, c.select(below, 1.0, 2.0))
    taken = c.select(below_half, c.fma(z, z, z), c.select(below, z, 1.0))
    # Of a negative number the reflection's logarithm takes this factor.
    taken = c.select(negative & below, 1.0, taken)
    high, low = log_parts(c, c.select(large, z, taken), subnormal=True)

    near = (t * c.polynomial(t, coefficients.LOGGAMMA_NEAR[c.ctype]) - low) - high
    inverse = 1.0 / z
    middle = z - 0.5
    rest = c.fma(inverse, c.polynomial(inverse * inverse, coefficients.STIRLING_REST[c.ctype]), _STIRLING)
    far = c.fma(middle, high - 1.0, c.fma(middle, low, rest))
    value = c.select(large, far, near)

    r = z - c.rint(z)
    above = c.select(below_half, z + 1.0, 1.0)
    under = abs(r) * sinc_near(c, r) * c.select(below, 1.0, z)  # of sin(πr)/π: π cancels
    reflected = c.select(r.equals(0.0), math.inf, c.call("log", above / under) - value)
    value = c.select(negative, reflected, value)
    return c.select(z.equals(math.inf), x, c.select(x.equals(0.0), math.inf, value))


@scalar("loggamma", f64=4, f32=4)
def loggamma(c: Code, x: Value) -> Value:
    """log Γ, which is not real for a negative number."""
    return c.select(x < 0.0, math.nan, c.call("gammaln", x))


@scalar("digamma", f64=4, f32=4)
def digamma(c: Code, x: Value) -> Value:
    """Two ways, chosen by y = x, or y = 1 - x of a negative number (DLMF 5.5.4).

    y ≥ 3: log(y - 1/2) and a series in 1/(y - 1/2)², which does not cancel. Below, a polynomial for 1 ≤ y ≤ 3 with
    the factor y - y₀, so that the zero y₀ is met, and left of 1 the recurrence (DLMF 5.5.2).
    """
    negative = x < 0.0
    y = c.select(negative, 1.0 - x, x)
    root = _ROOT if c.ctype == "f64" else single(_ROOT)
    root_rest = _ROOT_REST if c.ctype == "f64" else _ROOT - root
    small, large = y < 1.0, y >= 3.0
    # ψ(w) w = (w - y₀) polynomial(w - 2) at w = y or y + 1.
    from_root = (y - c.select(small, root - 1.0, root)) - root_rest
    product = from_root * c.polynomial(y - c.select(small, 1.0, 2.0), coefficients.DIGAMMA_NEAR[c.ctype])
    shifted = y - 0.5
    # ψ(y + 1) - 1/y, ψ(y), or the variable of the series, by one division.
    above = c.select(large, 1.0, c.select(small, c.fma(y, product, -(y + 1.0)), product))
    under = c.select(large, shifted, c.select(small, y * (y + 1.0), y))
    quotient = above / under
    square = quotient * quotient
    far = c.fma(square, c.polynomial(square, coefficients.DIGAMMA_REST[c.ctype]), c.call("log", shifted))
    value = c.select(large, far, quotient)

    r = x - c.rint(x)
    reflected = c.select(r.equals(0.0), math.nan, value - cotangent(c, r))
    return c.select(negative, reflected, value)


@scalar("trigamma", f64=4, f32=4)
def trigamma(c: Code, x: Value) -> Value:
    """The derivative of `digamma`, in the same two ways; of a negative number by reflection (DLMF 5.15.6)."""
    negative = x < 0.0
    y = c.select(negative, 1.0 - x, x)
    small, large = y < 1.0, y >= 3.0
    w = c.select(small, y + 1.0, y)
    near = c.polynomial(w - 2.0, coefficients.TRIGAMMA_NEAR[c.ctype]) / (w * w)
    # ψ'(y) = ψ'(y + 1) + 1/y²; or the variable of the series.
    inverse = 1.0 / c.select(large, y - 0.5, y)
    square = inverse * inverse
    near = c.select(small, near + square, near)
    far = c.fma(inverse * square, c.polynomial(square, coefficients.TRIGAMMA_REST[c.ctype]), inverse)
    value = c.select(large, far, near)

    r = x - c.rint(x)
    inverse = 1.0 / r  # its square, because that of a small r is subnormal
    reflected = c.fma(inverse, inverse, c.polynomial(r * r, coefficients.COSECANT_PI[c.ctype]) - value)
    return c.select(negative, reflected, value)


# Beyond these, Γ is infinite.
_LARGEST = {"f64": 171.62437695630272, "f32": 35.040096282958984}


@scalar("gamma", f64=4.5, f32=4.5)
def gamma(c: Code, x: Value) -> Value:
    """exp of a logarithm in two parts: by Stirling's series, or below 5/2 of Γ(2 + t), to be divided.

    Of a negative number the reflection Γ(-z) = π/(-z sin(πz) Γ(z)) (DLMF 5.5.3) with exp of minus the logarithm.
    """
    z = abs(x)
    large, below_half, below = z >= 2.5, z < 0.5, z < 1.25
    negative = x < 0.0
    t = z - c.select(below_half, 0.0, c.select(below, 1.0, 2.0))
    near = t * c.polynomial(t, coefficients.LOGGAMMA_NEAR[c.ctype])

    bounded = c.at_most(z, 200.0 if c.ctype == "f64" else 50.0)
    high, low = c.quick_two_sum(*log_parts(c, bounded))
    inverse = 1.0 / bounded
    middle = bounded - 0.5
    rest = c.fma(inverse, c.polynomial(inverse * inverse, coefficients.STIRLING_REST[c.ctype]), _STIRLING)
    main, error = c.two_product(middle, high - 1.0)
    main, more = c.two_sum(main, rest)
    error = c.select(large, more + c.fma(middle, low, error), 0.0)
    main = c.select(large, main, near)

    # The reciprocal of a large Γ is subnormal where the result is not: exp(part) is taken off at the end.
    deepest, part = (600.0, 64.0) if c.ctype == "f64" else (60.0, 16.0)
    deep = negative & (main > deepest)
    power = c.call("exp", c.select(negative, c.select(deep, part, 0.0) - main, main))
    power = c.at_most(power, c.format.largest)
    power = c.fma(power, c.select(negative, -error, error), power)

    whole = c.rint(z)
    r = z - whole
    sine = r * sinc_near(c, r)
    sine = c.select(is_odd(c, whole), -sine, sine)
    taken = c.select(below_half, c.fma(z, z, z), c.select(below, z, 1.0))
    reflected = power * c.select(below_half, z + 1.0, 1.0) / (-sine * c.select(below, 1.0, z))
    reflected = reflected * c.select(deep, math.exp(-part), 1.0)
    value = c.select(negative, reflected, power / taken)
    value = c.select(negative & r.equals(0.0), math.nan, value)
    value = c.select(x > _LARGEST[c.ctype], math.inf, value)
    return c.select(x.equals(0.0), c.copysign(math.inf, x), value)
