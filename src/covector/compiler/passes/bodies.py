"""Loops whose bodies are given the same value twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.graph import Equation, Graph, Var

__all__ = ["merged"]


def merged(inputs: Sequence[Any], params: dict[str, Any]) -> tuple[Sequence[Any], dict[str, Any]]:
    """Return the inputs and parameters of a `loop` without constants and sequences that are the same as others."""
    body, constants, carries = params["body"], params["constants"], params["carries"]
    kept, variables = [], [body.inputs[0]]
    first: dict[Any, Var] = {}
    same: dict[int, Var] = {}
    left = constants
    for k, (x, v) in enumerate(zip(inputs, body.inputs[1:], strict=True)):
        if not constants <= k < constants + carries:
            other = first.setdefault((k < constants, x.index if type(x) is Var else (id(x),)), v)
            if other is not v and other.aval == v.aval:
                same[v.index] = other
                left -= k < constants
                continue
        kept.append(x)
        variables.append(v)
    if not same:
        return inputs, params
    short = Graph()
    short.count, short.inputs = body.count, variables
    use = lambda x: same.get(x.index, x) if type(x) is Var else x
    short.equations = [Equation(eq.primitive, [use(x) for x in eq.inputs], eq.params, eq.outputs) for eq in body]
    short.outputs = [use(x) for x in body.outputs]
    return kept, {**params, "body": short, "constants": left}
