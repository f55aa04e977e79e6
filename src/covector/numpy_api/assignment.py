"""Assigning to elements: ``x[index] = v`` for every kind of NumPy index, ``x += v``, and ``out=``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..core.buffer import BufferTrace, plain_of
from ..core.dispatch import FUNCTIONS, UFUNCS, as_operand
from ..core.errors import ConcretizationError, TracerConversionError, caller
from ..core.mutation import become, write
from ..core.protect import laid_out_like
from ..core.tracer import Tracer
from ..core.values import dtype_of, is_weak, shape_of
from ..core.views import is_array, is_view, layout, positions, release
from ..ops.complex_parts import astype, join_p
from ..ops.indexing import gather_p
from ..ops.writing import put_p, read_p, write_p
from .plain import plain_or
from .register import implements
from .structural import broadcast_to, reshape

__all__ = ["assign", "assign_places", "fitted", "needs_traced", "relaid", "store"]

_BASIC = (int, slice, type(None), type(Ellipsis), np.integer)
_ALL = slice(None)


def needs_traced(name: str) -> TracerConversionError:
    """The error for a plain array that was to be written to with traced values."""
    return TracerConversionError(
        f"{name} at {caller()} would write traced values into a plain array, which cannot hold them; make the array "
        f"with np.zeros_like(t), np.empty_like(t) or np.zeros(n, like=t) from a traced t, or with "
        "`import covector.numpy as np`"
    )


# --- x[index] = v -----------------------------------------------------------------------------------------------------


@implements("setitem")
def assign(x: Any, index: Any, value: Any) -> None:
    """Assign `value` to ``x[index]``."""
    items = tuple(plain_of(i) for i in index) if type(index) is tuple else (plain_of(index),)
    if not x.shape and not is_array(x) and items not in ((), (Ellipsis,)):
        raise TypeError("a traced number does not support item assignment")
    if is_view(value) and value._link.parent is x and _same_index(value._link.index, items):
        return  # the second half of x[index] += v, whose first half has written through the view
    v = _cast(as_operand(value, "assignment"), dtype_of(x))
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


def _cast(v: Any, dtype: np.dtype[Any]) -> Any:
    """Return `v` in `dtype`, as assignment converts: anything to anything, with NumPy's warnings."""
    own = dtype_of(v)
    if own == dtype and not is_weak(v):
        return v
    if not isinstance(v, Tracer):
        out = np.empty(shape_of(v), dtype)
        out[...] = v  # NumPy's own conversion, with its errors
        return out if out.shape else out[()]
    if own.kind == "c" and dtype.kind in "fiu":
        message = "Casting complex values to real discards the imaginary part"
        warnings.warn(message, np.exceptions.ComplexWarning, stacklevel=4)
    return astype(v, dtype)


def fitted(v: Any, shape: tuple[int, ...]) -> Any:
    """Return `v` with as many axes as `shape`, to which it broadcasts; NumPy's error if it does not."""
    own = shape_of(v)
    if own == shape:
        return v
    kept = own
    while len(kept) > len(shape) and kept[0] == 1:
        kept = kept[1:]
    try:
        if np.broadcast_shapes(kept, shape) != shape:
            raise ValueError
    except ValueError:
        raise ValueError(f"could not broadcast input array from shape {own} into shape {shape}") from None
    return np.reshape(v, (1,) * (len(shape) - len(kept)) + kept)


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


def store(x: Any, v: Any) -> None:
    """Replace all elements of `x` by those of `v`, which broadcasts to its shape and has its dtype."""
    shape = x.shape
    v = fitted(v, shape)
    if is_view(x):
        link = x._link
        _check_writeable(link)
        if link.parent is link.root and link.index is not None and link.part is None:
            release(x)
            write(link.root, write_p, (v,), {"index": link.index})
        else:
            assign_places(x, positions(x), v, unique=True)
        return
    if not shape and is_array(x):
        write(x, write_p, (v,), {"index": ()})
        return
    held = layout(x)
    if isinstance(v, Tracer):
        content = broadcast_to(v, shape).clone()
        if held is None or _alike(held, layout(content)):
            become(x, content)
            return
    # In NumPy the new content goes into the memory of the old, whose order shows in ravel, reshape and rounding.
    fresh = BufferTrace(_owner(x)).lift(np.empty(shape, x.dtype) if held is None else laid_out_like(held, x.dtype))
    write(fresh, write_p, (v,), {"index": (Ellipsis,)})
    become(x, fresh)


def relaid(x: Any, order: str) -> Any:
    """Return a copy of the traced `x` in the given order in memory: "C", "F", or "K" for close to that of `x`."""
    held = layout(x)
    if held is None or (
        held.flags.forc if order == "K" else held.flags.c_contiguous if order == "C" else held.flags.fnc
    ):
        return x.clone()
    fresh = BufferTrace(_owner(x)).lift(np.empty_like(held, x.dtype, order, subok=False))
    write(fresh, write_p, (x,), {"index": (Ellipsis,)})
    return fresh


def _owner(x: Any) -> Any:
    trace = x._trace
    return trace.owner if isinstance(trace, BufferTrace) else trace


