"""Programs inside programs: the bodies and conditions of loops, the branches; their plans and their memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.graph import Equation, Graph, Var
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
_IN_REGISTERS = 1 << 11  # bytes of carries and rows up to which they have no memory of their own


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
    return _branches(step, make)


def _branches(step: Nested, make: Callable[..., Plan]) -> tuple[Plan, ...]:
    """The plans of branches, in which arrays that each of them writes to or leaves alone stay where they are."""
    pairs = written_pairs(step.graphs)
    while True:
        plans = tuple([make(g, None, pairs) for g in step.graphs])
        kept = {o: i for o, i in pairs.items() if all(_stays(p, o, i) for p in plans)}
        if len(kept) == len(pairs):
            return plans
        pairs = kept


def written_pairs(graphs: Sequence[Graph]) -> dict[int, int]:
    """The outputs that all programs make by writing to the same input, or are that input."""
    found: dict[int, int] = {}
    makers = [{v.index: eq for eq in g.equations for v in eq.outputs} for g in graphs]
    for o, x in enumerate(graphs[0].outputs):
        origins = {_origin(g, m, g.outputs[o]) for g, m in zip(graphs, makers, strict=True)}
        i = origins.pop() if len(origins) == 1 else None
        if i is not None and i not in found.values() and graphs[0].inputs[i].aval[:2] == x.aval[:2]:
            found[o] = i
    return found


def _origin(graph: Graph, makers: dict[int, Equation], x: Any) -> int | None:
    while type(x) is Var and x.index in makers and makers[x.index].primitive.writes:
        x = makers[x.index].inputs[0]
    return next((k for k, v in enumerate(graph.inputs) if v is x), None)


def _stays(p: Plan, o: int, i: int) -> bool:
    """Whether output `o` is in the memory of input `i`."""
    kind, at = p.results[o]
    return (kind, at) == ("in", i) or (kind == "out" and at in p.in_place)


def padded(nbytes: int) -> int:
    """Bytes, up to the next multiple of the alignment."""
    return -(-max(nbytes, 1) // ALIGN) * ALIGN


def _nbytes(aval: Any) -> int:
    return int(aval.size * aval.dtype.itemsize)


def kept_in_place(step: Nested, plans: tuple[Plan, ...]) -> list[tuple[Var, Var]]:
    """The operands that are overwritten, with the results that take their memory."""
    if not isinstance(step, Repeat):
        return [(step.equation.inputs[1 + i], step.vars[o]) for o, i in plans[0].pairs.items()]
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
