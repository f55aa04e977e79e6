"""x log y and its relatives, logistic functions, robust losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..families import elementwise
from ..samples import binary, unary
from .ufuncs import sc

_PAIR = binary((0.3, 2.0), (0.3, 2.0), complex_=False)
_REAL = unary(-3.0, 3.0, complex_=False)


def _both_zero(x: Any, y: Any) -> Any:
    return np.logical_and(np.equal(x, 0), np.equal(y, 0))


def _log(x: Any, y: Any) -> Any:
    """log y, and 0 where x = y = 0."""
    return np.log(np.where(_both_zero(x, y), 1, y))


def _ratio(x: Any, y: Any) -> Any:
    """x / y, and 0 where both are 0."""
    return x / np.where(_both_zero(x, y), 1, y)


def _log_ratio(x: Any, y: Any) -> Any:
    """log(x/y) for positive numbers, also of nearly equal ones and where the ratio over- or underflows."""
    ratio = _ratio(x, y)
    far = np.logical_or(np.less(ratio, 1e-290), np.greater(ratio, 1e290))
    near = np.less(np.absolute(ratio - 1), 0.5)
    direct = np.log(np.where(np.logical_or(far, near), 1, ratio))
    apart = np.log(np.where(far, x, 1)) - np.log(np.where(far, y, 1))
    together = np.log1p((np.where(near, x, 1) - np.where(near, y, 1)) / np.where(near, y, 1))
    return np.where(far, apart, np.where(near, together, direct))


xlogy = elementwise(
    "xlogy",
    sc.xlogy,
    (lambda out, x, y: _log(x, y), lambda out, x, y: _ratio(x, y)),
    keeps_out=False,
    samples=binary((-2.0, 2.0), (0.3, 2.0)),
)
xlog1py = elementwise(
    "xlog1py",
    sc.xlog1py,
    (
        lambda out, x, y: np.log1p(np.where(_both_zero(x, 1 + y), 0, y)),
        lambda out, x, y: _ratio(x, 1 + y),
    ),
    keeps_out=False,
    samples=binary((-2.0, 2.0), (-0.5, 2.0)),
)
entr = elementwise(
    "entr", sc.entr, (lambda out, x: -np.log(x) - 1,), keeps_out=False, samples=unary(0.2, 3.0, complex_=False)
)
rel_entr = elementwise(
    "rel_entr",
    sc.rel_entr,
    (
        lambda out, x, y: np.where(_both_zero(x, y), 0, _log_ratio(x, y) + 1),
        lambda out, x, y: -_ratio(x, y),
    ),
    keeps_out=False,
    samples=_PAIR,
)
kl_div = elementwise(
    "kl_div",
    sc.kl_div,
    (
        lambda out, x, y: np.where(_both_zero(x, y), 0, _log_ratio(x, y)),
        lambda out, x, y: _ratio(y - x, y),
    ),
    keeps_out=False,
    samples=_PAIR,
)

# --- logistic ---------------------------------------------------------------------------------------------------------

# expit(-x) and not 1 - expit(x), which has no digits left for large x.
expit = elementwise("expit", sc.expit, (lambda out, x: out * sc.expit(-x),), singular=False, samples=_REAL)
log_expit = elementwise(
    "log_expit", sc.log_expit, (lambda out, x: sc.expit(-x),), singular=False, keeps_out=False, samples=_REAL
)
logit = elementwise(
    "logit", sc.logit, (lambda out, p: 1 / (p * (1 - p)),), keeps_out=False, samples=unary(0.1, 0.9, complex_=False)
)

# --- robust losses ----------------------------------------------------------------------------------------------------


def _pseudo_huber_scale(delta: Any, r: Any) -> Any:
    """2 δ (s-1) - r²/(δ s) with s = √(1 + (r/δ)²), without its cancellation for small r/δ."""
    u = r / delta
    s = np.hypot(1, u)
    return delta * np.square(u / (s + 1)) * u * (u / s)


huber = elementwise(
    "huber",
    sc.huber,
    (
        lambda out, delta, r: np.maximum(np.absolute(r) - delta, 0),
        lambda out, delta, r: np.clip(r, -delta, delta),
    ),
    singular=False,
    keeps_out=False,
    samples=binary((0.3, 1.0), (-3.0, 3.0), complex_=False),
)
pseudo_huber = elementwise(
    "pseudo_huber",
    sc.pseudo_huber,
    (
        lambda out, delta, r: _pseudo_huber_scale(delta, r),
        lambda out, delta, r: r / np.hypot(1, r / delta),
    ),
    keeps_out=False,
    samples=binary((0.3, 1.0), (-3.0, 3.0), complex_=False),
)
