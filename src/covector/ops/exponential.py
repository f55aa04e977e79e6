"""Exponentials, logarithms, trigonometric and hyperbolic functions."""

from __future__ import annotations

import numpy as np

from .families import elementwise
from .samples import unary

exp = elementwise("exp", np.exp, (lambda out, x: out,), singular=False, samples=unary())
log = elementwise("log", np.log, (lambda out, x: 1 / x,), samples=unary(0.1, 3.0))
sin = elementwise("sin", np.sin, (lambda out, x: np.cos(x),), singular=False, samples=unary())
cos = elementwise("cos", np.cos, (lambda out, x: -np.sin(x),), singular=False, samples=unary())
tanh = elementwise(
    "tanh",
    np.tanh,
    (lambda out, x: (1 - out) * (1 + out),),
    singular=False,
    samples=unary(),
)
