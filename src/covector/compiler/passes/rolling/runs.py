"""Repeated blocks whose arguments follow a pattern that a loop can express.

A *run* is a stretch cut into iterations of one block each. Every argument of the block is a column: the numbers of the
values read there, one per iteration. A column that a loop can express is

- one value or constant for all iterations,
- what this iteration, or the one `lag` before, made at one place of the block (the first `lag` entries being whatever
  the loop starts from),
- what consecutive iterations of an earlier run made at one place of its block, forwards or backwards,
- constants of one shape and dtype.

A run keeps the longest part in which that holds for all its columns.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import reasons
from .limits import LEAST_COUNT, MAX_LAG
from .periods import Stretch
from .table import Table

__all__ = ["Column", "Run", "find_run", "run_of"]


@dataclass(slots=True)
class Column:
    """An argument of the block.

    Attributes
    ----------
    kind : str
        "same", "own", "past", "other" or "constants": see above.
    value : int
        Number of the value, for "same".
    slot : int
        Which output of the block it is, for "own", "past" and "other".
    lag : int
        For "past".
    initial : tuple of int
        Numbers of what the first `lag` iterations read, for "past"; of what `run` started from, for "other" if read.
    run : Run
        For "other".
    first, step : int
        For "other": iteration `t` reads what iteration ``first + step * t`` of `run` made; -1 is what it started from.
    values : array of int
        Numbers of the constants, for "constants".
    """

    kind: str
    value: int = 0
    slot: int = 0
    lag: int = 0
    initial: tuple[int, ...] = ()
    run: Any = None
    first: int = 0
    step: int = 0
    values: Any = None


@dataclass(eq=False, slots=True)
class Run:
    """Equations ``start + t * period + k`` for iteration `t` of `count` and place `k` of the block.

    Attributes
    ----------
    base, width : int
        Output `o` of the block in iteration `t` has the number ``base + t * width + o``.
    columns : list of Column
        One per argument of the equations of the block, in order.
    places : array
        Places in basic indices, one row per iteration.
    carried : set
        ``(slot, initial)`` of what is read one iteration later.
    """

    start: int
    period: int
    count: int
    base: int
    width: int
    columns: list[Column]
    places: Any
    carried: set[tuple[int, int]] = field(default_factory=set)

    @property
    def stop(self) -> int:
        """The first equation behind the run."""
        return self.start + self.period * self.count

    @property
    def end(self) -> int:
        """The first number behind those of the run."""
        return self.base + self.width * self.count

    def where(self, number: int) -> tuple[int, int]:
        """Slot and iteration of a value."""
        t, slot = divmod(number - self.base, self.width)
        return slot, t


def run_of(runs: Sequence[Run], number: int) -> Run | None:
    """The run among `runs`, which are in order, that made the value."""
    k = bisect_right(runs, number, key=lambda r: r.base) - 1
    return runs[k] if k >= 0 and number < runs[k].end else None


def find_run(
    table: Table, stretch: Stretch, runs: Sequence[Run], least: int, why: list[tuple[str, int]] | None = None
) -> Run | None:
    """Return the longest run in `stretch`, given those before it; None if there is less to do in it than `least`.

    Reasons for finding none are added to `why`, each with the column of arguments that it is about, or -1.
    """
    why = [] if why is None else why
    start = _cut(table, stretch)
    m = stretch.period
    count = (stretch.stop - start) // m
    best: Run | None = None
    for middle in (count // 2, count // 4, 3 * count // 4):
        run = _classified(table, start, m, count, middle, runs, least, why)
        if run is not None and (best is None or run.count > best.count):
            best = run
        if best is not None and best.count * 2 > count:
            break
    return best


def _cut(table: Table, stretch: Stretch) -> int:
    """Where in its first period an iteration had best begin: where the fewest values live on to the next."""
    start, stop, m = stretch
    count = (stop - start) // m
    middle = start + (count // 2) * m
    if middle + 2 * m > stop:
        middle -= m
    low, high = table.ref_start[middle], table.ref_start[middle + m]
    after = table.refs[table.ref_start[middle + m] : table.ref_start[middle + 2 * m]]
    refs = table.refs[low:high]
    width = int(table.out_start[middle + m] - table.out_start[middle])
    users = np.repeat(np.arange(m), np.diff(table.ref_start[middle : middle + m + 1]))
    made = np.searchsorted(table.out_start, refs, side="right") - 1 - middle
    own = (refs >= table.out_start[start]) & (after - refs == width) & (users - made < MAX_LAG * m)
    # One interval (made, last use] per value; values are told apart by their number modulo the block.
    last: dict[int, tuple[int, int]] = {}
    for number, at, use in zip(refs[own] % width, made[own], users[own], strict=True):
        length = int(use - at)
        if last.get(int(number), (0, -1))[1] < length:
            last[int(number)] = (int(at) % m, length)
    living = np.zeros(m + 1, np.int64)
    for at, length in last.values():
        living[:m] += length // m
        first, rest = (at + 1) % m, length % m
        living[first : min(first + rest, m)] += 1
        living[: max(first + rest - m, 0)] += 1
    cut = int(np.argmin(living[:m]))
    return start + cut if (stop - start - cut) // m >= LEAST_COUNT else start


def _classified(
    table: Table,
    start: int,
    m: int,
    count: int,
    middle: int,
    runs: Sequence[Run],
    least: int,
    why: list[tuple[str, int]],
) -> Run | None:
    if count < LEAST_COUNT:
        why.append((reasons.FEW, -1))
        return None
    width = int(table.out_start[start + m] - table.out_start[start])
    base = int(table.out_start[start])
    low, per = table.ref_start[start], int(table.ref_start[start + m] - table.ref_start[start])
    refs = table.refs[low : low + per * count].reshape(count, per)
    step = refs[middle + 1] - refs[middle]
    times = np.arange(count)[:, None] - middle
    expected = refs[middle] + times * step
    good = refs == expected
    pattern = _Pattern(table, runs, base, width, count, middle, refs, expected, good)
    columns = []
    for j in range(per):
        column = pattern.column(j, int(refs[middle, j]), int(step[j]))
        if column is None:
            why.append((pattern.refusal, j))
            return None
        columns.append(column)
    t0, t1 = pattern.extent()
    if t1 - t0 < LEAST_COUNT:
        why.append((reasons.BROKEN, pattern.narrowest))
        return None
    if table.work[start + t1 * m] - table.work[start + t0 * m] < least:
        why.append((reasons.SHORT, -1))
        return None
    low, per = table.place_start[start], int(table.place_start[start + m] - table.place_start[start])
    places = table.places[low : low + per * count].reshape(count, per)[t0:t1]
    run = Run(start + t0 * m, m, t1 - t0, base + t0 * width, width, columns, places)
    for j, column in enumerate(columns):
        if column.kind == "past":
            column.initial = tuple(refs[t0 : t0 + column.lag, j].tolist())
            if column.lag == 1:
                run.carried.add((column.slot, column.initial[0]))
        elif column.kind == "other":
            column.first += column.step * t0
        elif column.kind == "constants":
            column.values = refs[t0:t1, j]
    return run


@dataclass(slots=True)
class _Pattern:
    """Tells the kind of each column, and narrows down the iterations for which all of them hold.

    Attributes
    ----------
    refusal : str
        Why the last column is of no kind.
    narrowest : int
        The column that holds for the fewest iterations, -1 if all hold for all.
    """

    table: Table
    runs: Sequence[Run]
    base: int
    width: int
    count: int
    middle: int
    refs: Any
    expected: Any
    good: Any
    low: int = 0
    high: int = 0
    early: list[tuple[int, int]] = field(default_factory=list)
    refusal: str = ""
    narrowest: int = -1
    fewest: int = -1

    def extent(self) -> tuple[int, int]:
        """The iterations that remain."""
        t0, t1 = self.low, self.high or self.count
        # What the first iterations read must have been made before the loop.
        before = -1
        while before != t0:
            before = t0
            for j, lag in self.early:
                t0 = self._initial(j, lag, t0)
        return t0, t1

    def _initial(self, j: int, lag: int, t0: int) -> int:
        while t0 < self.middle and (self.refs[t0 : t0 + lag, j] >= self.base + t0 * self.width).any():
            t0 += 1
        return t0

    def column(self, j: int, value: int, step: int) -> Column | None:
        """Return the kind of column `j`, which holds `value` in the middle and `step` more one iteration later."""
        good = self.good[:, j]
        if value < 0:
            constants = self.refs[:, j] < 0
            if step == 0 and good.all():
                return Column("same", value=value)
            self._narrow(j, constants, 0)
            return Column("constants")
        if step == 0:
            self._narrow(j, good, 0)
            if value >= self.base:
                self.low = max(self.low, (value - self.base) // self.width + 1)
            return Column("same", value=value)
        if self.base <= value:
            return self._internal(j, value, step, good)
        return self._external(j, value, step, good)

    def _internal(self, j: int, value: int, step: int, good: Any) -> Column | None:
        t, slot = divmod(value - self.base, self.width)
        lag = self.middle - t
        if step != self.width or not 0 <= lag <= MAX_LAG:
            self.refusal = reasons.IRREGULAR if step != self.width else reasons.DISTANT
            return None
        self._narrow(j, good, lag)
        if lag == 0:
            return Column("own", slot=slot)
        self.early.append((j, lag))
        return Column("past", slot=slot, lag=lag)

    def _external(self, j: int, value: int, step: int, good: Any) -> Column | None:
        run = run_of(self.runs, value)
        if run is None or step % run.width:
            self.refusal = reasons.SEPARATE if run is None else reasons.IRREGULAR
            return None
        slot, t = run.where(value)
        jump = step // run.width
        expected = self.expected[:, j]
        inside = good & (expected >= run.base) & (expected < run.end)
        # The value that the earlier loop started from stands where an iteration before its first would have made it.
        # No array holds both that and what the last iteration makes.
        initial: tuple[int, ...] = ()
        before = np.flatnonzero(expected == run.base - run.width + slot).tolist()
        last = inside & (expected == run.end - run.width + slot)
        if before and not last.any() and (slot, start := int(self.refs[before[0], j])) in run.carried:
            inside[before[0]] = True
            initial = (start,)
        self._narrow(j, inside, 0)
        return Column("other", slot=slot, run=run, first=t - jump * self.middle, step=jump, initial=initial)

    def _narrow(self, j: int, good: Any, lag: int) -> None:
        if good.all():
            return
        if self.narrowest < 0 or np.count_nonzero(good) < self.fewest:
            self.narrowest, self.fewest = j, int(np.count_nonzero(good))
        bad = np.flatnonzero(~good)
        before, after = bad[bad < self.middle], bad[bad >= self.middle]
        if len(before):
            self.low = max(self.low, int(before[-1]) + 1 - lag)
        if len(after):
            self.high = min(self.high or self.count, int(after[0]))
