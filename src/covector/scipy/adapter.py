"""How an adapter is made: plain arrays go to SciPy, traced values to our implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from importlib import import_module
from typing import Any, TypeVar, cast

import numpy as np

from ..core.tracer import Tracer, concrete
from ..core.values import dtype_of
from ..core.views import is_view
from ..numpy_api.plain import decided
from ..numpy_api.structural import as_array
from ..ops.complex_parts import astype

__all__ = ["adapts", "floating", "is_real", "operand", "together"]

F = TypeVar("F", bound=Callable[..., Any])


def adapts(module: str) -> Callable[[F], F]:
    """Decorate our implementation of the function of the same name in `module`, which takes all calls without tracers.

    Hints that let SciPy overwrite its arguments mean nothing for traced values.
    """

    def decorate(ours: F) -> F:
        name = ours.__name__

        @wraps(ours)
        def function(*args: Any, **kwargs: Any) -> Any:
            if not _any_traced(args) and not _any_traced(kwargs.values()):
                return getattr(import_module(module), name)(*args, **kwargs)
            result = ours(*args, **kwargs)
            given = (*args, *kwargs.values())
            return tuple(_own(x, given) for x in result) if type(result) is tuple else _own(result, given)

        return cast(F, function)

    return decorate


def _any_traced(values: Iterable[Any]) -> bool:
    return any(isinstance(x, Tracer) or (isinstance(x, list | tuple) and _any_traced(x)) for x in values)


def _own(x: Any, args: Iterable[Any]) -> Any:
    """Return `x` such that writing to it does not write to an argument."""
    return x.clone() if isinstance(x, Tracer) and (is_view(x) or any(x is a for a in args)) else x


def floating(x: Any) -> Any:
    """Return `x` in a dtype that LAPACK has: integers and long doubles as float64, half precision as float32."""
    dtype = dtype_of(x)
    if dtype.kind == "c":
        return astype(x, np.complex64 if dtype.itemsize <= 8 else np.complex128)
    if dtype.kind == "f":
        return astype(x, np.float32 if dtype.itemsize <= 4 else np.float64)
    return astype(x, np.dtype(float))


def operand(x: Any, function: str, check_finite: bool = False) -> Any:
    """Return the argument `x` of `function` as an array of real or complex numbers."""
    x = as_array(x, function)
    value = concrete(x) if check_finite else None
    if value is not None and np.asarray(value).dtype.kind in "fc" and not np.isfinite(value).all():
        raise ValueError("array must not contain infs or NaNs")
    return floating(x)


def together(*xs: Any) -> tuple[Any, ...]:
    """Return arrays in their common dtype."""
    dtype = np.result_type(*(dtype_of(x) for x in xs))
    return tuple(astype(x, dtype) for x in xs)


def is_real(x: Any) -> bool:
    """Whether the complex values that `x` stands for are all real; False where they are not known yet."""
    real = decided(x, lambda x: np.all(np.imag(x) == 0))
    return real is not None and bool(real)
