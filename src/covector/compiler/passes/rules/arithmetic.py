"""Rules about numbers: neutral elements, signs, powers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.graph import Var
from ....core.values import Aval
from ..keys import scalar_key

if TYPE_CHECKING:
    from ..simplify import Builder

Inputs = Sequence[Any]
Params = dict[str, Any]


def same(x: Any, y: Any) -> bool:
    """Whether two values are one."""
    if x is y:
        return True
    if type(x) is Var or type(y) is Var or np.ndim(x) or np.ndim(y):
        return False
    return bool(scalar_key(x) == scalar_key(y))


def _is(b: Builder, x: Any, number: Any) -> bool:
    n = b.number(x)
    return n is not None and bool(n == number)


def _is_zero(n: Any, out: Aval, negative: bool) -> bool:
    """Whether `n` is zero of this sign, in both parts if `out` is complex; integers have one zero only."""
    if n is None or n != 0:
        return False
    if out.dtype.kind not in "fc":
        return True
    z = out.dtype.type(n)
    parts = (z.real, z.imag) if out.dtype.kind == "c" else (z,)
    return all(bool(np.signbit(p)) == negative for p in parts)


# --- neutral elements -------------------------------------------------------------------------------------------------


def times_one(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    if out.dtype.kind == "c":
        return None
    x, y = inputs
    return b.like(x, out) if _is(b, y, 1) else b.like(y, out) if _is(b, x, 1) else None


def times_minus_one(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    if out.dtype.kind not in "fi":
        return None
    x, y = inputs
    other = x if _is(b, y, -1) else y if _is(b, x, -1) else None
    return None if other is None else b.emit("negative", b.like(other, out))


def over_one(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    return b.like(inputs[0], out) if out.dtype.kind == "f" and _is(b, inputs[1], 1) else None


def plus_zero(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    for x, y in (inputs, inputs[::-1]):
        if _is_zero(b.number(y), out, negative=True):
            return b.like(x, out)
    return None


def minus_zero(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    x, y = inputs
    return b.like(x, out) if _is_zero(b.number(y), out, negative=False) else None


def itself(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    return inputs[0]


def twice_itself(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    x, y = inputs
    return x if same(x, y) else None


def plus_itself(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    x, y = inputs
    return b.emit("multiply", x, out.dtype.type(2)) if out.dtype.kind == "f" and same(x, y) else None


def over_power_of_two(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    x, y = inputs
    c = _factor(b, y, out)
    if c is None or not _is_power_of_two(c) or not _is_normal(1 / c):
        return None
    return b.emit("multiply", x, 1 / c)


def of_products(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """(x c) d = x (c d)."""
    for x, y in (inputs, inputs[::-1]):
        d, eq = _factor(b, y, out), b.maker(x, "multiply")
        if d is None or eq is None or b.aval(x).dtype != out.dtype:
            continue
        for u, v in (eq.inputs, eq.inputs[::-1]):
            c = _factor(b, v, out)
            if c is not None and (_is_power_of_two(c) or _is_power_of_two(d)) and _is_normal(c * d):
                return b.emit("multiply", u, c * d)
    return None


def _factor(b: Builder, x: Any, out: Aval) -> Any:
    """The constant `x` as a finite number of the real dtype `out`."""
    n = b.number(x)
    if n is None or out.dtype.kind != "f" or isinstance(n, complex) or not np.isfinite(n):
        return None
    c = out.dtype.type(n)
    return c if c == n else None


def _is_power_of_two(c: Any) -> bool:
    return bool(c != 0) and abs(math.frexp(c)[0]) == 0.5


def _is_normal(c: Any) -> bool:
    return bool(np.isfinite(c)) and bool(abs(c) >= np.finfo(c.dtype).tiny)


# --- signs ------------------------------------------------------------------------------------------------------------


def _negated(b: Builder, x: Any, out: Aval) -> Any:
    """y where x = -y in real or complex numbers, or in integers of the dtype of the result; else None."""
    eq = b.maker(x, "negative")
    if eq is None:
        return None
    y = eq.inputs[0]
    dtype = b.aval(y).dtype
    return y if dtype.kind in "fc" or dtype == out.dtype else None


def _minus(b: Builder, x: Any) -> Any:
    """-x where that is free: of a number, or of a negative; only where signs do not round."""
    n = b.number(x)
    if n is not None and isinstance(n, int | float | np.floating) and not isinstance(n, bool):
        if type(x) is not Var:
            return -n
        return b.emit("broadcast", -n, shape=x.shape, axes=())
    eq = b.maker(x, "negative")
    return eq.inputs[0] if eq is not None and b.aval(x).dtype.kind == "f" else None


def plus_negative(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    for x, y in (inputs, inputs[::-1]):
        z = _negated(b, y, out)
        if z is not None:
            return b.emit("subtract", x, z)
    return None


def minus_negative(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    z = _negated(b, inputs[1], out)
    return None if z is None else b.emit("add", inputs[0], z)


def zero_minus(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    x, y = inputs
    if not _is_zero(b.number(x), out, negative=True) or out.dtype.kind in "bu":
        return None
    return b.emit("negative", b.like(y, out))


def twice_negative(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "negative")
    return None if eq is None else eq.inputs[0]


def negative_into(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """-(c x) = (-c) x, and the same of quotients."""
    eq = b.maker(inputs[0])
    if eq is None or eq.primitive.name not in ("multiply", "divide", "product") or out.dtype.kind != "f":
        return None
    x, y = eq.inputs
    for pair in ((_minus(b, x), y), (x, _minus(b, y))):
        if pair[0] is not None and pair[1] is not None:
            return b.bind(eq.primitive, pair, {})
    return None


def both_negative(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """(-x) (-y) = x y, and the same of quotients; of x and y one may be a number."""
    if out.dtype.kind != "f" or not (b.maker(inputs[0], "negative") or b.maker(inputs[1], "negative")):
        return None
    x, y = _minus(b, inputs[0]), _minus(b, inputs[1])
    return None if x is None or y is None else (x, y)


def product_of_negatives(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    pair = both_negative(b, out, inputs, params)
    return None if pair is None else b.emit("multiply", *pair)


def quotient_of_negatives(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    pair = both_negative(b, out, inputs, params)
    return None if pair is None else b.emit("divide", *pair)


def even(name: str) -> Any:
    """The rule f(-x) = f(x)."""

    def rule(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
        eq = b.maker(inputs[0], "negative")
        return None if eq is None or b.aval(inputs[0]).dtype.kind != "f" else b.emit(name, eq.inputs[0])

    return rule


# --- powers -----------------------------------------------------------------------------------------------------------

_LARGEST = 8


def power(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Whole exponents as products, halves with a square root."""
    x, y = inputs
    c = b.number(y)
    if c is None or isinstance(c, complex) or not np.isfinite(c):
        return None
    kind = out.dtype.kind
    if b.aval(y).shape and b.aval(x).shape != out.shape:
        x = b.like(x, out)
    if b.aval(x).dtype != out.dtype or b.aval(x).weak:
        x = b.emit("convert", x, dtype=out.dtype)
    c = float(c)
    if c == 0:
        return b.full(1, out) if kind != "c" else None
    if c == 1:
        return x
    if c == 2:
        return b.emit("square", x)
    if kind == "c":
        return None
    if c == int(c):
        n = int(c)
        if 0 < n <= _LARGEST:
            return _whole_power(b, x, n)
        return _whole_power(b, b.emit("reciprocal", x), -n) if kind == "f" and -_LARGEST <= n < 0 else None
    return _half_power(b, x, c, out) if kind == "f" and abs(c) <= 1.5 and 2 * c == int(2 * c) else None


def _whole_power(b: Builder, x: Any, n: int) -> Any:
    if n == 1:
        return x
    half = _whole_power(b, x, n // 2)
    square = b.emit("square", half)
    return b.emit("multiply", square, x) if n % 2 else square


def _half_power(b: Builder, x: Any, c: float, out: Aval) -> Any:
    """x**½ as NumPy does it; x**-½ and x**±3⁄2 with what `pow` says of -0.0 and -inf, of which a root knows nothing."""
    root = b.emit("sqrt", x)
    if c == 0.5:
        return root
    of = b.emit("add", root, out.dtype.type(0))
    minus_infinity = b.emit("equal", x, out.dtype.type(-math.inf))
    of = b.emit("where", minus_infinity, out.dtype.type(math.inf), of)
    if abs(c) == 1.5:
        of = b.emit("multiply", b.emit("absolute", x), of)
        # |x| for the sign of -inf; other negative numbers have the root NaN.
    return b.emit("reciprocal", of) if c < 0 else of
