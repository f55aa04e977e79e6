"""Medians and quantiles: the sorted elements at some index, interpolated, so that derivatives follow those elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, caller
from ..core.tracer import Tracer
from ..core.values import dtype_of
from ..ops.logic import where_p
from ..ops.reductions import count_nonzero_p
from ..ops.sorting import argpartition_p, argsort_p, searchsorted_p
from .axes import all_axes, as_scalar
from .plain import plain_if_possible
from .reductions import cast, kept, mean, mean_dtype
from .register import NUMPY, implements
from .selecting import pick_along
from .statistics import valid_weights
from .structural import as_array

_NO: Any = np._NoValue


def _samples_last(a: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """Merge the axes to be reduced into one last axis."""
    axes = all_axes(axis, a.ndim)
    rest = [i for i in range(a.ndim) if i not in axes]
    moved = np.transpose(a, (*rest, *axes))
    return moved.reshape((*moved.shape[: len(rest)], math.prod(moved.shape[len(rest) :]))), axes


def _isnan(x: Any) -> Any:
    return np.not_equal(x, x)


# --- median -----------------------------------------------------------------------------------------------------------


@implements(np.median)
def median(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False) -> Any:
    x, axes = _samples_last(a, axis)
    n = x.shape[-1]
    if n == 0:
        return kept(mean(x, -1), a.shape, axes, keepdims)
    middle = [n // 2] if n % 2 else [n // 2 - 1, n // 2]
    order = argpartition_p(x, kth=tuple(sorted({*middle, n - 1})), axis=x.ndim - 1)
    picked = pick_along(x, order[..., [*middle, n - 1]], -1)
    result = mean(picked[..., : len(middle)], -1)
    if x.dtype.kind in "fc":
        result = as_scalar(where_p(_isnan(picked[..., -1]), picked[..., -1], result))
    return kept(result, a.shape, axes, keepdims)


@implements(np.nanmedian)
def nanmedian(a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = _NO) -> Any:
    x, axes = _samples_last(a, axis)
    if x.shape[-1] == 0:
        return kept(mean(x, -1), a.shape, axes, keepdims)
    order = argsort_p(x, axis=x.ndim - 1, kind="stable")
    n = count_nonzero_p(np.logical_not(_isnan(x)), axis=(x.ndim - 1,))
    middle = np.stack([np.maximum(n - 1, 0) // 2, n // 2], axis=-1)
    result = mean(pick_along(x, pick_along(order, np.minimum(middle, x.shape[-1] - 1), -1), -1), -1)
    return kept(result, a.shape, axes, keepdims)


# --- quantile ---------------------------------------------------------------------------------------------------------

_CONTINUOUS = {
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3.0, 1 / 3.0),
    "normal_unbiased": (3 / 8.0, 3 / 8.0),
}
"""The parameters (α, β) of Hyndman & Fan (1996), table 1 and eq. 2."""


def _up_unless(index: Any, exact: Callable[[Any, Any], Any]) -> Any:
    """The integer index after the fractional `index`, or its whole part where `exact` says so."""
    below = np.floor(index)
    return np.maximum(np.where(exact(index - below, below), below, below + 1), 0)


def _between(n: Any, q: Any) -> Any:
    return (n - 1) * q


_INDEXED: dict[str, Callable[[Any, Any], Any]] = {
    "lower": lambda n, q: np.floor(_between(n, q)),
    "higher": lambda n, q: np.ceil(_between(n, q)),
    "nearest": lambda n, q: np.rint(_between(n, q)),
    "inverted_cdf": lambda n, q: _up_unless(n * q - 1, lambda gamma, below: gamma == 0),
    "closest_observation": lambda n, q: _up_unless(
        n * q - 1 - 0.5, lambda gamma, below: np.logical_and(gamma == 0, below % 2 == 1)
    ),
}
"""Methods that take one element: its index among n sorted elements."""

_METHODS = ("linear", "midpoint", "averaged_inverted_cdf", *_CONTINUOUS, *_INDEXED)


def _places(method: str, n: Any, q: Any) -> tuple[Any, Any, Any]:
    """The indices of two neighbours among n sorted elements, and the weight of the second; None for a single one."""
    if method in _INDEXED:
        index = np.clip(_INDEXED[method](n, q), 0, n - 1)
        return index, index, None
    if method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        place = n * q + (alpha + q * (1 - alpha - beta)) - 1
    elif method == "averaged_inverted_cdf":
        place = n * q - 1
    else:
        place = _between(n, q)
    below = np.floor(place)
    gamma = place - below
    if method == "midpoint":
        gamma = np.where(gamma == 0, 0.0, 0.5)
    elif method == "averaged_inverted_cdf":
        gamma = np.where(gamma == 0, 0.5, 1.0)
    above_all, below_all = place >= n - 1, place < 0
    last = np.maximum(n - 1, 0)
    first = np.where(above_all, last, np.where(below_all, 0, below))
    second = np.where(above_all, last, np.where(below_all, 0, below + 1))
    return first, second, gamma


def _interpolate(a: Any, b: Any, gamma: Any) -> Any:
    """a + γ (b − a), computed from the nearer end as NumPy does."""
    step = b - a
    return np.where(gamma >= 0.5, b - step * (1 - gamma), a + step * gamma)


def _check(name: str, a: Any, q: Any, method: str, scale: int) -> None:
    if a.dtype.kind == "c":
        raise TypeError("a must be an array of real numbers")
    if method not in _METHODS:
        raise ValueError(f"{method!r} is not a valid method. Use one of: {', '.join(_METHODS)}")
    if q.ndim > 2:
        raise ValueError("q must be a scalar or 1d")
    value = plain_if_possible(q)
    if value is not None and not (np.all(value >= 0) and np.all(value <= 1)):
        what = "Quantiles" if scale == 1 else "Percentiles"
        raise ValueError(f"np.{name}: {what} must be in the range [0, {scale}]")


def _order(x: Any, q: Any, first: Any, second: Any, n: Any) -> Any:
    """The positions of the sorted elements; only those needed are in their place when they are known beforehand."""
    if isinstance(q, Tracer) or not isinstance(n, int):
        return argsort_p(x, axis=x.ndim - 1, kind="stable")
    kth = tuple(int(i) for i in np.union1d(np.union1d(first, second), [n - 1]))
    return argpartition_p(x, kth=kth, axis=x.ndim - 1)


def _pick(x: Any, order: Any, index: Any) -> Any:
    index = index.astype(np.intp)
    if index.ndim == 1 and x.ndim > 1:
        index = np.broadcast_to(index, (*x.shape[:-1], *index.shape))
    return pick_along(x, pick_along(order, index, -1), -1)


def _weighted_index(x: Any, order: Any, weights: Any, q: Any) -> Any:
    """For each q the index of the first sorted element at which the cumulative weight reaches it."""
    weights = pick_along(np.broadcast_to(weights, x.shape), order, -1)
    cdf = np.cumsum(weights, axis=-1, dtype=float)
    cdf = cdf / cdf[..., -1:]
    if q.dtype.kind == "f":
        cdf = cast(cdf, q.dtype)
    cdf = np.where(cdf == 0, -1, cdf)
    q = np.broadcast_to(q, (*x.shape[:-1], *q.shape))
    return np.minimum(searchsorted_p(cdf, q, side="left", lanes=x.ndim - 1), x.shape[-1] - 1)


def _fraction(name: str, q: Any, scale: int, dtype: np.dtype[Any]) -> tuple[Any, bool]:
    """Return q as an array between 0 and 1, and whether the result has a dtype that does not depend on q's."""
    weak = type(q) in (int, float)
    if NUMPY < (2, 4) and dtype.kind == "f" and (weak or (scale == 1 and isinstance(q, float))):
        # NumPy used to round a single q to the dtype of the samples.
        return np.asarray(q, dtype) / dtype.type(scale), True
    q = as_array(q, f"np.{name}")
    q = q / scale if scale != 1 else q
    return q if isinstance(q, Tracer) else np.asarray(q), weak


