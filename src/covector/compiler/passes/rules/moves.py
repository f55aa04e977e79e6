"""Rules about operations that only move elements, and about elementwise functions of broadcast values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.graph import Var
from ....core.primitive import Primitive
from ....core.values import Aval, Shape
from .arithmetic import Inputs, Params

if TYPE_CHECKING:
    from ..simplify import Builder


# --- elementwise ------------------------------------------------------------------------------------------------------


def empty(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """An array without elements is known."""
    if 0 not in out.shape:
        return None
    zeros = np.empty(out.shape, out.dtype)
    zeros.flags.writeable = False
    return b.constant(zeros)


def on_broadcasts(primitive: Primitive) -> Any:
    """The rule f(broadcast x, …) = broadcast f(x, …) for an elementwise function.

    Where only some inputs are broadcast, NumPy's own broadcasting takes the place of it.
    """

    def rule(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
        for x in inputs:
            if type(x) is Var:
                eq = b.makers.get(x.index)
                if eq is not None and eq.primitive.name == "broadcast":
                    return _lowered(b, primitive, out, inputs, params)
        return None

    return rule


def _lowered(b: Builder, primitive: Primitive, out: Aval, inputs: Inputs, params: Params) -> Any:
    """The function of what the broadcasts were made of, on the axes along which anything varies."""
    parts = [_source(b, x, len(out.shape)) for x in inputs]
    used = sorted({i for _, axes in parts for i in axes})
    place = {axis: k for k, axis in enumerate(used)}
    arguments = []
    for x, axes in parts:
        shape = b.aval(x).shape
        lined_up = [1] * (len(used) - place[axes[0]] if axes else 0)
        for axis in axes:
            lined_up[place[axis] - len(used)] = out.shape[axis]
        arguments.append(x if shape == tuple(lined_up) else b.emit("reshape", x, shape=tuple(lined_up)))
    y = b.bind(primitive, arguments, params)
    found = b.aval(y)
    if found.dtype != out.dtype:
        return None
    if found.shape == out.shape:
        return y
    if found.shape != tuple(out.shape[i] for i in used):
        return None
    return b.emit("broadcast", y, shape=out.shape, axes=tuple(used))


def _source(b: Builder, x: Any, rank: int) -> tuple[Any, tuple[int, ...]]:
    """What `x` is the broadcast of, and the axes of the result along which it has more than one element."""
    eq = b.maker(x, "broadcast")
    shape = b.aval(x).shape
    if eq is None:
        axes = tuple(range(rank - len(shape), rank))
    else:
        axes = tuple([i + rank - len(shape) for i in eq.params["axes"]])
        x, dtype = eq.inputs[0], b.aval(x).dtype
        if b.aval(x).weak:
            x = b.emit("convert", x, dtype=dtype)
        shape = b.aval(x).shape
    return x, tuple([i for i, n in zip(axes, shape, strict=True) if n != 1])


def on_reshapes(primitive: Primitive) -> Any:
    """The rule f(reshape x, …) = reshape f(x, …) for an elementwise function.

    All inputs must have been reshaped from one shape, or be numbers. Leading axes of length one, which NumPy puts in
    by itself, are taken away in any case.
    """

    def rule(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
        before: Shape | None = None
        sources = []
        for x in inputs:
            shape = b.aval(x).shape
            if shape:
                eq = b.maker(x, "reshape")
                if eq is None or shape != out.shape:
                    return _without_leading_ones(b, primitive, out, inputs, params)
                x = eq.inputs[0]
                if before is not None and b.aval(x).shape != before:
                    return _without_leading_ones(b, primitive, out, inputs, params)
                before = b.aval(x).shape
            sources.append(x)
        if before is None:
            return None
        y = b.bind(primitive, sources, params)
        return b.emit("reshape", y, shape=out.shape) if b.aval(y).dtype == out.dtype else None

    return rule


def _without_leading_ones(b: Builder, primitive: Primitive, out: Aval, inputs: Inputs, params: Params) -> Any:
    arguments = []
    for x in inputs:
        eq, shape = b.maker(x, "reshape"), b.aval(x).shape
        if eq is not None and shape and shape[0] == 1 and not b.aval(eq.inputs[0]).weak:
            ones = next((k for k, n in enumerate(shape) if n != 1), len(shape))
            x = b.emit("reshape", x, shape=shape[ones:])
        arguments.append(x)
    if [b.aval(x).shape for x in arguments] == [b.aval(x).shape for x in inputs]:
        return None
    y = b.bind(primitive, arguments, params)
    return b.emit("reshape", y, shape=out.shape)


# --- reshape ----------------------------------------------------------------------------------------------------------


def same_shape(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    return inputs[0] if type(inputs[0]) is Var else None


def reshape_of_reshape(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "reshape")
    return None if eq is None else b.emit("reshape", eq.inputs[0], shape=out.shape)


Groups = list[tuple[list[int], list[int]]]


def groups(old: Shape, new: Shape) -> Groups:
    """Split the axes of two shapes of equal size, none of it zero, into the finest runs of equal product."""
    found: Groups = []
    i = j = 0
    while i < len(old) or j < len(new):
        left, right = list(range(i, min(i + 1, len(old)))), list(range(j, min(j + 1, len(new))))
        while math.prod([old[k] for k in left]) != math.prod([new[k] for k in right]):
            if math.prod([old[k] for k in left]) < math.prod([new[k] for k in right]):
                left.append(i + len(left))
            else:
                right.append(j + len(right))
        found.append((left, right))
        i += len(left)
        j += len(right)
    return found


def reshape_of_broadcast(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """A broadcast with its axes split or merged, unless repeated ones are merged with others."""
    eq = b.maker(inputs[0], "broadcast")
    if eq is None:
        return None
    x, axes = eq.inputs[0], eq.params["axes"]
    inner = b.aval(x).shape
    old = b.aval(inputs[0]).shape
    own: list[int] = []
    new_inner: list[int] = []
    for left, right in groups(old, out.shape):
        here = [i for i in left if old[i] != 1]
        kept = [i for i in here if i in axes and inner[axes.index(i)] != 1]
        if not kept:
            continue
        if kept != here:
            return None
        own += right
        new_inner += [out.shape[i] for i in right]
    return b.emit("broadcast", b.emit("reshape", x, shape=tuple(new_inner)), shape=out.shape, axes=tuple(own))


# --- transpose --------------------------------------------------------------------------------------------------------


def no_permutation(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Axes of length one may move past others without anything moving in memory."""
    shape = b.aval(inputs[0]).shape
    moved = [i for i in params["axes"] if shape[i] != 1]
    return b.emit("reshape", inputs[0], shape=out.shape) if moved == sorted(moved) else None


