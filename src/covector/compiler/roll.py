"""Rolling repeated blocks of equations, as a Python loop leaves them in a recorded program, back into loops."""

from __future__ import annotations

from ..core.graph import Graph
from .rolling.accumulation import accumulated
from .rolling.periods import LEAST_LENGTH, SHORTEST, Stretch, chosen, periods, stretches
from .rolling.runs import Run, find_run
from .rolling.stitching import stitched
from .rolling.table import Table

__all__ = ["roll"]

_ATTEMPTS = 400


def roll(graph: Graph) -> Graph:
    """Return a program with `loop` equations for blocks of equations that are repeated.

    The same operations are applied to the same values, so the results are the same to the last bit.

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
    last iterations, which symbolic zeros make different. Cost: a few microseconds per equation.

    Examples
    --------
    >>> import covector
    >>> def f(x):
    ...     for _ in range(100):
    ...         x = 3.7 * x * (1 - x)
    ...     return x
    >>> graph = covector.make_graph(f)(0.3)
    >>> len(graph), [eq.primitive for eq in roll(graph)]
    (300, [loop])
    """
    source, graph = graph, accumulated(graph)
    rolled = _rolled_once(graph)
    if rolled is None:
        return source
    while rolled is not None:
        graph, rolled = rolled, _rolled_once(rolled)
    return graph


def _rolled_once(graph: Graph) -> Graph | None:
    """Roll what repeats itself on the surface; None if nothing does."""
    if len(graph) < LEAST_LENGTH:
        return None
    table = Table(graph)
    candidates = periods(table.tokens, *table.sharp)
    runs, complete = _runs(table, candidates, LEAST_LENGTH)
    if not complete:
        # What a long stretch reads may have been made by a short one.
        more, _ = _runs(table, candidates, SHORTEST)
        if _covered(more) > _covered(runs) + LEAST_LENGTH:
            runs = more
    return stitched(table, runs) if runs else None


def _covered(runs: list[Run]) -> int:
    return sum(run.stop - run.start for run in runs)


def _runs(table: Table, candidates: list[int], least: int) -> tuple[list[Run], bool]:
    """Find runs of at least so many equations, and whether all stretches were runs.

    Where there is a choice those with the shortest blocks are taken.
    """
    found = stretches(table.tokens, candidates, least)
    refused: set[Stretch] = set()
    last: list[Stretch] = []
    runs: list[Run] = []
    for _ in range(_ATTEMPTS):
        now = chosen(found, refused, least)
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
    return runs, not refused
