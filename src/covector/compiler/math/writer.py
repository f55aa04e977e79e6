"""Writes scalar functions as LLVM IR text, so that their sources read like formulas.

A `Code` is one straight-line function for one float type; a `Value` is a name inside it. Nothing here branches:
conditions become `select`, because only branch-free code is widened by LLVM's loop vectoriser. No instruction
carries fast-math flags, so error-free transformations (`two_sum`, `two_product`) keep their meaning when the
function is inlined into a loop whose own arithmetic may be contracted.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Union

Operand = Union["Value", float, int, bool]


@dataclass(frozen=True)
class Format:
    """An IEEE 754 binary format: its IR types and the constants of its encoding."""

    ctype: str
    float_type: str
    int_type: str
    bits: int
    fraction: int  # stored fraction bits
    bias: int

    @property
    def rounder(self) -> float:
        """Adding 1.5·2^fraction rounds to an integer and leaves it in the low bits of the encoding."""
        return 1.5 * 2.0**self.fraction

    @property
    def tiny(self) -> float:
        """Smallest normal number."""
        return 2.0 ** (1 - self.bias)

    @property
    def largest(self) -> float:
        return (2.0 - 2.0**-self.fraction) * 2.0**self.bias


FORMATS = {
    "f64": Format("f64", "double", "i64", 64, 52, 1023),
    "f32": Format("f32", "float", "i32", 32, 23, 127),
}
_BITS = {"i1": 1, "i32": 32, "i64": 64}


def single(value: float) -> float:
    """`value` rounded to float32 (infinite when it does not fit)."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def encoding(value: float, ctype: str = "f64") -> int:
    """The bits of a float as an unsigned integer."""
    code, integer = ("<d", "<Q") if ctype == "f64" else ("<f", "<I")
    return int(struct.unpack(integer, struct.pack(code, value))[0])


def literal(value: float | int | bool, type_: str) -> str:
    """IR text of a constant of IR type `type_`."""
    if type_ in _BITS:
        if type_ == "i1":
            return "true" if value else "false"
        width = _BITS[type_]
        wrapped = int(value) & ((1 << width) - 1)
        return str(wrapped - (1 << width) if wrapped >> (width - 1) else wrapped)
    number = float(value)
    return f"0x{encoding(single(number) if type_ == 'float' else number):016X}"


