"""Reverse mode through a loop with room for a given number of states, after the best schedule there is (`revolve`).

One loop goes back over all steps. Before each of them its body saves new states, if the schedule says so, in a loop of
its own; then it takes the nearest saved state, goes on from there to the step, and does the step forwards, keeping what
its pullback needs, and backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.errors import ConcretizationError
from ...core.graph import Graph, record
from ...core.tracer import Tracer
from ...core.values import Aval
from ...transforms.batching import BatchTracer
from ..programs.axes import recorded, settle_axes
from ..programs.residuals import part
from .checkpointing import Checkpointed, avals_of, keeping, recomputed
from .loop import Operands, bind_loop, is_recorded
from .revolve import Schedule, schedule
from .split import Backward

__all__ = ["Slots"]

_INDEX = Aval((), np.dtype(np.int64))


class Slots(Checkpointed):
    """A loop that keeps a given number of states."""

    length: int
    """The number of steps."""

    @property
    def plan(self) -> Schedule:
        return schedule(self.length, self.checkpoint)

    def run(self, operands: Operands) -> tuple[Any, ...]:
        self.constants = self.split.invariants(operands)
        split, c = self.split, self.split.carries
        self.length = self.params["length"] if split.cond is None else self._counted(operands)
        a, plan = split.constants, self.plan

        def step(body: Graph, i: Any, *xs: Any) -> list[Any]:
            constants, carries, saved = xs[:a], xs[a : a + c], list(xs[a + c : a + 2 * c])
            row, elements = xs[a + 2 * c], xs[a + 2 * c + 1 :]
            # What is not to be saved goes to a place of its own.
            for places, x in zip(saved, carries, strict=True):
                places[row] = x
            out = body.run(i, *constants, *carries, *elements)
            return [*out[:c], *saved, *out[c:]]

        room = [np.zeros((plan.places + 1, *v.shape), v.dtype) for v in split.body.inputs[1 + a : 1 + a + c]]
        given = operands._replace(
            carries=[*operands.carries, *room], sequences=[self._in_order(plan.rows), *operands.sequences]
        )
        out = self._bind(given, recorded(step, [split.body], avals_of(given)), self.params["reverse"])
        self.states = out[c : 2 * c]
        return (*out[:c], *out[2 * c :])

    def _bind(self, given: Operands, body: Graph, reverse: bool) -> Sequence[Any]:
        """Bind a loop over all steps; a further reverse pass shall not keep all that is saved for each of them."""
        return bind_loop(given, body, length=self.length, reverse=reverse, checkpoint="sqrt")

    def _in_order(self, table: Any) -> Any:
        """A table by step as one by index."""
        return table[::-1] if self.params["reverse"] else table

    def _counted(self, operands: Operands) -> int:
        """How often a loop with a condition runs: it runs once for that."""
        if is_recorded([*operands.constants, *operands.carries]):
            raise ConcretizationError(
                f"checkpoint={self.checkpoint} keeps states after a schedule for the number of steps, which is not "
                f"known where a loop that depends on values is recorded; use checkpoint='sqrt', or a loop with a fixed "
                f"number of steps (scan, or fori_loop with bounds that are Python ints)"
            )
        split = self.split
        avals = [v.aval._replace(weak=False) for v in split.body.inputs]
        assert split.cond is not None
        out = bind_loop(
            operands._replace(carries=[*operands.carries, np.int64(0)]),
            recorded(lambda body, i, *xs: [*body.run(i, *xs[:-1]), xs[-1] + 1], [split.body], [*avals, _INDEX]),
            length=None,
            cond=recorded(lambda cond, i, *xs: cond.run(i, *xs[:-1]), [settle_axes(split.cond)], [*avals, _INDEX]),
        )
        n = out[split.carries]
        while isinstance(n, Tracer):
            if isinstance(n, BatchTracer):
                raise ConcretizationError(
                    f"checkpoint={self.checkpoint} keeps states after a schedule for the number of steps, but under "
                    f"vmap the examples take different numbers of steps; use checkpoint='sqrt'"
                )
            n = n.value
        return int(n)

    def _advance(self) -> Graph:
        """The body, without what it stacks, that reads the elements of whole sequences.

        Its inputs: (i, step at which it begins, constants…, sequences…, carries…).
        """
        split, n, reverse = self.split, self.length, self.params["reverse"]
        a, c = split.constants, split.carries
        body = part(split.body.inputs, split.body.equations, split.body.outputs[:c])
        avals = [v.aval._replace(weak=False) for v in body.inputs[1:]]
        sequences = [x._replace(shape=(n, *x.shape)) for x in avals[a + c :]]

        def step(body: Graph, i: Any, begin: Any, *xs: Any) -> list[Any]:
            at = n - 1 - (begin + i) if reverse else begin + i
            rows = xs[a : len(xs) - c]
            return body.run(at, *xs[:a], *xs[len(xs) - c :], *[x[at] for x in rows])

        return recorded(step, [body], [_INDEX, _INDEX, *avals[:a], *sequences, *avals[a : a + c]])

    def _save(self, fixed: Sequence[Any]) -> tuple[Graph, list[Any], int]:
        """The body of the loop that saves new states, the tables it reads, and the most steps it takes at once.

        Its inputs: (e, first, tables…, constants…, sequences…, saved states…); `fixed` are avals of constants and
        sequences.
        """
        plan, c = self.plan, self.split.carries
        tables = [plan.source, plan.begin, plan.steps, plan.target]
        advance, most = self._advance(), int(plan.steps.max())
        f = len(fixed)

        def save(e: Any, first: Any, *xs: Any) -> list[Any]:
            source, begin, steps, target = [x[first + e].astype(np.int64) for x in xs[:4]]
            states, saved = xs[4 : 4 + f], list(xs[4 + f :])
            inner = Operands([steps], [begin, *states], [places[source] for places in saved], [])
            for places, x in zip(saved, bind_loop(inner, advance, length=max(most, 1), checkpoint="sqrt"), strict=True):
                places[target] = x
            return saved

        a = self.split.constants
        states = [v.aval for v in self.split.body.inputs[1 + a : 1 + a + c]]
        room = [Aval((plan.places + 1, *s.shape), s.dtype) for s in states]
        table = [Aval(x.shape, x.dtype) for x in tables]
        return record(save, [_INDEX, _INDEX, *table, *fixed, *room], "loop"), tables, most

    def backward(
        self, back: Backward, operands: Operands, starts: list[Any], cts: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        c, plan = self.split.carries, self.plan
        seeds = self.sources(back)
        given = Operands(
            [],
            [*operands.constants, *operands.sequences, *self.constants.values()],
            [*self.states, *starts],
            [
                *map(self._in_order, (plan.slot, plan.start, plan.first, plan.count)),
                *operands.sequences,
                *[cts[i - c] for i in seeds],
            ],
        )
        body = self._step_back(back, seeds, len(operands.sequences), avals_of(given))
        out = self._bind(given, body, not self.params["reverse"])
        return out[c : c + len(starts)], out[c + len(starts) :]

    def _step_back(self, back: Backward, seeds: Sequence[int], sequences: int, avals: Sequence[Aval]) -> Graph:
        """The body of the backward loop."""
        split, reverse, n = self.split, self.params["reverse"], self.length
        a, c, plan = split.constants, split.carries, self.plan
        advance = self._advance()
        save, tables, _ = self._save(avals[1 : 1 + a + sequences])
        farthest = int(np.max(np.arange(n) - plan.start, initial=1))
        shared = a + sequences + len(self.constants)
        at = shared + c + len(back.cts) + len(back.sums)  # of the sequences of the loop

        def step(forward: Graph, backward: Graph, i: Any, *xs: Any) -> list[Any]:
            t = n - 1 - i if reverse else i
            slot, start, first, count = [x.astype(np.int64) for x in xs[at : at + 4]]
            elements, ct_rows = xs[at + 4 : at + 4 + sequences], xs[at + 4 + sequences :]
            constants, whole, known = xs[:a], xs[: a + sequences], xs[a + sequences : shared]
            saved = bind_loop(
                Operands([count], [first, *tables, *whole], list(xs[shared : shared + c]), []),
                save,
                length=plan.places,
                checkpoint="sqrt",
            )
            nearest = [places[slot] for places in saved]
            state = bind_loop(
                Operands([t - start], [start, *whole], nearest, []), advance, length=farthest, checkpoint="sqrt"
            )
            out = forward.run(i, *constants, *state, *elements)
            have: dict[Any, Any] = {("arg", 0): i}
            have.update({("arg", 1 + k): x for k, x in enumerate(constants)})
            have.update({("arg", 1 + a + c + k): x for k, x in enumerate(elements)})
            have.update({("out", c + k): y for k, y in enumerate(out[c : split.count])})
            have.update({("seed", k): y for k, y in zip(seeds, ct_rows, strict=True)})
            have.update({("residual", r): x for r, x in zip(self.constants, known, strict=True)})
            have.update({("residual", r): x for r, x in zip(split.stacked(), out[split.count :], strict=True)})
            fixed, carries, rows = self.step_back(back, have, out[:c], xs[shared + c : at])
            ends = backward.run(i, *fixed, *carries, *rows)
            return [*saved, *self.left(back, ends)]

        return recomputed(step, avals, [keeping(split), back.body])
