"""Continuous distributions. Densities are those of SciPy's reference; distribution functions its special functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ops.special.ufuncs import sc
from .distribution import Continuous

__all__ = [
    "beta", "cauchy", "chi2", "expon", "gamma", "laplace", "logistic", "lognorm", "norm", "t", "truncnorm", "uniform",
    "weibull_min",
]  # fmt: skip

_LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)
_INF = math.inf


def _positive(*shapes: Any) -> Any:
    ok: Any = True
    for s in shapes:
        ok = np.logical_and(ok, np.greater(s, 0))
    return ok


def _line(*_: Any) -> tuple[float, float, float]:
    return -_INF, _INF, 0.5


def _half_line(*_: Any) -> tuple[float, float, float]:
    return 0.0, _INF, 0.5


def _unit(*_: Any) -> tuple[float, float, float]:
    return 0.0, 1.0, 0.5


# --- without shape ----------------------------------------------------------------------------------------------------

norm = Continuous(
    "norm",
    (),
    _positive,
    _line,
    {
        "logpdf": lambda y: -0.5 * y * y - _LOG_ROOT_TWO_PI,
        "cdf": lambda y: sc.ndtr(y),
        "sf": lambda y: sc.ndtr(-y),
        "logcdf": lambda y: sc.log_ndtr(y),
        "logsf": lambda y: sc.log_ndtr(-y),
        "ppf": lambda q: sc.ndtri(q),
        "isf": lambda q: -sc.ndtri(q),
    },
)
expon = Continuous(
    "expon",
    (),
    _positive,
    _half_line,
    {
        "logpdf": lambda y: -y,
        "cdf": lambda y: -np.expm1(-y),
        "sf": lambda y: np.exp(-y),
        "logcdf": lambda y: _log1mexp(-y),
        "logsf": lambda y: -y,
        "ppf": lambda q: -np.log1p(-q),
        "isf": lambda q: -np.log(q),
    },
)
uniform = Continuous(
    "uniform",
    (),
    _positive,
    _unit,
    {
        "logpdf": lambda y: 0.0 * y,
        "cdf": lambda y: y,
        "sf": lambda y: 1 - y,
        "logsf": lambda y: np.log1p(-y),
        "ppf": lambda q: q,
        "isf": lambda q: 1 - q,
    },
)
laplace = Continuous(
    "laplace",
    (),
    _positive,
    _line,
    {
        "logpdf": lambda y: -np.absolute(y) - math.log(2),
        "cdf": lambda y: _laplace_tail(-y),
        "sf": lambda y: _laplace_tail(y),
        "logcdf": lambda y: _log_laplace_tail(-y),
        "logsf": lambda y: _log_laplace_tail(y),
        "ppf": lambda q: -_laplace_quantile(q),
        "isf": lambda q: _laplace_quantile(q),
    },
)
logistic = Continuous(
    "logistic",
    (),
    _positive,
    _line,
    {
        "logpdf": lambda y: sc.log_expit(y) + sc.log_expit(-y),
        "cdf": lambda y: sc.expit(y),
        "sf": lambda y: sc.expit(-y),
        "logcdf": lambda y: sc.log_expit(y),
        "logsf": lambda y: sc.log_expit(-y),
        "ppf": lambda q: sc.logit(q),
        "isf": lambda q: -sc.logit(q),
    },
)
cauchy = Continuous(
    "cauchy",
    (),
    _positive,
    _line,
    {
        "logpdf": lambda y: -math.log(math.pi) - np.log1p(y * y),
        "cdf": lambda y: np.arctan2(1.0, -y) / math.pi,
        "sf": lambda y: np.arctan2(1.0, y) / math.pi,
        "ppf": lambda q: np.tan(math.pi * (q - 0.5)),
        "isf": lambda q: -np.tan(math.pi * (q - 0.5)),
    },
)


def _log1mexp(x: Any) -> Any:
    """log(1 - eˣ) for x < 0 (Mächler 2012, "Accurately computing log(1 - exp(-|a|))")."""
    near = np.greater(x, -math.log(2))
    a, b = np.where(near, x, -1.0), np.where(near, -1.0, x)
    return np.where(near, np.log(-np.expm1(a)), np.log1p(-np.exp(b)))


def _laplace_tail(y: Any) -> Any:
    half = 0.5 * np.exp(-np.absolute(y))
    return np.where(np.greater(y, 0), half, 1 - half)


def _log_laplace_tail(y: Any) -> Any:
    right = np.greater(y, 0)
    return np.where(right, -y - math.log(2), np.log1p(-0.5 * np.exp(np.where(right, 0.0, y))))


def _laplace_quantile(q: Any) -> Any:
    low = np.less(q, 0.5)
    return np.where(low, -np.log(2 * q), np.log(2 * np.where(low, 0.5, 1 - q)))


# --- gamma and beta families ------------------------------------------------------------------------------------------

t = Continuous(
    "t",
    ("df",),
    _positive,
    _line,
    {
        "logpdf": lambda y, df: -sc.betaln(0.5, 0.5 * df) - 0.5 * np.log(df) - 0.5 * (df + 1) * np.log1p(y * y / df),
        "cdf": lambda y, df: sc.stdtr(df, y),
        "sf": lambda y, df: sc.stdtr(df, -y),
        "ppf": lambda q, df: sc.stdtrit(df, q),
        "isf": lambda q, df: -sc.stdtrit(df, q),
    },
)
gamma = Continuous(
    "gamma",
    ("a",),
    _positive,
    _half_line,
    {
        "logpdf": lambda y, a: sc.xlogy(a - 1, y) - y - sc.gammaln(a),
        "cdf": lambda y, a: sc.gammainc(a, y),
        "sf": lambda y, a: sc.gammaincc(a, y),
        "ppf": lambda q, a: sc.gammaincinv(a, q),
        "isf": lambda q, a: sc.gammainccinv(a, q),
    },
)
chi2 = Continuous(
    "chi2",
    ("df",),
    _positive,
    _half_line,
    {
        "logpdf": lambda y, df: sc.xlogy(0.5 * df - 1, y) - 0.5 * y - sc.gammaln(0.5 * df) - (0.5 * math.log(2)) * df,
        "cdf": lambda y, df: sc.gammainc(0.5 * df, 0.5 * y),
        "sf": lambda y, df: sc.gammaincc(0.5 * df, 0.5 * y),
        "ppf": lambda q, df: 2 * sc.gammaincinv(0.5 * df, q),
        "isf": lambda q, df: 2 * sc.gammainccinv(0.5 * df, q),
    },
)
beta = Continuous(
    "beta",
    ("a", "b"),
    _positive,
    _unit,
    {
        "logpdf": lambda y, a, b: sc.xlog1py(b - 1, -y) + sc.xlogy(a - 1, y) - sc.betaln(a, b),
        "cdf": lambda y, a, b: sc.betainc(a, b, y),
        "sf": lambda y, a, b: sc.betaincc(a, b, y),
        "ppf": lambda q, a, b: sc.betaincinv(a, b, q),
        "isf": lambda q, a, b: sc.betainccinv(a, b, q),
    },
)

# --- transformed and truncated ----------------------------------------------------------------------------------------

lognorm = Continuous(
    "lognorm",
    ("s",),
    _positive,
    lambda s: (0.0, _INF, 0.5),
    {
        "logpdf": lambda y, s: -0.5 * np.square(np.log(y) / s) - np.log(s * y) - _LOG_ROOT_TWO_PI,
        "cdf": lambda y, s: sc.ndtr(np.log(y) / s),
        "sf": lambda y, s: sc.ndtr(-np.log(y) / s),
        "logcdf": lambda y, s: sc.log_ndtr(np.log(y) / s),
        "logsf": lambda y, s: sc.log_ndtr(-np.log(y) / s),
        "ppf": lambda q, s: np.exp(s * sc.ndtri(q)),
        "isf": lambda q, s: np.exp(-s * sc.ndtri(q)),
    },
)
weibull_min = Continuous(
    "weibull_min",
    ("c",),
    _positive,
    _half_line,
    {
        "logpdf": lambda y, c: np.log(c) + sc.xlogy(c - 1, y) - np.power(y, c),
        "cdf": lambda y, c: -np.expm1(-np.power(y, c)),
        "sf": lambda y, c: np.exp(-np.power(y, c)),
        "logcdf": lambda y, c: _log1mexp(-np.power(y, c)),
        "logsf": lambda y, c: -np.power(y, c),
        "ppf": lambda q, c: np.power(-np.log1p(-q), 1 / c),
        "isf": lambda q, c: np.power(-np.log(q), 1 / c),
    },
)


def _log_normal_mass(a: Any, b: Any) -> Any:
    """log(Φ(b) - Φ(a)) for a < b, from the tail in which both lie."""
    right = np.greater(a, 0)
    low, high = np.where(right, -b, a), np.where(right, -a, b)
    top = sc.log_ndtr(high)
    return top + _log1mexp(np.minimum(sc.log_ndtr(low) - top, -5e-324))


truncnorm = Continuous(
    "truncnorm",
    ("a", "b"),
    lambda a, b: np.less(a, b),
    lambda a, b: (a, b, 0.5 * (np.maximum(a, -1e8) + np.minimum(b, 1e8))),
    {
        "logpdf": lambda y, a, b: -0.5 * y * y - _LOG_ROOT_TWO_PI - _log_normal_mass(a, b),
        "cdf": lambda y, a, b: np.exp(_log_normal_mass(a, y) - _log_normal_mass(a, b)),
        "sf": lambda y, a, b: np.exp(_log_normal_mass(y, b) - _log_normal_mass(a, b)),
        "logcdf": lambda y, a, b: _log_normal_mass(a, y) - _log_normal_mass(a, b),
        "logsf": lambda y, a, b: _log_normal_mass(y, b) - _log_normal_mass(a, b),
    },
)
