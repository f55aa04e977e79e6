"""The values of the elementary functions that compiled programs compute themselves."""

from __future__ import annotations

from typing import Any

import mpmath
from mpmath import mpf

from .values import Truth, far, inside, near, uniform

__all__ = ["ELEMENTARY"]


def _cube_root(x: Any) -> Any:
    return mpmath.cbrt(x) if x > 0 else -mpmath.cbrt(-x)


def _power(x: Any, y: Any) -> Any:
    return mpmath.power(x, y)


_ANGLES = (uniform(-4, 4), uniform(-1000, 1000), far(3, 9), far(-300, 0))
_ALL = (uniform(-3, 3), far(-300, 0))

ELEMENTARY: dict[str, Truth] = {
    "exp": Truth(mpmath.exp, (uniform(-5, 5), uniform(-700, 709))),
    "exp2": Truth(lambda x: mpf(2) ** x, (uniform(-5, 5), uniform(-1000, 1023))),
    "expm1": Truth(mpmath.expm1, (uniform(-5, 5), uniform(-40, 700), far(-300, 0))),
    "log": Truth(mpmath.log, (uniform(0, 5), near(1), far(-300, 300))),
    "log2": Truth(lambda x: mpmath.log(x) / mpmath.log(2), (uniform(0, 5), near(1), far(-300, 300))),
    "log10": Truth(mpmath.log10, (uniform(0, 5), near(1), far(-300, 300))),
    "log1p": Truth(mpmath.log1p, (uniform(-1, 5), near(0), far(-300, 300))),
    "sin": Truth(mpmath.sin, _ANGLES),
    "cos": Truth(mpmath.cos, _ANGLES),
    "tan": Truth(mpmath.tan, _ANGLES),
    "arcsin": Truth(mpmath.asin, (uniform(-1, 1), inside(1), far(-300, 0))),
    "arccos": Truth(mpmath.acos, (uniform(-1, 1), inside(1), inside(-1))),
    "arctan": Truth(mpmath.atan, (uniform(-3, 3), far(-300, 300))),
    "arctan2": Truth(mpmath.atan2, ((uniform(-3, 3), uniform(-3, 3)), (far(-30, 30), far(-30, 30)))),
    "sinh": Truth(mpmath.sinh, (uniform(-3, 3), uniform(-700, 710), far(-300, 0))),
    "cosh": Truth(mpmath.cosh, (uniform(-3, 3), uniform(-700, 710))),
    "tanh": Truth(mpmath.tanh, (*_ALL, uniform(-20, 20))),
    "arcsinh": Truth(mpmath.asinh, (*_ALL, far(0, 300))),
    "arccosh": Truth(mpmath.acosh, (uniform(1, 5), far(0, 300))),
    "arctanh": Truth(mpmath.atanh, (uniform(-1, 1), inside(1), far(-300, 0))),
    "cbrt": Truth(_cube_root, (uniform(-3, 3), far(-300, 300))),
    "hypot": Truth(mpmath.hypot, ((uniform(-3, 3), uniform(-3, 3)), (far(-300, 300), far(-300, 300)))),
    "power": Truth(
        _power, ((uniform(0, 5), uniform(-9, 9)), (near(1), uniform(-1000, 1000)), (far(-30, 30), uniform(-9, 9)))
    ),
}
