"""A program verified: every equation computes what it says, from what was computed before it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from ...core.graph import Equation, Graph, Var
from ...core.programs import programs_in
from ...core.values import Aval, aval_of

__all__ = ["InvalidGraphError", "check", "run_passes"]

Pass = Callable[[Graph], Graph]


class InvalidGraphError(AssertionError):
    """A pass of the compiler made a program that makes no sense."""


def check(graph: Graph) -> Graph:
    """Verify a program.

    Parameters
    ----------
    graph : Graph
        Any program.

    Returns
    -------
    Graph
        The same object.

    Raises
    ------
    InvalidGraphError
        A variable is read before or without being computed, or computed twice, or has another shape or dtype than its
        primitive gives it, or its number is not below ``graph.count``.
    """
    defined: dict[int, Var] = {}
    for v in graph.inputs:
        _define(graph, defined, v, "an input")
    for eq in graph.equations:
        for x in eq.inputs:
            if type(x) is Var and defined.get(x.index) is not x:
                raise InvalidGraphError(f"{x!r} is read before it is computed: {eq}")
        _check_avals(eq)
        for v in eq.outputs:
            _define(graph, defined, v, repr(eq))
        for inner in programs_in(eq.params):
            check(inner)
    for x in graph.outputs:
        if type(x) is Var and defined.get(x.index) is not x:
            raise InvalidGraphError(f"the output {x!r} is never computed")
    return graph


def _define(graph: Graph, defined: dict[int, Var], v: Var, where: str) -> None:
    if v.index in defined:
        raise InvalidGraphError(f"{v!r} is computed twice, the second time by {where}")
    if not 0 <= v.index < graph.count:
        raise InvalidGraphError(f"{v!r} has the number {v.index} in a program of {graph.count} variables: {where}")
    defined[v.index] = v


def _check_avals(eq: Equation) -> None:
    avals = [x.aval if type(x) is Var else aval_of(x) for x in eq.inputs]
    found: Any = eq.primitive.aval(*avals, **eq.params)
    expected: Sequence[Aval] = found if eq.primitive.multiple else (found,)
    if [(tuple(a.shape), a.dtype) for a in expected] != [(v.shape, v.dtype) for v in eq.outputs]:
        raise InvalidGraphError(f"{eq.primitive} gives {list(expected)}, but the program says otherwise: {eq}")


def run_passes(graph: Graph, passes: Sequence[Pass]) -> Graph:
    """Send a program through passes, and verify it after each if ``COVECTOR_DEBUG=1`` is in the environment."""
    debug = os.environ.get("COVECTOR_DEBUG") == "1"
    for transform in passes:
        graph = transform(graph)
        if debug:
            try:
                check(graph)
            except InvalidGraphError as error:
                raise InvalidGraphError(f"after {transform.__name__}: {error}") from None
    return graph
