"""Makers of the operators and methods of traced values, and of the ones that only say what to use instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from .dispatch import FUNCTIONS, UFUNCS, as_operand, call_function
from .errors import NotDifferentiableError, TracerConversionError, caller
from .primitive import Primitive, bind
from .tracer import Tracer

__all__ = ["binary", "in_place", "method_of", "no_conversion", "no_method", "own_method", "unary"]

_FAST = frozenset((np.ndarray, float, int, np.float64))
_DEFER = (str, bytes, dict, set, type(None))


def binary(ufunc: np.ufunc, reflected: bool = False) -> Callable[[Any, Any], Any]:
    def operator(self: Tracer, other: Any) -> Any:
        if type(other) not in _FAST and not isinstance(other, Tracer):
            if isinstance(other, _DEFER) or _foreign(other):
                return NotImplemented
            other = as_operand(other, f"np.{ufunc.__name__}")
        handler = UFUNCS[ufunc]
        operands = (other, self) if reflected else (self, other)
        return bind(handler, operands, {}) if type(handler) is Primitive else handler(*operands)

    return operator


def _foreign(x: object) -> bool:
    """Whether `x` is an array of another library, or no operand of ufuncs, and answers the operator itself."""
    if getattr(x, "__array_ufunc__", True) is None:
        return True
    return hasattr(x, "__array_priority__") and not hasattr(x, "toarray") and not isinstance(x, np.generic | np.ndarray)


def in_place(ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    def operator(self: Tracer, other: Any) -> Any:
        return FUNCTIONS["in-place"](ufunc, self, other)

    return operator


def unary(ufunc: np.ufunc) -> Callable[[Any], Any]:
    return lambda self: UFUNCS[ufunc](self)


def method_of(function: Any) -> Callable[..., Any]:
    def method(self: Tracer, *args: Any, **kwargs: Any) -> Any:
        return call_function(function, (self, *args), kwargs)

    method.__name__ = function.__name__
    return method


def own_method(name: str) -> Callable[..., Any]:
    """A method that is no function of NumPy's, registered as ``"ndarray.name"``."""

    def method(self: Tracer, *args: Any, **kwargs: Any) -> Any:
        return FUNCTIONS[f"ndarray.{name}"](self, *args, **kwargs)

    method.__name__ = name
    return method


def no_method(name: str, instead: str) -> Callable[..., NoReturn]:
    def method(self: Tracer, *_: Any, **__: Any) -> NoReturn:
        raise NotDifferentiableError(
            f".{name}() on an array traced by {self._trace.name} at {caller()} is not supported; {instead}"
        )

    return method


def no_conversion(name: str, instead: str, for_integers: str = "") -> Callable[..., NoReturn]:
    def convert(self: Tracer, *_: Any, **__: Any) -> NoReturn:
        if for_integers and self.dtype.kind in "iub":
            raise TracerConversionError(
                f"{name} at {caller()} needs the value of an integer traced by {self._trace.name}; {for_integers}"
            )
        if self._trace.name == "jit":
            raise TracerConversionError(
                f"{name} at {caller()} needs the value of what jit records without computing it; {instead}"
            )
        raise TracerConversionError(
            f"{name} at {caller()} would drop the derivative of a value traced by {self._trace.name}; {instead}"
        )

    return convert
