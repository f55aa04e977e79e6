"""Rules about reading with indices, and about writing into zeros."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.graph import Var
from ....core.values import Aval, Shape
from ..places import Selection, compose, disjoint, index_of, selected_shape, selection, within
from .arithmetic import Inputs, Params

if TYPE_CHECKING:
    from ..simplify import Builder

_WALK = 32
"""Writes to other places that a read looks past."""

_PARTS = 8
"""Parts of a concatenation that a slice of it may be made of."""


def takes_all(sel: Selection, shape: Shape) -> bool:
    """Whether a selection from an array of shape `shape` contains every element, in order."""
    named = [e for e in sel if e is not None]
    return all(
        n == 1 if type(e) is int else len(e) == n and (e.step == 1 or n == 1) for e, n in zip(named, shape, strict=True)
    )


def _select(b: Builder, x: Any, sel: Selection) -> Any:
    return b.emit("slice", x, index=index_of(sel, b.aval(x).shape))


# --- slice ------------------------------------------------------------------------------------------------------------


def read_is_slice(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    return b.emit("slice", *inputs, **params)


def slice_in_form(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """The index names all axes, with positions counted from zero; one that takes everything is a reshape."""
    (x,) = inputs
    shape = b.aval(x).shape
    sel = selection(params["index"], shape)
    if takes_all(sel, shape):
        return b.emit("reshape", x, shape=out.shape)
    index = index_of(sel, shape)
    return None if index == params["index"] else b.emit("slice", x, index=index)


def slice_of_slice(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "slice")
    if eq is None:
        return None
    x, shape = eq.inputs[0], b.aval(eq.inputs[0]).shape
    sel = compose(selection(eq.params["index"], shape), selection(params["index"], b.aval(inputs[0]).shape))
    return None if sel is None else _select(b, x, sel)


def slice_of_broadcast(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "broadcast")
    if eq is None or list(eq.params["axes"]) != sorted(eq.params["axes"]):
        return None
    x, axes = eq.inputs[0], eq.params["axes"]
    inner: Selection = []
    places: list[int] = []
    axis = place = 0
    for e in selection(params["index"], b.aval(inputs[0]).shape):
        if e is not None:
            if axis in axes:
                inner.append(e)
                if type(e) is range:
                    places.append(place)
            axis += 1
        place += type(e) is not int
    return b.emit("broadcast", _select(b, x, inner), shape=out.shape, axes=tuple(places))


def slice_of_transpose(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "transpose")
    if eq is None:
        return None
    axes = eq.params["axes"]
    entries = [e for e in selection(params["index"], b.aval(inputs[0]).shape) if e is not None]
    inner: Selection = [entries[axes.index(k)] for k in range(len(axes))]
    left = [k for k in range(len(axes)) if type(inner[k]) is range]
    order = [left.index(k) for k in axes if k in left]
    y = b.emit("transpose", _select(b, eq.inputs[0], inner), axes=tuple(order))
    return b.emit("reshape", y, shape=out.shape)


def slice_of_concat(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Only the parts that it reads from."""
    eq = b.maker(inputs[0], "concat")
    if eq is None:
        return None
    along = eq.params["axis"]
    starts = _starts(b, eq.inputs, along, inputs[0])
    sel = selection(params["index"], b.aval(inputs[0]).shape)
    at = [k for k, e in enumerate(sel) if e is not None][along]
    e = sel[at]
    if type(e) is int:
        k = bisect_right(starts, e) - 1
        return b.like(_select(b, eq.inputs[k], [*sel[:at], e - starts[k], *sel[at + 1 :]]), out)
    if not len(e):
        return None
    first, last = bisect_right(starts, min(e[0], e[-1])) - 1, bisect_right(starts, max(e[0], e[-1])) - 1
    if last - first >= min(_PARTS, len(eq.inputs)) or (last > first and e.step != 1):
        return None
    parts = []
    for k in range(first, last + 1):
        x = eq.inputs[k]
        n = b.aval(x).shape[along]
        here = e if first == last else range(max(e.start, starts[k]), min(e.stop, starts[k] + n))
        parts.append(_select(b, x, [*sel[:at], _moved(here, starts[k]), *sel[at + 1 :]]))
    axis = at - sum(1 for entry in sel[:at] if type(entry) is int)
    return b.like(parts[0] if len(parts) == 1 else b.emit("concat", *parts, axis=axis), out)


