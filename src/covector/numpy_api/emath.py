"""`numpy.emath`: functions that turn complex where the real function is not defined, as the values decide."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.dispatch import as_operand
from ..core.values import dtype_of
from ..ops.complex_parts import astype
from .register import implements


def _widened(x: Any, outside: Any) -> Any:
    """Return the real `x` as complex if it has elements outside the real domain."""
    dtype = dtype_of(x)
    if dtype.kind == "c" or not np.any(outside(x)):
        return x
    return astype(x, np.complex64 if dtype in (np.float16, np.float32) else np.complex128)


def _nonnegative(x: Any, function: str) -> Any:
    return _widened(as_operand(x, f"np.emath.{function}"), lambda x: np.less(x, 0))


def _within_one(x: Any, function: str) -> Any:
    return _widened(as_operand(x, f"np.emath.{function}"), lambda x: np.greater(np.absolute(x), 1))


@implements(np.emath.sqrt)
def sqrt(x: Any) -> Any:
    return np.sqrt(_nonnegative(x, "sqrt"))


@implements(np.emath.log)
def log(x: Any) -> Any:
    return np.log(_nonnegative(x, "log"))


@implements(np.emath.log10)
def log10(x: Any) -> Any:
    return np.log10(_nonnegative(x, "log10"))


@implements(np.emath.log2)
def log2(x: Any) -> Any:
    return np.log2(_nonnegative(x, "log2"))


@implements(np.emath.logn)
def logn(n: Any, x: Any) -> Any:
    return np.log(_nonnegative(x, "logn")) / np.log(_nonnegative(n, "logn"))


@implements(np.emath.power)
def power(x: Any, p: Any) -> Any:
    x, p = _nonnegative(x, "power"), as_operand(p, "np.emath.power")
    if dtype_of(p).kind in "iu" and np.any(np.less(p, 0)):
        p = p * 1.0
    return np.power(x, p)


@implements(np.emath.arccos)
def arccos(x: Any) -> Any:
    return np.arccos(_within_one(x, "arccos"))


@implements(np.emath.arcsin)
def arcsin(x: Any) -> Any:
    return np.arcsin(_within_one(x, "arcsin"))


@implements(np.emath.arctanh)
def arctanh(x: Any) -> Any:
    return np.arctanh(_within_one(x, "arctanh"))
