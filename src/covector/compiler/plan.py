"""The pass that gives arrays their memory: inputs, constants and outputs have theirs, the rest share one arena."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..core.graph import Var
from .definitions import Check, Dot, Host, Map, Repeat, Scan, Update
from .fuse import Fused
from .loops import Box, Kernel
from .operations import Value

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
    results : list
        Per output of the graph ("out", number), ("in", number), ("const", number), or ("value", constant).
    outputs : list of Var
        The arrays to allocate, in order.
    constants : list
        The arrays that the program reads.
    """

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


def plan(fused: Fused, donate: Sequence[int] = ()) -> Plan:
    """Give every stored array of `fused` a place."""
    out = Plan(fused)
    graph = fused.lowered.graph
    out.bodies = [s.body(fused.enter, fused.inline(s)) if isinstance(s, Kernel) else None for s in fused.steps]
    for k, v in enumerate(graph.inputs):
        out.places[v.index] = Place("in", k)
    for x in graph.outputs:
        _result(out, x)
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
        return [v for v, _ in step.roots]
    if isinstance(step, Host | Repeat):
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
            first[v.index] = last[v.index] = k
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
    parent: dict[int, int] = {i: i for i in first}
    sizes = {v.index: v.size * v.dtype.itemsize for s in out.steps for v in made_by(s)}

    def find(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    def join(old: int, new: int) -> None:
        a, b = find(old), find(new)
        fixed = [i for i in (a, b) if out.places.get(i, Place("", 0)).kind]
        if len(fixed) < 2 and a != b:
            root, other = (a, b) if fixed == [a] else (b, a)
            parent[other] = root

    for k, step in enumerate(out.steps):
        dying = {i for i in first if last[i] == k and first[i] < k}
        if isinstance(step, Update):
            if step.old is not None and step.old.index in dying:
                join(step.old.index, step.var.index)
        elif isinstance(step, Kernel):
            taken: set[int] = set()
            for v, d in step.roots:
                if not isinstance(d, Map):
                    continue
                for i in dying - taken:
                    if sizes[i] == v.size * v.dtype.itemsize and _pointwise(out.bodies[k], i, v):
                        taken.add(i)
                        join(i, v.index)
                        break
    return {i: find(i) for i in first}


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
            out.places[c] = Place("arena", at)
    for i, c in classes.items():
        if i not in out.places:
            out.places[i] = out.places[c]


def parts(value: Value) -> Sequence[Any]:
    """The nodes of a value."""
    return value if isinstance(value, tuple) else (value,)
