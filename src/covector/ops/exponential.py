"""Exponentials and logarithms, and the Bessel function that NumPy has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.values import dtype_of
from .families import elementwise
from .samples import binary, sample, unary

__all__ = ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "logaddexp2", "i0_p"]

_LN2 = math.log(2.0)
_LN10 = math.log(10.0)

exp = elementwise("exp", np.exp, (lambda out, x: out,), keeps=False, singular=False, samples=unary())
exp2 = elementwise("exp2", np.exp2, (lambda out, x: _LN2 * out,), keeps=False, singular=False, samples=unary())
# Not out + 1, which has no digits left where x is very negative.
expm1 = elementwise("expm1", np.expm1, (lambda out, x: np.exp(x),), keeps_out=False, singular=False, samples=unary())
log = elementwise("log", np.log, (lambda out, x: 1 / x,), keeps_out=False, samples=unary(0.1, 3.0))
log2 = elementwise("log2", np.log2, (lambda out, x: 1 / (_LN2 * x),), keeps_out=False, samples=unary(0.1, 3.0))
log10 = elementwise("log10", np.log10, (lambda out, x: 1 / (_LN10 * x),), keeps_out=False, samples=unary(0.1, 3.0))
log1p = elementwise("log1p", np.log1p, (lambda out, x: 1 / (1 + x),), keeps_out=False, samples=unary(-0.7, 2.0))


def _below(x: Any, out: Any) -> Any:
    """x - out ≤ 0 where out is infinite too: the share of an infinite term is all (+inf) or nothing (-inf)."""
    infinite = np.isinf(out)
    limit = np.where(np.equal(x, np.inf), dtype_of(out).type(0), -np.inf)
    return np.where(infinite, limit, x - np.where(infinite, 0, out))


_TERMS = [*binary(complex_=False), sample(np.array([-300.0, 700.0]), 1.0)]

logaddexp = elementwise(
    "logaddexp",
    np.logaddexp,
    (lambda out, x, y: np.exp(_below(x, out)), lambda out, x, y: np.exp(_below(y, out))),
    samples=_TERMS,
)
logaddexp2 = elementwise(
    "logaddexp2",
    np.logaddexp2,
    (lambda out, x, y: np.exp2(_below(x, out)), lambda out, x, y: np.exp2(_below(y, out))),
    samples=_TERMS,
)


def _i1(x: Any) -> Any:
    from scipy import special

    return special.i1(x)


i0_p = elementwise(
    "np_i0",
    None,
    (lambda out, x: _i1(x),),
    impl=lambda x: np.i0(x)[()],
    singular=False,
    keeps_out=False,
    samples=unary(complex_=False),
    source="I0' = I1 (DLMF 10.29.3)",
)
