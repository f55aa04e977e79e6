"""Concatenations of what the iterations of runs made, one argument for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .limits import MANY
from .runs import Run, run_of
from .table import Table

__all__ = ["Joins", "Window"]

_FEWEST = 4


@dataclass(slots=True)
class Window:
    """Arguments of a concatenation: values of several slots of a run in turn.

    Argument ``i * len(slots) + k`` is what iteration ``first + i * step`` made at ``slots[k]``, for i below `count`,
    brought to ``shapes[k]`` unless that is None.
    """

    run: Run
    slots: list[int]
    shapes: list[Any]
    first: int
    step: int
    count: int


class Joins:
    """The wide concatenations of a program outside of its runs.

    Attributes
    ----------
    parts : dict
        Position of the equation to its arguments: windows, and numbers of others.
    absorbed : set of int
        Positions of equations that only bring to another shape what a window takes as it is.
    """

    def __init__(self, table: Table, runs: Sequence[Run]) -> None:
        self._table = table
        self._runs = runs
        self._uses = np.bincount(table.refs[table.refs >= 0], minlength=len(table.variables))
        for number in table.outputs:
            if number >= 0:
                self._uses[number] += 1
        self.parts: dict[int, list[Window | int]] = {}
        self.absorbed: set[int] = set()
        for k in np.flatnonzero(np.diff(table.ref_start) >= MANY).tolist():
            if table.equations[k].primitive.name == "concat" and not any(r.start <= k < r.stop for r in runs):
                self.parts[k] = self._split(table.refs[table.ref_start[k] : table.ref_start[k + 1]].tolist())

    def _split(self, refs: list[int]) -> list[Window | int]:
        origins = [self._origin(number) for number in refs]
        out: list[Window | int] = []
        i = 0
        while i < len(refs):
            window = _window(origins, i)
            if window is None:
                out.append(refs[i])
                i += 1
                continue
            out.append(window)
            stop = i + window.count * len(window.slots)
            self.absorbed.update(o[4] for o in origins[i:stop] if o[4] is not None)
            i = stop
        return out

    def _origin(self, number: int) -> tuple[Any, int, int, Any, Any]:
        """Run, slot, iteration; the shape that the value is brought to before it is used, and by which equation."""
        run = run_of(self._runs, number) if number >= 0 else None
        if run is not None:
            return (run, *run.where(number), None, None)
        table = self._table
        at = int(np.searchsorted(table.out_start, number, side="right")) - 1
        if number >= 0 and at >= 0 and self._uses[number] == 1 and table.equations[at].primitive.name == "reshape":
            source = int(table.refs[table.ref_start[at]])
            run = run_of(self._runs, source) if source >= 0 else None
            if run is not None:
                return (run, *run.where(source), table.equations[at].params["shape"], at)
        return (None, 0, 0, None, None)


def _window(origins: list[Any], i: int) -> Window | None:
    """The window that begins with argument `i`."""
    run, slot, t, _, _ = origins[i]
    if run is None:
        return None
    period = 0
    for j in range(i + 1, min(i + 1 + run.width, len(origins))):
        if origins[j][0] is run and origins[j][1] == slot:
            period = j - i
            break
    if not period:
        return None
    step = origins[i + period][2] - t
    block = origins[i : i + period]
    if step not in (1, -1) or any(o[0] is not run or o[2] != t for o in block):
        return None
    count = 1
    while (j := i + count * period) + period <= len(origins):
        want = [(run, o[1], t + step * count, o[3]) for o in block]
        if [o[:4] for o in origins[j : j + period]] != want:
            break
        count += 1
    if count < _FEWEST:
        return None
    return Window(run, [o[1] for o in block], [o[3] for o in block], t, step, count)
