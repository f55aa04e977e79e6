"""Derivatives of the ufuncs of `scipy.special`.

Loaded when the first of them meets a traced value; SciPy is loaded by then, because the user called it.
"""

from . import bessel, elliptic, entropy, gamma, hypergeometric, integrals, normal, transformations

__all__ = ["bessel", "elliptic", "entropy", "gamma", "hypergeometric", "integrals", "normal", "transformations"]
