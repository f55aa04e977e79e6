"""Native loops: the body of a `loop` equation is a function, called with pointers that move."""

from __future__ import annotations

from typing import Any

from ..loops.definitions import Repeat
from ..loops.plan import Plan, carries_of, padded

__all__ = ["write_repeat"]

_HEAD = 64  # bytes of the counter at the start of a loop's memory


def write_repeat(f: Any, step: Repeat, inner: Plan, scratch: int) -> None:
    """Write the loop `step` into the function `f` of a program."""
    eq = step.equation
    params = eq.params
    constants, carries, length = params["constants"], params["carries"], params["length"]
    module = f.module
    body = type(f)(module, inner, module.name("body"))
    body.write()
    buffers = _Buffers(f, step, inner, scratch)
    fixed = [buffers.operand(x) for x in eq.inputs[:constants]]
    starts = [buffers.operand(x) for x in eq.inputs[constants : constants + carries]]
    sequences = [buffers.operand(x) for x in eq.inputs[constants + carries :]]
    stacks = [f.pointer(f.plan.places[v.index]) for v in eq.outputs[carries:]]
    starts = buffers.prepare(starts)

    def iteration(counter: str) -> None:
        at = f.put(f"sub nsw i64 {length - 1}, {counter}") if params["reverse"] else counter
        f.lines.append(f"store i64 {at}, ptr {buffers.counter}")
        old, new = buffers.turn(starts, counter)
        elements = [_element(f, p, v, at) for p, v in zip(sequences, eq.inputs[constants + carries :], strict=True)]
        rows = [_element(f, p, v, at) for p, v in zip(stacks, eq.outputs[carries:], strict=True)]
        ins = [buffers.counter, *fixed, *old, *elements]
        outs: list[str] = [""] * len(inner.outputs)
        copies: list[tuple[str, str, Any, int]] = []
        sizes = [*[_nbytes(v) for v in eq.outputs[:carries]], *[_nbytes(v) // length for v in eq.outputs[carries:]]]
        for (kind, where), target, nbytes in zip(inner.results, [*new, *rows], sizes, strict=True):
            if kind == "out" and not outs[where]:
                outs[where] = target
            else:
                copies.append((target, kind, where, nbytes))
        pointers = [f"ptr {x}" for x in [*ins, *outs, buffers.arena, "%const", "%host", "%error"]]
        args = ", ".join([*pointers, "i64 %threads"])
        rc = f.put(f"call i64 {body.name}({args})")
        f.stop_if(f.put(f"icmp ne i64 {rc}, 0"), rc)
        for target, kind, where, nbytes in copies:
            source = outs[where] if kind == "out" else ins[where] if kind == "in" else body.constant(f, kind, where)
            f.copy(target, source, nbytes)

    if length:
        f.counted(length, iteration)
    for v, source in zip(eq.outputs[:carries], buffers.final(starts, length), strict=True):
        f.copy(f.pointer(f.plan.places[v.index]), source, _nbytes(v))


def _nbytes(v: Any) -> int:
    return v.size * v.dtype.itemsize


def _element(f: Any, pointer: str, v: Any, at: str) -> str:
    """The pointer to element `at` of a stack."""
    step = _nbytes(v) // v.shape[0] if v.shape[0] else 0
    far = f.put(f"mul nsw i64 {at}, {step}")
    return f.put(f"getelementptr inbounds i8, ptr {pointer}, i64 {far}")


class _Buffers:
    """The memory of a loop: counter, then the two buffers of each carry, then the body's arena."""

    def __init__(self, f: Any, step: Repeat, inner: Plan, scratch: int) -> None:
        self.f = f
        self.carries = carries_of(step)
        self.in_place = [kind == "out" and at in inner.in_place for kind, at in inner.results[: len(self.carries)]]
        self.counter = self._at(scratch)
        at = scratch + _HEAD
        self.pairs = []
        for v in self.carries:
            self.pairs.append((self._at(at), self._at(at + padded(v.aval))))
            at += 2 * padded(v.aval)
        self.arena = self._at(at)

    def _at(self, offset: int) -> str:
        name = self.f.fresh()
        self.f.allocas.append(f"{name} = getelementptr inbounds i8, ptr %arena, i64 {offset}")
        return name

    def operand(self, x: Any) -> str:
        """The pointer to an input of the loop."""
        return self.f.pointer(self.f.plan.places[x.index])

    def prepare(self, starts: list[str]) -> list[str]:
        """Copy the initial carries that the body changes in place."""
        for v, here, start, (a, _) in zip(self.carries, self.in_place, starts, self.pairs, strict=True):
            if here:
                self.f.copy(a, start, v.size * v.dtype.itemsize)
        return starts

    def turn(self, starts: list[str], counter: str) -> tuple[list[str], list[str]]:
        """Where the carries are in this iteration, and where they go."""
        f = self.f
        even = f.put(f"icmp eq i64 {f.put(f'and i64 {counter}, 1')}, 0")
        begun = f.put(f"icmp eq i64 {counter}, 0")
        old, new = [], []
        for here, start, (a, b) in zip(self.in_place, starts, self.pairs, strict=True):
            if here:
                old.append(a)
                new.append(a)
                continue
            later = f.put(f"select i1 {even}, ptr {b}, ptr {a}")
            old.append(f.put(f"select i1 {begun}, ptr {start}, ptr {later}"))
            new.append(f.put(f"select i1 {even}, ptr {a}, ptr {b}"))
        return old, new

    def final(self, starts: list[str], length: int) -> list[str]:
        """Where the carries are after the last iteration."""
        if not length:
            return starts
        return [a if here or length % 2 else b for here, (a, b) in zip(self.in_place, self.pairs, strict=True)]
