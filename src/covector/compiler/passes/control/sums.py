"""Sums of outer products over the iterations of a loop, as one product of matrices behind it.

The cotangent of a matrix that multiplies vectors is such a sum. In the loop the whole matrix is read and written in
every iteration; behind it the vectors of all iterations are the factors of one product. They are stacked for that, as
far as `rows.room_in` allows. The order of summation changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....core.graph import Equation, Var
from ....core.values import Aval
from .costs import nbytes
from .parts import Carry, Loop, Stack
from .rows import Rows, room_in

if TYPE_CHECKING:
    from ..simplify import Builder

__all__ = ["sum_behind"]

_LEAST = 64
"""Elements from which on a matrix is worth it."""

_FEWEST = 16
"""Iterations from which on it pays."""


def sum_behind(b: Builder, loop: Loop, known: dict[int, Any]) -> None:
    """Move sums of products behind the loop; note in `known` how they are computed once the loop is there."""
    if not loop.certain or loop.length is None or loop.length < _FEWEST:
        return
    uses: dict[int, int] = {}
    for x in [*loop.outputs(), *[x for eq in loop.body for x in eq.inputs]]:
        if type(x) is Var:
            uses[x.index] = uses.get(x.index, 0) + 1
    makers = {v.index: eq for eq in loop.body for v in eq.outputs}
    room = room_in(loop)
    stacked = {s.element.index: s for s in loop.stacks if type(s.element) is Var}
    rows = Rows(b, loop)
    before = len(loop.carries)
    for c in list(loop.carries):
        product = _product(c, uses, makers)
        if product is None:
            continue
        there = rows.fixed | set(rows.arrays) | set(stacked)
        chains = [_chain(x, makers, there) for x in _factors(product)]
        new = [x for x, _ in chains if x.index not in there]
        if sum(map(nbytes, new)) > room:
            continue
        room -= sum(map(nbytes, new))
        for x in new:
            out = b.variable(Aval((rows.length, *x.shape), x.dtype))
            stacked[x.index] = Stack(x, out)
            loop.stacks.append(stacked[x.index])
        loop.carries.remove(c)
        read = {x.index: stacked[x.index].out for x, _ in chains if x.index in stacked}
        known[c.out.index] = _later(rows, c, product, read, [eq for _, moves in chains for eq in moves])
    if len(loop.carries) < before:
        loop.settle()
        loop.settle(b.body(loop.body))


def _factors(eq: Equation) -> list[Var]:
    return [x for x in eq.inputs if type(x) is Var]


def _chain(x: Var, makers: dict[int, Equation], there: set[int]) -> tuple[Var, list[Equation]]:
    """What `x` is made of by moves alone, and these: the first of what is there, or the beginning."""
    moves: list[Equation] = []
    eq = makers.get(x.index)
    while x.index not in there and eq is not None and eq.primitive.name in ("reshape", "transpose"):
        moves.append(eq)
        x = eq.inputs[0]
        eq = makers.get(x.index)
    return x, moves[::-1]


def _product(c: Carry, uses: dict[int, int], makers: dict[int, Equation]) -> Equation | None:
    """The outer product, or product of matrices, that every iteration adds to `c`, which it does not read otherwise."""
    total = makers.get(c.after.index) if type(c.after) is Var else None
    if total is None or total.primitive.name != "add" or uses.get(c.var.index) != 1 or uses[c.after.index] != 1:
        return None
    terms = [x for x in total.inputs if x is not c.var]
    if len(terms) != 1 or type(terms[0]) is not Var or terms[0].shape != c.var.shape or c.var.size < _LEAST:
        return None
    term = terms[0]
    eq = makers.get(term.index)
    if eq is None or uses[term.index] != 1 or term.dtype != c.var.dtype or term.dtype.kind not in "fc":
        return None
    factors = _factors(eq)
    if len(factors) != 2 or any(x.dtype != term.dtype for x in factors):
        return None
    if eq.primitive.name == "multiply":
        return eq if len(term.shape) == 2 and all(x.size < term.size for x in factors) else None
    plain = eq.primitive.name == "matmul" and all(len(x.shape) == 2 for x in factors)
    return eq if plain and sum(x.size for x in factors) < 2 * term.size else None


def _later(rows: Rows, c: Carry, eq: Equation, stacked: dict[int, Var], moves: list[Equation]) -> Any:
    """A function that makes what the carry ends as, given where the outputs of the loop are found."""

    def make(found: dict[int, Any]) -> Any:
        for i, v in stacked.items():
            rows.arrays[i] = found.get(v.index, v)
        for move in moves:
            rows.add(move)
        total = rows.total(eq)
        if rows.b.number(c.outer) != 0:
            total = rows.b.emit("add", rows.b.like(c.outer, Aval(*c.out.aval[:2])), total)
        return rows.b.like(total, c.out.aval)

    return make
