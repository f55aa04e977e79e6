"""References of scipy.special, distribution functions apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mpmath import mp

from .points import ABOVE_MINUS_ONE, NEGATIVE, POSITIVE, REAL, SIGNED_UNIT, UNIT, Domain, whole, within
from .reference import Reference, both, inverse, of, partials

__all__ = ["TABLE"]


def _half_exp(x: Any) -> Any:
    return mp.exp(-(x**2) / 2) / mp.sqrt(2 * mp.pi)


def _ncdf(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _logistic(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _scipy(name: str) -> Any:
    def start(*args: float) -> Any:
        from scipy import special

        return getattr(special, name)(*args)

    return start


# --- powers, exponentials, losses -------------------------------------------------------------------------------------


def _boxcox_by_lambda(log: Any, lmbda: Any) -> Any:
    u = lmbda * log
    return log**2 * ((u - 1) * mp.exp(u) + 1) / u**2 if u else log**2 / 2


def _inv_boxcox(y: Any, lmbda: Any) -> Any:
    if 1 + lmbda * y <= 0:
        raise ValueError("outside the range of the transformation")
    return mp.exp(mp.log1p(lmbda * y) / lmbda) if lmbda else mp.exp(y)


def _pseudo_huber_by_delta(d: Any, u: Any) -> Any:
    s = mp.sqrt(1 + u**2)
    return d * u**4 / (s * (1 + s) ** 2)


def _inv_boxcox_by_lambda(y: Any, lmbda: Any) -> Any:
    log = mp.log1p(lmbda * y) / lmbda
    return _inv_boxcox(y, lmbda) * (y / (1 + lmbda * y) - log) / lmbda


def _tukey_quantile(x: Any, lmbda: Any) -> Any:
    return (x**lmbda - (1 - x) ** lmbda) / lmbda


_ELEMENTARY: dict[str, Reference] = {
    "exp2": partials((lambda x: mp.log(2) * mp.mpf(2) ** x,), REAL),
    "exp10": partials((lambda x: mp.log(10) * mp.mpf(10) ** x,), REAL),
    "expm1": partials((mp.exp,), REAL),
    "log1p": partials((lambda x: 1 / (1 + x),), ABOVE_MINUS_ONE),
    "cbrt": partials((lambda x: abs(x) ** (mp.mpf(-2) / 3) / 3,), REAL),
    "cosm1": partials((lambda x: -mp.sin(x),), REAL),
    "powm1": partials((lambda x, y: y * x ** (y - 1), lambda x, y: x**y * mp.log(x)), POSITIVE, within(-60, 60)),
    "sindg": partials((lambda x: mp.pi / 180 * mp.cos(mp.pi * x / 180),), within(-1e9, 1e9)),
    "cosdg": partials((lambda x: -mp.pi / 180 * mp.sin(mp.pi * x / 180),), within(-1e9, 1e9)),
    "tandg": partials((lambda x: mp.pi / 180 * mp.sec(mp.pi * x / 180) ** 2,), within(-1e9, 1e9)),
    "cotdg": partials((lambda x: -mp.pi / 180 * mp.csc(mp.pi * x / 180) ** 2,), within(-1e9, 1e9)),
    "radian": partials(tuple(lambda d, m, s, k=k: mp.pi / 180 / k for k in (1, 60, 3600)), REAL, REAL, REAL),
    "boxcox": partials(
        (lambda x, k: x ** (k - 1), lambda x, k: _boxcox_by_lambda(mp.log(x), k)), POSITIVE, within(-30, 30)
    ),
    "boxcox1p": partials(
        (lambda x, k: (1 + x) ** (k - 1), lambda x, k: _boxcox_by_lambda(mp.log1p(x), k)),
        ABOVE_MINUS_ONE,
        within(-30, 30),
    ),
    "inv_boxcox": partials(
        (lambda y, k: _inv_boxcox(y, k) / (1 + k * y), _inv_boxcox_by_lambda), within(-30, 30), within(-30, 30)
    ),
    "inv_boxcox1p": partials(
        (lambda y, k: _inv_boxcox(y, k) / (1 + k * y), _inv_boxcox_by_lambda), within(-30, 30), within(-30, 30)
    ),
    "xlogy": partials((lambda x, y: mp.log(y), lambda x, y: x / y), REAL, POSITIVE),
    "xlog1py": partials((lambda x, y: mp.log1p(y), lambda x, y: x / (1 + y)), REAL, ABOVE_MINUS_ONE),
    "entr": partials((lambda x: -mp.log(x) - 1,), POSITIVE),
    "rel_entr": partials((lambda x, y: mp.log(x / y) + 1, lambda x, y: -x / y), POSITIVE, POSITIVE),
    "kl_div": partials((lambda x, y: mp.log(x / y), lambda x, y: 1 - x / y), POSITIVE, POSITIVE),
    "expit": partials((lambda x: _logistic(x) * _logistic(-x),), REAL),
    "log_expit": partials((lambda x: _logistic(-x),), REAL),
    "logit": partials((lambda p: 1 / (p * (1 - p)),), UNIT),
    "huber": partials(
        (
            lambda d, r: abs(r) - d if abs(r) > d else mp.mpf(0),
            lambda d, r: r if abs(r) <= d else d * mp.sign(r),
        ),
        POSITIVE,
        REAL,
    ),
    "pseudo_huber": partials(
        (
            lambda d, r: _pseudo_huber_by_delta(d, r / d),
            lambda d, r: r / mp.sqrt(1 + (r / d) ** 2),
        ),
        POSITIVE,
        REAL,
    ),
    "exprel": partials((lambda x: (mp.exp(x) * (x - 1) + 1) / x**2,), REAL),
    "tklmbda": inverse(
        _tukey_quantile,
        0,
        _scipy("tklmbda"),
        Domain(-0.2, 0.2, (0.19, -0.19, 0.01, 1e-5)),
        Domain(0.1, 4.0, (0.05, 0.5, 1.0, 2.0)),
    ),
}

# --- error functions --------------------------------------------------------------------------------------------------


def _erfcx_slope(x: Any) -> Any:
    return 2 * x * mp.exp(x**2) * mp.erfc(x) - 2 / mp.sqrt(mp.pi)


def _dawson(x: Any) -> Any:
    return mp.sqrt(mp.pi) / 2 * mp.exp(-(x**2)) * mp.erfi(x)


def _faddeeva(z: Any) -> Any:
    return mp.exp(-(z**2)) * mp.erfc(-1j * z)


def _owens_t_by_h(h: Any, a: Any) -> Any:
    return -_half_exp(h) * mp.erf(a * h / mp.sqrt(2)) / 2


def _voigt(x: Any, sigma: Any, gamma: Any) -> Any:
    return mp.re(_faddeeva((x + 1j * gamma) / (sigma * mp.sqrt(2)))) / (sigma * mp.sqrt(2 * mp.pi))


_TAIL = within(-38, 38, -37.5, 26.2, 27.1, 5.0, -5.0, 12.0, -12.0)
_ERROR: dict[str, Reference] = {
    "erf": partials((lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-(x**2)),), _TAIL),
    "erfc": partials((lambda x: -2 / mp.sqrt(mp.pi) * mp.exp(-(x**2)),), _TAIL),
    "erfi": partials((lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(x**2),), _TAIL),
    "erfcx": partials((_erfcx_slope,), within(-26, 1e150)),
    "dawsn": partials((lambda x: 1 - 2 * x * _dawson(x),), within(-1e150, 1e150)),
    "wofz": partials((lambda z: -2 * z * _faddeeva(z) + 2j / mp.sqrt(mp.pi),), _TAIL),
    "erfinv": inverse(mp.erf, 0, _scipy("erfinv"), SIGNED_UNIT),
    "erfcinv": inverse(mp.erfc, 0, _scipy("erfcinv"), within(0, 2)),
    "ndtr": partials((_half_exp,), _TAIL),
    "ndtri": inverse(_ncdf, 0, _scipy("ndtri"), UNIT),
    "log_ndtr": partials((lambda x: _half_exp(x) / _ncdf(x),), REAL),
    "ndtri_exp": inverse(lambda x: mp.log(_ncdf(x)), 0, _scipy("ndtri_exp"), NEGATIVE),
    "owens_t": partials(
        (_owens_t_by_h, lambda h, a: mp.exp(-(h**2) * (1 + a**2) / 2) / (2 * mp.pi * (1 + a**2))),
        within(-30, 30),
        within(-30, 30),
    ),
    "voigt_profile": of(_voigt, within(-30, 30), within(0.1, 8), within(0.1, 8)),
}

# --- gamma and zeta ---------------------------------------------------------------------------------------------------


def _psi(x: Any) -> Any:
    return mp.digamma(x)


_GAMMA_POINTS = within(-160, 170, -0.5, -2.7, -19.3)
_SHAPES = within(1e-20, 150)
_GAMMA: dict[str, Reference] = {
    "psi": partials((lambda x: mp.polygamma(1, x),), within(-200, 1e100)),
    "gammaln": partials((_psi,), within(-200, 1e100)),
    "loggamma": partials((_psi,), POSITIVE),
    "gamma": partials((lambda x: mp.gamma(x) * _psi(x),), _GAMMA_POINTS),
    "rgamma": partials((lambda x: -mp.rgamma(x) * _psi(x),), _GAMMA_POINTS),
    "beta": partials(
        (
            lambda a, b: mp.beta(a, b) * (_psi(a) - _psi(a + b)),
            lambda a, b: mp.beta(a, b) * (_psi(b) - _psi(a + b)),
        ),
        _SHAPES,
        _SHAPES,
    ),
    "betaln": partials((lambda a, b: _psi(a) - _psi(a + b), lambda a, b: _psi(b) - _psi(a + b)), _SHAPES, _SHAPES),
    "binom": partials(
        (
            lambda n, k: mp.binomial(n, k) * (_psi(n + 1) - _psi(n - k + 1)),
            lambda n, k: mp.binomial(n, k) * (_psi(n - k + 1) - _psi(k + 1)),
        ),
        within(1e-9, 100),
        within(1e-9, 0.999),
    ),
    "poch": partials(
        (lambda z, m: mp.rf(z, m) * (_psi(z + m) - _psi(z)), lambda z, m: mp.rf(z, m) * _psi(z + m)),
        within(1e-9, 100),
        within(1e-9, 20),
    ),
    "zeta(s)": partials((lambda s: mp.zeta(s, 1, 1),), within(1.001, 60)),
    "zetac": partials((lambda s: mp.zeta(s, 1, 1),), within(1.001, 60)),
    "zeta": partials((lambda s, q: mp.zeta(s, q, 1), lambda s, q: -s * mp.zeta(s + 1, q)), within(1.1, 30), _SHAPES),
}

# --- Bessel functions and their kin -----------------------------------------------------------------------------------

_BESSEL_REAL = within(-700, 700)
_BESSEL_POSITIVE = within(0, 690)
_ORDER = within(0.01, 10)
_WHOLE = whole(0, 6)


def _scaled(f: Any, sign: int) -> Any:
    return lambda *args: f(*args) * mp.exp(sign * abs(args[-1]))


def _fixed(f: Any, v: int) -> Any:
    return lambda z: f(v, z)


def _neighbours(f: Any, lower: int, upper: int) -> Any:
    """The derivative (± f of the order below ± f of the order above) / 2."""
    return lambda v, z: (lower * f(v - 1, z) + upper * f(v + 1, z)) / 2


def _bessel() -> dict[str, Reference]:
    table = {}
    for letter, f, lower, upper, domain in (
        ("j", mp.besselj, 1, -1, _BESSEL_REAL),
        ("y", mp.bessely, 1, -1, _BESSEL_POSITIVE),
        ("i", mp.besseli, 1, 1, _BESSEL_REAL),
        ("k", mp.besselk, -1, -1, _BESSEL_POSITIVE),
    ):
        slope = _neighbours(f, lower, upper)
        for v in (0, 1):
            table[f"{letter}{v}"] = partials((_fixed(slope, v),), domain)
        table[f"{letter}v"] = both(f, (None, slope), _ORDER, _BESSEL_POSITIVE)
        if letter in "yk":
            table[f"{letter}n"] = partials((None, slope), _WHOLE, _BESSEL_POSITIVE)
        if letter in "ik":
            sign = -1 if letter == "i" else 1
            scaled = lambda v, z, f=f, g=slope, s=sign: mp.exp(s * z) * (g(v, z) + s * f(v, z))
            for v in (0, 1):
                table[f"{letter}{v}e"] = partials((_fixed(scaled, v),), within(0, 1e6))
            table[f"{letter}ve"] = both(_scaled(f, sign), (None, scaled), _ORDER, within(0, 1e4))
    table["jve"], table["yve"] = table["jv"], table["yv"]
    for k, f, sign in ((1, mp.hankel1, -1j), (2, mp.hankel2, 1j)):
        slope = _neighbours(f, 1, -1)
        scaled = lambda v, z, f=f, g=slope, s=sign: mp.exp(s * z) * (g(v, z) + s * f(v, z))
        table[f"hankel{k}"] = both(f, (None, slope), _ORDER, within(0, 100))
        table[f"hankel{k}e"] = both(
            lambda v, z, f=f, s=sign: f(v, z) * mp.exp(s * z), (None, scaled), _ORDER, within(0, 100)
        )
    return table


def _airy() -> dict[str, Reference]:
    plain = within(-100, 60)
    ai, bi = mp.airyai, mp.airybi
    table = {
        "airy[0]": partials((lambda z: ai(z, derivative=1),), plain),
        "airy[1]": partials((lambda z: z * ai(z),), plain),
        "airy[2]": partials((lambda z: bi(z, derivative=1),), plain),
        "airy[3]": partials((lambda z: z * bi(z),), plain),
    }
    for i, (f, n, sign) in enumerate(((ai, 0, 1), (ai, 1, 1), (bi, 0, -1), (bi, 1, -1))):
        table[f"airye[{i}]"] = of(
            lambda z, f=f, n=n, s=sign: f(z, derivative=n) * mp.exp(s * mp.mpf(2) / 3 * z ** mp.mpf(1.5)),
            within(0, 100),
        )
    for i, (f, sign) in enumerate(((ai, 1), (bi, 1), (ai, -1), (bi, -1))):
        table[f"itairy[{i}]"] = partials((lambda x, f=f, s=sign: f(s * x),), within(0, 20))
    return table


_SMALL = within(0, 30)
# SciPy's slopes have the wrong sign next to whole orders, as at pbdv(-0.9999999999999999, 1).
_PARABOLIC = Domain(0.1, 3.0, (0.5, 1.5, 2.5))
_INTEGRALS: dict[str, Reference] = {
    "struve": of(mp.struveh, _ORDER, within(0, 100)),
    "modstruve": of(mp.struvel, _ORDER, within(0, 100)),
    "itstruve0": partials((lambda x: mp.struveh(0, x),), _SMALL),
    "itmodstruve0": partials((lambda x: mp.struvel(0, x),), _SMALL),
    "it2struve0": partials((lambda x: -mp.struveh(0, x) / x,), _SMALL),
    "iti0k0[0]": partials((lambda x: mp.besseli(0, x),), _SMALL),
    "iti0k0[1]": partials((lambda x: mp.besselk(0, x),), _SMALL),
    "itj0y0[0]": partials((lambda x: mp.besselj(0, x),), _SMALL),
    "itj0y0[1]": partials((lambda x: mp.bessely(0, x),), _SMALL),
    "it2i0k0[0]": partials((lambda x: (mp.besseli(0, x) - 1) / x,), _SMALL),
    "it2i0k0[1]": partials((lambda x: -mp.besselk(0, x) / x,), _SMALL),
    "it2j0y0[0]": partials((lambda x: (1 - mp.besselj(0, x)) / x,), _SMALL),
    "it2j0y0[1]": partials((lambda x: -mp.bessely(0, x) / x,), _SMALL),
    "exp1": partials((lambda x: -mp.exp(-x) / x,), within(0, 720)),
    "expi": partials((lambda x: mp.exp(x) / x,), within(-700, 720)),
    "expn": partials((None, lambda n, x: -mp.expint(n - 1, x)), _WHOLE, within(0, 720)),
    "sici[0]": partials((lambda x: mp.sinc(x),), REAL),
    "sici[1]": partials((lambda x: mp.cos(x) / x,), POSITIVE),
    "shichi[0]": partials((lambda x: mp.sinh(x) / x,), within(-720, 720)),
    "shichi[1]": partials((lambda x: mp.cosh(x) / x,), within(0, 720)),
    "fresnel[0]": partials((lambda x: mp.sin(mp.pi * x**2 / 2),), within(-1e7, 1e7)),
    "fresnel[1]": partials((lambda x: mp.cos(mp.pi * x**2 / 2),), within(-1e7, 1e7)),
    "spence": partials((lambda x: mp.log(x) / (1 - x) if x != 1 else mp.mpf(-1),), POSITIVE),
    "wrightomega": partials((lambda x: 1 - 1 / (1 + mp.lambertw(mp.exp(x))),), within(-700, 30)),
    "lambertw": partials(
        (lambda z, k, tol: mp.lambertw(z) / (z * (1 + mp.lambertw(z))), None, None),
        within(-0.36, 1e300),
        whole(0, 0),
        whole(0, 0),
    ),
    "besselpoly": of(
        lambda a, k, v: (
            a**v * mp.rgamma(v + 1) / (k + v + 1) * mp.hyper([(k + v + 1) / 2], [(k + v + 3) / 2, v + 1], -(a**2))
        ),
        within(0.01, 4),
        within(0, 4),
        within(0, 4),
    ),
    "pbdv[0]": of(mp.pcfd, _PARABOLIC, within(-8, 8)),
    "pbdv[1]": partials((None, lambda v, x: (x**2 / 4 - v - 0.5) * mp.pcfd(v, x)), _PARABOLIC, within(-8, 8)),
    "pbvv[0]": of(lambda v, x: mp.pcfv(-v - mp.mpf(0.5), x), _PARABOLIC, within(-8, 8)),
    "pbvv[1]": partials(
        (None, lambda v, x: (x**2 / 4 - v - 0.5) * mp.pcfv(-v - mp.mpf(0.5), x)), _PARABOLIC, within(-8, 8)
    ),
    "pbwa[0]": of(mp.pcfw, within(-4, 4), within(-4, 4)),
    "pbwa[1]": partials((None, lambda a, x: (a - x**2 / 4) * mp.pcfw(a, x)), within(-4, 4), within(-4, 4)),
}


def _modfresnel(i: int, sign: int) -> Any:
    turn = mp.mpc(0, sign)
    if i == 0:
        return lambda x: -mp.exp(turn * x**2)

    # K = exp(∓i(x² + π/4))/√π F
    def f(x: Any) -> Any:
        w = mp.exp(turn * mp.pi / 4)
        integral = mp.sqrt(mp.pi) / 2 * w * mp.erfc(x / w)
        return integral * mp.exp(-turn * (x**2 + mp.pi / 4)) / mp.sqrt(mp.pi)

    return lambda x: mp.diff(f, x, relative=bool(x))


for _name, _s in (("modfresnelp", 1), ("modfresnelm", -1)):
    for _i in (0, 1):
        _INTEGRALS[f"{_name}[{_i}]"] = partials((_modfresnel(_i, _s),), within(-8, 100))

# High precision is slow for these, and needed only where mpmath's own values vanish.
_SLOW = ("k0e", "k1e", "i0e", "i1e", "kn", "k1", "k0", "betaln", "beta")

TABLE = {
    f"scipy.special.{name}": replace(reference, digits=200) if name in _SLOW else reference
    for part in (_ELEMENTARY, _ERROR, _GAMMA, _bessel(), _airy(), _INTEGRALS)
    for name, reference in part.items()
}
