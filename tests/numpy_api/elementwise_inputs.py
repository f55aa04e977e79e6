"""Inputs of the tests of elementwise functions, and the names of the ufuncs that take them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["BINARY", "MASK", "UNARY", "Case", "P", "Q", "W", "X", "Z", "quiet"]

X = np.array([0.3, -0.7, 0.9, 0.1])
P = np.array([0.4, 1.3, 2.2, 0.8])
Q = np.array([[1.7, 0.6, 0.9, 1.1], [0.5, 2.3, 1.4, 0.7]])
Z = np.array([0.3 + 0.4j, -0.7 + 0.2j, 0.9 - 0.5j])
W = np.array([1.1 - 0.4j, 0.6 + 0.8j, -0.5 + 0.3j])
MASK = np.array([True, False, True, False])

UNARY = {
    "real": [
        "negative",
        "positive",
        "absolute",
        "fabs",
        "sign",
        "exp",
        "exp2",
        "expm1",
        "square",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
        "arcsinh",
        "arctanh",
        "deg2rad",
        "rad2deg",
        "degrees",
        "radians",
        "conjugate",
        "cbrt",
    ],
    "positive": ["log", "log2", "log10", "log1p", "sqrt", "cbrt", "reciprocal"],
    "complex": [
        "negative",
        "positive",
        "absolute",
        "sign",
        "exp",
        "exp2",
        "expm1",
        "square",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
        "arcsinh",
        "arctanh",
        "conjugate",
        "log",
        "log2",
        "log10",
        "log1p",
        "sqrt",
        "reciprocal",
    ],
}
BINARY = {
    "real": [
        "add",
        "subtract",
        "multiply",
        "divide",
        "maximum",
        "minimum",
        "fmax",
        "fmin",
        "hypot",
        "arctan2",
        "logaddexp",
        "logaddexp2",
        "copysign",
        "heaviside",
        "nextafter",
        "remainder",
        "fmod",
        "power",
        "float_power",
    ],
    "complex": ["add", "subtract", "multiply", "divide", "power", "float_power", "maximum", "minimum"],
}

Case = tuple[str, Callable[..., Any], tuple[Any, ...]]


def quiet(fun: Callable[..., Any], *args: Any) -> Any:
    with np.errstate(all="ignore"):
        return fun(*args)