def _alike(a: Any, b: Any) -> bool:
    """Whether the elements of two arrays of the same shape have the same order in memory."""
    if b is None or (a.flags.c_contiguous and b.flags.c_contiguous):
        return True
    return [s // a.itemsize for s in a.strides] == [s // b.itemsize for s in b.strides]


def _check_writeable(link: Any) -> None:
    if not link.writeable:
        raise ValueError("assignment destination is read-only")


def assign_places(x: Any, places: Any, v: Any, unique: bool) -> None:
    """Write `v`, which fits, to the elements of `x` (or of what it is a view of) with the numbers `places`."""
    root, part = x, None
    if is_view(x):
        link = x._link
        _check_writeable(link)
        root, part = link.root, link.part
        release(x)
    places = np.asarray(places)
    if not places.size:
        return
    if not unique and places.ndim:
        places, v = _last_of_each(places, v)
    if not root.shape:
        store(root, _whole(np.reshape(v, ()), part, root))
        return
    at = np.unravel_index(places, root.shape)
    if not places.ndim:
        index = {"index": tuple(int(i) for i in at)}
        old = read_p(root, **index) if part else None
        write(root, write_p, (_whole(v, part, old),), index)
    else:
        old = gather_p(root, *at, unique=True) if part else None
        write(root, put_p, (_whole(v, part, old), *at), {"unique": True})


def _last_of_each(places: Any, v: Any) -> tuple[Any, Any]:
    """Of values assigned to one place the last one stays."""
    flat = places.reshape(-1)
    found, first = np.unique(flat[::-1], return_index=True)
    if found.size == flat.size:
        return places, v
    last = flat.size - 1 - first
    return found, np.reshape(np.broadcast_to(v, places.shape), -1)[last] if shape_of(v) else v


def _whole(v: Any, part: str | None, old: Any) -> Any:
    """The complex numbers that have `v` as their real or imaginary part, and the other one of `old`."""
    if part is None:
        return v
    return astype(join_p(v, np.imag(old)) if part == "real" else join_p(np.real(old), v), dtype_of(old))


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


# --- x += v, out= -----------------------------------------------------------------------------------------------------


def _check_casting(ufunc: np.ufunc, operands: Sequence[Any], out: Any) -> None:
    """Raise NumPy's error if the result of `operands` may not be stored in the dtype of `out`."""
    ones = [x if is_weak(x) else np.ones((1,) * max(1, ufunc.signature is not None), dtype_of(x)) for x in operands]
    if ufunc.signature is None:
        with np.errstate(all="ignore"):
            ufunc(*ones, out=np.empty(1, dtype_of(out)))


@implements("in-place")
def update(ufunc: np.ufunc, x: Any, other: Any) -> Any:
    """Answer ``x += other`` and its like: a number is replaced, an array changed."""
    other = as_operand(other, f"np.{ufunc.__name__}")
    result = UFUNCS[ufunc](x, other)
    if not x.shape and not is_array(x):
        return result
    if shape_of(result) != x.shape:
        raise ValueError(
            f"non-broadcastable output operand with shape {x.shape} doesn't match the broadcast shape "
            f"{shape_of(result)}"
        )
    if dtype_of(result) != x.dtype:
        _check_casting(ufunc, (x, other), x)
    store(x, _cast(result, x.dtype))
    return x


@implements("augmented")
def update_plain(ufunc: np.ufunc, array: Any, other: Any) -> Any:
    """Answer ``array += other`` for a plain array that nobody else refers to; see `core.augmented`."""
    if not array.flags.writeable:
        raise ValueError("output array is read-only")
    if not isinstance(plain_of(other), Tracer):
        return ufunc(array, plain_of(other), out=array)
    return update(ufunc, BufferTrace(other._trace).lift(array), other)


def _casting_error() -> Any:
    """The class of NumPy's error, which has no public name."""
    return getattr(getattr(getattr(np, "_core", None), "_exceptions", None), "_UFuncOutputCastingError", None)


@implements("out")
def write_out(function: Any, out: Any, result: Any, where: Any = True) -> Any:
    """Store the `result` of `function` in `out`, and return that."""
    if isinstance(out, tuple):
        pairs = zip(out, result if isinstance(result, tuple) else (result,), strict=True)
        done = tuple(r if o is None else write_out(function, o, r, where) for o, r in pairs)
        return done if isinstance(result, tuple) else done[0]
    name = f"np.{function.__name__}(..., out=...)"
    if shape_of(result) != shape_of(out):
        if isinstance(function, np.ufunc) and np.broadcast_shapes(shape_of(result), shape_of(out)) == shape_of(out):
            result = broadcast_to(result, shape_of(out)) if isinstance(result, Tracer) else result
        else:
            raise ValueError(f"{name}: the output has shape {shape_of(out)}, but the result {shape_of(result)}")
    if not np.can_cast(dtype_of(result), dtype_of(out), "same_kind"):
        error = _casting_error()
        if error is not None and isinstance(function, np.ufunc):
            raise error(function, "same_kind", dtype_of(result), dtype_of(out), 0)
        raise TypeError(f"{name}: cannot cast from {dtype_of(result)} to {dtype_of(out)} by the rule 'same_kind'")
    if isinstance(out, Tracer):
        if where is not True:
            result = np.where(where, result, out)
        store(out, _cast(result, dtype_of(out)))
        return out
    result, where = plain_of(result), plain_of(where)
    if isinstance(result, Tracer) or isinstance(where, Tracer):
        raise needs_traced(name)
    np.copyto(out, result, casting="same_kind", where=where)
    return out


# --- methods ----------------------------------------------------------------------------------------------------------


@implements("ndarray.fill")
def fill(x: Any, value: Any) -> None:
    v = as_operand(value, "fill")
    if shape_of(v):
        v = fitted(v, ())
    store(x, _cast(v, x.dtype))


@implements("ndarray.sort")
def sort(x: Any, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> None:
    store(x, np.sort(x, axis, kind, order, stable=stable))


@implements("ndarray.partition")
def partition(x: Any, kth: Any, axis: int = -1, kind: str = "introselect", order: Any = None) -> None:
    store(x, np.partition(x, kth, axis, kind, order))


@implements("ndarray.flatten")
def flatten(x: Any, order: str = "C") -> Any:
    out = FUNCTIONS[np.ravel](x, order)
    return out.clone()
