"""How much trouble LLVM should take: no more than the program is worth."""

from __future__ import annotations

import math
from typing import Any

from ..loops.definitions import Dot, Repeat
from ..loops.kernels import Box
from ..loops.plan import Plan

__all__ = ["level_of"]

_LONG = 300_000  # operations from which a few per cent of them are worth more than a third of the time to compile
_CALL = 15  # operations that a mathematical function counts as
_UNKNOWN = 1000  # iterations of a loop that ends when it ends
_LARGE = 200_000  # characters from which vectorising straight-line code takes longer than everything else together


def level_of(p: Plan, text: str) -> int:
    """The level for `llvm.compile_ir` of a program with the IR `text`.

    On programs of a few microseconds, level 2 gives code as quick as level 3 and takes a tenth to a third less time;
    on long ones code from level 3 is up to a tenth quicker.
    """
    if _operations(p) >= _LONG:
        return 3
    return 2 if len(text) < _LARGE else 1


def _operations(p: Plan) -> int:
    """Operations of a program, roughly, calls of Python and of LAPACK not counted."""
    return sum([_of_step(step, p.bodies[k], p.inner.get(k, ())) for k, step in enumerate(p.steps)])


def _of_step(step: Any, body: list[Box] | None, inner: tuple[Plan, ...]) -> int:
    if body is not None:
        return sum([_of_one(b) * math.prod([s.high - s.low + 1 for s in b.symbols]) for b in body])
    if isinstance(step, Dot):
        return math.prod([*step.call.stack, *step.call.sizes])
    if isinstance(step, Repeat):
        times = _UNKNOWN if step.length is None else step.length
        return times * sum(map(_operations, inner))
    return max(map(_operations, inner), default=0)


def _of_one(box: Box) -> int:
    return sum([_CALL if n.op == "call" else 1 for n in box.nodes.all])
