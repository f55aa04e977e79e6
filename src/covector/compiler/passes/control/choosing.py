"""Branches: the one that is known to be taken, those that do not differ, and those not worth a jump."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.graph import Equation, Graph, Var
from ....core.primitive import PRIMITIVES
from .costs import MOVES, is_cheap, is_total
from .parts import program, renamed

if TYPE_CHECKING:
    from ..simplify import Builder

__all__ = ["branch_values"]

_FEW = 1
"""Operations up to which doing all branches costs less than a jump that is sometimes guessed wrong.

Most decisions in loops go the same way most of the time: then a jump costs next to nothing, and the next iteration does
not wait for the results of both branches.
"""

_SMALL = 8
"""Elements up to which copying the results of a branch costs as much as choosing between those of all."""


def branch_values(b: Builder, eq: Equation, inputs: Sequence[Any]) -> list[Any]:
    """Return the values of the outputs of the `branch` equation `eq` with the simplified `inputs`."""
    index, *operands = inputs
    branches: tuple[Graph, ...] = eq.params["branches"]
    number = b.number(index)
    if number is not None or len(branches) == 1:
        taken = branches[min(max(int(number or 0), 0), len(branches) - 1)]
        return _in_form(b, b.splice(taken, _given(b, taken, operands)), eq)
    values = {k: x for k, x in enumerate(operands) if type(x) is not Var or b.number(x) is not None}
    branches = tuple([b.body(_filled(b, g, values)) for g in branches])
    operands = [x for k, x in enumerate(operands) if k not in values]
    if _all_equal(branches):
        return _in_form(b, b.splice(branches[0], _given(b, branches[0], operands)), eq)
    if eq.params.get("how") != "loop" and all(map(_is_small, branches)):
        return _chosen(b, eq, index, branches, operands)
    return _smaller(b, eq, index, branches, operands)


def _given(b: Builder, graph: Graph, operands: Sequence[Any]) -> list[Any]:
    return [b.like(x, v.aval) for x, v in zip(operands, graph.inputs, strict=True)]


def _in_form(b: Builder, values: Sequence[Any], eq: Equation) -> list[Any]:
    return [b.like(x, v.aval) for x, v in zip(values, eq.outputs, strict=True)]


def _filled(b: Builder, graph: Graph, values: dict[int, Any]) -> Graph:
    """The program without the inputs numbered in `values`, which are constants."""
    if not values:
        return graph
    here: dict[int, Any] = {}
    made: list[Equation] = []
    out = program(graph, [v for k, v in enumerate(graph.inputs) if k not in values], [], [])
    for k, x in values.items():
        var, number = graph.inputs[k], b.number(x)
        if number is None:
            here[var.index] = x
        elif var.shape:
            params = {"shape": var.shape, "axes": ()}
            made.append(Equation(PRIMITIVES["broadcast"], [var.dtype.type(number)], params, [var]))
        else:
            here[var.index] = number if var.aval.weak else var.dtype.type(number)
    use = lambda x: here.get(x.index, x) if type(x) is Var else x
    out.equations = made + renamed(graph.equations, use)
    out.outputs = [use(x) for x in graph.outputs]
    return out


def _all_equal(branches: Sequence[Graph]) -> bool:
    from ...calls.key import structure_key

    first = structure_key(branches[0])
    return first is not None and all(structure_key(g) == first for g in branches[1:])


def _is_small(graph: Graph) -> bool:
    work = [eq for eq in graph if eq.primitive.name not in MOVES]
    variables = [*graph.inputs, *[v for eq in graph for v in eq.outputs]]
    return (
        len(work) <= _FEW
        and all(is_cheap(eq) and is_total(eq) for eq in work)
        and all(v.size <= _SMALL for v in variables)
    )


def _chosen(b: Builder, eq: Equation, index: Any, branches: Sequence[Graph], operands: Sequence[Any]) -> list[Any]:
    """Compute all branches, and choose."""
    results = [_in_form(b, b.splice(g, _given(b, g, operands)), eq) for g in branches]
    values = results[-1]
    for k in range(len(branches) - 2, -1, -1):
        values = [
            y if x is y else b.like(b.emit("where", *_choice(b, index, k, len(branches), x, y)), v.aval)
            for x, y, v in zip(results[k], values, eq.outputs, strict=True)
        ]
    return values


def _choice(b: Builder, index: Any, k: int, count: int, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """The arguments of `where` that take `x` if the index says `k` or less, else `y`."""
    made = b.maker(index, "convert")
    if count == 2 and made is not None and b.aval(made.inputs[0]).dtype == np.dtype(bool):
        return made.inputs[0], y, x
    return b.emit("less_equal", index, np.int64(k)), x, y


def _smaller(b: Builder, eq: Equation, index: Any, branches: Sequence[Graph], operands: Sequence[Any]) -> list[Any]:
    """Keep the branches, without outputs that are one operand or number in all of them, and operands not read."""
    known: dict[int, Any] = {}
    for k, v in enumerate(eq.outputs):
        same = [_origin(g, g.outputs[k]) for g in branches]
        if same[0] is not None and all(x == same[0] for x in same[1:]):
            kind, x = same[0]
            known[k] = b.like(operands[x] if kind == "operand" else branches[0].outputs[k], v.aval)
    places = [k for k in range(len(eq.outputs)) if k not in known]
    if not places:
        return [known[k] for k in range(len(eq.outputs))]
    branches = [b.body(program(g, g.inputs, g.equations, [g.outputs[k] for k in places])) for g in branches]
    read = [_read(g) for g in branches]
    kept = [j for j in range(len(operands)) if any(g.inputs[j].index in r for g, r in zip(branches, read, strict=True))]
    graphs = tuple([program(g, [g.inputs[j] for j in kept], g.equations, g.outputs) for g in branches])
    params = {**eq.params, "branches": graphs}
    out = b.store(eq.primitive, [index, *[operands[j] for j in kept]], params, [eq.outputs[k] for k in places])
    known.update(zip(places, out, strict=True))
    return [known[k] for k in range(len(eq.outputs))]


def _origin(graph: Graph, x: Any) -> tuple[str, Any] | None:
    """Which operand `x` is, or which number."""
    if type(x) is Var:
        return next((("operand", k) for k, v in enumerate(graph.inputs) if v is x), None)
    return None if isinstance(x, np.ndarray) else ("number", (type(x), np.asarray(x).tobytes()))


def _read(graph: Graph) -> set[int]:
    found = {x.index for x in graph.outputs if type(x) is Var}
    for eq in graph:
        found.update([x.index for x in eq.inputs if type(x) is Var])
    return found
