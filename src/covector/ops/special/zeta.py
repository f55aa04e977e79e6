"""Riemann's zeta function. Formulas: DLMF 25.2.9, 25.4.1."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.special import _ufuncs

from ...core.dispatch import REFUSED
from ...core.values import dtype_of
from ..families import elementwise
from ..samples import sample, unary
from .common import real_only
from .ufuncs import sc

__all__ = ["hurwitz_slope"]

_TERMS = 14
_CORRECTIONS = 10


def _bernoulli_ratios(count: int) -> list[float]:
    """B₂ₖ/(2k)! for k = 1 to `count`, by the recurrence of the Bernoulli numbers (DLMF 24.5.3)."""
    numbers = [Fraction(1)]
    for n in range(1, 2 * count + 1):
        numbers.append(-sum((math.comb(n + 1, k) * numbers[k] for k in range(n)), Fraction(0)) / (n + 1))
    return [float(numbers[2 * k] / math.factorial(2 * k)) for k in range(1, count + 1)]


_RATIOS = _bernoulli_ratios(_CORRECTIONS)


def hurwitz_slope(s: Any, q: Any) -> Any:
    """∂ζ(s, q)/∂s for s > 0: Euler-Maclaurin summation (DLMF 25.11.28), differentiated term by term."""
    total: Any = 0
    for n in range(_TERMS):
        total = total - np.log(q + n) * np.power(q + n, -s)
    m = q + _TERMS
    log, power = np.log(m), np.power(m, -s)
    total = total - power * (m * (log + 1 / (s - 1)) / (s - 1) + 0.5 * log)
    # rising = (s)₂ₖ₋₁ and its derivative, by the product rule: no division, as (s)ⱼ can vanish.
    rising, slope = s, 1.0
    power = power / m
    for k, ratio in enumerate(_RATIOS, 1):
        total = total + ratio * power * (slope - log * rising)
        for j in (2 * k - 1, 2 * k):
            rising, slope = rising * (s + j), slope * (s + j) + rising
        power = power / (m * m)
    return total


def _zeta_slope(s: Any) -> Any:
    """ζ'(s); left of 0 by the reflection ζ(s) = 2ˢ πˢ⁻¹ sin(πs/2) Γ(1-s) ζ(1-s)."""
    real_only("zeta", s)
    left = np.less(s, 0.5)
    right = hurwitz_slope(np.where(left, 1 - s, s), dtype_of(s).type(1))
    t = np.where(left, s, 0.25)
    factor = np.power(2 * math.pi, t) / math.pi * sc.gamma(1 - t)
    sine, cosine = np.sin(0.5 * math.pi * t), np.cos(0.5 * math.pi * t)
    growth = sine * (math.log(2 * math.pi) - sc.digamma(1 - t)) + 0.5 * math.pi * cosine
    reflected = factor * (growth * (sc.zetac(1 - t) + 1) - sine * right)
    return np.where(left, reflected, right)


_POINTS = [*unary(1.3, 6.0, complex_=False), sample(np.array([-6.5, -2.0, -0.3, 0.7]), label="left of the pole")]
for _name, _ufunc in (("riemann_zeta", _ufuncs._riemann_zeta), ("zetac", sc.zetac)):
    elementwise(_name, _ufunc, (lambda out, s: _zeta_slope(s),), keeps_out=False, samples=_POINTS)
    REFUSED.pop(_ufunc, None)
