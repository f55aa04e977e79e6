"""The densities of the gamma and beta distributions and their derivatives with respect to the parameters.

They are the mixed derivatives of the incomplete gamma and beta functions (DLMF 8.8.13, 8.17.1).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from .ufuncs import sc

__all__ = ["beta_density", "beta_density_slope", "gamma_density", "gamma_density_slope", "log_gamma_prefix"]


def log_gamma_prefix(a: Any, x: Any) -> Any:
    """log(xᵃ e⁻ˣ / Γ(a))."""
    return sc.xlogy(a, x) - x - sc.gammaln(a)


def gamma_density(a: Any, x: Any) -> Any:
    """xᵃ⁻¹ e⁻ˣ / Γ(a)."""
    return np.exp(sc.xlogy(a - 1, x) - x - sc.gammaln(a))


def beta_density(a: Any, b: Any, x: Any) -> Any:
    """xᵃ⁻¹ (1-x)ᵇ⁻¹ / B(a, b)."""
    return np.exp(sc.xlogy(a - 1, x) + sc.xlog1py(b - 1, -x) - sc.betaln(a, b))


def _polygamma(n: int, x: Any) -> Any:
    from .gamma import polygamma

    return polygamma(n, x) if n else sc.digamma(x)


def gamma_density_slope(n: int, a: Any, x: Any) -> Any:
    """∂ⁿ/∂aⁿ of the density f, by f' = f g with g = log x - ψ(a) and Leibniz' rule."""
    slopes = [gamma_density(a, x)]
    factors = [np.log(x) - sc.digamma(a), *[-_polygamma(k, a) for k in range(1, n)]]
    for i in range(n):
        slopes.append(sum(math.comb(i, k) * slopes[k] * factors[i - k] for k in range(i + 1)))
    return slopes[n]


def beta_density_slope(n: int, m: int, a: Any, b: Any, x: Any) -> Any:
    """∂ⁿ⁺ᵐ/∂aⁿ∂bᵐ of the density f, by ∂f/∂a = f g, g = log x - ψ(a) + ψ(a+b), likewise in b, and Leibniz' rule."""

    @cache
    def shared(k: int) -> Any:
        return _polygamma(k, a + b)

    @cache
    def first(k: int, j: int) -> Any:
        """∂ᵏ⁺ʲ/∂aᵏ∂bʲ of g."""
        factor = shared(k + j)
        if j == 0:
            factor = factor - _polygamma(k, a)
        return factor + np.log(x) if k == j == 0 else factor

    @cache
    def second(j: int) -> Any:
        """∂ʲ/∂bʲ of the factor of ∂f/∂b."""
        factor = shared(j) - _polygamma(j, b)
        return factor + np.log1p(-x) if j == 0 else factor

    @cache
    def slope(i: int, j: int) -> Any:
        if i:
            return sum(
                math.comb(i - 1, k) * math.comb(j, h) * slope(k, h) * first(i - 1 - k, j - h)
                for k in range(i)
                for h in range(j + 1)
            )
        if j:
            return sum(math.comb(j - 1, h) * slope(0, h) * second(j - 1 - h) for h in range(j))
        return beta_density(a, b, x)

    return slope(n, m)
