"""Scalar programs: what a loop computes for one set of counters, each expression once.

Types are "f8", "f4", "i8" … "u1" and "b1" as NumPy spells them; complex numbers are pairs of real ones (`Complex`).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .index import Index

__all__ = ["Complex", "Node", "Nodes", "type_of"]

TYPES = frozenset(["f8", "f4", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "b1"])


def type_of(dtype: np.dtype[Any]) -> str | None:
    """The type of the elements of an array of `dtype`: of complex ones that of the parts; None if we have none."""
    code = f"{dtype.kind}{dtype.itemsize // 2 if dtype.kind == 'c' else dtype.itemsize}"
    code = code.replace("c", "f")
    return code if code in TYPES and dtype.isnative else None


class Node:
    """One scalar operation; `level` is the number of loops around the innermost place where it must stand."""

    __slots__ = ("args", "data", "level", "number", "op", "type")

    def __init__(self, number: int, op: str, type_: str, args: tuple[Node, ...], data: Any, level: int) -> None:
        self.number = number
        self.op = op
        self.type = type_
        self.args = args
        self.data = data
        self.level = level

    def __repr__(self) -> str:
        inner = ", ".join([f"%{a.number}" for a in self.args] + ([repr(self.data)] if self.data is not None else []))
        return f"%{self.number} = {self.op}.{self.type}({inner})"


class Complex(NamedTuple):
    """A complex value as the nodes of its parts."""

    re: Node
    im: Node


class Nodes:
    """A table of nodes in which equal ones are the same object, with the arithmetic that needs no rounding."""

    def __init__(self) -> None:
        self.table: dict[Any, Node] = {}
        self.all: list[Node] = []
        self.levels: dict[int, int] = {}  # of loop counters, by the number of their symbol

    def make(self, op: str, type_: str, *args: Node, data: Any = None, key: Any = None, level: int = 0) -> Node:
        """Return the node of this operation."""
        k = (op, type_, data if key is None else key, *[a.number for a in args])
        node = self.table.get(k)
        if node is None:
            for a in args:
                if a.level > level:
                    level = a.level
            node = Node(len(self.all), op, type_, args, data, level)
            self.table[k] = node
            self.all.append(node)
        return node

    def const(self, value: Any, type_: str) -> Node:
        """Return a constant; the sign of zero counts."""
        kind = type_[0]
        value = float(np.float32(value)) if type_ == "f4" else float(value) if kind == "f" else int(value)
        if kind == "b":
            value = int(bool(value))
        if kind == "f":
            return self.make("const", type_, data=value, key=value.hex() if value == value else "nan")
        return self.make("const", type_, data=value)

    def zero(self, type_: str) -> Node:
        """Return a zero that stands for absence: anything times it is zero, also inf and NaN."""
        return self.make("zero", type_)

    def index(self, index: Index) -> Node:
        """Return the value of an index as a number of type i8."""
        if not index.terms:
            return self.const(index.const, "i8")
        return self.make("index", "i8", data=index, key=index.key, level=self.level_of(index))

    def level_of(self, index: Index) -> int:
        """The number of loops around the innermost counter in `index`."""
        level = 0
        for a, _ in index.terms:
            level = max(level, self.atom_level(a))
        return level

    def atom_level(self, atom: Any) -> int:
        if hasattr(atom, "node"):
            return atom.node.level
        if hasattr(atom, "index"):
            return self.level_of(atom.index)
        return self.levels.get(atom.number, 0)

    def nonnegative(self, index: Index) -> Node:
        """Return whether an index is at least zero."""
        low, high = index.bounds()
        if low >= 0 or high < 0:
            return self.const(low >= 0, "b1")
        return self.make("nonnegative", "b1", data=index, key=index.key, level=self.level_of(index))

    # --- arithmetic with the identities that are exact ----------------------------------------------------------------

    def add(self, a: Node, b: Node) -> Node:
        if a.op == "zero":
            return b
        if b.op == "zero":
            return a
        if a.type == "i8" and (i := _affine(a)) is not None and (j := _affine(b)) is not None:
            return self.index(i + j)
        return self.make("add", a.type, a, b)

    def sub(self, a: Node, b: Node) -> Node:
        if b.op == "zero":
            return a
        if a.op == "zero":
            return self.neg(b)
        if a.type == "i8" and (i := _affine(a)) is not None and (j := _affine(b)) is not None:
            return self.index(i - j)
        return self.make("sub", a.type, a, b)

    def mul(self, a: Node, b: Node) -> Node:
        if a.op == "zero" or b.op == "zero":
            return self.zero(a.type)
        if _is(a, 1):
            return b
        if _is(b, 1):
            return a
        if a.op == b.op == "const" and a.type[0] == "f":
            return self.const(a.data * b.data, a.type)
        if a.type == "i8" and {a.op, b.op} == {"index", "const"}:
            x, k = (a, b) if b.op == "const" else (b, a)
            return self.index(x.data * k.data)
        return self.make("mul", a.type, a, b)

    def neg(self, a: Node) -> Node:
        if a.op == "zero":
            return a
        if a.op == "neg":
            return a.args[0]
        if a.op == "const":
            return self.const(-a.data, a.type) if a.type[0] != "u" else self.make("neg", a.type, a)
        return self.make("neg", a.type, a)

    def div(self, a: Node, b: Node) -> Node:
        if a.op == "zero":
            return a
        if b.op == "const" and b.data and math.frexp(b.data)[0] in (0.5, -0.5) and 1e-30 < abs(b.data) < 1e30:
            return self.mul(a, self.const(1 / b.data, a.type))
        return self.make("div", a.type, a, b)

    def select(self, condition: Node, a: Node, b: Node) -> Node:
        if condition.op in ("const", "zero"):
            return a if condition.op == "const" and condition.data else b
        return a if a is b else self.make("select", a.type, condition, a, b)

    def compare(self, how: str, a: Node, b: Node) -> Node:
        """Compare by "eq", "ne", "lt" or "le"; false for NaN except "ne"."""
        if a.op == b.op == "const" and a.data == a.data and b.data == b.data:
            x, y = a.data, b.data
            return self.const({"eq": x == y, "ne": x != y, "lt": x < y, "le": x <= y}[how], "b1")
        return self.make(how, "b1", a, b)

    def both(self, a: Node, b: Node) -> Node:
        if a.op in ("const", "zero"):
            return b if a.op == "const" and a.data else self.const(0, "b1")
        if b.op in ("const", "zero"):
            return self.both(b, a)
        return a if a is b else self.make("and", "b1", a, b)

    def either(self, a: Node, b: Node) -> Node:
        if a.op in ("const", "zero"):
            return self.const(1, "b1") if a.op == "const" and a.data else b
        if b.op in ("const", "zero"):
            return self.either(b, a)
        return a if a is b else self.make("or", "b1", a, b)

    def no(self, a: Node) -> Node:
        if a.op in ("const", "zero"):
            return self.const(not (a.op == "const" and a.data), "b1")
        return a.args[0] if a.op == "not" else self.make("not", "b1", a)

    def cast(self, a: Node, type_: str) -> Node:
        """Convert as NumPy's astype does."""
        if a.type == type_:
            return a
        if a.op == "zero":
            return self.zero(type_)
        if type_ == "b1":
            return self.compare("ne", a, self.const(0, a.type))
        if a.op == "const" and (type_[0] == "f" or (a.type[0] in "iub" and type_[0] == "i" and type_ == "i8")):
            return self.const(a.data, type_)
        return self.make("cast", type_, a)

    def unary(self, op: str, a: Node) -> Node:
        """Apply an operation that maps a type to itself: sqrt, floor, ceil, trunc, rint, fabs."""
        return a if a.op == "zero" else self.make(op, a.type, a)

    def call(self, name: str, *args: Node) -> Node:
        """Apply one of the functions of `math`."""
        args = tuple([self.const(0, a.type) if a.op == "zero" else a for a in args])
        return self.make("call", args[0].type, *args, data=name)


def _affine(a: Node) -> Index | None:
    return a.data if a.op == "index" else Index(a.data) if a.op == "const" else None


def _is(a: Node, value: int) -> bool:
    return a.op == "const" and a.data == value
