"""Steps whose iterations may touch what others wrote: writes into arrays, and running combinations."""

from __future__ import annotations

import itertools
import math
from typing import Any

from ..loops.definitions import Scan, Update
from ..loops.index import Index, Symbol
from ..loops.kernels import Box, Result, combine
from ..loops.nodes import Complex
from ..loops.scope import Scope, strides_of
from .outline import call_nest

__all__ = ["write_scan", "write_update"]

_WRITTEN_OUT = 32  # writes that are written out if their places are known


def _scope(f: Any, ranges: list[tuple[int, int]]) -> tuple[Scope, list[Symbol], list[Index]]:
    fused = f.plan.fused
    scope = Scope(fused.inline(None))
    fused.enter(scope)
    symbols = [Symbol(a, b) for a, b in ranges]
    for k, s in enumerate(symbols):
        scope.nodes.levels[s.number] = k + 1
    return scope, symbols, [Index(0, ((s, 1),)) for s in symbols]


def write_update(f: Any, step: Update) -> None:
    """Write the step `step` into the function `f` of a program."""
    var = step.var
    to = f.pointer(f.plan.places[var.index])
    nbytes = var.size * var.dtype.itemsize
    if step.old is None:
        f.module.declared.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        f.lines.append(f"call void @llvm.memset.p0.i64(ptr {to}, i8 0, i64 {nbytes}, i1 false)")
    elif f.plan.places[step.old.index] != f.plan.places[var.index]:
        f.copy(to, f.pointer(f.plan.places[step.old.index]), nbytes)
    if 0 in step.extent:
        return
    scope, symbols, r = _scope(f, [(0, n - 1) for n in step.extent])
    value = step.rule(*r)
    offset = _offset(step, r)
    if math.prod(step.extent) <= _WRITTEN_OUT and any(a not in symbols for a, _ in offset.terms):
        straight = _written_out(f, step)
        if straight is not None:
            call_nest(f, straight, 1, False)
            return
    if step.adds:
        before = scope.load_at(var, offset)
        for n in before if isinstance(before, Complex) else (before,):
            n.level = len(symbols)  # also where the place is the same in every iteration
        value = combine(scope.nodes, "add", before, value)
    box = Box(symbols, scope.nodes, [Result(var, offset, value, None, len(symbols))])
    call_nest(f, box, math.prod(step.extent), step.distinct and not step.adds)


def _written_out(f: Any, step: Update) -> Box | None:
    """Writes to few places that are known, without a loop; None if they are not known."""
    scope, _, _ = _scope(f, [])
    values: dict[int, Any] = {}
    for at in itertools.product(*map(range, step.extent)):
        r = [Index(k) for k in at]
        offset, value = _offset(step, r), step.rule(*r)
        if offset.terms:
            return None
        if step.adds:
            before = values.get(offset.const)
            before = scope.load_at(step.var, offset) if before is None else before
            value = combine(scope.nodes, "add", before, value)
        values[offset.const] = value
    return Box([], scope.nodes, [Result(step.var, Index(k), x, None, 0) for k, x in values.items()])


def write_scan(f: Any, step: Scan) -> None:
    """Write the step `step` into the function `f` of a program."""
    var, axis = step.var, step.axis
    n = var.shape[axis]
    turn = lambda i: [*i[:axis], n - 1 - i[axis], *i[axis + 1 :]] if step.reverse else list(i)
    offset = lambda i: sum([k * s for k, s in zip(i, strides_of(var.shape), strict=True)], Index(0))
    for first in (True, False):
        at = (0, 0) if first else (1, n - 1)
        if at[0] > at[1]:
            continue
        ranges = [at if k == axis else (0, m - 1) for k, m in enumerate(var.shape)]
        scope, symbols, i = _scope(f, ranges)
        here = turn(i)
        if first:
            value = step.first(*here)
        else:
            before = [*i[:axis], i[axis] - 1, *i[axis + 1 :]]
            value = step.step(scope.load_at(var, offset(turn(before))), *here)
        box = Box(symbols, scope.nodes, [Result(var, offset(here), value, None, len(symbols))])
        call_nest(f, box, var.size, False)


def _offset(step: Update, r: list[Index]) -> Index:
    """The number of the element that write `r` goes to."""
    offset = Index(0)
    for i, s in zip(step.place(*r), strides_of(step.var.shape), strict=True):
        offset = offset + (i * s if isinstance(i, Index) else int(i) * s)
    return offset
