"""References of elliptic and hypergeometric functions and orthogonal polynomials of scipy.special."""

from __future__ import annotations

from typing import Any

from mpmath import mp

from .points import SIGNED_UNIT, UNIT, whole, within
from .reference import Reference, both, of, partials

__all__ = ["TABLE"]

_WHOLE = whole(0, 6)

# --- elliptic and hypergeometric -------------------------------------------------------------------------------------

_MODULUS = within(-1e3, 1, 1 - 2.0**-53, 1 - 1e-8, 1 - 1e-4)
_CARLSON = within(1e-9, 1e3)


def _jacobi(kind: str) -> Any:
    return lambda u, m: mp.ellipfun(kind, u, m=m)


def _jacobi_slope(a: str, b: str, sign: int, by_m: bool = False) -> Any:
    return lambda u, m: sign * (m if by_m else 1) * mp.ellipfun(a, u, m=m) * mp.ellipfun(b, u, m=m)


def _wright(a: Any, b: Any, x: Any) -> Any:
    return mp.nsum(lambda k: x**k * mp.rgamma(k + 1) * mp.rgamma(a * k + b), [0, mp.inf], method="d")


_ELLIPTIC: dict[str, Reference] = {
    "ellipk": of(lambda m: mp.ellipk(m), _MODULUS),
    "ellipe": of(lambda m: mp.ellipe(m), _MODULUS),
    "ellipkm1": of(lambda p: mp.ellipk(1 - p), within(0, 1e3)),
    "ellipkinc": both(
        lambda phi, m: mp.ellipf(phi, m),
        (lambda phi, m: 1 / mp.sqrt(1 - m * mp.sin(phi) ** 2), None),
        within(-1.5, 1.5),
        within(-100, 1),
    ),
    "ellipeinc": both(
        lambda phi, m: mp.ellipe(phi, m),
        (lambda phi, m: mp.sqrt(1 - m * mp.sin(phi) ** 2), None),
        within(-1.5, 1.5),
        within(-100, 1),
    ),
    "elliprc": of(mp.elliprc, _CARLSON, _CARLSON),
    "elliprf": of(mp.elliprf, _CARLSON, _CARLSON, _CARLSON),
    "elliprd": of(mp.elliprd, _CARLSON, _CARLSON, _CARLSON),
    "elliprg": of(mp.elliprg, _CARLSON, _CARLSON, _CARLSON),
    "agm": of(mp.agm, _CARLSON, _CARLSON),
    "ellipj[0]": Reference((within(-5, 5), UNIT), _jacobi("sn"), (_jacobi_slope("cn", "dn", 1), None)),
    "ellipj[1]": Reference((within(-5, 5), UNIT), _jacobi("cn"), (_jacobi_slope("sn", "dn", -1), None)),
    "ellipj[2]": Reference((within(-5, 5), UNIT), _jacobi("dn"), (_jacobi_slope("sn", "cn", -1, by_m=True), None)),
    "ellipj[3]": partials((lambda u, m: mp.ellipfun("dn", u, m=m), None), within(-5, 5), UNIT),
    "hyp0f1": of(mp.hyp0f1, within(0.1, 8), within(-100, 100)),
    "hyp1f1": of(mp.hyp1f1, within(0.1, 8), within(0.1, 8), within(-100, 100)),
    "hyp2f1": of(mp.hyp2f1, within(0.1, 4), within(0.1, 4), within(0.1, 8), within(-20, 1)),
    "wright_bessel": of(_wright, within(0, 3), within(0, 8), within(0, 20)),
    "log_wright_bessel": of(lambda a, b, x: mp.log(_wright(a, b, x)), within(0, 3), within(0, 8), within(0, 20)),
}

# --- orthogonal polynomials -------------------------------------------------------------------------------------------


def _shifted(f: Any) -> Any:
    return lambda *args: f(*args[:-1], 2 * args[-1] - 1)


_LINE = within(-30, 30)
_UP = within(-0.9, 5)
_POLYNOMIALS: dict[str, Reference] = {
    "eval_jacobi": of(mp.jacobi, _WHOLE, _UP, _UP, SIGNED_UNIT),
    "eval_sh_jacobi": of(
        lambda n, p, q, x: mp.jacobi(n, p - q, q - 1, 2 * x - 1) / mp.binomial(2 * n + p - 1, n),
        _WHOLE,
        within(4, 8),
        within(1, 4),
        UNIT,
    ),
    "eval_gegenbauer": of(mp.gegenbauer, _WHOLE, within(0.1, 5), SIGNED_UNIT),
    "eval_genlaguerre": of(mp.laguerre, _WHOLE, _UP, _LINE),
    "eval_laguerre": of(lambda n, x: mp.laguerre(n, 0, x), _WHOLE, _LINE),
    "eval_legendre": of(mp.legendre, _WHOLE, SIGNED_UNIT),
    "eval_sh_legendre": of(_shifted(mp.legendre), _WHOLE, UNIT),
    "eval_chebyt": of(mp.chebyt, _WHOLE, SIGNED_UNIT),
    "eval_chebyu": of(mp.chebyu, _WHOLE, SIGNED_UNIT),
    "eval_chebyc": of(lambda n, x: 2 * mp.chebyt(n, x / 2), _WHOLE, within(-2, 2)),
    "eval_chebys": of(lambda n, x: mp.chebyu(n, x / 2), _WHOLE, within(-2, 2)),
    "eval_sh_chebyt": of(_shifted(mp.chebyt), _WHOLE, UNIT),
    "eval_sh_chebyu": of(_shifted(mp.chebyu), _WHOLE, UNIT),
    "eval_hermite": of(mp.hermite, _WHOLE, _LINE),
    "eval_hermitenorm": of(lambda n, x: mp.mpf(2) ** (-mp.mpf(n) / 2) * mp.hermite(n, x / mp.sqrt(2)), _WHOLE, _LINE),
}

TABLE = {f"scipy.special.{name}": reference for part in (_ELLIPTIC, _POLYNOMIALS) for name, reference in part.items()}
