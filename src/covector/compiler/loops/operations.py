"""Elementwise primitives as scalar programs: one table, by the names that stand in the slot `lower`.

A row says in which dtype the operation takes its arguments ("out": that of the result; "common": that which NumPy
finds for the arguments alone; "own": each its own) and how it is made of nodes, for real and for complex values.
"""

from __future__ import annotations

import math as _math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import math
from . import integers
from .nodes import Complex, Node, Nodes, type_of

__all__ = ["Unsupported", "Value", "apply", "convert", "has_operation", "select"]

Value = Node | Complex


class Unsupported(Exception):
    """This operation has no machine code for these types: the program calls NumPy for it."""


def convert(S: Nodes, v: Value, dtype: np.dtype[Any]) -> Value:
    """Return `v` as a value of `dtype`; the imaginary part is dropped for a real one."""
    t = type_of(dtype)
    if t is None:
        raise Unsupported(str(dtype))
    if dtype.kind == "c":
        if isinstance(v, Complex):
            return Complex(S.cast(v.re, t), S.cast(v.im, t))
        return Complex(S.cast(v, t), S.zero(t))
    if isinstance(v, Complex):
        if t == "b1":
            return S.either(S.cast(v.re, t), S.cast(v.im, t))
        v = v.re
    return S.cast(v, t)


def select(S: Nodes, condition: Node, a: Value, b: Value) -> Value:
    """Choose between two values of one type."""
    if isinstance(a, Complex) and isinstance(b, Complex):
        return Complex(S.select(condition, a.re, b.re), S.select(condition, a.im, b.im))
    return S.select(condition, a, b)  # type: ignore[arg-type]


# --- real values ------------------------------------------------------------------------------------------------------


def _isnan(S: Nodes, x: Node) -> Node:
    return S.compare("ne", x, x) if x.type[0] == "f" else S.const(0, "b1")


def _isinf(S: Nodes, x: Node) -> Node:
    if x.type[0] != "f":
        return S.const(0, "b1")
    return S.compare("eq", S.unary("fabs", x), S.const(_math.inf, x.type))


def _isfinite(S: Nodes, x: Node) -> Node:
    if x.type[0] != "f":
        return S.const(1, "b1")
    return S.compare("lt", S.unary("fabs", x), S.const(_math.inf, x.type))


def _maximum(S: Nodes, x: Node, y: Node) -> Node:
    return S.select(S.either(S.compare("le", y, x), _isnan(S, x)), x, y)


def _minimum(S: Nodes, x: Node, y: Node) -> Node:
    return S.select(S.either(S.compare("le", x, y), _isnan(S, x)), x, y)


def _fmax(S: Nodes, x: Node, y: Node) -> Node:
    return S.select(S.either(S.compare("le", y, x), _isnan(S, y)), x, y)


def _fmin(S: Nodes, x: Node, y: Node) -> Node:
    return S.select(S.either(S.compare("le", x, y), _isnan(S, y)), x, y)


def _absolute(S: Nodes, x: Node) -> Node:
    if x.type[0] == "f":
        return S.unary("fabs", x)
    if x.type[0] in "ub":
        return x
    return S.select(S.compare("lt", x, S.const(0, x.type)), S.neg(x), x)


def _sign(S: Nodes, x: Node) -> Node:
    zero, one = S.const(0, x.type), S.const(1, x.type)
    if x.type[0] in "ub":
        return S.select(S.compare("ne", x, zero), one, zero)
    out = S.select(S.compare("lt", zero, x), one, S.select(S.compare("lt", x, zero), S.const(-1, x.type), zero))
    return S.select(_isnan(S, x), x, out)


def _signbit(S: Nodes, x: Node) -> Node:
    if x.type[0] == "f":
        return S.make("signbit", "b1", x)
    return S.compare("lt", x, S.const(0, x.type))


def _product(S: Nodes, t: Node, p: Node) -> Node:
    r = S.mul(t, p)
    if _harmless(p) or (t.op == "const" and t.data):
        return r
    return S.select(S.compare("eq", t, S.const(0, t.type)), S.const(0, t.type), r)


