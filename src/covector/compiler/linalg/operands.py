"""Operands of routines: arrays in the dtype, shape and order that a routine reads, copied only if they have others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.graph import Var
from ..loops.definitions import Lapack, Map
from ..loops.lowering import Builder, Lowered, Operand

__all__ = ["before_transpose", "define", "mapped", "plain", "stored", "swapped"]


def swapped(index: Sequence[Any]) -> tuple[Any, ...]:
    return (*index[:-2], index[-1], index[-2])


def before_transpose(lowered: Lowered, x: Any) -> Any:
    """The array of which `x` is the transpose in the last two axes; None if it is none."""
    eq = lowered.made_by.get(x.index) if type(x) is Var else None
    if eq is None or eq.primitive.name != "transpose" or type(eq.inputs[0]) is not Var:
        return None
    n = len(x.shape)
    return eq.inputs[0] if n >= 2 and tuple(eq.params["axes"]) == swapped(range(n)) else None


def mapped(b: Builder, shape: Sequence[int], dtype: Any, rule: Callable[..., Any], reads: Sequence[Any]) -> Var:
    """Define an array by its elements."""
    var = b.lowered.variable(tuple(shape), dtype)
    b.lowered.define(var, Map(rule, 0), reads)
    return var


def stored(b: Builder, x: Operand, dtype: np.dtype[Any], shape: Sequence[int] = (), swap: bool = False) -> Var:
    """The array `x`, its matrices transposed if `swap`, in `dtype` and with the leading axes `shape`, if given."""
    shape = tuple(shape) or x.shape
    if swap:
        inner = before_transpose(b.lowered, x.x)
        if inner is not None:
            return stored(b, Operand(b.lowered, inner), dtype, swapped(shape))
    if type(x.x) is Var and not swap and x.shape == shape and x.dtype == dtype:
        return x.x
    rule = lambda *i: b.convert(x.broadcast(swapped(i) if swap else i), dtype)
    return mapped(b, swapped(shape) if swap else shape, dtype, rule, [x.x])


def plain(b: Builder, x: Operand, dtype: np.dtype[Any]) -> tuple[Var, bool]:
    """The array `x`, or the one of which it is the transpose, and whether it is that."""
    inner = before_transpose(b.lowered, x.x)
    if inner is not None and inner.dtype == dtype:
        return inner, True
    return stored(b, x, dtype), False


def define(b: Builder, step: Lapack, reads: Sequence[Var]) -> None:
    lowered = b.lowered
    lowered.define(step.vars[0], step, reads)
    for v in step.vars:
        lowered.definitions[v.index] = step
