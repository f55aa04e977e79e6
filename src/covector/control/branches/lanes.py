"""`branch` for a batch: one decision for all lanes, or one for each.

Where every lane decides for itself there are three ways. *Gather*: each program runs on those lanes that take it, which
is exact and needs to know who takes which. *Select*: every program runs on all lanes, and each lane keeps what it
wants; lanes that do not take a program lend their place to one that does, so that nothing can overflow, divide by zero
or iterate forever there. In compiled code, which does not warn, they need not where it is clear that the programs end;
derivatives are kept from NaN all the same. *Loop*: lane after lane decides for itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.buffer import plain_of
from ...core.errors import ConcretizationError
from ...core.graph import Equation, Graph, Var, record
from ...core.programs import programs_in
from ...core.values import Aval, aval_of, dtype_of, shape_of
from ...ops.indexing import gather_p, scatter_p
from ...transforms.batching import BatchTrace, BatchTracer, Unmapped
from ...transforms.stop_gradient import stop_gradient
from ..loops.loop import loop_p
from ..programs.axes import Axis, axes_of, bound_axes, settle_axes
from ..programs.derivatives import batched
from ..programs.evaluation import is_evaluated
from .branch import branch_p, fitted, result_avals

__all__ = ["over_lanes", "work"]

Programs = tuple[Graph, ...]
_INDEX = Aval((), np.dtype(np.int64))


def over_lanes(trace: Any, args: Sequence[Any], mapped: Sequence[bool], branches: Programs, how: str) -> Any:
    """The batching rule of `branch`."""
    index, *operands = args
    if not mapped[0]:
        return _together(trace, index, operands, mapped[1:], branches, how)
    _check_axes(trace, branches)
    if trace.size == 0:
        return tuple([np.zeros((0, *a.shape), a.dtype) for a in result_avals(branches[0])])
    if how == "auto":
        if type(index) is np.ndarray:
            return _gathered(trace, index, operands, mapped[1:], branches)
        # Of lanes of lanes nobody knows here who takes which; the map around this one will.
        simple = _is_simple(operands, mapped[1:], branches)
        how = "select" if is_evaluated() or (simple and _is_cheap(branches)) else "loop"
        inner = "auto"
    else:
        simple, inner = _is_simple(operands, mapped[1:], branches), how
    if how == "loop":
        return _looped(trace, index, operands, mapped[1:], branches, inner)
    if simple and not is_evaluated():
        return _masked(trace, index, operands, mapped[1:], branches)
    return _selected(trace, index, operands, mapped[1:], branches, inner)


def _check_axes(trace: Any, branches: Programs) -> None:
    for graph in branches:
        for a in axes_of(graph):
            if a is trace or (isinstance(a, Axis) and a.name == trace.axis_name):
                raise ConcretizationError(
                    f"a branch of cond or switch contains a collective over the axis {trace.axis_name!r}, but along "
                    f"this axis the predicate differs from lane to lane, and lanes that take another branch would not "
                    f"take part; use the collective before or after cond, or np.where instead of cond"
                )


# --- one decision for all lanes ---------------------------------------------------------------------------------------


def _together(
    trace: Any, index: Any, operands: Sequence[Any], mapped: Sequence[bool], branches: Programs, how: str
) -> Any:
    if not any(mapped) and not any(map(axes_of, branches)):
        # It is mapped over in name only.
        return tuple(map(Unmapped, branch_p(index, *operands, branches=branches, how=how)))
    programs, mine = _batched(trace, mapped, branches)
    out = branch_p(index, *operands, branches=programs, how=how)
    return tuple([y if m else Unmapped(y) for y, m in zip(out, mine, strict=True)])


def _batched(trace: Any, mapped: Sequence[bool], branches: Programs) -> tuple[Programs, list[bool]]:
    """The branches for a batch, and which of their results are mapped."""
    pairs = []
    for graph in branches:
        axes = axes_of(graph)
        name = trace.axis_name if any(a is trace or getattr(a, "name", None) == trace.axis_name for a in axes) else None
        program, mine = batched(settle_axes(graph) if axes else graph, mapped, trace.size, name)
        pairs.append((bound_axes(program) if axes else program, mine))
    either = [any(found) for found in zip(*[mine for _, mine in pairs], strict=True)]
    return tuple([_spread(program, mine, either, trace.size) for program, mine in pairs]), either


def _spread(graph: Graph, mine: Sequence[bool], wanted: Sequence[bool], size: int) -> Graph:
    """The program with results that are the same for all lanes repeated where they are `wanted` for each."""
    if list(mine) == list(wanted):
        return graph

    def spread(*xs: Any) -> list[Any]:
        return [
            np.broadcast_to(y, (size, *shape_of(y))) if w and not m else y
            for y, m, w in zip(graph.run(*xs), mine, wanted, strict=True)
        ]

    return record(spread, [v.aval for v in graph.inputs], "cond")


# --- each lane for itself ---------------------------------------------------------------------------------------------


def _gathered(
    trace: Any, index: Any, operands: Sequence[Any], mapped: Sequence[bool], branches: Programs
) -> tuple[Any, ...]:
    """Run each program on the lanes that take it."""
    taken = np.clip(index, 0, len(branches) - 1)
    numbers = np.unique(taken)
    if len(numbers) == 1:
        return _on_lanes(trace, operands, mapped, branches[numbers[0]])
    lanes = [np.flatnonzero(taken == k) for k in numbers]
    parts = []
    for k, own in zip(numbers, lanes, strict=True):
        part = BatchTrace(trace.name, len(own))
        try:
            xs = [gather_p(x, own, unique=True) if m else x for x, m in zip(operands, mapped, strict=True)]
            parts.append(_on_lanes(part, xs, mapped, branches[k]))
        finally:
            part.close()
    place = np.empty(trace.size, np.intp)
    place[np.concatenate(lanes)] = np.arange(trace.size)
    return tuple([gather_p(np.concatenate(ys), place, unique=True) for ys in zip(*parts, strict=True)])


def _on_lanes(trace: Any, operands: Sequence[Any], mapped: Sequence[bool], graph: Graph) -> tuple[Any, ...]:
    """Run a program on all lanes of `trace`."""
    lanes = [trace.tracer(x) if m else x for x, m in zip(operands, mapped, strict=True)]
    return tuple([_lanes_of(trace, y) for y in bound_axes(graph).run(*lanes)])


def _lanes_of(trace: Any, y: Any) -> Any:
    mine = isinstance(y, BatchTracer) and y._trace is trace
    return y.value if mine else np.broadcast_to(plain_of(y), (trace.size, *shape_of(y)))


def _takes(index: Any, k: int, count: int) -> Any:
    """Which lanes take program k."""
    return index <= 0 if k == 0 else index >= count - 1 if k == count - 1 else index == k


def _masked(
    trace: Any, index: Any, operands: Sequence[Any], mapped: Sequence[bool], branches: Programs
) -> tuple[Any, ...]:
    """Run all programs on all lanes, whatever comes of it: nobody looks at it.

    Only derivatives of what nobody looks at have to be kept from becoming NaN: they end before the program.
    """
    out: list[Any] = []
    for k, graph in enumerate(branches):
        takes = _takes(index, k, len(branches))
        xs = [
            np.where(_over(takes, x), x, stop_gradient(x)) if dtype_of(x).kind in "fc" else x
            for x in [
                x if m or dtype_of(x).kind not in "fc" else np.broadcast_to(x, (trace.size, *shape_of(x)))
                for x, m in zip(operands, mapped, strict=True)
            ]
        ]
        own = [m or dtype_of(x).kind in "fc" for x, m in zip(xs, mapped, strict=True)]
        ys = _on_lanes(trace, xs, own, graph)
        out = [np.where(_over(takes, y), y, z) for y, z in zip(ys, out, strict=True)] if out else list(ys)
    return tuple(out)


def _selected(
    trace: Any, index: Any, operands: Sequence[Any], mapped: Sequence[bool], branches: Programs, inner: str
) -> tuple[Any, ...]:
    """Run all programs on all lanes; `inner` is how maps around this one shall decide."""
    avals = result_avals(branches[0])
    lanes = [Aval((trace.size, *a.shape), a.dtype) for a in avals]
    out: list[Any] = []
    for k, graph in enumerate(branches):
        takes = _takes(index, k, len(branches))
        # Whose place the other lanes take: derivatives do not flow there.
        one = np.argmax(takes)
        xs = [
            np.where(_over(takes, x), x, stop_gradient(gather_p(x, one, unique=True))) if m else x
            for x, m in zip(operands, mapped, strict=True)
        ]
        (program,), mine = _batched(trace, mapped, (graph,))
        program = _spread(program, mine, [True] * len(mine), trace.size)
        # If no lane takes it nothing is evaluated.
        given = {i: aval_of(x)._replace(weak=False) for i, x in enumerate(xs)}
        nothing = fitted(Graph(), (), (), given, lanes)
        some = np.any(takes).astype(np.int64)
        ys = branch_p(some, *xs, branches=(nothing, program), how=inner)
        out = [np.where(_over(takes, y), y, z) for y, z in zip(ys, out, strict=True)] if out else list(ys)
    return tuple(out)


def _over(takes: Any, x: Any) -> Any:
    """One bool per lane, with axes to go with those of `x`."""
    return takes.reshape((-1,) + (1,) * (len(shape_of(x)) - 1))


def _looped(
    trace: Any, index: Any, operands: Sequence[Any], mapped: Sequence[bool], branches: Programs, inner: str
) -> tuple[Any, ...]:
    """Run lane after lane; `inner` is how maps around this one shall decide."""
    avals = [aval_of(x)._replace(weak=False) for x in operands]
    shared = [i for i, m in enumerate(mapped) if not m]
    own = [i for i, m in enumerate(mapped) if m]

    def lane(_: Any, *xs: Any) -> Any:
        constants, (number, *elements) = xs[: len(shared)], xs[len(shared) :]
        full = {**dict(zip(shared, constants, strict=True)), **dict(zip(own, elements, strict=True))}
        return branch_p(number, *[full[i] for i in range(len(operands))], branches=branches, how=inner)

    of_one = [_INDEX, *[avals[i] for i in shared], Aval((), dtype_of(index))]
    of_one += [Aval(avals[i].shape[1:], avals[i].dtype) for i in own]
    sequences = [index, *[operands[i] for i in own]]
    body = record(lane, of_one, "cond")
    constants = [operands[i] for i in shared]
    params = {"body": body, "constants": len(shared), "carries": 0, "length": trace.size, "reverse": False}
    return tuple(loop_p(*constants, *sequences, **params))


# --- which way --------------------------------------------------------------------------------------------------------

_DECISION = 16.0
"""Additions in the time of a decision that the processor did not foresee."""

_TOGETHER = 6.0
"""How many lanes are computed together where each is a few numbers."""

_FEW = 16
"""How many numbers of an operand that all lanes share may be repeated for each of them."""


def work(graph: Graph) -> tuple[float, bool]:
    """About how many numbers a program computes, each in the time of an addition, and whether it has loops."""
    total, loops = 0.0, False
    for eq in graph.equations:
        inner = [work(g) for g in programs_in(eq.params)]
        times = (eq.params["length"] or 10) if eq.primitive is loop_p else 1
        total += times * sum(cost for cost, _ in inner)
        loops = loops or eq.primitive is loop_p or any(found for _, found in inner)
        read = max([math.prod(shape_of(x)) for x in eq.inputs], default=0)
        total += max(read, sum(v.size for v in eq.outputs)) * _per_element(eq.primitive)
    return total, loops


_CHEAP = frozenset({"add", "subtract", "multiply", "negative", "where", "convert", "square", "maximum", "minimum"})


def _per_element(primitive: Any) -> float:
    if primitive.sparsity == "moves" or primitive.name in _CHEAP:
        return 1.0
    return 10.0 if primitive.family == "elementwise" else 4.0


def _is_simple(operands: Sequence[Any], mapped: Sequence[bool], branches: Programs) -> bool:
    """Whether all programs may run on all lanes as they are: they end, cannot fail, and no large operand is shared."""
    shared = [x for x, m in zip(operands, mapped, strict=True) if not m and dtype_of(x).kind in "fc"]
    return all(math.prod(shape_of(x)) <= _FEW for x in shared) and all(map(_is_total, branches))


_TOTAL = frozenset({"elementwise", "choice", "constant", "linear", "multilinear", "concat", "extremum", "weighted"})


def _is_total(graph: Graph) -> bool:
    """Whether a program returns something whatever it is given: no loops, factorizations or indices out of bounds."""
    return all(map(_returns, graph.equations))


def _returns(eq: Equation) -> bool:
    primitive = eq.primitive
    if primitive is branch_p:
        return all(map(_is_total, eq.params["branches"]))
    if primitive in (gather_p, scatter_p) and any(type(x) is Var for x in eq.inputs[1:]):
        return False
    return primitive.family in _TOTAL and primitive.lower is not None


def _is_cheap(branches: Programs) -> bool:
    """Whether evaluating all programs for all lanes is less work than what each lane needs, lane after lane."""
    costs = [work(graph)[0] for graph in branches]
    sizes = [v.size for graph in branches for eq in graph.equations for v in eq.outputs]
    together = _TOGETHER if max(sizes, default=0) <= _TOGETHER else 1.0
    return sum(costs) / together <= sum(costs) / len(costs) + _DECISION
