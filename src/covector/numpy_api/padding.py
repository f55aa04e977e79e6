"""``np.pad`` with every mode that has a derivative."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, caller
from ..core.tracer import Tracer
from ..core.values import shape_of
from ..ops.indexing import unslice_p
from .creation import linspace
from .joining import concatenate
from .register import implements
from .selecting import take
from .structural import as_array, broadcast_to, reshape

__all__ = ["pad"]

_OPTIONS = {
    "constant": "constant_values",
    "edge": "",
    "wrap": "",
    "reflect": "reflect_type",
    "symmetric": "reflect_type",
    "linear_ramp": "end_values",
    "maximum": "stat_length",
    "mean": "stat_length",
    "median": "stat_length",
    "minimum": "stat_length",
}
_STATISTICS: dict[str, Any] = {"maximum": np.max, "mean": np.mean, "median": np.median, "minimum": np.min}


@implements(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    if callable(mode) or mode == "empty":
        raise NotDifferentiableError(
            f"np.pad with mode={mode!r} of a traced value at {caller()} is not supported; "
            f"use one of the modes {', '.join(_OPTIONS)}"
        )
    if mode not in _OPTIONS:
        raise ValueError(f"mode '{mode}' is not supported")
    unknown = set(kwargs) - {_OPTIONS[mode]}
    if unknown:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {unknown}")
    x = as_array(array, "np.pad")
    widths = _widths(pad_width, x.ndim)
    if mode != "constant" and not x.size:
        for axis, width in enumerate(widths):
            if x.shape[axis] == 0 and any(width):
                raise ValueError(f"can't extend empty axis {axis} using modes other than 'constant' or 'empty'")
        return np.zeros([n + a + b for n, (a, b) in zip(x.shape, widths, strict=True)], x.dtype)
    values = kwargs.get("constant_values", 0)
    if mode == "constant" and not isinstance(values, Tracer) and isinstance(values, int) and values == 0:
        index = tuple(slice(a, a + n) for n, (a, b) in zip(x.shape, widths, strict=True))
        return unslice_p(x, index=index, shape=tuple(n + a + b for n, (a, b) in zip(x.shape, widths, strict=True)))
    option = kwargs.get(_OPTIONS[mode])
    pairs = _pairs(0 if option is None and mode in ("constant", "linear_ramp") else option, x.ndim)
    for axis, (width, pair) in enumerate(zip(widths, pairs, strict=True)):
        if any(width):
            x = _pad_axis(x, axis, width, mode, pair)
    return x


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        full = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            full[axis] = (width, width) if isinstance(width, int) else tuple(width)
        pad_width = full
    widths = np.asarray(pad_width)
    if widths.dtype.kind != "i":
        raise TypeError("`pad_width` must be of integral type.")
    if (widths < 0).any():
        raise ValueError("index can't contain negative values")
    return [(int(a), int(b)) for a, b in np.broadcast_to(widths, (ndim, 2))]


def _pairs(option: Any, ndim: int) -> Sequence[tuple[Any, Any]]:
    """One value before and one behind per axis, from all the forms that NumPy allows; the values may be traced."""
    if option is None or isinstance(option, str):
        return [(option, option)] * ndim
    if isinstance(option, Sequence) and any(isinstance(v, Tracer) for v in _flat(option)):
        option = np.stack([np.stack(list(v)) if isinstance(v, Sequence) else v for v in option])
    option = as_array(option, "np.pad")
    if not isinstance(option, Tracer):
        return np.broadcast_to(option, (ndim, 2)).tolist()
    full = broadcast_to(option, (ndim, 2))
    return [(full[i, 0], full[i, 1]) for i in range(ndim)]


def _flat(option: Any) -> list[Any]:
    return [v for x in option for v in (_flat(x) if isinstance(x, Sequence) else [x])]


def _pad_axis(x: Any, axis: int, width: tuple[int, int], mode: str, pair: tuple[Any, Any]) -> Any:
    n = x.shape[axis]
    if mode in ("edge", "wrap") or (mode in ("reflect", "symmetric") and pair[0] in (None, "even")):
        return take(x, np.pad(np.arange(n), width, mode), axis)
    if mode in ("reflect", "symmetric"):
        if pair[0] != "odd":
            raise ValueError("`reflect_type` must be 'even' or 'odd'")
        parts = _odd_reflection(x, axis, width, mode)
    elif mode == "constant":
        parts = [_constant(x, axis, w, v) for w, v in zip(width, pair, strict=True)]
    elif mode == "linear_ramp":
        parts = _ramps(x, axis, width, pair)
    else:
        parts = _statistics(x, axis, width, mode, pair)
    return concatenate((parts[0], x, parts[1]), axis)


def _resized(shape: tuple[int, ...], axis: int, n: int) -> tuple[int, ...]:
    return (*shape[:axis], n, *shape[axis + 1 :])


def _constant(x: Any, axis: int, width: int, value: Any) -> Any:
    value = as_array(value, "np.pad")
    if value.dtype != x.dtype:
        value = value.astype(x.dtype)
    return broadcast_to(value, _resized(x.shape, axis, width))


def _ends(x: Any, axis: int) -> tuple[Any, Any]:
    n = x.shape[axis]
    return take(x, np.array([0]), axis), take(x, np.array([n - 1]), axis)


def _ramps(x: Any, axis: int, width: tuple[int, int], pair: tuple[Any, Any]) -> list[Any]:
    ramps = [
        linspace(value, reshape(edge, _resized(x.shape, axis, 1)[:axis] + x.shape[axis + 1 :]), w, False, axis=axis)
        for value, edge, w in zip(pair, _ends(x, axis), width, strict=True)
    ]
    ramps = [r if r.dtype == x.dtype else r.astype(x.dtype) for r in ramps]
    return [ramps[0], np.flip(ramps[1], axis)]


def _statistics(x: Any, axis: int, width: tuple[int, int], mode: str, pair: tuple[Any, Any]) -> list[Any]:
    n = x.shape[axis]
    parts = []
    for side, (w, length) in enumerate(zip(width, pair, strict=True)):
        length = n if length is None else min(int(length), n)
        if length == 0 and mode in ("maximum", "minimum"):
            raise ValueError("stat_length of 0 yields no value for padding")
        near = slice(0, length) if side == 0 else slice(n - length, n)
        part = _STATISTICS[mode](x[(slice(None),) * axis + (near,)], axis=axis, keepdims=True)
        parts.append(broadcast_to(part, _resized(shape_of(x), axis, w)))
    return parts


def _odd_reflection(x: Any, axis: int, width: tuple[int, int], mode: str) -> list[Any]:
    """What reflection in a point at either end adds: ``s x[i] + a x[0] + b x[-1]`` with integers s, a, b.

    NumPy's own padding of small integer arrays gives them: i from the even reflection, and a, b and s from the
    reflections of arrays that are 1 at the first place, at the last, and everywhere (which stays 1: s = 1 - a - b).
    """
    n = x.shape[axis]
    first, last = _ends(x, axis)
    source = np.pad(np.arange(n), width, mode)
    if n == 1:
        return [broadcast_to(first, _resized(x.shape, axis, w)) for w in width]
    unit = np.zeros((2, n), int)
    unit[0, 0] = unit[1, -1] = 1
    a, b = (np.pad(u, width, mode, reflect_type="odd") for u in unit)
    s = np.where((source == 0) | (source == n - 1), 0, 1 - a - b)
    column = (-1,) + (1,) * (x.ndim - axis - 1)
    s, a, b = (v.astype(x.real.dtype).reshape(column) for v in (s, a, b))
    full = take(x, source, axis) * s + first * a + last * b
    before = (slice(None),) * axis
    return [full[(*before, slice(0, width[0]))], full[(*before, slice(n + width[0], None))]]