def _moved(r: range, by: int) -> range:
    return range(r.start - by, r.stop - by, r.step)


def _starts(b: Builder, parts: Sequence[Any], axis: int, x: Var) -> list[int]:
    """Where each part of a concatenation begins."""
    key = ("starts", x.index)
    if key not in b.notes:
        starts, total = [], 0
        for p in parts:
            starts.append(total)
            total += b.aval(p).shape[axis]
        b.notes[key] = starts
    known: list[int] = b.notes[key]
    return known


def slice_of_written(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """What was written there, or what was there before other places were written to."""
    (x,) = inputs
    shape = b.aval(x).shape
    sel = None
    for _ in range(_WALK):
        eq = b.maker(x)
        if eq is None or eq.primitive.name not in ("write", "unslice"):
            break
        if sel is None:
            sel = selection(params["index"], shape)
        zeros = eq.primitive.name == "unslice"
        v = eq.inputs[0] if zeros else eq.inputs[1]
        region = selection(eq.params["index"], shape)
        if disjoint(region, sel):
            if zeros:
                return b.full(0, out)
            x = eq.inputs[0]
            continue
        place = within(region, sel)
        if place is not None:
            v = b.like(v, Aval(selected_shape(region), out.dtype))
            return _select(b, v, place)
        break
    else:
        return None  # too far back to look for; reading the newest array is as good
    return None if x is inputs[0] else b.emit("slice", x, **params)


# --- unslice ----------------------------------------------------------------------------------------------------------


def unslice_in_form(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    sel = selection(params["index"], out.shape)
    if takes_all(sel, out.shape):
        return b.emit("reshape", *inputs, shape=out.shape)
    index = index_of(sel, out.shape)
    return None if index == params["index"] else b.emit("unslice", *inputs, index=index, shape=out.shape)


def unslice_of_zeros(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    return b.full(0, out) if is_plain_zero(b, inputs[0]) or 0 in b.aval(inputs[0]).shape else None


def is_plain_zero(b: Builder, x: Any) -> bool:
    """Whether every element of `x` is the zero that `np.zeros` makes."""
    n = b.number(x)
    return n is not None and n == 0 and not np.asarray(n).tobytes().strip(b"\0")


def unslice_of_unslice(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    eq = b.maker(inputs[0], "unslice")
    if eq is None:
        return None
    sel = compose(selection(params["index"], out.shape), selection(eq.params["index"], b.aval(inputs[0]).shape))
    if sel is None:
        return None
    return b.emit("unslice", eq.inputs[0], index=index_of(sel, out.shape), shape=out.shape)


def unslice_inside(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """t·p = t where t is zero, so a product with zeros is needed only where t was written."""
    t, p = inputs
    eq = b.maker(t, "unslice")
    if eq is None or b.aval(t).shape != out.shape:
        return None
    if b.aval(p).shape == out.shape and type(p) is Var:
        p = b.emit("slice", p, index=eq.params["index"])
    elif b.aval(p).shape:
        return None
    return b.emit("unslice", b.emit("product", eq.inputs[0], p), **eq.params)


def scaled_unslice(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    for x, y in (inputs, inputs[::-1]):
        eq, n = b.maker(x, "unslice"), b.number(y)
        if eq is not None and n is not None and not b.aval(y).shape and np.isfinite(n):
            return b.emit("unslice", b.emit("multiply", eq.inputs[0], y), **eq.params)
    return None


def unslice_of_unary(name: str) -> Any:
    """The rule f(unslice x) = unslice f(x) for f(0) = 0."""

    def rule(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
        eq = b.maker(inputs[0], "unslice")
        return None if eq is None else b.emit("unslice", b.emit(name, eq.inputs[0], **params), **eq.params)

    return rule
