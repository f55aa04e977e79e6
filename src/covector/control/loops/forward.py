"""Forward mode through a loop: one loop that carries values and tangents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.cotangents import zeros
from ...core.graph import Graph
from ..programs.axes import recorded, settle_axes
from ..programs.derivatives import dual
from .loop import Operands, bind_loop, out_avals

__all__ = ["forward"]


def forward(args: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """The outputs of a loop and their tangents, None where zero: the slot `Primitive.forward`.

    Those carries have a tangent whose initial value has one, or to which one flows in the body from what has.
    """
    values, moved = Operands.of(args, params), Operands.of(tangents, params)
    body = settle_axes(params["body"])
    carries = params["carries"]
    moving = Operands.of([t is not None for t in tangents], params)
    while True:
        both, mine = dual(body, [False, *moving.constants, *moving.carries, *moving.sequences])
        more = [m or new for m, new in zip(moving.carries, mine, strict=False)]
        if more == moving.carries:
            break
        moving = moving._replace(carries=more)
    if not any(mine):
        return list(bind_loop(values, body, **_kind(params))), [None] * len(mine)
    shape = _Arrangement(moving)
    operands = Operands(
        values.count,
        values.constants + [t for t in moved.constants if t is not None],
        values.carries
        + [zeros(x) if t is None else t for x, t, m in zip(values.carries, moved.carries, moving.carries) if m],
        values.sequences + [t for t in moved.sequences if t is not None],
    )
    cond = params.get("cond")
    # What is divided by zero in a tangent is nobody's business; the values go along.
    with np.errstate(all="ignore"):
        out = bind_loop(
            operands,
            shape.body(both, mine),
            **{**_kind(params), "cond": None if cond is None else shape.cond(settle_axes(cond), both)},
        )
    state, stacks = out[: len(operands.carries)], out[len(operands.carries) :]
    found = [*state[:carries], *stacks[: len(mine) - carries]]
    parts = [iter(state[carries:]), iter(stacks[len(mine) - carries :])]
    has = [*moving.carries, *mine[carries:]]
    return found, [next(parts[i >= carries]) if h else None for i, h in enumerate(has)]


def _kind(params: dict[str, Any]) -> dict[str, Any]:
    return {name: params.get(name) for name in ("length", "reverse", "cond", "tag", "checkpoint")}


class _Arrangement:
    """How values and tangents lie among the inputs of a loop: of each kind, the values and then the tangents."""

    def __init__(self, moving: Operands) -> None:
        self.moving = moving

    def _split(self, xs: Sequence[Any], counts: Sequence[tuple[int, int]]) -> tuple[list[Any], list[Any]]:
        """The values among `xs`, and the tangents."""
        values: list[Any] = []
        tangents: list[Any] = []
        at = 0
        for a, b in counts:
            values += xs[at : at + a]
            tangents += xs[at + a : at + a + b]
            at += a + b
        return values, tangents

    def _counts(self) -> list[tuple[int, int]]:
        return [(len(m), sum(m)) for m in self.moving[1:]]

    def _avals(self, both: Graph) -> list[Any]:
        """The inputs of the new body."""
        avals = [v.aval for v in both.inputs]
        n = 1 + sum(a for a, _ in self._counts())
        values, tangents, made = avals[1:n], avals[n:], avals[:1]
        for a, b in self._counts():
            made += values[:a] + tangents[:b]
            values, tangents = values[a:], tangents[b:]
        return made

    def body(self, both: Graph, mine: Sequence[bool]) -> Graph:
        """The body whose outputs are the carries, their tangents, the elements, and their tangents."""
        carries = len(self.moving.carries)

        def step(both: Graph, index: Any, *xs: Any) -> list[Any]:
            values, tangents = self._split(xs, self._counts())
            out = both.run(index, *values, *tangents)
            values, left = out[: len(mine)], iter(out[len(mine) :])
            made = [next(left) if m else None for m in mine]
            moved = [
                np.zeros(a.shape, a.dtype) if t is None else t
                for a, t, m in zip(out_avals(both), made, self.moving.carries, strict=False)
                if m
            ]
            rest = [t for t in made[carries:] if t is not None]
            return [*values[:carries], *moved, *values[carries:], *rest]

        return recorded(step, [both], self._avals(both))

    def cond(self, cond: Graph, both: Graph) -> Graph:
        """The condition, which does not look at the tangents."""
        counts = self._counts()[:2]

        def test(cond: Graph, index: Any, *xs: Any) -> list[Any]:
            return cond.run(index, *self._split(xs, counts)[0])

        return recorded(test, [cond], self._avals(both)[: 1 + sum(a + b for a, b in counts)])
