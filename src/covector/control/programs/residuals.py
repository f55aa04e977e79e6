"""Cutting a recorded computation in two: what the forward pass keeps and what the backward pass computes again.

The forward pass keeps the few arrays that are cheaper to keep than to compute again. Inputs and outputs of the program
are there anyway. What takes no more than a few arithmetic operations per element from what is there, and moved or
repeated elements, is computed again, because writing an array and reading it back costs more than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...core.graph import Equation, Graph, Var

__all__ = ["LIMIT", "part", "residuals", "used"]

LIMIT = 6.0
"""Operations per element that cost about as much as an array's way to memory and back."""

_FEW = 256
_LIMIT_OF_FEW = 40.0
"""The same for arrays of so few elements that making one costs more than what is in it."""

_COSTS: dict[str, float] = {
    **dict.fromkeys(("reshape", "transpose", "broadcast", "slice", "read", "real", "imag", "stop_gradient"), 0.0),
    **dict.fromkeys(("add", "subtract", "negative", "positive", "multiply", "product", "masked_product"), 1.0),
    **dict.fromkeys(("absolute", "fabs", "maximum", "minimum", "fmax", "fmin", "at_least", "at_most"), 1.0),
    **dict.fromkeys(("square", "conjugate", "convert", "where", "sign", "copysign", "join"), 1.0),
    **dict.fromkeys(("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"), 1.0),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor", "logical_not", "signbit"), 1.0),
    **dict.fromkeys(("isfinite", "isinf", "isnan", "heaviside", "floor", "ceil", "trunc", "rint"), 1.0),
    **dict.fromkeys(("deg2rad", "radians", "rad2deg", "degrees"), 1.0),
    **dict.fromkeys(("divide", "reciprocal", "sqrt"), 4.0),
}
"""Per element of the result; what is in no table here is kept, elementwise functions for 20 where arrays are small."""

_SHARED = 0.75
"""What keeping an array costs that is made of nothing, because it may be kept for the sake of others too."""

_PIECES = frozenset(("concat", "write", "unslice"))
"""Which of several arrays an element is from depends on where it is: of few elements each is computed by itself."""

_GATHER = 4.0
"""Reading an element again at a place that values say, from an array that is there."""


def _cost(eq: Equation, there: set[int]) -> float | None:
    """What one element of the result costs, None where it is not to be computed twice."""
    if eq.primitive.name == "gather":
        x = eq.inputs[0]
        return _GATHER if type(x) is not Var or x.index in there else None
    if eq.primitive.name in _PIECES:
        return 1.0 if eq.outputs[0].size > _FEW else None
    cost = _COSTS.get(eq.primitive.name)
    if cost is None and eq.primitive.family == "elementwise" and not eq.primitive.multiple:
        return 20.0
    return cost


def _variables(xs: Iterable[Any]) -> list[Var]:
    return [x for x in xs if type(x) is Var]


def used(equations: Sequence[Equation], wanted: Iterable[Any], there: Iterable[int] = ()) -> list[Equation]:
    """Those of the equations that the variables `wanted` are computed by, given the variables `there`."""
    known = set(there)
    needed = {v.index for v in _variables(wanted)} - known
    kept = []
    for eq in reversed(equations):
        if any(v.index in needed for v in eq.outputs):
            kept.append(eq)
            needed.update(v.index for v in _variables(eq.inputs) if v.index not in known)
    return kept[::-1]


def part(inputs: Sequence[Var], equations: Sequence[Equation], outputs: Sequence[Any]) -> Graph:
    """The program from `inputs` to `outputs`, with those of the equations that it needs and variables of its own."""
    graph = Graph()
    names: dict[int, Var] = {}

    def own(x: Any) -> Any:
        return names[x.index] if type(x) is Var else x

    for v in inputs:
        var = graph.variable(v.aval)
        graph.inputs.append(var)
        names.setdefault(v.index, var)
    for eq in used(equations, outputs, [v.index for v in inputs]):
        xs = [own(x) for x in eq.inputs]
        ys = [graph.variable(v.aval) for v in eq.outputs]
        for v, y in zip(eq.outputs, ys, strict=True):
            names.setdefault(v.index, y)
        graph.equations.append(Equation(eq.primitive, xs, eq.params, ys))
    graph.outputs = [own(x) for x in outputs]
    return graph


class _Given:
    """In place of the primitive of what is an input."""

    name = family = "given"


def residuals(
    forward: Sequence[Equation], read: Iterable[Any], there: Iterable[int], dear: Sequence[Var] = ()
) -> list[Var]:
    """The variables that the forward pass keeps.

    Parameters
    ----------
    forward : sequence of Equation
        The forward pass.
    read : iterable
        The variables that the backward pass reads; what is no variable of the forward pass does not matter.
    there : iterable of int
        Indices of the variables that the backward pass has anyway.
    dear : sequence of Var
        Inputs that it does not have: the carries of a loop, of which the next iteration leaves nothing.
    """
    given: Any = _Given()
    forward = [*[Equation(given, [], {}, [v]) for v in dear], *forward]
    inputs = {v.index for v in dear}
    kept = set(there)
    made = {v.index: (eq, v) for eq in forward for v in eq.outputs}
    needed = {v.index for v in _variables(read) if v.index in made and v.index not in kept}
    costs = _costs(forward, kept)
    found = [i for i in needed if costs[i] is None]
    kept.update(found)
    for i in sorted(needed.difference(kept)):
        more = _sources(i, made, costs, kept)
        # One array instead of several that it is made of, and rather than one that is larger.
        # The inputs of a loop's body serve several of them, such as parts that are a little shorter.
        size = sum(_bytes(made[j][1]) for j in more) * (_SHARED if more <= inputs else 1.0)
        if more and size >= _bytes(made[i][1]):
            more = {i}
        found += sorted(more)
        kept.update(more)
    return [made[i][1] for i in sorted(found)]


def _bytes(v: Var) -> int:
    return v.aval.size * v.dtype.itemsize


def _costs(forward: Sequence[Equation], there: set[int]) -> dict[int, float | None]:
    """Per variable what computing it again costs per element; None where keeping it is better."""
    costs: dict[int, float | None] = {}
    for eq in forward:
        own = _cost(eq, there)
        for v in eq.outputs:
            if v.index in there:
                costs[v.index] = 0.0
                continue
            # An input that is kept is read.
            total = None if own is None else own + sum(costs.get(x.index) or 0.0 for x in _variables(eq.inputs))
            limit = _LIMIT_OF_FEW if v.size <= _FEW else LIMIT
            costs[v.index] = None if total is None or total > limit else total
    return costs


def _sources(i: int, made: dict[int, tuple[Equation, Var]], costs: dict[int, float | None], kept: set[int]) -> set[int]:
    """What would have to be kept, beyond what is, for computing variable i again."""
    found: set[int] = set()
    seen: set[int] = set()
    stack = [i]
    while stack:
        j = stack.pop()
        if j in kept or j not in made or j in seen:
            continue
        seen.add(j)
        if costs[j] is None:
            found.add(j)
        else:
            stack += [x.index for x in _variables(made[j][0].inputs)]
    return found
