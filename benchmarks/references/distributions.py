"""References of the distribution functions of scipy.special."""

from __future__ import annotations

from typing import Any

from mpmath import mp

from .points import UNIT, Domain, whole, within
from .reference import Reference, both, inverse, of

__all__ = ["TABLE"]


def _start(name: str) -> Any:
    def start(*args: float) -> Any:
        from scipy import special

        # Numbers of trials as whole numbers: SciPy deprecates them as doubles.
        return getattr(special, name)(*[int(x) if x.is_integer() else x for x in args])

    return start


def _gamma(a: Any, x: Any) -> Any:
    return mp.gammainc(a, 0, x, regularized=True)


def _gamma_upper(a: Any, x: Any) -> Any:
    return mp.gammainc(a, x, mp.inf, regularized=True)


def _beta(a: Any, b: Any, x: Any) -> Any:
    return mp.betainc(a, b, 0, x, regularized=True)


def _gamma_slope(a: Any, x: Any) -> Any:
    return x ** (a - 1) * mp.exp(-x) * mp.rgamma(a)


def _beta_slope(a: Any, b: Any, x: Any) -> Any:
    return x ** (a - 1) * (1 - x) ** (b - 1) / mp.beta(a, b)


def _complement(f: Any) -> Any:
    return lambda *args: 1 - f(*args)


def _negative(f: Any) -> Any:
    return lambda *args: -f(*args)


def _f(m: Any, n: Any, x: Any) -> Any:
    return _beta(m / 2, n / 2, m * x / (m * x + n))


def _f_slope(m: Any, n: Any, x: Any) -> Any:
    return _beta_slope(m / 2, n / 2, m * x / (m * x + n)) * m * n / (m * x + n) ** 2


def _student(df: Any, t: Any) -> Any:
    tail = _beta(df / 2, mp.mpf(1) / 2, df / (df + t**2)) / 2
    return tail if t < 0 else 1 - tail


def _student_slope(df: Any, t: Any) -> Any:
    return (1 + t**2 / df) ** (-(df + 1) / 2) / (mp.sqrt(df) * mp.beta(mp.mpf(1) / 2, df / 2))


def _kolmogorov(x: Any) -> Any:
    if x <= 0:
        return mp.mpf(1)
    terms = int(mp.sqrt(mp.dps * 2.4) / x) + 3
    return 2 * mp.fsum((-1) ** (k - 1) * mp.exp(-2 * (k * x) ** 2) for k in range(1, terms))


def _normal(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


_A = within(0.05, 60)
_X = within(1e-20, 100)
_P = within(1e-9, 1, 1 - 1e-8, 0.999)
_COUNT = whole(1, 12)


def _chi2_slope(v: Any, x: Any) -> Any:
    return _gamma_slope(v / 2, x / 2) / 2


def _chi2_upper(v: Any, x: Any) -> Any:
    return _gamma_upper(v / 2, x / 2)


def _gdtr(a: Any, b: Any, x: Any) -> Any:
    return _gamma(b, a * x)


def _gdtr_slope(a: Any, b: Any, x: Any) -> Any:
    return a * _gamma_slope(b, a * x)


def _gdtr_by_a(a: Any, b: Any, x: Any) -> Any:
    return x * _gamma_slope(b, a * x)


def _poisson(k: Any, m: Any) -> Any:
    return _gamma_upper(k + 1, m)


def _poisson_slope(k: Any, m: Any) -> Any:
    return -_gamma_slope(k + 1, m)


def _bdtr(k: Any, n: Any, p: Any) -> Any:
    return _beta(n - k, k + 1, 1 - p)


def _bdtr_slope(k: Any, n: Any, p: Any) -> Any:
    return -_beta_slope(n - k, k + 1, 1 - p)


def _nbdtr(k: Any, n: Any, p: Any) -> Any:
    return _beta(n, k + 1, p)


def _nbdtr_slope(k: Any, n: Any, p: Any) -> Any:
    return _beta_slope(n, k + 1, p)


def _pair(name: str, f: Any, slopes: tuple[Any, ...], *domains: Domain) -> dict[str, Reference]:
    """A distribution function and its complement; parameters without closed form by numerical differentiation."""
    return {
        name: both(f, slopes, *domains),
        f"{name}c": both(_complement(f), tuple(slope and _negative(slope) for slope in slopes), *domains),
    }


def _quantile(name: str, f: Any, slope: Any, *domains: Domain) -> dict[str, Reference]:
    """The inverse in the last argument."""
    return {name: inverse(f, len(domains) - 1, _start(name), *domains, slope=slope)}


_SCALE = within(0.1, 8)
_K, _N = whole(0, 5), whole(6, 12)
_TABLE: dict[str, Reference] = {
    **_pair("gammainc", _gamma, (None, _gamma_slope), _A, _X),
    **_quantile("gammaincinv", _gamma, _gamma_slope, _A, _P),
    **_quantile("gammainccinv", _gamma_upper, _negative(_gamma_slope), _A, _P),
    **_pair("betainc", _beta, (None, None, _beta_slope), _A, _A, UNIT),
    **_quantile("betaincinv", _beta, _beta_slope, _A, _A, _P),
    **_quantile("betainccinv", _complement(_beta), _negative(_beta_slope), _A, _A, _P),
    **_pair("chdtr", _complement(_chi2_upper), (None, _chi2_slope), _A, _X),
    **_quantile("chdtri", _chi2_upper, _negative(_chi2_slope), _A, _P),
    **_pair("gdtr", _gdtr, (_gdtr_by_a, None, _gdtr_slope), _SCALE, _A, within(1e-20, 30)),
    **_quantile("gdtrix", _gdtr, _gdtr_slope, _SCALE, _A, _P),
    "gdtria": inverse(_gdtr, 0, _start("gdtria"), _P, _A, within(0.1, 30), slope=_gdtr_by_a),
    **_pair("pdtr", _poisson, (None, _poisson_slope), _COUNT, _X),
    **_quantile("pdtri", _poisson, _poisson_slope, _COUNT, _P),
    **_pair("bdtr", _bdtr, (None, None, _bdtr_slope), _K, _N, UNIT),
    **_quantile("bdtri", _bdtr, _bdtr_slope, _K, _N, _P),
    **_pair("nbdtr", _nbdtr, (None, None, _nbdtr_slope), _K, _COUNT, UNIT),
    **_quantile("nbdtri", _nbdtr, _nbdtr_slope, _K, _COUNT, _P),
    **_pair("fdtr", _f, (None, None, _f_slope), _A, _A, _X),
    **_quantile("fdtri", _f, _f_slope, _A, _A, _P),
    "stdtr": both(_student, (None, _student_slope), _A, within(-50, 50)),
    **_quantile("stdtrit", _student, _student_slope, _A, _P),
    "nrdtrimn": inverse(lambda p, s, x: _normal((x - p) / s), 0, _start("nrdtrimn"), _P, _SCALE, within(-20, 20)),
    "nrdtrisd": inverse(
        lambda m, p, x: _normal((x - m) / p), 1, _start("nrdtrisd"), within(-4, 0), within(0.5, 1), within(0, 20)
    ),
    "kolmogorov": of(_kolmogorov, within(0.03, 18)),
    "kolmogi": inverse(_kolmogorov, 0, _start("kolmogi"), UNIT),
}
TABLE = {f"scipy.special.{name}": reference for name, reference in _TABLE.items()}
