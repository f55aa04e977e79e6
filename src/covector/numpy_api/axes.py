"""Normalisation of NumPy's axis, shape and dtype arguments."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core.tracer import Tracer

__all__ = ["all_axes", "as_scalar", "normalize_axis"]


def as_scalar(x: Any) -> Any:
    """Return the 0-d result `x` as the scalar that NumPy's function returns; arrays as they are.

    Choosing and reshaping give 0-d arrays, ufuncs give scalars.
    """
    return np.positive(x) if isinstance(x, Tracer) and not x.shape else x


def normalize_axis(axis: int, ndim: int) -> int:
    """Return `axis` counted from the front; `numpy.exceptions.AxisError` if there is no such axis."""
    axis = operator.index(axis)
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis % ndim if ndim else axis


def all_axes(axis: int | Iterable[int] | None, ndim: int) -> tuple[int, ...]:
    """Return the axes that `axis` names, in order and counted from the front; all of them for None."""
    if axis is None:
        return tuple(range(ndim))
    if not isinstance(axis, Iterable):
        return (normalize_axis(axis, ndim),)
    axes = tuple(sorted(normalize_axis(i, ndim) for i in axis))
    if len(set(axes)) != len(axes):
        raise ValueError("duplicate value in 'axis'")
    return axes


def is_default(x: Any) -> bool:
    """Whether an optional argument was left out (NumPy's ``<no value>`` or None)."""
    return x is None or x is np._NoValue
