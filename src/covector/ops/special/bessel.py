"""Bessel, Hankel, Struve and Airy functions. Formulas: DLMF 9.2, 10.6, 10.29, 11.4."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.dispatch import UFUNCS
from ...core.values import dtype_of
from ..families import elementwise
from ..samples import sample, unary
from .common import parameter, real_only, with_parameters
from .ufuncs import sc

_REAL = unary(-3.0, 3.0, complex_=False)
_POSITIVE = unary(0.4, 4.0, complex_=False)
_ORDER = with_parameters(2, low=0.4, high=4.0)
_ORDER_COMPLEX = with_parameters(2, low=0.4, high=4.0, complex_=True)

# --- orders 0 and 1 ---------------------------------------------------------------------------------------------------
# f₁' by neighbouring orders instead of f₀ ∓ f₁/x, which is 0/0 at 0.

j0 = elementwise("j0", sc.j0, (lambda out, x: -sc.j1(x),), singular=False, keeps_out=False, samples=_REAL)
j1 = elementwise(
    "j1", sc.j1, (lambda out, x: 0.5 * (sc.j0(x) - sc.jv(2, x)),), singular=False, keeps_out=False, samples=_REAL
)
y0 = elementwise("y0", sc.y0, (lambda out, x: -sc.y1(x),), keeps_out=False, samples=_POSITIVE)
y1 = elementwise("y1", sc.y1, (lambda out, x: 0.5 * (sc.y0(x) - sc.yv(2, x)),), keeps_out=False, samples=_POSITIVE)
i0 = elementwise("i0", sc.i0, (lambda out, x: sc.i1(x),), singular=False, keeps_out=False, samples=_REAL)
i1 = elementwise(
    "i1", sc.i1, (lambda out, x: 0.5 * (sc.i0(x) + sc.iv(2, x)),), singular=False, keeps_out=False, samples=_REAL
)
k0 = elementwise("k0", sc.k0, (lambda out, x: -sc.k1(x),), keeps_out=False, samples=_POSITIVE)
k1 = elementwise("k1", sc.k1, (lambda out, x: -(sc.k0(x) + out / x),), samples=_POSITIVE)


def _scaled_slope(direct: Any, v: Any, x: Any, sign: complex, scale: Any) -> Any:
    """`direct`, or for large real x, where it cancels, the derivative of the asymptotic series (DLMF 10.40.1, 10.40.2).

    scale/√x Σ aₖ(v) (sign/x)ᵏ has the derivative -scale/√x Σ (k + 1/2) aₖ(v) signᵏ/xᵏ⁺¹.
    """
    if dtype_of(x).kind == "c":
        return direct
    far = np.greater(x, _FAR + 0.5 * v * v)
    y = np.where(far, x, _FAR + 0.5 * v * v)
    term: Any = 1
    total: Any = 0.5
    for k in range(1, 41):
        term = term * (sign * (4 * v * v - (2 * k - 1) ** 2) / (8 * k)) / y
        total = total + (k + 0.5) * term
    return np.where(far, -scale / np.sqrt(y) * (total / y), direct)


_FAR = 20
_I_SCALE = 1 / math.sqrt(2 * math.pi)
_K_SCALE = math.sqrt(math.pi / 2)


i0e = elementwise(
    "i0e",
    sc.i0e,
    (lambda out, x: _scaled_slope(sc.i1e(x) - np.sign(x) * out, 0.0, x, -1, _I_SCALE),),
    singular=False,
    samples=[*_POSITIVE, sample(70.0)],
)
i1e = elementwise(
    "i1e",
    sc.i1e,
    (lambda out, x: _scaled_slope(0.5 * (sc.i0e(x) + sc.ive(2, x)) - np.sign(x) * out, 1.0, x, -1, _I_SCALE),),
    singular=False,
    samples=_POSITIVE,
)
k0e = elementwise(
    "k0e", sc.k0e, (lambda out, x: _scaled_slope(out - sc.k1e(x), 0.0, x, 1, _K_SCALE),), samples=_POSITIVE
)
k1e = elementwise(
    "k1e",
    sc.k1e,
    (lambda out, x: _scaled_slope(out - sc.k0e(x) - out / x, 1.0, x, 1, _K_SCALE),),
    samples=[*_POSITIVE, sample(70.0)],
)

# --- any order --------------------------------------------------------------------------------------------------------


def _difference(f: np.ufunc, v: Any, z: Any) -> Any:
    """J, Y, H: f'_v = (f_{v-1} - f_{v+1})/2 (DLMF 10.6.1)."""
    return 0.5 * (f(v - 1, z) - f(v + 1, z))


def _mean(f: np.ufunc, v: Any, z: Any) -> Any:
    """I, and -K: f'_v = (f_{v-1} + f_{v+1})/2 (DLMF 10.29.1)."""
    return 0.5 * (f(v - 1, z) + f(v + 1, z))


for _f in (sc.jv, sc.yv):
    elementwise(
        _f.__name__,
        _f,
        (parameter(_f.__name__, "v"), lambda out, v, z, f=_f: _difference(f, v, z)),
        keeps_out=False,
        samples=_ORDER_COMPLEX,
    )
