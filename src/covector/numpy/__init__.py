"""NumPy's namespace, for code that runs inside transforms: ``import covector.numpy as np``.

Every public name of `numpy` is here. Most are NumPy's own functions, which take traced values through NumPy's
protocols. What NumPy lets nobody intercept has a version of its own: ``array([t, u])``, ``asarray(t)``, ``zeros(n)``
that later receives traced values, ``full(n, t)``, ``arange(t)``, ``vectorize``, ``piecewise``, ``r_[t, u]``, and
functions of lists, as in ``mean([f(x) for x in data])``. Outside of transforms the results are plain NumPy arrays.

The namespace complies with the array API standard, 2024.12 (with NumPy 2.0: 2022.12), and is what
``t.__array_namespace__()`` returns.

Examples
--------
>>> import covector as cv
>>> import covector.numpy as np
>>> cv.grad(lambda t: np.sum(np.array([t, t**2, 1.0])))(3.0)
np.float64(7.0)
>>> np.array([1.0, 2.0])
array([1., 2.])
"""

from typing import Any

import numpy

from .calling import apply_along_axis, piecewise, vectorize
from .conversion import array, asanyarray, asarray, asarray_chkfinite, ascontiguousarray, asfortranarray, require
from .creation import (
    arange,
    copy,
    empty,
    empty_like,
    eye,
    from_dlpack,
    fromfunction,
    fromiter,
    full,
    full_like,
    geomspace,
    identity,
    indices,
    kaiser,
    linspace,
    logspace,
    ones,
    ones_like,
    tri,
    vander,
    zeros,
    zeros_like,
)
from .forwarding import names, of_numpy
from .grids import c_, mgrid, ogrid, r_
from .iteration import broadcast, isscalar, ndenumerate, ndim, nditer, shape, size
from .standard import argsort, clip, count_nonzero, finfo, iinfo, sort, take_along_axis
from .uniform import array_api

__version__ = numpy.__version__
# NumPy 2.0 lacks unstack, cumulative_sum, cumulative_prod and __array_namespace_info__.
__array_api_version__ = "2024.12" if hasattr(numpy, "unstack") else numpy.__array_api_version__
__all__ = [*numpy.__all__, "array_api", "special"]

_SUBMODULES = ("fft", "linalg", "polynomial", "random", "special", "testing")

# Beware in this file: a name that was asked for, such as `any`, hides Python's own from then on.


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        from importlib import import_module

        return import_module(f"{__name__}.{name}")
    value = globals()[name] = of_numpy(numpy, name, __name__)
    return value


def __dir__() -> list[str]:
    return names(numpy, _SUBMODULES)
