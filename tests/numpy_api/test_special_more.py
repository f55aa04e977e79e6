"""scipy.special: distributions, orthogonal polynomials, elliptic integrals and other rare functions against mpmath."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from scipy import special as sc

import covector as cv


def _voigt(x: Any, sigma: Any, gamma: Any) -> Any:
    z = mp.mpc(x, gamma) / (sigma * mp.sqrt(2))
    return mp.re(mp.exp(-z * z) * mp.erfc(-1j * z)) / (sigma * mp.sqrt(2 * mp.pi))


def _kolmogorov(x: Any) -> Any:
    return 2 * mp.fsum((-1) ** (k - 1) * mp.exp(-2 * k * k * x * x) for k in range(1, 90))


def _incomplete_beta(a: Any, b: Any, x: Any) -> Any:
    return mp.betainc(a, b, 0, x, True)


def _incomplete_f(m: Any, n: Any, x: float) -> Any:
    m, n, x = mp.mpf(m), mp.mpf(n), mp.mpf(x)
    return _incomplete_beta(m / 2, n / 2, m * x / (n + m * x))


# (name, function of one variable, the same in mpmath, points)
CASES: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any], list[float]]] = [
    ("zeta", sc.zeta, mp.zeta, [-7.5, -2.0, -0.3, 0.2, 0.7, 1.2, 3.0, 20.0]),
    ("zetac", sc.zetac, lambda s: mp.zeta(s) - 1, [-3.3, 0.6, 2.5, 9.0]),
    ("elliprc x", lambda x: sc.elliprc(x, 0.7), lambda x: mp.elliprc(x, 0.7), [0.1, 0.7000001, 3.0]),
    ("elliprc y", lambda y: sc.elliprc(1.3, y), lambda y: mp.elliprc(1.3, y), [0.2, 1.3000001, 5.0]),
    ("elliprf", lambda x: sc.elliprf(x, 0.7, 1.1), lambda x: mp.elliprf(x, 0.7, 1.1), [1e-3, 0.7, 40.0]),
    ("elliprd x", lambda x: sc.elliprd(x, 0.7, 1.1), lambda x: mp.elliprd(x, 0.7, 1.1), [1e-3, 1.1, 40.0]),
    ("elliprd z", lambda z: sc.elliprd(0.3, 0.7, z), lambda z: mp.elliprd(0.3, 0.7, z), [1e-2, 0.7, 40.0]),
    ("elliprg", lambda x: sc.elliprg(x, 0.7, 1.1), lambda x: mp.elliprg(x, 0.7, 1.1), [0.01, 1.1, 40.0]),
    ("elliprj x", lambda x: sc.elliprj(x, 0.7, 1.1, 0.9), lambda x: mp.elliprj(x, 0.7, 1.1, 0.9), [0.01, 0.7, 9.0]),
    ("elliprj p", lambda p: sc.elliprj(0.3, 0.7, 1.1, p), lambda p: mp.elliprj(0.3, 0.7, 1.1, p), [0.1, 0.7, 9.0]),
    ("agm", lambda a: sc.agm(a, 0.7), lambda a: mp.agm(a, 0.7), [1e-3, 0.7, 0.70001, 50.0]),
    ("legendre", lambda x: sc.eval_legendre(5, x), lambda x: mp.legendre(5, x), [-0.9, 0.0, 0.99]),
    ("chebyt", lambda x: sc.eval_chebyt(4, x), lambda x: mp.chebyt(4, x), [-0.9, 0.3]),
    ("chebyu", lambda x: sc.eval_chebyu(4, x), lambda x: mp.chebyu(4, x), [-0.9, 0.3]),
    ("hermite", lambda x: sc.eval_hermite(5, x), lambda x: mp.hermite(5, x), [-2.0, 0.3]),
    ("laguerre", lambda x: sc.eval_laguerre(5, x), lambda x: mp.laguerre(5, 0, x), [0.3, 4.0]),
    ("genlaguerre", lambda x: sc.eval_genlaguerre(4, 1.5, x), lambda x: mp.laguerre(4, 1.5, x), [0.3, 4.0]),
    ("gegenbauer", lambda x: sc.eval_gegenbauer(4, 1.5, x), lambda x: mp.gegenbauer(4, 1.5, x), [-0.4, 0.7]),
    ("jacobi", lambda x: sc.eval_jacobi(4, 0.5, 1.5, x), lambda x: mp.jacobi(4, 0.5, 1.5, x), [-0.4, 0.7]),
    ("lpmv", lambda x: sc.lpmv(1, 3, x), lambda x: mp.legenp(3, 1, x), [-0.6, 0.3]),
    ("ber", sc.ber, lambda x: mp.ber(0, x), [0.5, 4.0]),
    ("pbdv", lambda x: sc.pbdv(1.5, x)[0], lambda x: mp.pcfd(1.5, x), [0.4, 2.0]),
    ("kolmogorov", sc.kolmogorov, _kolmogorov, [0.3, 0.99, 1.01, 2.0]),
    ("chdtr", lambda x: sc.chdtr(3, x), lambda x: mp.gammainc(1.5, 0, x / 2, True), [0.1, 2.0, 30.0]),
    ("gdtr", lambda x: sc.gdtr(1.3, 2.5, x), lambda x: mp.gammainc(2.5, 0, 1.3 * x, True), [0.1, 2.0]),
    ("pdtr", lambda m: sc.pdtr(3, m), lambda m: mp.gammainc(4, m, mp.inf, True), [0.5, 4.0]),
    ("bdtr", lambda p: sc.bdtr(2, 6, p), lambda p: _incomplete_beta(4, 3, 1 - p), [0.2, 0.8]),
    ("nbdtr", lambda p: sc.nbdtr(2, 6, p), lambda p: _incomplete_beta(6, 3, p), [0.2, 0.8]),
    ("fdtr", lambda x: sc.fdtr(3, 5, x), lambda x: _incomplete_beta(1.5, 2.5, 3 * x / (5 + 3 * x)), [0.2, 4.0]),
    ("stdtr", lambda t: sc.stdtr(3, t), lambda t: 1 - _incomplete_beta(1.5, 0.5, 3 / (3 + t * t)) / 2, [0.3, 4.0]),
    ("chdtr v", lambda v: sc.chdtr(v, 2.0), lambda v: mp.gammainc(v / 2, 0, 1, True), [0.7, 3.0]),
    ("gdtr b", lambda b: sc.gdtr(1.3, b, 2.0), lambda b: mp.gammainc(b, 0, mp.mpf(1.3) * 2, True), [0.7, 3.0]),
    ("fdtr dfn", lambda m: sc.fdtr(m, 5.0, 0.7), lambda m: _incomplete_f(m, 5, 0.7), [1.5, 4.0]),
    ("fdtr dfd", lambda n: sc.fdtr(3.0, n, 4.0), lambda n: _incomplete_f(3, n, 4.0), [1.5, 4.0]),
    ("voigt x", lambda x: sc.voigt_profile(x, 0.8, 0.5), lambda x: _voigt(x, 0.8, 0.5), [-1.0, 0.3]),
    ("voigt sigma", lambda s: sc.voigt_profile(0.4, s, 0.5), lambda s: _voigt(0.4, s, 0.5), [0.6, 1.3]),
    ("voigt gamma", lambda g: sc.voigt_profile(0.4, 0.8, g), lambda g: _voigt(0.4, 0.8, g), [0.3, 1.3]),
]


@pytest.mark.parametrize(("fun", "exact", "points"), [pytest.param(*c[1:], id=c[0]) for c in CASES])
def test_first_derivative_is_mpmaths(fun: Any, exact: Any, points: list[float]) -> None:
    with mp.workdps(40), np.errstate(all="ignore"):
        for x in points:
            want = float(mp.re(mp.diff(lambda t: mp.re(exact(t)), mp.mpf(x))))
            for got in (cv.grad(fun)(x), cv.jvp(fun, (x,), (1.0,))[1]):
                np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-14, err_msg=f"at {x}")


def test_noncentral_chi_square_is_a_mixture() -> None:
    x, nc = 2.3, 1.7
    weights = [float(mp.exp(-nc / 2) * (nc / 2) ** j / mp.factorial(j)) for j in range(60)]
    density = sum(w * cv.grad(lambda x, j=j: sc.chdtr(5 + 2 * j, x))(x) for j, w in enumerate(weights))
    np.testing.assert_allclose(cv.grad(lambda x: sc.chndtr(x, 5, nc))(x), density, rtol=1e-12)
    by_nc = 0.5 * (sc.chndtr(x, 7.0, nc) - sc.chndtr(x, 5.0, nc))
    np.testing.assert_allclose(cv.grad(lambda nc: sc.chndtr(x, 5, nc))(nc), by_nc, rtol=1e-9)


def test_noncentrality_zero_is_central() -> None:
    x = 1.2
    for noncentral, central in (
        (lambda x: sc.chndtr(x, 5, 0.0), lambda x: sc.chdtr(5, x)),
        (lambda t: sc.nctdtr(5, 0.0, t), lambda t: sc.stdtr(5, t)),
        (lambda f: sc.ncfdtr(3, 5, 0.0, f), lambda f: sc.fdtr(3, 5, f)),
    ):
        np.testing.assert_allclose(cv.grad(noncentral)(x), cv.grad(central)(x), rtol=1e-12)


def test_the_principal_value_of_carlsons_rc() -> None:
    x, y, h = 1.3, -0.7, 1e-5
    by_y = (sc.elliprc(x, y + h) - sc.elliprc(x, y - h)) / (2 * h)
    np.testing.assert_allclose(cv.grad(lambda y: sc.elliprc(x, y))(y), by_y, rtol=1e-8)
