"""``x[index]`` for every kind of NumPy index."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.buffer import plain_of
from ..core.dispatch import as_operand
from ..core.errors import caller
from ..core.primitive import bind
from ..core.surface import TracedArray
from ..core.tracer import Tracer
from ..core.views import is_stale, is_written, link_slice, positions
from ..ops.indexing import gather_p, slice_p
from ..ops.writing import read_p
from .plain import plain_or
from .register import implements
from .structural import transpose

__all__ = ["are_unique", "getitem"]

_BASIC = (int, slice, type(None), np.integer)


@implements("getitem")
def getitem(x: Any, index: Any) -> Any:
    """Return ``x[index]``."""
    if is_stale(x):
        found = _through_root(x, index)
        if found is not None:
            return found
    if type(index) is int or (type(index) is slice and _static(index)):
        return _basic(x, (index,))
    items = [_plain_index(i) for i in (index if type(index) is tuple else (index,))]
    masks = sum(not isinstance(i, _BASIC) and i is not Ellipsis and i.dtype.kind == "b" for i in items)
    # An ellipsis between index arrays separates them even where it stands for no axis.
    at = [k for k, i in enumerate(items) if i is not None and i is not Ellipsis and type(i) is not slice]
    adjacent = bool(at) and at[-1] - at[0] == len(at) - 1
    zero_d = Ellipsis in items if all(isinstance(i, _BASIC) or i is Ellipsis for i in items) else False
    items, x = _expand(x, items)
    if all(isinstance(i, _BASIC) for i in items):
        # With an ellipsis, an index of integers alone asks for an array of no dimensions, which is a view.
        return _basic(x, (*items, Ellipsis) if zero_d and all(type(i) is int for i in items) else tuple(items))
    return _advanced(x, items, adjacent, one_mask=masks == 1)


def _basic(x: Any, index: tuple[Any, ...]) -> Any:
    link = x._link if isinstance(x, Tracer) else None
    read = slice_p if link is None or not is_written(x) else read_p
    out = bind(read, (x,), {"index": index})
    if isinstance(out, TracedArray) or (index[-1:] == (Ellipsis,) and isinstance(out, Tracer)):
        return link_slice(out, x, index)
    return out


def _through_root(x: Any, index: Any) -> Any:
    """Read a few elements of a view from its root, without deriving the view anew; None where that does not pay."""
    items = index if type(index) is tuple else (index,)
    basic = all(isinstance(i, _BASIC) or i is Ellipsis for i in items)
    if not basic and not all(isinstance(i, (*_BASIC, np.ndarray, list)) for i in items):
        return None
    link = x._link
    places = positions(x)[index]
    if places.ndim and places.size > positions(x).size // 4:
        return None
    at = np.unravel_index(places, link.root.shape)
    zero_d = type(places) is np.ndarray and not places.ndim  # which the index asked for by an ellipsis
    if not places.ndim:
        out = read_p(link.root, index=tuple(int(i) for i in at) + (Ellipsis,) * zero_d)
    else:
        out = gather_p(link.root, *at, unique=False)
    if link.part is not None:
        out = (np.real if link.part == "real" else np.imag)(out)
    return link_slice(out, x, items) if basic and isinstance(out, Tracer) and (zero_d or out.shape) else out


def _static(i: slice) -> bool:
    return all(b is None or type(b) is int for b in (i.start, i.stop, i.step))


def _plain_index(i: Any) -> Any:
    """Return one index as int, slice, None, Ellipsis, integer or bool array, or traced integer."""
    if type(i) is slice:
        return i if _static(i) else slice(*(b if b is None else _bound(b) for b in (i.start, i.stop, i.step)))
    if i is Ellipsis or (isinstance(i, _BASIC) and not isinstance(i, bool)):
        return i
    i = plain_of(i)
    if not isinstance(i, Tracer):
        i = np.asarray(i) if isinstance(i, np.ndarray | bool) else _from_sequence(i)
    if i.dtype.kind not in "iub":
        raise IndexError(
            f"an index must be an integer, slice, None, Ellipsis, or an integer or bool array; got dtype {i.dtype} "
            f"at {caller()}"
        )
    return i


def _bound(b: Any) -> int:
    if isinstance(b, Tracer) and b.dtype.kind in "iu":
        # Under vmap and abstract tracing the length of the slice would depend on a value.
        b = plain_or(
            b,
            lambda: (
                f"a slice at {caller()} has a traced bound, so its length depends on a value; "
                f"use np.take(x, start + np.arange(length)) with a fixed length"
            ),
        )
    return operator.index(b)


def _from_sequence(i: Any) -> Any:
    array = np.asarray(as_operand(i, "indexing"))
    return array.astype(int) if array.size == 0 and array.dtype.kind == "f" else array


def _is_array(i: Any) -> bool:
    return not isinstance(i, _BASIC) and i is not Ellipsis


def _expand(x: Any, items: list[Any]) -> tuple[list[Any], Any]:
    """Spell out the ellipsis and turn bool arrays into integer arrays; a single bool becomes one on a new axis of x."""
    masks = [_is_array(i) and i.dtype.kind == "b" for i in items]
    used = sum(i.ndim if m else i is not None and i is not Ellipsis for i, m in zip(items, masks, strict=True))
    if used > x.ndim:
        raise IndexError(f"too many indices for array: array is {x.ndim}-dimensional, but {used} were indexed")
    where = [k for k, i in enumerate(items) if i is Ellipsis]
    if len(where) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    fill = [slice(None)] * (x.ndim - used)
    k = where[0] if where else len(items)
    items = items[:k] + fill + items[k + 1 :]
    masks = masks[:k] + [False] * len(fill) + masks[k + 1 :]
    out: list[Any] = []
    grown: list[Any] = []
    axis = 0
    for i, mask in zip(items, masks, strict=True):
        if mask:
            positions = _mask_positions(x, i, axis)
            out.extend(positions)
            grown.extend([slice(None)] * i.ndim if i.ndim else [None])
            axis += i.ndim
        else:
            out.append(i)
            if i is not None:
                grown.append(slice(None))
                axis += 1
    return out, slice_p(x, index=tuple(grown)) if None in grown else x


def _mask_positions(x: Any, mask: Any, axis: int) -> list[Any]:
    if isinstance(mask, Tracer):
        mask = plain_or(
            mask,
            lambda: (
                f"a traced bool array as index at {caller()} gives a result whose shape depends on values; "
                f"use np.where(mask, x, 0) instead of x[mask]"
            ),
        )
    if mask.ndim == 0:
        return [np.zeros(int(mask), int)]
    if mask.shape != x.shape[axis : axis + mask.ndim]:
        raise IndexError(
            f"boolean index did not match indexed array: mask of shape {mask.shape} on axes "
            f"{axis}…{axis + mask.ndim - 1} of an array of shape {x.shape}"
        )
    return list(mask.nonzero())


def _advanced(x: Any, items: list[Any], adjacent: bool, one_mask: bool) -> Any:
    """Index arrays mixed with basic indices: basic part first, then a gather on leading axes, then axes put back.

    As in NumPy, integers beside index arrays count as index arrays, and the gathered axes stay in place when the
    index arrays are next to each other, else they come first.
    """
    positions = [k for k, i in enumerate(items) if not isinstance(i, slice | type(None))]
    # The positions of one mask are distinct; integers beside it do not change that.
    unique = one_mask and len({i.shape for i in (items[k] for k in positions) if _is_array(i)}) == 1
    indices = [np.asarray(items[k]) if isinstance(items[k], int) else items[k] for k in positions]
    basic = tuple(slice(None) if k in positions else i for k, i in enumerate(items))
    if any(i != slice(None) for i in basic):
        x = slice_p(x, index=basic)
    rest = [k for k in range(x.ndim) if k not in positions]
    out = gather_p(transpose(x, positions + rest), *indices, unique=unique or are_unique(indices))
    if not adjacent or positions[0] == 0:
        return out
    gathered = len(np.broadcast_shapes(*[i.shape for i in indices]))
    before = positions[0]
    order = [gathered + k for k in range(before)] + list(range(gathered)) + list(range(gathered + before, out.ndim))
    return transpose(out, order)


def are_unique(indices: Sequence[Any]) -> bool:
    """Whether the indices cannot take an element twice, decided only where that is cheap: one increasing sequence."""
    if len(indices) > 1 or isinstance(indices[0], Tracer):
        return False
    (first,) = indices
    if first.ndim == 0:
        return True
    return first.ndim == 1 and (first.size == 0 or bool(first[0] >= 0 and np.all(first[1:] > first[:-1])))
