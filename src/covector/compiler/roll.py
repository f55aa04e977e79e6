"""Rolling repeated blocks of equations, as a Python loop leaves them in a recorded program, back into loops."""

from __future__ import annotations

from ..core.graph import Graph
from .rolling.demand import demands
from .rolling.periods import LEAST_LENGTH, Stretch, periods, stretches
from .rolling.runs import Run, find_run
from .rolling.stitching import stitched
from .rolling.table import Table

__all__ = ["roll"]

_ATTEMPTS = 8


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
    while True:
        rolled = _rolled_once(graph)
        if rolled is None:
            return graph
        graph = rolled


def _rolled_once(graph: Graph) -> Graph | None:
    """Roll what repeats itself on the surface; None if nothing does."""
    if len(graph) < LEAST_LENGTH:
        return None
    table = Table(graph)
    candidates = periods(table.sharp)
    refused: set[Stretch] = set()
    for _ in range(_ATTEMPTS):
        runs: list[Run] = []
        before = len(refused)
        for stretch in stretches(table.tokens, candidates, refused):
            run = find_run(table, stretch, runs)
            if run is None:
                refused.add(stretch)
            else:
                runs.append(run)
        if len(refused) == before:
            break
    if not runs:
        return None
    return stitched(table, runs, demands(table, runs))
