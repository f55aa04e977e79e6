"""What became of the loops of a program, for people to read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....control.loops.loop import loop_p
from ....core.graph import Equation, Graph, Var
from ....core.programs import programs_in
from ....core.values import aval_of
from ..control.costs import MOVES
from . import reasons
from .body import RolledBody
from .limits import LEAST_COUNT, LEAST_LENGTH
from .periods import Stretch, periods, stretches
from .runs import find_run
from .table import Table

__all__ = ["Note", "notes_on"]

_FEWEST = 5
"""Iterations from which on repeated operations count as a loop that somebody may have written."""

_LEAST = 16
"""Operations from which on it is worth a line that they are no loop."""


_SHOWN = 4
"""Values that go from iteration to iteration of which it is told what they start from."""


@dataclass(slots=True)
class Note:
    """One loop, or one stretch of repeated operations that is none.

    Attributes
    ----------
    kind : str
        "rolled", a loop made of repeated operations; "loop", one that was written as such; "unrolled", none.
    iterations : int or None
        None where that depends on values.
    operations : int
        In one iteration, those of inner loops included once.
    begins : list of str
        What the values that go from iteration to iteration start from.
    reason : str
        Why the operations are no loop.
    inner : list of Note
        The loops in its body.
    """

    kind: str
    iterations: int | None
    operations: int
    begins: list[str] = field(default_factory=list)
    reason: str = ""
    inner: list[Note] = field(default_factory=list)

    def lines(self, depth: int = 0) -> list[str]:
        """Return it as lines of text."""
        often = "as many iterations as values say" if self.iterations is None else f"{self.iterations} iterations"
        head = {"rolled": "rolled: ", "loop": "loop: ", "unrolled": "not rolled: "}[self.kind]
        text = f"{head}{often} of {self.operations} operation{'s' * (self.operations != 1)}"
        if self.kind == "unrolled":
            text += f", because {self.reason}"
        elif self.begins:
            more = len(self.begins) - _SHOWN
            text += f", from {', '.join(self.begins[:_SHOWN])}{f' and {more} more' if more > 0 else ''}"
        return ["    " * depth + text, *[line for note in self.inner for line in note.lines(depth + 1)]]

    def __repr__(self) -> str:
        return "\n".join(self.lines())


def notes_on(graph: Graph) -> list[Note]:
    """Return notes on the loops of a program as `roll` left it, and on what it did not roll."""
    found: list[Note] = []
    for eq in graph:
        if eq.primitive is loop_p:
            found.append(_note(eq, {v.index for v in graph.inputs}))
        else:
            found += [note for inner in programs_in(eq.params) for note in notes_on(inner)]
    return found + _refusals(graph)


def _note(eq: Equation, inputs: set[int]) -> Note:
    params = eq.params
    body = params["body"]
    first = params["constants"] + bool(params.get("counted"))
    begins = [_shown(x, inputs) for x in eq.inputs[first : first + params["carries"]]]
    open_ended = params.get("cond") is not None or params.get("counted")
    kind = "rolled" if isinstance(body, RolledBody) else "loop"
    inner = notes_on(body)
    return Note(kind, None if open_ended else params["length"], _size(body), begins, inner=inner)


def _size(graph: Graph) -> int:
    return sum(1 + sum(map(_size, programs_in(eq.params))) for eq in graph)


def _shown(x: Any, inputs: set[int]) -> str:
    """An input by its name in the recorded program, another value by its kind, a number as it is."""
    if type(x) is Var:
        return f"{x!r}:{x.aval}" if x.index in inputs else f"a computed {x.aval}"
    return f"a constant {aval_of(x)}" if np.shape(x) else str(x)


# --- what was not rolled ----------------------------------------------------------------------------------------------


def _refusals(graph: Graph) -> list[Note]:
    """Notes on stretches of a program in which the same operations, whatever their shapes, follow each other."""
    if len(graph) < _LEAST:
        return []
    table = Table(graph)
    names: dict[str, int] = {}
    kinds = np.array([names.setdefault(eq.primitive.name, len(names)) for eq in graph], np.int64)
    found = stretches(kinds, periods(kinds, table.tokens, *table.sharp, least=_FEWEST), _FEWEST)
    taken: list[Stretch] = []
    # What is alike in every respect tells more than what is alike in kind.
    exact = stretches(table.tokens, periods(table.tokens, *table.sharp, least=_FEWEST), _FEWEST)
    for stretch in sorted([*exact, *found], key=_length, reverse=True):
        free = all(stretch.stop <= s.start or stretch.start >= s.stop for s in taken)
        if free and _length(stretch) >= _LEAST and not _holds_loops(graph, stretch):
            taken.append(stretch)
    return [_refusal(table, stretch) for stretch in sorted(taken)]


def _length(stretch: Stretch) -> int:
    return stretch.stop - stretch.start


def _holds_loops(graph: Graph, stretch: Stretch) -> bool:
    return any(eq.primitive is loop_p for eq in graph.equations[stretch.start : stretch.stop])


def _refusal(table: Table, stretch: Stretch) -> Note:
    count = _length(stretch) // stretch.period
    return Note("unrolled", count, stretch.period, reason=_reason(table, stretch, count))


def _reason(table: Table, stretch: Stretch, count: int) -> str:
    start, stop, m = stretch
    differ = np.flatnonzero(table.tokens[start + m : stop] != table.tokens[start : stop - m])
    if len(differ):
        places = [start + k for k in differ.tolist() if k < differ[0] + m]
        # What is read from where differs because something else does.
        at = next((k for k in places if table.equations[k].primitive.name not in MOVES), places[0])
        return _difference(table.equations[at], table.equations[at + m])
    if count < LEAST_COUNT:
        return reasons.FEW
    if table.work[stop] - table.work[start] < LEAST_LENGTH:
        return reasons.SHORT
    why: list[tuple[str, int]] = []
    run = find_run(table, stretch, [], LEAST_LENGTH, why)
    if run is not None:
        return reasons.SINGLE
    reason, column = why[0]
    return reason if column < 0 else f"{reason} ({_argument(table, stretch, column)})"


def _argument(table: Table, stretch: Stretch, column: int) -> str:
    """Which argument of the block the column is."""
    block = table.equations[stretch.start : stretch.start + stretch.period]
    for eq in block:
        if column < len(eq.inputs):
            return f"argument {column + 1} of {eq.primitive}"
        column -= len(eq.inputs)
    return str(block[-1].primitive)


def _difference(a: Equation, b: Equation) -> str:
    """In what two equations of the same primitive differ."""
    shapes = lambda eq: [x.aval if type(x) is Var else aval_of(x) for x in eq.inputs]
    kinds = [(x[:2], y[:2]) for x, y in zip(shapes(a), shapes(b), strict=False)]
    unlike = next(((x, y) for x, y in kinds if x != y), None)
    if unlike is not None:
        one, other = [f"{dtype}[{','.join(map(str, shape))}]" for shape, dtype in unlike]
        return f"{reasons.SHAPES} ({a.primitive} of {one}, then of {other})"
    if len(a.inputs) != len(b.inputs) or a.params != b.params:
        return f"{reasons.PARAMETERS} ({a.primitive})"
    return f"{reasons.NUMBERS} ({a.primitive})"
