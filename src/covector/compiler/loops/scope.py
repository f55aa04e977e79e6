"""Where element rules are evaluated: one loop nest, its counters, and what reading an array means in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.graph import Var
from .index import Index, Loaded, Quotient, Remainder
from .nodes import Complex, Node, Nodes, type_of
from .operations import Value, select

__all__ = ["Scope", "strides_of"]


def strides_of(shape: Sequence[int]) -> tuple[int, ...]:
    """Elements between neighbours along each axis of a C-contiguous array."""
    out, n = [], 1
    for k in reversed(shape):
        out.append(n)
        n *= k
    return tuple(reversed(out))


class Scope:
    """The nodes of one loop body.

    Parameters
    ----------
    inline : callable
        ``inline(var) -> rule or None``: the element rule of an array that is not read from memory here.
    """

    def __init__(self, inline: Callable[[Var], Any]) -> None:
        self.nodes = Nodes()
        self.inline = inline
        self.memo: dict[Any, Value] = {}
        self.guards: tuple[Node, ...] = ()
        self.undecided: list[Index] = []
        self.quotients: list[tuple[Index, int]] = []
        self.loads: list[tuple[Var, tuple[Index, ...]]] = []

    def read(self, var: Var, index: Sequence[Index]) -> Value:
        """Return the element of `var` at `index`, computed here or loaded."""
        at = tuple([i.key for i in index])
        value = self.memo.get((var.index, at, ()))
        if value is not None:
            return value
        key = (var.index, at, tuple([g.number for g in self.guards]))
        value = self.memo.get(key)
        if value is None:
            rule = self.inline(var)
            value = self.load(var, index) if rule is None else rule(*index)
            self.memo[key] = value
        return value

    def counter(self, var: Var, length: int) -> Value:
        """Return the counter of a loop around the program, which `var` holds, as a value known to be in range."""
        key = ("counter", var.index)
        atom = self.memo.get(key)
        if atom is None:
            node = self._load(var, Index(0), "i8")
            atom = self.memo[key] = Loaded(node, 0, length - 1)  # type: ignore[assignment]
        return self.nodes.index(Index(0, ((atom, 1),)))  # type: ignore[arg-type]

    def compute(self, var: Var, definition: Any, index: Sequence[Index]) -> Value:
        """Return the element of `var` by its rule, whether or not it has memory."""
        key = (var.index, tuple([i.key for i in index]), ())
        value = self.memo.get(key)
        if value is None:
            value = self.memo[key] = definition.rule(*index)
        return value

    def load(self, var: Var, index: Sequence[Index]) -> Value:
        """Return the element of `var` at `index` from memory."""
        self.loads.append((var, tuple(index)))
        offset = Index(0)
        for i, s in zip(index, strides_of(var.shape), strict=True):
            offset = offset + i * s
        return self.load_at(var, offset)

    def load_at(self, var: Var, offset: Index) -> Value:
        t = type_of(var.dtype)
        if var.size == 0 or t is None:
            return self.nodes.zero(t or "f8")
        if var.dtype.kind == "c":
            return Complex(self._load(var, offset * 2, t), self._load(var, offset * 2 + 1, t))
        return self._load(var, offset, t)

    def _load(self, var: Var, offset: Index, t: str) -> Node:
        n = self.nodes
        return n.make(
            "load", t, *self.guards, data=(var, offset), key=(var.index, offset.key), level=n.level_of(offset)
        )

    def inside(self, conditions: Sequence[Index], then: Callable[[], Value], otherwise: Callable[[], Value]) -> Value:
        """Return ``then()`` where all of `conditions` are at least zero, else ``otherwise()``.

        What is read for the branch that is not taken may lie outside of its array: it is not loaded.
        """
        open_ = []
        for c in conditions:
            low, high = c.bounds()
            if high < 0:
                return otherwise()
            if low < 0:
                open_.append(c)
        if not open_:
            return then()
        self.undecided += open_
        condition = self.nodes.nonnegative(open_[0])
        for c in open_[1:]:
            condition = self.nodes.both(condition, self.nodes.nonnegative(c))
        a = self.guarded(condition, then)
        b = self.guarded(self.nodes.no(condition), otherwise)
        return select(self.nodes, condition, a, b)

    def guarded(self, condition: Node, thunk: Callable[[], Value]) -> Value:
        before = self.guards
        if condition not in before:
            self.guards = (*before, condition)
        try:
            return thunk()
        finally:
            self.guards = before

    def divide(self, index: Index, n: int) -> tuple[Index, Index]:
        """Quotient and remainder of an index; what does not come out affine is noted."""
        q, r = index.divide(n)
        for a, _ in (*q.terms, *r.terms):
            if isinstance(a, Quotient | Remainder) and a.index.terms:
                self.quotients.append((a.index, n))
        return self.shared(q), self.shared(r)

    def shared(self, index: Index) -> Index:
        """Return `index` with equal quotients and remainders as the same atom."""
        terms = []
        for a, c in index.terms:
            if isinstance(a, Quotient | Remainder):
                key = ("atom", type(a), a.index.key, a.divisor)
                a = self.memo.setdefault(key, a)  # type: ignore[arg-type, assignment]
            terms.append((a, c))
        terms.sort(key=lambda t: t[0].number)
        return Index(index.const, tuple(terms))

    def unravel(self, flat: Index, shape: Sequence[int]) -> tuple[Index, ...]:
        """Return the index into an array of `shape` of its element number `flat`."""
        out: list[Index] = []
        for k, n in enumerate(reversed(shape)):
            if k == len(shape) - 1:
                out.append(flat)
            else:
                flat, r = self.divide(flat, n) if n else (flat, Index(0))
                out.append(r)
        return tuple(reversed(out))

    def place(self, value: Value, size: int) -> Index:
        """Return the index that the integer `value` means on an axis of length `size`: negative ones count back.

        Numbers outside lead to some place inside; that they are outside is checked apart.
        """
        n = self.nodes
        node = n.cast(value.re if isinstance(value, Complex) else value, "i8")
        if node.op == "zero":
            return Index(0)
        if node.op == "const":
            k = node.data + (size if node.data < 0 else 0)
            return Index(min(max(k, 0), max(size - 1, 0)))
        if node.op == "index":
            low, high = node.data.bounds()
            if low >= 0 and high < size:
                return node.data
            if low >= -size and high < 0:
                return node.data + size
        zero = n.const(0, "i8")
        node = n.select(n.compare("lt", node, zero), n.make("add", "i8", node, n.const(size, "i8")), node)
        node = n.make("clamp", "i8", node, n.const(max(size - 1, 0), "i8"))
        key = ("loaded", node.number, size)
        atom = self.memo.setdefault(key, Loaded(node, 0, max(size - 1, 0)))  # type: ignore[arg-type]
        return Index(0, ((atom, 1),))  # type: ignore[arg-type]


def is_progression(a: np.ndarray[Any, Any]) -> tuple[int, list[int]] | None:
    """Start and steps along the axes of an integer array that is affine in its index; None if it is not."""
    if not a.size:
        return None
    start = int(a.flat[0])
    steps = []
    want = np.full((1,) * a.ndim, start)
    for axis, n in enumerate(a.shape):
        step = int(a[(0,) * axis + (1,) + (0,) * (a.ndim - axis - 1)]) - start if n > 1 else 0
        steps.append(step)
        want = want + (step * np.arange(n)).reshape((n,) + (1,) * (a.ndim - axis - 1))
    return (start, steps) if np.array_equal(want.reshape(a.shape), a) else None
