"""Native loops: the body is a function that is called with pointers, or becomes part of the loop.

The carries of a large loop lie in two buffers each, read and written in turns, unless the body changes them in place;
the second buffer is the memory of the result where the loop ends. Those of a small one are local variables of constant
size, which LLVM keeps in registers when it has inlined the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..loops.definitions import Capacity, Repeat
from ..loops.nested import ALIGN, HEAD, in_registers, padded, rows_of
from ..loops.nodes import type_of
from ..loops.plan import Plan
from .instructions import literal, memory_type

__all__ = ["call_inner", "write_repeat"]


def write_repeat(f: Any, step: Repeat, plans: tuple[Plan, ...], scratch: int) -> None:
    """Write the loop `step` into the function `f` of a program."""
    _Loop(f, step, plans, scratch).write()


def call_inner(
    f: Any, plan: Plan, ins: Sequence[str], targets: Sequence[tuple[str, int] | None], arena: str, again: bool
) -> None:
    """Write the call of a program inside another one.

    `targets` are, per result, where it goes and its bytes; None for a result that nobody wants. `again` says that the
    program is called with what it has returned the time before.
    """
    inner = f.module.inner(plan, again)
    outs = [""] * len(plan.outputs)
    copies: list[tuple[tuple[str, int], str, Any]] = []
    for (kind, where), target in zip(plan.results, targets, strict=True):
        if kind == "out" and target is not None and not outs[where]:
            outs[where] = target[0]
        elif target is not None:
            copies.append((target, kind, where))
    pointers = [f"ptr {x}" for x in [*ins, *outs, arena, "%const", "%host", "%error"]]
    rc = f.put(f"call i64 {inner.name}({', '.join([*pointers, 'i64 %threads'])})")
    f.stop_if(f.put(f"icmp ne i64 {rc}, 0"), rc)
    for (to, nbytes), kind, where in copies:
        t = type_of(np.asarray(where).dtype) if kind == "value" and np.shape(where) == () else None
        if t is not None and np.asarray(where).dtype.kind != "c":
            f.lines.append(f"store {memory_type(t)} {literal(where, t) if t != 'b1' else int(where)}, ptr {to}")
            continue
        source = outs[where] if kind == "out" else ins[where] if kind == "in" else inner.constant(f, kind, where)
        f.copy(to, source, nbytes)


class _Loop:
    def __init__(self, f: Any, step: Repeat, plans: tuple[Plan, ...], scratch: int) -> None:
        self.f = f
        self.step = step
        self.body = plans[0]
        self.condition = plans[1] if step.conditional else None
        operands = [f.pointer(f.plan.places[x.index]) for x in step.equation.inputs]
        self.count = operands[0] if step.counted else ""
        self.fixed, starts, self.sequences = step.parts(operands)
        results = [f.pointer(f.plan.places[v.index]) for v in step.vars]
        self.stacks = results[step.carries :]
        self.rows = rows_of(step)
        carries = _carries(step, self.body, starts, results[: step.carries])
        kind = _Registers if in_registers(step, plans) else _Buffers
        self.memory: _Registers | _Buffers = kind(f, step, carries, scratch)

    def write(self) -> None:
        f, step, memory = self.f, self.step, self.memory
        limit = self._limit()
        memory.begin(limit)
        k = f.label()
        f.lines += [f"br label %enter{k}", f"enter{k}:", f"br label %head{k}", f"head{k}:"]
        i = f"%i{k}"
        f.lines.append(f"{i} = phi i64 [ 0, %enter{k} ], [ %next{k}, %latch{k} ]")
        memory.turn(i)
        go = f.put(f"icmp slt i64 {i}, {limit}") if limit is not None else self._holds(i)
        f.lines += [f"br i1 {go}, label %body{k}, label %after{k}", f"body{k}:"]
        at = i
        if step.reverse:
            last = str(int(limit) - 1) if limit.isdigit() else f.put(f"sub nsw i64 {limit}, 1")
            at = f.put(f"sub nsw i64 {last}, {i}")
        self._iteration(i, at)
        f.lines += [f"br label %latch{k}", f"latch{k}:", f"%next{k} = add nuw nsw i64 {i}, 1", f"br label %head{k}"]
        f.lines.append(f"after{k}:")
        if self.condition is not None:
            self._bound(i)
        memory.finish(i)

    def _limit(self) -> Any:
        """The number of iterations; None if a condition decides."""
        f = self.f
        if self.condition is not None:
            return None
        if not self.step.counted:
            return str(self.step.length)
        count = f.put(f"load i64, ptr {self.count}")
        self._bound(count)
        return f.clamped(count, self.step.length)

    def _bound(self, count: str) -> None:
        """Fail where there were, or are to be, more iterations than there is room for."""
        step = self.step
        if step.tag is not None and step.length is not None:
            self.f.stop_if(
                self.f.put(f"icmp sgt i64 {count}, {step.length}"), self.f.code_of(Capacity(step.tag)), count
            )

    def _holds(self, i: str) -> str:
        """Whether the condition of the loop holds before iteration `i`."""
        f, memory = self.f, self.memory
        assert self.condition is not None
        f.lines.append(f"store i64 {i}, ptr {memory.counter}")
        ins = [memory.counter, *self.fixed, *memory.old]
        call_inner(f, self.condition, ins, [(memory.flag, 1)], memory.arena, False)
        return f.put(f"icmp ne i8 {f.put(f'load i8, ptr {memory.flag}')}, 0")

    def _iteration(self, i: str, at: str) -> None:
        f, step, memory = self.f, self.step, self.memory
        f.lines.append(f"store i64 {at}, ptr {memory.counter}")
        _, _, inputs = step.parts(step.equation.inputs)
        elements = []
        for p, v in zip(self.sequences, inputs, strict=True):
            nbytes = v.size // v.shape[0] * v.dtype.itemsize if v.shape[0] else 0
            elements.append(self._row(p, nbytes, at))
        rows: list[tuple[str, int]] = []
        late: list[tuple[str, str, int]] = []
        inside = f.put(f"icmp slt i64 {i}, {step.length}") if self.condition is not None and self.rows else ""
        for k, (p, n) in enumerate(zip(self.stacks, self.rows, strict=True)):
            row = self._row(p, n, at)
            if inside:
                row, kept = memory.guarded(k, row, inside), row
                if row != kept and isinstance(memory, _Registers):
                    late.append((kept, row, n))
            rows.append((row, n))
        ins = [memory.counter, *self.fixed, *memory.old, *elements]
        call_inner(f, self.body, ins, [*memory.targets(), *rows], memory.arena, True)
        if late:
            k = f.label()
            f.lines += [f"br i1 {inside}, label %keep{k}, label %kept{k}", f"keep{k}:"]
            for to, source, n in late:
                f.copy(to, source, n)
            f.lines += [f"br label %kept{k}", f"kept{k}:"]
        memory.close()

    def _row(self, pointer: str, nbytes: int, at: str) -> str:
        """The pointer to element `at` of a stack."""
        far = self.f.put(f"mul nuw nsw i64 {at}, {nbytes}")
        return self.f.put(f"getelementptr inbounds i8, ptr {pointer}, i64 {far}")


class _Carry:
    """One carry: where it starts, where its result goes, its bytes."""

    def __init__(self, start: str, result: str, nbytes: int, fixed: bool, stays: bool) -> None:
        self.start = start
        self.result = result
        self.nbytes = nbytes
        self.fixed = fixed  # the body returns what it is given
        self.stays = stays  # the body overwrites what it is given
        self.a = self.b = ""


def _carries(step: Repeat, body: Plan, starts: Sequence[str], results: Sequence[str]) -> list[_Carry]:
    out = []
    for k, (start, result) in enumerate(zip(starts, results, strict=True)):
        kind, at = body.results[k]
        v = step.vars[k]
        fixed = kind == "in" and at == 1 + step.constants + k
        out.append(_Carry(start, result, v.size * v.dtype.itemsize, fixed, kind == "out" and at in body.in_place))
    return out


class _Registers:
    """The memory of a small loop: local variables."""

    def __init__(self, f: Any, step: Repeat, carries: list[_Carry], scratch: int) -> None:
        self.f = f
        self.carries = carries
        self.counter = f.local(8)
        self.flag = f.local(1)
        self.arena = "%arena"
        self.old: list[str] = []
        for c in carries:
            c.a = c.start if c.fixed else f.local(c.nbytes)
            c.b = c.a if c.fixed or c.stays else f.local(c.nbytes)
        self.rows = [f.local(n) for n in rows_of(step)] if step.conditional else []

    def begin(self, limit: Any) -> None:
        for c in self.carries:
            self.f.copy(c.a, c.start, c.nbytes)
        self.old = [c.a for c in self.carries]

    def turn(self, i: str) -> None:
        """Where the carries are in iteration `i` is where they always are."""

    def targets(self) -> list[tuple[str, int] | None]:
        return [None if c.fixed else (c.b, c.nbytes) for c in self.carries]

    def guarded(self, k: int, row: str, inside: str) -> str:
        """Where row k goes before it is known whether it is kept."""
        return self.rows[k]

    def close(self) -> None:
        for c in self.carries:
            self.f.copy(c.a, c.b, c.nbytes)

    def finish(self, i: str) -> None:
        for c in self.carries:
            self.f.copy(c.result, c.a, c.nbytes)


class _Buffers:
    """The memory of a large loop: counter, answer of the condition, one buffer per carry, unwanted rows, an arena."""

    def __init__(self, f: Any, step: Repeat, carries: list[_Carry], scratch: int) -> None:
        self.f = f
        self.carries = carries
        self.counter = self._at(scratch)
        self.flag = self._at(scratch + ALIGN)
        at = scratch + HEAD
        for c in carries:
            c.a = c.result
            c.b = c.result if c.stays else self._at(at)
            at += padded(c.nbytes)
        self.rows = []
        for n in rows_of(step) if step.conditional else []:
            self.rows.append(self._at(at))
            at += padded(n)
        self.arena = self._at(at)
        self.old: list[str] = []
        self.new: list[str] = []
        self.known = False

    def _at(self, offset: int) -> str:
        name: str = self.f.fresh()
        self.f.allocas.append(f"{name} = getelementptr inbounds i8, ptr %arena, i64 {offset}")
        return name

    def begin(self, limit: Any) -> None:
        """Copy the carries that the body overwrites; the last iteration shall write to the memory of the result."""
        self.known = limit is not None and limit.isdigit()
        for c in self.carries:
            if c.stays:
                self.f.copy(c.a, c.start, c.nbytes)
            elif self.known and int(limit) % 2 == 0:
                c.a, c.b = c.b, c.a

    def turn(self, i: str) -> None:
        """Where the carries are in iteration `i`, and where they go."""
        f = self.f
        if any(not c.stays and not c.fixed for c in self.carries):
            even = f.put(f"icmp eq i64 {f.put(f'and i64 {i}, 1')}, 0")
            begun = f.put(f"icmp eq i64 {i}, 0")
        self.old, self.new = [], []
        for c in self.carries:
            old = new = c.start if c.fixed else c.a
            if not c.stays and not c.fixed:
                later = f.put(f"select i1 {even}, ptr {c.b}, ptr {c.a}")
                old = f.put(f"select i1 {begun}, ptr {c.start}, ptr {later}")
                new = f.put(f"select i1 {even}, ptr {c.a}, ptr {c.b}")
            self.old.append(old)
            self.new.append(new)

    def targets(self) -> list[tuple[str, int] | None]:
        return [None if c.fixed else (p, c.nbytes) for c, p in zip(self.carries, self.new, strict=True)]

    def guarded(self, k: int, row: str, inside: str) -> str:
        """Where row k goes: one that does not fit is thrown away."""
        return self.f.put(f"select i1 {inside}, ptr {row}, ptr {self.rows[k]}")

    def close(self) -> None:
        """The next iteration finds the carries where they are."""

    def finish(self, i: str) -> None:
        """After `i` iterations, bring to the memory of the results what is not there."""
        f = self.f
        moved = [c for c in self.carries if not c.stays and not c.fixed]
        for c in self.carries:
            if c.fixed:
                f.copy(c.result, c.start, c.nbytes)
        if not moved:
            return
        none = f.put(f"icmp eq i64 {i}, 0")
        elsewhere = none if self.known else f.put(f"icmp eq i64 {f.put(f'and i64 {i}, 1')}, 0")
        k = f.label()
        f.lines += [f"br i1 {elsewhere}, label %move{k}, label %moved{k}", f"move{k}:"]
        for c in moved:
            f.copy(c.result, c.start if self.known else f.put(f"select i1 {none}, ptr {c.start}, ptr {c.b}"), c.nbytes)
        f.lines += [f"br label %moved{k}", f"moved{k}:"]
