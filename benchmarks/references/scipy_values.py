"""What SciPy's own values cost: the derivative formulas evaluated by mpmath, without rounding, from SciPy's doubles.

Where a derivative is inaccurate because SciPy's values of the functions in its formula are, the difference between the
formula of these values and the true derivative says by how much, at every point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mpmath import mp

__all__ = ["FORMULAS", "from_scipy"]

Formula = Callable[..., Any]


def _value(name: str, *args: Any, output: int | None = None) -> Any:
    """SciPy's double."""
    from scipy import special

    with np.errstate(all="ignore"):
        value = getattr(special, name)(*map(float, args))
    value = value if output is None else value[output]
    return mp.mpmathify(complex(value) if np.iscomplexobj(value) else float(value))


def _neighbours(name: str, below: int, above: int) -> Formula:
    """The derivative (± the order below ± the order above)/2 (DLMF 10.6.1, 10.29.1)."""
    return lambda v, z: (below * _value(name, v - 1, z) + above * _value(name, v + 1, z)) / 2


def _scaled(name: str, below: int, above: int, factor: Any) -> Formula:
    slope = _neighbours(name, below, above)
    return lambda v, z: slope(v, z) + factor * _value(name, v, z)


def _struve(name: str, sign: int) -> Formula:
    """DLMF 11.4.24, 11.4.26."""

    def slope(v: Any, x: Any) -> Any:
        term = (x / 2) ** v * mp.rgamma(v + mp.mpf(3) / 2) / mp.sqrt(mp.pi)
        return (_value(name, v - 1, x) - sign * _value(name, v + 1, x) + term) / 2

    return slope


def _output(name: str, i: int, factor: Formula = lambda *_: 1) -> Formula:
    return lambda *args: factor(*args) * _value(name, *args, output=i)


def _parabolic(name: str, i: int) -> Formula:
    if i == 0:
        return _output(name, 1)
    return _output(name, 0, lambda v, x: x**2 / 4 - v - mp.mpf(1) / 2)


def _scaled_airy(i: int) -> Formula:
    """DLMF 9.2.1 of the functions times their exponentials."""

    def slope(z: Any) -> Any:
        values = [_value("airye", z, output=k) for k in range(4)]
        rate = mp.sqrt(z) if i < 2 else -mp.sqrt(z)
        return (values[i + 1] if i % 2 == 0 else z * values[i - 1]) + rate * values[i]

    return slope


def _jacobi(kinds: tuple[int, ...], by_m: bool = False, sign: int = 1) -> Formula:
    """DLMF 22.13.1 to 22.13.3."""

    def slope(u: Any, m: Any) -> Any:
        return sign * (m if by_m else 1) * mp.fprod(_value("ellipj", u, m, output=k) for k in kinds)

    return slope


def _polynomial(name: str, factor: Formula, raised: Formula) -> Formula:
    """A multiple of the polynomial of one degree less and other parameters (DLMF 18.9.15)."""

    def slope(n: Any, *args: Any) -> Any:
        from scipy import special

        if n == 0:
            return mp.mpf(0)
        with np.errstate(all="ignore"):
            value = getattr(special, name)(int(n) - 1, *map(float, raised(*args)))
        return factor(n, *args) * mp.mpf(float(value))

    return slope


