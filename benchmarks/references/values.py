"""The values of the functions that compiled programs compute themselves, by mpmath, and where to compare them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from mpmath import mpf

__all__ = ["VALUES", "Region", "Truth", "far", "inside", "near", "uniform"]


@dataclass(frozen=True)
class Region:
    """Random points.

    `how` is "uniform" on (low, high), "far" uniform between 10^low and 10^high in the logarithm, "near" low with
    distances from 10⁻¹⁶ to 10⁻¹ᐟ², or "inside" the same on the side of zero.
    """

    how: str
    low: float
    high: float = 0.0

    def draw(self, rng: np.random.Generator, count: int) -> Any:
        """Some points as doubles."""
        if self.how == "uniform":
            return rng.uniform(self.low, self.high, count)
        if self.how == "far":
            return 10.0 ** rng.uniform(self.low, self.high, count)
        distance = 10.0 ** rng.uniform(-16, -0.5, count)
        side = rng.choice([-1.0, 1.0], count) if self.how == "near" else -np.sign(self.low)
        return self.low + side * distance


def uniform(low: float, high: float) -> Region:
    """Points between two bounds."""
    return Region("uniform", low, high)


def far(low: float, high: float) -> Region:
    """Positive points between two powers of ten."""
    return Region("far", low, high)


def near(point: float) -> Region:
    """Points about a zero."""
    return Region("near", point)


def inside(end: float) -> Region:
    """Points between zero and an end of the domain."""
    return Region("inside", end)


@dataclass(frozen=True)
class Truth:
    """One function.

    Parameters
    ----------
    value : callable
        The function of mpmath numbers.
    regions : tuple
        Where to compare: a region, or one for each argument.
    scale : callable, optional
        ``scale(value, *arguments)``: the number whose unit in the last place is the unit of the error; the value
        unless given.
    says : str
        What `scale` is, in words.
    """

    value: Callable[..., Any]
    regions: tuple[Any, ...]
    scale: Callable[..., Any] | None = None
    says: str = ""


# Functions and not constants, because the precision is chosen by who compares.
def _root_two() -> Any:
    return mpmath.sqrt(2)


def _erfcx(x: Any) -> Any:
    if x < 100:
        return mpmath.exp(x * x) * mpmath.erfc(x)
    terms = (mpmath.fac2(2 * k - 1) * (-1 / (2 * x * x)) ** k for k in range(8))
    return sum(terms) / (x * mpmath.sqrt(mpmath.pi))


def _ndtr(x: Any) -> Any:
    return mpmath.erfc(-x / _root_two()) / 2


def _log_ndtr(x: Any) -> Any:
    return mpmath.log(_ndtr(x)) if x < 0 else mpmath.log1p(-_ndtr(-x))


def _logit(p: Any) -> Any:
    if p < 0.25:
        return mpmath.log(p) - mpmath.log1p(-p)
    return mpmath.log1p((2 * p - 1) / (1 - p)) if p < 1 else mpmath.inf


def _log_sum(base: Any) -> Callable[..., Any]:
    def value(x: Any, y: Any) -> Any:
        rest = mpmath.log1p(mpmath.exp(-abs(x - y) * mpmath.log(base))) / mpmath.log(base)
        return max(x, y) + rest

    return value


def _gammaln(x: Any) -> Any:
    if x > 0:
        return mpmath.loggamma(x).real
    if x == mpmath.floor(x):
        return mpmath.inf
    return mpmath.log(mpmath.pi / abs(x * mpmath.sinpi(x))) - mpmath.loggamma(-x).real


def _without_poles(function: Callable[..., Any], at_zero: Any, at_others: Any) -> Callable[..., Any]:
    def value(x: Any) -> Any:
        if x > 0 or x != mpmath.floor(x):
            return function(x)
        return at_others if x else at_zero

    return value


def _quantile_by_tail(tail: Any) -> Any:
    """y > 0 with erfc(y) = tail ≤ 1: Newton's method on the logarithm."""
    if tail == 1:
        return mpf(0)
    if tail > mpf("0.1"):
        return mpmath.erfinv(1 - tail)
    logarithm = mpmath.log(tail)
    y = mpmath.sqrt(-logarithm - mpmath.log(-logarithm) / 2)
    for _ in range(50):
        value = mpmath.erfc(y)
        step = (mpmath.log(value) - logarithm) * value * mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(y * y)
        y += step
        if abs(step) < mpf("1e-30") * y:
            break
    return y


