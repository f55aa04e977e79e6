"""The body of a loop, made from one iteration of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ....control.loops.loop import loop_p
from ....core.graph import Equation, Graph, Var
from ....core.values import Aval, aval_of, is_weak
from ..keys import frozen
from .places import Spot, emit, moving, swept
from .runs import Column, Run
from .table import literal_dtype

if TYPE_CHECKING:
    from .demand import Demand
    from .stitching import Stitching

__all__ = ["Loop", "Outer", "RolledBody", "make_loop"]

_INDEX = Aval((), np.dtype(np.int64))


class RolledBody(Graph):
    """The body of a loop made of repeated operations, so that the report can tell it from one that was written."""

    __slots__ = ()


class Outer(NamedTuple):
    """A value made before the loop, the same for all iterations."""

    value: Any


class Loop:
    """A run as a loop: where its results are.

    Attributes
    ----------
    reverse : bool
        Whether the stacked values are in the opposite order of the iterations.
    fixed : dict
        Slot to what all iterations make, computed before the loop.
    final : dict
        Slot to what the last iteration makes.
    stacks : dict
        Slot to the array of what the iterations make.
    begins : dict
        ``(slot, initial)`` to the array of what the iterations begin with.
    """

    def __init__(self, run: Run, reverse: bool) -> None:
        self.run = run
        self.reverse = reverse
        self.fixed: dict[int, Any] = {}
        self.final: dict[int, Any] = {}
        self.stacks: dict[int, Any] = {}
        self.begins: dict[tuple[int, Any], Any] = {}


def make_loop(stitching: Stitching, run: Run, demand: Demand) -> Loop:
    """Append to the program of `stitching` the loop that does what `run` did."""
    return _Maker(stitching, run, demand).make()


class _Maker:
    def __init__(self, stitching: Stitching, run: Run, demand: Demand) -> None:
        self.stitching = stitching
        self.table = stitching.table
        self.outer = stitching.graph
        self.run = run
        self.demand = demand
        self.loop = Loop(run, self._backwards())
        self.body = RolledBody()
        self.index = self.body.variable(_INDEX)
        self.slots: list[Any] = []
        self.fixed: dict[Any, tuple[Any, Var]] = {}
        self.carries: list[tuple[Any, Var, Any]] = []
        self.chains: dict[tuple[int, tuple[int, ...]], list[Var]] = {}
        self.sequences: list[tuple[Any, Var]] = []
        self.known: dict[Any, Any] = {}

    # --- the block ----------------------------------------------------------------------------------------------------

    def make(self) -> Loop:
        """Return the loop."""
        run, table = self.run, self.table
        column = spot = 0
        for k in range(run.start, run.start + run.period):
            eq = table.equations[k]
            columns = run.columns[column : column + len(eq.inputs)]
            column += len(eq.inputs)
            count = int(table.place_start[k + 1] - table.place_start[k])
            places = run.places[:, spot : spot + count]
            spot += count
            inputs = [self._argument(c, eq, j) for j, c in enumerate(columns)]
            if count and (places != places[0]).any():
                self.slots.append(self._moving(eq, inputs, places))
            else:
                self._repeat(eq, inputs)
        return self._finish()

    def _repeat(self, eq: Equation, inputs: list[Any]) -> None:
        """Do what `eq` does, once before the loop if all iterations do the same."""
        if all(type(x) is Outer for x in inputs):
            out = emit(self.outer, eq.primitive, *[x.value for x in inputs], **eq.params)
            self.slots += [Outer(x) for x in (out if eq.primitive.multiple else (out,))]
            return
        outputs = [self.body.variable(v.aval) for v in eq.outputs]
        self.body.equations.append(Equation(eq.primitive, [self._inside(x) for x in inputs], eq.params, outputs))
        self.slots += outputs

    def _inside(self, x: Any) -> Any:
        """The variable or constant of the body for `x`."""
        if type(x) is not Outer:
            return x
        if type(x.value) is not Var:
            return x.value
        known = self.fixed.get(x.value.index)
        if known is None:
            known = self.fixed[x.value.index] = (x.value, self.body.variable(x.value.aval))
        return known[1]

    def _argument(self, column: Column, eq: Equation, place: int) -> Any:
        if column.kind == "same":
            return Outer(self.stitching.get(column.value))
        if column.kind == "own":
            return self.slots[column.slot]
        if column.kind == "past":
            return self._chain(column)[column.lag - 1]
        if column.kind == "other":
            first = column.first if not self.loop.reverse else column.first + column.step * (self.run.count - 1)
            step = -column.step if self.loop.reverse else column.step
            start = column.initial[0] if column.initial else None
            array = self.stitching.window(column.run, column.slot, first, step, self.run.count, start)
            return array if type(array) is Outer else self._sequence(array, ("window", array.index))
        return self._constants(column, eq, place)

    def _chain(self, column: Column) -> list[Var]:
        """Carries that hold what the last iterations made at one place, the newest first."""
        key = (column.slot, column.initial)
        if key not in self.chains:
            aval = self._slot_aval(column.slot)
            self.chains[key] = [self.body.variable(aval) for _ in column.initial]
        return self.chains[key]

    def _slot_aval(self, slot: int) -> Aval:
        aval = self.table.variables[self.run.base + slot].aval
        return Aval(aval.shape, aval.dtype)

    def _sequence(self, array: Any, key: Any) -> Var:
        if key not in self.known:
            aval = array.aval if type(array) is Var else aval_of(array)
            self.known[key] = self.body.variable(Aval(aval.shape[1:], aval.dtype))
            self.sequences.append((array, self.known[key]))
        return self.known[key]

    def _in_order(self, values: Any) -> Any:
        """One entry for each iteration, in the order of the loop's index."""
        return values[::-1] if self.loop.reverse else values

    def _constants(self, column: Column, eq: Equation, place: int) -> Var:
        values = [self.table.constant(n) for n in self._in_order(column.values).tolist()]
        dtypes = {literal_dtype(eq, place) if is_weak(x) else x.dtype for x in values}
        (dtype,) = dtypes
        key = ("constants", dtype, column.values.tobytes())
        if key in self.known:
            return self.known[key]
        return self._sequence(np.stack([np.asarray(x, dtype) for x in values]), key)

    # --- indices ------------------------------------------------------------------------------------------------------

    def _moving(self, eq: Equation, inputs: list[Any], places: Any) -> Any:
        places = self._in_order(places)
        moved = np.flatnonzero((places != places[0]).any(0))
        if len(moved) == 1 and type(inputs[0]) is Outer and eq.primitive.name in ("slice", "read"):
            array = self._swept(eq, inputs[0].value, int(moved[0]), places)
            if array is not None:
                return array
        spots = [self._spot(column) if k in moved else int(column[0]) for k, column in enumerate(places.T)]
        return moving(self.body, eq, [self._inside(x) for x in inputs], spots)

    def _swept(self, eq: Equation, x: Any, at: int, places: Any) -> Any:
        """The element of a sequence for an array that is read at a place that moves in equal steps; else None."""
        first, step = int(places[0, at]), int(places[1, at] - places[0, at])
        if (np.diff(places[:, at]) != step).any():
            return None
        entry = [k for k, e in enumerate(eq.params["index"]) if e is not None][at]
        of = x.index if type(x) is Var else self.table.reference(x)
        key = ("swept", type(x), of, frozen(eq.params["index"], []), entry, first, step)
        if key not in self.known:
            array = swept(self.outer, eq, x, entry, first, step, self.run.count)
            self.known[key] = None if array is None else self._sequence(array, ("sweep", key))
        return self.known[key]

    def _spot(self, values: Any) -> Spot:
        """A place that takes the `values` one after the other."""
        first, step = int(values[0]), int(values[1] - values[0])
        if (np.diff(values) != step).any():
            return Spot(self._sequence(np.array(values), ("places", values.tobytes())), 0)
        key = ("times", step)
        if key not in self.known:
            self.known[key] = self.index if step == 1 else emit(self.body, "multiply", self.index, np.int64(step))
        return Spot(self.known[key], first)

    def _backwards(self) -> bool:
        """Whether the loop had best run against the order of what it reads: most of it then needs no reversing."""
        votes = 0
        for column in self.run.columns:
            if column.kind == "other":
                loop = self.stitching.loops[column.run]
                votes += 1 if (column.step > 0) != loop.reverse else -1
        return votes < 0

    # --- the loop itself ----------------------------------------------------------------------------------------------

    def _finish(self) -> Loop:
        for slot, x in enumerate(self.slots):
            if type(x) is Outer:
                self.loop.fixed[slot] = x.value
        finals = self._carry()
        stacked = self._stacked()
        self._drop_dead([x for _, x in stacked], set(finals.values()))
        places = {carry[1].index: k for k, carry in enumerate(self.carries)}
        self.body.outputs = [after for _, _, after in self.carries] + [x for _, x in stacked]
        if not self.body.outputs:
            return self.loop
        fixed = list(self.fixed.values())
        self.body.inputs = [self.index, *[v for _, v in fixed], *[v for _, v, _ in self.carries]]
        self.body.inputs += [v for _, v in self.sequences]
        inputs = [x for x, _ in fixed] + [x for x, _, _ in self.carries] + [x for x, _ in self.sequences]
        out = emit(
            self.outer,
            loop_p,
            *inputs,
            body=self.body,
            constants=len(fixed),
            carries=len(self.carries),
            length=self.run.count,
            reverse=self.loop.reverse,
        )
        for slot, var in finals.items():
            self.loop.final[slot] = out[places[var.index]]
        for (place, _), array in zip(stacked, out[len(self.carries) :], strict=True):
            if type(place) is tuple:
                self.loop.begins[place] = array
            else:
                self.loop.stacks[place] = array
        return self.loop

    def _drop_dead(self, outputs: list[Any], finals: set[Var]) -> None:
        """Drop equations, carries and inputs that neither `outputs` nor the carries in `finals` need."""
        after = {var.index: value for _, var, value in self.carries}
        needed: set[int] = set()
        todo = [*outputs, *finals]
        makers = {v.index: eq for eq in self.body.equations for v in eq.outputs}
        while todo:
            x = todo.pop()
            if type(x) is not Var or x.index in needed:
                continue
            needed.add(x.index)
            if x.index in after:
                todo.append(after[x.index])
            elif x.index in makers:
                todo += makers[x.index].inputs
        self.body.equations = [eq for eq in self.body.equations if any(v.index in needed for v in eq.outputs)]
        self.carries = [c for c in self.carries if c[1].index in needed]
        self.sequences = [c for c in self.sequences if c[1].index in needed]
        self.fixed = {k: c for k, c in self.fixed.items() if c[1].index in needed}

    def _carry(self) -> dict[int, Var]:
        """List the carries; return those that end as what the last iteration makes at a slot and is needed."""
        for (slot, initial), chain in self.chains.items():
            after = self._inside(self.slots[slot])
            for j, var in enumerate(chain):
                start = self._as(self.stitching.get(initial[-1 - j]), var.aval)
                self.carries.append((start, var, after))
                after = var
        finals: dict[int, Var] = {}
        last = self.run.count - 1
        for slot, times in self.demand.singles.items():
            if last not in times or slot in self.loop.fixed or self.demand.outputs(slot, self.run.count):
                continue
            known = [chain[0] for (s, _), chain in self.chains.items() if s == slot]
            if not known:
                aval = self._slot_aval(slot)
                known = [self.body.variable(aval)]
                self.carries.append((np.zeros(aval.shape, aval.dtype), known[0], self.slots[slot]))
            finals[slot] = known[0]
        return finals

    def _as(self, x: Any, aval: Aval) -> Any:
        """The initial value `x` as what the carry is."""
        return np.asarray(x, aval.dtype)[()] if type(x) is not Var and is_weak(x) else x

    def _stacked(self) -> list[tuple[Any, Any]]:
        """What has to be stacked: slots, or slots with what a carry starts from; and the element of an iteration."""
        out: list[tuple[Any, Any]] = []
        arrays = {var.index: array for array, var in self.sequences}
        for slot in sorted({*self.demand.windows, *self.demand.singles}):
            for initial in self.demand.inputs(slot):
                out.append(((slot, initial), self.chains[slot, (initial,)][0]))
            x = self.slots[slot]
            if type(x) is not Outer and self.demand.outputs(slot, self.run.count):
                if x.index in arrays:
                    self.loop.stacks[slot] = arrays[x.index]
                else:
                    out.append((slot, x))
        return out
