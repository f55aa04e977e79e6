"""Reverse mode through a loop in less memory: it keeps some of the states and computes the others again.

With ``checkpoint="sqrt"`` the steps are cut into segments of about √n; only the states at their beginnings are kept.
Backwards, one loop goes over the segments. Its body runs the loop of one segment once more, now keeping what the
pullback of each step needs, and then that segment's backward loop. So about 2·√n things are in memory, for one more
evaluation of each step.

With a number of places see `checkpoint_slots`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.graph import Graph, record
from ...core.values import Aval, aval_of, dtype_of
from ...ops.indexing import gather_p
from ...transforms.checkpoint import checkpoint_p
from ..programs.axes import recorded, settle_axes
from ..programs.residuals import part
from .capacity import FIRST, capacity_of, tag_of, with_capacities
from .loop import Operands, bind_loop, is_recorded, out_avals
from .split import Backward, Split

__all__ = ["Checkpointed", "avals_of", "check_checkpoint", "keeping", "recomputed", "residuals", "shifted"]

_INDEX = Aval((), np.dtype(np.int64))


def check_checkpoint(name: str, checkpoint: Any) -> Any:
    """Return the keyword `checkpoint`: None, ``"sqrt"``, or a positive int; raise if it is something else."""
    if checkpoint is None or (isinstance(checkpoint, str) and checkpoint == "sqrt"):
        return checkpoint
    expected = f"{name}: checkpoint must be None, 'sqrt', or how many states to keep (an int of at least 1)"
    if isinstance(checkpoint, bool | np.bool_):
        raise TypeError(f"{expected}, got {checkpoint!r}")
    try:
        places = operator.index(checkpoint)
    except TypeError:
        raise TypeError(f"{expected}, got {checkpoint!r}") from None
    if places < 1:
        raise ValueError(f"{expected}, got {checkpoint!r}")
    return places


def residuals(args: Sequence[Any], params: dict[str, Any], parents: Sequence[int]) -> tuple[Any, dict[str, Any]]:
    """Run a loop with the parameter `checkpoint` and keep what its pullback needs: the slot `Primitive.residuals`."""
    from .slots import Slots

    wanted = [p > 0 for p in parents]
    plain = {name: v for name, v in params.items() if name != "checkpoint"}
    form = Segments if params["checkpoint"] == "sqrt" else Slots

    def run() -> Any:
        kept = form(Split(plain, wanted), plain, params["checkpoint"])
        return kept.run(Operands.of(args, plain)), {**params, "kept": kept}

    return run() if is_recorded(args) else with_capacities(run)


def keeping(split: Split) -> Graph:
    """The body of the loop that also returns what is different in each step and needed by the pullback."""
    graph = split.tape.forward
    kept = [split.kept[r] for r in split.stacked()]
    return part(graph.inputs, graph.equations, [*graph.outputs[: split.count], *kept])


def shifted(graph: Graph) -> Graph:
    """The body whose index is a number further: (index, number, inputs of `graph` but the first…)."""
    avals = [v.aval._replace(weak=False) for v in graph.inputs[1:]]
    return recorded(lambda graph, i, base, *xs: graph.run(base + i, *xs), [graph], [_INDEX, _INDEX, *avals])


def recomputed(step: Any, avals: Sequence[Aval], graphs: Sequence[Graph] = ()) -> Graph:
    """Record the body of a loop over segments, of which a further reverse pass in turn keeps the inputs only."""
    graph = recorded(step, graphs, avals)
    return record(lambda *xs: checkpoint_p(*xs, graph=graph), avals, "loop")


class Checkpointed:
    """What a loop leaves behind that keeps some of its states.

    Parameters
    ----------
    split : Split
        Its body in two.
    params : dict
        Its parameters, without `checkpoint`.
    checkpoint : "sqrt" or int
        How many states.
    """

    def __init__(self, split: Split, params: dict[str, Any], checkpoint: Any) -> None:
        self.split = split
        self.params = params
        self.checkpoint = checkpoint
        self.constants: dict[int, Any] = {}
        """The residuals that are the same in each step."""
        self.states: Sequence[Any] = ()
        """The states that were kept, stacked, one array for each carry."""

    def run(self, operands: Operands) -> tuple[Any, ...]:
        """Run the loop; return its outputs."""
        raise NotImplementedError

    def backward(
        self, back: Backward, operands: Operands, starts: list[Any], cts: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """Run the backward loop from `starts`, the cotangents of carries and the sums of those of constants.

        Returns these at the end, and the stacked cotangents of sequences; `cts` are those of the stacked outputs.
        """
        raise NotImplementedError

    def pull(self, ct: Sequence[Any], wanted: Sequence[bool], args: Sequence[Any]) -> list[Any]:
        """The cotangents of the inputs of the loop: the slot `Primitive.vjp`."""
        split = self.split
        given = tuple([c is not None and d for c, d in zip(ct, split.tape.depends, strict=True)])
        out: list[Any] = [None] * len(args)
        if not any(given):
            return out
        back = split.backward(given)
        first = len(args) - len(split.body.inputs) + 1  # of the inputs, after the count
        avals = out_avals(split.body)
        starts = [_zeros(avals[k]) if ct[k] is None else _as(ct[k], avals[k]) for k in back.cts]
        starts += [_zeros(split.body.inputs[i].aval) for i in back.sums]
        ends, stacks = self.backward(back, Operands.of(args, self.params), starts, ct[split.carries :])
        for k, c in zip(back.cts, ends, strict=False):
            out[first + split.constants + k] = c
        for i, c in zip([*back.sums, *back.stacks], [*ends[len(back.cts) :], *stacks], strict=True):
            out[first + i - 1] = c
        return [c if w else None for c, w in zip(out, wanted, strict=True)]

    def step_back(
        self, back: Backward, have: dict[Any, Any], after: Sequence[Any], state: Sequence[Any]
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """What the body of the backward loop is given: its constants, carries and sequences.

        `have` are values by source, `after` the carries after the last of the steps, and `state` the cotangents of
        carries and the sums.
        """
        n = len(back.cts)
        afters = [after[self.split.places[r].carry] for r in back.afters]
        return [have[s] for s in back.constants], [*state[:n], *afters, *state[n:]], [have[s] for s in back.sequences]

    def left(self, back: Backward, out: Sequence[Any]) -> list[Any]:
        """The outputs of the backward loop without the carries that it took along."""
        n = len(back.cts)
        return [*out[:n], *out[n + len(back.afters) :]]

    def sources(self, back: Backward) -> list[int]:
        """Which of the stacked outputs the backward loop needs the cotangents of, numbers among all outputs."""
        return [i for kind, i in back.sequences if kind == "seed"]


def _zeros(aval: Aval) -> Any:
    return np.zeros(aval.shape, aval.dtype) if aval.shape else aval.dtype.type(0)


def _as(ct: Any, aval: Aval) -> Any:
    return ct if dtype_of(ct) == aval.dtype else ct.astype(aval.dtype)


# --- segments ---------------------------------------------------------------------------------------------------------


class Segments(Checkpointed):
    """A loop that keeps the states at the beginnings of segments."""

    size: int
    """Of a segment."""
    rows: int
    """How many segments there are, or there is room for."""
    total: list[Any]
    """The number of steps, if that is not the length of the loop."""

    @property
    def exact(self) -> bool:
        """Whether all segments are of the same size."""
        return not self.total and self.rows * self.size == self.params["length"]

    def run(self, operands: Operands) -> tuple[Any, ...]:
        self.constants = self.split.invariants(operands)
        if self.split.cond is not None:
            return self._run_while(operands)
        n = self.params["length"]
        self.total = operands.count
        self.size = max(1, math.isqrt(max(n - 1, 0)) + 1)
        self.rows = -(-n // self.size)
        return self._run_all(operands)

    def _segments(self) -> list[Any]:
        """How many segments there are, if not as many as there is room for."""
        return [(n + (self.size - 1)) // self.size for n in self.total]

    def _rows(self, x: Any, j: Any) -> Any:
        """Those elements of a sequence that are of segment j; beyond the end, the last."""
        places = np.minimum(j * self.size + np.arange(self.size), self.params["length"] - 1)
        return gather_p(x, places, unique=False)

    def _count(self, j: Any, total: Sequence[Any]) -> list[Any]:
        """The number of steps in segment j where they differ; `total` stands for the attribute of that name."""
        return [] if self.exact else [np.minimum(self.size, [*total, self.params["length"]][0] - j * self.size)]

    def _cut(self, x: Any) -> Any:
        """A sequence in segments of the same size."""
        return np.reshape(x, (self.rows, self.size, *x.shape[1:]))

    def _join(self, y: Any) -> Any:
        """A sequence of what its segments have."""
        whole = np.reshape(y, (self.rows * self.size, *y.shape[2:]))
        return whole if self.exact else whole[: self.params["length"]]

    def _run_all(self, operands: Operands) -> tuple[Any, ...]:
        split, reverse, size = self.split, self.params["reverse"], self.size
        a, b, c, t = split.constants, len(operands.sequences), split.carries, len(self.total)
        body = shifted(split.body)

        def segment(j: Any, *xs: Any) -> list[Any]:
            if self.exact:
                constants, carries, rows = xs[:a], xs[a : a + c], list(xs[a + c :])
            else:
                constants, carries = xs[:a], xs[a + t + b :]
                rows = [self._rows(x, j) for x in xs[a + t : a + t + b]]
            inner = Operands(self._count(j, xs[a : a + t]), [j * size, *constants], list(carries), rows)
            out = bind_loop(inner, body, length=size, reverse=reverse)
            return [*out[:c], *carries, *out[c:]]

        given = operands
        if self.exact:
            given = given._replace(sequences=[self._cut(x) for x in operands.sequences])
        else:
            constants = [*operands.constants, *self.total, *operands.sequences]
            given = Operands(self._segments(), constants, operands.carries, [])
        out = bind_loop(given, recomputed(segment, avals_of(given)), length=self.rows, reverse=reverse)
        self.states = out[c : 2 * c]
        return (*out[:c], *map(self._join, out[2 * c :]))

    def _run_while(self, operands: Operands) -> tuple[Any, ...]:
        """The number of steps is another carry."""
        split = self.split
        assert split.cond is not None
        cond = settle_axes(split.cond)
        a, c = split.constants, split.carries
        size, self.rows, tag = _room(tag_of(split.body, cond))
        self.size = size
        avals = [_INDEX, *[v.aval._replace(weak=False) for v in split.body.inputs[1:]], _INDEX]

        def goes_on(cond: Graph, _: Any, *xs: Any) -> Any:
            return cond.run(xs[-1], *xs[:-1])[0]

        inner_cond = recorded(lambda cond, i, *xs: [np.logical_and(i < size, goes_on(cond, i, *xs))], [cond], avals)
        inner_body = recorded(lambda body, i, *xs: [*body.run(xs[-1], *xs[:-1]), xs[-1] + 1], [split.body], avals)

        def segment(_: Any, *xs: Any) -> list[Any]:
            inner = Operands([], list(xs[:a]), list(xs[a:]), [])
            return [*bind_loop(inner, inner_body, length=size, cond=inner_cond), *xs[a : a + c]]

        out = bind_loop(
            operands._replace(carries=[*operands.carries, np.int64(0)]),
            recomputed(segment, avals),
            length=self.rows,
            cond=recorded(lambda cond, *xs: [goes_on(cond, *xs)], [cond], avals),
            tag=tag,
        )
        self.total = [out[c]]
        self.states = out[c + 1 :]
        return out[:c]

    def backward(
        self, back: Backward, operands: Operands, starts: list[Any], cts: Sequence[Any]
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        seeds = self.sources(back)
        long = [*operands.sequences, *[cts[i - self.split.carries] for i in seeds]]
        constants = [*operands.constants, *self.constants.values()]
        if self.exact:
            given = Operands([], constants, starts, [*self.states, *map(self._cut, long)])
        else:
            given = Operands(self._segments(), [*constants, *self.total, *long], starts, list(self.states))
        out = bind_loop(
            given,
            recomputed(self._segment_back(back, seeds, given), avals_of(given)),
            length=self.rows,
            reverse=not self.params["reverse"],
        )
        return out[: len(starts)], [self._join(y) for y in out[len(starts) :]]

    def _segment_back(self, back: Backward, seeds: Sequence[int], given: Operands) -> Any:
        """The body of the backward loop: one segment forwards, and backwards."""
        split, size, reverse = self.split, self.size, self.params["reverse"]
        a, c, fixed, t = split.constants, split.carries, len(self.constants), len(self.total)
        forward, backward = shifted(keeping(split)), shifted(back.body)
        first = 1 + a + c  # of the sequences, among the inputs of the body

        def step(j: Any, *xs: Any) -> list[Any]:
            n, m = len(given.constants), len(given.constants) + len(given.carries)
            constants, extra = xs[:a], xs[a + fixed : n]
            states = xs[m : m + c]
            rows = list(xs[m + c :]) if self.exact else [self._rows(x, j) for x in extra[t:]]
            count = self._count(j, extra[:t])
            elements, ct_rows = rows[: len(rows) - len(seeds)], rows[len(rows) - len(seeds) :]
            out = bind_loop(
                Operands(count, [j * size, *constants], list(states), elements), forward, length=size, reverse=reverse
            )
            have: dict[Any, Any] = {("arg", 1 + i): x for i, x in enumerate(constants)}
            have.update({("arg", first + i): x for i, x in enumerate(elements)})
            have.update({("out", c + i): y for i, y in enumerate(out[c : split.count])})
            have.update({("seed", i): y for i, y in zip(seeds, ct_rows, strict=True)})
            have.update({("residual", r): x for r, x in zip(self.constants, xs[a : a + fixed], strict=True)})
            have.update({("residual", r): x for r, x in zip(split.stacked(), out[split.count :], strict=True)})
            shared, carries, sequences = self.step_back(back, have, out[:c], xs[n:m])
            ends = bind_loop(
                Operands(count, [j * size, *shared], carries, sequences), backward, length=size, reverse=not reverse
            )
            return self.left(back, ends)

        return step


def avals_of(operands: Operands) -> list[Aval]:
    """Of the inputs of a body for such operands."""
    whole = [aval_of(x)._replace(weak=False) for x in (*operands.constants, *operands.carries)]
    return [_INDEX, *whole, *[Aval(aval_of(x).shape[1:], dtype_of(x)) for x in operands.sequences]]


def _room(tag: int) -> tuple[int, int, int]:
    """The size and number of segments for a loop of unknown length, and what the loop over them calls itself.

    The segments are as long as there is room for them, or shorter. A loop that has needed more is known under a tag
    for each size that was tried.
    """
    size, longest = FIRST, FIRST * FIRST
    while True:
        own = (tag + 0x9E3779B1 * size) % (1 << 32)
        longest = max(longest, size * capacity_of(own))
        if size * size >= longest:
            return size, max(capacity_of(own), -(-longest // size)), own
        while size * size < longest:
            size *= 2
