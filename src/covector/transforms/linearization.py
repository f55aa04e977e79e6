"""A function linearized at a point: its tape and the structure of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, TypeVar

import numpy as np

from ..core import tree
from ..core.buffer import BufferValue
from ..core.cotangents import unshared, zeros
from ..core.tracer import Tracer
from ..core.values import Aval, aval_of
from .arguments import Place, differentiated_leaves, output_leaves, own, restore_kind, split_aux
from .collective_primitives import varies, vary
from .reverse import ReverseArray, ReverseTrace, ReverseTracer, pull_back, push_forward
from .vmap import named_axes

__all__ = ["Linearization", "escaped", "lower_aux", "run_on_tape"]


class Linearization:
    """What running a function on a tape leaves behind: `pull` and `push` are its transpose and itself."""

    __slots__ = (
        "in_leaves",
        "in_slots",
        "in_treedefs",
        "out_avals",
        "out_axes",
        "out_slots",
        "out_treedef",
        "reduce_axes",
        "tape",
    )

    def __init__(self) -> None:
        self.tape: list[Any] = []
        self.in_leaves: list[list[Any]] = []
        self.in_slots: list[list[int]] = []
        self.in_treedefs: list[tree.TreeDef] = []
        self.out_slots: list[int] = []
        self.out_avals: list[Aval] = []
        self.out_treedef: tree.TreeDef = tree.LEAF
        # Per output leaf the named axes over which it varies; empty outside of all named axes.
        self.out_axes: list[list[Any]] = []
        self.reduce_axes: tuple[Any, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        names = [name for cls in type(self).__mro__ for name in getattr(cls, "__slots__", ())]
        return _unpickle, (type(self), {name: getattr(self, name) for name in names})

    def active(self) -> list[tuple[Any, int]]:
        """The differentiated input leaves and their slots."""
        pairs = zip(self.in_leaves, self.in_slots, strict=True)
        return [(x, s) for leaves, slots in pairs for x, s in zip(leaves, slots, strict=True) if s]

    def pull(self, cts: Sequence[Any], consume: bool = False) -> list[Any]:
        """Return the cotangent of every slot, given those of the output leaves; None is zero."""
        totals: list[Any] = [None] * len(self.tape)
        if self.out_axes:
            # One cotangent given for an output that differs between lanes is one for each of the lanes.
            cts = [ct if ct is None else reduce(vary, axes, ct) for ct, axes in zip(cts, self.out_axes, strict=True)]
        for slot, ct in zip(self.out_slots, cts, strict=True):
            if slot and ct is not None:
                totals[slot] = ct if totals[slot] is None else totals[slot] + ct
        pull_back(self.tape, totals, consume)
        return totals

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """Return the tangents of the output leaves, given those of the active input leaves; None is zero."""
        slots: list[Any] = [None] * len(self.tape)
        for (_, slot), t in zip(self.active(), tangents, strict=True):
            slots[slot] = t
        push_forward(self.tape, slots)
        return [slots[s] for s in self.out_slots]

    def cotangents(self, totals: list[Any]) -> tuple[Any, ...]:
        """Return the primals' cotangents from the result of `pull`, each an array that nobody else refers to."""
        trees = []
        for leaves, slots, treedef in zip(self.in_leaves, self.in_slots, self.in_treedefs, strict=True):
            if treedef is tree.LEAF:
                trees.append(_finish(totals, slots[0], leaves[0]))
            else:
                found = [_finish(totals, s, x) if s else None for x, s in zip(leaves, slots, strict=True)]
                trees.append(tree.unflatten(treedef, found))
        return tuple(trees)


L = TypeVar("L", bound=Linearization)


def _unpickle(cls: type[L], state: dict[str, Any]) -> L:
    out = cls()
    for name, value in state.items():
        setattr(out, name, value)
    return out


def _finish(totals: list[Any], slot: int, x: Any) -> Any:
    ct = unshared(totals, slot)
    if ct is None:
        return zeros(x)
    if isinstance(ct, Tracer):
        return ct.clone()  # the other one may be held by the tape, or be what the user gave
    if ct.shape:
        return ct
    return restore_kind(ct, x) if isinstance(ct, np.ndarray) or isinstance(x, np.ndarray) else ct


