"""NumPy's functions of shape and order of axes in terms of primitives."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from ..core.dispatch import FUNCTIONS, as_operand
from ..core.errors import TracerConversionError, caller
from ..core.tracer import Tracer
from ..core.views import layout, link_view
from ..ops.indexing import slice_p
from ..ops.structural import broadcast_p, concat_p, reshape_p, transpose_p
from .axes import normalize_axis
from .register import implements

__all__ = ["as_array", "axis_list", "broadcast_to", "expand_dims", "flip", "moveaxis", "ravel", "reshape", "transpose"]


def as_array(x: Any, function: str) -> Any:
    """Return `x` as an array of a dtype of its own: traced values and arrays as they are, anything else as an array."""
    if isinstance(x, Tracer | np.ndarray):
        return x
    return np.asarray(as_operand(x, function))


def axis_list(axis: Any, ndim: int, what: str = "axis") -> list[int]:
    """Return the axes that an int or a sequence of ints names, in the given order and counted from the front."""
    axes = [normalize_axis(i, ndim) for i in (axis if isinstance(axis, Iterable) else (axis,))]
    if len(set(axes)) != len(axes):
        raise ValueError(f"repeated axis in `{what}` argument")
    return axes


def as_shape(shape: Any) -> tuple[int, ...]:
    """Return a shape given as an int or a sequence of ints."""
    return tuple(operator.index(n) for n in (shape if isinstance(shape, Iterable) else (shape,)))


# --- reshape ----------------------------------------------------------------------------------------------------------


def _order(a: Any, order: str) -> str:
    """Resolve the orders that depend on memory layout: for ``"A"`` and ``"K"``, ``"F"`` or ``"C"``."""
    if order in ("C", "F"):
        return order
    if order not in ("A", "K"):
        raise ValueError(f"order must be one of 'C', 'F', 'A', or 'K' (got {order!r})")
    value = layout(a)
    if value is None and isinstance(a, Tracer) and a._answers and a.ndim > 1:
        raise TracerConversionError(
            f"order={order!r} at {caller()} asks how an array traced by {a._trace.name} lies in memory, which is not "
            f"recorded; use order='C' or order='F'"
        )
    return "F" if value is not None and value.flags.fnc else "C"


@implements(np.reshape, view=True)
def reshape(a: Any, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: bool | None = None) -> Any:
    shape = newshape if shape is None else shape  # the older name, the only one until NumPy 2.1
    if order == "K":
        raise ValueError("order 'K' is not permitted for reshaping")
    wanted = as_shape(shape)
    if -1 in wanted:
        known = math.prod(n for n in wanted if n != -1)
        if wanted.count(-1) > 1 or known == 0 or a.size % known:
            raise ValueError(f"cannot reshape array of size {a.size} into shape {wanted}")
        wanted = tuple(a.size // known if n == -1 else n for n in wanted)
    if math.prod(wanted) != a.size or any(n < 0 for n in wanted):
        raise ValueError(f"cannot reshape array of size {a.size} into shape {wanted}")
    value = layout(a) if copy is False else None
    if value is not None and value.size and not np.may_share_memory(value, value.reshape(wanted, order=order)):
        raise ValueError("Unable to avoid creating a copy while reshaping.")
    if wanted == a.shape and copy is not True:
        return a
    if order != "C" and _order(a, order) == "F":
        return transpose(reshape(transpose(a), wanted[::-1], copy=copy))
    out = reshape_p(a, shape=wanted)
    if isinstance(out, Tracer) and copy is not True and _is_view(a, wanted):
        return link_view(out, a, lambda x: x.reshape(wanted))
    return out


def _is_view(a: Any, shape: tuple[int, ...]) -> bool:
    """Whether NumPy's reshape shares memory with `a`, which depends on the memory layout."""
    held = layout(a) if isinstance(a, Tracer) else a
    return held is None or held.flags.c_contiguous or np.may_share_memory(np.reshape(held, shape), held)