def transpose_of_transpose(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "transpose")
    if eq is None:
        return None
    inner = eq.params["axes"]
    return b.emit("transpose", eq.inputs[0], axes=tuple([inner[i] for i in params["axes"]]))


def transpose_of_broadcast(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "broadcast")
    if eq is None:
        return None
    x, axes = eq.inputs[0], eq.params["axes"]
    moved = [params["axes"].index(i) for i in axes]
    order = sorted(range(len(moved)), key=moved.__getitem__)
    return b.emit("broadcast", b.emit("transpose", x, axes=tuple(order)), shape=out.shape, axes=tuple(sorted(moved)))


def transpose_of_reshape(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Of a reshape that only put in or took out axes of length one: the transpose comes first."""
    eq = b.maker(inputs[0], "reshape")
    if eq is None:
        return None
    x, shape = eq.inputs[0], b.aval(inputs[0]).shape
    inner = b.aval(x).shape
    mine = [i for i, n in enumerate(inner) if n != 1]
    places = [i for i, n in enumerate(shape) if n != 1]
    if [inner[i] for i in mine] != [shape[i] for i in places]:
        return None
    rank = {axis: k for k, axis in enumerate(places)}
    order = [mine[rank[i]] for i in params["axes"] if shape[i] != 1]
    ones = [i for i, n in enumerate(inner) if n == 1]
    y = b.emit("transpose", x, axes=tuple(ones + order))
    return b.emit("reshape", y, shape=out.shape)


# --- broadcast --------------------------------------------------------------------------------------------------------


def broadcast_of_ones(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Axes of length one need not be named, and one that only puts in such axes is a reshape."""
    (x,) = inputs
    shape = b.aval(x).shape
    if math.prod(shape) == math.prod(out.shape) and shape:
        return b.emit("reshape", x, shape=out.shape)
    if 1 not in shape:
        return None
    kept = [(i, n) for i, n in zip(params["axes"], shape, strict=True) if n != 1]
    y = b.emit("reshape", x, shape=tuple([n for _, n in kept]))
    return b.emit("broadcast", y, shape=out.shape, axes=tuple([i for i, _ in kept]))


def broadcast_of_broadcast(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "broadcast")
    if eq is None:
        return None
    axes = tuple([params["axes"][i] for i in eq.params["axes"]])
    return b.emit("broadcast", eq.inputs[0], shape=out.shape, axes=axes)


def concat_of_one(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Parts without elements are left out, and one part is joined to nothing."""
    axis = params["axis"]
    parts = [x for x in inputs if b.aval(x).shape[axis]]
    if len(parts) == len(inputs) and len(parts) != 1:
        return None
    if len(parts) == 1:
        return b.like(parts[0], out)
    return b.like(b.emit("concat", *parts, axis=axis), out)


def concat_of_transposes(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    makers = [b.maker(x, "transpose") for x in inputs]
    first = makers[0]
    if first is None or any(eq is None or eq.params != first.params for eq in makers):
        return None
    axes = first.params["axes"]
    y = b.emit("concat", *[eq.inputs[0] for eq in makers if eq is not None], axis=axes[params["axis"]])
    return b.emit("transpose", y, axes=axes)


def concat_of_uniform(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """The same number throughout."""
    first = b.number(inputs[0])
    if first is None:
        return None
    for x in inputs:
        n = b.number(x)
        if n is None or type(n) is not type(first) or n.tobytes() != first.tobytes():
            return None
    return b.full(first, out)
