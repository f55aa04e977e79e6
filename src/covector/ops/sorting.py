"""Orders and positions: what sorts, searches and ranks. The values follow by indexing with these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.primitive import bind
from ..core.values import Aval
from .families import constant
from .samples import draw, sample

__all__ = ["argpartition_p", "argsort_p", "lexsort_p", "searchsorted_p"]

_INTP = np.dtype(np.intp)


def _same_shape(x: Aval, **params: Any) -> Aval:
    return Aval(x.shape, _INTP)


_LARGE = 4096


def _argsort(x: Any, *, axis: int, kind: Any) -> Any:
    """``np.argsort``. NumPy's stable sort is several times slower, and without equal elements any sort is stable."""
    if kind == "stable" and x.size >= _LARGE:
        order = np.argsort(x, axis=axis)
        values = np.take_along_axis(x, order, axis)
        before, after = ((slice(None),) * axis + (part,) for part in (slice(None, -1), slice(1, None)))
        if np.all(values[after] > values[before]):
            return order
    return np.argsort(x, axis=axis, kind=kind)


argsort_p = constant(
    "argsort",
    _argsort,
    aval=_same_shape,
    batch=lambda trace, args, batched, *, axis, kind: argsort_p(args[0], axis=axis + 1, kind=kind),
    samples=[
        sample(draw((4,)), axis=0, kind="stable"),
        sample(draw((2, 3)), axis=0, kind=None),
        sample(np.array([1.0, np.nan, 1.0, 0.0]), axis=0, kind="stable"),
    ],
    numpy=(np.argsort,),
)

argpartition_p = constant(
    "argpartition",
    lambda x, *, kth, axis: np.argpartition(x, kth, axis=axis),
    aval=_same_shape,
    batch=lambda trace, args, batched, *, kth, axis: argpartition_p(args[0], kth=kth, axis=axis + 1),
    samples=[sample(draw((5,)), kth=(2,), axis=0), sample(draw((2, 5)), kth=(0, 3), axis=1)],
    numpy=(np.argpartition,),
)


def _lexsort_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, axis: int) -> Any:
    shape = next((trace.size, *x.shape[1:]) for x, b in zip(args, batched, strict=True) if b)
    return bind(
        lexsort_p,
        [x if b else np.broadcast_to(x, shape) for x, b in zip(args, batched, strict=True)],
        {"axis": axis + 1},
    )


lexsort_p = constant(
    "lexsort",
    lambda *keys, axis: np.lexsort(keys, axis=axis),
    aval=lambda *keys, axis: Aval(keys[0].shape, _INTP),
    batch=_lexsort_batch,
    samples=[
        sample(draw((4,)), np.array([1, 0, 1, 0]), axis=0),
        sample(draw((2, 3), key="a"), draw((2, 3), key="b"), axis=1),
    ],
    numpy=(np.lexsort,),
)


# --- search -----------------------------------------------------------------------------------------------------------


def _searchsorted(a: Any, v: Any, *, side: str, lanes: int) -> Any:
    """``np.searchsorted``, with `lanes` leading axes in common between the sorted sequences `a` and the values `v`.

    With lanes it ranks the values among the sequences by one stable sort of both together: the number of elements
    that come before a value is the running count of elements at the value's place in that order.
    """
    if not lanes:
        return np.searchsorted(a, v, side)
    v = np.asarray(v)
    lane = a.shape[:lanes]
    n, m = a.shape[-1], math.prod(v.shape[lanes:])
    values = v.reshape((*lane, m))
    # Equal elements: on the left the value comes first, on the right the elements do.
    parts = (values, a) if side == "left" else (a, values)
    order = np.argsort(np.concatenate(parts, axis=-1), axis=-1, kind="stable")
    is_element = order >= m if side == "left" else order < n
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.cumsum(is_element, axis=-1), axis=-1)
    ranks = ranks[..., :m] if side == "left" else ranks[..., n:]
    return ranks.reshape(v.shape)


def _searchsorted_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, side: str, lanes: int) -> Any:
    a, v = args
    if not batched[0] and not lanes:
        return searchsorted_p(a, v, side=side, lanes=0)
    a, v = (x if b else np.broadcast_to(x, (trace.size, *np.shape(x))) for x, b in zip(args, batched, strict=True))
    return searchsorted_p(a, v, side=side, lanes=lanes + 1)


_SORTED = np.array([-1.0, 0.0, 0.0, 1.0])

searchsorted_p = constant(
    "searchsorted",
    _searchsorted,
    aval=lambda a, v, *, side, lanes: Aval(v.shape, _INTP),
    batch=_searchsorted_batch,
    samples=[
        sample(_SORTED, draw((2, 3)), side="left", lanes=0),
        sample(_SORTED, np.array([0.0, 1.0, 2.0, np.nan]), side="right", lanes=0),
        sample(_SORTED, np.float64(0.0), side="left", lanes=0),
        sample(np.stack([_SORTED, _SORTED + 0.5]), draw((2, 3)), side="left", lanes=1),
        sample(np.stack([_SORTED, _SORTED + 0.5]), np.array([0.0, 0.5]), side="right", lanes=1),
    ],
    numpy=(np.searchsorted, np.digitize),
)