@implements(np.ravel, view=True)
def ravel(a: Any, order: str = "C") -> Any:
    held = layout(a)
    if order == "K" and held is None:
        order = _order(a, order)
    if order == "K" and held is not None and held.ndim > 1:
        # Axes by decreasing stride, which is how NumPy walks through memory; ties keep their order.
        a = transpose(a, sorted(range(held.ndim), key=lambda i: -abs(held.strides[i])))
        held = layout(a)
    order = "C" if order == "K" else _order(a, order)
    out = reshape(a, -1 if a.size else 0, order)
    view = held is None or (held.flags.c_contiguous if order == "C" else held.flags.f_contiguous)
    return out if view or not isinstance(out, Tracer) else FUNCTIONS[np.copy](out, "C")


# --- order of axes ----------------------------------------------------------------------------------------------------


@implements(np.transpose, np.permute_dims, view=True)
def transpose(a: Any, axes: Any = None) -> Any:
    order = tuple(range(a.ndim))[::-1] if axes is None else tuple(normalize_axis(i, a.ndim) for i in axes)
    if len(order) != a.ndim:
        raise ValueError("axes don't match array")
    if len(set(order)) != len(order):
        raise ValueError("repeated axis in transpose")
    if order == tuple(range(a.ndim)):
        return a
    return link_view(transpose_p(a, axes=order), a, operator.methodcaller("transpose", order))


@implements(np.matrix_transpose, np.linalg.matrix_transpose, view=True)
def matrix_transpose(x: Any, /) -> Any:
    if x.ndim < 2:
        raise ValueError(f"Input array must be at least 2-dimensional, but it is {x.ndim}")
    return swapaxes(x, -1, -2)


@implements(np.swapaxes, view=True)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    order = list(range(a.ndim))
    i, j = normalize_axis(axis1, a.ndim), normalize_axis(axis2, a.ndim)
    order[i], order[j] = order[j], order[i]
    return transpose(a, order)


@implements(np.moveaxis, view=True)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    sources = axis_list(source, a.ndim, "source")
    targets = axis_list(destination, a.ndim, "destination")
    if len(sources) != len(targets):
        raise ValueError("`source` and `destination` arguments must have the same number of elements")
    order = [i for i in range(a.ndim) if i not in sources]
    for target, origin in sorted(zip(targets, sources, strict=True)):
        order.insert(target, origin)
    return transpose(a, order)


@implements(np.rollaxis, view=True)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    axis = normalize_axis(axis, a.ndim)
    if not -a.ndim <= start <= a.ndim:
        raise np.exceptions.AxisError(f"'start' must be between {-a.ndim} and {a.ndim}, but {start} was passed in")
    start = start + a.ndim if start < 0 else start
    order = [i for i in range(a.ndim) if i != axis]
    order.insert(start - (axis < start), axis)
    return transpose(a, order)


# --- axes of length one -----------------------------------------------------------------------------------------------


@implements(np.squeeze, view=True)
def squeeze(a: Any, axis: Any = None) -> Any:
    shape = a.shape
    if axis is None:
        gone = [i for i, n in enumerate(shape) if n == 1]
    else:
        gone = axis_list(axis, len(shape))
        if any(shape[i] != 1 for i in gone):
            raise ValueError("cannot select an axis to squeeze out which has size not equal to one")
    return reshape(a, tuple(n for i, n in enumerate(shape) if i not in gone))


@implements(np.expand_dims, view=True)
def expand_dims(a: Any, axis: Any) -> Any:
    shape = list(a.shape)
    count = len(axis) if isinstance(axis, tuple | list) else 1
    for i in sorted(axis_list(axis, len(shape) + count)):
        shape.insert(i, 1)
    return reshape(a, tuple(shape))


@implements(np.atleast_1d, view=True)
def atleast_1d(*arys: Any) -> Any:
    return _each(arys, "np.atleast_1d", lambda a: reshape(a, (1,)) if a.ndim == 0 else a)


@implements(np.atleast_2d, view=True)
def atleast_2d(*arys: Any) -> Any:
    return _each(arys, "np.atleast_2d", lambda a: reshape(a, (1,) * (2 - a.ndim) + a.shape) if a.ndim < 2 else a)


