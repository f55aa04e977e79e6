"""The plain value behind a traced one, for NumPy functions whose result has no derivative or a shape set by values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import ConcretizationError
from ..core.surface import TracedValue
from .structural import as_array

__all__ = ["plain", "plain_if_possible"]


def plain(x: Any, function: str) -> Any:
    """Return the plain array under the transforms that follow `x`; `ConcretizationError` under `vmap`."""
    if not isinstance(x, TracedValue):
        return as_array(x, function)
    x._trace.check_alive(function)
    return np.asarray(x._number(function))


def plain_if_possible(x: Any) -> Any:
    """Return the plain value of `x`, or None under `vmap`: for checks of arguments that raise NumPy's errors."""
    try:
        return plain(x, "a check of values")
    except ConcretizationError:
        return None
