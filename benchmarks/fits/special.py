"""The polynomials of the compiled special functions.

``python -m benchmarks.fits.special`` fits them and writes ``src/covector/compiler/math/coefficients_special.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpmath
from mpmath import mpf

from .remez import minimax

__all__ = ["FITS", "Fit"]

_TARGET = Path(__file__).parents[2] / "src" / "covector" / "compiler" / "math" / "coefficients_special.py"
_ONE = mpf(1)


@dataclass(frozen=True)
class Fit:
    """One polynomial: of what, where, and of which degree in double and in single precision."""

    name: str
    function: Callable[[Any], Any]
    low: Any
    high: Any
    double: int
    single: int
    weight: Callable[[Any], Any] | None = None
    says: str = ""


def _odd_rest(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """(f(x)/x - 1) as a function of x², for odd f."""
    return lambda u: function(mpmath.sqrt(u)) / mpmath.sqrt(u) - 1


def _erfcx(x: Any) -> Any:
    if x < 100:
        return mpmath.exp(x * x) * mpmath.erfc(x)
    terms = (mpmath.fac2(2 * k - 1) * (-1 / (2 * x * x)) ** k for k in range(12))
    return sum(terms) / (x * mpmath.sqrt(mpmath.pi))


def _erfcx_of_ratio(t: Any) -> Any:
    """((1 + 2x) erfcx(x) - 1) / (1 + t) with t = (x - 4) / (x + 4)."""
    x = 4 * (1 + t) / (1 - t)
    return ((1 + 2 * x) * _erfcx(x) - 1) / (1 + t)


def _log_rest(w: Any) -> Any:
    s = mpmath.sqrt(w)
    return 2 * (mpmath.atanh(s) - s) / s**3


def _loggamma_at_two(t: Any) -> Any:
    return mpmath.loggamma(2 + t).real / t


def _stirling_rest(w: Any) -> Any:
    """x (log Γ(x) - (x - 1/2) log x + x - log(2π)/2) as a function of 1/x²."""
    x = 1 / mpmath.sqrt(w)
    if x > 40:
        return sum(mpmath.bernoulli(2 * k + 2) / ((2 * k + 2) * (2 * k + 1)) * w**k for k in range(18))
    return x * (mpmath.loggamma(x) - (x - mpf("0.5")) * mpmath.log(x) + x - mpmath.log(2 * mpmath.pi) / 2)


with mpmath.workdps(60):
    _ROOT = mpmath.findroot(mpmath.digamma, 1.46)


def _digamma_middle(y: Any) -> Any:
    """z ψ(z) / (z - z₀) with y = z - 2 and ψ(z₀) = 0."""
    z = y + 2
    return z * mpmath.digamma(z) / (z - _ROOT)


def _digamma_rest(w: Any) -> Any:
    """y² (ψ(y + 1/2) - log y) as a function of 1/y²."""
    y = 1 / mpmath.sqrt(w)
    if y > 40:
        half = mpf("0.5")
        return sum(-mpmath.bernpoly(2 * k + 2, half) / (2 * k + 2) * w**k for k in range(18))
    return (mpmath.digamma(y + mpf("0.5")) - mpmath.log(y)) / w


def _sine_rest(w: Any) -> Any:
    r = mpmath.sqrt(w)
    return mpmath.sin(mpmath.pi * r) / (mpmath.pi * r)


def _cotangent_rest(w: Any) -> Any:
    """(1/r - π cot(πr))/r as a function of r²."""
    r = mpmath.sqrt(w)
    if r < mpf("1e-8"):
        return mpmath.pi**2 / 3 + mpmath.pi**4 * w / 45
    return (1 / r - mpmath.pi * mpmath.cot(mpmath.pi * r)) / r


def _cosecant_rest(w: Any) -> Any:
    """π²/sin²(πr) - 1/r² as a function of r²."""
    r = mpmath.sqrt(w)
    if r < mpf("1e-8"):
        return mpmath.pi**2 / 3 + mpmath.pi**4 * w / 15
    return (mpmath.pi / mpmath.sin(mpmath.pi * r)) ** 2 - 1 / w


def _trigamma_middle(y: Any) -> Any:
    """z² ψ'(z) with y = z - 2."""
    return (y + 2) ** 2 * mpmath.polygamma(1, y + 2)


def _trigamma_rest(w: Any) -> Any:
    """y³ (ψ'(y + 1/2) - 1/y) as a function of 1/y²."""
    y = 1 / mpmath.sqrt(w)
    if y > 40:
        half = mpf("0.5")
        return sum(mpmath.bernpoly(2 * k + 2, half) * w**k for k in range(18))
    return (mpmath.polygamma(1, y + mpf("0.5")) - 1 / y) * y**3


