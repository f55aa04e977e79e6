"""Native branches: a number chooses which of several functions computes the results."""

from __future__ import annotations

from typing import Any

from ..loops.definitions import Branch
from ..loops.plan import Plan
from .repeat import call_inner

__all__ = ["write_branch"]

_OFTEN = 2000


def _work(plan: Plan) -> int:
    return len(plan.steps)


def write_branch(f: Any, step: Branch, plans: tuple[Plan, ...], scratch: int) -> None:
    """Write the choice `step` into the function `f` of a program."""
    index, *ins = [f.pointer(f.plan.places[x.index]) for x in step.equation.inputs]
    targets = [(f.pointer(f.plan.places[v.index]), v.size * v.dtype.itemsize) for v in step.vars]
    for o, i in plans[0].pairs.items():
        # What all branches write to is written to where the result shall be.
        f.copy(targets[o][0], ins[i], targets[o][1])
        ins[i] = targets[o][0]
    arena = f.fresh()
    f.allocas.append(f"{arena} = getelementptr inbounds i8, ptr %arena, i64 {scratch}")
    at = f.clamped(f.put(f"load i64, ptr {index}"), len(plans) - 1)
    k = f.label()
    if len(plans) == 2:
        # A jump, not a choice between the results of both: who wants that writes np.where. LLVM would compute both if
        # it were not told that one is rare.
        costly = _work(plans[1]) >= _work(plans[0])
        weights = f.module.weights((_OFTEN, 1) if costly else (1, _OFTEN))
        zero = f.put(f"icmp eq i64 {at}, 0")
        f.lines.append(f"br i1 {zero}, label %case{k}.0, label %case{k}.1, !prof {weights}")
    else:
        cases = " ".join([f"i64 {n}, label %case{k}.{n}" for n in range(1, len(plans))])
        f.lines.append(f"switch i64 {at}, label %case{k}.0 [ {cases} ]")
    for n, plan in enumerate(plans):
        f.lines.append(f"case{k}.{n}:")
        call_inner(f, plan, ins, targets, arena, False)
        f.lines.append(f"br label %join{k}")
    f.lines.append(f"join{k}:")
