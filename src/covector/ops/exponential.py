"""Exponentials and logarithms, and the Bessel function that NumPy has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .families import elementwise
from .samples import binary, sample, unary

__all__ = ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "i0_p"]

_LN2 = math.log(2.0)
_LN10 = math.log(10.0)

exp = elementwise("exp", np.exp, (lambda out, x: out,), keeps=False, singular=False, samples=unary())
exp2 = elementwise("exp2", np.exp2, (lambda out, x: _LN2 * out,), keeps=False, singular=False, samples=unary())
# Not out + 1, which has no digits left where x is very negative.
expm1 = elementwise("expm1", np.expm1, (lambda out, x: np.exp(x),), keeps_out=False, singular=False, samples=unary())
log = elementwise("log", np.log, (lambda out, x: 1 / x,), keeps_out=False, samples=unary(0.1, 3.0))
log2 = elementwise("log2", np.log2, (lambda out, x: (1 / _LN2) / x,), keeps_out=False, samples=unary(0.1, 3.0))
log10 = elementwise("log10", np.log10, (lambda out, x: (1 / _LN10) / x,), keeps_out=False, samples=unary(0.1, 3.0))
log1p = elementwise("log1p", np.log1p, (lambda out, x: 1 / (1 + x),), keeps_out=False, samples=unary(-0.7, 2.0))


def _share(x: Any, y: Any, base: float) -> Any:
    """baseˣ / (baseˣ + baseʸ); of infinite terms all (+inf) or nothing (-inf).

    The rounding error of y - x, known exactly (Knuth, TAOCP 4.2.2), would be a relative error of the result.
    """
    difference = y - x
    y_rounded = difference - y
    error = (y - (difference - y_rounded)) - (x + y_rounded)
    power = np.exp(difference) if base == math.e else np.exp2(difference)
    corrected = power * (1 + error * math.log(base))
    share = 1 / (1 + np.where(np.isfinite(corrected), corrected, power))
    return np.where(np.logical_and(np.isinf(x), np.equal(x, y)), np.greater(x, 0), share).astype(share.dtype)[()]


_TERMS = [*binary(complex_=False), sample(np.array([-300.0, 700.0]), 1.0)]


def _declare_sum(ufunc: np.ufunc, base: float) -> None:
    """Declare log(baseˣ + baseʸ) and the share of x in the sum, which is its derivative and gives its own."""

    def slope(out: Any, x: Any, y: Any) -> Any:
        return math.log(base) * (out * share(y, x))

    share = elementwise(
        f"{ufunc.__name__}_share",
        None,
        (slope, lambda out, x, y: -slope(out, x, y)),
        impl=lambda x, y: _share(np.asarray(x)[()], np.asarray(y)[()], base),
        samples=_TERMS,
    )
    elementwise(
        ufunc.__name__,
        ufunc,
        (lambda out, x, y: share(x, y), lambda out, x, y: share(y, x)),
        keeps_out=False,
        samples=_TERMS,
    )


_declare_sum(np.logaddexp, math.e)
_declare_sum(np.logaddexp2, 2.0)


def _i1(x: Any) -> Any:
    from .special.ufuncs import sc as special

    return special.i1(x)


i0_p = elementwise(
    "np_i0",
    None,
    (lambda out, x: _i1(x),),
    impl=lambda x: np.i0(x)[()],
    lower="i0",
    singular=False,
    keeps_out=False,
    samples=unary(complex_=False),
    source="I0' = I1 (DLMF 10.29.3)",
)
