"""Sums that a loop forms one by one, only to be added up behind it, formed as one.

A value that a loop's body uses in several places has as many cotangents, each summed over the iterations. What is
wanted is the sum of all of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ....control.loops.loop import loop_p
from ....core.graph import Equation, Graph, Var
from ....core.primitive import PRIMITIVES
from ....core.values import Aval
from .parts import Carry, Loop, program

__all__ = ["joined"]

_SIGNS = {"add": (1, 1), "subtract": (1, -1), "negative": (-1,)}


class _Leaf(NamedTuple):
    """A term of a sum, with its sign."""

    x: Any
    sign: int


def joined(graph: Graph) -> Graph:
    """Return the program with one sum in the place of several that loops form and that are then added up.

    The order of summation changes.
    """
    if not any(eq.primitive is loop_p and eq.params["carries"] > 1 for eq in graph):
        return graph
    return _Joining(graph).made()


class _Joining:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.makers = {v.index: eq for eq in graph for v in eq.outputs}
        self.uses = _use_counts(graph.equations, graph.outputs)
        self.loops: dict[int, Loop] = {}
        self.sums: dict[int, tuple[int, int]] = {}
        for eq in graph:
            if eq.primitive is loop_p:
                loop = self.loops[id(eq)] = Loop(eq.inputs, eq.params, eq.outputs)
                for v, sign in _sums(loop, self.makers):
                    if self.uses.get(v.index) == 1:
                        self.sums[v.index] = (id(eq), sign)
        self.replaced: dict[int, list[Equation]] = {}
        self.changed: set[int] = set()

    def made(self) -> Graph:
        """Return the new program."""
        inside: set[int] = set()
        for eq in reversed(self.graph.equations):
            if eq.primitive.name in ("add", "subtract") and id(eq) not in inside:
                leaves = self._leaves(eq, 1, inside)
                self._join(eq, leaves)
        if not self.changed:
            return self.graph
        equations: list[Equation] = []
        for eq in self.graph:
            if id(eq) in self.changed:
                inputs, params, outputs = self.loops[id(eq)].equation()
                equations.append(Equation(eq.primitive, inputs, params, outputs))
            else:
                equations += self.replaced.get(id(eq), [eq])
        # What summed up before is dead now, and may read what is gone.
        needed = {x.index for x in self.graph.outputs if type(x) is Var}
        kept = []
        for eq in reversed(equations):
            if any(v.index in needed for v in eq.outputs):
                kept.append(eq)
                needed.update([x.index for x in eq.inputs if type(x) is Var])
        return program(self.graph, self.graph.inputs, kept[::-1], self.graph.outputs)

    def _leaves(self, eq: Equation, sign: int, inside: set[int]) -> list[_Leaf]:
        """The terms of what `eq` adds up."""
        inside.add(id(eq))
        found: list[_Leaf] = []
        out = eq.outputs[0]
        for x, s in zip(eq.inputs, _SIGNS[eq.primitive.name], strict=True):
            maker = self.makers.get(x.index) if type(x) is Var else None
            same = type(x) is Var and x.aval == out.aval
            if same and maker is not None and maker.primitive.name in _SIGNS and self.uses[x.index] == 1:
                found += self._leaves(maker, s * sign, inside)
            else:
                found.append(_Leaf(x, s * sign))
        return found

    def _join(self, eq: Equation, leaves: list[_Leaf]) -> None:
        out = eq.outputs[0]
        groups: dict[int, list[_Leaf]] = {}
        for leaf in leaves:
            if type(leaf.x) is Var and leaf.x.index in self.sums and leaf.x.aval[:2] == out.aval[:2]:
                groups.setdefault(self.sums[leaf.x.index][0], []).append(leaf)
        groups = {k: g for k, g in groups.items() if len(g) > 1}
        if not groups or out.dtype.kind not in "fc" or any(_aval(leaf.x) != out.aval[:2] for leaf in leaves):
            return
        terms = [leaf for leaf in leaves if not any(leaf in g for g in groups.values())]
        for k, group in groups.items():
            self.changed.add(k)
            terms.append(_Leaf(self._joint(self.loops[k], group), 1))
        self.replaced[id(eq)] = _added(self.graph, terms, out)

    def _joint(self, loop: Loop, group: list[_Leaf]) -> Var:
        """The variable for the sum of the carries of the loop that end as what the group holds."""
        signs = {leaf.x.index: leaf.sign * self.sums[leaf.x.index][1] for leaf in group}
        carries = [c for c in loop.carries if c.out.index in signs]
        total: Any = None
        last = carries[-1]
        body = program(loop.body, loop.body.inputs, loop.body.equations, loop.body.outputs)
        for c in carries:
            term, _ = _term(c, {v.index: eq for eq in body for v in eq.outputs}) or (None, 0)
            sign = signs[c.out.index]
            new = body.variable(Aval(c.var.shape, c.var.dtype))
            if total is None:
                total = term
                if sign < 0:
                    body.equations.append(Equation(PRIMITIVES["negative"], [term], {}, [new]))
                    total = new
            else:
                name = "add" if sign > 0 else "subtract"
                body.equations.append(Equation(PRIMITIVES[name], [total, term], {}, [new]))
                total = new
        after = body.variable(Aval(last.var.shape, last.var.dtype))
        body.equations.append(Equation(PRIMITIVES["add"], [last.var, total], {}, [after]))
        loop.body = body
        out = self.graph.variable(last.out.aval)
        joint = Carry(last.outer, last.var, last.test, after, out)
        at = loop.carries.index(carries[0])
        loop.carries = [c for c in loop.carries if c not in carries]
        loop.carries.insert(at, joint)
        return out


def _aval(x: Any) -> Any:
    return x.aval[:2] if type(x) is Var else (np.shape(x), getattr(x, "dtype", None))


def _added(graph: Graph, terms: list[_Leaf], out: Var) -> list[Equation]:
    """Equations that make `out` of the terms, of which the last has the sign plus."""
    equations: list[Equation] = []
    total = terms[-1].x
    for k, (x, sign) in enumerate(terms[:-1]):
        new = out if k == len(terms) - 2 else graph.variable(out.aval)
        equations.append(Equation(PRIMITIVES["add" if sign > 0 else "subtract"], [total, x], {}, [new]))
        total = new
    if not equations:
        equations.append(Equation(PRIMITIVES["convert"], [total], {"dtype": out.dtype}, [out]))
    return equations


def _use_counts(equations: Any, outputs: Any) -> dict[int, int]:
    counts: dict[int, int] = {}
    for x in [*outputs, *[x for eq in equations for x in eq.inputs]]:
        if type(x) is Var:
            counts[x.index] = counts.get(x.index, 0) + 1
    return counts


def _sums(loop: Loop, outside: dict[int, Equation]) -> list[tuple[Var, int]]:
    """The outputs of carries that begin as zero, and to which every iteration does nothing but add or subtract."""
    uses = _use_counts(loop.body.equations, loop.outputs())
    makers = {v.index: eq for eq in loop.body for v in eq.outputs}
    tested = loop.tested()
    found = []
    for c in loop.carries:
        alone = uses.get(c.var.index) == 1 and type(c.after) is Var and uses[c.after.index] == 1
        if alone and (c.test is None or c.test.index not in tested) and _is_zero(c.outer, outside):
            term = _term(c, makers)
            if term is not None:
                found.append((c.out, term[1]))
    return found


def _term(c: Carry, makers: dict[int, Equation]) -> tuple[Any, int] | None:
    """What every iteration adds to the carry, and its sign."""
    eq = makers.get(c.after.index)
    if eq is None or eq.primitive.name not in ("add", "subtract"):
        return None
    x, y = eq.inputs
    if x is c.var:
        term, sign = y, -1 if eq.primitive.name == "subtract" else 1
    elif y is c.var and eq.primitive.name == "add":
        term, sign = x, 1
    else:
        return None
    return (term, sign) if type(term) is Var and term.aval[:2] == c.var.aval[:2] else None


def _is_zero(x: Any, makers: dict[int, Equation]) -> bool:
    if type(x) is Var:
        eq = makers.get(x.index)
        return eq is not None and eq.primitive.name == "broadcast" and _is_zero(eq.inputs[0], makers)
    return not np.shape(x) and bool(x == 0)
