"""NumPy's functions of sets: values decide which elements there are, and the elements are differentiable."""

from __future__ import annotations

from typing import Any

import numpy as np

from .joining import concatenate
from .plain import plain
from .register import existing, implements
from .sorting import sort, unique
from .structural import as_array, ravel, reshape

__all__ = ["isin"]


def _flat(x: Any, function: str) -> Any:
    return ravel(as_array(x, function))


@implements(np.isin)
def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *, kind: str | None = None
) -> Any:
    if kind not in (None, "sort", "table"):
        raise ValueError(f"Invalid kind: '{kind}'. Please use None, 'sort' or 'table'.")
    element, known = as_array(element, "np.isin"), _flat(test_elements, "np.isin")
    if kind == "table" and not all(x.dtype.kind in "iub" for x in (element, known)):
        raise ValueError(
            "The 'table' method is only supported for boolean or integer arrays. Please select 'sort' or None for kind."
        )
    if not known.shape[0]:
        return np.full(element.shape, bool(invert))
    known = sort(known)
    places = np.minimum(np.searchsorted(known, ravel(element)), known.shape[0] - 1)
    found = reshape(known[places], element.shape) == element
    return np.logical_not(found) if invert else found


def _single(x: Any, function: str, assume_unique: bool) -> Any:
    flat = _flat(x, function)
    return flat if assume_unique else unique(flat)


@implements(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Any:
    return unique(concatenate((as_array(ar1, "np.union1d"), as_array(ar2, "np.union1d")), axis=None))


@implements(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    first = _single(ar1, "np.setdiff1d", assume_unique)
    second = _single(ar2, "np.setdiff1d", assume_unique)
    return first[np.flatnonzero(plain(isin(first, second, invert=True), "np.setdiff1d"))]


def _sorted_together(first: Any, second: Any, function: str) -> tuple[Any, Any, Any]:
    """Both sets in one array, the plain order that sorts it (stably), and where neighbours are equal."""
    both = concatenate((first, second))
    values = plain(both, function)
    order = np.argsort(values, kind="stable")
    values = values[order]
    return both, order, values[1:] == values[:-1]


@implements(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    first = _single(ar1, "np.setxor1d", assume_unique)
    second = _single(ar2, "np.setxor1d", assume_unique)
    both, order, equal = _sorted_together(first, second, "np.setxor1d")
    if not order.size:
        return both
    alone = ~np.concatenate(([False], equal)) & ~np.concatenate((equal, [False]))
    return both[order[alone]]


@implements(np.intersect1d)
def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """``np.intersect1d``; of two equal elements the derivative is that of the first array's, which NumPy takes."""
    first, second = _flat(ar1, "np.intersect1d"), _flat(ar2, "np.intersect1d")
    places: list[Any] = [np.arange(first.shape[0]), np.arange(second.shape[0])]
    if not assume_unique:
        first, places[0] = unique(first, return_index=True)
        second, places[1] = unique(second, return_index=True)
    both, order, equal = _sorted_together(first, second, "np.intersect1d")
    common = order[:-1][equal]
    result = both[common]
    if not return_indices:
        return result
    return result, places[0][common], places[1][order[1:][equal] - first.shape[0]]


def _in1d(ar1: Any, ar2: Any, assume_unique: bool = False, invert: bool = False, *, kind: str | None = None) -> Any:
    return isin(as_array(ar1, "np.in1d").ravel(), ar2, assume_unique, invert, kind=kind)


implements(*existing("in1d"))(_in1d)  # until NumPy 2.3