FORMULAS: dict[tuple[str, int], Formula] = {
    ("j0", 0): lambda x: -_value("j1", x),
    ("j1", 0): lambda x: (_value("j0", x) - _value("jv", 2, x)) / 2,
    ("y0", 0): lambda x: -_value("y1", x),
    ("y1", 0): lambda x: (_value("y0", x) - _value("yv", 2, x)) / 2,
    ("i0e", 0): lambda x: _value("i1e", x) - _value("i0e", x),
    ("i1e", 0): lambda x: (_value("i0e", x) + _value("ive", 2, x)) / 2 - _value("i1e", x),
    ("k0e", 0): lambda x: _value("k0e", x) - _value("k1e", x),
    ("k1e", 0): lambda x: _value("k1e", x) - _value("k0e", x) - _value("k1e", x) / x,
    **{(name, 1): _neighbours(name, 1, -1) for name in ("jv", "yv", "yn", "jve", "yve", "hankel1", "hankel2")},
    ("iv", 1): _neighbours("iv", 1, 1),
    ("kv", 1): _neighbours("kv", -1, -1),
    ("kn", 1): _neighbours("kn", -1, -1),
    ("kve", 1): _scaled("kve", -1, -1, 1),
    ("ive", 1): _scaled("ive", 1, 1, -1),
    ("hankel1e", 1): _scaled("hankel1e", 1, -1, mp.mpc(0, -1)),
    ("hankel2e", 1): _scaled("hankel2e", 1, -1, mp.mpc(0, 1)),
    ("struve", 1): _struve("struve", 1),
    ("modstruve", 1): _struve("modstruve", -1),
    ("itstruve0", 0): lambda x: _value("struve", 0, x),
    ("itmodstruve0", 0): lambda x: _value("modstruve", 0, x),
    ("it2struve0", 0): lambda x: -_value("struve", 0, x) / x,
    ("airy[0]", 0): _output("airy", 1),
    ("airy[1]", 0): _output("airy", 0, lambda z: z),
    ("airy[2]", 0): _output("airy", 3),
    ("airy[3]", 0): _output("airy", 2, lambda z: z),
    **{(f"airye[{i}]", 0): _scaled_airy(i) for i in range(4)},
    ("itairy[0]", 0): _output("airy", 0),
    ("itairy[1]", 0): _output("airy", 2),
    ("itairy[2]", 0): lambda x: _value("airy", -x, output=0),
    ("itairy[3]", 0): lambda x: _value("airy", -x, output=2),
    ("itj0y0[0]", 0): lambda x: _value("j0", x),
    ("itj0y0[1]", 0): lambda x: _value("y0", x),
    ("it2j0y0[1]", 0): lambda x: -_value("y0", x) / x,
    ("ellipj[0]", 0): _jacobi((1, 2)),
    ("ellipj[1]", 0): _jacobi((0, 2), sign=-1),
    ("ellipj[2]", 0): _jacobi((0, 1), by_m=True, sign=-1),
    ("ellipj[3]", 0): _jacobi((2,)),
    **{(f"{name}[{i}]", 1): _parabolic(name, i) for name in ("pbdv", "pbvv") for i in (0, 1)},
    ("pbwa[0]", 1): _output("pbwa", 1),
    ("pbwa[1]", 1): _output("pbwa", 0, lambda a, x: a - x**2 / 4),
    ("hyp0f1", 1): lambda v, z: _value("hyp0f1", v + 1, z) / v,
    ("hyp1f1", 2): lambda a, b, x: _value("hyp1f1", a + 1, b + 1, x) * a / b,
    ("hyp2f1", 3): lambda a, b, c, z: _value("hyp2f1", a + 1, b + 1, c + 1, z) * a * b / c,
    ("besselpoly", 0): lambda a, k, v: _value("besselpoly", a, k + 1, v - 1) - _value("besselpoly", a, k + 1, v + 1),
    ("wright_bessel", 2): lambda a, b, x: _value("wright_bessel", a, a + b, x),
    ("log_wright_bessel", 2): lambda a, b, x: mp.exp(
        _value("log_wright_bessel", a, a + b, x) - _value("log_wright_bessel", a, b, x)
    ),
    ("eval_jacobi", 3): _polynomial(
        "eval_jacobi", lambda n, a, b, x: (n + a + b + 1) / 2, lambda a, b, x: (a + 1, b + 1, x)
    ),
    ("eval_sh_jacobi", 3): _polynomial("eval_sh_jacobi", lambda n, *_: n, lambda p, q, x: (p + 2, q + 1, x)),
    ("eval_chebyt", 1): _polynomial("eval_chebyu", lambda n, _: n, lambda x: (x,)),
    ("beta", 0): lambda a, b: _value("beta", a, b) * (mp.digamma(a) - mp.digamma(a + b)),
    ("beta", 1): lambda a, b: _value("beta", a, b) * (mp.digamma(b) - mp.digamma(a + b)),
    ("zeta", 1): lambda s, q: -s * _value("zeta", s + 1, q),
    ("inv_boxcox", 1): lambda y, k: _value("inv_boxcox", y, k) * (y / (1 + k * y) - mp.log1p(k * y) / k) / k,
    ("inv_boxcox1p", 0): lambda y, k: _value("inv_boxcox", y, k) / (1 + k * y),
    ("eval_chebyc", 1): _polynomial("eval_chebyu", lambda n, _: n, lambda x: (x / 2,)),
}
"""(Function, argument) → its derivative from SciPy's values."""


def from_scipy(name: str, i: int, args: tuple[float, ...]) -> Any:
    """Return the derivative that SciPy's values give, or None if no formula is listed or they are not finite."""
    formula = FORMULAS.get((name.removeprefix("scipy.special."), i))
    if formula is None:
        return None
    try:
        with mp.workdps(60):
            value = formula(*map(mp.mpf, args))
    except (ValueError, ArithmeticError, TypeError):
        return None
    return value if mp.isfinite(value) else None
