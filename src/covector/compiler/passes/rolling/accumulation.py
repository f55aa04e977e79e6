"""Sums of many scattered pieces, formed where the pieces are made.

The transpose of reading parts of an array adds up what belongs to each part. A recorded program does that at its end:
one concatenation of all pieces, then one `scatter`. In a loop it has to be done piece by piece, in the same order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....core.graph import Equation, Graph, Var
from ....core.primitive import PRIMITIVES
from ....core.values import Aval, Shape, shape_of
from ....ops.indexing import sliced_shape
from .limits import MANY

__all__ = ["accumulated"]


def accumulated(graph: Graph) -> Graph:
    """Return a program that adds the pieces of a scattered concatenation one by one; `graph` if there is none."""
    if not any(len(eq.inputs) >= MANY for eq in graph.equations):
        return graph
    return _Accumulation(graph).make()


@dataclass(slots=True)
class _Target:
    """What the pieces are added to.

    Attributes
    ----------
    places : array
        For each element that is added its position in the flat result; the same for every lane of a batch.
    shape : tuple of int
        The shape of the result.
    lanes : int
        The number of leading axes, 0 or 1, that belong to a batch.
    """

    places: Any
    shape: Shape
    lanes: int

    @classmethod
    def of(cls, concat: Equation, scatter: Equation) -> _Target | None:
        """What `scatter` adds the output of `concat` to; None if it is not of the kind that is rewritten."""
        *batch, places = scatter.inputs[1:]
        shape, lanes = scatter.params["shape"], len(batch)
        dtype = concat.outputs[0].dtype
        fits = not scatter.params["unique"] and lanes <= 1 and concat.params["axis"] == lanes == len(shape) - 1
        if (
            not fits
            or any(type(i) is Var for i in scatter.inputs[1:])
            or any(_dtype(x) != dtype for x in concat.inputs)
        ):
            return None
        if places.ndim != 1 or not places.size or (lanes and not _counts(batch[0], shape[0])):
            return None
        return cls(places, shape, lanes)


def _counts(lanes: Any, size: int) -> bool:
    return lanes.shape == (size, 1) and bool((lanes[:, 0] == np.arange(size)).all())


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
        self.new.equations += self.inserted.get(-1, ())
        for k, eq in enumerate(self.graph.equations):
            if k not in self.dropped:
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
        target = None if scatter is None else _Target.of(concat, scatter)
        if scatter is None or target is None:
            return
        result = scatter.outputs[0]
        reshape = self._only_user(result, "reshape")
        if reshape is not None and reshape.params["shape"][: target.lanes] == target.shape[: target.lanes]:
            self.dropped.add(self.users[result.index])
            result = reshape.outputs[0]
            target.shape = reshape.params["shape"]
        self.dropped |= {k, self.users[concat.outputs[0].index]}
        total: Any = np.zeros(target.shape, result.dtype)
        pieces = list(self._pieces(concat, target))
        at = -1
        for i, (x, where) in enumerate(pieces):
            at = max(at, self.made.get(x.index, -1) if type(x) is Var else -1)
            total = self._add(total, x, where, target, at, result if i == len(pieces) - 1 else None)

    def _pieces(self, concat: Equation, target: _Target) -> Iterator[tuple[Any, Any]]:
        """What is added, and the positions in the flat result (of one lane) to which its elements belong."""
        start, lanes = 0, target.lanes
        for x in concat.inputs:
            stop = start + shape_of(x)[lanes]
            where = target.places[start:stop]
            start = stop
            eq = self._maker(x, "reshape")
            while eq is not None and eq.outputs[0].shape[:lanes] == shape_of(eq.inputs[0])[:lanes]:
                shape, index = eq.outputs[0].shape, eq.params.get("index")
                if index is not None and lanes and index[0] != slice(None):
                    break
                self.dropped.add(self.made[x.index])
                x = eq.inputs[0]
                # Adding zeros around what `unslice` places changes nothing: a sum that began with 0.0 is never -0.0.
                whole = where.reshape(shape[lanes:])
                where = where.reshape(shape_of(x)[lanes:]) if index is None else whole[index[lanes:]]
                eq = self._maker(x, "reshape") or self._maker(x, "unslice")
            yield x, where

    def _add(self, total: Any, x: Any, where: Any, target: _Target, at: int, result: Var | None) -> Var:
        """Insert behind equation `at` the sum of `total` and `x` at some places, as the variable `result`."""
        lanes, shape = target.shape[: target.lanes], target.shape[target.lanes :]
        index, part = self._box(where, shape)
        out = result or self._variable(target.shape, x.dtype)
        x = self._shaped(x, (*lanes, *part), at)
        if index is None:
            places = [p[(None,) * len(lanes)] for p in np.unravel_index(where, shape)]
            places = [*[np.arange(n).reshape(n, *[1] * where.ndim) for n in lanes], *places]
            self._insert(at, Equation(PRIMITIVES["add_at"], [total, x, *places], {"unique": False}, [out]))
            return out
        old, new = self._variable(x.shape, x.dtype), self._variable(x.shape, x.dtype)
        params = {"index": (*[slice(None)] * len(lanes), *index)}
        self._insert(
            at,
            Equation(PRIMITIVES["read"], [total], params, [old]),
            Equation(PRIMITIVES["add"], [old, x], {}, [new]),
            Equation(PRIMITIVES["write"], [total, new], params, [out]),
        )
        return out

    def _variable(self, shape: Shape, dtype: Any) -> Var:
        return self.new.variable(Aval(shape, dtype))

    def _insert(self, at: int, *equations: Equation) -> None:
        self.inserted.setdefault(at, []).extend(equations)

    def _shaped(self, x: Any, shape: Shape, at: int) -> Any:
        if shape_of(x) == shape:
            return x
        out = self._variable(shape, x.dtype)
        self._insert(at, Equation(PRIMITIVES["reshape"], [x], {"shape": shape}, [out]))
        return out

    def _box(self, where: Any, shape: Shape) -> tuple[tuple[Any, ...] | None, Shape]:
        """A basic index of the elements at the flat positions `where`, None if there is none; and the shape of it."""
        if where.size == 1:
            return tuple([int(i) for i in np.unravel_index(where.item(), shape)]), ()
        key = (where.tobytes(), where.shape, shape)
        if key not in self.boxes:
            index = _box(where, shape)
            self.boxes[key] = (index, where.shape if index is None else sliced_shape(shape, index))
        return self.boxes[key]


def _dtype(x: Any) -> Any:
    return x.dtype if hasattr(x, "dtype") else None


def _box(where: Any, shape: Shape) -> tuple[Any, ...] | None:
    if not where.size:
        return None
    flat = where.reshape(-1)
    places = np.unravel_index(flat, shape)
    ranges = []
    for values in places:
        first, last = int(values[0]), int(values[-1])
        step = (last - first) // max(len(np.unique(values)) - 1, 1) or 1
        if step < 0:
            return None
        ranges.append(range(first, last + 1, step))
    if math.prod(map(len, ranges)) != flat.size:
        return None
    if (np.ravel_multi_index(np.ix_(*ranges), shape).reshape(-1) != flat).any():
        return None
    whole = tuple(slice(r.start, r.stop, r.step) for r in ranges)
    # Axes of one element go, if that is the shape in which the piece comes.
    narrow = tuple(r.start if len(r) == 1 else s for r, s in zip(ranges, whole, strict=True))
    return whole if sliced_shape(shape, whole) == where.shape else narrow
