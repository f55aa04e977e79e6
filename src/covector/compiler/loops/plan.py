"""The pass that gives arrays their memory: inputs, constants and outputs have theirs, the rest share one arena."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ...core.graph import Var
from .definitions import Check, Host, Lapack, Map, Piece, Repeat, Scan, Update
from .fuse import Fused, fuse
from .kernels import Box, Kernel

__all__ = ["Place", "Plan", "plan"]

_ALIGN = 64


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
        The plans of the bodies of loops, by number of step; `scratch` says where their memory begins in the arena.
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
        self.inner: dict[int, Plan] = {}
        self.scratch: dict[int, int] = {}


def plan(fused: Fused, pairs: dict[int, int] | None = None) -> Plan:
    """Give every stored array of `fused` a place.

    `pairs` says which outputs of the graph may take the memory of which inputs: those in `in_place` do.
    """
    out = Plan(fused)
    out.pairs = pairs or {}
    graph = fused.lowered.graph
    out.bodies = [s.body(fused.enter, fused.inline(s)) if isinstance(s, Kernel) else None for s in fused.steps]
    for k, v in enumerate(graph.inputs):
        out.places[v.index] = Place("in", k)
    for x in graph.outputs:
        _result(out, x)
    for k, step in enumerate(out.steps):
        if isinstance(step, Repeat):
            out.inner[k] = body_plan(step)
    first, last = _lifetimes(out)
    classes = _merge(out, first, last)
    _pack(out, classes, first, last)
    return out


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
    if isinstance(step, Host | Lapack | Repeat):
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
        elif isinstance(step, Lapack):
            for old, new in step.takes:
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
        unique = [r for r in out.results if r == ("in", i)] == [] and out.results.count((kind, at)) == 1
        if kind == "out" and unique and var.index in last:
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


def _pack(out: Plan, classes: dict[int, int], first: dict[int, int], last: dict[int, int]) -> None:
    """Lay the arrays that are neither inputs nor outputs out in the arena, first fit."""
    spans: dict[int, list[int]] = {}
    sizes: dict[int, int] = {}
    by_index = {v.index: v for s in out.steps for v in made_by(s)}
    for k, inner in out.inner.items():
        spans[-k - 1] = [k, k]
        sizes[-k - 1] = scratch_size(out.steps[k], inner)
    for i, c in classes.items():
        v = by_index[i]
        span = spans.setdefault(c, [first[i], last[i]])
        span[0], span[1] = min(span[0], first[i]), max(span[1], last[i])
        sizes[c] = max(sizes.get(c, 0), v.size * v.dtype.itemsize)
    placed: list[tuple[int, int, int, int]] = []
    for c, (a, b) in sorted(spans.items(), key=lambda s: s[1][0]):
        if c not in out.places:
            size = -(-max(sizes[c], 1) // _ALIGN) * _ALIGN
            at = 0
            for start, stop, x, y in sorted(placed):
                if y >= a and x <= b and start < at + size and at < stop:
                    at = stop
            placed.append((at, at + size, a, b))
            out.arena = max(out.arena, at + size)
            if c < 0:
                out.scratch[-c - 1] = at
            else:
                out.places[c] = Place("arena", at)
    for i, c in classes.items():
        if i not in out.places:
            out.places[i] = out.places[c]


def body_plan(step: Repeat) -> Plan:
    """The plan of the body of a loop; carries may stay where they are."""
    params = step.equation.params
    body, first = params["body"], 1 + params["constants"]
    return plan(fuse(body, params["length"]), {k: first + k for k in range(params["carries"])})


def scratch_size(step: Repeat, inner: Plan) -> int:
    """Bytes that a loop needs besides its inputs and outputs: its counter, two buffers per carry, its body's arena."""
    return _ALIGN + inner.arena + sum([2 * padded(v.aval) for v in carries_of(step)])


def carries_of(step: Repeat) -> list[Var]:
    """The variables of the body that stand for the carries."""
    params = step.equation.params
    first = 1 + params["constants"]
    return list(params["body"].inputs[first : first + params["carries"]])


def padded(aval: Any) -> int:
    """Bytes of an array, up to the next multiple of the alignment."""
    return -(-max(aval.size * aval.dtype.itemsize, 1) // _ALIGN) * _ALIGN
