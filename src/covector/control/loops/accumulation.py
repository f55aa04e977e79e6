"""Sums in the bodies of backward loops, formed in place.

A body that reads an element of an array, ``a[i]``, gives as cotangent an array of zeros but for that element. Adding
it to what has been summed up would touch all of the array in every iteration; here only the element is added to.
A loop in the body that sums up from zero starts from what has been summed up instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.graph import Equation, Graph, Var
from ...core.primitive import PRIMITIVES
from ...core.values import Aval, aval_of
from ...ops.indexing import scatter_p, sliced_shape, unslice_p
from ...ops.writing import add_at_p, read_p, write_p

__all__ = ["accumulated"]


def accumulated(graph: Graph, totals: Sequence[tuple[Var, int]]) -> Graph:
    """Return the program with sums of scattered values formed in place.

    Parameters
    ----------
    graph : Graph
        A program; it is not changed.
    totals : sequence of (Var, int)
        Inputs, and the outputs that are each such an input plus something.
    """
    return _Accumulation(graph).made(totals)


class _Accumulation:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.out = Graph()
        self.out.count = graph.count
        self.out.inputs = list(graph.inputs)
        self.out.outputs = list(graph.outputs)
        self.places = {v.index: k for k, eq in enumerate(graph.equations) for v in eq.outputs}
        self.uses: dict[int, int] = {}
        for x in [*[x for eq in graph.equations for x in eq.inputs], *graph.outputs]:
            if type(x) is Var:
                self.uses[x.index] = self.uses.get(x.index, 0) + 1
        self.removed: set[int] = set()
        self.starts: dict[int, dict[int, Any]] = {}
        """By the number of a loop, inputs that it is given in place of zeros."""

    def made(self, totals: Sequence[tuple[Var, int]]) -> Graph:
        """The new program."""
        ends = []
        for total, place in totals:
            terms = self._terms(self.out.outputs[place], total)
            ends.append((total if terms is None else self._start_loops(total, terms), place, terms))
        sums = self._sums()
        for k, eq in enumerate(self.graph.equations):
            if k in sums:
                self._add(*sums[k], eq.outputs[0])
            elif k not in self.removed:
                if k in self.starts:
                    inputs = [self.starts[k].get(i, x) for i, x in enumerate(eq.inputs)]
                    eq = Equation(eq.primitive, inputs, eq.params, eq.outputs)
                self.out.equations.append(eq)
        for total, place, terms in ends:
            if terms is not None:
                x = total
                for term in terms:
                    x = self._add(x, term, self.out.variable(total.aval))
                self.out.outputs[place] = x
        return self.out

    def _only(self, x: Any, aval: Aval) -> int | None:
        """The equation that makes `x`, if `x` is used once, and of this shape and dtype."""
        if type(x) is not Var or self.uses[x.index] != 1 or x.aval != aval:
            return None
        k = self.places.get(x.index)
        return None if k in self.removed else k

    def _terms(self, x: Any, total: Var) -> list[Any] | None:
        """What is added to `total` in `x`: values, or equations that scatter; None if `total` is used otherwise."""
        if self.uses.get(total.index) != 1:
            return None
        left, found, seen = [x], [], False
        gone: set[Any] = set()
        while left:
            y = left.pop()
            if y is total:
                seen = True
                continue
            k = self._only(y, total.aval)
            eq = None if k is None else self.graph.equations[k]
            if eq is not None and eq.primitive.name == "add" and all(_aval(z) == total.aval for z in eq.inputs):
                gone.add(k)
                left += eq.inputs
            elif eq is not None and eq.primitive in _SCATTERS:
                gone.add(k)
                found.append(eq)
            else:
                found.append(y)
        if not seen:
            return None
        self.removed |= gone
        return found

    def _start_loops(self, total: Var, terms: list[Any]) -> Any:
        """Take those of the terms out that loops have summed up from zero, which now start from `total`; its new name.

        With several of them each starts from what the one before has left.
        """
        found = []
        for x in terms:
            k = self._only(x, total.aval)
            if k is not None:
                at = _sums_from_zero(self.graph.equations[k], x)
                if at is not None:
                    found.append((k, at, x))
        for k, at, x in sorted(found, key=lambda each: each[:2]):
            self.starts.setdefault(k, {})[at] = total
            total = x
            terms[:] = [y for y in terms if y is not x]
        return total

    def _sums(self) -> dict[int, tuple[Any, Equation]]:
        """The remaining sums of something and scattered values, by the number of their equation."""
        found = {}
        for k, eq in enumerate(self.graph.equations):
            if k in self.removed or eq.primitive.name != "add":
                continue
            a, b = eq.inputs
            for x, other in ((b, a), (a, b)):
                made = self._only(x, eq.outputs[0].aval)
                if made is None or _aval(other) != x.aval or self.graph.equations[made].primitive not in _SCATTERS:
                    continue
                self.removed.add(made)
                found[k] = other, self.graph.equations[made]
                break
        return found

    def _add(self, x: Any, term: Any, out: Var) -> Var:
        """Let `out` be the sum of `x` and `term`."""
        equations = self.out.equations
        if not isinstance(term, Equation):
            equations.append(Equation(PRIMITIVES["add"], [x, term], {}, [out]))
        elif term.primitive is scatter_p:
            params = {"unique": term.params["unique"]}
            equations.append(Equation(add_at_p, [x, *term.inputs], params, [out]))
        else:
            index = term.params["index"]
            part = Aval(sliced_shape(out.shape, index), out.dtype)
            old, new = self.out.variable(part), self.out.variable(part)
            equations.append(Equation(read_p, [x], {"index": index}, [old]))
            equations.append(Equation(PRIMITIVES["add"], [old, term.inputs[0]], {}, [new]))
            equations.append(Equation(write_p, [x, new], {"index": index}, [out]))
        return out


_SCATTERS = (scatter_p, unslice_p)


def _sums_from_zero(eq: Equation, x: Var) -> int | None:
    """The place among the inputs of a loop from which its output `x` is summed up, if there are zeros; None if not."""
    if eq.primitive.name != "loop":
        return None
    k = next(i for i, v in enumerate(eq.outputs) if v is x)
    at = int(eq.params.get("counted", False)) + eq.params["constants"] + k
    if k >= eq.params["carries"] or type(eq.inputs[at]) is Var or np.any(eq.inputs[at]):
        return None
    return at if _loop_accumulates(eq, k) else None


def _loop_accumulates(eq: Equation, k: int) -> bool:
    """Whether a loop returns carry `k` as it was at first plus something."""
    body: Graph = eq.params["body"]
    cond: Graph | None = eq.params.get("cond")
    at = 1 + eq.params["constants"] + k
    if cond is not None:
        asked = cond.inputs[at]
        if any(y is asked for y in [*cond.outputs, *[y for other in cond.equations for y in other.inputs]]):
            return False
    return "checkpoint" not in eq.params and _accumulates(body, body.inputs[at], k)


def _accumulates(graph: Graph, x: Any, k: int) -> bool:
    """Whether output `k` of the program is the variable `x` plus something that does not depend on it."""
    while True:
        users = [eq for eq in graph.equations if any(y is x for y in eq.inputs)]
        returned = sum(y is x for y in graph.outputs)
        if not users:
            return returned == 1 and graph.outputs[k] is x
        if returned:
            return False
        if len(users) == 2:
            x = _added_in_place(graph, users, x)
        else:
            x = _added(users[0], x)
        if x is None:
            return False


def _added(eq: Equation, x: Any) -> Any:
    """What is the sum of `x` and something in its only use; None if none is."""
    places = [i for i, y in enumerate(eq.inputs) if y is x]
    if len(places) != 1:
        return None
    if (eq.primitive.name == "add" and eq.outputs[0].aval == x.aval) or (eq.primitive is add_at_p and places == [0]):
        return eq.outputs[0]
    if eq.primitive.name == "loop":
        k = places[0] - int(eq.params.get("counted", False)) - eq.params["constants"]
        if 0 <= k < eq.params["carries"] and _loop_accumulates(eq, k):
            return eq.outputs[k]
    return None


def _added_in_place(graph: Graph, users: Sequence[Equation], x: Any) -> Any:
    """What `x` becomes where something is added to a part of it: read, changed and written back; None if it is not."""
    read, write = users
    if read.primitive is not read_p or write.primitive is not write_p or write.inputs[0] is not x:
        return None
    if read.params["index"] != write.params["index"] or write.inputs[1] is x:
        return None
    old, new = read.outputs[0], write.inputs[1]
    uses = [eq for eq in graph.equations if any(y is old for y in eq.inputs)]
    if len(uses) != 1 or any(y is old for y in graph.outputs) or uses[0].primitive.name != "add":
        return None
    others = sum(y is new for eq in graph.equations for y in eq.inputs) + sum(y is new for y in graph.outputs)
    alone = sum(y is old for y in uses[0].inputs) == 1 and uses[0].outputs[0] is new and others == 1
    return write.outputs[0] if alone else None


def _aval(x: Any) -> Aval:
    return (x.aval if type(x) is Var else aval_of(x))._replace(weak=False)
