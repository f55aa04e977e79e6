"""Rules about sums of arrays that are zero but for a block: what adding up cotangents of indexed arrays leaves behind.

Such a sum is known by its blocks, a value for each index. Sums add up block by block, and blocks that fill an array
side by side are a concatenation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.graph import Var
from ....core.values import Aval, Shape
from ..keys import frozen
from ..places import Selection, compose, index_of, selection
from .arithmetic import Inputs, Params
from .indexing import is_plain_zero

if TYPE_CHECKING:
    from ..simplify import Builder

_MOST = 8
"""Blocks of different places that a sum of zeros and blocks is taken apart into."""

Index = tuple[Any, ...]
Blocks = dict[Any, tuple[Index, Any]]
"""By a hashable form of the index: the index and the value there."""


def blocks(b: Builder, x: Any) -> Blocks | None:
    """The blocks of `x`, if it is a sum of few of them."""
    if type(x) is not Var:
        return None
    key = ("blocks", x.index)
    if key not in b.notes:
        b.notes[key] = None  # until it is known
        b.notes[key] = _blocks(b, x)
    known: Blocks | None = b.notes[key]
    return known


def _blocks(b: Builder, x: Var) -> Blocks | None:
    eq = b.maker(x)
    if eq is None:
        return None
    name = eq.primitive.name
    if name == "unslice":
        return _with({}, eq.params["index"], eq.inputs[0])
    if name == "concat" and len(eq.inputs) <= _MOST:
        return _parts(b, x, eq.inputs, eq.params["axis"])
    if name == "add":
        left, right = blocks(b, eq.inputs[0]), blocks(b, eq.inputs[1])
        if left is None or right is None or left.keys() & right.keys() or len(left) + len(right) > _MOST:
            return None
        if any(b.aval(y).shape != x.shape or b.aval(y).dtype != x.dtype for y in eq.inputs):
            return None
        return left | right
    if name == "reshape" and x.ndim == 1:
        inner = blocks(b, eq.inputs[0])
        return None if inner is None else _flat(b, inner, b.aval(eq.inputs[0]).shape)
    return None


def _with(to: Blocks, index: Index, v: Any) -> Blocks:
    return {**to, frozen(index, []): (index, v)}


def _parts(b: Builder, x: Var, parts: Sequence[Any], axis: int) -> Blocks | None:
    """A concatenation as blocks, one per part."""
    out: Blocks = {}
    start = 0
    for y in parts:
        shape = b.aval(y).shape
        sel: Selection = [range(n) for n in x.shape]
        sel[axis] = range(start, start + shape[axis])
        start += shape[axis]
        if b.aval(y).dtype != x.dtype:
            return None
        if not is_plain_zero(b, y):
            out = _with(out, index_of(sel, x.shape), y)
    return out


def _flat(b: Builder, of: Blocks, shape: Shape) -> Blocks | None:
    """The blocks of an array laid out flat; None if one of them falls apart."""
    out: Blocks = {}
    size = math.prod(shape)
    for index, v in of.values():
        sel = [range(e, e + 1) if type(e) is int else e for e in selection(index, shape) if e is not None]
        start, whole = 0, True
        for e, n in zip(sel, shape, strict=True):
            if (len(e) > 1 and e.step != 1) or not (whole or len(e) == n):
                return None
            whole = whole and len(e) == 1
            start = start * n + e[0]
        length = math.prod([len(e) for e in sel])
        place = index_of([range(start, start + length)], (size,))
        out = _with(out, place, b.emit("reshape", v, shape=(length,)))
    return out if len(out) == len(of) else None


# --- from blocks to arrays --------------------------------------------------------------------------------------------


def assembled(b: Builder, of: Blocks, out: Aval) -> Any:
    """The array with these blocks: a concatenation where they lie side by side, else a sum."""
    joined = _side_by_side(b, of, out)
    if joined is not None:
        return joined
    total = None
    for index, v in of.values():
        placed = b.emit("unslice", v, index=index, shape=out.shape)
        total = placed if total is None else b.emit("add", total, placed)
    return b.full(0, out) if total is None else total


def _side_by_side(b: Builder, of: Blocks, out: Aval) -> Any:
    """The concatenation along one axis of two or more blocks, with zeros between them; None if they overlap."""
    if len(of) < 2:
        return None
    found: list[tuple[range, Any]] = []
    along: int | None = None
    for index, v in of.values():
        sel = [range(e, e + 1) if type(e) is int else e for e in selection(index, out.shape) if e is not None]
        short = [i for i, (e, n) in enumerate(zip(sel, out.shape, strict=True)) if len(e) != n or e.step != 1]
        if len(short) != 1 or along not in (None, short[0]):
            return None
        along = short[0]
        r = sel[along]
        if not r or (len(r) > 1 and r.step != 1):
            return None
        found.append((r, b.emit("reshape", v, shape=tuple(len(e) for e in sel))))
    assert along is not None
    found.sort(key=lambda pair: pair[0].start)
    parts: list[Any] = []
    at = 0
    for r, v in found:
        if r.start < at:
            return None
        parts += [_gap(b, out, along, r.start - at)] * (r.start > at) + [v]
        at = r.stop
    parts += [_gap(b, out, along, out.shape[along] - at)] * (at < out.shape[along])
    return b.emit("concat", *parts, axis=along)


def _gap(b: Builder, out: Aval, axis: int, length: int) -> Any:
    return b.full(0, Aval((*out.shape[:axis], length, *out.shape[axis + 1 :]), out.dtype))


# --- rules ------------------------------------------------------------------------------------------------------------


def sum_of_blocks(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Of two sums that have a block at the same place, or whose blocks fill the array."""
    left, right = blocks(b, inputs[0]), blocks(b, inputs[1])
    if not left or not right or len(left.keys() | right.keys()) > _MOST:
        return None
    if any(b.aval(x).shape != out.shape or b.aval(x).dtype != out.dtype for x in inputs):
        return None
    if not left.keys() & right.keys():
        whole = left | right
        return _side_by_side(b, whole, out) if sum(b.aval(v).size for _, v in whole.values()) == out.size else None
    total = dict(left)
    for key, (index, v) in right.items():
        total[key] = (index, b.emit("add", total[key][1], v) if key in total else v)
    return assembled(b, total, out)


