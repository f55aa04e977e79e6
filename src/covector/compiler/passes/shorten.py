"""Simplifying and rolling, in the order that suits a program."""

from __future__ import annotations

from functools import partial

from ...core.graph import Graph
from .check import Pass, run_passes
from .roll import roll
from .rolling.report import Notes
from .simplify import simplify

__all__ = ["shorten"]

_LONG = 20_000  # equations from which rolling comes first: it takes less time than to simplify every iteration
_LOOPS = 500  # equations that a rolled program may have; one with more may be rolled better as it was recorded


def shorten(graph: Graph, notes: Notes | None = None) -> Graph:
    """Return the expanded program `graph` simplified, with loops for blocks of equations that are repeated.

    Parameters
    ----------
    graph : Graph
    notes : Notes, optional
        Receives what was rolled, and why the rest was not.
    """
    # Loops of simplified iterations are faster; iterations are more alike as they were recorded.
    if len(graph) > _LONG:
        return _shortened(graph, [roll, simplify], notes)
    short = _shortened(graph, [simplify], notes)
    if len(short) <= _LOOPS:
        return short
    other_notes = None if notes is None else Notes()
    other = _shortened(graph, [roll, simplify], other_notes)
    if len(other) >= len(short):
        return short
    if notes is not None and other_notes is not None:
        notes.take(other_notes)
    return other


def _shortened(graph: Graph, first: list[Pass], notes: Notes | None) -> Graph:
    """Return the program after the passes `first`, rolling, and simplification of what was rolled."""
    before = run_passes(graph, first)
    after = run_passes(before, [_named("roll", partial(roll, notes=notes))])
    return after if after is before else run_passes(after, [simplify])


def _named(name: str, function: partial[Graph]) -> Pass:
    """The pass under a name for messages."""
    function.__name__ = name  # type: ignore[attr-defined]
    return function
