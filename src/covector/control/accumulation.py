"""Sums in the bodies of backward loops, formed in place.

A body that reads an element of an array, ``a[i]``, gives as cotangent an array of zeros but for that element. Adding
it to what has been summed up would touch all of the array in every iteration; here only the element is added to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.graph import Equation, Graph, Var
from ..core.primitive import PRIMITIVES
from ..core.values import Aval, aval_of
from ..ops.indexing import scatter_p, sliced_shape, unslice_p
from ..ops.writing import add_at_p, read_p, write_p

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

    def made(self, totals: Sequence[tuple[Var, int]]) -> Graph:
        """The new program."""
        ends = [(total, place, self._terms(self.out.outputs[place], total)) for total, place in totals]
        sums = self._sums()
        for k, eq in enumerate(self.graph.equations):
            if k in sums:
                self._add(*sums[k], eq.outputs[0])
            elif k not in self.removed:
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
        left, found, gone, seen = [x], [], set(), False
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


def _aval(x: Any) -> Aval:
    return (x.aval if type(x) is Var else aval_of(x))._replace(weak=False)
