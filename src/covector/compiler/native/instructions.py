"""One node as LLVM instructions."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from ..loops.index import Index, Loaded, Quotient, Remainder
from ..loops.nodes import Node

__all__ = ["Writer", "ctype", "literal", "memory_type", "value_type"]

_TYPES = {"f8": "double", "f4": "float", "b1": "i1"}
_COMPARE = {"eq": ("oeq", "eq"), "ne": ("une", "ne"), "lt": ("olt", "slt"), "le": ("ole", "sle")}
_FLOAT = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv", "rem": "frem"}
_UNARY = {"sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "rint", "fabs": "fabs"}
_EXTREMA = {"max": "maximum", "min": "minimum", "fmax": "maxnum", "fmin": "minnum"}
FAST = "contract"  # products and sums may be fused; nothing else


def value_type(t: str) -> str:
    """The LLVM type of a value."""
    return _TYPES.get(t) or f"i{8 * int(t[1:])}"


def memory_type(t: str) -> str:
    """The LLVM type of an element in memory."""
    return "i8" if t == "b1" else value_type(t)


def ctype(t: str) -> str:
    """The name of a type in `math`."""
    return "f64" if t == "f8" else "f32"


def literal(x: Any, t: str) -> str:
    """A constant of type `t`."""
    if t[0] == "f":
        return "0x" + struct.pack(">d", float(x)).hex().upper()
    if t == "b1":
        return "true" if x else "false"
    n = int(x)
    if t[0] == "u" and n < 0:
        n += 1 << (8 * int(t[1:]))
    return str(n)


class Writer:
    """Writes instructions; the text of a place in the program is a list of lines.

    Attributes
    ----------
    values : dict
        Operands by number of node.
    symbols : dict
        Operands that hold loop counters, by number of symbol.
    declared : set of str
        Declarations of intrinsics that were used.
    wanted : set
        Functions of `math` that were used: (name, ctype).
    """

    def __init__(self, pointer: Callable[[Any], str]) -> None:
        self.pointer = pointer
        self.values: dict[int, str] = {}
        self.symbols: dict[int, str] = {}
        self.declared: set[str] = set()
        self.wanted: set[tuple[str, str]] = set()
        self.count = 0
        self.group: str | None = None

    def name(self) -> str:
        self.count += 1
        return f"%v{self.count}"

    def put(self, lines: list[str], text: str) -> str:
        """Append an instruction with a result; return the result."""
        out = self.name()
        lines.append(f"{out} = {text}")
        return out

    def intrinsic(self, lines: list[str], name: str, t: str, *args: str) -> str:
        kind = value_type(t)
        suffix = "f64" if t == "f8" else "f32" if t == "f4" else kind
        self.declared.add(f"declare {kind} @llvm.{name}.{suffix}({', '.join([kind] * len(args))})")
        return self.put(lines, f"call {kind} @llvm.{name}.{suffix}({', '.join(f'{kind} {a}' for a in args)})")

    # --- indices ------------------------------------------------------------------------------------------------------

    def index(self, lines: list[str], index: Index) -> str:
        """Write an index; return its operand of type i64."""
        total: str | None = None
        for a, c in index.terms:
            x = self.atom(lines, a)
            if c != 1:
                x = self.put(lines, f"mul nsw i64 {x}, {c}")
            total = x if total is None else self.put(lines, f"add nsw i64 {total}, {x}")
        if total is None:
            return str(index.const)
        return self.put(lines, f"add nsw i64 {total}, {index.const}") if index.const else total

    def atom(self, lines: list[str], a: Any) -> str:
        if isinstance(a, Loaded):
            return self.operand(a.node)
        if isinstance(a, Quotient | Remainder):
            low, _ = a.index.bounds()
            up = -(low // a.divisor) if low < 0 else 0
            x = self.index(lines, a.index + up * a.divisor)
            if isinstance(a, Remainder):
                return self.put(lines, f"urem i64 {x}, {a.divisor}")
            q = self.put(lines, f"udiv i64 {x}, {a.divisor}")
            return self.put(lines, f"sub nsw i64 {q}, {up}") if up else q
        return self.symbols[a.number]

    # --- nodes --------------------------------------------------------------------------------------------------------

    def operand(self, n: Node) -> str:
        if n.op == "const":
            return literal(n.data, n.type)
        if n.op == "zero":
            return literal(0, n.type)
        return self.values[n.number]

    def write(self, lines: list[str], n: Node) -> None:
        """Write the instructions of a node; constants need none."""
        if n.op not in ("const", "zero"):
            self.values[n.number] = self._write(lines, n)

    def _write(self, lines: list[str], n: Node) -> str:
        op, t = n.op, n.type
        if op == "load":
            return self._load(lines, n)
        if op == "index":
            return self.index(lines, n.data)
        if op == "nonnegative":
            return self.put(lines, f"icmp sge i64 {self.index(lines, n.data)}, 0")
        args = [self.operand(a) for a in n.args]
        kind = value_type(t)
        if op == "call":
            self.wanted.add((n.data, ctype(t)))
            inner = ", ".join(f"{kind} {a}" for a in args)
            return self.put(lines, f'call {kind} @"cv.{n.data}.{ctype(t)}"({inner})')
        if op == "select":
            return self.put(lines, f"select i1 {args[0]}, {kind} {args[1]}, {kind} {args[2]}")
        if op in _COMPARE:
            return self._compare(lines, op, n.args[0].type, *args)
        if op == "cast":
            return self._cast(lines, n.args[0].type, t, args[0])
        if op == "not":
            return self.put(lines, f"xor i1 {args[0]}, true")
        if op in ("and", "or", "xor"):
            return self.put(lines, f"{op} {kind} {args[0]}, {args[1]}")
        if op == "clamp":
            return self.intrinsic(lines, "umin", t, *args)
        if op in _UNARY:
            return self.intrinsic(lines, _UNARY[op], t, *args)
        if op == "copysign":
            return self.intrinsic(lines, "copysign", t, *args)
        if op in _EXTREMA:
            return self.extremum(lines, op, t, *args)
        if op == "signbit":
            bits = f"i{8 * int(n.args[0].type[1:])}"
            x = self.put(lines, f"bitcast {value_type(n.args[0].type)} {args[0]} to {bits}")
            return self.put(lines, f"icmp slt {bits} {x}, 0")
        return self._arithmetic(lines, op, t, args)

    def _arithmetic(self, lines: list[str], op: str, t: str, args: list[str]) -> str:
        kind = value_type(t)
        if op == "neg":
            return self.put(lines, f"fneg {kind} {args[0]}" if t[0] == "f" else f"sub {kind} 0, {args[0]}")
        if t[0] == "f":
            flags = "" if op == "rem" else FAST + " "
            return self.put(lines, f"{_FLOAT[op]} {flags}{kind} {args[0]}, {args[1]}")
        if op in ("div", "rem"):
            op = ("s" if t[0] == "i" else "u") + op
        return self.put(lines, f"{op} {kind} {args[0]}, {args[1]}")

    def extremum(self, lines: list[str], op: str, t: str, a: str, b: str) -> str:
        if t[0] == "f":
            return self.intrinsic(lines, _EXTREMA[op], t, a, b)
        if t == "b1":
            return self.put(lines, f"{'or' if 'max' in op else 'and'} i1 {a}, {b}")
        return self.intrinsic(lines, ("s" if t[0] == "i" else "u") + op[-3:], t, a, b)

    def _compare(self, lines: list[str], op: str, t: str, a: str, b: str) -> str:
        real, whole = _COMPARE[op]
        if t[0] == "f":
            return self.put(lines, f"fcmp {real} {value_type(t)} {a}, {b}")
        if t[0] in "ub":
            whole = whole.replace("s", "u")
        return self.put(lines, f"icmp {whole} {value_type(t)} {a}, {b}")

    def _cast(self, lines: list[str], old: str, new: str, x: str) -> str:
        a, b = value_type(old), value_type(new)
        if old[0] == "f" and new[0] == "f":
            op = "fpext" if new == "f8" else "fptrunc"
        elif old[0] == "f":
            return self._to_integer(lines, a, new, x)
        elif new[0] == "f":
            op = "sitofp" if old[0] == "i" else "uitofp"
        else:
            wide = (1 if old == "b1" else 8 * int(old[1:])), 8 * int(new[1:])
            if wide[0] == wide[1]:
                return x
            op = "trunc" if wide[0] > wide[1] else "sext" if old[0] == "i" else "zext"
        return self.put(lines, f"{op} {a} {x} to {b}")

    def _to_integer(self, lines: list[str], a: str, new: str, x: str) -> str:
        """Convert a float to an integer; what does not fit wraps around as in NumPy, or is any number."""
        put = lambda text: self.put(lines, text)
        bits = int(new[1:]) * 8
        wide = bits if new[0] == "i" and bits > 16 else min(max(2 * bits, 32), 64)
        # A number out of range would be poison, which may turn the whole program into anything.
        out = put(f"freeze i{wide} {put(f'fptosi {a} {x} to i{wide}')}")
        if new == "u8":
            large = put(f"freeze i64 {put(f'fptoui {a} {x} to i64')}")
            return put(f"select i1 {put(f'fcmp olt {a} {x}, 0.0')}, i64 {out}, i64 {large}")
        return out if wide == bits else put(f"trunc i{wide} {out} to i{bits}")

    # --- memory -------------------------------------------------------------------------------------------------------

    def address(self, lines: list[str], var: Any, t: str, offset: str) -> str:
        return self.put(lines, f"getelementptr inbounds {memory_type(t)}, ptr {self.pointer(var)}, i64 {offset}")

    def access(self) -> str:
        """What marks an access to memory as independent of other iterations."""
        return f", !llvm.access.group {self.group}" if self.group else ""

    def _load(self, lines: list[str], n: Node) -> str:
        var, offset = n.data
        at = self.index(lines, offset)
        if n.args:
            ok = self.operand(n.args[0])
            for g in n.args[1:]:
                ok = self.put(lines, f"and i1 {ok}, {self.operand(g)}")
            at = self.put(lines, f"select i1 {ok}, i64 {at}, i64 0")
        return self.load(lines, var, n.type, at)

    def load(self, lines: list[str], var: Any, t: str, offset: str) -> str:
        x = self.put(lines, f"load {memory_type(t)}, ptr {self.address(lines, var, t, offset)}{self.access()}")
        return self.put(lines, f"trunc i8 {x} to i1") if t == "b1" else x

    def store(self, lines: list[str], var: Any, t: str, offset: str, x: str) -> None:
        if t == "b1":
            x = self.put(lines, f"zext i1 {x} to i8")
        to = self.address(lines, var, t, offset)
        lines.append(f"store {memory_type(t)} {x}, ptr {to}{self.access()}")
