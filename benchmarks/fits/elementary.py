"""The polynomials of the compiled elementary functions.

``python -m benchmarks.fits.elementary`` fits them and writes
``src/covector/compiler/math/coefficients_elementary.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mpmath
from mpmath import mpf

from .special import Fit, _block

__all__ = ["FITS"]

_TARGET = Path(__file__).parents[2] / "src" / "covector" / "compiler" / "math" / "coefficients_elementary.py"
_SMALL = mpf("0.002")


def _exp_rest(x: Any) -> Any:
    return (mpmath.expm1(x) - x) / x**2


def _log_rest(w: Any) -> Any:
    s = mpmath.sqrt(w)
    return 2 * (mpmath.atanh(s) - s) / s**3


def _log_tail(w: Any) -> Any:
    s = mpmath.sqrt(w)
    return 2 * (mpmath.atanh(s) - s - s**3 / 3) / s**5


def _sin_rest(w: Any) -> Any:
    r = mpmath.sqrt(w)
    return (mpmath.sin(r) - r) / r**3


def _cos_rest(w: Any) -> Any:
    return (mpmath.cos(mpmath.sqrt(w)) - 1 + w / 2) / w**2


def _arctan_rest(w: Any) -> Any:
    t = mpmath.sqrt(w)
    return (mpmath.atan(t) - t) / t**3


def _arcsin_rest(w: Any) -> Any:
    t = mpmath.sqrt(w)
    return (mpmath.asin(t) - t) / t**3


_HALF_LN2 = mpmath.log(2) / 2 * mpf("1.002")
_SHORT_LOG = ((mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)) ** 2
_EIGHTH = (mpmath.pi / 4 * mpf("1.01")) ** 2

FITS = [
    Fit("EXP", _exp_rest, -_HALF_LN2, _HALF_LN2, 9, 4, lambda x: x * x + _SMALL, "(eˣ - 1 - x)/x², |x| ≤ log(2)/2"),
    Fit("LOG", _log_rest, 0, _SHORT_LOG, 6, 3, lambda w: w + _SMALL, "(2 atanh(s) - 2s)/s³ in s², |s| ≤ 0.1716"),
    Fit("LOG_TAIL", _log_tail, 0, _SHORT_LOG, 7, 3, lambda w: w**2 + _SMALL / 30, "(2 atanh(s) - 2s - 2s³/3)/s⁵ in s²"),
    Fit("SIN", _sin_rest, 0, _EIGHTH, 5, 2, lambda w: w + _SMALL, "(sin r - r)/r³ in r², |r| ≤ π/4"),
    Fit("COS", _cos_rest, 0, _EIGHTH, 5, 2, lambda w: w**2 + _SMALL, "(cos r - 1 + r²/2)/r⁴ in r², |r| ≤ π/4"),
    Fit("ARCTAN", _arctan_rest, 0, mpf("0.25"), 12, 5, lambda w: w + _SMALL, "(arctan t - t)/t³ in t², |t| ≤ 1/2"),
    Fit("ARCSIN", _arcsin_rest, 0, mpf("0.25"), 12, 5, lambda w: w + _SMALL, "(arcsin t - t)/t³ in t², |t| ≤ 1/2"),
]

_HEAD = '''"""Coefficients, by rising power, of the polynomials in the elementary functions.

Minimax fits, made by ``python -m benchmarks.fits.elementary``. Per name the one for double and the one for single
precision, each with the logarithm to base 2 of its largest error.
"""

from __future__ import annotations

from typing import Final

'''


def main() -> int:
    """Fit everything and write the coefficients."""
    blocks = [_block(fit) for fit in FITS]
    _TARGET.write_text(_HEAD + "\n".join(blocks), encoding="utf-8")
    print(f"{len(blocks)} fits in {_TARGET.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