@implements(np.atleast_3d, view=True)
def atleast_3d(*arys: Any) -> Any:
    def raised(a: Any) -> Any:
        if a.ndim >= 3:
            return a
        return reshape(a, {0: (1, 1, 1), 1: (1, *a.shape, 1), 2: (*a.shape, 1)}[a.ndim])

    return _each(arys, "np.atleast_3d", raised)


def _each(arys: tuple[Any, ...], name: str, raised: Any) -> Any:
    out = tuple(raised(as_array(a, name)) for a in arys)
    return out[0] if len(out) == 1 else out


# --- broadcasting -----------------------------------------------------------------------------------------------------


@implements(np.broadcast_to, view=True)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    wanted = as_shape(shape)
    if array.ndim > len(wanted) or np.broadcast_shapes(array.shape, wanted) != wanted:
        raise ValueError(f"cannot broadcast an array of shape {array.shape} to shape {wanted}")
    if array.shape == wanted:
        return link_view(array, array, partial(np.broadcast_to, shape=wanted), writeable=False)
    offset = len(wanted) - array.ndim
    out = broadcast_p(array, shape=wanted, axes=tuple(range(offset, len(wanted))))
    return link_view(out, array, partial(np.broadcast_to, shape=wanted), writeable=False)


@implements(np.broadcast_arrays, view=True)
def broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    arrays = [as_array(a, "np.broadcast_arrays") for a in args]
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    return tuple(broadcast_to(a, shape) for a in arrays)


@implements(np.meshgrid, view=True)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    rank = len(xi)
    grids = []
    for i, x in enumerate(xi):
        x = as_array(x, "np.meshgrid")
        k = 1 - i if indexing == "xy" and rank > 1 and i < 2 else i
        grids.append(reshape(x, (1,) * k + (x.size,) + (1,) * (rank - 1 - k)))
    grids = list(grids if sparse else broadcast_arrays(*grids))
    return tuple(np.copy(x) for x in grids) if copy else tuple(grids)


# --- reversing and shifting -------------------------------------------------------------------------------------------


@implements(np.flip, view=True)
def flip(m: Any, axis: Any = None) -> Any:
    axes = range(m.ndim) if axis is None else axis_list(axis, m.ndim)
    index = tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(m.ndim))
    return m[index] if any(i.step for i in index) else m


@implements(np.fliplr, view=True)
def fliplr(m: Any) -> Any:
    if m.ndim < 2:
        raise ValueError("Input must be >= 2-d.")
    return flip(m, 1)


@implements(np.flipud, view=True)
def flipud(m: Any) -> Any:
    if m.ndim < 1:
        raise ValueError("Input must be >= 1-d.")
    return flip(m, 0)


@implements(np.rot90, view=True)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    axes = tuple(axes)
    if len(axes) != 2:
        raise ValueError("len(axes) must be 2.")
    i, j = (normalize_axis(x, m.ndim) for x in axes)
    if i == j:
        raise ValueError("Axes must be different.")
    k = k % 4
    if k == 0:
        return m
    if k == 2:
        return flip(m, (i, j))
    return swapaxes(flip(m, j), i, j) if k == 1 else flip(swapaxes(m, i, j), j)


@implements(np.roll)
def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        return reshape(roll(ravel(a), shift, 0), a.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    if shifts.ndim > 1:
        raise ValueError("'shift' and 'axis' should be scalars or 1D sequences")
    for s, i in zip(shifts.ravel(), axes.ravel(), strict=True):
        i = normalize_axis(i, a.ndim)
        n = a.shape[i]
        s = int(s) % n if n else 0
        if s:
            before = (slice(None),) * i
            tail = slice_p(a, index=(*before, slice(n - s, None)))
            a = concat_p(tail, slice_p(a, index=(*before, slice(None, n - s))), axis=i)
    return a


# --- questions --------------------------------------------------------------------------------------------------------


@implements(np.ndim)
def ndim(a: Any) -> int:
    return a.ndim


@implements(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    return a.shape


@implements(np.size)
def size(a: Any, axis: Any = None) -> int:
    if axis is None:
        return a.size
    return math.prod(a.shape[i] for i in axis_list(axis, a.ndim))
