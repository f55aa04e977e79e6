"""Where the array API standard, 2024.12, asks for more than NumPy's functions do: options and kinds of arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from .conversion import array
from .forwarding import accepting_lists, documented

__all__ = ["argsort", "clip", "count_nonzero", "finfo", "iinfo", "sort", "take_along_axis"]


def _ordering(kind: Any, order: Any, stable: Any) -> dict[str, Any]:
    return {name: x for name, x in (("kind", kind), ("order", order), ("stable", stable)) if x is not None}


_sort = accepting_lists(np.sort, __name__)
_clip = accepting_lists(np.clip, __name__)
_argsort = accepting_lists(np.argsort, __name__)


@documented(np.sort)
def sort(
    a: Any,
    /,
    axis: int | None = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: bool | None = None,
    descending: bool = False,
) -> Any:
    """Return a sorted copy; `descending` reverses the order."""
    out = _sort(a, axis, **_ordering(kind, order, stable))
    return np.flip(out, 0 if axis is None else axis) if descending else out


@documented(np.argsort)
def argsort(
    a: Any,
    /,
    axis: int | None = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: bool | None = None,
    descending: bool = False,
) -> Any:
    """Return the indices that sort an array; with `descending`, equal elements still keep their order."""
    options = _ordering(kind, order, stable)
    if not descending:
        return _argsort(a, axis, **options)
    a = np.ravel(a) if axis is None else a
    axis = 0 if axis is None else axis
    if "kind" not in options and "stable" not in options:
        options["stable"] = True
    # Sorting the reversed array keeps equal elements in the order that reversing the result restores.
    reverse = np.flip(_argsort(np.flip(a, axis), axis, **options), axis)
    return np.shape(a)[axis] - 1 - reverse


@documented(np.count_nonzero)
def count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """Count the elements that are not zero; without an axis the result is a NumPy integer, which has a dtype."""
    out = np.count_nonzero(a, axis=axis, keepdims=keepdims)
    return np.intp(out) if type(out) is int else out


@documented(np.take_along_axis)
def take_along_axis(arr: Any, indices: Any, /, axis: int | None = -1) -> Any:
    """Take elements by indices along an axis, by default the last."""
    return np.take_along_axis(arr, indices, axis)


@documented(np.finfo)
def finfo(dtype: Any, /) -> Any:
    """Limits of a floating-point dtype, or of that of an array."""
    return np.finfo(getattr(dtype, "dtype", dtype) if not isinstance(dtype, type) else dtype)


@documented(np.iinfo)
def iinfo(type: Any, /) -> Any:
    """Limits of an integer dtype, or of that of an array."""
    return np.iinfo(type.dtype if isinstance(getattr(type, "dtype", None), np.dtype) else type)


@documented(np.clip)
def clip(
    a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *, min: Any = None, max: Any = None, **kwargs: Any
) -> Any:
    """Limit the values of an array; a bound that is left out does not limit."""
    if (a_min is not None and min is not None) or (a_max is not None and max is not None):
        raise ValueError("Passing `min` or `max` keyword argument when `a_min` and `a_max` are provided is forbidden.")
    low, high = a_min if min is None else min, a_max if max is None else max
    if low is None and high is None and not kwargs and out is None:
        return array(a)
    return _clip(a, low, high, out, **kwargs)
