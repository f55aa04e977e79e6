"""Arithmetic: sums, products, quotients and powers."""

from __future__ import annotations

import numpy as np

from .families import elementwise
from .samples import binary, unary

add = elementwise("add", np.add, (1, 1), keeps=False, singular=False, samples=binary())
subtract = elementwise("subtract", np.subtract, (1, -1), keeps=False, singular=False, samples=binary())
negative = elementwise("negative", np.negative, (-1,), keeps=False, singular=False, samples=unary())
positive = elementwise("positive", np.positive, (1,), keeps=False, singular=False, samples=unary())
multiply = elementwise(
    "multiply",
    np.multiply,
    (lambda out, x, y: y, lambda out, x, y: x),
    singular=False,
    samples=binary(),
)
divide = elementwise(
    "divide",
    np.true_divide,
    (lambda out, x, y: 1 / y, lambda out, x, y: -out / y),
    samples=binary(b=(0.5, 2.0)),
)
