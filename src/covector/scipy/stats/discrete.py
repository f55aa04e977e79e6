"""Discrete distributions: probabilities as in SciPy's reference, their sums incomplete gamma and beta functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ops.special.ufuncs import sc
from .distribution import Discrete

__all__ = ["bernoulli", "binom", "nbinom", "poisson"]


def _unit(p: Any) -> Any:
    return np.logical_and(np.greater_equal(p, 0), np.less_equal(p, 1))


def _log_choices(n: Any, k: Any) -> Any:
    return sc.gammaln(n + 1) - sc.gammaln(k + 1) - sc.gammaln(n - k + 1)


poisson = Discrete(
    "poisson",
    ("mu",),
    lambda mu: np.greater_equal(mu, 0),
    lambda mu: (0.0, math.inf, 0.0),
    {
        "logpmf": lambda k, mu: sc.xlogy(k, mu) - sc.gammaln(k + 1) - mu,
        "cdf": lambda k, mu: sc.gammaincc(k + 1, mu),
        "sf": lambda k, mu: sc.gammainc(k + 1, mu),
    },
)
binom = Discrete(
    "binom",
    ("n", "p"),
    lambda n, p: np.logical_and(_unit(p), np.logical_and(np.greater_equal(n, 0), np.equal(np.floor(n), n))),
    lambda n, p: (0.0, n, 0.0),
    {
        "logpmf": lambda k, n, p: _log_choices(n, k) + sc.xlogy(k, p) + sc.xlog1py(n - k, -p),
        "cdf": lambda k, n, p: sc.betaincc(k + 1, np.maximum(n - k, 1), p),
        "sf": lambda k, n, p: sc.betainc(k + 1, np.maximum(n - k, 1), p),
    },
)
bernoulli = Discrete(
    "bernoulli",
    ("p",),
    _unit,
    lambda p: (0.0, 1.0, 0.0),
    {
        "logpmf": lambda k, p: sc.xlogy(k, p) + sc.xlog1py(1 - k, -p),
        "cdf": lambda k, p: 1 - p,
        "sf": lambda k, p: p + 0 * k,
    },
)
nbinom = Discrete(
    "nbinom",
    ("n", "p"),
    lambda n, p: np.logical_and(np.greater(n, 0), np.logical_and(np.greater(p, 0), np.less_equal(p, 1))),
    lambda n, p: (0.0, math.inf, 0.0),
    {
        "logpmf": lambda k, n, p: (
            sc.gammaln(n + k) - sc.gammaln(k + 1) - sc.gammaln(n) + n * np.log(p) + sc.xlog1py(k, -p)
        ),
        "cdf": lambda k, n, p: sc.betainc(n, k + 1, p),
        "sf": lambda k, n, p: sc.betaincc(n, k + 1, p),
    },
)
