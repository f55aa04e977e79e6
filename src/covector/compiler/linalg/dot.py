"""Stacks of matrix products by BLAS: how stored arrays, in whatever order of axes, are matrices to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core.graph import Var
from ..loops.definitions import Dot, Map
from ..loops.index import Index
from ..loops.scope import strides_of

__all__ = ["Matrix", "Product", "dot_call"]

Labels = tuple[int, ...]

_ORIGIN = Index(0)
_GEMM = {"f8": "dgemm", "f4": "sgemm", "c16": "zgemm", "c8": "cgemm"}


class Matrix(NamedTuple):
    """An array as a stack of matrices: the steps, in elements, between rows, columns, and members of the stack."""

    var: Var
    rows: int
    columns: int
    stack: tuple[int, ...]


class Product(NamedTuple):
    """``out = left @ right`` for every member of a stack; `sizes` are those of the stack, rows, summed, columns."""

    routine: str
    stack: tuple[int, ...]
    sizes: tuple[int, int, int]
    out: Matrix
    left: Matrix
    right: Matrix


def _step(labels: Labels, shape: Sequence[int], group: Labels) -> int | None:
    """The step of the axes `group` of a C-contiguous array taken as one axis; None if they do not line up."""
    steps = dict(zip(labels, zip(strides_of(shape), shape, strict=True), strict=True))
    first = expected = 0
    for label in reversed(group):
        step, n = steps[label]
        if n == 1:
            continue
        if expected and step != expected:
            return None
        first = first or step
        expected = step * n
    return first or 1


def _apart(labels: Labels, stack: Labels) -> bool:
    """Whether the members of the stack lie one after the other, so that each is close together in memory."""
    lead = labels[: len([a for a in labels if a in stack])]
    return all(a in stack for a in lead)


def _natural(labels: Labels, stack: Labels, rows: Labels, columns: Labels) -> Labels:
    """The axes of a stack of matrices, each with the axes that it has now in the order that they have now."""
    stack, rest = tuple([a for a in stack if a in labels]), tuple([a for a in labels if a not in stack])
    return (*stack, *(rest if rest == (*columns, *rows) else (*rows, *columns)))


def dot_call(b: Any, x: Any, y: Any, spec: Any, sizes: dict[int, int]) -> Dot | Map | None:
    """Return the step that computes a contraction by BLAS; None where BLAS does not have it."""
    routine = _GEMM.get(f"{b.out.dtype.kind}{b.out.dtype.itemsize}")
    if routine is None:
        return None
    i, j, k = spec
    # An axis of length 1 that stands for more is no axis.
    i, j = (tuple([a if n == sizes[a] else None for a, n in zip(s, o.shape, strict=True)]) for s, o in ((i, x), (j, y)))
    stack = tuple([a for a in k if a in i and a in j])
    rows = tuple([a for a in k if a in i and a not in j])
    columns = tuple([a for a in k if a in j and a not in i])
    if set(k) != {*stack, *rows, *columns}:
        return None
    summed = tuple([a for a in (j if y.size > x.size else i) if a is not None and a not in k])
    left = _operand(b, x, i, stack, rows, summed, sizes)
    right = _operand(b, y, j, stack, summed, columns, sizes)
    lengths = tuple([math.prod([sizes[a] for a in group]) for group in (rows, summed, columns)])
    lowered = b.lowered
    order = k
    place = [_step(k, b.out.shape, group) for group in (rows, columns)]
    inner = place[1] == 1 or place[0] == 1 or min(lengths[0], lengths[2]) == 1
    direct = None not in place and inner and _apart(k, stack)
    if not direct:
        order = _natural(k, stack, rows, columns)
        out = lowered.variable([sizes[a] for a in order], b.out.dtype)
    else:
        out = None
    shape = tuple([sizes[a] for a in order])
    steps = dict(zip(order, strides_of(shape), strict=True))
    target = Matrix(
        out,
        _step(order, shape, rows) or 1,
        _step(order, shape, columns) or 1,
        tuple([steps[a] for a in stack]),
    )
    product = Product(routine, tuple([sizes[a] for a in stack]), lengths, target, left, right)  # type: ignore[arg-type]
    dot = Dot(product)
    if direct:
        dot.reads = [left.var, right.var]
        return dot
    lowered.define(out, dot, [left.var, right.var])
    where = {a: axis for axis, a in enumerate(k)}
    moved = Map(lambda *index: lowered.scope.read(out, [index[where[a]] for a in order]), cost=0)
    moved.reads = [out]
    return moved


def _operand(b: Any, x: Any, labels: Any, stack: Labels, rows: Labels, columns: Labels, sizes: Any) -> Matrix:
    """Return `x` as a stack of matrices, from a copy in another order and dtype if need be."""
    lowered = b.lowered
    var, labels = _looked_through(lowered, x.x, labels)
    ok = type(var) is Var and var.dtype == b.out.dtype
    if ok:
        steps = [_step(labels, var.shape, group) for group in (rows, columns)]
        lengths = [math.prod([sizes[a] for a in group]) for group in (rows, columns)]
        ok = None not in steps and (1 in steps or 1 in lengths) and _apart(labels, stack)
    if not ok:
        order = _natural(labels, stack, rows, columns)
        key = ("copy", var.index if type(var) is Var else id(var), labels, order, b.out.dtype)
        copy = lowered.known.get(key)
        known = copy is not None
        if copy is None:
            copy = lowered.known[key] = lowered.variable([sizes[a] for a in order], b.out.dtype)
        place = {a: k for k, a in enumerate(order)}
        shape, dtype = (var.shape, b.out.dtype) if type(var) is Var else (np.shape(var), b.out.dtype)
        source, old = (var if type(var) is Var else None), labels

        def element(*index: Any) -> Any:
            at = [index[place[a]] if a is not None and n > 1 else _ORIGIN for a, n in zip(old, shape, strict=True)]
            return b.convert(lowered.scope.read(source, at) if source is not None else x(*at), dtype)

        if not known:
            lowered.define(copy, Map(element, cost=1), [source] if source is not None else [])
        var, labels = copy, order
    steps_of = dict(zip(labels, strides_of(var.shape), strict=True))
    return Matrix(
        var,
        _step(labels, var.shape, rows) or 1,
        _step(labels, var.shape, columns) or 1,
        tuple([steps_of.get(a, 0) for a in stack]),
    )


def _looked_through(lowered: Any, x: Any, labels: Any) -> tuple[Any, Any]:
    """Return the array before a permutation of its axes, with its labels: BLAS takes either order."""
    while type(x) is Var:
        eq = lowered.made_by.get(x.index)
        if eq is None or eq.primitive.name != "transpose" or type(eq.inputs[0]) is not Var:
            break
        old = [None] * len(labels)
        for k, axis in enumerate(eq.params["axes"]):
            old[axis] = labels[k]
        x, labels = eq.inputs[0], tuple(old)
    if isinstance(x, np.ndarray) and x.shape:
        x = lowered.constant(x)
    return x, labels
