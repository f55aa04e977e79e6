"""Loop nests: which counters run around which roots, and their bodies, split where conditions change."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from ...core.graph import Var
from .definitions import Map, Piece, Reduce
from .index import Index, Symbol
from .nodes import Complex, Node, Nodes
from .operations import Value
from .scope import Scope, strides_of

__all__ = ["Box", "Kernel", "Result", "combine", "shape_of_root", "written_out"]

_MOST_BOXES = 36
_MOST_SPLITS = 3
_EDGE = 8  # parts smaller than the space by this factor share one body ...
_FEW = 3  # ... if there are so many of them
_GATHER = 8  # loads next to each other that cost as much as those far apart
_COLUMN = 1  # ... as the sum of a column that is not kept in a register
_STRAIGHT = 64  # iterations of a loop nest that LLVM may see together with the loop around it


class Result:
    """A value of a loop body: `var` gets it at element `offset`; with `how` it is combined over the inner loops."""

    __slots__ = ("depth", "how", "offset", "value", "var")

    def __init__(self, var: Var, offset: Index, value: Value, how: str | None, depth: int) -> None:
        self.var = var
        self.offset = offset
        self.value = value
        self.how = how
        self.depth = depth  # loops around the place where it is stored


class Box:
    """A loop nest over a part of the space, with its body.

    Attributes
    ----------
    symbols : list of Symbol
        The counters from the outermost loop to the innermost.
    columns : int
        If not negative: all results are reductions, the innermost loop runs over the last kept axis, and that many
        loops around the reduction are over the other kept axes.
    again : bool
        Whether reductions continue what an earlier box has begun.
    parts : list of list of (int, int)
        If not empty: the body asks for itself where it is, and runs over each of these small parts of the space.
    """

    __slots__ = ("again", "columns", "nodes", "parts", "results", "symbols")

    def __init__(self, symbols: list[Symbol], nodes: Nodes, results: list[Result], columns: int = -1) -> None:
        self.symbols = symbols
        self.nodes = nodes
        self.results = results
        self.columns = columns
        self.again = False
        self.parts: list[list[tuple[int, int]]] = []


def combine(S: Nodes, how: str, a: Value, b: Value) -> Value:
    """Combine two values of a reduction."""
    if isinstance(a, Complex) and isinstance(b, Complex):
        if how == "add":
            return Complex(S.add(a.re, b.re), S.add(a.im, b.im))
        re = S.sub(S.mul(a.re, b.re), S.mul(a.im, b.im))
        return Complex(re, S.add(S.mul(a.re, b.im), S.mul(a.im, b.re)))
    assert isinstance(a, Node) and isinstance(b, Node)
    if how == "add":
        return S.either(a, b) if a.type == "b1" else S.add(a, b)
    if how == "mul":
        return S.both(a, b) if a.type == "b1" else S.mul(a, b)
    if how == "or":
        return S.either(a, b)
    if how == "and":
        return S.both(a, b)
    return S.make(how, a.type, a, b)


def written_out(scope_of: Callable[[], Scope], d: Reduce) -> Callable[..., Value]:
    """The element rule of a short reduction, without a loop."""

    def rule(*index: Any) -> Value:
        total: Value | None = None
        for r in itertools.product(*[range(n) for n in d.extent]):
            v = d.rule(index, [Index(k) for k in r])
            total = v if total is None else combine(scope_of().nodes, d.how, total, v)
        assert total is not None
        return total

    return rule


def shape_of_root(var: Var, d: Any) -> tuple[int, ...]:
    """The shape that the loops for a root run over."""
    return d.shape if isinstance(d, Piece) else var.shape


class Kernel:
    """Arrays that are computed by one loop nest.

    Attributes
    ----------
    space : tuple of int
        Lengths of the loops: of the kept axes and then of the reduced ones.
    lanes : bool
        Whether there is one loop, over the long axis of every root, and the short axes are written out.
    roots : list of (Var, Map or Reduce)
    hidden : set of int
        Those that are not stored, by index of variable.
    """

    def __init__(self, space: Sequence[int], lanes: bool) -> None:
        self.space = tuple(space)
        self.lanes = lanes
        self.roots: list[tuple[Var, Any]] = []
        self.hidden: set[int] = set()

    def __repr__(self) -> str:
        names = ", ".join(f"{v}:{v.aval}" for v, _ in self.roots)
        loops = " x ".join(map(str, self.space)) or "no loop"
        return f"kernel[{loops}{', lanes' if self.lanes and self.space else ''}] -> {names}"

    def body(self, enter: Callable[[Scope], None], inline: Callable[[Var], Any], again: bool = False) -> list[Box]:
        """Return the loop nests that together compute the roots.

        Parameters
        ----------
        enter : callable
            Makes a scope the one in which element rules are evaluated.
        inline : callable
            The element rule of an array that is computed in the loop, or None.
        again : bool
            Whether the nests are in a loop, where those of small arrays should become straight code.
        """
        splits: list[list[int]] = [[] for _ in self.space]
        for _ in range(_MOST_SPLITS):
            box, scope = self._box([(0, n - 1) for n in self.space], splits, enter, inline)
            if not self._refine(box, scope, splits):
                break
        kept = self._columns(box, splits)
        if kept is not None:
            box, scope = self._box([(0, n - 1) for n in self.space], splits, enter, inline, kept)
        cuts = self._cuts(box, scope, splits, kept)
        if not any(cuts):
            return [box]
        ranges = []
        for n, c in zip(self.space, cuts, strict=True):
            edges = [0, *sorted(c), n]
            ranges.append([(a, b - 1) for a, b in itertools.pairwise(edges)])
        boxes = []
        seen = set()
        least = min([len(shape_of_root(v, d)) for v, d in self.roots]) if not self.lanes else 0
        every = list(itertools.product(*ranges))
        straight = again and math.prod(self.space) <= _STRAIGHT and len(every) <= _EDGE
        if not straight and not any(splits) and all(isinstance(d, Map) for _, d in self.roots):
            every, rest = _large(every, math.prod(self.space))
            if rest:
                box.parts = [list(r) for r in rest]
                boxes.append(box)
        for r in every:
            box = self._box(list(r), splits, enter, inline, kept)[0]
            box.again = r[:least] in seen
            seen.add(r[:least])
            boxes.append(box)
        return boxes

    def _columns(self, box: Box, splits: list[list[int]]) -> int | None:
        """The number of kept axes if the last of them had better be the innermost loop of a reduction."""
        ranks = {len(v.shape) for v, _ in self.roots}
        if self.lanes or any(splits) or len(ranks) != 1 or not all(isinstance(d, Reduce) for _, d in self.roots):
            return None
        (kept,) = ranks
        if not kept or kept == len(self.space) or self.space[kept - 1] < 8:
            return None
        last, inner = box.symbols[kept - 1], box.symbols[-1]
        costs = {last.number: _COLUMN * len(box.results), inner.number: 0}
        for n in box.nodes.all:
            if n.op == "load":
                steps = {a.number: abs(c) for a, c in n.data[1].terms}
                for number in costs:
                    step = steps.get(number, 0)
                    costs[number] += step if step < 2 else _GATHER
        return kept if costs[last.number] < costs[inner.number] else None

    def probe(self, scope: Scope, counters: list[Index]) -> None:
        """Evaluate the roots, whose operands `scope` may load, for the sake of what they read."""
        for var, d in self.roots:
            self._results(scope, var, d, counters, [[] for _ in self.space])

    def _box(
        self,
        ranges: list[tuple[int, int]],
        splits: list[list[int]],
        enter: Any,
        inline: Any,
        kept: int | None = None,
    ) -> tuple[Box, Scope]:
        scope = Scope(inline)
        enter(scope)
        symbols: list[Symbol] = []
        counters: list[Index] = [Index(0)] * len(ranges)
        order = list(range(len(ranges)))
        if kept is not None:
            order.append(order.pop(kept - 1))
        for k in order:
            for length, step in _factors(*ranges[k], splits[k]):
                s = Symbol(*length)
                symbols.append(s)
                scope.nodes.levels[s.number] = len(symbols)
                counters[k] = counters[k] + Index(0, ((s, step),))
        results: list[Result] = []
        for var, d in self.roots:
            results += self._results(scope, var, d, counters, splits)
        return Box(symbols, scope.nodes, results, -1 if kept is None else kept - 1), scope

    def _results(self, scope: Scope, var: Var, d: Any, counters: list[Index], splits: Any) -> list[Result]:
        if var.index in self.hidden:
            length = self.space[0] if self.space else None
            every = itertools.product(*_choices(var.shape, length, counters)) if self.lanes else [counters]
            for at in every:
                scope.compute(var, d, at[: len(var.shape)])
            return []
        loops = [1 + len(f) for f in splits]
        steps = strides_of(var.shape)
        shape = shape_of_root(var, d)

        def offset_of(index: Sequence[Index]) -> Index:
            where = d.place(index) if isinstance(d, Piece) else index
            return sum([i * s for i, s in zip(where, steps, strict=True)], Index(0))

        if not self.lanes:
            kept = len(shape)
            index = counters[:kept]
            offset = offset_of(index)
            if isinstance(d, Piece):
                return [Result(var, offset, d.rule(*index), None, sum(loops))]
            if isinstance(d, Map):
                return [Result(var, offset, scope.compute(var, d, index), None, sum(loops))]
            return [Result(var, offset, d.rule(index, counters[kept:]), d.how, sum(loops[:kept]))]
        out = []
        extent = d.extent if isinstance(d, Reduce) else ()
        length = self.space[0] if self.space else None
        reduced = length in extent
        for at in itertools.product(*_choices(shape, None if reduced else length, counters)):
            offset = offset_of(at)
            if isinstance(d, Piece):
                out.append(Result(var, offset, d.rule(*at), None, len(self.space)))
                continue
            if isinstance(d, Map):
                out.append(Result(var, offset, scope.compute(var, d, at), None, len(self.space)))
                continue
            total: Value | None = None
            for r in itertools.product(*_choices(extent, length if reduced else None, counters)):
                v = d.rule(list(at), list(r))
                total = v if total is None else combine(scope.nodes, d.how, total, v)
            assert total is not None
            out.append(Result(var, offset, total, d.how if reduced else None, 0 if reduced else len(self.space)))
        return out

    def _refine(self, box: Box, scope: Scope, splits: list[list[int]]) -> bool:
        """Split loops such that divisions of their counters come out whole; whether there were any."""
        place = {}
        at = 0
        for k, factors in enumerate(splits):
            for _ in range(1 + len(factors)):
                place[box.symbols[at].number] = k
                at += 1
        changed = False
        for index, n in scope.quotients:
            for a, c in index.terms:
                axis = place.get(a.number)
                if axis is None or splits[axis] or c <= 0 or n % c:
                    continue
                inner = n // c
                if 1 < inner < self.space[axis] and self.space[axis] % inner == 0:
                    splits[axis] = [inner]
                    changed = True
        return changed

    def _cuts(self, box: Box, scope: Scope, splits: list[list[int]], kept: int | None) -> list[set[int]]:
        """Where along each loop a condition changes."""
        place = {}
        at = 0
        order = list(range(len(splits)))
        if kept is not None:
            order.append(order.pop(kept - 1))
        for k in order:
            if not splits[k]:
                place[box.symbols[at].number] = k
            at += 1 + len(splits[k])
        cuts: list[set[int]] = [set() for _ in self.space]
        for index in scope.undecided:
            if len(index.terms) != 1:
                continue
            ((a, c),) = index.terms
            axis = place.get(a.number)
            if axis is not None:
                edge = -(index.const // c) if c > 0 else index.const // -c + 1
                if 0 < edge < self.space[axis]:
                    cuts[axis].add(edge)
        while math.prod([len(c) + 1 for c in cuts]) > _MOST_BOXES:
            cuts[max(range(len(cuts)), key=lambda k: len(cuts[k]))].clear()
        return cuts


def _large(parts: list[Any], total: int) -> tuple[list[Any], list[Any]]:
    """Split parts of a space into those worth a body of their own and the many small ones at edges."""
    size = lambda r: math.prod([b - a + 1 for a, b in r])
    small = [r for r in parts if _EDGE * size(r) < total]
    return (parts, []) if len(small) < _FEW else ([r for r in parts if _EDGE * size(r) >= total], small)


def _factors(low: int, high: int, factors: list[int]) -> list[tuple[tuple[int, int], int]]:
    """Ranges and steps of the counters that a loop is made of."""
    if not factors:
        return [((low, high), 1)]
    (inner,) = factors
    return [((0, (high + 1) // inner - 1), inner), ((0, inner - 1), 1)]


def _choices(shape: Sequence[int], length: int | None, counters: list[Index]) -> list[list[Index]]:
    """Per axis the indices to write out; the axis of the loop, the first of its length, has its counter."""
    out = []
    for n in shape:
        if n == length:
            out.append([counters[0]])
            length = None
        else:
            out.append([Index(k) for k in range(n)])
    return out