def _quantile(
    name: str, a: Any, q: Any, axis: Any, method: str, keepdims: Any, weights: Any, scale: int, skip_nan: bool
) -> Any:
    a = as_array(a, f"np.{name}")
    q, weak = _fraction(name, q, scale, a.dtype)
    _check(name, a, q, method, scale)
    x, axes = _samples_last(a, axis)
    flat_q = q.reshape((q.size,))
    gamma = None
    if weights is not None:
        if method != "inverted_cdf":
            raise ValueError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
        if skip_nan:
            raise NotDifferentiableError(
                f"np.{name}(..., weights=...) of a traced value at {caller()} is not supported; "
                f"use np.{name.removeprefix('nan')} on the elements that are not NaN"
            )
        weights = _samples_last(np.broadcast_to(valid_weights(name, a, weights, axes), a.shape), axes)[0]
        order = argsort_p(x, axis=x.ndim - 1, kind="stable")
        result = _pick(x, order, _weighted_index(x, order, weights, flat_q))
    else:
        n: Any = x.shape[-1]
        if skip_nan:
            n = np.expand_dims(count_nonzero_p(np.logical_not(_isnan(x)), axis=(x.ndim - 1,)), -1)
        first, second, gamma = _places(method, n, flat_q)
        order = _order(x, q, first, second, n)
        result = _pick(x, order, first)
    if gamma is not None:
        gamma = cast(gamma, mean_dtype(a)) if weak else gamma
        result = _interpolate(result, _pick(x, order, second), gamma)
    if x.dtype.kind == "f" and not skip_nan:
        last = pick_along(x, order[..., -1:], -1)
        result = where_p(_isnan(last), cast(last, dtype_of(result)), result)
    result = np.moveaxis(result, -1, 0).reshape(q.shape + x.shape[:-1])
    if keepdims is not _NO and keepdims:
        result = result.reshape(q.shape + tuple(1 if i in axes else n for i, n in enumerate(a.shape)))
    return as_scalar(result)


def _register(function: Any, scale: int, skip_nan: bool) -> None:
    name = function.__name__
    default = _NO if skip_nan else False

    def quantile(
        a: Any,
        q: Any,
        axis: Any = None,
        out: Any = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: Any = default,
        *,
        weights: Any = None,
    ) -> Any:
        return _quantile(name, a, q, axis, method, keepdims, weights, scale, skip_nan)

    implements(function)(quantile)


_register(np.quantile, 1, False)
_register(np.percentile, 100, False)
_register(np.nanquantile, 1, True)
_register(np.nanpercentile, 100, True)
