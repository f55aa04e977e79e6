"""Hypergeometric functions in their argument, and (exp(x) - 1)/x. Formulas: DLMF 13.3, 15.5."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.values import dtype_of
from ..families import elementwise
from ..samples import draw, sample, unary
from .common import parameter, with_parameters
from .ufuncs import sc

__all__ = ["exprel_derivative"]


def _exprel_derivative(x: Any, n: Any) -> Any:
    """∫₀¹ tⁿ exp(tx) dt = M(n+1, n+2, x)/(n+1) (DLMF 13.4.1)."""
    n = np.asarray(n, dtype_of(x))
    large = (n == 1) & (np.abs(x) > 2)
    series = sc.hyp1f1(n + 1, n + 2, np.where(large, 0, x)) / (n + 1)
    y = np.where(large, x, 3)
    half = np.exp(0.5 * y)  # twice, because exp(y) overflows before the result does
    return np.where(large, (half * ((y - 1) / y) * half + 1 / y) / y, series).astype(series.dtype)[()]


exprel_derivative = elementwise(
    "exprel_derivative",
    None,
    (lambda out, x, n: exprel_derivative(x, n + 1), None),
    impl=_exprel_derivative,
    singular=False,
    keeps_out=False,
    samples=[
        sample(draw((3,)), 1),
        sample(np.array([0.0, 1e-3, -30.0, 5.0]), 2),
        sample(draw((3,), np.float32), np.array([[1], [2]])),
        sample(0.5, 1),
        sample(draw((0,)), 1),
    ],
    source="derivative of order n of (exp(x) - 1)/x = ∫₀¹ exp(tx) dt",
)
exprel = elementwise(
    "exprel",
    sc.exprel,
    (lambda out, x: exprel_derivative(x, 1),),
    singular=False,
    keeps_out=False,
    samples=[*unary(complex_=False), sample(np.array([0.0, 1e-9]))],
)

hyp0f1 = elementwise(
    "hyp0f1",
    sc.hyp0f1,
    (parameter("hyp0f1", "v"), lambda out, v, z: sc.hyp0f1(v + 1, z) / v),
    keeps_out=False,
    samples=with_parameters(2, low=-2.0, high=2.0),
)
hyp1f1 = elementwise(
    "hyp1f1",
    sc.hyp1f1,
    (
        parameter("hyp1f1", "a"),
        parameter("hyp1f1", "b"),
        lambda out, a, b, x: sc.hyp1f1(a + 1, b + 1, x) * (a / b),
    ),
    keeps_out=False,
    samples=with_parameters(2, 3, low=-2.0, high=2.0),
    source="DLMF 13.3.15",
)
hyperu = elementwise(
    "hyperu",
    sc.hyperu,
    (
        parameter("hyperu", "a"),
        parameter("hyperu", "b"),
        lambda out, a, b, x: -sc.hyperu(a + 1, b + 1, x) * a,
    ),
    keeps_out=False,
    samples=with_parameters(2, 3, low=0.5, high=2.0),
    source="DLMF 13.3.22",
)
hyp2f1 = elementwise(
    "hyp2f1",
    sc.hyp2f1,
    (
        parameter("hyp2f1", "a"),
        parameter("hyp2f1", "b"),
        parameter("hyp2f1", "c"),
        lambda out, a, b, c, z: sc.hyp2f1(a + 1, b + 1, c + 1, z) * (a * b / c),
    ),
    keeps_out=False,
    samples=with_parameters(1, 2, 4, low=-0.8, high=0.8),
    source="DLMF 15.5.1",
)
