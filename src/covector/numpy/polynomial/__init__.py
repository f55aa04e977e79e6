"""`numpy.polynomial` for traced values: every function and class of its modules, with NumPy's names and signatures.

Coefficients, points, roots, weights and domains may be traced. Outside of transforms NumPy's own functions run.

A traced coefficient is never dropped for being zero: the result then has a zero at its end that NumPy's lacks. For
roots, divisors and ``trim`` the values decide the degree, as in NumPy, and what is left out has the derivative zero.

Examples
--------
>>> import covector as cv
>>> import covector.numpy as np
>>> from covector.numpy.polynomial import chebyshev as C
>>> cv.grad(lambda c: C.chebval(0.5, C.chebmul(c, c)))(np.array([1.0, 2.0, 3.0]))
array([ 1. ,  0.5, -0.5])
>>> cv.grad(lambda t: np.polynomial.Polynomial([t, 0.0, t**2]).deriv()(1.5))(2.0)
np.float64(12.0)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy.polynomial as theirs

from ..forwarding import names
from .rebinding import public

__all__ = list(theirs.__all__)

_MODULES = ("chebyshev", "hermite", "hermite_e", "laguerre", "legendre", "polynomial", "polyutils")
_CLASSES = {
    "Chebyshev": "chebyshev",
    "Hermite": "hermite",
    "HermiteE": "hermite_e",
    "Laguerre": "laguerre",
    "Legendre": "legendre",
    "Polynomial": "polynomial",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name in _CLASSES:
        value = getattr(import_module(f"{__name__}.{_CLASSES[name]}"), name)
    elif name == "set_default_printstyle":
        value = theirs.set_default_printstyle
    else:
        value = public(theirs, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return names(theirs, _MODULES)
