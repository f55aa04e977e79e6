"""Carries that start from a number and stay that number, as the tangents of what does not move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.graph import Equation, Graph, Var
from ....core.primitive import PRIMITIVES
from ....core.values import aval_of
from ..algebra import is_elementwise
from ..keys import scalar_key
from .parts import Carry, Loop

if TYPE_CHECKING:
    from ..simplify import Builder

__all__ = ["steady"]

_KEEP = frozenset({"reshape", "transpose", "broadcast", "slice", "read", "gather", "concat", "max", "min"})
"""What makes of arrays of one number arrays of that number."""

_ZEROS = frozenset({"sum", "unslice", "scatter", "cumsum", "matmul", "contract"})
"""What makes of arrays of zeros, and of nothing else, an array of zeros."""


def steady(b: Builder, loop: Loop) -> bool:
    """Put numbers in the place of carries that stay them; tell whether there were any.

    All carries that start from numbers are taken to stay them; of those for which that leads to something else it is
    not true, and so on until what is taken for granted agrees with what follows from it.
    """
    held: dict[Carry, Any] = {}
    for c in loop.carries:
        number = b.number(c.outer)
        if number is not None:
            held[c] = c.var.dtype.type(number)
    while held:
        numbers = _numbers(loop.body, {c.var.index: x for c, x in held.items()})
        wrong = [c for c, x in held.items() if scalar_key(_number(c.after, numbers)) != scalar_key(x)]
        if not wrong:
            break
        for c in wrong:
            del held[c]
    for c in held:
        # What it becomes is itself, from which the rest follows.
        c.after = c.var
    if held:
        loop.settle()
    return bool(held)


def _number(x: Any, numbers: dict[int, Any]) -> Any:
    if type(x) is Var:
        return numbers.get(x.index)
    if isinstance(x, np.ndarray):
        return None
    return aval_of(x).dtype.type(x)


def _numbers(body: Graph, known: dict[int, Any]) -> dict[int, Any]:
    """The numbers that variables of the body are made of throughout, given some."""
    numbers = dict(known)
    for eq in body:
        if len(eq.outputs) == 1:
            xs = [_number(x, numbers) for x in eq.inputs]
            x = _result(eq, xs)
            if x is not None:
                numbers[eq.outputs[0].index] = x
    return numbers


def _result(eq: Equation, xs: list[Any]) -> Any:
    name, out = eq.primitive.name, eq.outputs[0]
    if name == "product" and xs[0] is not None and xs[0] == 0:
        return out.dtype.type(0)  # whatever the other factor; but for the sign
    if name in ("gather", "scatter"):
        xs = xs[:1]
    if not xs or any(x is None for x in xs):
        return None
    if name in _KEEP or name in _ZEROS:
        same = len({scalar_key(x) for x in xs}) == 1
        zero = all(x == 0 and not np.signbit(np.real(x)) for x in xs)
        return out.dtype.type(xs[0]) if (same and name in _KEEP) or (zero and name in _ZEROS) else None
    if is_elementwise(eq.primitive):
        with np.errstate(all="ignore"):
            try:
                return out.dtype.type(PRIMITIVES[name].impl(*_given(eq, xs), **eq.params))
            except (ArithmeticError, TypeError, ValueError):
                return None
    return None


def _given(eq: Equation, xs: list[Any]) -> list[Any]:
    """The numbers as the equation is given them: Python numbers stay such."""
    return [x if type(y) is Var else y for x, y in zip(xs, eq.inputs, strict=True)]