def run_on_tape(
    kind: type[L],
    transform: str,
    fun: Callable[..., Any],
    primals: Sequence[Any],
    *,
    place: Place,
    has_aux: bool = False,
    escapes: bool = False,
) -> tuple[list[Any], L, Any]:
    """Run `fun` under a fresh tape.

    Parameters
    ----------
    kind : type
        Which `Linearization` to return.
    place : callable
        ``place(i)`` is how messages call primal i.
    escapes : bool
        Whether the linearization outlives the transform.

    Returns
    -------
    out : list
        The output leaves, as the transforms below see them.
    linearization : Linearization
        The tape and both structures.
    aux : pytree
        The auxiliary output, with plain values; None without `has_aux`.
    """
    lin = kind()
    trace = ReverseTrace(transform, escapes)
    lin.tape = trace.tape
    try:
        args = []
        for i, x in enumerate(primals):
            args.append(_lift(trace, lin, x, place, i))
        result = fun(*args)
        aux = None
        if has_aux:
            result, aux = split_aux(result, transform, fun)
            aux = lower_aux(trace, aux)
        if isinstance(result, ReverseTracer) and result._trace is trace:
            leaves = [result]
        else:
            leaves, lin.out_treedef = output_leaves(result, transform, fun)
        out = []
        for x in leaves:
            slot = 0
            if isinstance(x, ReverseTracer) and x._trace is trace:
                x, slot = x.value, x.slot
            out.append(x)
            lin.out_slots.append(slot)
            lin.out_avals.append(Aval(x.shape, x.dtype) if type(x) is np.ndarray else aval_of(x))
        if named := named_axes():
            lin.out_axes = [[axis for _, axis in named if varies(x, axis)] for x in out]
        if trace.holds is not None:
            trace.holds.verify()
    finally:
        trace.close()
    return out, lin, aux


def _lift(trace: ReverseTrace, lin: Linearization, arg: Any, place: Place, i: int) -> Any:
    """Record the i-th primal and return what the function gets in its place."""
    if type(arg) is np.ndarray and arg.shape and arg.dtype.kind in "fc":
        # The common case, spelled out because it is in the inner loop of every optimiser.
        slot = len(trace.tape)
        trace.tape.append(None)
        lin.in_leaves.append([aval_of(arg) if trace.escapes else arg])
        lin.in_slots.append([slot])
        lin.in_treedefs.append(tree.LEAF)
        return ReverseArray(trace, trace.protect(arg), slot)
    leaves, treedef, active = differentiated_leaves(arg, place, i)
    values = [trace.protect(x) if isinstance(x, np.ndarray) or a else x for x, a in zip(leaves, active, strict=True)]
    tracers = [trace.input(x) if a else x for x, a in zip(values, active, strict=True)]
    lin.in_leaves.append([_stand_in(x) for x in leaves] if trace.escapes else leaves)
    lin.in_slots.append([t.slot if a else 0 for t, a in zip(tracers, active, strict=True)])
    lin.in_treedefs.append(tree.LEAF if treedef == tree.LEAF else treedef)
    return tracers[0] if treedef == tree.LEAF else tree.unflatten(treedef, tracers)


def _stand_in(x: Any) -> Any:
    """What a linearization that outlives its transform keeps of a primal: of an array, shape and dtype."""
    return aval_of(x) if type(x) is np.ndarray and x.shape else x


def lower_aux(trace: Any, aux: Any) -> Any:
    """Replace the tracers of `trace` inside the pytree `aux` by their values, which nobody else refers to."""
    leaves, treedef = tree.flatten(aux)
    mine = [isinstance(x, Tracer) and (x._trace is trace or isinstance(x, BufferValue)) for x in leaves]
    plain = [escaped(x.value) if m else x for x, m in zip(leaves, mine, strict=True)]
    return tree.unflatten(treedef, plain)


def escaped(x: Any) -> Any:
    """Return the caller's copy of an output whose value the tape may still need."""
    return x.copy() if isinstance(x, np.ndarray) else own(x)
