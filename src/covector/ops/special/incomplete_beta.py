"""Derivatives of the regularized incomplete beta function with respect to its parameters.

Its continued fraction differentiated term by term, as in Boik & Robison-Cox (1998), "Derivatives of the incomplete beta
function", Journal of Statistical Software 3(1). Student's t distribution function is one in another variable.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..families import elementwise
from ..samples import draw, sample
from . import incomplete_jets as jets
from .incomplete_densities import beta_density, beta_density_slope
from .ufuncs import sc

__all__ = ["beta_slope", "student_slope"]

_TOLERANCE = 1e-15


def _prefix(orders: tuple[int, int], value: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
    """The jet of xᵃ yᵇ Γ(a+b) / (Γ(a+1) Γ(b)) with y = 1-x, given its `value`."""
    exponent = jets.constant(np.zeros_like(x), orders)
    for i, j in np.ndindex(orders[0] + 1, orders[1] + 1):
        if i + j:
            order = i + j - 1
            slope = _polygamma(order, a + b)
            if j == 0:
                slope = slope - _polygamma(order, a + 1) + (np.log(x) if i == 1 else 0)
            if i == 0:
                slope = slope - _polygamma(order, b) + (np.log(y) if j == 1 else 0)
            exponent[i, j] = slope / (math.factorial(i) * math.factorial(j))
    return value * jets.exponential(exponent)


def _polygamma(n: int, x: Any) -> Any:
    return sc.polygamma(n, x) if n else sc.digamma(x)


def _fraction(orders: tuple[int, int], a: Any, b: Any, x: Any) -> Any:
    """1/(1 + d₁/(1 + d₂/(1 + …))) of DLMF 8.17.22, as a jet in a and b."""
    one = jets.constant(np.ones_like(x), orders)

    def step(k: int) -> tuple[Any, Any]:
        m, odd = divmod(k, 2)
        bottom = jets.multiply(jets.linear(a + k - 1, 1, 0, orders), jets.linear(a + k, 1, 0, orders))
        if odd:
            top = jets.multiply(jets.linear(-(a + m) * x, -x, 0, orders), jets.linear(a + b + m, 1, 1, orders))
        else:
            top = jets.linear(m * (b - m) * x, 0, m * x, orders)
        return jets.divide(top, bottom), one

    return jets.divide(one, jets.continued_fraction(one, step, _TOLERANCE))


def _coefficients(n: int, m: int, a: Any, b: Any, x: Any) -> Any:
    """∂ⁿ⁺ᵐI/∂aⁿ∂bᵐ inside the domain, as a flat array: of I_x(a, b), or of 1 - I_{1-x}(b, a) above the mean."""
    out = np.empty_like(x)
    low = x <= (a + 1) / (a + b + 2)
    for mask, upper in ((low, False), (~low, True)):
        if np.any(mask):
            p, q, u, v = a[mask], b[mask], x[mask], 1 - x[mask]
            orders, value = (n, m), beta_density(p, q, u) * u * v
            if upper:
                p, q, u, v, orders = q, p, v, u, (m, n)
            jet = jets.multiply(_prefix(orders, value / p, p, q, u, v), _fraction(orders, p, q, u))
            out[mask] = (-1 if upper else 1) * math.factorial(n) * math.factorial(m) * jet[orders]
    return out


def _beta_slope(n: Any, m: Any, a: Any, b: Any, x: Any) -> Any:
    dtype = jets.slope_dtype(a, b, x)
    n, m, a, b, x = np.broadcast_arrays(n, m, *[np.asarray(z, float) for z in (a, b, x)])
    with np.errstate(all="ignore"):
        valid = (a > 0) & (b > 0) & np.isfinite(a) & np.isfinite(b)
        out = np.where(valid & (x >= 0) & (x <= 1), 0.0, np.nan)
        inside = valid & (x > 0) & (x < 1)
        for i, j in np.unique(np.stack([n[inside], m[inside]], axis=1), axis=0).astype(int).tolist():
            at = inside & (n == i) & (m == j)
            out[at] = _coefficients(i, j, a[at], b[at], x[at])
    return out.astype(dtype)[()]


_A, _B = draw((3,), low=0.5, high=3.0, key="a"), draw((2, 1), low=0.5, high=3.0, key="b")
beta_slope = elementwise(
    "betainc_slope",
    None,
    (
        None,
        None,
        lambda out, n, m, a, b, x: beta_slope(n + 1, m, a, b, x),
        lambda out, n, m, a, b, x: beta_slope(n, m + 1, a, b, x),
        lambda out, n, m, a, b, x: beta_density_slope(int(n), int(m), a, b, x),
    ),
    impl=_beta_slope,
    keeps_out=False,
    samples=[
        sample(1, 0, 1.7, 2.3, draw((), low=0.1, high=0.9)),
        sample(1, 0, _A, _B, draw((3,), low=0.1, high=0.9)),
        sample(0, 1, _A, 2.5, draw((3,), low=0.1, high=0.9)),
        sample(0, 1, 1.5, 2.5, draw((3,), np.float32, low=0.1, high=0.9)),
        sample(1, 0, 1.5, 2.5, draw((0,))),
    ],
    source="Boik & Robison-Cox (1998), Journal of Statistical Software 3(1)",
)


def student_slope(df: Any, t: Any) -> Any:
    """Derivative with respect to ν of Student's distribution function ½ + ½ sign(t) I_w(½, ν/2), w = t²/(ν + t²).

    Its two terms are larger than their sum by the factor ν, so far out its expansion in 1/ν takes over, which
    is that of Fisher (1925), "Expansion of Student's integral in powers of 1/n", Metron 5.
    """
    square = t * t
    far = np.greater(df, 2e3 * (1 + square))
    v = np.where(far, 1.0, df)
    w = square / (v + square)
    # Where w is 0 or 1 to rounding both terms vanish, and the density of w would be infinite times zero.
    inside = np.logical_and(np.greater(w, 0), np.less(w, 1))
    w = np.where(inside, w, 0.5)
    exact = 0.25 * beta_slope(0, 1, 0.5, 0.5 * v, w) - 0.5 * beta_density(0.5, 0.5 * v, w) * w * (1 - w) / v
    exact = np.where(inside, np.sign(t) * exact, 0.0)
    u = np.where(far, df, 2e3)
    normal = np.exp(-0.5 * square) * (1 / math.sqrt(2 * math.pi))
    second = t * (((3 * square - 7) * square - 5) * square - 3) / 48
    third = t * (((((square - 11) * square + 14) * square + 6) * square - 3) * square - 15) / 128
    return np.where(far, normal * (t * (square + 1) / 4 + (second + third / u) / u) / (u * u), exact)
