"""Errors in units in the last place."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

from .values import Truth

__all__ = ["largest_error", "points_of", "unit"]

_DIGITS = 50


def unit(value: Any, dtype: np.dtype[Any]) -> Any:
    """The distance of neighbouring floats of `dtype` at an mpmath number."""
    info = np.finfo(dtype)
    exponent = info.minexp if value == 0 else max(mpmath.frexp(abs(value))[1] - 1, info.minexp)
    return mpf(2) ** (int(exponent) - info.nmant)


def points_of(truth: Truth, dtype: np.dtype[Any], count: int, seed: int = 0) -> list[Any]:
    """`count` points in each region that `dtype` holds as normal numbers: one array per argument."""
    rng = np.random.default_rng(seed)
    columns: list[list[Any]] = []
    for regions in truth.regions:
        regions = regions if isinstance(regions, tuple) else (regions,)
        with np.errstate(over="ignore", under="ignore"):
            drawn = np.stack([region.draw(rng, 4 * count).astype(dtype) for region in regions])
        info = np.finfo(dtype)
        usable = ((np.abs(drawn) >= info.tiny) & (np.abs(drawn) <= info.max)).all(axis=0)
        columns.append(drawn[:, usable][:, :count])
    return list(np.concatenate(columns, axis=1))


def largest_error(truth: Truth, arguments: list[Any], values: Any) -> tuple[float, tuple[float, ...]]:
    """The largest error of `values` in units in the last place, and where; wrong infinities and NaN are infinite.

    Results that are subnormal or do not fit are left out.
    """
    dtype, worst, where = values.dtype, 0.0, ()
    info = np.finfo(dtype)
    with mpmath.workdps(_DIGITS):
        for i, value in enumerate(values.tolist()):
            point = tuple(float(a[i]) for a in arguments)
            exact = truth.value(*map(mpf, point))
            if mpmath.isnan(exact) or not float(info.tiny) <= abs(exact) <= float(info.max):
                continue
            scale = exact if truth.scale is None else truth.scale(exact, *map(mpf, point))
            error = float(abs(mpf(value) - exact) / unit(scale, dtype)) if np.isfinite(value) else np.inf
            if error > worst:
                worst, where = error, point
    return worst, where
