"""NumPy's functions that write into an argument: copyto, put, place, putmask, fill_diagonal, ``ufunc.at`` ..."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.buffer import plain_of
from ..core.dispatch import UFUNC_METHODS, UFUNCS, as_operand
from ..core.errors import NotDifferentiableError, caller
from ..core.mutation import write
from ..core.tracer import Tracer
from ..core.values import dtype_of, is_weak, shape_of
from ..core.views import is_view, positions
from ..ops.complex_parts import astype
from ..ops.indexing import gather_p
from ..ops.writing import add_at_p
from .assignment import traced_places
from .axes import normalize_axis
from .plain import plain_or
from .register import implements
from .storing import assign_places, fitted, needs_traced, store

__all__: list[str] = []


def _plain(x: Any, name: str, what: str) -> Any:
    """Return the argument `x`, which says where to write, as a plain array."""
    x = plain_of(x)
    if isinstance(x, Tracer):
        return plain_or(x, lambda: f"np.{name} at {caller()} needs {what} that is not traced; use np.where")
    return np.asarray(x)


def _target(x: Any, name: str) -> Any:
    if not isinstance(x, Tracer):
        raise needs_traced(f"np.{name}")
    return x


def _converted(v: Any, x: Any, name: str) -> Any:
    return astype(as_operand(v, f"np.{name}"), x.dtype)


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    src = as_operand(src, "np.copyto")
    _target(dst, "copyto(dst, src)")
    if is_weak(src):
        np.copyto(np.empty((), dst.dtype), src, casting=casting)  # NumPy's error if it does not fit
    elif not np.can_cast(dtype_of(src), dst.dtype, casting):
        raise TypeError(
            f"Cannot cast array data from {dtype_of(src)!r} to {dst.dtype!r} according to the rule {casting!r}"
        )
    src = fitted(astype(src, dst.dtype), dst.shape)
    store(dst, src if where is True else np.where(where, src, dst))


@implements(np.put)
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    _target(a, "put(a, ind, v)")
    at = _plain(ind, "put", "an index").reshape(-1)
    v = np.reshape(_converted(v, a, "put"), -1)
    if not at.size:
        return
    if not shape_of(v)[0]:
        return
    size = a.size
    if mode == "wrap":
        at = at % size
    elif mode == "clip":
        at = np.clip(at, 0, size - 1)
    assign_places(a, positions(a).reshape(-1)[at], _repeated(v, at.size), unique=False)


def _repeated(v: Any, count: int) -> Any:
    """The first `count` of the values `v` repeated in a cycle."""
    size = shape_of(v)[0]
    if size == count:
        return v
    return v if size == 1 else v[np.arange(count) % size]


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    _target(arr, "place(arr, mask, vals)")
    chosen = positions(arr).reshape(-1)[_plain(mask, "place", "a mask").astype(bool).reshape(-1)]
    v = np.reshape(_converted(vals, arr, "place"), -1)
    if chosen.size:
        if not shape_of(v)[0]:
            raise ValueError("Cannot insert from an empty array!")
        assign_places(arr, chosen, _repeated(v, chosen.size), unique=True)


@implements(np.putmask)
def putmask(a: Any, /, mask: Any, values: Any) -> None:
    _target(a, "putmask(a, mask, values)")
    v = np.reshape(_converted(values, a, "putmask"), -1)
    if not shape_of(v)[0]:
        return
    if isinstance(plain_of(mask), Tracer):
        store(a, np.where(mask, np.reshape(_repeated(v, a.size), a.shape) if shape_of(v)[0] > 1 else v[0], a))
        return
    at = np.flatnonzero(_plain(mask, "putmask", "a mask"))
    if at.size:
        assign_places(
            a, positions(a).reshape(-1)[at], v if shape_of(v)[0] == 1 else v[at % shape_of(v)[0]], unique=True
        )


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    _target(a, "fill_diagonal(a, val)")
    if a.ndim < 2:
        raise ValueError("array must be at least 2-d")
    end = None
    if a.ndim == 2:
        step = a.shape[1] + 1
        if not wrap:
            end = a.shape[1] * a.shape[1]
    else:
        if len(set(a.shape)) != 1:
            raise ValueError("All dimensions of input must be of equal length")
        step = 1 + sum(math.prod(a.shape[:k]) for k in range(1, a.ndim))
    places = positions(a).reshape(-1)[:end:step]
    if places.size:
        v = np.reshape(_converted(val, a, "fill_diagonal"), -1)
        assign_places(a, places, _repeated(v, places.size), unique=True)


@implements(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: Any = -1) -> None:
    _target(arr, "put_along_axis(arr, indices, values)")
    indices = plain_of(indices)
    if not isinstance(indices, Tracer):
        indices = np.asarray(indices)
    if axis is None:
        if indices.ndim != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        arr.ravel()[indices] = values
        return
    axis = normalize_axis(axis, arr.ndim)
    if indices.ndim != arr.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    index = [
        indices if k == axis else np.arange(n).reshape((1,) * k + (n,) + (1,) * (arr.ndim - k - 1))
        for k, n in enumerate(arr.shape)
    ]
    arr[tuple(index)] = values


# --- ufunc.at ---------------------------------------------------------------------------------------------------------


def at(ufunc: np.ufunc, a: Any, indices: Any, b: Any = None, /) -> None:
    """Answer ``ufunc.at(a, indices, b)``: unbuffered, so that each of repeated indices counts."""
    name = f"{ufunc.__name__}.at"
    _target(a, f"{name}(a, indices, b)")
    if ufunc.nout != 1 or ufunc.nin > 2 or ufunc.signature is not None:
        raise TypeError(f"np.{name}: only ufuncs of one or two inputs and one output are supported")
    if (b is None) != (ufunc.nin == 1):
        raise ValueError(f"np.{name}: {'second operand needed' if b is None else 'second operand provided'}")
    items = indices if type(indices) is tuple else (indices,)
    b = None if b is None else as_operand(b, f"np.{name}")
    if any(isinstance(plain_of(i), Tracer) for i in items):
        _at_traced(ufunc, a, items, b)
        return
    # The elements of `a` itself are numbered here, not those of what it may be a view of.
    numbers = np.arange(a.size).reshape(a.shape)
    places = np.asarray(numbers[tuple(np.asarray(i) if isinstance(i, list) else i for i in items)])
    if b is not None:
        b = np.broadcast_to(fitted(b, places.shape), places.shape)
    flat = places.reshape(-1)
    if ufunc in (np.add, np.subtract):
        v = _update_of(ufunc, a, b)
        index = np.unravel_index(places, a.shape) if a.shape else ()
        _add(a, v, index, unique=np.unique(flat).size == flat.size)
        return
    values = None if b is None else np.reshape(b, -1)
    whole = a.clone()
    for chosen in _rounds(flat):
        index = np.unravel_index(flat[chosen], a.shape)
        old = gather_p(whole, *index, unique=True)
        new = UFUNCS[ufunc](old) if values is None else UFUNCS[ufunc](old, values[chosen])
        whole[index] = new
    store(a, whole)


def _rounds(places: Any) -> list[Any]:
    """Split the numbers of `places` such that no round has a place twice: first occurrences, second ones ..."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if places.size else np.zeros(0, int)
    counts = np.diff(np.r_[starts, places.size])
    rank = np.empty(places.size, int)
    rank[order] = np.arange(places.size) - np.repeat(starts, counts)
    return [np.flatnonzero(rank == k) for k in range(int(rank.max()) + 1 if places.size else 0)]


def _update_of(ufunc: np.ufunc, a: Any, b: Any) -> Any:
    if not np.can_cast(dtype_of(b), a.dtype, "same_kind"):
        raise TypeError(f"Cannot cast ufunc '{ufunc.__name__}' input 1 from {dtype_of(b)!r} to {a.dtype!r}")
    v = astype(b, a.dtype)
    return np.negative(v) if ufunc is np.subtract else v


def _add(a: Any, v: Any, index: Any, unique: bool) -> None:
    if is_view(a):
        whole = a.clone()
        write(whole, add_at_p, (v, *index), {"unique": unique})
        store(a, whole)
    else:
        write(a, add_at_p, (v, *index), {"unique": unique})


def _at_traced(ufunc: np.ufunc, a: Any, items: tuple[Any, ...], b: Any) -> None:
    if ufunc not in (np.add, np.subtract):
        raise NotDifferentiableError(
            f"np.{ufunc.__name__}.at at {caller()} with traced indices is not supported; np.add.at is"
        )
    arrays = traced_places(a, items)
    shape = np.broadcast_shapes(*[shape_of(i) for i in arrays])
    _add(a, fitted(_update_of(ufunc, a, b), shape), arrays, unique=not shape)


UFUNC_METHODS["at"] = at
