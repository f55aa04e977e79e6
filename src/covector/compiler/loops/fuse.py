"""The pass from definitions to steps: loops over one space that compute several arrays, and what stands between."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ...core.graph import Graph, Var
from .definitions import Definition, Host, Lapack, Map, Nested, Piece, Reduce
from .index import Index, Symbol
from .kernels import Kernel, shape_of_root
from .lowering import Lowered, lower
from .operations import convert
from .scope import Scope
from .stores import Uses, lane_axis, lane_groups, live, short_sums, stored

__all__ = ["Fused", "fuse"]

_TINY = 4  # largest array that is written out element by element
_CACHED = 1 << 20  # bytes up to which storing an expensive array is cheaper than computing it twice
_DEAR = 15  # additions that such an array costs per element


class Fused:
    """A program as steps, in an order to run them.

    They are `Kernel`, `Update`, `Scan`, `Dot`, `Host`, `Lapack`, `Repeat`, `Branch` and `Check`.

    Attributes
    ----------
    stored : set of int
        The variables that have memory, besides inputs and constants.
    """

    def __init__(self, lowered: Lowered, steps: list[Any], kept: set[int]) -> None:
        self.lowered = lowered
        self.steps = steps
        self.stored = kept

    def enter(self, scope: Scope) -> None:
        """Make `scope` the one in which element rules are evaluated."""
        self.lowered.scope = scope

    def inline(self, kernel: Kernel | None) -> Any:
        """The function that tells loops of `kernel` which arrays they compute themselves."""
        mine = {}
        if kernel:
            mine = {v.index: d for v, d in kernel.roots if isinstance(d, Map) and not isinstance(d, Piece)}
        definitions, kept = self.lowered.definitions, self.stored

        def rule(var: Var) -> Any:
            i = var.index
            d: Definition | None
            if i in kept:
                d = mine.get(i)
                return d.rule if isinstance(d, Map) else None
            d = definitions.get(i)
            return d.rule if isinstance(d, Map) else None

        return rule

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.steps))


class _Signature:
    """What roots of one kernel share: the loops, and their counters while their needs are looked at."""

    def __init__(self, key: tuple[Any, ...], space: Sequence[int], lanes: bool) -> None:
        self.key = key
        self.lanes = lanes
        self.space = tuple(space)


def _signature(var: Var, d: Map | Reduce, groups: dict[int, int], uses: Uses) -> _Signature:
    shape = shape_of_root(var, d)
    size = math.prod(shape)
    if isinstance(d, Reduce):
        space = (*shape, *d.extent)
        lanes = [j for j in uses.reads[var.index] if j in groups]
        if lanes and not shape and lane_axis(d.extent) is not None:
            return _Signature(("lanes", max(d.extent)), (max(d.extent),), True)
        if math.prod(space) <= _TINY:
            return _Signature(("lanes",), (), True)
        return _Signature(("loops", space), space, False)
    if size <= _TINY:
        return _Signature(("lanes",), (), True)
    if (d.source.index if isinstance(d, Piece) and d.source else var.index) in groups:
        return _Signature(("lanes", max(shape)), (max(shape),), True)
    return _Signature(("loops", shape), shape, False)


class _Needs:
    """The stored arrays that a root reads, and whether only in places that the same loop iteration computes."""

    def __init__(self) -> None:
        self.aligned: dict[int, bool] = {}
        self.inlined: set[int] = set()


class _Fuser:
    def __init__(self, lowered: Lowered) -> None:
        self.lowered = lowered
        short_sums(lowered)
        self.definitions = live(lowered)
        self.uses = Uses(lowered, self.definitions)
        self.groups = lane_groups(self.definitions, self.uses)
        self.kept = stored(lowered, self.definitions, self.uses, self.groups)
        self.needs: dict[int, list[_Needs]] = {}
        self.probed: dict[int, _Needs] = {}  # by the identity of a root
        self.pieces: dict[int, list[Piece]] = {}

    def signature(self, d: Map | Reduce) -> _Signature:
        return _signature(d.var, d, self.groups, self.uses)

    def needs_of(self, d: Map | Reduce, sig: _Signature) -> _Needs:
        """Evaluate the rule of a root and see what it reads."""
        known = self.probed.get(id(d))
        if known is not None and known.inlined.isdisjoint(self.kept):
            return known
        needs = self.probed[id(d)] = _Needs()
        kept, definitions = self.kept, self.lowered.definitions

        def inline(var: Var) -> Any:
            if var.index in kept:
                return None
            other = definitions.get(var.index)
            if isinstance(other, Map):
                needs.inlined.add(var.index)
                return other.rule
            return None

        kernel = Kernel(sig.space, sig.lanes)
        kernel.roots.append((d.var, d))
        scope = Scope(inline)
        self.lowered.scope = scope
        counters = []
        for k, n in enumerate(sig.space):
            s = Symbol(0, n - 1)
            scope.nodes.levels[s.number] = k + 1
            counters.append(Index(0, ((s, 1),)))
        kernel.probe(scope, counters)
        for var, index in scope.loads:
            if var.index in kept:
                ok = self._aligned(var, index, sig, counters)
                needs.aligned[var.index] = ok and needs.aligned.get(var.index, True)
        return needs

    def _aligned(self, var: Var, index: Sequence[Index], sig: _Signature, counters: list[Index]) -> bool:
        other = self.lowered.definitions.get(var.index)
        if not isinstance(other, Map) or var.index in self.pieces or self.signature(other).key != sig.key:
            return False
        if not sig.lanes:
            return list(index) == counters[: len(index)]
        if not sig.space:
            return not any(i.terms for i in index)
        axis = lane_axis(var.shape)
        return axis is not None and all((i == counters[0]) if k == axis else not i.terms for k, i in enumerate(index))

    def levels(self) -> dict[int, int]:
        """For each definition the number of steps that must come before it."""
        level: dict[int, int] = {}
        self.needs = {}
        self.piece_levels: dict[int, int] = {}
        for d in self.definitions:
            i = d.var.index
            if isinstance(d, Map) and i not in self.kept:
                continue
            if isinstance(d, Map | Reduce):
                self.needs[i] = []
                before = []
                for root in self.roots_of(d):
                    needs = self.needs_of(root, self.signature(root))
                    self.needs[i].append(needs)
                    mine = [level[j] + (not ok) for j, ok in needs.aligned.items() if j in level]
                    self.piece_levels[id(root)] = max(mine, default=0)
                    before += mine
            else:
                before = [level[j] + 1 for j in self._all_reads(d) if j in level]
            n = max(before, default=0)
            for v in d.vars if isinstance(d, Host | Lapack | Nested) else [d.var]:
                level[v.index] = n
        return level

    def roots_of(self, d: Map | Reduce) -> Sequence[Map | Reduce]:
        """The definition, or those of the pieces that the array consists of."""
        if not isinstance(d, Map) or not d.pieces or d.var.size <= _TINY:
            return (d,)
        i = d.var.index
        if i not in self.pieces:
            found = list(self._pieces(d.var, d, lambda index: index))
            if (len(found) < 2 and found[0].shape == d.var.shape) or not self._affine(found):
                d.pieces = ()
                return (d,)
            self.pieces[i] = found
        return self.pieces[i]

    def _pieces(self, var: Var, d: Map, place: Any) -> Iterator[Piece]:
        for operand, inner in d.pieces:
            where = lambda index, inner=inner: place(inner(index))
            other = self.lowered.definitions.get(operand.x.index) if type(operand.x) is Var else None
            if isinstance(other, Map) and other.pieces and other.var.index not in self.kept:
                yield from self._pieces(var, other, where)
            elif operand.size:
                rule = lambda *index, x=operand: convert(self.lowered.scope.nodes, x(*index), var.dtype)
                yield Piece(var, operand, rule, where)

    def _affine(self, pieces: Sequence[Piece]) -> bool:
        """Whether all elements of all pieces go to places that are known without division."""
        for p in pieces:
            scope = Scope(lambda var: None)
            self.lowered.scope = scope
            p.place([Index(0, ((Symbol(0, n - 1), 1),)) for n in p.shape])
            if scope.quotients:
                return False
        return True

    def _all_reads(self, d: Definition) -> set[int]:
        """The stored arrays behind the operands of a step that is no loop of ours."""
        out: set[int] = set()
        stack = [x.index for x in d.reads]
        seen: set[int] = set()
        while stack:
            i = stack.pop()
            if i in seen:
                continue
            seen.add(i)
            other = self.lowered.definitions.get(i)
            if i in self.kept or other is None:
                out.add(i)
            else:
                stack += [x.index for x in other.reads]
        return out

    def duplicated(self, level: dict[int, int]) -> set[int]:
        """Expensive arrays without memory that several kernels would compute."""
        places: dict[int, set[Any]] = {}
        for d in self.definitions:
            i = d.var.index
            if i not in self.needs or not isinstance(d, Map | Reduce):
                continue
            for root, needs in zip(self.roots_of(d), self.needs[i], strict=True):
                where = (self.piece_levels[id(root)], self.signature(root).key)
                for j in needs.inlined:
                    places.setdefault(j, set()).add(where)
        out = set()
        for j, found in places.items():
            d = self.lowered.definitions[j]
            if len(found) > 1 and isinstance(d, Map) and d.cost >= _DEAR:
                nbytes = d.var.size * d.var.dtype.itemsize
                if nbytes <= _CACHED or d.cost >= 3 * _DEAR:
                    out.add(j)
        return out

    def _hide(self, kernels: dict[Any, Kernel]) -> None:
        """Spare the memory of arrays that nobody reads but the iteration that computes them."""
        wanted = {x.index for x in self.lowered.graph.outputs if type(x) is Var}
        homes: dict[int, Any] = {}
        for key, kernel in kernels.items():
            for var, d in kernel.roots:
                if isinstance(d, Map) and not d.pieces and not isinstance(d, Piece):
                    homes[var.index] = key
        for d in self.definitions:
            i = d.var.index
            if not isinstance(d, Map | Reduce):
                wanted |= self._all_reads(d)
            elif i in self.needs:
                for root, needs in zip(self.roots_of(d), self.needs[i], strict=True):
                    mine = (self.piece_levels[id(root)], self.signature(root).key)
                    wanted |= {j for j, ok in needs.aligned.items() if not ok or homes.get(j) != mine}
        for i, key in homes.items():
            if i not in wanted:
                kernels[key].hidden.add(i)

    def steps(self) -> list[Any]:
        level = self.levels()
        for _ in range(2):
            more = self.duplicated(level)
            if not more:
                break
            self.kept |= more
            level = self.levels()
        kernels: dict[Any, Kernel] = {}
        ranked: list[tuple[int, int, Any]] = []
        for at, d in enumerate(self.definitions):
            i = d.var.index
            if isinstance(d, Map | Reduce):
                if i not in self.needs:
                    continue
                for root in self.roots_of(d):
                    sig = self.signature(root)
                    n = self.piece_levels[id(root)]
                    kernel = kernels.get((n, sig.key))
                    if kernel is None:
                        kernel = kernels[n, sig.key] = Kernel(sig.space, sig.lanes)
                        ranked.append((n, at, kernel))
                    kernel.roots.append((d.var, root))
            else:
                ranked.append((level[i], at, d))
        self._hide(kernels)
        for k, c in enumerate(self.lowered.checks):
            ranked.append((max(level[c.least.index], level[c.most.index]) + 1, -len(self.lowered.checks) + k, c))
        ranked.sort(key=lambda r: r[:2])
        return [step for *_, step in ranked]


def fuse(graph: Graph, length: int | None = None) -> Fused:
    """Return the steps that compute the outputs of `graph`; with `length`, its first input counts to that number."""
    lowered = lower(graph, length)
    fuser = _Fuser(lowered)
    steps = fuser.steps()
    return Fused(lowered, steps, fuser.kept)
