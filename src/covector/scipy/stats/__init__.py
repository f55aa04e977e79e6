"""Distributions of `scipy.stats` whose densities and distribution functions have derivatives.

A distribution here is called as SciPy's is: ``norm.logpdf(x, loc, scale)`` or ``norm(loc, scale).logpdf(x)``. Without
traced values every call is SciPy's own; with them ``pdf``/``pmf``, ``cdf``, ``sf``, their logarithms, ``ppf`` and
``isf`` are computed with derivatives in ``x`` and in every continuous parameter. Names that are not listed here are
SciPy's.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .continuous import (
    beta,
    cauchy,
    chi2,
    expon,
    gamma,
    laplace,
    logistic,
    lognorm,
    norm,
    t,
    truncnorm,
    uniform,
    weibull_min,
)
from .discrete import bernoulli, binom, nbinom, poisson
from .multivariate import dirichlet, multivariate_normal

__all__ = [
    "bernoulli",
    "beta",
    "binom",
    "cauchy",
    "chi2",
    "dirichlet",
    "expon",
    "gamma",
    "laplace",
    "logistic",
    "lognorm",
    "multivariate_normal",
    "nbinom",
    "norm",
    "poisson",
    "t",
    "truncnorm",
    "uniform",
    "weibull_min",
]

if not TYPE_CHECKING:  # else every misspelt name would pass

    def __getattr__(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("scipy.stats"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(import_module("scipy.stats"))} - {"Any", "TYPE_CHECKING", "import_module"})
