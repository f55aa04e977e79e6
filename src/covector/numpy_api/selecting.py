"""NumPy's functions that pick elements by position: take, take_along_axis, compress and their relatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import ConcretizationError, caller
from ..core.tracer import Tracer
from ..core.values import shape_of
from ..ops.indexing import gather_p
from .axes import normalize_axis
from .register import implements, no_out
from .structural import as_array, moveaxis, ravel, reshape

__all__ = ["take", "take_along_axis"]


@implements(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    return pick_along(as_array(arr, "np.take_along_axis"), as_array(indices, "np.take_along_axis"), axis)


def pick_along(x: Any, indices: Any, axis: int | None, unique: bool = False) -> Any:
    """``np.take_along_axis``; `unique` promises that no element is taken twice, which makes its transpose cheaper."""
    if axis is None:
        if indices.ndim != 1:
            raise ValueError("when axis=None, `indices` must have a single dimension.")
        x, axis = ravel(x), 0
    if x.ndim != indices.ndim:
        raise ValueError("`indices` and `arr` must have the same number of dimensions")
    if indices.dtype.kind not in "iu":
        raise IndexError("`indices` must be an integer array")
    axis = normalize_axis(axis, x.ndim)
    grid = []
    for i, n in enumerate(x.shape):
        grid.append(indices if i == axis else np.arange(n).reshape((1,) * i + (n,) + (1,) * (x.ndim - 1 - i)))
    return gather_p(x, *grid, unique=unique)
