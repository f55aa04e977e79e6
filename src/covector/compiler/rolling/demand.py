"""What the rest of a program needs of the values that the iterations of a run make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .runs import Run, run_of
from .table import Table

__all__ = ["Demand", "Window", "demands", "windows_of"]

_WIDE = 16
_FEWEST = 4


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

    def inputs(self, slot: int, count: int) -> set[Any]:
        """The initial values of carries whose values at the beginnings of iterations are needed as arrays."""
        return {initial for low, _, initial in self.windows.get(slot, ()) if low == 0}

    def outputs(self, slot: int, count: int) -> bool:
        """Whether the values that iterations make are needed as an array."""
        if any(low > 0 for low, _, _ in self.windows.get(slot, ())):
            return True
        singles = self.singles.get(slot, set())
        return bool(singles - {count - 1}) and not self.inputs(slot, count)


@dataclass(slots=True)
class Window:
    """Part of the arguments of a wide concatenation: values of several slots of a run in turn.

    Argument ``i * len(slots) + k`` is what iteration ``first + i * step`` made at ``slots[k]``, for i below `count`.
    """

    run: Run
    slots: list[int]
    first: int
    step: int
    count: int


def demands(table: Table, runs: Sequence[Run]) -> dict[Run, Demand]:
    """Collect what is needed of each run."""
    out = {run: Demand() for run in runs}
    for numbers in (_outside(table, runs), table.outputs):
        for number in numbers:
            _single(out, runs, number)
    for k in _wide(table, runs):
        for part in windows_of(table, runs, k):
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


def _is_wide(table: Table, k: int) -> bool:
    eq = table.equations[k]
    return eq.primitive.name == "concat" and len(eq.inputs) >= _WIDE


def _wide(table: Table, runs: Sequence[Run]) -> Iterator[int]:
    counts = np.diff(table.ref_start)
    for k in np.flatnonzero(counts >= _WIDE).tolist():
        if _is_wide(table, k) and not any(r.start <= k < r.stop for r in runs):
            yield k


def _outside(table: Table, runs: Sequence[Run]) -> list[int]:
    """The numbers, each once, that equations outside of all runs read of runs."""
    keep = np.ones(len(table.refs), bool)
    for run in runs:
        keep[table.ref_start[run.start] : table.ref_start[run.stop]] = False
    for k in _wide(table, runs):
        keep[table.ref_start[k] : table.ref_start[k + 1]] = False
    numbers = np.unique(table.refs[keep])
    inside = np.zeros(len(numbers), bool)
    for run in runs:
        inside |= (numbers >= run.base) & (numbers < run.end)
    return numbers[inside].tolist()  # type: ignore[no-any-return]


def windows_of(table: Table, runs: Sequence[Run], k: int) -> list[Window | int]:
    """Split the arguments of a wide concatenation into windows of runs and single numbers."""
    refs = table.refs[table.ref_start[k] : table.ref_start[k + 1]].tolist()
    if not _is_wide(table, k) or not runs:
        return list(refs)
    places: list[Any] = []
    for number in refs:
        run = run_of(runs, number) if number >= 0 else None
        places.append((None, 0, 0) if run is None else (run, *run.where(number)))
    out: list[Window | int] = []
    i = 0
    while i < len(refs):
        window = _window(places, i)
        if window is None:
            out.append(refs[i])
            i += 1
        else:
            out.append(window)
            i += window.count * len(window.slots)
    return out


def _window(places: list[Any], i: int) -> Window | None:
    """The window that begins with argument `i`."""
    run, slot, t = places[i]
    if run is None:
        return None
    period = 0
    for j in range(i + 1, min(i + 1 + run.width, len(places))):
        if places[j][0] is run and places[j][1] == slot:
            period = j - i
            break
    if not period:
        return None
    step = places[i + period][2] - t
    block = places[i : i + period]
    if step not in (1, -1) or any(p[0] is not run or p[2] != t for p in block):
        return None
    slots = [p[1] for p in block]
    count = 1
    while (j := i + count * period) + period <= len(places):
        want = [(run, s, t + step * count) for s in slots]
        if places[j : j + period] != want:
            break
        count += 1
    return Window(run, slots, t, step, count) if count >= _FEWEST else None
