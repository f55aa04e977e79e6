"""Which equations of a program are needed, how often, and in what order they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.graph import Equation, Graph, Var

__all__ = ["live", "scheduled", "use_counts"]


def scheduled(equations: list[Equation], early: set[int]) -> list[Equation]:
    """The equations in an order in which those that make the variables `early` follow at once what they read."""
    if not early:
        return equations
    follow: list[list[Equation]] = [[] for _ in range(len(equations) + 1)]
    place: dict[int, int] = {}
    for k, eq in enumerate(equations):
        at = k
        if eq.outputs[0].index in early:
            at = max([place.get(x.index, -1) for x in eq.inputs if type(x) is Var], default=-1)
        for v in eq.outputs:
            place[v.index] = at
        follow[at].append(eq)
    return [eq for group in (follow[-1], *follow[:-1]) for eq in group]


def use_counts(graph: Graph) -> list[int]:
    """How often each variable is read by an equation or an output that anything depends on."""
    counts = [0] * graph.count
    for x in graph.outputs:
        if type(x) is Var:
            counts[x.index] += 1
    for eq in reversed(graph.equations):
        for v in eq.outputs:
            if counts[v.index]:
                break
        else:
            continue
        for x in eq.inputs:
            if type(x) is Var:
                counts[x.index] += 1
    return counts


def live(equations: Sequence[Equation], outputs: Sequence[Any]) -> list[Equation]:
    """The equations that the outputs depend on."""
    needed = {x.index for x in outputs if type(x) is Var}
    kept = []
    for eq in reversed(equations):
        for v in eq.outputs:
            if v.index in needed:
                break
        else:
            continue
        kept.append(eq)
        for x in eq.inputs:
            if type(x) is Var:
                needed.add(x.index)
    kept.reverse()
    return kept
