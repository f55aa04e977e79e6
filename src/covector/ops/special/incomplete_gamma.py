"""Derivatives of the regularized incomplete gamma function with respect to its parameter.

Below the mean of the distribution its power series, above it Legendre's continued fraction, both differentiated term by
term: Moore (1982), "Algorithm AS 187: Derivatives of the incomplete gamma integral", Applied Statistics 31, 330-335.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..families import elementwise
from ..samples import draw, sample
from . import incomplete_jets as jets
from .incomplete_densities import gamma_density, gamma_density_slope
from .ufuncs import sc

__all__ = ["gamma_slope"]

_TOLERANCE = 1e-15


def _series(orders: tuple[int, int], a: Any, x: Any) -> Any:
    """P = xᵃ e⁻ˣ/Γ(a+1) Σ xᵏ/((a+1)…(a+k)) (DLMF 8.7.1), as a jet in a."""
    term = jets.constant(np.ones_like(x), orders)
    total = term.copy()
    with np.errstate(under="ignore"):
        for k in range(1, 100_000):
            # term (a + k + h) = x · the term before, coefficient by coefficient.
            term[0] = x * term[0] / (a + k)
            for i in range(1, orders[0] + 1):
                term[i] = (x * term[i] - term[i - 1]) / (a + k)
            total += term
            if np.all(np.abs(term) <= _TOLERANCE * np.abs(total)):
                break
    return total


def _fraction(orders: tuple[int, int], a: Any, x: Any) -> Any:
    """Q = xᵃ e⁻ˣ/Γ(a) / (x+1-a - 1(1-a)/(x+3-a - 2(2-a)/(x+5-a - …))) (DLMF 8.9.2), as a jet in a."""

    def step(k: int) -> tuple[Any, Any]:
        return jets.linear(k * (a - k), k, 0, orders), jets.linear(x + (2 * k + 1) - a, -1, 0, orders)

    bottom = jets.continued_fraction(jets.linear(x + 1 - a, -1, 0, orders), step, _TOLERANCE)
    return jets.divide(jets.constant(np.ones_like(x), orders), bottom)


def _prefix(orders: tuple[int, int], a: Any, x: Any, shift: int) -> Any:
    """The jet of xᵃ e⁻ˣ / Γ(a + shift)."""
    value = gamma_density(a, x) * x / (a if shift else 1)  # not the exponential of its logarithm, which loses digits
    exponent = jets.constant(np.zeros_like(x), orders)
    for i in range(1, orders[0] + 1):
        digamma = sc.digamma(a + shift) if i == 1 else sc.polygamma(i - 1, a + shift)
        exponent[i, 0] = ((np.log(x) if i == 1 else 0) - digamma) / math.factorial(i)
    return value * jets.exponential(exponent)


def _coefficients(n: int, a: Any, x: Any) -> Any:
    """∂ⁿP/∂aⁿ for positive finite arguments, as a flat array."""
    out = np.empty_like(x)
    orders = (n, 0)
    low = x <= np.maximum(a + 0.5, 1.5)
    for mask, inner, shift, sign in ((low, _series, 1, 1), (~low, _fraction, 0, -1)):
        if np.any(mask):
            p, q = a[mask], x[mask]
            jet = jets.multiply(_prefix(orders, p, q, shift), inner(orders, p, q))
            out[mask] = sign * math.factorial(n) * jet[n, 0]
    return out


def _gamma_slope(n: Any, a: Any, x: Any) -> Any:
    dtype = jets.slope_dtype(a, x)
    n, a, x = np.broadcast_arrays(n, np.asarray(a, float), np.asarray(x, float))
    with np.errstate(all="ignore"):
        out = np.where((a > 0) & (x >= 0), 0.0, np.nan)
        inside = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
        for order in np.unique(n[inside]):
            at = inside & (n == order)
            out[at] = _coefficients(int(order), a[at], x[at])
    return out.astype(dtype)[()]


gamma_slope = elementwise(
    "gammainc_slope",
    None,
    (
        None,
        lambda out, n, a, x: gamma_slope(n + 1, a, x),
        lambda out, n, a, x: gamma_density_slope(int(n), a, x),
    ),
    impl=_gamma_slope,
    keeps_out=False,
    samples=[
        sample(1, draw((), low=0.5, high=3.0, key="a"), draw((), low=0.3, high=4.0)),
        sample(1, draw((3,), low=0.5, high=3.0, key="a"), draw((2, 3), low=0.3, high=9.0)),
        sample(1, draw((3,), np.float32, low=0.5, high=3.0, key="a"), draw((3,), np.float32, low=0.3, high=4.0)),
        sample(1, 2.5, draw((0,))),
    ],
    source="∂ⁿP(a, x)/∂aⁿ: Moore (1982), Applied Statistics 31",
)
