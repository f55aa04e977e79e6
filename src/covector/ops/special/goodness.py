"""Kolmogorov's distribution of the largest deviation, and Tukey's lambda distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..families import elementwise
from ..samples import binary, unary
from .common import exp_square, product_error
from .hypergeometric import exprel_derivative
from .several import no_derivative
from .ufuncs import sc

__all__: list[str] = []

# --- Kolmogorov -------------------------------------------------------------------------------------------------------


_C = math.pi**2 / 8
_C_ERROR = 7.831619385924639e-17  # π²/8 - _C


def _quotient(x: Any) -> tuple[Any, Any]:
    """π²/(8x²) and its rounding error, which exp would magnify."""
    square = x * x
    quotient = _C / square
    back = quotient * square
    rest = (_C - back) - product_error(quotient, square, back) - quotient * product_error(x, x, square)
    return quotient, (rest + _C_ERROR) / square


def _kolmogorov_slope(x: Any) -> Any:
    """Slope of 2 Σ (-1)ᵏ⁻¹ exp(-2k²x²), below 1 of 1 - √(2π)/x Σ exp(-(2k-1)²π²/(8x²)) (DLMF 20.7.33)."""
    small = np.less(x, 1)
    far = np.where(small, 1, x)
    tail: Any = 0
    for k in range(1, 6):
        tail = tail + (-1) ** k * 8 * k * k * far * np.power(exp_square(far, -1.0), 2 * k * k)
    none = np.less_equal(x, 0.04)
    near = np.where(none, 1, np.where(small, x, 1))
    rate, error = _quotient(near)
    head: Any = 0
    for k in range(1, 5):
        m = (2 * k - 1) ** 2
        head = head + (2 * m * rate - 1) * np.exp(-m * rate) * (1 - m * error)
    head = -math.sqrt(2 * math.pi) / np.square(near) * head
    # Below 0.04 the slope is smaller than the smallest positive number.
    return np.where(none, 0, np.where(small, head, tail))


elementwise(
    "kolmogorov",
    sc.kolmogorov,
    (lambda out, y: _kolmogorov_slope(y),),
    keeps_out=False,
    samples=unary(0.4, 2.0, complex_=False),
)
elementwise(
    "kolmogi", sc.kolmogi, (lambda out, p: 1 / _kolmogorov_slope(out),), samples=unary(0.1, 0.9, complex_=False)
)

no_derivative(
    "its slope is a sum of as many terms as there are observations, and its higher derivatives jump; use the limit "
    "scipy.special.kolmogorov(np.sqrt(n) * d) of the two-sided test, or give it a rule with covector.custom_jvp",
    *(sc.smirnov, sc.smirnovi),
)

# --- Tukey's lambda: the inverse of x = (pᵏ - (1-p)ᵏ)/k ---------------------------------------------------------------


def _by_shape(log: Any, lmbda: Any) -> Any:
    """d/dk of (exp(kL) - 1)/k, smooth through k = 0."""
    return log * log * exprel_derivative(lmbda * log, 1)


def _density(p: Any, lmbda: Any) -> Any:
    return 1 / (np.power(p, lmbda - 1) + np.power(1 - p, lmbda - 1))


elementwise(
    "tklmbda",
    sc.tklmbda,
    (
        lambda out, x, lmbda: _density(out, lmbda),
        lambda out, x, lmbda: (_by_shape(np.log1p(-out), lmbda) - _by_shape(np.log(out), lmbda)) * _density(out, lmbda),
    ),
    samples=binary((-0.8, 0.8), (0.2, 0.9), complex_=False),
    source="the implicit function theorem",
)