def _masked_product(S: Nodes, t: Node, p: Node) -> Node:
    r = S.mul(t, p)
    zero = S.const(0, t.type)
    if not _harmless(p) and not (t.op == "const" and t.data):
        r = S.select(S.compare("eq", t, zero), zero, r)
    if not _harmless(t) and not (p.op == "const" and p.data):
        r = S.select(S.compare("eq", p, zero), zero, r)
    return r


def _harmless(p: Node) -> bool:
    """Whether zero times `p` is zero: it is a finite constant, or made of comparisons."""
    if p.op == "zero" or (p.op == "const" and _math.isfinite(p.data)):
        return True
    if p.op == "select":
        return _harmless(p.args[1]) and _harmless(p.args[2])
    return p.type[0] != "f" or (p.op == "cast" and p.args[0].type[0] != "f")


def _division(name: str, whole: Callable[..., Node]) -> Callable[..., Node]:
    def divide(S: Nodes, x: Node, y: Node) -> Node:
        if x.type == "b1":
            raise Unsupported("division of truths")
        return S.call(name, x, y) if x.type[0] == "f" else whole(S, x, y)

    return divide


def _heaviside(S: Nodes, x: Node, h: Node) -> Node:
    zero = S.const(0, x.type)
    out = S.select(S.compare("lt", x, zero), zero, S.select(S.compare("eq", x, zero), h, S.const(1, x.type)))
    return S.select(_isnan(S, x), x, out)


def _fractional(S: Nodes, x: Node) -> Node:
    part = S.select(_isinf(S, x), S.const(0, x.type), S.sub(x, S.unary("trunc", x)))
    return S.make("copysign", x.type, part, x)


def _scaled(factor: float) -> Callable[..., Node]:
    return lambda S, x: S.mul(x, S.const(factor, x.type))


def _rounding(op: str) -> Callable[..., Node]:
    return lambda S, x: S.unary(op, x) if x.type[0] == "f" else x


def _compare(how: str, swap: bool = False) -> Callable[..., Node]:
    return lambda S, x, y: S.compare(how, y, x) if swap else S.compare(how, x, y)


def _add(S: Nodes, x: Node, y: Node) -> Node:
    return S.either(x, y) if x.type == "b1" else S.add(x, y)


def _multiply(S: Nodes, x: Node, y: Node) -> Node:
    return S.both(x, y) if x.type == "b1" else S.mul(x, y)


def _bits(op: str) -> Callable[..., Node]:
    return lambda S, x, y: S.make(op, x.type, x, y)


def _invert(S: Nodes, x: Node) -> Node:
    return S.no(x) if x.type == "b1" else S.make("xor", x.type, x, S.const(-1, x.type))


def _reciprocal(S: Nodes, x: Node) -> Node:
    if x.type[0] != "f":
        raise Unsupported("reciprocal of integers")
    return S.div(S.const(1, x.type), x)


# --- complex values ---------------------------------------------------------------------------------------------------


def _cadd(S: Nodes, x: Complex, y: Complex) -> Complex:
    return Complex(S.add(x.re, y.re), S.add(x.im, y.im))


def _csub(S: Nodes, x: Complex, y: Complex) -> Complex:
    return Complex(S.sub(x.re, y.re), S.sub(x.im, y.im))


def _cneg(S: Nodes, x: Complex) -> Complex:
    return Complex(S.neg(x.re), S.neg(x.im))


def _cmul(S: Nodes, x: Complex, y: Complex) -> Complex:
    re = S.sub(S.mul(x.re, y.re), S.mul(x.im, y.im))
    return Complex(re, S.add(S.mul(x.re, y.im), S.mul(x.im, y.re)))


def _csquare(S: Nodes, x: Complex) -> Complex:
    p = S.mul(x.re, x.im)
    return Complex(S.sub(S.mul(x.re, x.re), S.mul(x.im, x.im)), S.add(p, p))


