"""What a loop computes anew in each iteration from the same, computed once before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....core.graph import Equation, Graph, Var
from ....core.values import Aval
from .costs import MOVES, is_cheap, is_total, nbytes
from .parts import Given, Loop, program

if TYPE_CHECKING:
    from ..simplify import Builder

__all__ = ["hoist"]

_FREE = 64
"""Bytes that it costs nothing to keep."""


def hoist(b: Builder, loop: Loop) -> None:
    """Move in front of the loop what its body and its condition compute from constants alone.

    Where there may be no iteration, only what gives a result for all values is moved, and no loops. What merely says
    where elements are found stays, and so do a few instructions per element of an array that is larger than all that it
    is made of: computing these again costs less than reading it.
    """
    given = {g.var.index: g.outer for g in loop.constants}
    moved = _Hoisting(b, loop.body, given, loop.certain)
    if moved.roots:
        equations = [eq for eq in loop.body if id(eq) not in moved.roots]
        loop.body = program(loop.body, loop.inner(), equations, loop.outputs())
        used = loop.used()
        values: dict[int, Any] = {}
        for v, x in moved.values():
            if v.index in used:
                _give(loop, x, v, None, values)
        loop.substitute(values)
    if loop.condition is None:
        return
    given = {g.test.index: g.outer for g in loop.constants if g.test is not None}
    moved = _Hoisting(b, loop.condition, given, certain=False)
    if moved.roots:
        equations = [eq for eq in loop.condition if id(eq) not in moved.roots]
        loop.condition = program(loop.condition, loop.condition.inputs, equations, loop.condition.outputs)
        used = loop.tested()
        values = {}
        for v, x in moved.values():
            if v.index in used:
                _give(loop, x, None, v, values)
        loop.substitute({}, values)


def _give(loop: Loop, x: Any, var: Var | None, test: Var | None, values: dict[int, Any]) -> None:
    """Give the loop the value `x` for `var` of the body, or `test` of the condition."""
    if type(x) is not Var:
        values[(var or test).index] = x  # type: ignore[union-attr]
        return
    if var is None:
        assert test is not None
        var = loop.variable(test.aval)
    elif loop.condition is not None:
        test = loop.condition.variable(var.aval)
    loop.constants.append(Given(x, var, test))


class _Hoisting:
    """What can be moved in front of a loop.

    Attributes
    ----------
    roots : dict
        Identities of the equations to move, and the equations. Others that they need are done in both places.
    """

    def __init__(self, b: Builder, graph: Graph, given: dict[int, Any], certain: bool) -> None:
        self.b = b
        self.known = dict(given)
        self.makers: dict[int, Equation] = {}
        self.roots: dict[int, Equation] = {}
        # What each fixed value is made of.
        sources: dict[int, frozenset[int]] = {i: frozenset([i]) for i in given}
        sizes: dict[int, int] = {i: nbytes(x) for i, x in given.items()}
        for eq in graph:
            variables = [x.index for x in eq.inputs if type(x) is Var]
            if eq.primitive.family == "collective" or not all(i in sources for i in variables):
                continue
            if not (is_total(eq) or certain):
                continue
            made = frozenset().union(*[sources[i] for i in variables])
            for v in eq.outputs:
                sources[v.index] = made
                self.makers[v.index] = eq
            if variables and eq.primitive.name not in MOVES:
                small = max(_FREE, sum(sizes[i] for i in made))
                if not is_cheap(eq) or all(nbytes(v) <= small for v in eq.outputs):
                    self.roots[id(eq)] = eq

    def values(self) -> list[tuple[Var, Any]]:
        """What the equations moved make, and its values outside."""
        return [
            (v, self.b.like(self._value(v), Aval(v.shape, v.dtype))) for eq in self.roots.values() for v in eq.outputs
        ]

    def _value(self, x: Any) -> Any:
        if type(x) is not Var:
            return x
        if x.index not in self.known:
            eq = self.makers[x.index]
            made = self.b.replay(eq, [self._value(y) for y in eq.inputs])
            for v, y in zip(eq.outputs, made, strict=True):
                self.known[v.index] = y
        return self.known[x.index]
