"""Numerical derivatives to check against: the complex step where it applies, else extrapolated central differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.values import is_weak

__all__ = ["numeric_jvp"]

Leaves = Sequence[Any]
Function = Callable[[Leaves], Leaves]

_STEP = 1e-4
_COMPLEX_STEP = 1e-30


def numeric_jvp(fun: Function, leaves: Leaves, tangents: Leaves, eps: float | None = None) -> tuple[list[Any], bool]:
    """Return the directional derivative of ``fun(leaves)`` and whether it is exact to rounding (complex step).

    Notes
    -----
    The complex step f'(x)·t = Im f(x + iht)/h (Squire & Trapp 1998) needs an analytic `fun`. It is trusted where it
    agrees with central differences to their accuracy, so that functions that take real parts fall back.
    """
    rough = _richardson(fun, leaves, tangents, eps or _STEP)
    exact = _complex_step(fun, leaves, tangents)
    if exact is not None and all(_close(e, r) for e, r in zip(exact, rough, strict=True)):
        return exact, True
    return rough, False


def _close(a: Any, b: Any) -> bool:
    scale = 1.0 + float(np.max(np.abs(b), initial=0.0))
    return np.shape(a) == np.shape(b) and bool(np.all(np.abs(a - b) <= 1e-5 * scale))


def _moved(leaves: Leaves, tangents: Leaves, step: complex) -> list[Any]:
    # A Python number stays one, because it gives way to the dtype of arrays.
    moved = [x if t is None else x + step * t for x, t in zip(leaves, tangents, strict=True)]
    return [np.asarray(m).item() if is_weak(x) else m for x, m in zip(leaves, moved, strict=True)]


def _richardson(fun: Function, leaves: Leaves, tangents: Leaves, step: float) -> list[Any]:
    """Central differences with steps h and h/2, combined to fourth order: (4 D(h/2) − D(h)) / 3."""

    def central(h: float) -> list[Any]:
        above, below = fun(_moved(leaves, tangents, h)), fun(_moved(leaves, tangents, -h))
        return [(a - b) / (2 * h) for a, b in zip(above, below, strict=True)]

    return [(4 * fine - coarse) / 3 for fine, coarse in zip(central(step / 2), central(step), strict=True)]


def _complex_step(fun: Function, leaves: Leaves, tangents: Leaves) -> list[Any] | None:
    if any(t is not None and np.asarray(x).dtype != np.float64 for x, t in zip(leaves, tangents, strict=True)):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = fun(_moved(leaves, tangents, 1j * _COMPLEX_STEP))
    except Exception:
        # Any failure only means that `fun` does not take complex numbers; differences decide then.
        return None
    if any(np.asarray(y).dtype.kind != "c" for y in out):
        return None
    return [np.imag(y) / _COMPLEX_STEP for y in out]
