"""Loops over a batch: one loop for all lanes where all run equally often, else finished lanes stand still.

What lanes that have finished would compute must not matter, not even as a warning. So before the body runs they are
given what a lane has that still runs, and keep what they had. In a recorded program, which will be compiled, lanes
are taken a few at a time: a lane then waits for few others, and the state of those few stays in registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.errors import ConcretizationError
from ...core.graph import Graph, record
from ...core.programs import programs_in
from ...core.values import Aval, aval_of, shape_of
from ...transforms.batching import Unmapped
from ..programs.axes import axes_of, bound_axes, recorded, settle_axes
from ..programs.derivatives import batched
from .loop import Operands, bind_loop, is_recorded, loop_p, out_avals

__all__ = ["batch"]

_NUMBERS = 128
"""How many numbers the lanes of a block carry together, about."""

_LEAST = 4
"""With fewer lanes than that, one at a time is as good."""


def batch(trace: Any, args: Sequence[Any], mapped: Sequence[bool], params: dict[str, Any]) -> tuple[Any, ...]:
    """The outputs of a loop for a batch: the slot `Primitive.batch`."""
    values, lanes = Operands.of(args, params), Operands.of(mapped, params)
    lanes = lanes._replace(carries=[bool(m) for m in lanes.carries])
    body = settle_axes(params["body"])
    cond = params.get("cond")
    params = {**params, "body": body, "cond": None if cond is None else settle_axes(cond)}
    if not any(lanes.count):
        found = _together(trace, values, lanes, params)
        if found is not None:
            return found
    if trace.size == 0:
        return tuple(_of_none(params))
    names = _names(params)
    if trace.axis_name in names or (names and not is_recorded(args)):
        raise _waiting(names)
    form = _in_blocks if is_recorded(args) else _masked
    return form(trace.size, trace.axis_name, values, lanes, params)


def _names(params: dict[str, Any]) -> list[Any]:
    """The names of the axes that collectives in the loop go over."""
    graphs = [g for g in (params["body"], params["cond"]) if g is not None]
    return list(dict.fromkeys(a.name for g in graphs for a in axes_of(g)))


def _waiting(names: Sequence[Any]) -> ConcretizationError:
    """The error where lanes would wait for what others will never contribute."""
    over = ", ".join(map(repr, names))
    return ConcretizationError(
        f"under this vmap a loop makes a different number of steps in each example, and it has collectives over the "
        f"axis {over}, to which examples that are done would have nothing to contribute; let all make the same number "
        f"of steps, for instance with the condition covector.pmax(..., axis_name) > 0 in while_loop, and keep with "
        f"np.where what is not to change any more"
    )


def _together(trace: Any, values: Operands, lanes: Operands, params: dict[str, Any]) -> tuple[Any, ...] | None:
    """All lanes in one loop, each running equally often; None if they do not.

    A carry differs from lane to lane if its initial value does, or what the body makes of it.
    """
    size, name = trace.size, trace.axis_name
    spread = lanes.carries
    while True:
        given = [False, *lanes.constants, *lanes.carries, *lanes.sequences]
        body, mine = batched(params["body"], given, size, name)
        more = [m or new for m, new in zip(lanes.carries, mine, strict=False)]
        if more == lanes.carries:
            break
        lanes = lanes._replace(carries=more)
    cond = params["cond"]
    if cond is not None:
        cond, (differs,) = batched(cond, [False, *lanes.constants, *lanes.carries], size, name)
        if differs:
            return None
    pairs = zip(values.carries, lanes.carries, spread, strict=True)
    carries = [_spread(x, size) if differs and not had else x for x, differs, had in pairs]
    sequences = [np.swapaxes(x, 0, 1) if m else x for x, m in zip(values.sequences, lanes.sequences, strict=True)]
    out = bind_loop(
        Operands(values.count, values.constants, carries, sequences),
        _all_mapped(body, mine, lanes.carries, size),
        length=params["length"],
        reverse=params["reverse"],
        cond=cond,
        tag=params.get("tag"),
        checkpoint=params.get("checkpoint"),
    )
    count = len(carries)
    stacks = [np.swapaxes(y, 0, 1) if m else Unmapped(y) for y, m in zip(out[count:], mine[count:], strict=True)]
    return (*[y if m else Unmapped(y) for y, m in zip(out[:count], lanes.carries, strict=True)], *stacks)


def _spread(x: Any, size: int) -> Any:
    return np.broadcast_to(x, (size, *shape_of(x)))


def _all_mapped(body: Graph, mine: Sequence[bool], wanted: Sequence[bool], size: int) -> Graph:
    """The body for a batch, in which those carries that shall differ between lanes do."""
    if all(m or not w for m, w in zip(mine, wanted, strict=False)):
        return body

    def step(body: Graph, *xs: Any) -> list[Any]:
        out = body.run(*xs)
        lanes = [_spread(y, size) if w and not m else y for y, m, w in zip(out, mine, wanted, strict=False)]
        return [*lanes, *out[len(wanted) :]]

    return recorded(step, [body], [v.aval._replace(weak=False) for v in body.inputs])


def _of_none(params: dict[str, Any]) -> list[Any]:
    """The outputs for no lanes."""
    avals = out_avals(params["body"])
    carries = params["carries"]
    rows = params["length"] or 0
    out = [np.zeros((0, *a.shape), a.dtype) for a in avals[:carries]]
    return out + [np.zeros((0, rows, *a.shape), a.dtype) for a in avals[carries:]]


# --- lanes that run more or less often --------------------------------------------------------------------------------


def _masked(size: int, name: Any, values: Operands, lanes: Operands, params: dict[str, Any]) -> tuple[Any, ...]:
    """All lanes at once, those that have finished masked."""
    pairs = zip(values.carries, lanes.carries, strict=True)
    values = values._replace(carries=[x if m else _spread(x, size) for x, m in pairs])
    lanes = lanes._replace(carries=[True] * len(lanes.carries))
    given = [False, *lanes.constants, *lanes.carries, *lanes.sequences]
    body, mine = batched(params["body"], given, size, name)
    body = _all_mapped(body, mine, lanes.carries, size)
    form = _While if params["cond"] is not None else _Counted
    return form(size, name, values, lanes, params, body, mine).run()


def _fill(active: Any, at: Any, xs: Sequence[Any], mapped: Sequence[bool]) -> list[Any]:
    """What the lanes have, in place of what the others have what the active lane `at` has."""
    return [_where(active, x, np.take(x, at, axis=0)) if m else x for x, m in zip(xs, mapped, strict=True)]


def _where(active: Any, x: Any, y: Any) -> Any:
    return np.where(np.reshape(active, (len(active),) + (1,) * (len(shape_of(x)) - 1)), x, y)


class _Masked:
    """A loop over lanes some of which finish before the others."""

    def __init__(
        self,
        size: int,
        name: Any,
        values: Operands,
        lanes: Operands,
        params: dict[str, Any],
        body: Graph,
        mine: Sequence[bool],
    ) -> None:
        self.size = size
        self.name = name
        self.values = values
        self.lanes = lanes
        self.params = params
        self.body = body
        self.mine = mine
        self.avals = [v.aval._replace(weak=False) for v in body.inputs]
        self.constants = len(values.constants)
        self.carries = len(values.carries)

    def results(self, out: Sequence[Any]) -> tuple[Any, ...]:
        """The outputs of the loop, from the carries and stacks of this one."""
        stacks = zip(out[self.carries :], self.mine[self.carries :], strict=True)
        return (*out[: self.carries], *[np.swapaxes(y, 0, 1) if m else Unmapped(y) for y, m in stacks])


class _While(_Masked):
    """Lanes run while the condition holds; a further carry says which still do."""

    def run(self) -> tuple[Any, ...]:
        n, params, size = self.constants, self.params, self.size
        cond, _ = batched(params["cond"], [False, *self.lanes.constants, *self.lanes.carries], size, self.name)
        starts = self.values.carries
        (active,) = bound_axes(cond).run(np.int64(0), *self.values.constants, *starts)
        flags = Aval((size,), np.dtype(bool))

        def step(body: Graph, cond: Graph, index: Any, *xs: Any) -> list[Any]:
            constants, active, carries = list(xs[:n]), xs[n], list(xs[n + 1 :])
            at = np.argmax(active)
            constants = _fill(active, at, constants, self.lanes.constants)
            new = body.run(index, *constants, *_fill(active, at, carries, self.lanes.carries))
            # All lanes hold what some active lane has, so that the condition is safe to ask for as well.
            (goes_on,) = cond.run(index + 1, *constants, *new[: self.carries])
            kept = [_where(active, x, y) for x, y in zip(new, carries, strict=False)]
            return [np.logical_and(active, goes_on), *kept, *new[self.carries :]]

        avals = [*self.avals[: 1 + n], flags, *self.avals[1 + n :]]
        out = bind_loop(
            Operands([], self.values.constants, [active, *starts], []),
            recorded(step, [self.body, cond], avals),
            length=params["length"],
            cond=record(lambda index, *xs: [np.any(xs[n])], avals, "loop"),
            tag=params.get("tag"),
            checkpoint=params.get("checkpoint"),
        )
        return self.results(out[1:])


class _Counted(_Masked):
    """Lanes run a number of times."""

    def run(self) -> tuple[Any, ...]:
        n, params = self.constants, self.params
        (count,) = self.values.count

        def step(body: Graph, index: Any, count: Any, at: Any, *xs: Any) -> list[Any]:
            active = np.less(index, count)
            given = _fill(active, at, xs, [*self.lanes.constants, *self.lanes.carries, *self.lanes.sequences])
            new = body.run(index, *given)
            carries = xs[n : n + self.carries]
            return [*[_where(active, x, y) for x, y in zip(new, carries, strict=False)], *new[self.carries :]]

        avals = [self.avals[0], aval_of(count), Aval((), np.dtype(np.int64)), *self.avals[1:]]
        pairs = zip(self.values.sequences, self.lanes.sequences, strict=True)
        out = bind_loop(
            Operands(
                [np.max(count)],
                [count, np.argmax(count), *self.values.constants],
                self.values.carries,
                [np.swapaxes(x, 0, 1) if m else x for x, m in pairs],
            ),
            recorded(step, [self.body], avals),
            length=params["length"],
            reverse=params["reverse"],
            tag=params.get("tag"),
            checkpoint=params.get("checkpoint"),
        )
        return self.results(out)


# --- a few lanes at a time --------------------------------------------------------------------------------------------


def _in_blocks(size: int, _: Any, values: Operands, lanes: Operands, params: dict[str, Any]) -> tuple[Any, ...]:
    """A loop over blocks of lanes, whose body is the loop over the lanes of a block."""
    width = _width(size, values, lanes, params)
    blocks = -(-size // width)
    given = [m for kind in lanes for m in kind]
    operands = [x for kind in values for x in kind]
    shared = [x for x, m in zip(operands, given, strict=True) if not m]
    cut = [_cut(x, size, blocks, width) for x, m in zip(operands, given, strict=True) if m]
    own: list[bool] = []

    def block(index: Any, *xs: Any) -> list[Any]:
        whole, part = iter(xs[: len(shared)]), iter(xs[len(shared) :])
        args = Operands.of([next(part if m else whole) for m in given], params)
        if width == 1:
            kind: dict[str, Any] = {
                name: params.get(name) for name in ("length", "reverse", "cond", "tag", "checkpoint")
            }
            return list(bind_loop(args, params["body"], **kind))
        out = _masked(width, None, args, lanes, params)
        own[:] = [not isinstance(y, Unmapped) for y in out]
        return [y.value if isinstance(y, Unmapped) else y for y in out]

    avals = [aval_of(x)._replace(weak=False) for x in shared]
    avals += [Aval(shape_of(x)[1:], x.dtype) for x in cut]
    body = record(block, [Aval((), np.dtype(np.int64)), *avals], "loop")
    out = bind_loop(Operands([], shared, [], cut), body, length=blocks)
    if width == 1:
        return out
    joined = []
    for y, mine in zip(out, own, strict=True):
        y = y if mine else np.broadcast_to(y[:, None], (blocks, width, *y.shape[1:]))
        joined.append(np.reshape(y, (blocks * width, *y.shape[2:]))[:size])
    return tuple(joined)


def _cut(x: Any, size: int, blocks: int, width: int) -> Any:
    """The lanes of `x` in blocks; the last is filled up with the last lane."""
    if width == 1:
        return x
    missing = blocks * width - size
    if missing:
        x = np.concatenate([x, np.broadcast_to(x[-1:], (missing, *x.shape[1:]))])
    return np.reshape(x, (blocks, width, *x.shape[1:]))


def _width(size: int, values: Operands, lanes: Operands, params: dict[str, Any]) -> int:
    """How many lanes to take at a time."""
    body: Graph = params["body"]
    if _has_while(body) or _names(params):
        return 1
    at = 1 + params["constants"]
    numbers = sum(v.size for v in body.inputs[at : at + params["carries"]])
    numbers += sum(v.size for v, m in zip(body.inputs[1:at], lanes.constants, strict=True) if m)
    width = 1
    while 2 * width * max(numbers, 1) <= _NUMBERS:
        width *= 2
    return min(width, size) if width >= _LEAST else 1


def _has_while(graph: Graph) -> bool:
    """Whether there are loops inside whose length depends on the lane."""
    return any(
        (eq.primitive is loop_p and ("cond" in eq.params or "counted" in eq.params))
        or any(_has_while(g) for g in programs_in(eq.params))
        for eq in graph.equations
    )
