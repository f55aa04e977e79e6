"""Integrals of Bessel, Struve and Airy functions, modified Fresnel integrals, Voigt's profile, Wright's function.

The derivative of an integral is its integrand. Formulas: DLMF 7.2, 7.19, 10.43, 10.46.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.values import dtype_of
from ..families import elementwise
from ..samples import sample, unary
from .common import parameter, product_error, with_parameters
from .faddeeva import faddeeva_slope
from .several import several
from .ufuncs import sc

__all__: list[str] = []

_POSITIVE = unary(0.4, 3.0, complex_=False)


def _series(x: Any, sign: int) -> Any:
    """(1 - J₀(x))/x for sign -1, (I₀(x) - 1)/x for sign 1: x/4 Σ (± x²/4)ᵏ / ((k+1)!)² (DLMF 10.2.2)."""
    u = (0.25 * sign) * x * x
    total: Any = 0
    for k in range(9, 0, -1):
        total = u / ((k + 1) * (k + 1)) * (1 + total)
    return 0.25 * x * (1 + total)


def _over_x(x: Any, difference: Any, sign: int) -> Any:
    small = np.less(np.absolute(x), 1)
    return np.where(small, _series(np.where(small, x, 0), sign), difference / np.where(small, 1, x))


several(
    sc.itairy,
    [
        (lambda out, x: sc.airy(x)[0],),
        (lambda out, x: sc.airy(x)[2],),
        (lambda out, x: sc.airy(-x)[0],),
        (lambda out, x: sc.airy(-x)[2],),
    ],
    samples=unary(0.05, 0.3, complex_=False),  # SciPy's series stops after five digits beyond,
)
several(sc.iti0k0, [(lambda out, x: sc.i0(x),), (lambda out, x: sc.k0(x),)], samples=_POSITIVE)
several(sc.itj0y0, [(lambda out, x: sc.j0(x),), (lambda out, x: sc.y0(x),)], samples=_POSITIVE)
several(
    sc.it2i0k0,
    [(lambda out, x: _over_x(x, sc.i0(x) - 1, 1),), (lambda out, x: -sc.k0(x) / x,)],
    samples=_POSITIVE,
)
several(
    sc.it2j0y0,
    [(lambda out, x: _over_x(x, 1 - sc.j0(x), -1),), (lambda out, x: -sc.y0(x) / x,)],
    samples=_POSITIVE,
)
elementwise(
    "itstruve0", sc.itstruve0, (lambda out, x: sc.struve(dtype_of(x).type(0), x),), keeps_out=False, samples=_POSITIVE
)
elementwise(
    "itmodstruve0",
    sc.itmodstruve0,
    (lambda out, x: sc.modstruve(dtype_of(x).type(0), x),),
    keeps_out=False,
    samples=_POSITIVE,
)
elementwise(
    "it2struve0",
    sc.it2struve0,
    (lambda out, x: -sc.struve(dtype_of(x).type(0), x) / x,),
    keeps_out=False,
    samples=_POSITIVE,
)


def _weight(a: Any, lmbda: Any, nu: Any) -> Any:
    """d/da ∫₀¹ xᵏ J_ν(2ax) dx = ∫₀¹ xᵏ⁺¹ (J_{ν-1} - J_{ν+1})(2ax) dx (DLMF 10.6.1)."""
    lmbda = np.add(lmbda, 1.0)
    return sc.besselpoly(a, lmbda, np.subtract(nu, 1.0)) - sc.besselpoly(a, lmbda, np.add(nu, 1.0))


elementwise(
    "besselpoly",
    sc.besselpoly,
    (lambda out, *args: _weight(*args), parameter("besselpoly", "lmb"), parameter("besselpoly", "nu")),
    keeps_out=False,
    samples=[sample(s.args[-1], 1, 2, label=s.label) for s in with_parameters(2, low=0.3, high=2.0)],
)

# --- modified Fresnel integrals: F = ∫ₓ^∞ exp(±it²) dt and K = exp(∓i(x² + π/4)) F / √π -------------------------------


def _turn(x: Any, sign: complex) -> Any:
    """exp(± i x²) with the rounding error of x²."""
    square = x * x
    return np.exp(sign * square) * (1 + sign * product_error(x, x, square))


def _fresnel(sign: complex) -> list[Any]:
    """K(x) = erfcx(exp(∓iπ/4) x)/2 with erfcx(ζ) = w(iζ), and K(x) + K(-x) = exp(∓ix²) (DLMF 7.2.3, 7.4.2)."""
    root = (1 + sign) * math.sqrt(0.5)

    def slope(out: Any, x: Any) -> Any:
        left = np.less(x, 0)
        y = np.where(left, -x, x)
        upper = _diagonal(y, sign, root)
        return np.where(left, upper - 2 * sign * x * _turn(x, -sign), upper)

    return [(lambda out, x: -_turn(x, sign),), (slope,)]


def _diagonal(x: Any, sign: complex, root: complex) -> Any:
    """The derivative of K for x ≥ 0, where the argument of w lies in the upper half plane."""
    turn = root.conjugate()
    return 0.5j * turn * faddeeva_slope(1, 1j * turn * x)


several(sc.modfresnelp, _fresnel(1j), samples=unary(0.1, 1.0, complex_=False))
several(sc.modfresnelm, _fresnel(-1j), samples=unary(0.1, 1.0, complex_=False))

# --- Voigt: Re w(z) / (σ √(2π)) with z = (x + iγ)/(σ √2); w' = -2zw + 2i/√π (DLMF 7.10.2, 7.19.1) ------------------


def _voigt(order: int, x: Any, sigma: Any, gamma: Any) -> Any:
    """w'/(2σ²√π), in which the derivatives by x and γ are real and imaginary part, and w''/(2σ²√(2π)) for that by σ."""
    z = (x + 1j * gamma) / (math.sqrt(2) * sigma)
    scale = 1 / (2 * math.sqrt(math.pi) * sigma * sigma)
    return scale * faddeeva_slope(order, z) * (1 if order == 1 else math.sqrt(0.5))


