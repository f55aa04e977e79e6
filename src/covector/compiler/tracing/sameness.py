"""When values that a function reaches count as unchanged."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

__all__ = ["contents", "is_data", "same", "same_contents", "snapshot"]

_SIMPLE = frozenset((int, float, complex, bool, str, bytes, type(None), type(Ellipsis), slice, range))
_NESTED = frozenset((list, tuple, dict, set, frozenset))


def is_data(x: Any) -> bool:
    """Whether `x` is a number, a string, or a container of such: something to compare by value."""
    kind = type(x)
    if kind in _SIMPLE or isinstance(x, np.generic | np.dtype):
        return True
    if kind not in _NESTED:
        return False
    stack, seen = [x], 0
    while stack:
        top = stack.pop()
        if type(top) is dict:
            stack.extend(top)
            stack.extend(top.values())
        elif type(top) in _NESTED:
            stack.extend(top)
        elif not (type(top) in _SIMPLE or isinstance(top, np.generic | np.dtype)):
            return False
        seen += 1
        if seen > 100_000:
            return False
    return True


def snapshot(x: Any) -> Any:
    """Return `x`, for which `is_data`, such that nobody can change it."""
    return copy.deepcopy(x) if type(x) in _NESTED else x


def same(a: Any, b: Any) -> bool:
    """Whether two values, for which `is_data`, are interchangeable: of one type and equal, NaN equal to itself."""
    kind = type(a)
    if kind is not type(b):
        return False
    if kind is list or kind is tuple:
        if len(a) != len(b):
            return False
        return all(map(same, a, b))
    if kind is dict:
        return list(a) == list(b) and all(map(same, a.values(), b.values()))
    if kind is float or kind is complex or isinstance(a, np.inexact):
        return bool(a == b and str(a) == str(b)) or bool(a != a and b != b)
    return bool(a == b)


def contents(x: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    """What `same_contents` compares an array with."""
    return x.dtype, x.shape, x.tobytes()


def same_contents(x: Any, known: tuple[Any, ...]) -> bool:
    """Whether the array `x` has the given `contents`."""
    return x.dtype == known[0] and x.shape == known[1] and x.tobytes() == known[2]