for _f in (sc.hankel1, sc.hankel2):
    elementwise(
        _f.__name__,
        _f,
        (parameter(_f.__name__, "v"), lambda out, v, z, f=_f: _difference(f, v, z)),
        keeps_out=False,
        samples=_ORDER_COMPLEX,
    )


def _hankel_slope(out: Any, v: Any, z: Any, f: np.ufunc, sign: complex) -> Any:
    scale = math.sqrt(2 / math.pi) * np.exp(sign * math.pi * (0.5 * v + 0.25))
    return _scaled_slope(_difference(f, v, z) + sign * out, v, z, -sign, scale)  # DLMF 10.17.5, 10.17.6


for _f, _sign in ((sc.hankel1e, -1j), (sc.hankel2e, 1j)):
    elementwise(
        _f.__name__,
        _f,
        (parameter(_f.__name__, "v"), lambda out, v, z, f=_f, s=_sign: _hankel_slope(out, v, z, f, s)),
        samples=_ORDER_COMPLEX,
    )
iv = elementwise(
    "iv", sc.iv, (parameter("iv", "v"), lambda out, v, z: _mean(sc.iv, v, z)), keeps_out=False, samples=_ORDER_COMPLEX
)
kv = elementwise(
    "kv", sc.kv, (parameter("kv", "v"), lambda out, v, z: -_mean(sc.kv, v, z)), keeps_out=False, samples=_ORDER_COMPLEX
)
kve = elementwise(
    "kve",
    sc.kve,
    (parameter("kve", "v"), lambda out, v, z: _scaled_slope(out - _mean(sc.kve, v, z), v, z, 1, _K_SCALE)),
    samples=_ORDER_COMPLEX,
)


def _ive_derivative(out: Any, v: Any, z: Any) -> Any:
    real_only("ive", z)
    return _scaled_slope(_mean(sc.ive, v, z) - np.sign(z) * out, v, z, -1, _I_SCALE)


ive = elementwise("ive", sc.ive, (parameter("ive", "v"), _ive_derivative), samples=_ORDER)


def _scaled_difference(out: Any, v: Any, z: Any, *, f: np.ufunc) -> Any:
    # The factor exp(-|Im z|) is 1 for real arguments, and has no complex derivative.
    real_only(f.__name__, z)
    return _difference(f, v, z)


for _f in (sc.jve, sc.yve):
    elementwise(
        _f.__name__,
        _f,
        (parameter(_f.__name__, "v"), lambda out, v, z, f=_f: _scaled_difference(out, v, z, f=f)),
        samples=_ORDER,
    )
yn = elementwise(
    "yn", sc.yn, (parameter("yn", "n"), lambda out, n, x: _difference(sc.yn, n, x)), keeps_out=False, samples=_ORDER
)
kn = elementwise(
    "kn", sc.kn, (parameter("kn", "n"), lambda out, n, x: -_mean(sc.kn, n, x)), keeps_out=False, samples=_ORDER
)


# --- Struve -----------------------------------------------------------------------------------------------------------


def _struve_term(v: Any, x: Any) -> Any:
    """(x/2)ᵛ / (√π Γ(v + 3/2))."""
    return np.power(0.5 * x, v) * sc.rgamma(v + 1.5) / math.sqrt(math.pi)


def _struve_slope(out: Any, v: Any, x: Any) -> Any:
    """By DLMF 11.4.24, or for large x by DLMF 11.4.28, without the term that the others would have to cancel."""
    large = np.greater(x, 5)
    inside = _difference(sc.struve, v, x) + 0.5 * _struve_term(v, np.where(large, 1, x))
    return np.where(large, sc.struve(v - 1, x) - v * out / np.where(large, x, 1), inside)


struve = elementwise(
    "struve",
    sc.struve,
    (parameter("struve", "v"), _struve_slope),
    samples=_ORDER,
    source="DLMF 11.4.24, 11.4.28",
)
modstruve = elementwise(
    "modstruve",
    sc.modstruve,
    (parameter("modstruve", "v"), lambda out, v, x: _mean(sc.modstruve, v, x) + 0.5 * _struve_term(v, x)),
    keeps_out=False,
    samples=_ORDER,
    source="DLMF 11.4.26",
)

# --- Airy -------------------------------------------------------------------------------------------------------------
# w'' = z w (DLMF 9.2.1)


def _airy(i: int) -> Any:
    return lambda z: sc.airy(z)[i]


_AIRY = unary(-3.0, 3.0)
airy_ai = elementwise(
    "airy_ai", None, (lambda out, z: airy_aip(z),), impl=_airy(0), singular=False, keeps_out=False, samples=_AIRY
)
airy_aip = elementwise(
    "airy_aip", None, (lambda out, z: z * airy_ai(z),), impl=_airy(1), singular=False, keeps_out=False, samples=_AIRY
)
airy_bi = elementwise(
    "airy_bi", None, (lambda out, z: airy_bip(z),), impl=_airy(2), singular=False, keeps_out=False, samples=_AIRY
)
airy_bip = elementwise(
    "airy_bip", None, (lambda out, z: z * airy_bi(z),), impl=_airy(3), singular=False, keeps_out=False, samples=_AIRY
)
UFUNCS[sc.airy] = lambda z: (airy_ai(z), airy_aip(z), airy_bi(z), airy_bip(z))
