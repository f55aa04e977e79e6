"""Registration of our implementations of NumPy's functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ..core.dispatch import FUNCTIONS, REFUSED
from ..core.errors import NotDifferentiableError, caller

__all__ = ["NUMPY", "existing", "implements", "no_out", "refuse"]

F = TypeVar("F", bound=Callable[..., Any])

NUMPY = tuple(int(part) for part in np.__version__.split(".")[:2])
"""The running NumPy's major and minor version, for the few functions whose meaning has changed since 2.0."""


def existing(*names: str) -> tuple[Any, ...]:
    """Return those of NumPy's functions called `names` that the running NumPy has; some are newer than NumPy 2.0."""
    return tuple(getattr(np, name) for name in names if hasattr(np, name))


def implements(*functions: Any) -> Callable[[F], F]:
    """Register the decorated function, of the same signature, as the answer to each of `functions`."""

    def decorate(ours: F) -> F:
        for function in functions:
            FUNCTIONS[function] = ours
        return ours

    return decorate


def refuse(function: Any, reason: str) -> None:
    """Declare why `function` has no derivative here; the reason names the supported form."""
    REFUSED[function] = reason


def no_out(name: str, out: Any) -> None:
    """Raise if the caller gave ``out=``, which traced values cannot be written to."""
    if out is not None and out is not np._NoValue:
        raise NotDifferentiableError(
            f"np.{name}(..., out=...) with a traced value at {caller()} is not supported; use the returned array"
        )
