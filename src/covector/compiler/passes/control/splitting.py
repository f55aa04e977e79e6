"""Long functions of numbers, and products with vectors, taken of whole sequences before a loop or after it.

A processor computes eight exponentials in little more time than one. In a loop whose iterations wait for each other
there is one per iteration; where it depends on the elements of sequences alone it can be taken of all of them at once
before the loop, and where only stacked values depend on it, after the loop. In the same way many products of a constant
matrix with a vector become one product of matrices. Arrays that this makes are held to what there is anyway, see
`rows.room_in`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ....core.graph import Equation, Var
from ....core.values import Aval
from .costs import TRANSCENDENTAL, nbytes
from .parts import Given, Loop, Stack, program
from .rows import Rows, can_move, matrix_of, room_in

if TYPE_CHECKING:
    from ..simplify import Builder

__all__ = ["split"]

_SMALL = 8
"""Elements up to which a function does not fill a processor's registers well."""

_FEWEST = 16
"""Iterations from which on it pays."""

_ROOM = 4096
"""Iterations that a loop has room for, up to which it pays if it may have fewer: what there is room for is computed."""

_MOST = 16
"""Functions that are tried."""

_MATRIX = 64
"""Elements from which on one product with a matrix is quicker than many products of it with vectors."""


def split(b: Builder, loop: Loop, known: dict[int, Any]) -> None:
    """Move what is quicker for many at once in front of the loop or behind it.

    What the outputs are then that are computed behind the loop is noted in `known` once the loop is there: as a
    function of no arguments.
    """
    if loop.condition is not None or loop.length is None or loop.length < _FEWEST:
        return
    if not loop.count or loop.length <= _ROOM:
        _before(b, loop)
        _after(b, loop, known)


def _pays(eq: Equation, fixed: Any) -> bool:
    """Whether there is something to gain from doing `eq` for all iterations at once."""
    if eq.primitive.name == "matmul":
        matrix = matrix_of(eq, fixed)
        return matrix is not None and matrix.size >= _MATRIX
    return eq.primitive.name in TRANSCENDENTAL and eq.outputs[0].size <= _SMALL


def _variables(xs: Sequence[Any]) -> list[Var]:
    return [x for x in xs if type(x) is Var]


def _before(b: Builder, loop: Loop) -> None:
    rows = Rows(b, loop)
    free: dict[int, Equation] = {}
    there = rows.fixed | set(rows.arrays)
    varies = set(rows.arrays)
    for eq in loop.body:
        xs = [x.index for x in _variables(eq.inputs)]
        if not can_move(eq, rows.fixed) or not all(i in there for i in xs) or not any(i in varies for i in xs):
            continue
        out = eq.outputs[0].index
        there.add(out)
        varies.add(out)
        free[out] = eq
    room = room_in(loop)
    roots: set[int] = set()
    for out in [out for out, eq in free.items() if _pays(eq, rows.fixed)][:_MOST]:
        if sum(map(nbytes, _edge(loop, _made_of(roots | {out}, free)))) <= room:
            roots.add(out)
    behind = _made_of(roots, free)
    if not behind:
        return
    rest = [eq for eq in loop.body if eq.outputs[0].index not in behind]
    edge = _edge(loop, behind)
    needed = set(behind)
    for eq in reversed(loop.body.equations):
        if eq.outputs[0].index in needed:
            needed.update(x.index for x in _variables(eq.inputs) if x.index in free)
    for eq in loop.body:
        if eq.outputs[0].index in needed:
            rows.add(eq)
    loop.body = program(loop.body, loop.inner(), rest, loop.outputs())
    loop.sequences += [Given(rows.arrays[v.index], v) for v in edge]
    loop.settle()
    loop.settle(b.body(loop.body))


def _made_of(roots: set[int], free: dict[int, Equation]) -> set[int]:
    """The numbers of the variables in `free`, which are in order, that the roots are or that are made of them."""
    found = set(roots)
    for out, eq in free.items():
        if any(x.index in found for x in _variables(eq.inputs)):
            found.add(out)
    return found


def _edge(loop: Loop, moved: set[int]) -> list[Var]:
    """Those of the variables `moved` that the rest of the body reads."""
    rest = [eq for eq in loop.body if eq.outputs[0].index not in moved]
    read = {x.index for eq in rest for x in _variables(eq.inputs)} | {x.index for x in _variables(loop.outputs())}
    return [eq.outputs[0] for eq in loop.body if eq.outputs[0].index in moved and eq.outputs[0].index in read]


def _after(b: Builder, loop: Loop, known: dict[int, Any]) -> None:
    readers: dict[int, int] = {}
    rows = Rows(b, loop)
    fixed = rows.fixed
    for x in _variables([c.after for c in loop.carries]):
        readers[x.index] = 1
    moved: list[Equation] = []
    tail: set[int] = set()
    elements = {s.element.index for s in loop.stacks if type(s.element) is Var}
    for eq in reversed(loop.body.equations):
        out = eq.outputs[0].index
        if can_move(eq, fixed) and not readers.get(out) and (out in elements or out in tail):
            moved.append(eq)
            tail.update(x.index for x in _variables(eq.inputs))
        else:
            for x in _variables(eq.inputs):
                readers[x.index] = 1
    moved.reverse()
    moved = _behind(moved, fixed)
    if not moved:
        return
    made = {eq.outputs[0].index for eq in moved}
    rest = [eq for eq in loop.body if eq.outputs[0].index not in made]
    old = [s for s in loop.stacks if type(s.element) is Var and s.element.index in made]
    kept = [s for s in loop.stacks if s not in old]
    there = {s.element.index: s.out for s in kept if type(s.element) is Var}
    edge: dict[int, Var] = {}
    for eq in moved:
        for x in _variables(eq.inputs):
            if x.index not in made and x.index not in rows.fixed and x.index not in rows.arrays:
                edge.setdefault(x.index, x)
    new = [v for i, v in edge.items() if i not in there]
    if sum(map(nbytes, new)) > room_in(loop, sum(nbytes(s.element) for s in old)):
        return
    stacks = [Stack(v, b.variable(Aval((rows.length, *v.shape), v.dtype))) for v in new]
    loop.stacks = kept + stacks
    loop.body = program(loop.body, loop.inner(), rest, loop.outputs())
    loop.settle()
    there |= {s.element.index: s.out for s in stacks}
    known.update(_later(rows, moved, {i: there[i] for i in edge}, old))


def _behind(equations: list[Equation], fixed: Any) -> list[Equation]:
    """Those of the equations that pay, and what is made of them."""
    made: set[int] = set()
    for eq in equations:
        if _pays(eq, fixed) or any(x.index in made for x in _variables(eq.inputs)):
            made.add(eq.outputs[0].index)
    return [eq for eq in equations if eq.outputs[0].index in made]


def _later(rows: Rows, moved: list[Equation], edge: dict[int, Var], old: list[Stack]) -> dict[int, Any]:
    """Functions that make the stacks `old`, given where the outputs of the loop that they read are found."""

    def make(found: dict[int, Any], which: Var) -> Any:
        if not done:
            for i, v in edge.items():
                rows.arrays[i] = found.get(v.index, v)
            for eq in moved:
                rows.add(eq)
            done.append(True)
        return rows.arrays[which.index]

    done: list[bool] = []
    return {s.out.index: lambda found, v=s.element: make(found, v) for s in old}