def _cdiv(S: Nodes, x: Complex, y: Complex) -> Complex:
    """Division as Smith (1962, Algorithm 116) orders it, so that nothing overflows on the way."""
    t = x.re.type
    zero = S.const(0, t)
    ar, ai = S.unary("fabs", y.re), S.unary("fabs", y.im)
    wide = S.compare("le", ai, ar)
    big, small = S.select(wide, y.re, y.im), S.select(wide, y.im, y.re)
    ratio = S.div(small, big)
    scale = S.div(S.const(1, t), S.add(big, S.mul(small, ratio)))
    one, two = S.select(wide, x.re, x.im), S.select(wide, x.im, x.re)
    re = S.mul(S.add(one, S.mul(two, ratio)), scale)
    sign = S.select(wide, S.const(1, t), S.const(-1, t))
    im = S.mul(S.mul(S.sub(two, S.mul(one, ratio)), scale), sign)
    none = S.both(S.compare("eq", ar, zero), S.compare("eq", ai, zero))
    return Complex(S.select(none, S.div(x.re, ar), re), S.select(none, S.div(x.im, ar), im))


def _cproduct(S: Nodes, t: Complex, p: Complex) -> Complex:
    r = _cmul(S, t, p)
    if all(_harmless(v) for v in p):
        return r
    zero = S.const(0, t.re.type)
    none = S.both(S.compare("eq", t.re, zero), S.compare("eq", t.im, zero))
    return Complex(S.select(none, zero, r.re), S.select(none, zero, r.im))


def _cexp(S: Nodes, x: Complex) -> Complex:
    size = S.call("exp", x.re)
    return Complex(S.mul(size, S.call("cos", x.im)), S.mul(size, S.call("sin", x.im)))


def _ceq(S: Nodes, x: Complex, y: Complex) -> Node:
    return S.both(S.compare("eq", x.re, y.re), S.compare("eq", x.im, y.im))


# --- the table --------------------------------------------------------------------------------------------------------

TABLE: dict[str, tuple[str, Callable[..., Any] | None, Callable[..., Any] | None]] = {
    "add": ("out", _add, _cadd),
    "subtract": ("out", lambda S, x, y: S.sub(x, y), _csub),
    "negative": ("out", lambda S, x: S.neg(x), _cneg),
    "positive": ("out", lambda S, x: x, lambda S, x: x),
    "stop_gradient": ("out", lambda S, x: x, lambda S, x: x),
    "multiply": ("out", _multiply, _cmul),
    "divide": ("out", lambda S, x, y: S.div(x, y), _cdiv),
    "reciprocal": ("out", _reciprocal, lambda S, x: _cdiv(S, Complex(S.const(1, x.re.type), S.zero(x.re.type)), x)),
    "product": ("out", _product, _cproduct),
    "masked_product": ("out", _masked_product, None),
    "square": ("out", lambda S, x: S.mul(x, x), _csquare),
    "sqrt": ("out", lambda S, x: S.unary("sqrt", x), None),
    "root": ("out", lambda S, x: S.unary("sqrt", x), None),
    "remainder": ("out", _division("remainder", integers.remainder), None),
    "fmod": ("out", _division("fmod", integers.fmod), None),
    "floor_divide": ("out", _division("floor_divide", integers.floor_divide), None),
    "maximum": ("out", _maximum, None),
    "minimum": ("out", _minimum, None),
    "at_least": ("out", _maximum, None),
    "at_most": ("out", _minimum, None),
    "fmax": ("out", _fmax, None),
    "fmin": ("out", _fmin, None),
    "heaviside": ("out", _heaviside, None),
    "absolute": ("common", _absolute, lambda S, x: S.call("hypot", x.re, x.im)),
    "fabs": ("out", lambda S, x: S.unary("fabs", x), None),
    "sign": ("out", _sign, None),
    "copysign": ("out", lambda S, x, y: S.make("copysign", x.type, x, y), None),
    "floor": ("out", _rounding("floor"), None),
    "ceil": ("out", _rounding("ceil"), None),
    "trunc": ("out", _rounding("trunc"), None),
    "fix": ("out", _rounding("trunc"), None),
    "rint": ("out", _rounding("rint"), None),
    "integral": ("out", _rounding("trunc"), None),
    "fractional": ("out", _fractional, None),
    "deg2rad": ("out", _scaled(_math.pi / 180), None),
    "radians": ("out", _scaled(_math.pi / 180), None),
    "rad2deg": ("out", _scaled(180 / _math.pi), None),
    "degrees": ("out", _scaled(180 / _math.pi), None),
    "equal": ("common", _compare("eq"), _ceq),
    "not_equal": ("common", _compare("ne"), lambda S, x, y: S.no(_ceq(S, x, y))),
    "less": ("common", _compare("lt"), None),
    "less_equal": ("common", _compare("le"), None),
    "greater": ("common", _compare("lt", True), None),
    "greater_equal": ("common", _compare("le", True), None),
    "logical_and": ("bool", lambda S, x, y: S.both(x, y), None),
    "logical_or": ("bool", lambda S, x, y: S.either(x, y), None),
    "logical_xor": ("bool", lambda S, x, y: S.make("xor", "b1", x, y), None),
    "logical_not": ("bool", lambda S, x: S.no(x), None),
    "bitwise_and": ("out", _bits("and"), None),
    "bitwise_or": ("out", _bits("or"), None),
    "bitwise_xor": ("out", _bits("xor"), None),
    "invert": ("out", _invert, None),
    "isnan": ("common", _isnan, lambda S, x: S.either(_isnan(S, x.re), _isnan(S, x.im))),
    "isinf": ("common", _isinf, lambda S, x: S.either(_isinf(S, x.re), _isinf(S, x.im))),
    "isfinite": ("common", _isfinite, lambda S, x: S.both(_isfinite(S, x.re), _isfinite(S, x.im))),
    "signbit": ("common", _signbit, None),
    "exp": ("out", lambda S, x: S.call("exp", x), _cexp),
    "real": ("common", lambda S, x: x, lambda S, x: x.re),
    "imag": ("common", lambda S, x: S.zero(x.type), lambda S, x: x.im),
    "conjugate": ("out", lambda S, x: x, lambda S, x: Complex(x.re, S.neg(x.im))),
    "convert": ("out", lambda S, x: x, lambda S, x: x),
    "where": ("choice", lambda S, c, x, y: S.select(c, x, y), lambda S, c, x, y: select(S, c, x, y)),
    "join": ("parts", lambda S, x, y: Complex(x, y), None),
}


