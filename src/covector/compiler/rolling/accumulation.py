"""Sums of many scattered pieces, formed where the pieces are made.

The transpose of reading parts of an array adds up what belongs to each part. A recorded program does that at its end:
one concatenation of all pieces, then one `scatter`. In a loop it has to be done piece by piece, in the same order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...core.graph import Equation, Graph, Var
from ...core.values import Shape, shape_of
from ...ops.indexing import sliced_shape
from .places import emit

__all__ = ["MANY", "accumulated"]

MANY = 16
"""Arguments from which on a concatenation may come from a loop."""


def accumulated(graph: Graph) -> Graph:
    """Return a program that adds the pieces of a scattered concatenation one by one; `graph` if there is none."""
    if not any(len(eq.inputs) >= MANY for eq in graph.equations):
        return graph
    return _Accumulation(graph).make()


class _Accumulation:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.made: dict[int, int] = {}
        uses: Counter[int] = Counter(x.index for x in graph.outputs if type(x) is Var)
        self.users: dict[int, int] = {}
        for k, eq in enumerate(graph.equations):
            for v in eq.outputs:
                self.made[v.index] = k
            for x in eq.inputs:
                if type(x) is Var:
                    uses[x.index] += 1
                    self.users[x.index] = k
        self.uses = uses
        self.dropped: set[int] = set()
        self.inserted: dict[int, list[Equation]] = {}
        self.new = Graph()
        self.new.inputs, self.new.outputs, self.new.count = graph.inputs, graph.outputs, graph.count
        self.boxes: dict[Any, Any] = {}

    def make(self) -> Graph:
        """Return the new program."""
        for k, eq in enumerate(self.graph.equations):
            if eq.primitive.name == "concat" and len(eq.inputs) >= MANY:
                self._rewrite(k, eq)
        if not self.dropped:
            return self.graph
        for k, eq in enumerate([None, *self.graph.equations], -1):
            if eq is not None and k not in self.dropped:
                self.new.equations.append(eq)
            self.new.equations += self.inserted.get(k, ())
        return self.new

    def _only_user(self, var: Var, name: str) -> Equation | None:
        """The equation of a primitive that alone reads `var`."""
        if self.uses[var.index] != 1 or var.index not in self.users:
            return None
        eq = self.graph.equations[self.users[var.index]]
        return eq if eq.primitive.name == name else None

    def _maker(self, x: Any, name: str) -> Equation | None:
        """The equation of a primitive that made `x` for a single reader."""
        if type(x) is not Var or self.uses[x.index] != 1 or x.index not in self.made:
            return None
        eq = self.graph.equations[self.made[x.index]]
        return eq if eq.primitive.name == name else None

    def _rewrite(self, k: int, concat: Equation) -> None:
        scatter = self._only_user(concat.outputs[0], "scatter")
        if scatter is None or len(scatter.inputs) != 2 or scatter.params["unique"] or len(scatter.params["shape"]) != 1:
            return
        places, dtype = scatter.inputs[1], concat.outputs[0].dtype
        if type(places) is Var or places.ndim != 1 or any(_dtype(x) != dtype for x in concat.inputs):
            return
        result, shape = scatter.outputs[0], scatter.params["shape"]
        reshape = self._only_user(result, "reshape")
        if reshape is not None:
            self.dropped.add(self.users[result.index])
            result, shape = reshape.outputs[0], reshape.params["shape"]
        self.dropped |= {k, self.users[concat.outputs[0].index]}
        total: Any = np.zeros(shape, dtype)
        pieces = list(self._pieces(concat, places))
        at = -1
        for i, (x, where) in enumerate(pieces):
            at = max(at, self.made.get(x.index, -1) if type(x) is Var else -1)
            total = self._add(total, x, where, shape, at, result if i == len(pieces) - 1 else None)

    def _pieces(self, concat: Equation, places: Any) -> Iterator[tuple[Any, Any]]:
        """What is added, and the positions in the flat result to which its elements belong."""
        start = 0
        for x in concat.inputs:
            stop = start + shape_of(x)[0]
            where = places[start:stop]
            start = stop
            eq = self._maker(x, "reshape")
            while eq is not None:
                self.dropped.add(self.made[x.index])
                shape, index = eq.outputs[0].shape, eq.params.get("index")
                x = eq.inputs[0]
                # Adding zeros around what `unslice` places changes nothing: a sum that began with 0.0 is never -0.0.
                where = where.reshape(shape)[index] if index is not None else where.reshape(shape_of(x))
                eq = self._maker(x, "reshape") or self._maker(x, "unslice")
            yield x, where

    def _add(self, total: Any, x: Any, where: Any, shape: Shape, at: int, result: Var | None) -> Var:
        """Insert behind equation `at` the sum of `total` and `x` at some places, as the variable `result`."""
        graph = Graph()
        graph.count = self.new.count
        index = self._box(where, shape)
        if index is None:
            flat = where.reshape(-1)
            out = emit(
                graph, "add_at", total, _shaped(graph, x, flat.shape), *np.unravel_index(flat, shape), unique=False
            )
        else:
            part = emit(graph, "read", total, index=index)
            part = emit(graph, "add", part, _shaped(graph, x, part.shape))
            out = emit(graph, "write", total, part, index=index)
        if result is not None:
            graph.equations[-1].outputs = [result]
        self.new.count = graph.count
        self.inserted.setdefault(at, []).extend(graph.equations)
        return result or out  # type: ignore[no-any-return]

    def _box(self, where: Any, shape: Shape) -> tuple[Any, ...] | None:
        """A basic index of the elements at the flat positions `where`, None if there is none."""
        if where.size == 1:
            return tuple([int(i) for i in np.unravel_index(where.item(), shape)])
        key = (where.tobytes(), where.shape, shape)
        if key not in self.boxes:
            self.boxes[key] = _box(where, shape)
        return self.boxes[key]  # type: ignore[no-any-return]


def _dtype(x: Any) -> Any:
    return x.dtype if hasattr(x, "dtype") else None


def _shaped(graph: Graph, x: Any, shape: Shape) -> Any:
    return x if shape_of(x) == shape else emit(graph, "reshape", x, shape=shape)


def _box(where: Any, shape: Shape) -> tuple[Any, ...] | None:
    if not where.size:
        return None
    flat = where.reshape(-1)
    first = np.unravel_index(int(flat[0]), shape)
    last = np.unravel_index(int(flat[-1]), shape)
    ranges = []
    for axis, (a, b) in enumerate(zip(first, last, strict=True)):
        values = np.unique(np.unravel_index(flat, shape)[axis])
        step = int(values[1] - values[0]) if len(values) > 1 else 1
        ranges.append(range(int(a), int(b) + 1, step) if a <= b else range(0))
    if math.prod(map(len, ranges)) != flat.size:
        return None
    grid = np.ravel_multi_index(np.ix_(*ranges), shape).reshape(-1) if shape else np.zeros(1, int)
    if (grid != flat).any():
        return None
    whole = tuple(slice(r.start, r.stop, r.step) for r in ranges)
    # Axes of one element go, if that is the shape in which the piece comes.
    narrow = tuple(r.start if len(r) == 1 else s for r, s in zip(ranges, whole, strict=True))
    return narrow if sliced_shape(shape, whole) != where.shape else whole
