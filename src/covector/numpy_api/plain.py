"""The plain value behind a traced one, for NumPy functions whose result has no derivative or a shape set by values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.errors import ConcretizationError
from ..core.surface import TracedValue
from ..core.tracer import Tracer, concrete
from .structural import as_array

__all__ = ["decided", "plain", "plain_if_possible", "plain_or"]


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


def plain_or(x: Any, message: Callable[[], str]) -> Any:
    """Return the plain array under the transforms that follow `x`, which says what shape a result has.

    `ConcretizationError` with the message where there is none.
    """
    try:
        return plain(x, "a shape that depends on values")
    except ConcretizationError:
        raise ConcretizationError(message()) from None


def decided(x: Any, condition: Callable[[Any], Any]) -> Any:
    """Return ``condition(x)`` as a plain array (of mapped values, of the batch), or None where values are unknown.

    While `jit` records a function the answer becomes part of what the program takes for granted.
    """
    value = concrete(x)
    if value is not None:
        return condition(value)
    while isinstance(x.value, Tracer):
        x = x.value
    return plain_if_possible(condition(x)) if x._answers else None