def has_operation(name: str) -> bool:
    """Whether there is machine code for an elementwise primitive with this name in its slot `lower`."""
    return name in TABLE or name in math.FUNCTIONS


def _taken(S: Nodes, policy: str, values: Sequence[Value], kinds: Sequence[Any], out: np.dtype[Any]) -> list[Value]:
    if policy == "bool":
        return [convert(S, v, np.dtype(bool)) for v in values]
    if policy == "parts":
        part = np.zeros((), out).real.dtype
        return [convert(S, v, part) for v in values]
    if policy == "choice":
        return [convert(S, values[0], np.dtype(bool)), *[convert(S, v, out) for v in values[1:]]]
    dtype = out
    if policy == "common":
        try:
            dtype = np.result_type(*kinds)
        except OverflowError as error:
            raise Unsupported("a number that its type does not hold") from error
    return [convert(S, v, dtype) for v in values]


def apply(S: Nodes, name: str, values: Sequence[Value], kinds: Sequence[Any], out: np.dtype[Any]) -> Value:
    """Return the value of an elementwise primitive.

    Parameters
    ----------
    kinds : sequence
        What `np.result_type` is asked about: dtypes, and Python numbers as they are.
    out : dtype
        The dtype of the result.
    """
    policy, real, complex_ = TABLE.get(name, ("out", None, None))
    taken = _taken(S, policy, values, kinds, out)
    if any(isinstance(v, Complex) for v in taken):
        if complex_ is None:
            raise Unsupported(f"{name} of complex numbers")
        return convert(S, complex_(S, *taken), out)
    if real is not None:
        return convert(S, real(S, *taken), out)
    if taken[0].type[0] != "f":  # type: ignore[union-attr]
        raise Unsupported(f"{name} of integers")
    return S.call(name, *taken)  # type: ignore[arg-type]
