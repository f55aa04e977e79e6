"""Hashable stand-ins for constants and parameters: equal keys mean that the same is computed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["frozen", "scalar_key"]

_PLAIN = frozenset({int, str, type(None), np.dtype})


def frozen(value: Any, alive: list[Any]) -> Any:
    """Return a key of the parameter `value`.

    What cannot be compared is known by its identity, and is then added to `alive`, which has to live as long as keys
    are compared.
    """
    kind = type(value)
    if kind in _PLAIN or isinstance(value, np.dtype):
        return value
    if kind is tuple or kind is list:
        return (kind, *[x if type(x) is int else frozen(x, alive) for x in value])
    if kind is slice:
        return (kind, frozen(value.start, alive), frozen(value.stop, alive), frozen(value.step, alive))
    if kind is dict:
        return (kind, *[(k, frozen(v, alive)) for k, v in sorted(value.items())])
    if isinstance(value, bool | float | complex | np.generic):
        return scalar_key(value)
    alive.append(value)
    return (kind, id(value))


def scalar_key(x: Any) -> Any:
    """Return a key of a number that tells -0.0 from 0.0, 1 from 1.0 and one dtype from another."""
    kind = type(x)
    if kind is float:
        return (kind, x, math.copysign(1.0, x)) if x == x else (kind, "nan")
    if kind is int or kind is bool:
        return (kind, x)
    if isinstance(x, np.generic):
        return (kind, x.dtype.char, x.tobytes())
    return (kind, repr(x))
