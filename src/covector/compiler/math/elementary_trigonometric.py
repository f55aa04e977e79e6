"""sin, cos, tan.

x = k·π/2 + high + low (Cody and Waite 1980, with fused multiply-adds): x - k·P1 is exact for the float P1 nearest to
π/2, since both terms are multiples of ulp(P1) and the difference is below 1; k·P2 is subtracted with its error, and P3
covers the cancellation near multiples of π/2. The kernels are those of FreeBSD msun (k_sin.c, k_cos.c). Both are
evaluated and one is selected, so that sin and cos of one argument share everything.

This holds for |x| up to `REDUCIBLE`; beyond, k is no longer exact and the C library's function is called.
"""

from __future__ import annotations

from .coefficients_elementary import COS, SIN
from .elementary_exponential import nearest, quotient
from .rare import at_least, or_library
from .registry import scalar
from .writer import Code, Value, single

_HALF_PI = {
    "f64": (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
    "f32": (single(1.5707963267948966), -4.371138828673793e-08, -1.7151245100058819e-15),
}
_TWO_OVER_PI = 0.6366197723675814
REDUCIBLE = {"f64": 2.0**45, "f32": 2.0**16}


def reduced(c: Code, x: Value) -> tuple[Value, Value, Value]:
    """(high, low, encoding with the quadrant in its low bits)."""
    first, second, third = _HALF_PI[c.ctype]
    k, quadrant = nearest(c, x, _TWO_OVER_PI)
    product, error = c.two_product(k, second)
    high, lost = c.two_sum(c.fma(k, -first, x), -product)
    return high, lost - c.fma(k, third, error), quadrant


def _kernels(c: Code, high: Value, low: Value) -> tuple[tuple[Value, Value], tuple[Value, Value]]:
    """sin and cos of high + low, |high| ≤ π/4, each as a main part and a small one."""
    z = high * high
    half = z * 0.5
    one = 1.0 - half
    sine_rest = c.fma(high * z, c.polynomial(z, SIN[c.ctype]), low * one)
    cosine_rest = c.fma(z * z, c.polynomial(z, COS[c.ctype]), -(high * low))
    return (high, sine_rest), (one, ((1.0 - one) - half) + cosine_rest)


def sine_cosine(c: Code, high: Value, low: Value) -> tuple[Value, Value]:
    """sin and cos of high + low, |high| ≤ π/4."""
    sine, cosine = _kernels(c, high, low)
    return sine[0] + sine[1], cosine[0] + cosine[1]


def _signed(c: Code, value: Value, quadrant: Value) -> Value:
    """`value` with the sign changed where bit 1 of the quadrant is set."""
    return c.from_bits(c.bits(value) ^ ((quadrant & 2) << (c.format.bits - 2)))


def _settled(c: Code, x: Value, result: Value, name: str) -> Value:
    return or_library(c, result, x, library=name, guard=at_least(REDUCIBLE[c.ctype]))


@scalar("sin", f64=1.0, f32=1.0)
def sin(c: Code, x: Value) -> Value:
    high, low, quadrant = reduced(c, x)
    sine, cosine = sine_cosine(c, high, low)
    result = _signed(c, c.select((quadrant & 1).equals(0), sine, cosine), quadrant)
    return _settled(c, x, c.select(x.equals(0.0), x, result), "sin")


@scalar("cos", f64=1.0, f32=1.0)
def cos(c: Code, x: Value) -> Value:
    high, low, quadrant = reduced(c, x)
    sine, cosine = sine_cosine(c, high, low)
    result = _signed(c, c.select((quadrant & 1).equals(0), cosine, sine), quadrant + 1)
    return _settled(c, x, result, "cos")


@scalar("tan", f64=1.0, f32=1.0)
def tan(c: Code, x: Value) -> Value:
    high, low, quadrant = reduced(c, x)
    sine, cosine = (c.quick_two_sum(*kernel) for kernel in _kernels(c, high, low))
    even = (quadrant & 1).equals(0)
    top = [c.select(even, s, k) for s, k in zip(sine, cosine)]
    bottom = [c.select(even, k, -s) for s, k in zip(sine, cosine)]
    q, rest = quotient(c, (top[0], top[1]), (bottom[0], bottom[1]))
    return _settled(c, x, c.select(x.equals(0.0), x, q + rest), "tan")
