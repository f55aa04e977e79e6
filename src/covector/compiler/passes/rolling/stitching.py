"""The program in which loops stand for runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....core.graph import Equation, Graph, Var
from .body import Loop, Outer, make_loop
from .demand import Demand, demands
from .joins import Joins, Window
from .places import emit
from .runs import Run, run_of
from .table import Table

__all__ = ["Stitching", "stitched"]


def stitched(table: Table, runs: Sequence[Run]) -> Graph:
    """Return the program with a loop for each of the `runs` that is worth it."""
    while True:
        joins = Joins(table, runs)
        wanted = demands(table, runs, joins)
        useful = [r for r in runs if wanted[r].windows or 2 * wanted[r].pieces(r.count) < r.stop - r.start]
        if len(useful) == len(runs):
            return Stitching(table, runs, joins, wanted).make()
        runs = useful


class Stitching:
    """Makes the new program, equation by equation.

    Attributes
    ----------
    graph : Graph
        What there is of it.
    loops : dict
        The loop for each run so far.
    """

    def __init__(self, table: Table, runs: Sequence[Run], joins: Joins, wanted: dict[Run, Demand]) -> None:
        self.table = table
        self.runs = runs
        self._joins = joins
        self._demands = wanted
        self.graph = Graph()
        self.loops: dict[Run, Loop] = {}
        self._values: list[Any] = [None] * len(table.variables)
        self._windows: dict[Any, Any] = {}

    def make(self) -> Graph:
        """Return the program."""
        graph, table = self.graph, self.table
        for k, var in enumerate(table.graph.inputs):
            self._values[k] = graph.variable(var.aval)
            graph.inputs.append(self._values[k])
        at = 0
        for run in self.runs:
            self._copy(at, run.start)
            self.loops[run] = make_loop(self, run, self._demands[run])
            at = run.stop
        self._copy(at, len(table.equations))
        graph.outputs = [self.get(number) for number in table.outputs]
        _drop_dead(graph)
        return graph

    def _copy(self, start: int, stop: int) -> None:
        for k in range(start, stop):
            if k in self._joins.absorbed:
                continue
            eq = self.table.equations[k]
            if k in self._joins.parts:
                inputs = []
                for part in self._joins.parts[k]:
                    inputs += self._pieces(part, eq.params["axis"]) if isinstance(part, Window) else [self.get(part)]
            else:
                refs = self.table.refs[self.table.ref_start[k] : self.table.ref_start[k + 1]]
                inputs = [self.get(number) for number in refs.tolist()]
            outputs = [self.graph.variable(v.aval) for v in eq.outputs]
            self.graph.equations.append(Equation(eq.primitive, inputs, eq.params, outputs))
            first = int(self.table.out_start[k])
            self._values[first : first + len(outputs)] = outputs

    def get(self, number: int) -> Any:
        """The variable or constant of the new program that stands for a number."""
        if number < 0:
            return self.table.constant(number)
        known = self._values[number]
        if known is None:
            run = run_of(self.runs, number)
            assert run is not None
            known = self._values[number] = self._element(self.loops[run], *run.where(number))
        return known

    def _element(self, loop: Loop, slot: int, t: int) -> Any:
        if slot in loop.fixed:
            return loop.fixed[slot]
        count = loop.run.count
        if t == count - 1 and slot in loop.final:
            return loop.final[slot]
        array, place = loop.stacks.get(slot), t
        if array is None:
            place += 1
            array = next(a for (s, _), a in loop.begins.items() if s == slot)
        return emit(self.graph, "slice", array, index=(count - 1 - place if loop.reverse else place,))

    def window(self, run: Run, slot: int, first: int, step: int, count: int, initial: Any) -> Any:
        """The array of what the iterations ``first + i * step`` of `run` made at `slot`, for i below `count`.

        Iteration -1 stands for the `initial` value of the carry. Where all iterations make the same, that as `Outer`.
        """
        loop = self.loops[run]
        if slot in loop.fixed and initial is None:
            return Outer(loop.fixed[slot])
        if min(first, first + step * (count - 1)) < 0:
            array = loop.begins[slot, initial]
            first += 1
        else:
            array = loop.stacks[slot]
        if loop.reverse:
            first, step = run.count - 1 - first, -step
        if step == 1 and first == 0 and count == run.count:
            return array
        stop = first + step * count
        index = (slice(first, stop if stop >= 0 else None, step),)
        key = (array.index, first, stop, step)
        if key not in self._windows:
            self._windows[key] = emit(self.graph, "slice", array, index=index)
        return self._windows[key]

    def _pieces(self, window: Window, axis: int) -> list[Any]:
        """What to concatenate along `axis` in place of the arguments in `window`."""
        parts = []
        for slot, shape in zip(window.slots, window.shapes, strict=True):
            x = self.window(window.run, slot, window.first, window.step, window.count, None)
            if type(x) is Outer:
                x = self._repeated(x.value, window.count)
            if shape is not None:
                x = emit(self.graph, "reshape", x, shape=(window.count, *shape))
            parts.append(x)
        rows = parts[0] if len(parts) == 1 else emit(self.graph, "concat", *parts, axis=axis + 1)
        if axis:
            rank = len(rows.shape)
            order = (*range(1, axis + 1), 0, *range(axis + 1, rank))
            rows = emit(self.graph, "transpose", rows, axes=order)
        shape = rows.shape
        merged = (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :])
        return [emit(self.graph, "reshape", rows, shape=merged)]

    def _repeated(self, x: Any, count: int) -> Any:
        shape = np.shape(x)
        return emit(self.graph, "broadcast", x, shape=(count, *shape), axes=tuple(range(1, 1 + len(shape))))


def _drop_dead(graph: Graph) -> None:
    needed = {x.index for x in graph.outputs if type(x) is Var}
    kept = []
    for eq in reversed(graph.equations):
        if any(v.index in needed for v in eq.outputs):
            kept.append(eq)
            needed.update(x.index for x in eq.inputs if type(x) is Var)
    graph.equations = kept[::-1]
