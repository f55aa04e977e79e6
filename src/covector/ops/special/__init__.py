"""Derivatives of the ufuncs of `scipy.special`.

Loaded when the first of them meets a traced value; SciPy is loaded by then, because the user called it.
"""

from . import (
    bessel,
    carlson,
    distributions,
    elliptic,
    entropy,
    equations,
    gamma,
    goodness,
    harmonics,
    hypergeometric,
    integrals,
    more_integrals,
    noncentral,
    normal,
    polynomials,
    transformations,
    zeta,
)

__all__ = [
    "bessel",
    "carlson",
    "distributions",
    "elliptic",
    "entropy",
    "equations",
    "gamma",
    "goodness",
    "harmonics",
    "hypergeometric",
    "integrals",
    "more_integrals",
    "noncentral",
    "normal",
    "polynomials",
    "transformations",
    "zeta",
]
