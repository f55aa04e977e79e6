"""The pass that gives arrays their memory: inputs, constants and outputs have theirs, the rest share one arena."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

from ...core.graph import Graph, Var
from .definitions import Check, Host, Lapack, Map, Nested, Piece, Scan, Update
from .fuse import Fused, fuse
from .kernels import Box, Kernel
from .nested import kept_in_place, padded, plans_of, scratch_size

__all__ = ["Place", "Plan", "plan"]

_SMALL = 1 << 12  # bytes of temporary arrays up to which a program becomes part of the loop around it
_SHORT = 6000  # ... and operations


class Place(NamedTuple):
    """Where an array is: `kind` is "in", "const", "out" or "arena"; `at` a number in the table, or bytes."""

    kind: str
    at: int


class Plan:
    """A program whose arrays have places.

    Attributes
    ----------
    steps : list
        As in `Fused`.
    bodies : list
        Per step its boxes if it is a kernel, else None.
    places : dict
        By index of variable.
    arena : int
        Bytes.
    in_place : set of int
        The allocated outputs that are written to the memory of an input.
    inner : dict
        The plans of the programs inside steps, by number of step; `scratch` says where their memory begins in the
        arena.
    small : bool
        Whether this is a program inside another one and becomes part of it; its arrays then share no memory, and
        `sizes` has their bytes by place in the arena.
    results : list
        Per output of the graph ("out", number), ("in", number), ("const", number), or ("value", constant).
    outputs : list of Var
        The arrays to allocate, in order.
    constants : list
        The arrays that the program reads.
    """

    @property
    def reused(self) -> dict[int, int]:
        """The allocated outputs that are written to the memory of an input, with the number of that."""
        numbers = {self.results[o][1]: i for o, i in self.pairs.items() if self.results[o][0] == "out"}
        return {at: i for at, i in numbers.items() if at in self.in_place}

    @property
    def work(self) -> int:
        """Loop iterations of all steps, roughly; a step that is no loop of ours counts as long."""
        long = 1 << 20
        return sum([math.prod(s.space) if isinstance(s, Kernel) else long for s in self.steps])

    def __init__(self, fused: Fused) -> None:
        self.fused = fused
        self.steps = fused.steps
        self.bodies: list[list[Box] | None] = []
        self.places: dict[int, Place] = {}
        self.arena = 0
        self.results: list[tuple[str, Any]] = []
        self.outputs: list[Var] = []
        self.constants: list[Any] = []
        self.pairs: dict[int, int] = {}
        self.in_place: set[int] = set()
        self.inner: dict[int, tuple[Plan, ...]] = {}
        self.small = False
        self.sizes: dict[int, int] = {}
        self.scratch: dict[int, int] = {}


Known = dict[Any, Plan]


def plan(fused: Fused, pairs: dict[int, int] | None = None, known: Known | None = None) -> Plan:
    """Give every stored array of `fused` a place.

    `pairs` says which outputs of the graph may take the memory of which inputs: those in `in_place` do. A program
    inside another one is given `known`: what it made of those seen before.
    """
    out = Plan(fused)
    out.pairs = pairs or {}
    graph = fused.lowered.graph
    for s in fused.steps:
        kernel = isinstance(s, Kernel)
        out.bodies.append(s.body(fused.enter, fused.inline(s), known is not None) if kernel else None)
    for k, v in enumerate(graph.inputs):
        out.places[v.index] = Place("in", k)
    for x in graph.outputs:
        _result(out, x)
    for k, step in enumerate(out.steps):
        if isinstance(step, Nested):
            out.inner[k] = plans_of(step, partial(_inner, {} if known is None else known))
    first, last = _lifetimes(out)
    classes = _merge(out, first, last)
    sizes = _sizes(out, classes)
    out.small = known is not None and sum(map(padded, sizes.values())) <= _SMALL and _short(out)
    _pack(out, classes, first, last, sizes)
    return out


def _inner(known: Known, graph: Graph, length: int | None, pairs: dict[int, int]) -> Plan:
    """The plan of a program inside another one; the same for the same program."""
    key = (id(graph), length, tuple(pairs.items()))
    found = known.get(key)
    if found is None:
        found = known[key] = plan(fuse(graph, length), pairs, known)
    return found


def _short(out: Plan) -> bool:
    """Whether there is so little to do that LLVM may see it together with what is around."""
    boxes = [box for body in out.bodies for box in body or []]
    # Whatever is inside must have become part of this one.
    apart = any(scratch_size(out.steps[k], plans) for k, plans in out.inner.items())
    return sum([len(box.nodes.all) for box in boxes]) <= _SHORT and not apart


def constant_place(out: Plan, var: Var, array: Any) -> Place:
    """The place of a constant array, which is noted as read."""
    place = out.places.get(var.index)
    if place is None:
        place = out.places[var.index] = Place("const", len(out.constants))
        out.constants.append(array)
    return place


def _result(out: Plan, x: Any) -> None:
    if type(x) is not Var:
        out.results.append(("value", x))
    elif x.index in out.places:
        out.results.append((out.places[x.index].kind, out.places[x.index].at))
    else:
        out.places[x.index] = Place("out", len(out.outputs))
        out.results.append(("out", len(out.outputs)))
        out.outputs.append(x)


def made_by(step: Any) -> list[Var]:
    """The arrays that a step computes."""
    if isinstance(step, Kernel):
        return [v for v, _ in step.roots if v.index not in step.hidden]
    if isinstance(step, Host | Lapack | Nested):
        return step.vars
    return [] if isinstance(step, Check) else [step.var]


def read_by(out: Plan, k: int) -> set[int]:
    """The arrays that step k reads from memory, by index of variable."""
    step, body = out.steps[k], out.bodies[k]
    if body is not None:
        return {n.data[0].index for box in body for n in box.nodes.all if n.op == "load"}
    if isinstance(step, Check):
        return {step.least.index, step.most.index}
    if isinstance(step, Update | Scan):
        return simple_reads(out.fused, step)
    return {x.index for x in step.reads}


def simple_reads(fused: Fused, step: Update | Scan) -> set[int]:
    """What the element rules of an update or a scan load."""
    kept, definitions = fused.stored, fused.lowered.definitions
    found: set[int] = set()
    stack = list(step.reads)
    if isinstance(step, Update) and step.old is not None:
        found.add(step.old.index)
    while stack:
        x = stack.pop()
        d = definitions.get(x.index)
        if x.index in kept or not isinstance(d, Map):
            found.add(x.index)
        else:
            stack += d.reads
    return found | set(fused.lowered.constants)


def _lifetimes(out: Plan) -> tuple[dict[int, int], dict[int, int]]:
    """For each array the step that computes it and the last one that reads it."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    constants = out.fused.lowered.constants
    for k, step in enumerate(out.steps):
        for v in made_by(step):
            first.setdefault(v.index, k)
            last[v.index] = k
        for i in read_by(out, k):
            last[i] = k
            if i in constants:
                constant_place(out, *constants[i])
    for i, place in out.places.items():
        if place.kind == "out":
            last[i] = len(out.steps)
    return first, last