elementwise(
    "voigt_profile",
    sc.voigt_profile,
    (
        lambda out, x, s, g: np.real(_voigt(1, x, s, g)),
        lambda out, x, s, g: np.real(_voigt(2, x, s, g)),
        lambda out, x, s, g: -np.imag(_voigt(1, x, s, g)),
    ),
    keeps_out=False,
    samples=[
        sample(0.3, 0.8, 0.5),
        sample(np.array([-1.0, 0.4, 2.0]), np.array([[0.7], [1.4]]), 0.6, label="broadcast"),
        sample(*[np.array([0.5, 1.5], np.float32)] * 3),
        sample(*[np.empty(0)] * 3),
    ],
    source="DLMF 7.19.1, 7.10.2",
)

# --- Wright's function Σ xᵏ / (k! Γ(ak + b)) --------------------------------------------------------------------------

_WRIGHT = with_parameters(1, 2, low=0.3, high=3.0)
elementwise(
    "wright_bessel",
    sc.wright_bessel,
    (
        parameter("wright_bessel", "a"),
        parameter("wright_bessel", "b"),
        lambda out, a, b, x: sc.wright_bessel(a, np.add(a, b), x),
    ),
    keeps_out=False,
    samples=_WRIGHT,
    source="the series DLMF 10.46.1, term by term",
)
if hasattr(sc, "log_wright_bessel"):  # since SciPy 1.14
    elementwise(
        "log_wright_bessel",
        sc.log_wright_bessel,
        (
            parameter("log_wright_bessel", "a"),
            parameter("log_wright_bessel", "b"),
            lambda out, a, b, x: np.exp(sc.log_wright_bessel(a, np.add(a, b), x) - out),
        ),
        samples=_WRIGHT,
    )
