"""Truncated Taylor series in two parameters, in which the incomplete gamma and beta functions are differentiated.

A jet is an array whose first two axes count the powers of the parameters' increments: ``jet[i, j]`` is the coefficient
of hⁱ kʲ (Griewank & Walther 2008, chapter 13). The other axes are those of the arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.values import dtype_of, is_weak

__all__ = ["constant", "continued_fraction", "divide", "exponential", "linear", "multiply", "slope_dtype"]


def slope_dtype(*args: Any) -> np.dtype[Any]:
    """The dtype of a slope at `args`: that of the arrays among them, at least single; Python numbers give way."""
    found = [dtype_of(x) for x in args if not is_weak(x)]
    return np.result_type(*found, np.float32) if found else np.dtype(float)


def constant(value: Any, orders: tuple[int, int]) -> Any:
    """The jet of `value`, which does not depend on the parameters."""
    jet = np.zeros((orders[0] + 1, orders[1] + 1, *np.shape(value)), np.asarray(value).dtype)
    jet[0, 0] = value
    return jet


def linear(value: Any, first: Any, second: Any, orders: tuple[int, int]) -> Any:
    """The jet of `value` with the given derivatives with respect to the parameters."""
    jet = constant(value, orders)
    if orders[0]:
        jet[1, 0] = first
    if orders[1]:
        jet[0, 1] = second
    return jet


def multiply(x: Any, y: Any) -> Any:
    """The product of two jets."""
    out = np.zeros_like(x)
    for i, j in np.ndindex(*x.shape[:2]):
        for k, m in np.ndindex(i + 1, j + 1):
            out[i, j] += x[k, m] * y[i - k, j - m]
    return out


def divide(x: Any, y: Any) -> Any:
    """The quotient of two jets, by q y = x."""
    out = np.zeros_like(x)
    for i, j in np.ndindex(*x.shape[:2]):
        rest = x[i, j].copy()
        for k, m in np.ndindex(i + 1, j + 1):
            if (k, m) != (i, j):
                rest -= out[k, m] * y[i - k, j - m]
        out[i, j] = rest / y[0, 0]
    return out


def exponential(x: Any) -> Any:
    """The exponential of a jet, by the derivative e' = e x' in the first parameter, and on its axis in the second."""
    out = np.zeros_like(x)
    out[0, 0] = np.exp(x[0, 0])
    for i, j in np.ndindex(*x.shape[:2]):
        if i:
            for k, m in np.ndindex(i, j + 1):
                out[i, j] += out[k, m] * x[i - k, j - m] * ((i - k) / i)
        elif j:
            for m in range(j):
                out[0, j] += out[0, m] * x[0, j - m] * ((j - m) / j)
    return out


def continued_fraction(first: Any, step: Callable[[int], tuple[Any, Any]], tolerance: float) -> Any:
    """b₀ + a₁/(b₁ + a₂/(b₂ + …)) of jets: b₀ is `first` and ``step(k)`` gives aₖ and bₖ.

    Evaluated from the end, with twice as many terms until the value does not change.
    """
    terms, last = 32, None
    while True:
        tail = np.zeros_like(first)
        for k in range(terms, 0, -1):
            a, b = step(k)
            tail = divide(a, b + tail)
        value = first + tail
        if last is not None:
            scale = np.max(np.abs(value), axis=(0, 1), initial=0.0)
            change = np.max(np.abs(value - last), axis=(0, 1), initial=0.0)
            if terms >= _MOST or np.all((change <= tolerance * scale) | ~np.isfinite(change)):
                return value
        last, terms = value, 2 * terms


_MOST = 16384
