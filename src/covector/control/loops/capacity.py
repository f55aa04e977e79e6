"""How many rows a loop of unknown length has room for, where the room must be known before it runs.

Reverse mode through a `while` loop needs what each iteration leaves behind, and a recorded program has a fixed amount
of memory. It is recorded with room for a few iterations. A run that needs more of it fails with `CapacityError`, and
whoever has recorded the program records it again with more room. What a loop once needed is remembered.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ...core.errors import CovectorError
from ...core.graph import Graph, Var
from ...core.programs import programs_in
from ...core.values import aval_of

__all__ = [
    "FIRST",
    "CapacityError",
    "assumed",
    "capacities_in",
    "capacity_of",
    "enclosing",
    "enlarge",
    "is_limited",
    "repeated",
    "tag_of",
    "with_capacities",
]

FIRST = 32
"""The number of iterations that there is room for at first."""

_capacities: dict[int, int] = {}
_lock = threading.Lock()
_local = threading.local()

T = TypeVar("T")


class CapacityError(CovectorError):
    """A loop of a recorded program ran more often than the program has room for.

    Parameters
    ----------
    tag : int
        Which loop, see `tag_of`.
    needed : int
        How often it ran, or at least more often than there was room for.

    Attributes
    ----------
    program : object
        The program, for whoever owns it.
    """

    def __init__(self, tag: int, needed: int) -> None:
        super().__init__(tag, needed)
        self.tag = tag
        self.needed = needed
        self.program: Any = None

    def __str__(self) -> str:
        return (
            f"a while loop in a recorded program ran {self.needed} times, for which the program has no room: its "
            f"derivative in reverse mode keeps something of each iteration; record the program again (covector then "
            f"makes room for that many), or bound the loop with fori_loop"
        )


def tag_of(*graphs: Graph | None) -> int:
    """A number for the loop that consists of these programs, the same each time they are recorded."""
    return zlib.crc32("|".join(["" if g is None else _outline(g) for g in graphs]).encode())


def _outline(graph: Graph) -> str:
    """The operations of the program with the shapes of their results; parameters may be shown differently each time."""
    lines = [",".join([repr(v.aval) for v in graph.inputs])]
    for eq in graph.equations:
        inner = [_outline(g) for g in programs_in(eq.params)]
        inputs = [str(x.index) if type(x) is Var else repr(aval_of(x)) for x in eq.inputs]
        outputs = [v.aval.dtype.str for v in eq.outputs]
        lines.append(f"{eq.primitive.name} {inputs} {outputs} {inner}")
    return ";".join(lines)


def is_limited(graph: Graph) -> bool:
    """Whether there are loops in the program that may turn out to have too little room."""
    return bool(capacities_in(graph))


def capacity_of(tag: int) -> int:
    """The number of iterations to make room for."""
    given: dict[int, int] = getattr(_local, "assumed", {})
    return given.get(tag) or _capacities.get(tag, FIRST)


def capacities_in(graph: Graph) -> dict[int, int]:
    """The room that the loops of a program have."""
    found: dict[int, int] = {}
    for eq in graph.equations:
        if "tag" in eq.params:
            found[eq.params["tag"]] = eq.params["length"]
        for inner in programs_in(eq.params):
            found.update(capacities_in(inner))
    return found


@contextmanager
def assumed(capacities: dict[int, int]) -> Iterator[None]:
    """Record programs with this room in their loops, as one that exists already was recorded."""
    before = getattr(_local, "assumed", {})
    _local.assumed = {**before, **capacities}
    try:
        yield
    finally:
        _local.assumed = before


@contextmanager
def repeated(times: int) -> Iterator[None]:
    """Record what runs `times` times, for loops inside of it to know."""
    before = enclosing()
    _local.enclosing = times * (1 if before is None else before)
    try:
        yield
    finally:
        _local.enclosing = before


def enclosing() -> int | None:
    """How often, about, what is being recorded will run; None if it is in no loop."""
    return getattr(_local, "enclosing", None)


def enlarge(error: CapacityError) -> None:
    """Make room, in programs recorded from now on, for what the loop needed: the next power of two."""
    with _lock:
        _capacities[error.tag] = max(capacity_of(error.tag), 1 << max(error.needed - 1, 0).bit_length())


def with_capacities(function: Callable[[], T]) -> T:
    """Return ``function()``, which records programs and runs them, called again whenever a loop has too little room."""
    last: tuple[int, int] | None = None
    while True:
        try:
            return function()
        except CapacityError as error:
            if (error.tag, error.needed) == last:
                raise  # the loop is in a program that somebody else has recorded
            last = error.tag, error.needed
            enlarge(error)
