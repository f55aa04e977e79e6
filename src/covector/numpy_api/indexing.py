"""``x[index]`` for every kind of NumPy index."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import ConcretizationError, caller
from ..core.tracer import Tracer
from ..ops.indexing import gather_p, slice_p
from .register import implements
from .structural import transpose

_BASIC = (int, slice, type(None), np.integer)


@implements("getitem")
def getitem(x: Any, index: Any) -> Any:
    """Return ``x[index]``."""
    if type(index) is int or type(index) is slice:
        return slice_p(x, index=(index,))
    items = list(index) if type(index) is tuple else [index]
    items = _expand(x, [_plain_index(i) for i in items])
    if all(isinstance(i, _BASIC) for i in items):
        return slice_p(x, index=tuple(items))
    return _advanced(x, items)


def _plain_index(i: Any) -> Any:
    """Return one index as int, slice, None, Ellipsis, integer or bool array, or traced integer."""
    if i is Ellipsis or (isinstance(i, _BASIC) and not isinstance(i, bool)):
        return i
    if not isinstance(i, Tracer):
        i = np.asarray(i)
        if i.dtype == object or (i.size == 0 and i.dtype.kind == "f" and i.ndim == 1):
            i = i.astype(int)
    if i.dtype.kind not in "iub":
        raise IndexError(
            f"an index must be an integer, slice, None, Ellipsis, or an integer or bool array; got dtype {i.dtype} "
            f"at {caller()}"
        )
    return i


def _is_mask(i: Any) -> bool:
    return not isinstance(i, _BASIC) and i is not Ellipsis and i.dtype.kind == "b"


def _expand(x: Any, items: list[Any]) -> list[Any]:
    """Spell out the ellipsis and turn bool arrays into integer arrays."""
    used = sum(i.ndim if _is_mask(i) else i is not None and i is not Ellipsis for i in items)
    if used > x.ndim:
        raise IndexError(f"too many indices for array: array is {x.ndim}-dimensional, but {used} were indexed")
    where = [k for k, i in enumerate(items) if i is Ellipsis]
    if len(where) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    fill = [slice(None)] * (x.ndim - used)
    if where:
        items = items[: where[0]] + fill + items[where[0] + 1 :]
    else:
        items = items + fill
    out: list[Any] = []
    axis = 0
    for i in items:
        if _is_mask(i):
            out.extend(_mask_positions(x, i, axis))
            axis += i.ndim
        else:
            out.append(i)
            axis += i is not None
    return out


def _mask_positions(x: Any, mask: Any, axis: int) -> list[Any]:
    if isinstance(mask, Tracer):
        raise ConcretizationError(
            f"a traced bool array as index at {caller()} gives a result whose shape depends on values; "
            f"use np.where(mask, x, 0) instead of x[mask]"
        )
    if mask.ndim == 0:
        raise IndexError("a single bool as index of a traced array is not supported; use np.where or x[None]")
    if mask.shape != x.shape[axis : axis + mask.ndim]:
        raise IndexError(
            f"boolean index did not match indexed array: mask of shape {mask.shape} on axes "
            f"{axis}…{axis + mask.ndim - 1} of an array of shape {x.shape}"
        )
    return list(mask.nonzero())


def _advanced(x: Any, items: list[Any]) -> Any:
    """Index arrays mixed with basic indices: basic part first, then a gather on leading axes, then axes put back.

    As in NumPy, integers beside index arrays count as index arrays, and the gathered axes stay in place when the
    index arrays are next to each other, else they come first.
    """
    positions = [k for k, i in enumerate(items) if not isinstance(i, slice | type(None))]
    adjacent = positions == list(range(positions[0], positions[-1] + 1))
    indices = [np.asarray(items[k]) if isinstance(items[k], int) else items[k] for k in positions]
    basic = tuple(slice(None) if k in positions else i for k, i in enumerate(items))
    if any(i != slice(None) for i in basic):
        x = slice_p(x, index=basic)
    rest = [k for k in range(x.ndim) if k not in positions]
    moved = transpose(x, positions + rest)
    shapes = [i.shape for i in indices]
    out = gather_p(moved, *indices, unique=_unique(indices))
    if not adjacent or positions[0] == 0:
        return out
    gathered = len(np.broadcast_shapes(*shapes))
    before = positions[0]
    order = [gathered + k for k in range(before)] + list(range(gathered)) + list(range(gathered + before, out.ndim))
    return transpose(out, order)


def _unique(indices: list[Any]) -> bool:
    """Whether the indices cannot repeat an element, decided only where that is cheap: one increasing sequence."""
    first = indices[0]
    if isinstance(first, Tracer) or first.ndim != 1 or not all(
        not isinstance(i, Tracer) and i.shape == first.shape for i in indices
    ):
        return False
    if len(indices) > 1:
        return False
    return first.size == 0 or bool(first[0] >= 0 and np.all(first[1:] > first[:-1]))