def _erfcinv(x: Any) -> Any:
    if x in (0, 2):
        return mpmath.inf if x == 0 else -mpmath.inf
    return _quantile_by_tail(x) if x <= 1 else -_quantile_by_tail(2 - x)


def _relative_entropy(x: Any, y: Any) -> Any:
    if x == 0 or y == 0:
        return mpf(0) if x == 0 else mpmath.inf
    return x * mpmath.log(x / y)


def _divergence(x: Any, y: Any) -> Any:
    with mpmath.workdps(80):
        return _relative_entropy(x, y) - x + y


def _scaled_bessel(order: int) -> Callable[..., Any]:
    def value(x: Any) -> Any:
        if abs(x) < 1000:
            return mpmath.besseli(order, x) * mpmath.exp(-abs(x))
        term = total = mpf(1)
        for k in range(1, 12):
            term *= -(4 * mpf(order) ** 2 - (2 * k - 1) ** 2) / (8 * k * abs(x))
            total += term
        return total / mpmath.sqrt(2 * mpmath.pi * abs(x)) * (mpmath.sign(x) if order else 1)

    return value


def _huber(delta: Any, r: Any) -> Any:
    return r * r / 2 if abs(r) <= delta else delta * (abs(r) - delta / 2)


def _pseudo_huber(delta: Any, r: Any) -> Any:
    return delta * delta * (mpmath.sqrt(1 + (r / delta) ** 2) - 1)


def _at_least_one(value: Any, *arguments: Any) -> Any:
    return max(abs(value), 1)


def _largest(value: Any, *arguments: Any) -> Any:
    return max(abs(value), *map(abs, arguments))


_POSITIVE = (uniform(0, 3), uniform(2, 12), far(-306, 0), far(1, 300))
_LARGEST = "the largest of the value and the arguments"

