"""Assigning to elements: ``x[index] = v`` for every kind of NumPy index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..core.buffer import plain_of
from ..core.dispatch import as_operand
from ..core.errors import ConcretizationError, caller
from ..core.mutation import write
from ..core.tracer import Tracer
from ..core.values import dtype_of, shape_of
from ..core.views import is_array, is_view, positions
from ..ops.writing import put_p, write_p
from .plain import plain_or
from .register import implements
from .storing import assign_places, cast, fitted, store
from .structural import reshape

__all__ = ["assign", "traced_places"]

_BASIC = (int, slice, type(None), type(Ellipsis), np.integer)
_ALL = slice(None)


@implements("setitem")
def assign(x: Any, index: Any, value: Any) -> None:
    """Assign `value` to ``x[index]``."""
    items = tuple(plain_of(i) for i in index) if type(index) is tuple else (plain_of(index),)
    if not x.shape and not is_array(x) and items not in ((), (Ellipsis,)):
        raise TypeError("a traced number does not support item assignment")
    if is_view(value) and value._link.parent is x and _same_index(value._link.index, items):
        return  # the second half of x[index] += v, whose first half has written through the view
    v = cast(as_operand(value, "assignment"), dtype_of(x))
    if any(isinstance(i, Tracer) for i in items):
        _assign_traced(x, items, v)
    elif all(isinstance(i, _BASIC) and type(i) is not bool for i in items):
        _assign_basic(x, _static(items), v)
    else:
        items = tuple(_as_index(i) for i in items)
        unique = sum(not isinstance(i, _BASIC) for i in items) == 1 and any(_is_mask(i) for i in items)
        places = positions(x)[items]
        assign_places(x, places, fitted(v, places.shape), unique)


def _same_index(index: Any, items: tuple[Any, ...]) -> bool:
    return (
        index is not None
        and len(index) == len(items)
        and all(type(i) is type(j) and isinstance(i, int | slice) and i == j for i, j in zip(index, items, strict=True))
    )


def _static(items: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(int(i) if isinstance(i, np.integer) else i for i in items)


def _as_index(i: Any) -> Any:
    return np.asarray(as_operand(i, "indexing")) if isinstance(i, list | tuple) and len(i) else i


def _is_mask(i: Any) -> bool:
    return isinstance(i, np.ndarray | np.bool | bool) and np.asarray(i).dtype == bool


def _assign_basic(x: Any, index: tuple[Any, ...], v: Any) -> None:
    shape = x.shape
    if all(i is Ellipsis or i == _ALL for i in index) and len(index) <= len(shape) + (Ellipsis in index):
        store(x, v)
        return
    if is_view(x):
        places = positions(x)[index]
        shape = shape_of(places)
        assign_places(x, places, fitted(v, shape), unique=True)
        return
    at = np.broadcast_to(np.empty(()), shape)[index]
    write(x, write_p, (fitted(v, shape_of(at)),), {"index": index})


# --- traced indices ---------------------------------------------------------------------------------------------------


def _assign_traced(x: Any, items: tuple[Any, ...], v: Any) -> None:
    """Indices that differ from lane to lane of a map, or of which only shape and dtype are known."""
    if len(items) == 1 and items[0].dtype.kind == "b":
        mask = items[0]
        if mask.shape != x.shape[: mask.ndim]:
            raise IndexError(f"boolean index of shape {mask.shape} did not match indexed array of shape {x.shape}")
        if len(shape_of(v)) > x.ndim - mask.ndim:
            message = (
                f"an assignment x[mask] = values at {caller()} with a traced mask needs to know how many elements are "
                f"selected; write x[...] = np.where(mask, new, x)"
            )
            assign(x, plain_or(mask, lambda: message), v)
            return
        store(x, np.where(reshape(mask, mask.shape + (1,) * (x.ndim - mask.ndim)), v, x))
        return
    arrays = traced_places(x, items)
    shape = np.broadcast_shapes(*[shape_of(a) for a in arrays])
    if is_view(x):
        whole = x.clone()
        write(whole, put_p, (fitted(v, shape), *arrays), {"unique": False})
        store(x, whole)
        return
    write(x, put_p, (fitted(v, shape), *arrays), {"unique": not shape})


def _spread_masks(items: Sequence[Any], message: Callable[[], str]) -> Iterator[Any]:
    """Integer arrays in place of masks."""
    for i in items:
        mask = _is_mask(i) or (isinstance(i, Tracer) and i.dtype.kind == "b")
        yield from np.nonzero(plain_or(i, message)) if mask else (i,)


def traced_places(x: Any, items: tuple[Any, ...]) -> list[Any]:
    """One integer array per axis of `x` for an index of which some integers are traced."""
    if any(i is None or _is_mask(i) or (isinstance(i, Tracer) and i.dtype.kind == "b") for i in items):
        message = (
            f"an index at {caller()} that mixes traced integers with masks or np.newaxis is not supported for "
            f"assignment; use integer arrays and slices"
        )
        if any(i is None for i in items):
            raise ConcretizationError(message)
        items = tuple(_spread_masks(items, lambda: message))
    spread = [i for i in items if i is not Ellipsis]
    fill = [_ALL] * (x.ndim - len(spread))
    k = next((k for k, i in enumerate(items) if i is Ellipsis), len(items))
    spread = [*items[:k], *fill, *items[k + 1 :]]
    if len(spread) != x.ndim:
        raise IndexError(f"too many indices for array: array is {x.ndim}-dimensional, but {len(items)} were indexed")
    arrays = [i if isinstance(i, slice | Tracer) else np.asarray(i) for i in spread]
    chosen = [k for k, i in enumerate(arrays) if not isinstance(i, slice)]
    shape = np.broadcast_shapes(*[shape_of(arrays[k]) for k in chosen])
    adjacent = chosen[-1] - chosen[0] == len(chosen) - 1
    before = chosen[0] if adjacent else 0
    slices = [k for k in range(x.ndim) if k not in chosen]
    rank = len(slices) + len(shape)
    out = []
    for k, i in enumerate(arrays):
        if isinstance(i, slice):
            at = slices.index(k)
            at += len(shape) if at >= before else 0
            i = np.arange(*i.indices(x.shape[k]))
            out.append(i.reshape((1,) * at + (-1,) + (1,) * (rank - at - 1)))
        else:
            own = shape_of(i)
            tail = rank - before - len(shape)
            out.append(np.reshape(i, (1,) * (before + len(shape) - len(own)) + own + (1,) * tail))
    return out
