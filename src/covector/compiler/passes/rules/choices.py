"""Rules about products that mask, choices, truth values, and changes of dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.graph import Var
from ....core.values import Aval
from .arithmetic import Inputs, Params, same

if TYPE_CHECKING:
    from ..simplify import Builder

# --- what is known of the elements of a value -------------------------------------------------------------------------

_DEPTH = 4
_MOVES = frozenset({"broadcast", "reshape", "transpose", "slice", "read", "gather", "concat", "unslice"})
_KEEPS_FINITE = frozenset(
    {"negative", "positive", "absolute", "fabs", "sign", "copysign", "where", "maximum", "minimum"}
)
_BELOW = 1 << 16


def finite(b: Builder, x: Any, depth: int = _DEPTH) -> bool:
    """Whether no element of `x` can be infinite or NaN."""
    aval = b.aval(x)
    if aval.dtype.kind in "biu":
        return True
    if type(x) is not Var:
        return _every(b, x, "finite", lambda v: np.isfinite(v))
    eq = b.maker(x)
    if eq is None or not depth:
        return False
    name = eq.primitive.name
    if name == "convert":
        # Nothing overflows on the way from whole numbers to float32 or float64.
        own = b.aval(eq.inputs[0]).dtype
        wide = aval.dtype.itemsize >= (8 if aval.dtype.kind == "c" else 4)
        return wide and (
            own.kind in "biu" or (own.itemsize <= aval.dtype.itemsize and finite(b, eq.inputs[0], depth - 1))
        )
    if name in _MOVES:
        inputs = eq.inputs if name == "concat" else eq.inputs[:1]
    elif name in _KEEPS_FINITE:
        inputs = eq.inputs[1:] if name == "where" else eq.inputs
    else:
        return False
    return all(finite(b, y, depth - 1) for y in inputs)


def nonzero(b: Builder, x: Any) -> bool:
    """Whether every element of `x` is known and not zero."""
    n = b.number(x)
    if n is not None:
        return bool(n != 0)
    return type(x) is not Var and _every(b, x, "nonzero", lambda v: np.not_equal(v, 0))


def _every(b: Builder, x: Any, what: str, test: Any) -> bool:
    if not isinstance(x, int | float | complex | np.generic | np.ndarray):
        return False
    if isinstance(x, np.ndarray):
        if x.size > _BELOW:
            return False
        key = (what, id(x))
        if key not in b.notes:
            b.notes[key] = (bool(np.all(test(x))), x)
        return bool(b.notes[key][0])
    return bool(test(x))


# --- products in which zero times anything is zero --------------------------------------------------------------------


def product(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    t, p = inputs
    if nonzero(b, t) or finite(b, p):
        return b.emit("multiply", t, p)
    n = b.number(t)
    return b.full(0, out) if n is not None and n == 0 else None


def masked_product(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    for t, p in (inputs, inputs[::-1]):
        if finite(b, t):
            return b.emit("multiply", t, p) if nonzero(b, t) else b.emit("product", t, p)
        n = b.number(t)
        if n is not None and n == 0:
            return b.full(0, out)
    return None


# --- choices and truth ------------------------------------------------------------------------------------------------


def known_choice(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    condition, x, y = inputs
    n = b.number(condition)
    return None if n is None else b.like(x if n else y, out)


def no_choice(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    _, x, y = inputs
    return b.like(x, out) if same(x, y) else None


def negated_choice(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    condition, x, y = inputs
    eq = b.maker(condition, "logical_not")
    return None if eq is None else b.emit("where", eq.inputs[0], y, x)


def nested_choice(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """where(c, where(c, x, y), z) = where(c, x, z), and the same on the other side."""
    condition, x, y = inputs
    first, second = b.maker(x, "where"), b.maker(y, "where")
    if first is not None and same(first.inputs[0], condition):
        return b.emit("where", condition, first.inputs[1], y)
    if second is not None and same(second.inputs[0], condition):
        return b.emit("where", condition, x, second.inputs[2])
    return None


def _is_bool(b: Builder, x: Any) -> bool:
    return b.aval(x).dtype.kind == "b"


def and_known(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    for x, y in (inputs, inputs[::-1]):
        n = b.number(y)
        if n is not None and (not n or _is_bool(b, x)):
            return b.like(x, out) if n else b.full(False, out)
    return None


def or_known(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    for x, y in (inputs, inputs[::-1]):
        n = b.number(y)
        if n is not None and (n or _is_bool(b, x)):
            return b.full(True, out) if n else b.like(x, out)
    return None


def twice_not(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "logical_not")
    return eq.inputs[0] if eq is not None and _is_bool(b, eq.inputs[0]) else None


def equals_itself(truth: bool) -> Any:
    """The rule x == x; floating-point numbers may be NaN."""

    def rule(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
        x, y = inputs
        return b.full(truth, out) if same(x, y) and finite(b, x) else None

    return rule


# --- dtypes -----------------------------------------------------------------------------------------------------------


def convert_to_same(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    return inputs[0] if type(inputs[0]) is Var else None


def lossless(a: np.dtype[Any], c: np.dtype[Any]) -> bool:
    """Whether every value of dtype `a` is one of dtype `c`."""
    kinds = a.kind + c.kind
    if a == c or (a.kind == "b" and c.kind in "biufc"):
        return True
    if c.kind == "c":
        return a.itemsize <= c.itemsize if a.kind == "c" else lossless(a, np.empty(0, c).real.dtype)
    if kinds in ("if", "uf"):
        return 8 * a.itemsize - (a.kind == "i") <= np.finfo(c).nmant + 1
    if kinds in ("ff", "ii", "uu"):
        return a.itemsize <= c.itemsize
    return kinds == "ui" and a.itemsize < c.itemsize


def convert_twice(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "convert")
    if eq is None or not lossless(b.aval(eq.inputs[0]).dtype, b.aval(inputs[0]).dtype):
        return None
    return b.emit("convert", eq.inputs[0], dtype=out.dtype)


def part_of_real(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """The real part, or the conjugate, of a real number."""
    return inputs[0] if b.aval(inputs[0]).dtype.kind != "c" else None


def real_part(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0])
    if eq is None:
        return None
    x = eq.inputs[0]
    if eq.primitive.name == "conjugate":
        return b.emit("real", x)
    if eq.primitive.name == "join" or (eq.primitive.name == "convert" and b.aval(x).dtype.kind != "c"):
        return b.like(x, out)
    return None


def imaginary_part(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0])
    if eq is None:
        return b.full(0, out) if b.aval(inputs[0]).dtype.kind != "c" else None
    if eq.primitive.name == "conjugate":
        return b.emit("negative", b.emit("imag", eq.inputs[0]))
    if eq.primitive.name == "join":
        return b.like(eq.inputs[1], out)
    if eq.primitive.name == "convert" and b.aval(eq.inputs[0]).dtype.kind != "c":
        return b.full(0, out)
    return None


def twice_conjugate(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "conjugate")
    return None if eq is None else eq.inputs[0]