def _inverse_error(s: Any) -> Any:
    """erfinv(x)/x as a function of s with 1 - x² = exp(-s²): Newton's method on log erfc."""
    x = mpmath.sqrt(-mpmath.expm1(-s * s))
    if s < mpf("1.5"):
        return mpmath.erfinv(x) / x if s > mpf("1e-12") else mpmath.sqrt(mpmath.pi) / 2
    logarithm, y = -s * s - mpmath.log(1 + x), s
    for _ in range(60):
        tail = mpmath.erfc(y)
        step = (mpmath.log(tail) - logarithm) * tail * mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(y * y)
        y += step
        if abs(step) < mpf("1e-40"):
            break
    return y / x


def _inverse_error_of_ratio(v: Any) -> Any:
    """erfinv(x)/(x s) with v = (s - 4)/(s + 4)."""
    s = 4 * (1 + v) / (1 - v)
    return _inverse_error(s) / s


def _bessel_far(order: int) -> Callable[[Any], Any]:
    """√x exp(-x) I(x) as a function of 1/x; for large x by DLMF 10.40.1."""

    def function(v: Any) -> Any:
        x = 1 / v
        if x < 200:
            return mpmath.besseli(order, x) * mpmath.exp(-x) * mpmath.sqrt(x)
        term = total = _ONE
        for k in range(1, 30):
            term *= -(4 * mpf(order) ** 2 - (2 * k - 1) ** 2) / (8 * k * x)
            total += term
        return total / mpmath.sqrt(2 * mpmath.pi)

    return function


def _sinc_slope(w: Any) -> Any:
    """The derivative of sin(πx)/(πx), divided by x, as a function of x²."""
    x = mpmath.sqrt(w)
    if x < mpf("1e-8"):
        return -(mpmath.pi**2) / 3 + mpmath.pi**4 * w / 30
    return (mpmath.cospi(x) - mpmath.sinpi(x) / (mpmath.pi * x)) / (x * x)


_SHORT_LOG = ((mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)) ** 2