class Value:
    """A typed SSA name or literal; operators emit instructions into the function it belongs to."""

    __slots__ = ("code", "text", "type")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, code: Code, text: str, type_: str) -> None:
        self.code, self.text, self.type = code, text, type_

    def _binary(self, float_op: str, int_op: str, other: Operand, swap: bool = False) -> Value:
        left, right = self, self.code.like(other, self)
        if swap:
            left, right = right, left
        op = int_op if self.type in _BITS else float_op
        if not op:
            raise TypeError(f"no such operation on {self.type}")
        return self.code.emit(f"{op} {left.type} {left.text}, {right.text}", left.type)

    def __add__(self, other: Operand) -> Value:
        return self._binary("fadd", "add", other)

    def __radd__(self, other: Operand) -> Value:
        return self._binary("fadd", "add", other, swap=True)

    def __sub__(self, other: Operand) -> Value:
        return self._binary("fsub", "sub", other)

    def __rsub__(self, other: Operand) -> Value:
        return self._binary("fsub", "sub", other, swap=True)

    def __mul__(self, other: Operand) -> Value:
        return self._binary("fmul", "mul", other)

    def __rmul__(self, other: Operand) -> Value:
        return self._binary("fmul", "mul", other, swap=True)

    def __truediv__(self, other: Operand) -> Value:
        return self._binary("fdiv", "", other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self._binary("fdiv", "", other, swap=True)

    def __and__(self, other: Operand) -> Value:
        return self._binary("", "and", other)

    def __or__(self, other: Operand) -> Value:
        return self._binary("", "or", other)

    def __xor__(self, other: Operand) -> Value:
        return self._binary("", "xor", other)

    def __invert__(self) -> Value:
        return self._binary("", "xor", True if self.type == "i1" else -1)

    def __lshift__(self, other: Operand) -> Value:
        return self._binary("", "shl", other)

    def __rshift__(self, other: Operand) -> Value:
        """Logical shift: AVX2 has no 64-bit arithmetic one."""
        return self._binary("", "lshr", other)

    def __neg__(self) -> Value:
        if self.type in _BITS:
            return 0 - self
        return self.code.emit(f"fneg {self.type} {self.text}", self.type)

    def __abs__(self) -> Value:
        return self.code.intrinsic("fabs", self)

    def _compare(self, float_op: str, int_op: str, other: Operand) -> Value:
        right = self.code.like(other, self)
        op = f"icmp {int_op}" if self.type in _BITS else f"fcmp {float_op}"
        return self.code.emit(f"{op} {self.type} {self.text}, {right.text}", "i1")

    def __lt__(self, other: Operand) -> Value:
        return self._compare("olt", "slt", other)

    def __le__(self, other: Operand) -> Value:
        return self._compare("ole", "sle", other)

    def __gt__(self, other: Operand) -> Value:
        return self._compare("ogt", "sgt", other)

    def __ge__(self, other: Operand) -> Value:
        return self._compare("oge", "sge", other)

    def equals(self, other: Operand) -> Value:
        """Ordered equality: false for NaN."""
        return self._compare("oeq", "eq", other)

    def differs(self, other: Operand) -> Value:
        """Unordered inequality: true for NaN."""
        return self._compare("une", "ne", other)

    def is_nan(self) -> Value:
        return self._compare("uno", "", self)


class Code:
    """The body of one function `cv.<name>.<ctype>` while it is written.

    Parameters
    ----------
    name : str
        Function name, as in NumPy.
    ctype : str
        ``"f64"`` or ``"f32"``: the type of all arguments and of the result.
    arity : int
        Number of arguments; `arguments` holds them.
    """

    def __init__(self, name: str, ctype: str, arity: int) -> None:
        self.name, self.ctype = name, ctype
        self.format = FORMATS[ctype]
        self.lines: list[str] = []
        self.needs: set[tuple[str, str]] = set()
        self.declarations: dict[str, str] = {}
        self.definitions: dict[str, str] = {}  # by symbol: constants and helpers
        self._known: dict[str, Value] = {}
        self.arguments = [Value(self, f"%x{i}", self.format.float_type) for i in range(arity)]

    # ---- emission -------------------------------------------------------------------------------------------------

    def emit(self, instruction: str, type_: str) -> Value:
        """One instruction; a repeated one gives the earlier value (everything here is pure)."""
        known = self._known.get(instruction)
        if known is None:
            known = self._known[instruction] = Value(self, f"%v{len(self.lines)}", type_)
            self.lines.append(f"  {known.text} = {instruction}")
        return known

    def like(self, value: Operand, model: Value) -> Value:
        """`value` as an operand of the type of `model`."""
        if isinstance(value, Value):
            if value.type != model.type:
                raise TypeError(f"cv.{self.name}: {value.type} meets {model.type}")
            return value
        return Value(self, literal(value, model.type), model.type)

    def constant(self, value: float) -> Value:
        """A float constant of the function's type, rounded to nearest."""
        return Value(self, literal(value, self.format.float_type), self.format.float_type)

    def intrinsic(self, name: str, *operands: Value) -> Value:
        """A call of ``llvm.<name>`` whose operands and result share one type."""
        type_ = operands[0].type
        suffix = {"double": "f64", "float": "f32"}.get(type_, type_)
        symbol = f"llvm.{name}.{suffix}"
        types = ", ".join(o.type for o in operands)
        self.declarations[symbol] = f"declare {type_} @{symbol}({types})"
        return self.emit(f"call {type_} @{symbol}({', '.join(f'{type_} {o.text}' for o in operands)})", type_)

    def call(self, name: str, *operands: Operand, ctype: str | None = None) -> Value:
        """A call of another registered function of the same float type (or of `ctype`)."""
        ctype = ctype or self.ctype
        type_ = FORMATS[ctype].float_type
        model = Value(self, "", type_)
        self.needs.add((name, ctype))
        listed = ", ".join(f"{type_} {self.like(o, model).text}" for o in operands)
        return self.emit(f'call {type_} @"cv.{name}.{ctype}"({listed})', type_)

    # ---- arithmetic -----------------------------------------------------------------------------------------------

    def _model(self, operands: Sequence[Operand]) -> Value:
        return next((o for o in operands if isinstance(o, Value)), self.constant(0.0))

    def fma(self, a: Operand, b: Operand, c: Operand) -> Value:
        """a·b + c with one rounding."""
        model = self._model((a, b, c))
        return self.intrinsic("fma", self.like(a, model), self.like(b, model), self.like(c, model))

    def sqrt(self, x: Value) -> Value:
        return self.intrinsic("sqrt", x)

    def floor(self, x: Value) -> Value:
        return self.intrinsic("floor", x)

    def trunc(self, x: Value) -> Value:
        return self.intrinsic("trunc", x)

    def rint(self, x: Value) -> Value:
        return self.intrinsic("rint", x)

    def copysign(self, magnitude: Operand, sign: Value) -> Value:
        return self.intrinsic("copysign", self.like(magnitude, sign), sign)

    def select(self, condition: Value, yes: Operand, no: Operand) -> Value:
        """`yes` where `condition`, else `no`; both are computed."""
        model = self._model((yes, no))
        left, right = self.like(yes, model), self.like(no, model)
        return self.emit(f"select i1 {condition.text}, {left.type} {left.text}, {left.type} {right.text}", left.type)

    def at_most(self, x: Value, bound: Operand) -> Value:
        """min(x, bound), NaN kept: one machine instruction."""
        return self.select(x > bound, bound, x)

    def at_least(self, x: Value, bound: Operand) -> Value:
        """max(x, bound), NaN kept: one machine instruction."""
        return self.select(x < bound, bound, x)

    def polynomial(self, x: Value, coefficients: Sequence[float]) -> Value:
        """Horner's rule; coefficients by rising power."""
        *rest, last = coefficients
        total: Operand = self.like(last, x)
        for coefficient in reversed(rest):
            total = self.fma(total, x, coefficient)
        return self.like(total, x)

    # ---- bits -----------------------------------------------------------------------------------------------------

    def bits(self, x: Value) -> Value:
        """The encoding of a float as an integer of the same width."""
        type_ = {"double": "i64", "float": "i32"}[x.type]
        return self.emit(f"bitcast {x.type} {x.text} to {type_}", type_)

    def from_bits(self, n: Value) -> Value:
        type_ = {"i64": "double", "i32": "float"}[n.type]
        return self.emit(f"bitcast {n.type} {n.text} to {type_}", type_)

    def narrow(self, x: Value) -> Value:
        """double to float."""
        return self.emit(f"fptrunc double {x.text} to float", "float")

    # ---- error-free transformations (Dekker 1971, Knuth 1969; FMA products: Kahan 1996) ---------------------------

    def two_sum(self, a: Value, b: Value) -> tuple[Value, Value]:
        """(s, e) with s = fl(a + b) and s + e = a + b."""
        s = a + b
        t = s - a
        return s, (a - (s - t)) + (b - t)

    def quick_two_sum(self, a: Value, b: Value) -> tuple[Value, Value]:
        """`two_sum` for |a| ≥ |b|."""
        s = a + b
        return s, b - (s - a)

    def two_product(self, a: Value, b: Operand) -> tuple[Value, Value]:
        """(p, e) with p = fl(a·b) and p + e = a·b."""
        p = a * b
        return p, self.fma(a, b, -p)

    # ---- result ---------------------------------------------------------------------------------------------------

    def definition(self, result: Value) -> str:
        """The whole function as IR text."""
        type_ = self.format.float_type
        arguments = ", ".join(f"{type_} {a.text}" for a in self.arguments)
        head = f'define internal {type_} @"cv.{self.name}.{self.ctype}"({arguments}) '
        head += "alwaysinline nounwind willreturn memory(none) {"
        return "\n".join([head, *self.lines, f"  ret {type_} {result.text}", "}"])


Formula = Callable[..., Value]
