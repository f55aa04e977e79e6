"""A loop as one operation: a program that runs again and again on what it returned the time before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.graph import Graph, Var, record
from ..core.mutation import changed, owned
from ..core.primitive import Primitive, Refuse
from ..core.values import Aval, aval_of, shape_of
from ..transforms.vmap import vmap

__all__ = ["loop_p"]

# Inputs: (constants…, initial carries…, sequences…); outputs: (final carries…, stacked elements…).
# The body takes (index, constants…, carries…, one element of each sequence…) and returns (carries…, elements…).


def _impl(*args: Any, body: Graph, constants: int, carries: int, length: int, reverse: bool) -> tuple[Any, ...]:
    fixed = args[:constants]
    state = list(args[constants : constants + carries])
    sequences = args[constants + carries :]
    avals = [x.aval if type(x) is Var else aval_of(x) for x in body.outputs[carries:]]
    stacks = tuple([np.empty((length, *a.shape), a.dtype) for a in avals])
    uses = body.last_uses()
    for i in reversed(range(length)) if reverse else range(length):
        values: list[Any] = [None] * body.count
        given = (np.int64(i), *fixed, *state, *[s[i] for s in sequences])
        for var, x in zip(body.inputs, given, strict=True):
            values[var.index] = x
        # No name may refer to the state any more, or it would be copied where it could be written to in place.
        del given, x
        state.clear()
        _iterate(body, uses, values)
        out = [values[x.index] if type(x) is Var else x for x in body.outputs]
        state.extend(out[:carries])
        element: Any = None
        for stack, element in zip(stacks, out[carries:], strict=True):
            stack[i] = element
        del out, values
        element = None
    return (*state, *stacks)


def _iterate(body: Graph, uses: Sequence[Sequence[Var]], values: list[Any]) -> None:
    """Evaluate the equations of `body` on the plain values of its inputs; `uses` are its `last_uses`."""
    for eq, dying in zip(body.equations, uses, strict=True):
        xs = [values[x.index] if type(x) is Var else x for x in eq.inputs]
        if eq.primitive.writes and dying and dying[0] is eq.inputs[0]:
            xs[0] = None
            out = changed(owned(values, dying[0].index), eq.primitive, xs[1:], eq.params)
        else:
            out = eq.primitive.impl(*xs, **eq.params)
        for var in dying:
            values[var.index] = None
        for var, y in zip(eq.outputs, out if eq.primitive.multiple else (out,), strict=True):
            values[var.index] = y


def _aval(*avals: Aval, body: Graph, constants: int, carries: int, length: int, reverse: bool) -> tuple[Aval, ...]:
    out = [x.aval if type(x) is Var else aval_of(x) for x in body.outputs]
    final = [Aval(a.shape, a.dtype) for a in out[:carries]]
    return (*final, *[Aval((length, *a.shape), a.dtype) for a in out[carries:]])


def _batch(
    trace: Any,
    args: Sequence[Any],
    batched: Sequence[bool],
    *,
    body: Graph,
    constants: int,
    carries: int,
    length: int,
    reverse: bool,
) -> tuple[Any, ...]:
    """All carries and all outputs differ from lane to lane; sequences keep the axis of the loop in front."""
    xs, axes = list(args), [0 if b else None for b in batched]
    for k in range(constants, constants + carries):
        if not batched[k]:
            xs[k] = np.broadcast_to(xs[k], (trace.size, *shape_of(xs[k])))
        axes[k] = 0
    for k in range(constants + carries, len(xs)):
        if batched[k]:
            xs[k] = np.swapaxes(xs[k], 0, 1)
    avals = [
        Aval((trace.size, *var.aval.shape), var.aval.dtype) if axis == 0 else var.aval
        for var, axis in zip(body.inputs, [None, *axes], strict=True)
    ]
    lanes = vmap(lambda *ys: tuple(body.run(*ys)), in_axes=(None, *axes))
    whole = record(lanes, avals, "loop")
    out = loop_p(*xs, body=whole, constants=constants, carries=carries, length=length, reverse=reverse)
    return (*out[:carries], *[np.swapaxes(y, 0, 1) for y in out[carries:]])


_refuse = Refuse("a loop that the compiler made of repeated operations has no derivative rule")


def _no_rule(*args: Any, **params: Any) -> Any:
    return _refuse(*args, **params)


loop_p = Primitive("loop", _impl, _aval, _no_rule, _no_rule, _batch, family="call", multiple=True)
