"""Programs inside programs: the bodies and conditions of loops, the branches; their plans and their memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.graph import Equation, Var
from ...core.values import Aval
from .definitions import Branch, Nested, Repeat

if TYPE_CHECKING:
    from .lowering import Lowered
    from .plan import Plan

__all__ = [
    "ALIGN",
    "HEAD",
    "in_registers",
    "kept_in_place",
    "nested",
    "padded",
    "plans_of",
    "rows_of",
    "scratch_size",
]

ALIGN = 64
HEAD = 2 * ALIGN  # bytes of the counter and of the answer of the condition, at the start of a loop's memory
_NUMBER = Aval((), np.dtype(np.int64))
_IN_REGISTERS = 1 << 13  # bytes of carries and rows up to which they have no memory of their own


def nested(lowered: Lowered, eq: Equation) -> Nested:
    """The definition of an equation with programs inside, with variables in the place of constants."""
    made: Nested = Repeat(eq) if eq.primitive.name == "loop" else Branch(eq)
    if isinstance(made, Repeat):
        # The elements of sequences have an axis less, but their dtype.
        avals = [*[_NUMBER] * made.counted, *[v.aval for v in made.graphs[0].inputs[1:]]]
    else:
        avals = [_NUMBER, *[v.aval for v in made.graphs[0].inputs]]
    inputs = []
    for x, a in zip(eq.inputs, avals, strict=True):
        inputs.append(x if type(x) is Var else lowered.constant(np.asarray(x, a.dtype)))
    made.equation = Equation(eq.primitive, inputs, eq.params, eq.outputs)
    return made


def _pairs(step: Repeat) -> dict[int, int]:
    """The outputs of the body of a loop that may take the memory of its inputs: carries may stay where they are."""
    return {k: 1 + step.constants + k for k in range(step.carries)}


def plans_of(step: Nested, make: Callable[..., Plan]) -> tuple[Plan, ...]:
    """The plans of the programs of a step, with ``make(graph, length of its counter, pairs)``."""
    if isinstance(step, Repeat):
        length = None if step.conditional else step.length
        body = make(step.graphs[0], length, _pairs(step))
        return (body, *[make(g, None, {}) for g in step.graphs[1:]])
    return tuple([make(g, None, {}) for g in step.graphs])


def padded(nbytes: int) -> int:
    """Bytes, up to the next multiple of the alignment."""
    return -(-max(nbytes, 1) // ALIGN) * ALIGN


def _nbytes(aval: Any) -> int:
    return int(aval.size * aval.dtype.itemsize)


def kept_in_place(step: Repeat, plans: tuple[Plan, ...]) -> list[tuple[Var, Var]]:
    """The initial carries that the body overwrites, with the results that take their memory."""
    if in_registers(step, plans):
        return []
    _, starts, _ = step.parts(step.equation.inputs)
    pairs = zip(starts, step.vars[: step.carries], plans[0].results, strict=False)
    return [(old, new) for old, new, (kind, at) in pairs if kind == "out" and at in plans[0].in_place]


def rows_of(step: Repeat) -> list[int]:
    """Bytes of the rows that a loop stacks."""
    found = []
    for v in step.vars[step.carries :]:
        n = v.dtype.itemsize
        for k in v.shape[1:]:
            n *= k
        found.append(n)
    return found


def in_registers(step: Repeat, plans: tuple[Plan, ...]) -> bool:
    """Whether the body becomes part of the loop, and its carries local variables."""
    rows = rows_of(step) if step.conditional else []
    carried = sum([padded(_nbytes(v.aval)) for v in step.vars[: step.carries]]) + sum(rows)
    return carried <= _IN_REGISTERS and all(p.small for p in plans)


def scratch_size(step: Nested, plans: tuple[Plan, ...]) -> int:
    """Bytes that a step needs besides its inputs and outputs."""
    arena = max([0 if p.small else p.arena for p in plans])
    if not isinstance(step, Repeat):
        return arena
    if in_registers(step, plans):
        return 0
    rows = sum([padded(n) for n in rows_of(step)]) if step.conditional else 0
    return HEAD + sum([padded(_nbytes(v.aval)) for v in step.vars[: step.carries]]) + rows + arena
