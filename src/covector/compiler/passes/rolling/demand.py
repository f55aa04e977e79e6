"""What the rest of a program needs of the values that the iterations of a run make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .joins import Joins, Window
from .runs import Run, run_of
from .table import Table

__all__ = ["Demand", "demands"]


@dataclass(slots=True)
class Demand:
    """What is needed of one run.

    The values at one place of the block are counted from what the loop starts from: 0 is the initial value of the
    carry, ``t + 1`` what iteration `t` makes.

    Attributes
    ----------
    singles : dict
        Slot to the numbers of iterations whose values are needed one by one.
    windows : dict
        Slot to ``(lowest, highest, initial)`` of ranges of values needed as one array; counted as above.
    """

    singles: dict[int, set[int]] = field(default_factory=dict)
    windows: dict[int, list[tuple[int, int, Any]]] = field(default_factory=dict)

    def pieces(self, count: int) -> int:
        """The number of values that have to be cut from arrays one by one."""
        return sum(len(ts) for ts in self.singles.values() if ts != {count - 1})

    def inputs(self, slot: int) -> set[Any]:
        """The initial values of carries whose values at the beginnings of iterations are needed as arrays."""
        return {initial for low, _, initial in self.windows.get(slot, ()) if low == 0}

    def outputs(self, slot: int, count: int) -> bool:
        """Whether the values that iterations make are needed as an array."""
        if any(low > 0 for low, _, _ in self.windows.get(slot, ())):
            return True
        singles = self.singles.get(slot, set())
        return bool(singles - {count - 1}) and not self.inputs(slot)


def demands(table: Table, runs: Sequence[Run], joins: Joins) -> dict[Run, Demand]:
    """Collect what is needed of each run."""
    out = {run: Demand() for run in runs}
    for numbers in (_outside(table, runs, joins), table.outputs):
        for number in numbers:
            _single(out, runs, number)
    for parts in joins.parts.values():
        for part in parts:
            if isinstance(part, Window):
                ends = sorted((part.first, part.first + part.step * (part.count - 1)))
                for slot in part.slots:
                    out[part.run].windows.setdefault(slot, []).append((ends[0] + 1, ends[1] + 1, None))
            else:
                _single(out, runs, part)
    for run in runs:
        for column in run.columns:
            if column.kind == "same":
                _single(out, runs, column.value)
            elif column.kind == "past":
                for number in column.initial:
                    _single(out, runs, number)
            elif column.kind == "other":
                first, last = column.first, column.first + column.step * (run.count - 1)
                low, high = min(first, last) + 1, max(first, last) + 1
                initial = column.initial[0] if low == 0 else None
                out[column.run].windows.setdefault(column.slot, []).append((low, high, initial))
    return out


def _single(out: dict[Run, Demand], runs: Sequence[Run], number: int) -> None:
    run = run_of(runs, number) if number >= 0 else None
    if run is not None:
        slot, t = run.where(number)
        out[run].singles.setdefault(slot, set()).add(t)


def _outside(table: Table, runs: Sequence[Run], joins: Joins) -> list[int]:
    """The numbers, each once, that equations outside of all runs read of runs."""
    keep = np.ones(len(table.refs), bool)
    for run in runs:
        keep[table.ref_start[run.start] : table.ref_start[run.stop]] = False
    for k in (*joins.parts, *joins.absorbed):
        keep[table.ref_start[k] : table.ref_start[k + 1]] = False
    numbers = np.unique(table.refs[keep])
    inside = np.zeros(len(numbers), bool)
    for run in runs:
        inside |= (numbers >= run.base) & (numbers < run.end)
    return numbers[inside].tolist()