def scatter_of_concat(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """Of values of several reads: those of the same places are added as soon as they are known."""
    v, *indices = inputs
    eq = b.maker(v, "concat")
    if eq is None or len(indices) != 1 or type(indices[0]) is Var or len(out.shape) != 1:
        return None
    places = np.asarray(indices[0])
    if b.aval(v).dtype != out.dtype or places.shape != b.aval(v).shape or places.dtype.kind not in "iu":
        return None
    total: Blocks = {}
    start = 0
    for x in eq.inputs:
        n = b.aval(x).shape[0]
        region = _evenly_spaced(places[start : start + n], out.shape[0])
        start += n
        if region is None or b.aval(x).dtype != out.dtype:
            return None
        inside = blocks(b, x) or {None: ((slice(None),), x)}
        for index, part in inside.values():
            sel = compose([region], selection(index, (n,)))
            if sel is None:
                return None
            place = index_of(sel, out.shape)
            key = frozen(place, [])
            before = total.get(key)
            total[key] = (place, part if before is None else b.early("add", before[1], part))
    if len(total) > _MOST and _side_by_side(b, total, out) is None:
        return None
    return assembled(b, total, out)


def _evenly_spaced(places: Any, n: int) -> range | None:
    if not places.size or places.min() < 0 or places.max() >= n:
        return None
    first = int(places[0])
    step = int(places[1]) - first if places.size > 1 else 1
    if step == 0 or not bool((np.diff(places) == step).all()):
        return None
    return range(first, first + step * places.size, step)
