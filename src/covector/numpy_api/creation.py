"""NumPy's functions that make arrays: shaped like a traced value, or ranging between traced end points."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core.buffer import buffer
from ..core.tracer import Tracer, concrete
from ..core.values import is_weak
from ..core.views import layout
from .joining import concatenate
from .register import implements
from .structural import as_array, as_shape, broadcast_to, expand_dims, moveaxis, reshape

__all__ = ["empty_like", "full_like", "geomspace", "linspace", "logspace", "ones_like", "zeros_like"]


# --- shaped like a traced value: constants ----------------------------------------------------------------------------


def _pattern(a: Any) -> Any:
    """A plain array of the shape of `a`, laid out in memory as NumPy would have it, for its ``_like`` functions."""
    held = layout(a)
    return np.empty(a.shape) if held is None else held


@implements(np.zeros_like)
def zeros_like(
    a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    dtype = a.dtype if dtype is None else dtype
    return buffer(np.zeros_like(_pattern(a), dtype, order, False, shape, device=device))


@implements(np.ones_like)
def ones_like(
    a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    dtype = a.dtype if dtype is None else dtype
    return buffer(np.ones_like(_pattern(a), dtype, order, False, shape, device=device))


@implements(np.empty_like)
def empty_like(
    prototype: Any, /, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    dtype = prototype.dtype if dtype is None else dtype
    return buffer(np.empty_like(_pattern(prototype), dtype, order, False, shape, device=device))


def _on_cpu(device: Any) -> None:
    if device not in (None, "cpu"):
        raise ValueError(f'Device not understood. Only "cpu" is allowed, but received: {device}')


def _fill_value(fill_value: Any, dtype: Any) -> Any:
    fill = as_array(fill_value, "np.full")
    return fill if dtype is None or fill.dtype == dtype else fill.astype(dtype)


def _filled(new: Any, fill: Any) -> Any:
    """Return the new array `new`, filled."""
    out = buffer(new)
    out[...] = fill
    return out


@implements(np.full_like)
def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: Any = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Any:
    fill = _fill_value(fill_value, a.dtype if dtype is None else np.dtype(dtype))
    like = _pattern(a) if isinstance(a, Tracer) else np.asarray(a)
    return _filled(np.empty_like(like, fill.dtype, order, False, shape, device=device), fill)


@implements(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, device: Any = None) -> Any:
    _on_cpu(device)
    fill = _fill_value(fill_value, dtype)
    return _filled(np.empty(as_shape(shape), fill.dtype, order), fill)


# With ``like=`` a traced value; their arguments are plain.
def _made(function: Any) -> Any:
    return lambda *args, **kwargs: buffer(function(*args, **kwargs))


for _function in (np.zeros, np.ones, np.empty, np.eye, np.identity, np.tri, np.arange):
    implements(_function)(_made(_function))


# --- ranges -----------------------------------------------------------------------------------------------------------


def _end_points(*points: Any) -> tuple[list[Any], np.dtype[Any]]:
    """End points in their common inexact dtype, to which Python scalars give way."""
    known = [x if is_weak(x) else as_array(x, "np.linspace") for x in points]
    dtype = np.result_type(1.0, *[x if is_weak(x) else x.dtype for x in known])
    return [_as(x, dtype) for x in known], dtype


def _as(x: Any, dtype: np.dtype[Any]) -> Any:
    x = as_array(x, "np.linspace")
    return x if x.dtype == dtype else x.astype(dtype)


@implements(np.linspace)
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    _on_cpu(device)
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    (start, stop), inexact = _end_points(start, stop)
    delta = stop - start
    steps = num - 1 if endpoint else num
    step = delta / inexact.type(steps) if steps > 0 else inexact.type(np.nan)
    grid = np.arange(num, dtype=inexact).reshape((num,) + (1,) * np.ndim(delta))
    y = grid * (step if steps > 0 else delta) + start
    if endpoint and num > 1:
        y = concatenate((y[:-1], expand_dims(broadcast_to(stop, np.shape(delta)), 0)))
    if axis != 0:
        y = moveaxis(y, 0, axis)
    if dtype is not None and np.dtype(dtype) != inexact:
        y = (np.floor(y) if np.issubdtype(dtype, np.integer) else y).astype(dtype)
    return (y, step) if retstep else y


@implements(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Any:
    if np.ndim(base):
        rank = len(np.broadcast_shapes(np.shape(start), np.shape(stop), np.shape(base)))
        points = [as_array(x, "np.logspace") for x in (start, stop, base)]
        start, stop, base = (reshape(x, (1,) * (rank - x.ndim) + x.shape) for x in points)
        base = expand_dims(base, axis)
    y = np.power(base, np.linspace(start, stop, num=num, endpoint=endpoint, axis=axis))
    return y if dtype is None or y.dtype == dtype else y.astype(dtype)


@implements(np.geomspace)
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    num = operator.index(num)
    start, stop = as_array(start, "np.geomspace"), as_array(stop, "np.geomspace")
    for x in (start, stop):
        value = concrete(x)
        if value is not None and np.any(np.equal(value, 0)):
            raise ValueError("Geometric sequence cannot include zero")
    inexact = np.result_type(start.dtype, stop.dtype, float(num), np.zeros((), dtype))
    start, stop = _as(start, inexact), _as(stop, inexact)
    # The direction of `start` in the complex plane is set aside, so that negative numbers have logarithms.
    sign = np.sign(start)
    start, stop = start / sign, stop / sign
    ends = np.log10(start), np.log10(stop)
    y = np.power(inexact.type(10), np.linspace(*ends, num=num, endpoint=endpoint))
    shape = np.broadcast_shapes(start.shape, stop.shape)
    pieces = [expand_dims(broadcast_to(start, shape), 0), y[1:]] if num else [y]
    if num > 1 and endpoint:
        pieces = [pieces[0], y[1:-1], expand_dims(broadcast_to(stop, shape), 0)]
    y = concatenate(pieces) * sign
    if axis != 0:
        y = moveaxis(y, 0, axis)
    return y if dtype is None or y.dtype == dtype else y.astype(dtype)