def _merge(out: Plan, first: dict[int, int], last: dict[int, int]) -> dict[int, int]:
    """Let arrays take the memory of those that die as they are made; returns who shares with whom."""
    given = _given(out, last)
    while True:
        out.in_place.clear()
        found = _shared(out, first, last, given)
        # The memory of an input is taken for the sake of its output or not at all.
        used = {i for j, i in found.items() if i in given and i != j}
        wasted = {i for i in used if given[i] not in out.in_place}
        if not wasted:
            break
        given = {i: at for i, at in given.items() if i not in wasted}
    for i, at in given.items():
        if at in out.in_place:
            out.places[out.outputs[at].index] = out.places[i]
    return found


def _shared(out: Plan, first: dict[int, int], last: dict[int, int], given: dict[int, int]) -> dict[int, int]:
    """Who shares with whom if the inputs in `given` may be overwritten."""
    parent: dict[int, int] = {i: i for i in (*first, *given)}
    sizes = {v.index: v.size * v.dtype.itemsize for s in out.steps for v in made_by(s)}
    sizes |= {v.index: v.size * v.dtype.itemsize for v in out.fused.lowered.graph.inputs}

    def find(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    def join(old: int, new: int) -> None:
        a, b = find(old), find(new)
        fixed = [i for i in (a, b) if i in out.places]
        if a == b or (len(fixed) == 2 and given.get(a, -1) != out.places[b].at):
            return
        if len(fixed) == 2:
            out.in_place.add(out.places[b].at)
        root, other = (a, b) if a in fixed else (b, a)
        parent[other] = root

    for k, step in enumerate(out.steps):
        dying = {i for i in (*first, *given) if last.get(i) == k and first.get(i, -1) < k}
        if isinstance(step, Update):
            if step.old is not None and step.old.index in dying:
                join(step.old.index, step.var.index)
        elif isinstance(step, Lapack | Nested):
            takes = step.takes if isinstance(step, Lapack) else kept_in_place(step, out.inner[k])
            for old, new in takes:
                if old.index in dying and [x.index for x in step.reads].count(old.index) == 1:
                    join(old.index, new.index)
        elif isinstance(step, Kernel):
            taken: set[int] = set()
            for v, d in step.roots:
                if not isinstance(d, Map) or isinstance(d, Piece) or v.index in step.hidden:
                    continue
                for i in dying - taken:
                    if sizes[i] == v.size * v.dtype.itemsize and _pointwise(out.bodies[k], i, v):
                        taken.add(i)
                        join(i, v.index)
                        break
    return {i: find(i) for i in first}


def _given(out: Plan, last: dict[int, int]) -> dict[int, int]:
    """The inputs whose memory an output may take, with the number of that output among those allocated."""
    graph = out.fused.lowered.graph
    found = {}
    for o, i in out.pairs.items():
        kind, at = out.results[o]
        var = graph.inputs[i]
        if kind != "out" or var.index not in last:
            continue  # constants, which are arrays, compare with nothing
        if ("in", i) not in out.results and out.results.count((kind, at)) == 1:
            found[var.index] = at
    return found


def _pointwise(body: list[Box] | None, i: int, v: Var) -> bool:
    """Whether array `i` is read only where `v` is about to be written."""
    for box in body or []:
        mine = [r for r in box.results if r.var is v]
        factor = 2 if v.dtype.kind == "c" else 1
        where = {(r.offset * factor + part).key for r in mine for part in range(factor)}
        reads = [n for n in box.nodes.all if n.op == "load" and n.data[0].index == i]
        if any(n.data[1].key not in where or n.data[0].dtype != v.dtype for n in reads):
            return False
        if len(mine) > 1 and reads:
            # Several elements per iteration: one may be written before another one is read.
            return False
    return True


def _sizes(out: Plan, classes: dict[int, int]) -> dict[int, int]:
    """Bytes of the arrays that lie in the arena, and, by ``-k - 1``, of the memory of step k."""
    by_index = {v.index: v for s in out.steps for v in made_by(s)}
    sizes = {-k - 1: scratch_size(out.steps[k], inner) for k, inner in out.inner.items()}
    for i, c in classes.items():
        if c not in out.places:
            sizes[c] = max(sizes.get(c, 0), by_index[i].size * by_index[i].dtype.itemsize)
    return sizes


def _pack(
    out: Plan, classes: dict[int, int], first: dict[int, int], last: dict[int, int], sizes: dict[int, int]
) -> None:
    """Lay the arrays that are neither inputs nor outputs out in the arena, first fit."""
    spans: dict[int, list[int]] = {-k - 1: [k, k] for k in out.inner}
    for i, c in classes.items():
        span = spans.setdefault(c, [first[i], last[i]])
        span[0], span[1] = min(span[0], first[i]), max(span[1], last[i])
    placed: list[tuple[int, int, int, int]] = []
    for c, (a, b) in sorted(spans.items(), key=lambda s: s[1][0]):
        if c not in out.places:
            size = padded(sizes[c])
            at = 0
            for start, stop, x, y in sorted(placed):
                if (out.small or (y >= a and x <= b)) and start < at + size and at < stop:
                    at = stop
            placed.append((at, at + size, a, b))
            out.arena = max(out.arena, at + size)
            out.sizes[at] = size
            if c < 0:
                out.scratch[-c - 1] = at
            else:
                out.places[c] = Place("arena", at)
    for i, c in classes.items():
        if i not in out.places:
            out.places[i] = out.places[c]
