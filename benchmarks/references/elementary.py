"""References of NumPy's functions."""

from __future__ import annotations

from typing import Any

from mpmath import mp

from .points import ABOVE_MINUS_ONE, ABOVE_ONE, POSITIVE, REAL, SIGNED_UNIT, whole, within
from .reference import Reference, partials

__all__ = ["TABLE"]


def _sign(x: Any) -> Any:
    return mp.sign(x)


def _choice(first: Any) -> Reference:
    """Of two arguments the one for which ``first(x, y)`` holds."""

    def slope(x: Any, y: Any) -> Any:
        if x == y:
            raise ValueError("not differentiable at a tie")
        return mp.mpf(int(first(x, y)))

    return partials((slope, lambda x, y: 1 - slope(x, y)), REAL, REAL)


def _linear(*slopes: Any) -> Reference:
    return partials(tuple(lambda *args, s=s: s() if callable(s) else mp.mpf(s) for s in slopes), *[REAL] * len(slopes))


def _sinc_slope(x: Any) -> Any:
    y = mp.pi * x
    return mp.pi * (y * mp.cos(y) - mp.sin(y)) / y**2 if x else mp.mpf(0)


def _share(base: Any, x: Any, y: Any) -> Any:
    return 1 / (1 + base() ** (y - x))


_e, _two = (lambda: mp.e), (lambda: mp.mpf(2))
_MAX, _MIN = _choice(lambda x, y: x > y), _choice(lambda x, y: x < y)
_POWER = partials((lambda x, y: y * x ** (y - 1), lambda x, y: x**y * mp.log(x)), POSITIVE, within(-60, 60))
_RADIAN, _DEGREE = _linear(lambda: mp.pi / 180), _linear(lambda: 180 / mp.pi)

_NUMPY: dict[str, Reference] = {
    "add": _linear(1, 1),
    "subtract": _linear(1, -1),
    "negative": _linear(-1),
    "positive": _linear(1),
    "conjugate": _linear(1),
    "nextafter": _linear(1, 0),
    "modf[0]": _linear(1),
    "deg2rad": _RADIAN,
    "radians": _RADIAN,
    "rad2deg": _DEGREE,
    "degrees": _DEGREE,
    "multiply": partials((lambda x, y: y, lambda x, y: x), REAL, REAL),
    "divide": partials((lambda x, y: 1 / y, lambda x, y: -x / y**2), REAL, REAL),
    "remainder": partials((lambda x, y: mp.mpf(1), lambda x, y: -mp.floor(x / y)), REAL, REAL),
    "divmod[1]": partials((lambda x, y: mp.mpf(1), lambda x, y: -mp.floor(x / y)), REAL, REAL),
    "fmod": partials((lambda x, y: mp.mpf(1), lambda x, y: -_sign(x / y) * mp.floor(abs(x / y))), REAL, REAL),
    "ldexp": partials((lambda x, n: mp.mpf(2) ** n, None), REAL, whole(-40, 40)),
    "frexp[0]": partials((lambda x: mp.mpf(2) ** (-mp.frexp(x)[1]),), REAL),
    "absolute": partials((_sign,), REAL),
    "fabs": partials((_sign,), REAL),
    "copysign": partials((lambda x, y: _sign(x) * _sign(y), None), REAL, REAL),
    "maximum": _MAX,
    "fmax": _MAX,
    "minimum": _MIN,
    "fmin": _MIN,
    "heaviside": partials((None, lambda x, y: mp.mpf(0)), REAL, REAL),
    "exp": partials((mp.exp,), REAL),
    "exp2": partials((lambda x: mp.log(2) * mp.mpf(2) ** x,), REAL),
    "expm1": partials((mp.exp,), REAL),
    "log": partials((lambda x: 1 / x,), POSITIVE),
    "log2": partials((lambda x: 1 / (x * mp.log(2)),), POSITIVE),
    "log10": partials((lambda x: 1 / (x * mp.log(10)),), POSITIVE),
    "log1p": partials((lambda x: 1 / (1 + x),), ABOVE_MINUS_ONE),
    "logaddexp": partials((lambda x, y: _share(_e, x, y), lambda x, y: _share(_e, y, x)), REAL, REAL),
    "logaddexp2": partials((lambda x, y: _share(_two, x, y), lambda x, y: _share(_two, y, x)), REAL, REAL),
    "sqrt": partials((lambda x: 1 / (2 * mp.sqrt(x)),), POSITIVE),
    "cbrt": partials((lambda x: abs(x) ** (mp.mpf(-2) / 3) / 3,), REAL),
    "square": partials((lambda x: 2 * x,), REAL),
    "reciprocal": partials((lambda x: -1 / x**2,), REAL),
    "power": _POWER,
    "float_power": _POWER,
    "hypot": partials((lambda x, y: x / mp.hypot(x, y), lambda x, y: y / mp.hypot(x, y)), REAL, REAL),
    "arctan2": partials((lambda y, x: x / (x**2 + y**2), lambda y, x: -y / (x**2 + y**2)), REAL, REAL),
    "sin": partials((mp.cos,), REAL),
    "cos": partials((lambda x: -mp.sin(x),), REAL),
    "tan": partials((lambda x: mp.sec(x) ** 2,), REAL),
    "arcsin": partials((lambda x: 1 / mp.sqrt(1 - x**2),), SIGNED_UNIT),
    "arccos": partials((lambda x: -1 / mp.sqrt(1 - x**2),), SIGNED_UNIT),
    "arctan": partials((lambda x: 1 / (1 + x**2),), REAL),
    "sinh": partials((mp.cosh,), REAL),
    "cosh": partials((mp.sinh,), REAL),
    "tanh": partials((lambda x: mp.sech(x) ** 2,), REAL),
    "arcsinh": partials((lambda x: 1 / mp.sqrt(1 + x**2),), REAL),
    "arccosh": partials((lambda x: 1 / mp.sqrt(x**2 - 1),), ABOVE_ONE),
    "arctanh": partials((lambda x: 1 / (1 - x**2),), SIGNED_UNIT),
    "sinc": partials((_sinc_slope,), within(-1e16, 1e16)),
    "i0": partials((lambda x: mp.besseli(1, x),), within(-720, 720)),
}
TABLE = {f"np.{name}": reference for name, reference in _NUMPY.items()}
