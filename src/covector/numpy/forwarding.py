"""What turns a function of NumPy into one of this namespace."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from ..core.dispatch import FUNCTIONS, call_function
from ..core.errors import TracerConversionError
from ..core.tracer import Tracer
from .uniform import made

__all__ = ["accepting_lists", "documented", "fresh", "holds_traced", "names", "of_numpy"]

F = TypeVar("F", bound=Callable[..., Any])

_Dispatched = type(np.sum)
"""The class of the functions that ask their arguments for ``__array_function__``."""


def holds_traced(x: Any) -> bool:
    """Whether `x` is a traced value, or a list or tuple with one somewhere inside."""
    return isinstance(x, Tracer) or (isinstance(x, list | tuple) and any(map(holds_traced, x)))


def _is_list(x: Any) -> bool:
    return isinstance(x, list | tuple) and holds_traced(x)


def accepting_lists(function: Callable[..., Any], home: str) -> Callable[..., Any]:
    """Return `function` such that lists with traced values inside serve as arrays.

    NumPy asks arrays, not the members of lists, who answers a call. A list of traced values reaches its own code,
    which tries to make an array of it; only then is the list looked at.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TracerConversionError as error:
            given = (*args, *kwargs.values())
            if not any(map(holds_traced, given)) or (function not in FUNCTIONS and not any(map(_is_list, given))):
                raise
            reason = error
        from .conversion import asarray

        args = tuple(asarray(x) if _is_list(x) else x for x in args)
        kwargs = {name: asarray(x) if _is_list(x) else x for name, x in kwargs.items()}
        try:
            # NumPy does not ask every argument: of ``take(a, i)`` only the array.
            return call_function(function, args, kwargs) if function in FUNCTIONS else function(*args, **kwargs)
        except ValueError:  # lists of unequal length
            raise reason from None

    call.__module__ = home
    return call


def fresh(function: Callable[..., Any], home: str = "covector.numpy") -> Callable[..., Any]:
    """Return `function`, whose result is always a new array, such that the result can receive traced values."""
    convert = accepting_lists(function, home)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if "like" in kwargs:
            kwargs = without_traced_like(kwargs)
        new = convert(*args, **kwargs)
        return (made(new[0]), *new[1:]) if type(new) is tuple else made(new)

    call.__module__ = home
    return call


def without_traced_like(options: dict[str, Any]) -> dict[str, Any]:
    """Leave out ``like=`` a traced value: what these functions make is of that kind anyway."""
    return {name: x for name, x in options.items() if name != "like" or not isinstance(x, Tracer)}


def documented(function: Any) -> Callable[[F], F]:
    """Put NumPy's documentation of `function` below the decorated one's own summary."""

    def decorate(ours: F) -> F:
        ours.__doc__ = f"{ours.__doc__ or ''}\n\nNumPy's documentation\n\n{getattr(function, '__doc__', None) or ''}"
        return ours

    return decorate


def of_numpy(module: ModuleType, name: str, home: str) -> Any:
    """Return the attribute `name` of one of NumPy's modules, as `home` offers it."""
    try:
        value = getattr(module, name)
    except AttributeError:
        raise AttributeError(f"module {home!r} has no attribute {name!r}") from None
    return accepting_lists(value, home) if type(value) is _Dispatched else value


def names(module: ModuleType, own: Iterable[str]) -> list[str]:
    """What ``dir`` shows: NumPy's public names and ours."""
    return sorted({*dir(module), *own})
