"""Functions known by their differential equation: Mathieu, spheroidal, parabolic cylinder, Kelvin and scaled Airy.

SciPy gives each with its derivative; the second derivative comes from the equation. Formulas: DLMF 10.61, 12.2, 28.2,
28.20, 30.2; Abramowitz & Stegun 19.1, 21.6.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.dispatch import UFUNCS
from ...core.values import dtype_of
from ..families import elementwise
from ..samples import draw, sample, unary
from .common import parameter, real_only, with_parameters
from .several import no_derivative, several
from .ufuncs import sc

__all__: list[str] = []

_POSITIVE = unary(0.4, 4.0, complex_=False)


# --- value and derivative by one ufunc --------------------------------------------------------------------------------


def _pair(
    ufunc: np.ufunc,
    names: tuple[str, ...],
    second: Callable[..., Any],
    samples: list[Any],
    unit: float = 1.0,
    double: bool = False,
) -> None:
    """Declare y and y' of a ufunc that returns both, from ``second(*args, y, y')``; `unit` is the unit of x."""
    refused = [parameter(ufunc.__name__, name) for name in names]

    def slope(out: Any, *args: Any) -> Any:
        return unit * derivative(*args)

    def curvature(out: Any, *args: Any) -> Any:
        return unit * second(*args, value(*args), out)

    value, derivative = several(ufunc, [(*refused, slope), (*refused, curvature)], samples=samples, double=double)


def _wide(characteristic: np.ufunc, *args: Any) -> Any:
    """A characteristic value in double precision: in single, SciPy's search for it does not end."""
    return characteristic(*[np.multiply(x, np.float64(1)) for x in args])


def _mathieu(characteristic: np.ufunc, hyperbolic: bool) -> Callable[..., Any]:
    """y'' = -(a - 2q cos 2x) y, and y'' = (a - 2q cosh 2x) y of the modified functions (DLMF 28.2.1, 28.20.1)."""

    def second(m: Any, q: Any, x: Any, y: Any, dy: Any) -> Any:
        a = _wide(characteristic, m, q)
        if hyperbolic:
            return (a - 2 * q * np.cosh(2 * x)) * y
        return -(a - 2 * q * np.cos(2 * x * (math.pi / 180))) * y

    return second


# Without float32: differences of values per degree drown in its rounding.
_DEGREES = [s for s in with_parameters(2, 1, low=20.0, high=80.0) if s.label != "float32"]
for _f, _a in ((sc.mathieu_cem, sc.mathieu_a), (sc.mathieu_sem, sc.mathieu_b)):
    _pair(_f, ("m", "q"), _mathieu(_a, False), _DEGREES, math.pi / 180, double=True)
for _f, _a in (
    (sc.mathieu_modcem1, sc.mathieu_a),
    (sc.mathieu_modcem2, sc.mathieu_a),
    (sc.mathieu_modsem1, sc.mathieu_b),
    (sc.mathieu_modsem2, sc.mathieu_b),
):
    _pair(_f, ("m", "q"), _mathieu(_a, True), with_parameters(2, 1, low=0.3, high=1.0), double=True)


def _angular(c2: int, cv: np.ufunc) -> Callable[..., Any]:
    """(1 - x²) y'' - 2 x y' + (λ ∓ c² x² - m²/(1 - x²)) y = 0 (DLMF 30.2.1)."""

    def second(m: Any, n: Any, c: Any, x: Any, y: Any, dy: Any) -> Any:
        u = (1 - x) * (1 + x)
        return (2 * x * dy - (_wide(cv, m, n, c) - c2 * (c * c * x * x) - m * m / u) * y) / u

    return second


def _radial(c2: int, cv: np.ufunc) -> Callable[..., Any]:
    """(x² ∓ 1) y'' + 2 x y' - (λ - c² x² ± m²/(x² ∓ 1)) y = 0 (Abramowitz & Stegun 21.6.3, 21.6.4)."""

    def second(m: Any, n: Any, c: Any, x: Any, y: Any, dy: Any) -> Any:
        u = x * x - c2
        return ((_wide(cv, m, n, c) - c * c * x * x + c2 * (m * m / u)) * y - 2 * x * dy) / u

    return second


for _kind, _c2, _a, _low in (("pro", 1, sc.pro_cv, 1.2), ("obl", -1, sc.obl_cv, 0.3)):
    for _form, _rule, _range in (
        ("ang1", _angular, (0.1, 0.8)),
        ("rad1", _radial, (_low, 2.0)),
    ):
        _samples = with_parameters(1, 2, 2, low=_range[0], high=_range[1])
        _pair(getattr(sc, f"{_kind}_{_form}"), ("m", "n", "c"), _rule(_c2, _a), _samples, double=True)
        no_derivative(
            f"its value means something for one cv only; use scipy.special.{_kind}_{_form}(m, n, c, x), which finds it",
            getattr(sc, f"{_kind}_{_form}_cv"),
        )

