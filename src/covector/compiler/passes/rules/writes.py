"""Rules about arrays with some elements replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ....core.values import Aval
from ..places import index_of, selected_shape, selection, within
from .arithmetic import Inputs, Params
from .indexing import is_plain_zero, takes_all

if TYPE_CHECKING:
    from ..simplify import Builder


def write_in_form(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """The index names all axes; nothing written leaves the array, everything written replaces it."""
    x, v = inputs
    sel = selection(params["index"], out.shape)
    region = selected_shape(sel)
    if 0 in region:
        return x
    if takes_all(sel, out.shape):
        return b.emit("reshape", b.like(v, Aval(region, out.dtype)), shape=out.shape)
    index = index_of(sel, out.shape)
    return None if index == params["index"] else b.emit("write", x, v, index=index)


def write_over_write(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """What is overwritten at once need not be written."""
    eq = b.maker(inputs[0])
    if eq is None or eq.primitive.name not in ("write", "unslice"):
        return None
    now = selection(params["index"], out.shape)
    before = selection(eq.params["index"], out.shape)
    if within(now, before) is None:
        return None
    x = eq.inputs[0] if eq.primitive.name == "write" else b.full(0, out)
    return b.emit("write", x, inputs[1], **params)


def write_into_zeros(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    x, v = inputs
    if not is_plain_zero(b, x):
        return None
    region = selected_shape(selection(params["index"], out.shape))
    return b.emit("unslice", b.like(v, Aval(region, out.dtype)), index=params["index"], shape=out.shape)


def write_back(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Elements replaced by what they are."""
    x, v = inputs
    eq = b.maker(v, "slice")
    return x if eq is not None and eq.inputs[0] is x and eq.params["index"] == params["index"] else None
