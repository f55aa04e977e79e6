"""Registration of our implementations of NumPy's functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ..core.dispatch import FUNCTIONS, OUT, REFUSED, VIEWS

__all__ = ["NUMPY", "existing", "implements", "refuse"]

F = TypeVar("F", bound=Callable[..., Any])

NUMPY = tuple(int(part) for part in np.__version__.split(".")[:2])
"""The running NumPy's major and minor version, for the few functions whose meaning has changed since 2.0."""


def existing(*names: str) -> tuple[Any, ...]:
    """Return those of NumPy's functions called `names` that the running NumPy has; some are newer than NumPy 2.0."""
    return tuple(getattr(np, name) for name in names if hasattr(np, name))


def implements(*functions: Any, view: bool = False) -> Callable[[F], F]:
    """Register the decorated function, of the same signature, as the answer to each of `functions`.

    Parameters
    ----------
    view : bool
        Whether NumPy's result can share memory with an argument.
    """

    def decorate(ours: F) -> F:
        code = getattr(ours, "__code__", None)
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code else ()
        for function in functions:
            FUNCTIONS[function] = ours
            if view:
                VIEWS.add(function)
            if code is not None and "out" in names:
                # One that takes it by keyword only has no position at which it could be met.
                at = names.index("out")
                OUT[function] = at if at < code.co_argcount else len(names)
        return ours

    return decorate


def refuse(function: Any, reason: str) -> None:
    """Declare why `function` has no derivative here; the reason names the supported form."""
    REFUSED[function] = reason
