"""Which arrays get memory: those that are needed as a whole, and those that would be computed over and over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...core.graph import Var
from .definitions import Definition, Dot, Host, Lapack, Map, Nested, Reduce, Scan, Update
from .index import Index, Loaded, Symbol
from .kernels import written_out
from .lowering import SHORT, Lowered
from .scope import Scope

__all__ = ["Uses", "live", "short_sums", "stored"]

_WORTH = 12  # additions per element whose repetition costs more than a store and a load
_SCALAR = 4  # additions up to which a number is computed wherever it is needed
_DEPTH = 40  # longest chain of definitions inside one another
_DEEP = 100  # ... of those computed lane by lane
_LANES = 32  # shortest axis that becomes a loop over lanes
_WIDTH = 64  # most elements per lane
_VECTOR = 8  # terms to be computed from which a sum is better a loop, whose instructions work on several at once


def short_sums(lowered: Lowered) -> None:
    """Turn short reductions into element rules without a loop."""
    for k, d in enumerate(lowered.order):
        if isinstance(d, Reduce) and 0 < math.prod(d.extent) <= SHORT and d.how in ("add", "mul", "or", "and"):
            n = math.prod(d.extent)
            if n >= _VECTOR and d.var.size == 1 and any(_cost(lowered, x) for x in d.reads):
                continue
            m = Map(written_out(lambda: lowered.scope, d), n * max(d.cost, 1), mixes=True)
            m.var, m.reads = d.var, d.reads
            lowered.order[k] = lowered.definitions[d.var.index] = m


def live(lowered: Lowered) -> list[Definition]:
    """The definitions that the outputs and the checks need, in order."""
    needed = {x.index for x in lowered.graph.outputs if type(x) is Var}
    needed |= {x.index for c in lowered.checks for x in (c.least, c.most)}
    out = []
    for d in reversed(lowered.order):
        mine = [v.index for v in d.vars] if isinstance(d, Host | Lapack | Nested) else [d.var.index]
        if any(i in needed for i in mine):
            out.append(d)
            needed |= {x.index for x in d.reads}
    return out[::-1]


class Uses:
    """What each definition reads of each operand: one probe of its element rule."""

    def __init__(self, lowered: Lowered, definitions: Sequence[Definition]) -> None:
        self.lowered = lowered
        self.reads: dict[int, dict[int, float]] = {}  # consumer -> operand -> evaluations per element of the operand
        self.lane: dict[int, set[int]] = {}  # consumer -> operands that it reads lane by lane
        self.own: dict[int, set[int]] = {}  # consumer -> operands that it reads at its own index
        for d in definitions:
            if isinstance(d, Map | Reduce):
                self._probe(d)

    def _probe(self, d: Map | Reduce) -> None:
        shape, extent = d.var.shape, d.extent if isinstance(d, Reduce) else ()
        size = math.prod(shape) * math.prod(extent)
        if not size:
            self.reads[d.var.index] = {}
            self.lane[d.var.index] = self.own[d.var.index] = set()
            return
        scope = Scope(lambda var: None)
        self.lowered.scope = scope
        symbols = [Symbol(0, n - 1) for n in (*shape, *extent)]
        for k, s in enumerate(symbols):
            scope.nodes.levels[s.number] = k + 1
        at = [Index(0, ((s, 1),)) for s in symbols]
        index = at[: len(shape)]
        if isinstance(d, Map):
            d.rule(*index)
        else:
            d.rule(index, at[len(shape) :])
        loads: dict[int, set[tuple[Any, ...]]] = {}
        axis = lane_axis(shape) if not extent else None
        lanes, own = set(), set()
        for var, place in scope.loads:
            loads.setdefault(var.index, set()).add(tuple([i.key for i in place]))
            if axis is not None and _in_lane(var, place, symbols[axis]):
                lanes.add(var.index)
            if list(place) == index:
                own.add(var.index)
        guarded = bool(scope.undecided)
        sizes = {var.index: var.size for var, _ in scope.loads}
        self.reads[d.var.index] = {
            i: len(places) * (1.0 if guarded else size / max(sizes[i], 1)) for i, places in loads.items()
        }
        self.lane[d.var.index] = lanes
        self.own[d.var.index] = own if all(len(loads[i]) == 1 for i in own) else set()


def lane_axis(shape: Sequence[int]) -> int | None:
    """The long axis of an array of which all other axes together are short; None if there is none."""
    if not shape:
        return None
    axis = max(range(len(shape)), key=lambda k: shape[k])
    long = shape[axis]
    return axis if long >= _LANES and math.prod(shape) // long <= _WIDTH and shape.count(long) == 1 else None


def _in_lane(var: Var, place: Sequence[Index], symbol: Symbol) -> bool:
    axis = lane_axis(var.shape)
    if axis is None or var.shape[axis] != symbol.high + 1:
        return False
    for k, i in enumerate(place):
        if k == axis:
            if i != Index(0, ((symbol, 1),)):
                return False
        elif any(a is symbol or isinstance(a, Loaded) for a, _ in i.terms):
            return False
    return True


def lane_groups(definitions: Sequence[Definition], uses: Uses) -> dict[int, int]:
    """The arrays that are best computed lane by lane, each with a name of its group."""
    parent: dict[int, int] = {}
    maps = {d.var.index: d for d in definitions if isinstance(d, Map) and lane_axis(d.var.shape) is not None}

    def find(i: int) -> int:
        while parent.setdefault(i, i) != i:
            parent[i] = i = parent[parent[i]]
        return i

    for i in maps:
        for j in uses.lane[i]:
            if j in maps:
                parent[find(i)] = find(j)
    work: dict[int, int] = {}
    mixing = set()
    for i, d in maps.items():
        width = d.var.size // max(d.var.shape)
        work[find(i)] = work.get(find(i), 0) + width * max(d.cost, 1)
        short = [n for j in uses.lane[i] | {i} if j in maps for n in [maps[j].var.size // max(maps[j].var.shape)]]
        if d.mixes and max(short) > 1:
            mixing.add(find(i))
    return {i: find(i) for i in maps if find(i) in mixing and work[find(i)] <= 6000}


def stored(lowered: Lowered, definitions: Sequence[Definition], uses: Uses, groups: dict[int, int]) -> set[int]:
    """The arrays that get memory, by index of variable."""
    out = {x.index for x in lowered.graph.outputs if type(x) is Var}
    for d in definitions:
        if not isinstance(d, Map):
            out |= {v.index for v in d.vars} if isinstance(d, Host | Lapack | Nested) else {d.var.index}
        if isinstance(d, Host | Dot | Lapack | Nested):
            out |= {x.index for x in d.reads}
        if isinstance(d, Update) and d.old is not None:
            out.add(d.old.index)
        if isinstance(d, Update | Scan):
            # Their loops are simple: what they read is stored unless it moves elements only.
            out |= {x.index for x in d.reads if _cost(lowered, x) > 0}
        if isinstance(d, Update) and d.old is not None:
            # In place, nothing may be read from the array while it is written to.
            out |= {x.index for x in d.reads if x is not d.old and _reaches(lowered, x, d.old, out)}
    costs, depths = _costs(lowered, definitions, uses, out)
    _repeated(lowered, definitions, uses, groups, out, costs)
    for i, n in depths.items():
        if n % (_DEEP if i in groups else _DEPTH) == 0:
            out.add(i)
    return out


def _cost(lowered: Lowered, var: Var) -> int:
    d = lowered.definitions.get(var.index)
    return d.cost if isinstance(d, Map) else 0


def _reaches(lowered: Lowered, var: Var, target: Var, kept: set[int]) -> bool:
    """Whether an element of `var` may be computed from elements of `target` at the time that it is asked for."""
    seen, stack = set(), [var]
    while stack:
        x = stack.pop()
        d = lowered.definitions.get(x.index)
        if x is target:
            return True
        if isinstance(d, Map) and x.index not in kept and x.index not in seen:
            seen.add(x.index)
            stack += d.reads
    return False


def _costs(lowered: Lowered, definitions: Any, uses: Uses, out: set[int]) -> tuple[dict[int, float], dict[int, int]]:
    """Additions per element if all operands without memory are computed anew, and the length of such chains."""
    costs: dict[int, float] = {}
    depths: dict[int, int] = {}
    for d in definitions:
        if isinstance(d, Map):
            i = d.var.index
            inner = [j for j in uses.reads[i] if j in costs and j not in out]
            costs[i] = min(d.cost + sum([costs[j] for j in inner]), 1e6)
            depths[i] = 1 + max([depths[j] for j in inner], default=0)
            if d.var.size == 1 and costs[i] > _SCALAR:
                out.add(i)
    return costs, depths


def _repeated(
    lowered: Lowered,
    definitions: Sequence[Definition],
    uses: Uses,
    groups: dict[int, int],
    out: set[int],
    costs: dict[int, float],
) -> None:
    """Add the arrays whose elements would be computed so often that memory is cheaper."""
    times: dict[int, float] = {}  # evaluations per element, so far
    shared: dict[int, float] = {}  # of those readers that have the same index, who share one evaluation
    for d in reversed(definitions):
        i = d.var.index
        if isinstance(d, Map):
            n = max(times.get(i, 0.0) + shared.get(i, 0.0), 1.0)
            number = d.var.size == 1 and costs[i] <= _SCALAR
            if i not in out and costs[i] * (n - 1) > _WORTH and not number:
                out.add(i)
            mine = 1.0 if i in out else n
        else:
            mine = 1.0
        if not isinstance(d, Map | Reduce):
            continue
        for j, k in uses.reads[i].items():
            if j in groups and groups.get(i) == groups[j]:
                shared[j] = max(shared.get(j, 0.0), 1.0)
            elif j in uses.own[i]:
                shared[j] = max(shared.get(j, 0.0), mine * k)
            else:
                times[j] = times.get(j, 0.0) + mine * k
