"""Storing values in the elements of an array, whether it is one of its own or a view of another."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..core.buffer import BufferTrace
from ..core.errors import TracerConversionError, caller
from ..core.mutation import become, write
from ..core.protect import laid_out_like
from ..core.tracer import Tracer, own
from ..core.values import dtype_of, is_weak, shape_of
from ..core.views import is_array, is_view, layout, positions, release
from ..ops.complex_parts import astype, join_p
from ..ops.indexing import gather_p
from ..ops.writing import put_p, read_p, write_p
from .structural import broadcast_to

__all__ = ["assign_places", "cast", "fitted", "needs_traced", "relaid", "store"]


def needs_traced(name: str) -> TracerConversionError:
    """The error for a plain array that was to be written to with traced values."""
    return TracerConversionError(
        f"{name} at {caller()} would write traced values into a plain array, which cannot hold them; make the array "
        f"with np.zeros_like(t), np.empty_like(t) or np.zeros(n, like=t) from a traced t, or with "
        "`import covector.numpy as np`"
    )


def cast(v: Any, dtype: np.dtype[Any]) -> Any:
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
        return own(x.clone())
    fresh = own(BufferTrace(_owner(x)).lift(np.empty_like(held, x.dtype, order, subok=False)))
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
