"""Rolling repeated blocks of equations, as a Python loop leaves them in a recorded program, back into loops."""

from __future__ import annotations

from copy import copy

from ...core.graph import Equation, Graph
from ...core.programs import has_programs, programs_in, with_programs
from .rolling.accumulation import accumulated
from .rolling.limits import LEAST_COUNT, LEAST_LENGTH
from .rolling.periods import Stretch, chosen, periods, stretches
from .rolling.runs import Run, find_run
from .rolling.stitching import stitched
from .rolling.table import Table

__all__ = ["roll"]

_ATTEMPTS = 400


def roll(graph: Graph) -> Graph:
    """Return a program with `loop` equations for blocks of equations that are repeated.

    The same operations are applied to the same values, so the results are the same to the last bit, but for sums whose
    order NumPy chooses by how an array lies in memory.

    Parameters
    ----------
    graph : Graph
        A recorded program; it is not changed.

    Returns
    -------
    Graph
        `graph` itself where nothing is repeated.

    Notes
    -----
    Inner loops are rolled first; a program of loops is looked at again, and so are what is left of a loop's first and
    last iterations, which symbolic zeros make different. The bodies of loops that are there already, and branches, are
    rolled like programs of their own. Cost: a few microseconds per equation. `rolling.report.notes_on` says what the
    loops are and why other repeated operations are none; `rolling.reasons` lists all reasons.

    Examples
    --------
    >>> import numpy as np, covector
    >>> def f(x):
    ...     for _ in range(100):
    ...         x = 3.7 * x * (1 - x)
    ...     return x
    >>> graph = covector.make_graph(f)(np.array(0.3))
    >>> len(graph), [eq.primitive for eq in roll(graph)]
    (300, [loop])
    >>> from covector.compiler.passes.rolling.report import notes_on
    >>> notes_on(roll(graph))
    [rolled: 100 iterations of 3 operations, from a:float64[]]
    """
    graph = _inside(graph)
    summed = accumulated(graph)
    rolled, complete = _rolled(summed, LEAST_LENGTH)
    if not complete:
        # What a long loop reads may have been made by a short one.
        other, _ = _rolled(summed, LEAST_COUNT)
        if _size(other) + LEAST_LENGTH < _size(rolled):
            rolled = other
    return graph if rolled is summed else rolled


def _inside(graph: Graph) -> Graph:
    """Roll the bodies of loops and the branches."""
    if not any(has_programs(eq.params) for eq in graph):
        return graph
    done: dict[int, Graph] = {}

    def rolled(body: Graph) -> Graph:
        if id(body) not in done:
            done[id(body)] = roll(body)
        return done[id(body)]

    params = [with_programs(eq.params, rolled) for eq in graph]
    if all(new is eq.params for new, eq in zip(params, graph, strict=True)):
        return graph
    out = copy(graph)
    out.equations = [Equation(eq.primitive, eq.inputs, p, eq.outputs) for eq, p in zip(graph, params, strict=True)]
    return out


def _rolled(graph: Graph, least: int) -> tuple[Graph, bool]:
    """Roll runs in which there is as much to do as in `least` equations; tell also whether nothing like one is left."""
    complete = True
    while True:
        table = Table(graph)
        if table.work[-1] < LEAST_LENGTH:
            break
        runs, refused = _runs(table, periods(table.tokens, *table.sharp), least)
        complete = complete and not any(table.work[s.stop] - table.work[s.start] >= LEAST_LENGTH for s in refused)
        if not runs:
            break
        shorter = stitched(table, runs)
        if len(shorter) >= len(graph):
            break
        graph = shorter
    return graph, complete


def _size(graph: Graph) -> int:
    """The number of equations, those in loops included."""
    return sum(1 + sum(map(_size, programs_in(eq.params))) for eq in graph)


def _runs(table: Table, candidates: list[int], least: int) -> tuple[list[Run], set[Stretch]]:
    """Find runs in which there is as much to do as in `least` equations, and the stretches that hold none.

    Where there is a choice the runs with the shortest blocks are taken.
    """
    found = stretches(table.tokens, candidates)
    refused: set[Stretch] = set()
    last: list[Stretch] = []
    runs: list[Run] = []
    for _ in range(_ATTEMPTS):
        now = chosen(found, refused, table.work, least)
        same = next((i for i, (a, b) in enumerate(zip(now, last, strict=False)) if a != b), min(len(now), len(last)))
        # What is found in a stretch depends on those before it, which have stayed.
        runs = runs[:same]
        for stretch in now[len(runs) :]:
            run = find_run(table, stretch, runs, least)
            if run is None:
                refused.add(stretch)
                break
            runs.append(run)
        else:
            break
        last = now[: len(runs)]
    return runs, refused
