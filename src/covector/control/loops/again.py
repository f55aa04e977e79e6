"""Reverse mode through a loop inside of a loop: what its pullback needs is computed when the outer loop runs backwards.

A `while` loop in the body of a loop would have one stack per iteration of the outer loop, each with room for as many
rows as a single run of it may once need. Where that is much, the outer loop keeps only what the inner loop started
from and how often it ran. Its backward step runs the inner loop once more, now with stacks, which the next step uses
again. So memory for outer × state + inner × row numbers does instead of outer × inner × row.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ...core.graph import Graph, Var
from ..programs.axes import settle_axes
from ..programs.residuals import part, used
from .capacity import enclosing
from .loop import Operands, bind_loop
from .split import Kept, Split

__all__ = ["Again", "is_better"]

_MUCH = 1 << 24
"""Bytes that all stacks together may take before they are given up."""

_TIMES = 8
"""How many times what the loop starts from its stacks have to be."""


def is_better(split: Split, capacity: int) -> bool:
    """Whether a loop with room for `capacity` iterations had better run again than keep its stacks."""
    runs = enclosing()
    if runs is None:
        return False
    row = sum(_bytes(split.kept[r]) for r in split.stacked())
    start = sum(_bytes(split.body.inputs[i]) for i in Again.needed(split))
    return runs * capacity * row > _MUCH and capacity * row > _TIMES * start


def _bytes(v: Var) -> int:
    return v.size * v.dtype.itemsize


class Again:
    """What a loop leaves behind that will run once more.

    Parameters
    ----------
    split : Split
        Its body in two.
    params : dict
        Its parameters.
    values : dict
        The residuals that are the same in each iteration, by number.
    capacity : int
        How many iterations there is room for.
    count : list
        How often it ran.
    """

    __slots__ = ("capacity", "count", "params", "split", "values")

    def __init__(
        self, split: Split, params: dict[str, Any], values: dict[int, Any], capacity: int, count: list[Any]
    ) -> None:
        self.split = split
        self.params = params
        self.values = values
        self.capacity = capacity
        self.count = count

    @staticmethod
    def needed(split: Split) -> list[int]:
        """The inputs of the body, constants and carries, that the stacked residuals depend on."""
        forward = split.tape.forward
        first = 1 + split.constants
        end = first + split.carries
        places = {v.index: i for i, v in enumerate(forward.inputs)}
        found: set[int] = set()
        left: list[Any] = [split.kept[r] for r in split.stacked()]
        while left:
            read = [*left, *itertools.chain(*[eq.inputs for eq in used(forward.equations, left)])]
            new = {places[x.index] for x in read if type(x) is Var and x.index in places} - found
            found |= new
            left = [forward.outputs[i - first] for i in new if first <= i < end]
        return sorted(found - {0})

    def kept(self, args: Sequence[Any]) -> tuple[Kept, list[Any]]:
        """Run the loop that keeps its residuals; return them and what is known of its outputs."""
        split = self.split
        needed = self.needed(split)
        carries = [i - 1 - split.constants for i in needed if i > split.constants]
        operands = Operands.of(args, self.params)
        results = bind_loop(
            Operands(
                self.count,
                [operands.constants[i - 1] for i in needed if i <= split.constants],
                [operands.carries[k] for k in carries],
                [],
            ),
            self._body(needed, carries),
            length=self.capacity,
            reverse=self.params["reverse"],
        )
        out: list[Any] = [None] * split.count
        for k, x in zip(carries, results, strict=False):
            out[k] = x
        values = {**self.values, **dict(zip(split.stacked(), results[len(carries) :], strict=True))}
        return Kept(split, self.params, values, self.capacity, self.count), out

    def _body(self, needed: Sequence[int], carries: Sequence[int]) -> Graph:
        """The body without what the residuals do not depend on."""
        forward = self.split.tape.forward
        kept = [self.split.kept[r] for r in self.split.stacked()]
        inputs = [forward.inputs[i] for i in (0, *needed)]
        return settle_axes(part(inputs, forward.equations, [*[forward.outputs[k] for k in carries], *kept]))
