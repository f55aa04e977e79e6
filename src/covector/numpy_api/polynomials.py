"""Convolution, correlation and polynomials by coefficients, highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, caller
from ..ops.convolution import convolve_p
from .plain import plain
from .register import implements
from .structural import as_array, atleast_1d

__all__ = ["convolve", "correlate", "polyval"]

_BACKWARDS = slice(None, None, -1)


# --- convolution ------------------------------------------------------------------------------------------------------


def _operands(name: str, a: Any, v: Any) -> tuple[Any, Any]:
    a, v = (atleast_1d(as_array(x, f"np.{name}")) for x in (a, v))
    for label, x in (("a", a), ("v", v)):
        if x.ndim != 1:
            raise ValueError(f"np.{name}: expected 1-D arrays, got {label} of shape {x.shape}")
        if x.shape[0] == 0:
            raise ValueError(f"{label} cannot be empty")
    return a, v


def _mode(name: str, mode: Any) -> str:
    """NumPy takes the modes by name, first letter or number."""
    modes = {"v": "valid", "s": "same", "f": "full", 0: "valid", 1: "same", 2: "full"}
    found = modes.get(mode[:1].lower() if isinstance(mode, str) else mode)
    if found is None:
        raise ValueError(f"np.{name}: mode must be one of 'valid', 'same', or 'full' (got {mode!r})")
    return found


def _convolution(a: Any, v: Any, mode: str, start: int) -> Any:
    """Convolution of `a` with the shorter or equally long `v`; "same" is the part of the full one from `start` on."""
    if mode != "same":
        return convolve_p(a, v, mode=mode)
    return convolve_p(a, v, mode="full")[start : start + a.shape[0]]


@implements(np.convolve)
def convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    mode = _mode("convolve", mode)
    a, v = _operands("convolve", a, v)
    if v.shape[0] > a.shape[0]:
        a, v = v, a
    return _convolution(a, v, mode, (v.shape[0] - 1) // 2)


@implements(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    mode = _mode("correlate", mode)
    a, v = _operands("correlate", a, v)
    v = np.conj(v)[_BACKWARDS] if v.dtype.kind == "c" else v[_BACKWARDS]
    if v.shape[0] > a.shape[0]:
        return _convolution(v, a, mode, a.shape[0] // 2)
    return _convolution(a, v, mode, (v.shape[0] - 1) // 2)


# --- polynomials ------------------------------------------------------------------------------------------------------


def _coefficients(name: str, p: Any) -> Any:
    if isinstance(p, np.poly1d):
        p = p.coeffs
    p = atleast_1d(as_array(p, f"np.{name}"))
    if p.ndim != 1:
        raise ValueError(f"np.{name}: coefficients must be 1-D, got shape {p.shape}")
    return p


@implements(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    if isinstance(x, np.poly1d):
        raise NotDifferentiableError(
            f"np.polyval at a np.poly1d with traced coefficients at {caller()} is not supported; "
            f"evaluate at an array, or compose by nesting np.polyval"
        )
    p, x = as_array(p, "np.polyval"), as_array(x, "np.polyval")
    y: Any = np.zeros(x.shape, x.dtype)
    for c in p:
        y = y * x + c
    return y


def _sum(name: str, a: Any, b: Any, sign: int) -> Any:
    a, b = _coefficients(name, a), _coefficients(name, b)
    missing = a.shape[0] - b.shape[0]
    if missing > 0:
        b = np.concatenate([np.zeros(missing, b.dtype), b])
    elif missing < 0:
        a = np.concatenate([np.zeros(-missing, a.dtype), a])
    return a + b if sign > 0 else a - b


@implements(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    return _sum("polyadd", a1, a2, 1)


@implements(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    return _sum("polysub", a1, a2, -1)


def _trimmed(name: str, p: Any) -> Any:
    """Drop leading zeros, as NumPy does before it multiplies; at least one coefficient stays."""
    p = _coefficients(name, p)
    nonzero = np.flatnonzero(plain(p, f"np.{name}, which drops leading zeros,"))
    return p[nonzero[0] :] if nonzero.size else p[:0] if p.shape[0] == 0 else np.zeros(1, p.dtype)


@implements(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    return convolve(_trimmed("polymul", a1), _trimmed("polymul", a2))


@implements(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    p = _coefficients("polyder", p)
    for _ in range(int(m)):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p


@implements(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    p = _coefficients("polyint", p)
    constants = np.zeros(m) if k is None else atleast_1d(as_array(k, "np.polyint"))
    if constants.shape[0] == 1 and m > 1:
        constants = np.broadcast_to(constants, (m,))
    if constants.shape[0] < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    for i in range(int(m)):
        p = np.concatenate([p / np.arange(p.shape[0], 0, -1), constants[i : i + 1]])
    return p
