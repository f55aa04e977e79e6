"""Reverse mode through a loop: one loop that keeps what the pullback of its body needs, and one that runs backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.errors import NotDifferentiableError
from ...core.graph import Var
from ...core.tracer import concrete
from ...core.values import Aval, dtype_of
from ..programs.derivatives import Source
from .again import Again, is_better
from .capacity import capacity_of, tag_of, with_capacities
from .loop import Operands, bind_loop, is_recorded, out_avals
from .split import Kept, Split, dependent

__all__ = ["pull", "residuals", "transpose"]


def residuals(args: Sequence[Any], params: dict[str, Any], parents: Sequence[int]) -> tuple[Any, dict[str, Any]]:
    """Run a loop and keep what its pullback needs: the slot `Primitive.residuals`."""
    wanted = [p > 0 for p in parents]
    if is_recorded(args):
        return _run(args, params, wanted)
    return with_capacities(lambda: _run(args, params, wanted))


def _run(args: Sequence[Any], params: dict[str, Any], wanted: Sequence[bool]) -> tuple[Any, dict[str, Any]]:
    operands = Operands.of(args, params)
    split = Split(params, wanted)
    stacked = split.stacked()
    length, tag = params["length"], params.get("tag")
    again = False
    if stacked and length is None:
        length, tag = _room(args, params)
        again = tag is not None and length is not None and not operands.sequences and is_better(split, length)
        stacked = [] if again else stacked
    starts = operands.carries if split.cond is None else [*operands.carries, np.int64(0)]
    out = bind_loop(
        operands._replace(carries=starts),
        split.forward(stacked),
        length=length,
        reverse=params["reverse"],
        cond=split.condition(),
        tag=tag,
    )
    stacks = out[len(starts) :]
    results = (*out[: split.carries], *stacks[: split.count - split.carries])
    values = split.invariants(operands)
    values.update(zip(stacked, stacks[split.count - split.carries :], strict=True))
    count = operands.count if split.cond is None else [out[split.carries]]
    return results, {**params, "kept": (Again if again else Kept)(split, params, values, length, count)}


def _room(args: Sequence[Any], params: dict[str, Any]) -> tuple[int | None, int | None]:
    """The length and the tag of a loop of which nobody knew how often it runs, now that it has residuals."""
    if is_recorded(args):
        tag = tag_of(params["body"], params.get("cond"))
        return capacity_of(tag), tag
    if params.get("cond") is not None:
        return None, None
    return int(np.max(concrete(args[0]), initial=0)), None


def pull(
    ct: Sequence[Any], wanted: Sequence[bool], out: Sequence[Any], args: Sequence[Any], kept: Kept | Again
) -> list[Any]:
    """The cotangents of the inputs of a loop: the slot `Primitive.vjp`."""
    split = kept.split
    given = tuple([c is not None and d for c, d in zip(ct, split.tape.depends, strict=True)])
    cts: list[Any] = [None] * len(args)
    if not any(given):
        return cts
    if isinstance(kept, Again):
        kept, out = kept.kept(args)
    back = split.backward(given)
    first = len(args) - len(split.body.inputs) + 1  # of the inputs, after the count

    def value(source: Source) -> Any:
        kind, i = source
        return {"arg": lambda: args[first + i - 1], "residual": lambda: kept.values[i]}.get(
            kind, lambda: (ct if kind == "seed" else out)[i]
        )()

    avals = out_avals(split.body)
    starts = [_zeros(avals[k]) if ct[k] is None else _as(ct[k], avals[k]) for k in back.cts]
    starts += [out[split.places[r].carry] for r in back.afters]
    starts += [_zeros(split.body.inputs[i].aval) for i in back.sums]
    sequences = [value(s) for s in back.sequences]
    length = kept.length
    if length is None and sequences:
        length = sequences[0].shape[0]
    results = bind_loop(
        Operands(kept.count, [value(s) for s in back.constants], starts, sequences),
        back.body,
        length=length,
        reverse=not kept.params["reverse"],
    )
    at = len(back.cts)
    for k, c in zip(back.cts, results, strict=False):
        cts[first + split.constants + k] = c
    ends = list(results[at + len(back.afters) :])
    if kept.params.get("counted"):
        ends[len(back.sums) :] = [_rows_before(kept.count[0], x) for x in ends[len(back.sums) :]]
    for i, c in zip([*back.sums, *back.stacks], ends, strict=True):
        cts[first + i - 1] = c
    return [c if w else None for c, w in zip(cts, wanted, strict=True)]


def _rows_before(count: Any, stack: Any) -> Any:
    """The stack with zeros in the rows that a counted loop has not been to, where a compiled one leaves anything."""
    shape = np.shape(stack)
    there = np.reshape(np.less(np.arange(shape[0]), count), (shape[0],) + (1,) * (len(shape) - 1))
    return np.where(there, stack, stack.dtype.type(0))


def _zeros(aval: Aval) -> Any:
    return np.zeros(aval.shape, aval.dtype) if aval.shape else aval.dtype.type(0)


def _as(ct: Any, aval: Aval) -> Any:
    return ct if dtype_of(ct) == aval.dtype else ct.astype(aval.dtype)


def transpose(ct: Sequence[Any], args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
    """The transpose of a loop that is linear in those inputs that are variables; what it keeps depends on the others.

    The loop runs forwards with zeros in place of the variables.
    """
    wanted = [type(x) is Var for x in args]
    values = [_zeros(x.aval) if type(x) is Var else x for x in args]
    _check_linear(Split(params, wanted), ct)

    def run() -> list[Any]:
        out, more = _run(values, params, wanted)
        return pull(ct, wanted, out, values, more["kept"])

    return run() if is_recorded([*values, *ct]) else with_capacities(run)


def _check_linear(split: Split, ct: Sequence[Any]) -> None:
    """Raise unless the pullback is the same whatever the values of the inputs to which a derivative flows."""
    forward = split.tape.forward
    moving = [v for v, w in zip(forward.inputs, split.wanted, strict=True) if w]
    depends = dependent(forward, moving)
    back = split.backward(tuple([c is not None and d for c, d in zip(ct, split.tape.depends, strict=True)]))
    read = {"arg": forward.inputs, "residual": split.kept, "out": forward.outputs}
    needed = [read[kind][i] for kind, i in back.derived.sources if kind in read]
    nonlinear = any(type(x) is Var and x.index in depends for x in needed)
    if split.cond is not None:
        moving = [v for v, w in zip(split.cond.inputs, split.wanted, strict=False) if w]
        (decision,) = split.cond.outputs
        nonlinear = nonlinear or (type(decision) is Var and decision.index in dependent(split.cond, moving))
    if nonlinear:
        raise NotDifferentiableError("a loop is not linear in its traced argument")