VALUES: dict[str, Truth] = {
    "erf": Truth(mpmath.erf, (uniform(-1, 1), uniform(-7, 7), far(-300, 0))),
    "erfc": Truth(mpmath.erfc, (uniform(-6, 1), uniform(0, 10), uniform(1, 26.5))),
    "erfcx": Truth(_erfcx, (uniform(-9, 0), uniform(0, 30), far(-5, 300))),
    "ndtr": Truth(_ndtr, (uniform(-13, 9), uniform(-37, 0))),
    "log_ndtr": Truth(_log_ndtr, (uniform(-37, 0), uniform(-2, 2), uniform(0, 37))),
    "erfinv": Truth(lambda x: -_erfcinv(1 + x), (uniform(-1, 1), near(0), inside(1), inside(-1))),
    "erfcinv": Truth(_erfcinv, (uniform(0, 2), near(1), far(-305, 0))),
    "ndtri": Truth(lambda p: -_root_two() * _erfcinv(2 * p), (uniform(0, 1), near(0.5), inside(1), far(-305, 0))),
    "expit": Truth(lambda x: 1 / (1 + mpmath.exp(-x)), (uniform(-5, 5), uniform(-700, 100))),
    "log_expit": Truth(lambda x: -mpmath.log1p(mpmath.exp(-x)), (uniform(-5, 5), uniform(-700, 700))),
    "logit": Truth(
        _logit,
        (uniform(0, 1), near(0.5), inside(1), far(-305, 0)),
    ),
    "logaddexp": Truth(
        _log_sum(mpmath.e), ((uniform(-5, 5), uniform(-5, 5)), (uniform(-300, 300), far(-3, 2))), _largest, _LARGEST
    ),
    "logaddexp2": Truth(
        _log_sum(2), ((uniform(-5, 5), uniform(-5, 5)), (uniform(-300, 300), far(-3, 2))), _largest, _LARGEST
    ),
    "logaddexp_share": Truth(
        lambda x, y: 1 / (1 + mpmath.exp(y - x)), ((uniform(-5, 5), uniform(-5, 5)), (uniform(-300, 300),) * 2)
    ),
    "logaddexp2_share": Truth(
        lambda x, y: 1 / (1 + mpf(2) ** (y - x)), ((uniform(-5, 5), uniform(-5, 5)), (uniform(-300, 300),) * 2)
    ),
    "gammaln": Truth(
        _gammaln,
        (*_POSITIVE, near(1), near(2), uniform(-5, 0), uniform(-150, 0)),
        lambda value, x: abs(value) if x > 0 else max(abs(value), abs(_gammaln(-x)), 1),
        "for negative x the largest of the value, log Γ(-x) and 1: the zeros there are ill-conditioned",
    ),
    "loggamma": Truth(_gammaln, (*_POSITIVE, near(1), near(2))),
    "gamma": Truth(
        _without_poles(mpmath.gamma, mpmath.inf, mpmath.nan),
        (uniform(0, 3), uniform(2, 12), uniform(10, 171.6), far(-306, 0), uniform(-5, 0), uniform(-170, 0)),
    ),
    "digamma": Truth(
        _without_poles(mpmath.digamma, -mpmath.inf, mpmath.nan),
        (*_POSITIVE, near(1.4616321449683623), uniform(-5, 0), uniform(-150, 0)),
        lambda value, x: abs(value) if x > 0 else max(abs(value), abs(x), 1),
        "for negative x the largest of the value, |x| and 1: the zeros there are ill-conditioned",
    ),
    "trigamma": Truth(
        _without_poles(lambda x: mpmath.polygamma(1, x), mpmath.inf, mpmath.inf),
        (uniform(0, 3), uniform(2, 12), far(-150, 0), far(1, 300), uniform(-20, 0)),
    ),
    "i0": Truth(lambda x: mpmath.besseli(0, x), (uniform(-9, 9), uniform(8, 80), uniform(60, 713))),
    "i1": Truth(lambda x: mpmath.besseli(1, x), (uniform(-9, 9), uniform(8, 80), uniform(60, 713), far(-300, 0))),
    "i0e": Truth(_scaled_bessel(0), (uniform(-9, 9), uniform(8, 80), far(1, 300))),
    "i1e": Truth(_scaled_bessel(1), (uniform(-9, 9), uniform(8, 80), far(1, 300), far(-300, 0))),
    "xlogy": Truth(lambda x, y: x * mpmath.log(y), ((uniform(-2, 2), uniform(0, 3)), (uniform(-2, 2), near(1)))),
    "xlog1py": Truth(lambda x, y: x * mpmath.log1p(y), ((uniform(-2, 2), uniform(-1, 3)), (uniform(-2, 2), near(0)))),
    "entr": Truth(lambda x: -x * mpmath.log(x), (uniform(0, 3), near(1), far(-300, 300))),
    "rel_entr": Truth(
        _relative_entropy,
        ((uniform(0, 3), uniform(0, 3)), (uniform(0.9, 1.1),) * 2, (near(1),) * 2, (far(-30, 30),) * 2),
    ),
    "kl_div": Truth(
        _divergence,
        ((uniform(0, 3), uniform(0, 3)), (uniform(0.9, 1.1),) * 2, (near(1),) * 2, (far(-30, 30),) * 2),
    ),
    "sinc": Truth(
        lambda x: mpmath.sinpi(x) / (mpmath.pi * x) if x else mpf(1), (uniform(-2, 2), uniform(-100, 100), far(-10, 9))
    ),
    "sinc_slope": Truth(
        lambda x: (mpmath.cospi(x) - mpmath.sinpi(x) / (mpmath.pi * x)) / x,
        (uniform(-1, 1), uniform(-100, 100), far(-10, 9)),
        lambda value, x: max(abs(value), 1 / abs(x)) if abs(x) > 1 else value,
        "beyond 1 the larger of the value and 1/|x|",
    ),
    "sech_squared": Truth(lambda x: mpmath.sech(x) ** 2, (uniform(-3, 3), uniform(-340, 340))),
    "exprel": Truth(lambda x: mpmath.expm1(x) / x if x else mpf(1), (uniform(-3, 3), uniform(-700, 715), far(-300, 0))),
    "exp10": Truth(lambda x: mpf(10) ** x, (uniform(-3, 3), uniform(-307, 308))),
    "cosm1": Truth(lambda x: -2 * mpmath.sin(x / 2) ** 2, (uniform(-3, 3), uniform(-1000, 1000), far(-150, 0))),
    "huber": Truth(_huber, ((uniform(0, 3), uniform(-5, 5)),)),
    "pseudo_huber": Truth(_pseudo_huber, ((uniform(0, 3), uniform(-5, 5)), (far(-5, 5), far(-5, 5)))),
}
