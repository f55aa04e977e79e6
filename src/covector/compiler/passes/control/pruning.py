"""Dead code through loops and branches: carries, stacks, inputs and outputs that nothing depends on."""

from __future__ import annotations

from typing import Any

from ....control.loops.loop import loop_p
from ....core.graph import Equation, Graph, Var
from ....core.programs import has_programs
from .parts import Loop, program, same

__all__ = ["pruned"]


def pruned(graph: Graph) -> Graph:
    """Return the program without what its outputs do not depend on, in loops and branches as well.

    Of a loop with a condition the iterations that have room stay limited even if nothing is stacked any more: other
    loops rely on there being no more.
    """
    if not any(has_programs(eq.params) for eq in graph.equations):
        return graph
    needed = _variables(graph.outputs)
    kept: list[Equation] = []
    for eq in reversed(graph.equations):
        if not any(v.index in needed for v in eq.outputs):
            continue
        if eq.primitive is loop_p:
            eq = _pruned_loop(eq, needed)
        elif eq.primitive.name == "branch":
            eq = _pruned_branch(eq, needed)
        kept.append(eq)
        needed |= _variables(eq.inputs)
    kept.reverse()
    return graph if same(kept, graph.equations) else program(graph, graph.inputs, kept, graph.outputs)


def _variables(xs: Any) -> set[int]:
    return {x.index for x in xs if type(x) is Var}


def _sliced(body: Graph, outputs: list[Any]) -> tuple[Graph, set[int]]:
    """The part of a program that these of its outputs need, and the numbers of the variables that it reads."""
    part = pruned(program(body, body.inputs, body.equations, outputs))
    needed = _variables(part.outputs)
    kept = []
    for eq in reversed(part.equations):
        if any(v.index in needed for v in eq.outputs):
            kept.append(eq)
            needed |= _variables(eq.inputs)
    kept.reverse()
    if same(kept, body.equations) and same(outputs, body.outputs):
        return body, needed
    return program(part, part.inputs, kept, part.outputs), needed


def _pruned_loop(eq: Equation, needed: set[int]) -> Equation:
    loop = Loop(eq.inputs, eq.params, eq.outputs)
    stacks = [s for s in loop.stacks if s.out.index in needed]
    tested: set[int] = set()
    if loop.condition is not None:
        loop.condition, tested = _sliced(loop.condition, loop.condition.outputs)
    wanted = {c for c in loop.carries if c.out.index in needed or (c.test is not None and c.test.index in tested)}
    while True:
        carries = [c for c in loop.carries if c in wanted]
        body, read = _sliced(loop.body, [*[c.after for c in carries], *[s.element for s in stacks]])
        more = {c for c in loop.carries if c.var.index in read} - wanted
        if not more:
            break
        wanted |= more
    constants = [g for g in loop.constants if g.var.index in read or (g.test is not None and g.test.index in tested)]
    sequences = [g for g in loop.sequences if g.var.index in read]
    kept = len(carries) + len(stacks) + len(constants) + len(sequences)
    before = len(loop.carries) + len(loop.stacks) + len(loop.constants) + len(loop.sequences)
    if kept == before and body is loop.body and loop.condition is eq.params.get("cond"):
        return eq
    loop.carries, loop.stacks, loop.constants, loop.sequences = carries, stacks, constants, sequences
    loop.body = body
    inputs, params, outputs = loop.equation()
    return Equation(eq.primitive, inputs, params, outputs)


def _pruned_branch(eq: Equation, needed: set[int]) -> Equation:
    places = [k for k, v in enumerate(eq.outputs) if v.index in needed]
    parts = [_sliced(g, [g.outputs[k] for k in places]) for g in eq.params["branches"]]
    operands = [
        k for k in range(len(eq.inputs) - 1) if any(g.inputs[k].index in read for g, (_, read) in
                                                    zip(eq.params["branches"], parts, strict=True))
    ]  # fmt: skip
    unchanged = same([g for g, _ in parts], eq.params["branches"])
    if unchanged and len(places) == len(eq.outputs) and len(operands) == len(eq.inputs) - 1:
        return eq
    branches = tuple([program(g, [g.inputs[k] for k in operands], g.equations, g.outputs) for g, _ in parts])
    inputs = [eq.inputs[0], *[eq.inputs[1 + k] for k in operands]]
    return Equation(eq.primitive, inputs, {**eq.params, "branches": branches}, [eq.outputs[k] for k in places])
