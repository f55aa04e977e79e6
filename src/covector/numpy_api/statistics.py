"""Variances, weighted averages and covariances, and the reductions that skip NaN."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.values import dtype_of
from ..ops.logic import where_p
from ..ops.reductions import centered_square_p, root_p, sum_p
from . import reductions
from .axes import all_axes, is_default
from .plain import plain_if_possible
from .reductions import cast, kept, position, selected
from .register import implements
from .structural import as_array

__all__ = ["average", "cov", "std", "valid_weights", "var"]

_NO: Any = np._NoValue


# --- variance and standard deviation ----------------------------------------------------------------------------------


def _ddof(name: str, ddof: Any, correction: Any) -> Any:
    if correction is _NO:
        return ddof
    if ddof != 0:
        raise ValueError(f"np.{name}: ddof and correction can't be provided simultaneously.")
    return correction


def _variance(a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, where: Any, mean: Any) -> Any:
    complex_out = dtype is not None and np.dtype(dtype).kind == "c"
    a = cast(a, dtype if dtype is not None else reductions.mean_dtype(a))
    half = a.dtype == np.float16
    if half:
        a = cast(a, np.float32)
    axes = all_axes(axis, a.ndim)
    count = selected(a, axis, True, where)
    unmasked = is_default(where) or where is True
    if unmasked and mean is _NO and a.dtype.kind == "f":
        free = max(count - ddof, 0)
        result = kept(centered_square_p(a, axis=axes) / (0.5 * free), a.shape, axes, keepdims)
        return cast(result, np.float16) if half else result
    if mean is _NO:
        mean = reductions.mean(a, axis, keepdims=True, where=where)
    d = a - mean
    if not unmasked:
        d = where_p(as_array(where, "where="), d, d.dtype.type(0))
    square = np.real(d) ** 2 + np.imag(d) ** 2 if d.dtype.kind == "c" else d * d
    axes = all_axes(axis, square.ndim)
    result = sum_p(square, axis=axes).reshape(tuple(1 if i in axes else n for i, n in enumerate(square.shape)))
    result = cast(result / np.maximum(count - ddof, 0), a.dtype if complex_out else square.dtype)
    if keepdims is _NO or not keepdims:
        result = result.reshape(tuple(n for i, n in enumerate(square.shape) if i not in axes))
    return cast(result, np.float16) if half else result


@implements(np.var)
def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = _NO,
    *,
    where: Any = _NO,
    mean: Any = _NO,
    correction: Any = _NO,
) -> Any:
    return _variance(a, axis, dtype, _ddof("var", ddof, correction), keepdims, where, mean)


@implements(np.std)
def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = _NO,
    *,
    where: Any = _NO,
    mean: Any = _NO,
    correction: Any = _NO,
) -> Any:
    return root_p(_variance(a, axis, dtype, _ddof("std", ddof, correction), keepdims, where, mean))


# --- without NaN ------------------------------------------------------------------------------------------------------


def _valid(a: Any, where: Any) -> Any:
    """The mask of the elements that are not NaN (and that `where` selects)."""
    mask = np.logical_not(np.isnan(a))
    return mask if is_default(where) or where is True else np.logical_and(mask, where)


def _skipping_nan(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def reduction(
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        keepdims: Any = _NO,
        initial: Any = _NO,
        where: Any = _NO,
    ) -> Any:
        return function(a, axis, dtype, keepdims=keepdims, initial=initial, where=_valid(a, where))

    return reduction


implements(np.nansum)(_skipping_nan("nansum", reductions.sum))
implements(np.nanprod)(_skipping_nan("nanprod", reductions.prod))


@implements(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NO, *, where: Any = _NO
) -> Any:
    return reductions.mean(a, axis, dtype, keepdims=keepdims, where=_valid(a, where))


@implements(np.nanvar)
def nanvar(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = _NO,
    *,
    where: Any = _NO,
    mean: Any = _NO,
    correction: Any = _NO,
) -> Any:
    ddof = _ddof("nanvar", ddof, correction)
    mask = _valid(a, where)
    result = _variance(a, axis, dtype, ddof, keepdims, mask, mean)
    free = selected(a, axis, keepdims, mask) - ddof
    return where_p(np.greater(free, 0), result, dtype_of(result).type(np.nan))


@implements(np.nanstd)
def nanstd(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = _NO,
    *,
    where: Any = _NO,
    mean: Any = _NO,
    correction: Any = _NO,
) -> Any:
    return root_p(nanvar(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction))


@implements(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return reductions.cumsum(where_p(_valid(a, _NO), a, a.dtype.type(0)), axis, dtype)


@implements(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    return reductions.cumprod(where_p(_valid(a, _NO), a, a.dtype.type(1)), axis, dtype)


def _nan_position(name: str, a: Any, axis: Any, out: Any, keepdims: Any, fill: float) -> Any:
    primitive = reductions.argmax_p if fill < 0 else reductions.argmin_p
    if a.dtype.kind not in "fc":
        return position(name, primitive, a, axis, out, keepdims)
    mask = _valid(a, _NO)
    empty = plain_if_possible(reductions.all(np.logical_not(mask), axis))
    if empty is not None and empty.any():
        raise ValueError("All-NaN slice encountered")
    return position(name, primitive, where_p(mask, a, a.dtype.type(fill)), axis, out, keepdims)


@implements(np.nanargmax)
def nanargmax(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = _NO) -> Any:
    return _nan_position("nanargmax", a, axis, out, keepdims, -np.inf)


@implements(np.nanargmin)
def nanargmin(a: Any, axis: Any = None, out: Any = None, *, keepdims: Any = _NO) -> Any:
    return _nan_position("nanargmin", a, axis, out, keepdims, np.inf)


# --- averages and covariances -----------------------------------------------------------------------------------------


def valid_weights(name: str, a: Any, weights: Any, axis: tuple[int, ...] | None) -> Any:
    """Return the weights with axes that line up with those of `a`."""
    weights = as_array(weights, f"np.{name}")
    if weights.shape == a.shape:
        return weights
    if axis is None:
        raise TypeError(
            f"np.{name}: axis must be specified when the shapes of a {a.shape} and weights {weights.shape} differ."
        )
    if weights.shape != tuple(a.shape[i] for i in axis):
        raise ValueError(
            f"np.{name}: weights of shape {weights.shape} do not fit axis {axis} of an array of shape {a.shape}; "
            f"expected shape {tuple(a.shape[i] for i in axis)}"
        )
    weights = np.transpose(weights, np.argsort(axis))
    return weights.reshape(tuple(n if i in axis else 1 for i, n in enumerate(a.shape)))


def _axis_tuple(axis: Any, ndim: int) -> tuple[int, ...] | None:
    """The axes in the order given, which is the order of the axes of weights."""
    if axis is None:
        return None
    return tuple(int(i) % ndim for i in axis) if isinstance(axis, tuple | list) else all_axes(axis, ndim)


@implements(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = _NO) -> Any:
    a = as_array(a, "np.average")
    if weights is None:
        result = np.mean(a, axis, keepdims=keepdims)
        total: Any = dtype_of(result).type(a.size / result.size if result.size else 0)
    else:
        weights = valid_weights("average", a, weights, _axis_tuple(axis, a.ndim))
        real = (float,) if a.dtype.kind in "iub" else ()
        dtype = np.result_type(a.dtype, weights.dtype, *real)
        total = np.sum(weights, axis, dtype, keepdims=keepdims)
        value = plain_if_possible(total)
        if value is not None and np.any(value == 0):
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        result = np.sum(np.multiply(cast(a, dtype), cast(weights, dtype)), axis, keepdims=keepdims) / total
    if not returned:
        return result
    if np.shape(total) != np.shape(result):
        total = np.broadcast_to(total, np.shape(result))
    return result, total


def _observations(m: Any, rowvar: bool, dtype: Any) -> Any:
    """Return the data as a matrix with a variable in each row."""
    m = as_array(m, "np.cov")
    if m.ndim > 2:
        raise ValueError(f"np.cov: expected at most 2 dimensions, got shape {m.shape}")
    x = cast(m, dtype)
    if m.ndim < 2:
        return x.reshape((1, m.size))
    return x if rowvar else np.transpose(x)


def _sample_weights(name: str, weights: Any, count: int) -> Any:
    weights = as_array(weights, "np.cov")
    weights = weights if weights.dtype.kind == "f" else weights.astype(float)
    if weights.ndim > 1:
        raise RuntimeError(f"cannot handle multidimensional {name}")
    if weights.shape[0] != count:
        raise RuntimeError(f"incompatible numbers of samples and {name}")
    value = plain_if_possible(weights)
    if value is not None:
        if name == "fweights" and not np.all(value == np.around(value)):
            raise TypeError("fweights must be integer")
        if np.any(value < 0):
            raise ValueError(f"{name} cannot be negative")
    return weights


@implements(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    m = as_array(m, "np.cov")
    others = [] if y is None else [as_array(y, "np.cov")]
    if dtype is None:
        dtype = np.result_type(m.dtype, float, *[z.dtype for z in others])
    x = _observations(m, rowvar, dtype)
    if x.shape[0] == 0:
        return np.zeros((0, 0))
    if others:
        (z,) = others
        x = np.concatenate([x, _observations(z, rowvar or z.shape[:1] == (1,), dtype)], axis=0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    frequency = None if fweights is None else _sample_weights("fweights", fweights, x.shape[1])
    reliability = None if aweights is None else _sample_weights("aweights", aweights, x.shape[1])
    if frequency is None or reliability is None:
        w = reliability if frequency is None else frequency
    else:
        w = frequency * reliability
    if w is None:
        mean, free = np.mean(x, axis=1, keepdims=True), float(x.shape[1] - ddof)
    else:
        mean = average(x, 1, w, keepdims=True)
        free = np.real(np.sum(w))
        if ddof and reliability is None:
            free = free - ddof
        elif ddof:
            free = free - ddof * np.sum(w * reliability) / free
    d = x - mean
    product = np.matmul(d, np.conj(np.transpose(d if w is None else d * w)))
    return np.squeeze(product * (1 / _positive(free)))


def _positive(free: Any) -> Any:
    value = plain_if_possible(free)
    if value is None or value > 0:
        return free
    warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=3)
    return np.float64(0.0)


@implements(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    scale = np.sqrt(np.real(np.diagonal(c)))
    c = c / scale[:, None] / scale[None, :]
    if c.dtype.kind != "c":
        return np.clip(c, -1, 1)
    return np.clip(np.real(c), -1, 1) + 1j * np.clip(np.imag(c), -1, 1)