no_derivative(
    "SciPy's values of it fulfil neither its differential equation nor the Wronskian (Abramowitz & Stegun 21.9.2), so "
    "they have no derivative worth having; use the functions of the first kind, or solve the equation",
    *(sc.pro_rad2, sc.pro_rad2_cv, sc.obl_rad2, sc.obl_rad2_cv),
)
no_derivative(
    "the derivatives of characteristic values have no closed form; keep its arguments constant, or give it a rule with "
    "covector.custom_jvp",
    *(sc.mathieu_a, sc.mathieu_b, sc.pro_cv, sc.obl_cv),
)

# --- parabolic cylinder -----------------------------------------------------------------------------------------------

for _f in (sc.pbdv, sc.pbvv):
    _pair(
        _f,
        ("v",),
        lambda v, x, y, dy: (0.25 * x * x - v - 0.5) * y,
        with_parameters(1, low=-1.5, high=1.5),
        double=True,
    )
_pair(sc.pbwa, ("a",), lambda a, x, y, dy: (a - 0.25 * x * x) * y, with_parameters(1, low=-1.5, high=1.5))

# --- Kelvin -----------------------------------------------------------------------------------------------------------
# y = ber + i bei and ker + i kei fulfil x² y'' + x y' = i x² y (DLMF 10.61.3).


def _over_x(slope: Any, x: Any, at_zero: float) -> Any:
    zero = np.equal(x, 0)
    return np.where(zero, at_zero, slope / np.where(zero, 1, x))


_KELVIN = unary(0.4, 4.0, complex_=False)
elementwise("ber", sc.ber, (lambda out, x: sc.berp(x),), singular=False, keeps_out=False, samples=_KELVIN)
elementwise("bei", sc.bei, (lambda out, x: sc.beip(x),), singular=False, keeps_out=False, samples=_KELVIN)
elementwise("ker", sc.ker, (lambda out, x: sc.kerp(x),), keeps_out=False, samples=_KELVIN)
elementwise("kei", sc.kei, (lambda out, x: sc.keip(x),), keeps_out=False, samples=_KELVIN)
elementwise("berp", sc.berp, (lambda out, x: -sc.bei(x) - _over_x(out, x, 0),), samples=_KELVIN)
elementwise("beip", sc.beip, (lambda out, x: sc.ber(x) - _over_x(out, x, 0.5),), samples=_KELVIN)
elementwise("kerp", sc.kerp, (lambda out, x: -sc.kei(x) - out / x,), samples=_KELVIN)
elementwise("keip", sc.keip, (lambda out, x: sc.ker(x) - out / x,), samples=_KELVIN)


def _kelvin(x: Any) -> tuple[Any, ...]:
    pairs = ((sc.ber, sc.bei), (sc.ker, sc.kei), (sc.berp, sc.beip), (sc.kerp, sc.keip))
    return tuple(real(x) + 1j * imag(x) for real, imag in pairs)


UFUNCS[sc.kelvin] = _kelvin

# --- scaled Airy functions --------------------------------------------------------------------------------------------
# Ai, Ai' times exp(ζ) and Bi, Bi' times exp(-|Re ζ|), ζ = ⅔ z^(3/2) (DLMF 9.2.1).


def _bi_rate(z: Any) -> Any:
    real_only("airye", z)
    return np.sqrt(np.maximum(z, 0))


def _far_airy(direct: Any, z: Any, of_slope: bool, sign: int) -> Any:
    """`direct`, or for large real z, where it cancels, the derivative of the series DLMF 9.7.5 to 9.7.8.

    They are scale z^p Σ cₖ (sign/ζ)ᵏ with p = -1/4, or 1/4 of the derivatives, and ζ⁻ᵏ ~ z^(-3k/2).
    """
    if dtype_of(z).kind == "c":
        return direct
    far = np.greater(z, _FAR)
    x = np.where(far, z, _FAR)
    zeta = 2 / 3 * x * np.sqrt(x)
    power = 0.25 if of_slope else -0.25
    scale = (0.5 if sign < 0 else 1.0) / math.sqrt(math.pi) * (-1 if of_slope and sign < 0 else 1)
    term: Any = 1
    total: Any = power
    for k in range(1, 41):
        term = term * (sign * (6 * k - 5) * (6 * k - 3) * (6 * k - 1) / ((2 * k - 1) * 216 * k)) / zeta
        coefficient = term * ((6 * k + 1) / (1 - 6 * k)) if of_slope else term
        total = total + (power - 1.5 * k) * coefficient
    return np.where(far, scale * np.power(x, power) * (total / x), direct)


_FAR = 10.0


_aie, _aipe, _bie, _bipe = several(
    sc.airye,
    [
        (lambda out, z: _far_airy(_aipe(z) + np.sqrt(z) * out, z, False, -1),),
        (lambda out, z: _far_airy(z * _aie(z) + np.sqrt(z) * out, z, True, -1),),
        (lambda out, z: _far_airy(_bipe(z) - _bi_rate(z) * out, z, False, 1),),
        (lambda out, z: _far_airy(z * _bie(z) - _bi_rate(z) * out, z, True, 1),),
    ],
    samples=[*_POSITIVE, sample(draw((3,), low=0.1, high=3.0), label="positive")],
)
