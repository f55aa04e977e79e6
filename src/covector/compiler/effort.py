"""How much trouble LLVM should take: no more than the program is worth."""

from __future__ import annotations

import math
from typing import Any

from .definitions import Dot, Repeat
from .loops import Kernel
from .plan import Plan

__all__ = ["level_of"]

_LONG = 10_000  # loop iterations from which a few per cent of them are worth more than a third of the time to compile
_LARGE = 200_000  # characters from which vectorising straight-line code takes longer than everything else together


def level_of(p: Plan, text: str) -> int:
    """The level for `llvm.compile_ir` of a program with the IR `text`.

    On programs of a few microseconds, level 2 gives code as quick as level 3 and takes a tenth to a third less time;
    on long ones code from level 3 is up to a tenth quicker.
    """
    if _iterations(p) >= _LONG:
        return 3
    return 2 if len(text) < _LARGE else 1


def _iterations(p: Plan) -> int:
    """Loop iterations of a program, a call of Python or of LAPACK counted as one."""
    return sum([_of_step(step, p.inner.get(k)) for k, step in enumerate(p.steps)])


def _of_step(step: Any, inner: Plan | None) -> int:
    if isinstance(step, Kernel):
        return math.prod(step.space)
    if isinstance(step, Dot):
        return math.prod([*step.call.stack, *step.call.sizes])
    if isinstance(step, Repeat) and inner is not None:
        return int(step.equation.params["length"]) * _iterations(inner)
    return math.prod(getattr(step, "extent", ()))