FITS = [
    Fit("LOG_REST", _log_rest, 0, _SHORT_LOG, 6, 2, lambda w: w, "(2 artanh(s) - 2s)/s³ in s², |s| ≤ (√2-1)/(√2+1)"),
    Fit("SINC", _sine_rest, 0, _ONE / 4, 8, 4, None, "sin(πr)/(πr) in r², |r| ≤ 1/2"),
    Fit("SINC_SLOPE", _sinc_slope, 0, _ONE / 4, 8, 4, None, "the derivative of sin(πx)/(πx), over x, in x², |x| ≤ 1/2"),
    Fit(
        "COSINE_PI",
        lambda w: mpmath.cospi(mpmath.sqrt(w)),
        0,
        _ONE / 4,
        9,
        5,
        lambda w: _ONE,
        "cos(πr) in r², |r| ≤ 1/2",
    ),
    Fit("COTANGENT_PI", _cotangent_rest, 0, _ONE / 4, 14, 6, None, "(1/r - π cot(πr))/r in r², |r| ≤ 1/2"),
    Fit("COSECANT_PI", _cosecant_rest, 0, _ONE / 4, 16, 7, None, "π²/sin²(πr) - 1/r² in r², |r| ≤ 1/2"),
    Fit("ERF_NEAR", _odd_rest(mpmath.erf), 0, 1, 11, 6, lambda u: _ONE, "erf(x)/x - 1 in x², |x| ≤ 1"),
    Fit(
        "ERF_FAR",
        lambda u: -mpmath.log(mpmath.erfc(1 + u)),
        0,
        mpf("4.93"),
        17,
        8,
        lambda u: mpmath.erfc(1 + u),
        "-log erfc(1 + u), 0 ≤ u ≤ 4.93",
    ),
    Fit(
        "ERFCX",
        _erfcx_of_ratio,
        -1,
        1,
        23,
        11,
        lambda t: 1 + t + mpf("0.001"),
        "((1 + 2x) erfcx(x) - 1)/(1 + t) in t = (x - 4)/(x + 4), 0 ≤ x",
    ),
    Fit("LOGGAMMA_NEAR", _loggamma_at_two, mpf("-0.75"), mpf("0.5"), 20, 10, None, "log Γ(2 + t)/t, -3/4 ≤ t ≤ 1/2"),
    Fit(
        "STIRLING_REST",
        _stirling_rest,
        0,
        mpf("0.16"),
        11,
        4,
        lambda w: 12 * mpmath.sqrt(w) + mpf("0.001"),
        "x (log Γ(x) - (x - 1/2) log x + x - log(2π)/2) in 1/x², 2.5 ≤ x",
    ),
    Fit("DIGAMMA_NEAR", _digamma_middle, -1, 1, 20, 10, None, "zψ(z)/(z - z₀) in z - 2, 1 ≤ z ≤ 3"),
    Fit(
        "DIGAMMA_REST",
        _digamma_rest,
        0,
        mpf("0.16"),
        11,
        4,
        lambda w: w + mpf("0.0001"),
        "y² (ψ(y + 1/2) - log y) in 1/y², 2.5 ≤ y",
    ),
    Fit("TRIGAMMA_NEAR", _trigamma_middle, -1, 1, 21, 10, None, "z²ψ'(z) in z - 2, 1 ≤ z ≤ 3"),
    Fit(
        "TRIGAMMA_REST",
        _trigamma_rest,
        0,
        mpf("0.16"),
        14,
        4,
        lambda w: w + mpf("0.0001"),
        "y³ (ψ'(y + 1/2) - 1/y) in 1/y², 2.5 ≤ y",
    ),
    Fit("LOG_RATIO", _log_rest, 0, _ONE / 4, 14, 6, mpmath.sqrt, "(2 artanh(s) - 2s)/s³ in s², |s| ≤ 1/2"),
    Fit(
        "QUANTILE_NEAR",
        lambda v: _inverse_error(mpmath.sqrt(v + 3)),
        -3,
        mpf("3.25"),
        23,
        10,
        None,
        "erfinv(x)/x in s² - 3, 1 - x² = exp(-s²), 0 ≤ s² ≤ 6.25",
    ),
    Fit(
        "QUANTILE_MIDDLE",
        _inverse_error_of_ratio,
        mpf("-1.5") / mpf("6.5"),
        mpf("1.5") / mpf("9.5"),
        23,
        9,
        None,
        "erfinv(x)/(x s) in (s - 4)/(s + 4), 2.5 ≤ s ≤ 5.5",
    ),
    Fit(
        "QUANTILE_FAR",
        lambda u: _inverse_error_of_ratio(u + mpf("0.5")),
        mpf("1.5") / mpf("9.5") - mpf("0.5"),
        mpf("23.4") / mpf("31.4") - mpf("0.5"),
        21,
        9,
        None,
        "erfinv(x)/(x s) in (s - 4)/(s + 4) - 1/2, 5.5 ≤ s ≤ 27.4",
    ),
    Fit("I0_NEAR", lambda u: mpmath.besseli(0, 2 * mpmath.sqrt(u)), 0, 16, 15, 9, None, "I₀(x) in x²/4, |x| ≤ 8"),
    Fit(
        "I1_NEAR",
        lambda u: mpmath.besseli(1, 2 * mpmath.sqrt(u)) / (2 * mpmath.sqrt(u)),
        0,
        16,
        14,
        8,
        None,
        "I₁(x)/x in x²/4, |x| ≤ 8",
    ),
    Fit("I0_FAR", _bessel_far(0), 0, mpf("0.125"), 22, 5, None, "√x exp(-x) I₀(x) in 1/x, 8 ≤ x"),
    Fit("I1_FAR", _bessel_far(1), 0, mpf("0.125"), 22, 5, None, "√x exp(-x) I₁(x) in 1/x, 8 ≤ x"),
]

_HEAD = '''"""Coefficients, by rising power, of the polynomials in the special functions.

Minimax fits, made by ``python -m benchmarks.fits.special``. Per name the one for double and the one for single
precision, each with the logarithm to base 2 of its largest error.
"""

from __future__ import annotations

from typing import Final

# fmt: off

'''


def _block(fit: Fit) -> str:
    lines = [f"# {fit.says}"] if fit.says else []
    lines.append(f"{fit.name}: Final = {{")
    for ctype, degree in (("f64", fit.double), ("f32", fit.single)):
        coefficients, error = minimax(fit.function, fit.low, fit.high, degree, fit.weight)
        lines.append(f'    "{ctype}": (  # 2^{float(mpmath.log(error, 2)):.1f}')
        digits = 17 if ctype == "f64" else 10
        numbers = [f"{float(mpmath.nstr(c, digits)):.{digits}g}" for c in coefficients]
        numbers = [n if "." in n or "e" in n else f"{n}.0" for n in numbers]
        lines += [f"        {', '.join(numbers[i : i + 4])}," for i in range(0, len(numbers), 4)]
        lines.append("    ),")
    return "\n".join([*lines, "}", ""])


def main() -> int:
    """Fit everything and write the coefficients."""
    blocks = [_block(fit) for fit in FITS]
    _TARGET.write_text(_HEAD + "\n".join(blocks), encoding="utf-8")
    print(f"{len(blocks)} fits in {_TARGET.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
