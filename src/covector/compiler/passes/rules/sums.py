"""Rules about reductions and products of matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ....core.values import Aval, Shape
from .arithmetic import Inputs, Params
from .moves import groups

if TYPE_CHECKING:
    from ..simplify import Builder


def sum_of_nothing(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Over axes of length one."""
    (x,) = inputs
    shape = b.aval(x).shape
    if any(shape[i] != 1 for i in params["axis"]):
        return None
    return b.emit("reshape", b.like(x, Aval(shape, out.dtype)), shape=out.shape)


def extremum_of_nothing(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Over axes of length one."""
    shape = b.aval(inputs[0]).shape
    return None if any(shape[i] != 1 for i in params["axis"]) else b.emit("reshape", inputs[0], shape=out.shape)


def _own_axes(b: Builder, x: Any, axis: tuple[int, ...]) -> tuple[Any, tuple[int, ...], int, tuple[int, ...]] | None:
    """Of a reduction of the broadcast `x`: the array below, its reduced axes, how often each of its elements occurs in
    a sum, and the axes of the result at which those that remain are; None if it is no broadcast of use here.
    """
    eq = b.maker(x, "broadcast")
    if eq is None:
        return None
    axes, shape = eq.params["axes"], b.aval(x).shape
    repeated = [i for i in axis if i not in axes]
    inner = b.aval(eq.inputs[0]).shape
    if not repeated or any(inner[k] != shape[i] for k, i in enumerate(axes)) or list(axes) != sorted(axes):
        return None
    left = [i for i in range(len(shape)) if i not in axis]
    own = tuple([k for k, i in enumerate(axes) if i in axis])
    places = tuple([left.index(i) for i in axes if i not in axis])
    return eq.inputs[0], own, math.prod([shape[i] for i in repeated]), places


def sum_of_broadcast(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    if out.dtype.kind not in "fiu" or out.dtype.itemsize < 4:
        return None
    found = _own_axes(b, inputs[0], params["axis"])
    if found is None:
        return None
    x, own, count, places = found
    if not count:
        return None
    y = b.emit("sum", x, axis=own) if own else b.like(x, Aval(b.aval(x).shape, out.dtype))
    y = b.emit("multiply", y, out.dtype.type(count))
    return b.emit("broadcast", y, shape=out.shape, axes=places)


def extremum_of_broadcast(name: str) -> Any:
    """The rule max(broadcast x) = max(x)."""

    def rule(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
        found = _own_axes(b, inputs[0], params["axis"])
        if found is None or not found[2]:
            return None
        x, own, _, places = found
        y = b.emit(name, x, axis=own) if own else b.like(x, Aval(b.aval(x).shape, out.dtype))
        return b.emit("broadcast", y, shape=out.shape, axes=places)

    return rule


def sum_of_sum(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "sum")
    if eq is None or b.aval(eq.inputs[0]).dtype != out.dtype:
        return None
    inner = eq.params["axis"]
    left = [i for i in range(len(b.aval(eq.inputs[0]).shape)) if i not in inner]
    return b.emit("sum", eq.inputs[0], axis=tuple(sorted([*inner, *[left[i] for i in params["axis"]]])))


def reduction_of_transpose(name: str) -> Any:
    """The rule for reductions that keep no more than one axis: the order of the others does not matter."""

    def rule(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
        eq = b.maker(inputs[0], "transpose")
        if eq is None:
            return None
        axes = eq.params["axes"]
        left = [i for i in range(len(axes)) if i not in params["axis"]]
        if [axes[i] for i in left] != sorted(axes[i] for i in left):
            return None
        return b.emit(name, eq.inputs[0], axis=tuple(sorted([axes[i] for i in params["axis"]])))

    return rule


def reduction_of_reshape(name: str) -> Any:
    """The rule for reshapes that leave the reduced axes apart from the others."""

    def rule(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
        eq = b.maker(inputs[0], "reshape")
        if eq is None:
            return None
        axis: list[int] = []
        inner, outer = b.aval(eq.inputs[0]).shape, b.aval(inputs[0]).shape
        if 0 in inner:
            return None
        for left, right in groups(inner, outer):
            reduced = [i in params["axis"] for i in right if outer[i] != 1]
            if any(reduced):
                if not all(reduced):
                    return None
                axis += left
        if not axis:
            return None
        return b.emit("reshape", b.emit(name, eq.inputs[0], axis=tuple(axis)), shape=out.shape)

    return rule


def sum_of_negative(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "negative")
    return None if eq is None or out.dtype.kind not in "fc" else b.emit("negative", b.emit("sum", *eq.inputs, **params))


def sum_of_unslice(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Zeros add nothing; over all axes."""
    eq = b.maker(inputs[0], "unslice")
    if eq is None or out.shape:
        return None
    return b.emit("sum", eq.inputs[0], axis=tuple(range(len(b.aval(eq.inputs[0]).shape))))


def known_sum(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Σ s x = s Σ x where s is the same in every term and Σ x was computed anyway."""
    (k,), axis = inputs, params["axis"]
    eq = b.maker(k)
    if eq is None or eq.primitive.name not in ("multiply", "product"):
        return None
    shape = b.aval(k).shape
    for place in (1, 0):
        x, s = eq.inputs[place], eq.inputs[1 - place]
        factor = b.aval(s).shape
        padded = (1,) * (len(shape) - len(factor)) + factor
        if b.aval(x).shape != shape or b.aval(x).dtype != out.dtype or any(padded[i] != 1 for i in axis):
            continue
        total = b.find("sum", x, axis=axis)
        if total is None:
            continue
        lined_up = [n for i, n in enumerate(padded) if i not in axis]
        while lined_up and lined_up[0] == 1:
            del lined_up[0]
        s = s if factor == tuple(lined_up) else b.emit("reshape", s, shape=tuple(lined_up))
        return b.bind(eq.primitive, (s, total) if place else (total, s), {})
    return None


def sum_of_products(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Σ x y as a product of matrices where x y is larger than both and nobody else reads it."""
    (k,), axis = inputs, params["axis"]
    eq = b.maker(k, "multiply")
    if eq is None or b.uses.get(k.index, 1) > 1 or out.dtype.kind not in "fc":
        return None
    shape = b.aval(k).shape
    sizes = [math.prod(b.aval(x).shape) for x in eq.inputs]
    if not math.prod(shape) > max(sizes) or any(b.aval(x).dtype != out.dtype or b.aval(x).weak for x in eq.inputs):
        return None
    labels = [_labels(b.aval(x).shape, shape) for x in eq.inputs]
    both = set(labels[0]) & set(labels[1])
    operands = []
    for x, mine in zip(eq.inputs, labels, strict=True):
        own = b.aval(x).shape
        squeezed = tuple([n for n in own if n != 1])
        x = x if squeezed == own else b.emit("reshape", x, shape=squeezed)
        # What only one of them has is summed before the other comes in.
        alone = [i for i, label in enumerate(mine) if label in axis and label not in both]
        operands.append(b.emit("sum", x, axis=tuple(alone)) if alone else x)
    labels = [[label for label in mine if label in both or label not in axis] for mine in labels]
    left = [i for i in range(len(shape)) if i not in axis and shape[i] != 1]
    if not both & set(axis):
        return None
    y = _contraction(b, operands, labels, left)
    return b.emit("reshape", y, shape=out.shape)


def _labels(own: Shape, shape: Shape) -> list[int]:
    """The axes of `shape` that an operand of shape `own` has."""
    first = len(shape) - len(own)
    return [first + i for i, n in enumerate(own) if n != 1]


def _contraction(b: Builder, operands: list[Any], labels: list[list[int]], left: list[int]) -> Any:
    (x, y), (i, j) = operands, labels
    for (u, p), (v, q) in (((x, i), (y, j)), ((y, j), (x, i))):
        # rows × summed times summed × columns, or one of the vectors in place of a matrix
        if len(p) <= 2 and len(q) <= 2 and p and q and p[-1] == q[0] and [*p[:-1], *q[1:]] == left:
            return b.emit("matmul", u, v)
    return b.emit("contract", x, y, spec=(tuple(i), tuple(j), tuple(left)))
