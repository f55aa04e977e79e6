"""Differences, numerical gradients, integrals and interpolation of sampled functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.values import is_weak
from ..ops.indexing import gather_p
from ..ops.logic import where_p
from ..ops.sorting import argsort_p, searchsorted_p
from .axes import as_scalar, normalize_axis
from .plain import plain_if_possible
from .register import implements
from .structural import as_array, axis_list

__all__ = ["diff", "gradient"]

_NO: Any = np._NoValue
_ALL = slice(None)


def _along(axis: int, part: slice | int) -> tuple[Any, ...]:
    return (_ALL,) * axis + (part,)


# --- differences ------------------------------------------------------------------------------------------------------


def _edge(x: Any, a: Any, axis: int) -> Any:
    x = as_array(x, "np.diff")
    return np.broadcast_to(x, (*a.shape[:axis], 1, *a.shape[axis + 1 :])) if x.ndim == 0 else x


@implements(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = _NO, append: Any = _NO) -> Any:
    if n == 0:
        return a
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
    a = as_array(a, "np.diff")
    if a.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = normalize_axis(axis, a.ndim)
    parts = [a if x is None else _edge(x, a, axis) for x in (prepend, None, append) if x is not _NO]
    if len(parts) > 1:
        a = np.concatenate(parts, axis)
    after, before = _along(axis, slice(1, None)), _along(axis, slice(None, -1))
    subtract = np.not_equal if a.dtype.kind == "b" else np.subtract
    for _ in range(n):
        a = subtract(a[after], a[before])
    return a


@implements(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    ary = np.ravel(as_array(ary, "np.ediff1d"))
    parts = []
    for name, x in (("to_begin", to_begin), ("", ary), ("to_end", to_end)):
        if not name:
            parts.append(ary[1:] - ary[:-1])
        elif x is not None:
            x = np.ravel(as_array(x, "np.ediff1d"))
            if not np.can_cast(x.dtype, ary.dtype, casting="same_kind"):
                raise TypeError(f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule.")
            parts.append(x.astype(ary.dtype))
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


# --- numerical gradient -----------------------------------------------------------------------------------------------


def _spacings(f: Any, axes: list[int], varargs: tuple[Any, ...]) -> list[Any]:
    """The spacing along each axis: one number, or the distances between neighbours."""
    if not varargs:
        return [1.0] * len(axes)
    given = [x if is_weak(x) else as_array(x, "np.gradient") for x in varargs]
    if len(given) == 1 and np.ndim(given[0]) == 0:
        return given * len(axes)
    if len(given) != len(axes):
        raise TypeError("invalid number of arguments")
    spacings = []
    for x, axis in zip(given, axes, strict=True):
        if np.ndim(x) == 0:
            spacings.append(x)
            continue
        if x.ndim != 1:
            raise ValueError("distances must be either scalars or 1d")
        if x.shape[0] != f.shape[axis]:
            raise ValueError("when 1d, distances must match the length of the corresponding dimension")
        steps = diff(x.astype(float) if x.dtype.kind in "iu" else x)
        if isinstance(x, np.ndarray) and (steps == steps[0]).all():
            steps = steps[0]
        spacings.append(steps)
    return spacings


def _weights(h1: Any, h2: Any) -> tuple[tuple[Any, Any, Any], ...]:
    """Weights on f(x), f(x+h₁), f(x+h₁+h₂) of the derivative of their parabola at each of the three points."""
    h = h1 + h2
    return (
        (-(2.0 * h1 + h2) / (h1 * h), h / (h1 * h2), -h1 / (h2 * h)),
        (-h2 / (h1 * h), (h2 - h1) / (h1 * h2), h1 / (h2 * h)),
        (h2 / (h1 * h), -h / (h1 * h2), (2.0 * h2 + h1) / (h2 * h)),
    )


def _derivative(f: Any, dx: Any, axis: int, edge_order: int) -> Any:
    """∂f/∂x along one axis, of second order inside and of order `edge_order` at the two ends."""

    def at(part: slice | int) -> Any:
        # Slices of length one at the ends, so that the pieces can be joined.
        if isinstance(part, int):
            part = slice(part, part + 1 if part != -1 else None)
        return f[_along(axis, part)]

    before, here, after = at(slice(None, -2)), at(slice(1, -1)), at(slice(2, None))
    uniform = np.ndim(dx) == 0
    if uniform:
        first, last = dx, dx
        inside = (after - before) / (2.0 * dx)
        left, right = (-1.5 / dx, 2.0 / dx, -0.5 / dx), (0.5 / dx, -2.0 / dx, 1.5 / dx)
    else:
        first, last = dx[0], dx[-1]
        shape = (-1,) + (1,) * (f.ndim - 1 - axis)
        a, b, c = (w.reshape(shape) for w in _weights(dx[:-1], dx[1:])[1])
        inside = a * before + b * here + c * after
        if edge_order == 2:
            left, right = _weights(dx[0], dx[1])[0], _weights(dx[-2], dx[-1])[2]
    if edge_order == 1:
        ends = (at(1) - at(0)) / first, (at(-1) - at(-2)) / last
    else:
        ends = (
            left[0] * at(0) + left[1] * at(1) + left[2] * at(2),
            right[0] * at(-3) + right[1] * at(-2) + right[2] * at(-1),
        )
    return np.concatenate([ends[0], inside, ends[1]], axis=axis)


@implements(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = as_array(f, "np.gradient")
    axes = list(range(f.ndim)) if axis is None else axis_list(axis, f.ndim)
    spacings = _spacings(f, axes, varargs)
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    if f.dtype.kind in "iub":
        f = f.astype(float)
    results = []
    for i, dx in zip(axes, spacings, strict=True):
        if f.shape[i] < edge_order + 1:
            raise ValueError(
                "Shape of array too small to calculate a numerical gradient, "
                "at least (edge_order + 1) elements are required."
            )
        # NumPy writes into an array of the dtype of f.
        result = _derivative(f, dx, i, edge_order)
        results.append(result if result.dtype == f.dtype else result.astype(f.dtype))
    return results[0] if len(axes) == 1 else tuple(results)


# --- integral and interpolation ---------------------------------------------------------------------------------------


@implements(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = as_array(y, "np.trapezoid")
    given, axis = axis, normalize_axis(axis, y.ndim)
    width = dx
    if x is not None:
        x = as_array(x, "np.trapezoid")
        width = diff(x).reshape((-1,) + (1,) * (y.ndim - 1 - axis)) if x.ndim == 1 else diff(x, axis=given)
    pairs = y[_along(axis, slice(1, None))] + y[_along(axis, slice(None, -1))]
    return np.sum(width * pairs / 2.0, axis=axis)


def _periodic(x: Any, xp: Any, fp: Any, period: Any) -> tuple[Any, Any, Any]:
    """Map everything into one period and continue the nodes by one on each side."""
    if plain_if_possible(period) is not None and plain_if_possible(period) == 0:
        raise ValueError("period must be a non-zero value")
    period = np.abs(period)
    x, xp = np.remainder(x, period), np.remainder(xp, period)
    order = argsort_p(xp, axis=0, kind="stable")
    xp, fp = gather_p(xp, order, unique=True), gather_p(fp, order, unique=True)
    return x, np.concatenate([xp[-1:] - period, xp, xp[:1] + period]), np.concatenate([fp[-1:], fp, fp[:1]])


@implements(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    x, xp, fp = (as_array(z, "np.interp") for z in (x, xp, fp))
    x, xp = x.astype(float), xp.astype(float)
    fp = fp.astype(complex if fp.dtype.kind == "c" else float)
    if xp.ndim != 1 or fp.ndim != 1:
        raise ValueError(f"np.interp: data points must be 1-D sequences, got shapes {xp.shape} and {fp.shape}")
    if xp.shape != fp.shape:
        raise ValueError(f"fp and xp are not of the same length: {fp.shape[0]} and {xp.shape[0]}")
    if xp.shape[0] == 0:
        raise ValueError("array of sample points is empty")
    if period is not None:
        left = right = None
        x, xp, fp = _periodic(x, xp, fp, period)
    n = xp.shape[0]
    if n == 1:
        inner = where_p(np.isnan(x), x, fp[0])
    else:
        # The interval of x; at the last node its left neighbour's, but measured from that node, where fp is exact.
        place = searchsorted_p(xp, x, side="right", lanes=0) - 1
        low = np.clip(place, 0, n - 2)
        anchor = np.where(x == xp[-1], n - 1, low)
        slopes = diff(fp) / diff(xp)
        inner = _take(slopes, low) * (x - _take(xp, anchor)) + _take(fp, anchor)
    inner = where_p(x < xp[0], fp[0] if left is None else left, inner)
    return as_scalar(where_p(x > xp[-1], fp[-1] if right is None else right, inner))


def _take(x: Any, index: Any) -> Any:
    return gather_p(x, index, unique=False)
