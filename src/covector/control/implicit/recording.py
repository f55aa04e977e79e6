"""Solvers that users give, as programs where they can be traced.

A recorded solver is batched and compiled as a whole, and outlives the values that it closes over. One that looks at
values, or hands them to SciPy, cannot be recorded; it stays a Python function of plain arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from ...core.errors import NotDifferentiableError
from ...core.graph import Graph
from ...core.values import Aval
from ...transforms.checkpoint import RecordTrace, RecordTracer
from ..programs.axes import axes_of
from ..programs.bodies import Body, record_body
from .callables import GivenSolver, detached
from .programs import transposed
from .system import Parts

__all__ = ["check_lanes", "recorded", "recorded_at", "recorded_solvers"]


def check_lanes(graph: Graph, caller: str, what: str) -> None:
    """Raise if a collective of the program joins the lanes of a map, which are solved one by one."""
    for axis in axes_of(graph):
        name = getattr(axis, "axis_name", None) or getattr(axis, "name", None)
        raise NotDifferentiableError(
            f"{caller}: {what} exchanges values over the axis {name!r} of an enclosing vmap, which makes one problem "
            f"of all its lanes; call {caller} outside of that vmap, for the whole batch"
        )


def recorded(function: Callable[..., Any], avals: Sequence[Aval], caller: str, user: Any) -> Body | None:
    """Record ``function(*tracers)``; None if that fails."""
    try:
        return record_body(function, avals, caller, function=user)
    except Exception:
        # Whatever went wrong: called on plain arrays, the function will show whether it is an error.
        return None


def recorded_at(function: Callable[..., Sequence[Any]], values: Sequence[Any], caller: str) -> tuple[Graph, list[Any]]:
    """Record ``function(*values)`` along the way that it takes for these values, at which it may look.

    Returns
    -------
    graph : Graph
        The program.
    captured : list
        The traced values that it closes over: the inputs after the first.
    """
    trace = RecordTrace(caller)
    try:
        outputs = [trace.capture(x) for x in function(*[trace.wrap(x) for x in values])]
    finally:
        trace.close()
    trace.graph.outputs = [x._var if isinstance(x, RecordTracer) else x for x in outputs]
    return trace.graph, [x for _, x, _, _ in trace.captured]


def recorded_solvers(direct: GivenSolver, back: GivenSolver | None, body: Body) -> Parts:
    """What the solvers of a system and of its transpose are recorded as.

    Parameters
    ----------
    direct, back : GivenSolver
        The solvers.
    body : Body
        The linear map.
    """
    count = len(body.avals)

    def attempt(solver: GivenSolver | None, graph: Callable[[], Graph]) -> Body | None:
        if solver is None:
            return None
        program = graph()

        def flat(*b: Any) -> Any:
            return solver(lambda xs: program.run(*xs, *body.captured), b)

        return recorded(flat, body.avals, solver.caller, solver.solve)

    first = attempt(direct, lambda: body.graph)
    second = attempt(back, lambda: transposed(body.graph, count, direct.caller))
    captured = [[] if found is None else found.captured for found in (first, second)]
    sizes = [len(c) for c in captured]
    return Parts(
        solver=None if first is None else _padded(first, count, 0, sizes[1]),
        transposed_solver=None if second is None else _padded(second, count, sizes[0], 0),
        values=detached([*captured[0], *captured[1]]),
    )


def _padded(body: Body, count: int, before: int, after: int) -> Graph:
    """The program with unused inputs before and after what was captured."""
    graph = copy(body.graph)
    unused = [graph.variable(Aval((), body.avals[0].dtype)) for _ in range(before + after)]
    graph.inputs = [*graph.inputs[:count], *unused[:before], *graph.inputs[count:], *unused[before:]]
    return graph
