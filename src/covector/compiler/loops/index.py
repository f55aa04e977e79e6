"""Integer arithmetic on loop counters: affine where possible, so that strides, bounds and splits can be read off."""

from __future__ import annotations

import itertools
from typing import Any

__all__ = ["Atom", "Index", "Loaded", "Quotient", "Remainder", "Symbol"]

_numbers = itertools.count()


class Atom:
    """What an index is a linear combination of."""

    __slots__ = ("high", "low", "number")

    def __init__(self, low: int, high: int) -> None:
        self.low = low  # the smallest and the largest value
        self.high = high
        self.number = next(_numbers)


class Symbol(Atom):
    """A loop counter that runs from `low` to `high`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"i{self.number}"


class Quotient(Atom):
    """Floor of an index over a positive number that does not divide it."""

    __slots__ = ("divisor", "index")

    def __init__(self, index: Index, divisor: int) -> None:
        low, high = index.bounds()
        super().__init__(low // divisor, high // divisor)
        self.index = index
        self.divisor = divisor


class Remainder(Atom):
    """An index modulo a positive number."""

    __slots__ = ("divisor", "index")

    def __init__(self, index: Index, divisor: int) -> None:
        super().__init__(0, divisor - 1)
        self.index = index
        self.divisor = divisor


class Loaded(Atom):
    """An integer that the program computes; the node is of type i8."""

    __slots__ = ("node",)

    def __init__(self, node: Any, low: int, high: int) -> None:
        super().__init__(low, high)
        self.node = node


class Index:
    """``const + Σ coefficient · atom``; equal ones have equal keys."""

    __slots__ = ("const", "key", "terms")

    def __init__(self, const: int, terms: tuple[tuple[Atom, int], ...] = ()) -> None:
        self.const = const
        self.terms = terms
        self.key: tuple[int, ...] = (const, *[n for a, c in terms for n in (a.number, c)])

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and self.key == other.key

    def __repr__(self) -> str:
        return " + ".join([*(f"{c}*{a}" for a, c in self.terms), str(self.const)])

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.const + other, self.terms) if other else self
        if not other.terms:
            return self + other.const
        if not self.terms:
            return other + self.const
        sums = {a.number: (a, c) for a, c in self.terms}
        for a, c in other.terms:
            sums[a.number] = (a, c + (sums[a.number][1] if a.number in sums else 0))
        terms = tuple([sums[n] for n in sorted(sums) if sums[n][1]])
        return Index(self.const + other.const, terms)

    __radd__ = __add__

    def __mul__(self, factor: int) -> Index:
        if factor == 1:
            return self
        if not factor:
            return Index(0)
        return Index(self.const * factor, tuple([(a, c * factor) for a, c in self.terms]))

    __rmul__ = __mul__

    def __neg__(self) -> Index:
        return self * -1

    def __sub__(self, other: Index | int) -> Index:
        return self + -other

    def __rsub__(self, other: int) -> Index:
        return -self + other

    def bounds(self) -> tuple[int, int]:
        """The smallest and the largest value."""
        low = high = self.const
        for a, c in self.terms:
            if c > 0:
                low += c * a.low
                high += c * a.high
            else:
                low += c * a.high
                high += c * a.low
        return low, high

    def divide(self, n: int) -> tuple[Index, Index]:
        """Quotient and remainder by the positive number `n`."""
        if n == 1:
            return self, Index(0)
        whole = tuple([(a, c // n) for a, c in self.terms if c % n == 0])
        rest = Index(self.const % n, tuple([(a, c) for a, c in self.terms if c % n]))
        quotient = Index(self.const // n, whole)
        low, high = rest.bounds()
        if low // n == high // n:
            return quotient + low // n, rest - low // n * n
        return quotient + Index(0, ((Quotient(rest, n), 1),)), Index(0, ((Remainder(rest, n), 1),))

    def symbols(self) -> set[Atom]:
        """The loop counters in it, also those inside quotients; not those behind loaded numbers."""
        out: set[Atom] = set()
        for a, _ in self.terms:
            if isinstance(a, Quotient | Remainder):
                out |= a.index.symbols()
            else:
                out.add(a)
        return out
