"""Simplifying and rolling, in the order that suits a program."""

from __future__ import annotations

from ...core.graph import Graph
from .check import run_passes
from .roll import roll
from .simplify import simplify

__all__ = ["Shortened", "shorten"]

_LONG = 20_000  # equations from which rolling comes first: it takes less time than to simplify every iteration
_LOOPS = 500  # equations that a rolled program may have; one with more may be rolled better as it was recorded


class Shortened:
    """A program before it was rolled, rolled, and finally simplified.

    Attributes
    ----------
    straight, rolled, graph : Graph
    """

    def __init__(self, graph: Graph, simple: bool) -> None:
        """Roll `graph` as it is or, if `simple`, simplified; loops of simplified iterations are faster."""
        self.straight = run_passes(graph, [simplify]) if simple else graph
        self.rolled = run_passes(self.straight, [roll])
        self.graph = self.rolled
        if not simple:
            self.graph = run_passes(self.rolled, [simplify, roll, simplify])
        elif self.rolled is not self.straight:
            self.graph = run_passes(self.rolled, [simplify])


def shorten(graph: Graph) -> Shortened:
    """Return the expanded program `graph` simplified, with loops for blocks of equations that are repeated."""
    if len(graph) > _LONG:
        return Shortened(graph, simple=False)
    found = Shortened(graph, simple=True)
    if len(found.graph) > _LOOPS:
        # Iterations are more alike as they were recorded.
        found = min(found, Shortened(graph, simple=False), key=lambda s: len(s.graph))
    return found
