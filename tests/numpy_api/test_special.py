"""scipy.special: derivatives against mpmath, singular points, parameters without derivative, late loading."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import special as sc

import covector as cv
from covector.core.dispatch import UFUNCS
from covector.core.errors import NotDifferentiableError
from helpers import assert_same_as_numpy, check

mp = mpmath.mp

# (ufunc, the function in mpmath, points, relative tolerance)
ONE: list[tuple[Any, Callable[[Any], Any], list[float], float]] = [
    (sc.erf, mpmath.erf, [-3.0, 0.0, 0.4, 5.0], 1e-14),
    (sc.erfc, mpmath.erfc, [-3.0, 0.4, 20.0], 1e-13),
    (sc.erfi, mpmath.erfi, [-2.0, 0.4, 5.0], 1e-14),
    (sc.erfcx, lambda x: mpmath.exp(x * x) * mpmath.erfc(x), [-2.0, 0.3, 5.0, 24.9, 25.1, 1e3, 1e7], 1e-11),
    (
        sc.dawsn,
        lambda x: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-x * x) * mpmath.erfi(x),
        [-30.0, 0.3, 5.0, 24.9, 30.0],
        1e-11,
    ),
    (sc.erfinv, mpmath.erfinv, [-0.9, 0.0, 0.3, 0.999], 1e-13),
    (sc.erfcinv, lambda x: mpmath.erfinv(1 - x), [0.01, 0.3, 1.7], 1e-13),
    (sc.ndtr, mpmath.ncdf, [-8.0, 0.3, 3.0], 1e-13),
    (sc.ndtri, lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1), [0.01, 0.3, 0.9], 1e-13),
    (sc.log_ndtr, lambda x: mpmath.log(mpmath.ncdf(x)), [-300.0, -40.0, -3.0, 0.0, 6.0, 10.0], 1e-12),
    (sc.gamma, mpmath.gamma, [-2.7, -0.5, 0.3, 5.0], 1e-12),
    (sc.rgamma, mpmath.rgamma, [-3.0, -2.7, -1.0, 0.0, 0.3, 0.5, 5.0], 1e-12),
    (sc.gammaln, mpmath.loggamma, [0.01, 0.3, 5.0, 1e5], 1e-13),
    (sc.loggamma, mpmath.loggamma, [0.3, 5.0], 1e-13),
    (sc.digamma, mpmath.digamma, [-2.7, 0.3, 1.4616, 50.0], 1e-12),
    (sc.expit, lambda x: 1 / (1 + mpmath.exp(-x)), [-40.0, 0.0, 3.0, 40.0], 1e-14),
    (sc.log_expit, lambda x: -mpmath.log(1 + mpmath.exp(-x)), [-40.0, 0.0, 40.0], 1e-14),
    (sc.logit, lambda p: mpmath.log(p / (1 - p)), [1e-12, 0.3, 1 - 1e-9], 1e-13),
    (sc.entr, lambda x: -x * mpmath.log(x), [1e-9, 0.3, 4.0], 1e-13),
    (sc.exprel, lambda x: mpmath.expm1(x) / x, [-50.0, -1.0, 1e-9, 0.5, 30.0], 1e-12),
    (sc.exp10, lambda x: mpmath.mpf(10) ** x, [-2.0, 3.0], 1e-14),
    (sc.cosm1, lambda x: mpmath.cos(x) - 1, [1e-9, 1.0], 1e-14),
    (sc.sindg, lambda x: mpmath.sin(x * mpmath.pi / 180), [30.0, 200.0], 1e-13),
    (sc.cosdg, lambda x: mpmath.cos(x * mpmath.pi / 180), [30.0, 200.0], 1e-13),
    (sc.tandg, lambda x: mpmath.tan(x * mpmath.pi / 180), [30.0, 200.0], 1e-13),
    (sc.cotdg, lambda x: mpmath.cot(x * mpmath.pi / 180), [30.0, 200.0], 1e-13),
    (sc.exp1, mpmath.e1, [1e-3, 0.5, 20.0], 1e-13),
    (sc.expi, mpmath.ei, [-3.0, 0.5, 20.0], 1e-13),
    (sc.spence, lambda z: mpmath.polylog(2, 1 - z), [0.1, 0.999999, 1.0, 1.000001, 3.0], 1e-12),
    (sc.ellipk, mpmath.ellipk, [-5.0, 0.0, 1e-9, 0.3, 0.999999], 1e-13),
    (sc.ellipe, mpmath.ellipe, [-5.0, 0.0, 1e-9, 0.3, 0.999999], 1e-13),
    (sc.ellipkm1, lambda p: mpmath.ellipk(1 - p), [1e-12, 0.3, 1.5], 1e-13),
    (sc.wrightomega, lambda z: mpmath.lambertw(mpmath.exp(z)), [-3.0, 0.5, 10.0], 1e-13),
    (sc.i0e, lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(0, x), [-2.0, 0.5, 20.0], 1e-12),
    (sc.i1e, lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(1, x), [-2.0, 0.5, 20.0], 1e-12),
    (sc.k0e, lambda x: mpmath.exp(x) * mpmath.besselk(0, x), [0.1, 0.5, 20.0], 1e-12),
    (sc.k1e, lambda x: mpmath.exp(x) * mpmath.besselk(1, x), [0.1, 0.5, 20.0], 1e-12),
    *[
        (getattr(sc, f"{name}{n}"), lambda x, g=g, n=n: g(n, x), points, 1e-12)
        for name, g, points in (
            ("j", mpmath.besselj, [0.0, 0.5, 12.0]),
            ("y", mpmath.bessely, [0.1, 0.5, 12.0]),
            ("i", mpmath.besseli, [0.0, 0.5, 12.0]),
            ("k", mpmath.besselk, [0.1, 0.5, 12.0]),
        )
        for n in (0, 1)
    ],
]

# (name, function of one variable, the same in mpmath, points, relative tolerance)
WITH_PARAMETERS: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any], list[float], float]] = [
    ("jv", lambda x: sc.jv(1.5, x), lambda x: mpmath.besselj(1.5, x), [0.2, 3.0], 1e-12),
    ("jn", lambda x: sc.jn(3, x), lambda x: mpmath.besselj(3, x), [0.2, 3.0], 1e-12),
    ("yv", lambda x: sc.yv(1.5, x), lambda x: mpmath.bessely(1.5, x), [0.2, 3.0], 1e-12),
    ("yn", lambda x: sc.yn(2, x), lambda x: mpmath.bessely(2, x), [0.2, 3.0], 1e-12),
    ("iv", lambda x: sc.iv(1.5, x), lambda x: mpmath.besseli(1.5, x), [0.2, 3.0], 1e-12),
    ("ive", lambda x: sc.ive(1.5, x), lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(1.5, x), [0.2, 3.0], 1e-12),
    ("kv", lambda x: sc.kv(1.5, x), lambda x: mpmath.besselk(1.5, x), [0.2, 3.0], 1e-12),
    ("kn", lambda x: sc.kn(2, x), lambda x: mpmath.besselk(2, x), [0.2, 3.0], 1e-12),
    ("kve", lambda x: sc.kve(1.5, x), lambda x: mpmath.exp(x) * mpmath.besselk(1.5, x), [0.2, 3.0], 1e-12),
    ("struve", lambda x: sc.struve(0.5, x), lambda x: mpmath.struveh(0.5, x), [0.2, 3.0], 1e-12),
    ("modstruve", lambda x: sc.modstruve(1, x), lambda x: mpmath.struvel(1, x), [0.2, 3.0], 1e-12),
    (
        "gammainc",
        lambda x: sc.gammainc(2.5, x),
        lambda x: mpmath.gammainc(2.5, 0, x, regularized=True),
        [0.1, 3.0],
        1e-12,
    ),
    (
        "gammaincc",
        lambda x: sc.gammaincc(2.5, x),
        lambda x: mpmath.gammainc(2.5, x, regularized=True),
        [0.1, 3.0],
        1e-12,
    ),
    ("betainc", lambda x: sc.betainc(2.5, 1.5, x), lambda x: mpmath.betainc(2.5, 1.5, 0, x, True), [0.1, 0.8], 1e-12),
    ("betaincc", lambda x: sc.betaincc(2.5, 1.5, x), lambda x: mpmath.betainc(2.5, 1.5, x, 1, True), [0.1, 0.8], 1e-12),
    ("zeta", lambda q: sc.zeta(2.5, q), lambda q: mpmath.zeta(2.5, q), [0.3, 4.0], 1e-12),
    ("expn", lambda x: sc.expn(3, x), lambda x: mpmath.expint(3, x), [0.1, 4.0], 1e-12),
    ("expn 0", lambda x: sc.expn(0, x), lambda x: mpmath.expint(0, x), [0.1, 4.0], 1e-12),
    ("beta", lambda a: sc.beta(a, 0.7), lambda a: mpmath.beta(a, 0.7), [0.3, 4.0], 1e-12),
    ("betaln", lambda b: sc.betaln(2.0, b), lambda b: mpmath.log(mpmath.beta(2, b)), [0.3, 4.0], 1e-12),
    ("binom n", lambda n: sc.binom(n, 2.5), lambda n: mpmath.binomial(n, 2.5), [3.7], 1e-12),
    ("binom k", lambda k: sc.binom(5.5, k), lambda k: mpmath.binomial(5.5, k), [1.7], 1e-12),
    ("poch z", lambda z: sc.poch(z, 1.5), lambda z: mpmath.rf(z, 1.5), [0.7], 1e-12),
    ("poch m", lambda m: sc.poch(1.5, m), lambda m: mpmath.rf(1.5, m), [0.7], 1e-12),
    ("hyp1f1", lambda x: sc.hyp1f1(1.5, 2.5, x), lambda x: mpmath.hyp1f1(1.5, 2.5, x), [-3.0, 2.0], 1e-11),
    ("hyp2f1", lambda x: sc.hyp2f1(0.5, 1.5, 2.5, x), lambda x: mpmath.hyp2f1(0.5, 1.5, 2.5, x), [-0.7, 0.6], 1e-11),
    ("hyp0f1", lambda x: sc.hyp0f1(1.5, x), lambda x: mpmath.hyp0f1(1.5, x), [-0.7, 0.6], 1e-11),
    ("hyperu", lambda x: sc.hyperu(0.5, 1.5, x), lambda x: mpmath.hyperu(0.5, 1.5, x), [0.7, 3.0], 1e-10),
    ("ellipkinc", lambda p: sc.ellipkinc(p, 0.4), lambda p: mpmath.ellipf(p, 0.4), [0.3, 1.2], 1e-12),
    ("ellipeinc", lambda p: sc.ellipeinc(p, 0.4), lambda p: mpmath.ellipe(p, 0.4), [0.3, 1.2], 1e-12),
    ("si", lambda x: sc.sici(x)[0], mpmath.si, [-2.0, 0.0, 0.5], 1e-13),
    ("ci", lambda x: sc.sici(x)[1], mpmath.ci, [0.5, 7.0], 1e-13),
    ("shi", lambda x: sc.shichi(x)[0], mpmath.shi, [-2.0, 0.0, 0.5], 1e-13),
    ("chi", lambda x: sc.shichi(x)[1], mpmath.chi, [0.5, 7.0], 1e-13),
    ("fresnel s", lambda x: sc.fresnel(x)[0], mpmath.fresnels, [0.5, 1.7], 1e-13),
    ("fresnel c", lambda x: sc.fresnel(x)[1], mpmath.fresnelc, [0.5, 1.7], 1e-13),
    ("airy ai", lambda x: sc.airy(x)[0], mpmath.airyai, [-2.0, 0.0, 3.0], 1e-12),
    ("airy aip", lambda x: sc.airy(x)[1], lambda x: mpmath.airyai(x, derivative=1), [-2.0, 0.5, 3.0], 1e-12),
    ("airy bi", lambda x: sc.airy(x)[2], mpmath.airybi, [-2.0, 0.0, 3.0], 1e-12),
    ("airy bip", lambda x: sc.airy(x)[3], lambda x: mpmath.airybi(x, derivative=1), [-2.0, 0.5, 3.0], 1e-12),
    *[
        (
            f"ellipj {k}",
            lambda u, i=i: sc.ellipj(u, 0.4)[i],
            lambda u, k=k: mpmath.ellipfun(k, u, m=0.4),
            [0.3, 1.9],
            1e-12,
        )
        for i, k in enumerate(("sn", "cn", "dn"))
    ],
    (
        "huber",
        lambda r: sc.huber(1.0, r),
        lambda r: r * r / 2 if abs(r) <= 1 else abs(r) - 0.5,
        [-3.0, 0.4, 2.0],
        1e-14,
    ),
    (
        "pseudo_huber scale",
        lambda d: sc.pseudo_huber(d, 1e-3),
        lambda d: d * d * (mpmath.sqrt(1 + (mpmath.mpf(1e-3) / d) ** 2) - 1),
        [0.5, 3.0],
        1e-12,
    ),
    ("boxcox lambda", lambda k: sc.boxcox(1.7, k), lambda k: (mpmath.mpf(1.7) ** k - 1) / k, [-2.0, 1e-9, 0.5], 1e-12),
    ("boxcox1p lambda", lambda k: sc.boxcox1p(0.7, k), lambda k: (mpmath.mpf(1.7) ** k - 1) / k, [-2.0, 0.5], 1e-12),
    ("inv_boxcox lambda", lambda k: sc.inv_boxcox(0.7, k), lambda k: (1 + k * 0.7) ** (1 / k), [-1.0, 0.5], 1e-12),
    ("lambertw", lambda x: sc.lambertw(x).real, mpmath.lambertw, [-0.3, 0.0, 2.0], 1e-12),
    ("lambertw -1", lambda x: sc.lambertw(x, -1).real, lambda x: mpmath.lambertw(x, -1), [-0.3, -0.1], 1e-12),
    ("powm1 x", lambda x: sc.powm1(x, 1.5), lambda x: x**1.5 - 1, [0.5, 3.0], 1e-13),
    ("powm1 y", lambda y: sc.powm1(1.5, y), lambda y: mpmath.mpf(1.5) ** y - 1, [0.5, 3.0], 1e-13),
    (
        "owens_t h",
        lambda h: sc.owens_t(h, 0.8),
        lambda h: mpmath.quad(lambda t: mpmath.exp(-h * h * (1 + t * t) / 2) / (1 + t * t), [0, 0.8]) / (2 * mpmath.pi),
        [0.4, 2.0],
        1e-12,
    ),
    ("kl_div", lambda x: sc.kl_div(x, 0.7), lambda x: x * mpmath.log(x / 0.7) - x + 0.7, [0.1, 2.0], 1e-12),
    ("rel_entr y", lambda y: sc.rel_entr(0.7, y), lambda y: 0.7 * mpmath.log(0.7 / y), [0.1, 2.0], 1e-12),
    ("xlog1py", lambda y: sc.xlog1py(0.7, y), lambda y: 0.7 * mpmath.log(1 + y), [-0.999, 1e-9, 2.0], 1e-12),
]

ALL = [pytest.param(f, g, p, r, id=f.__name__) for f, g, p, r in ONE]
ALL += [pytest.param(f, g, p, r, id=n) for n, f, g, p, r in WITH_PARAMETERS]


@pytest.mark.parametrize(("fun", "exact", "points", "rtol"), ALL)
def test_first_derivative_is_mpmaths(fun: Any, exact: Any, points: list[float], rtol: float) -> None:
    with mp.workdps(45), np.errstate(all="ignore"):
        for x in points:
            want = float(mpmath.re(mpmath.diff(lambda t: mpmath.re(exact(t)), mpmath.mpf(x))))
            np.testing.assert_allclose(cv.grad(fun)(x), want, rtol=rtol, atol=1e-300, err_msg=f"reverse at {x}")
            np.testing.assert_allclose(
                cv.jvp(fun, (x,), (1.0,))[1], want, rtol=rtol, atol=1e-300, err_msg=f"forward at {x}"
            )


@pytest.mark.parametrize(("fun", "exact", "points", "rtol"), ALL)
def test_second_derivative_is_mpmaths(fun: Any, exact: Any, points: list[float], rtol: float) -> None:
    with mp.workdps(45), np.errstate(all="ignore"):
        for x in points:
            want = float(mpmath.re(mpmath.diff(lambda t: mpmath.re(exact(t)), mpmath.mpf(x), 2)))
            got = cv.grad(cv.grad(fun))(x)
            np.testing.assert_allclose(got, want, rtol=max(rtol, 1e-12) * 1e3, atol=1e-11, err_msg=f"at {x}")


def test_values_are_scipys() -> None:
    x = np.array([0.2, 0.5, 0.8])
    for fun, *_ in ONE:
        assert_same_as_numpy(cv.vjp(fun, x)[0], fun(x))
        assert cv.vjp(fun, x.astype(np.float32))[1](np.ones(3, np.float32))[0].dtype == np.float32


@pytest.mark.parametrize(
    ("fun", "args", "want"),
    [
        (sc.xlogy, (0.0, 0.0), (0.0, 0.0)),
        (sc.xlogy, (0.0, 2.0), (np.log(2.0), 0.0)),
        (sc.xlog1py, (0.0, -1.0), (0.0, 0.0)),
        (sc.rel_entr, (0.0, 0.0), (0.0, 0.0)),
        (sc.kl_div, (0.0, 0.0), (0.0, 0.0)),
        (sc.kl_div, (0.0, 1.0), (-np.inf, 1.0)),
        (sc.rel_entr, (0.0, 1.0), (-np.inf, 0.0)),
        (sc.huber, (1.0, 1.0), (0.0, 1.0)),
        (sc.huber, (1.0, -2.0), (1.0, -1.0)),
    ],
)
def test_singular_points(fun: Any, args: tuple[float, ...], want: tuple[float, ...]) -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(cv.vjp(fun, *args)[1](1.0), want)
        push = [cv.jvp(fun, args, tuple(row))[1] for row in np.eye(2)]
        np.testing.assert_array_equal(push, want)
        rows = [np.full(3, a) for a in args]
        np.testing.assert_array_equal(
            cv.vmap(lambda x, y: cv.grad(fun, (0, 1))(x, y))(*rows), np.tile(np.array(want)[:, None], 3)
        )


def test_entr_at_zero_is_unbounded_but_zero_in_a_zero_direction() -> None:
    with np.errstate(all="ignore"):
        assert cv.grad(sc.entr)(0.0) == np.inf
        assert cv.vjp(sc.entr, 0.0)[1](0.0) == (0.0,)


def test_mixed_second_derivative_of_xlogy() -> None:
    with np.errstate(all="ignore"):
        hessian = cv.hessian(lambda v: sc.xlogy(v[0], v[1]))(np.array([0.0, 2.0]))
    np.testing.assert_allclose(hessian, [[0, 0.5], [0.5, 0]])


def test_composites_agree_in_both_modes_and_batched() -> None:
    x, y = np.array([0.4, 1.3, 2.2]), np.array([0.7, 0.2, 0.9])
    check(lambda x, y: sc.gammaln(x) + sc.xlogy(x, y) - sc.betaln(x, y) * sc.expit(y), x, y)
    check(lambda x, y: sc.huber(1.0, x - y) + sc.boxcox(x, y) + sc.pseudo_huber(y, x), x, y)
    check(lambda z: sc.erf(z) * sc.jv(1, z) + sc.loggamma(z), x, order=1)
    check(lambda x: np.stack(sc.airy(x)) + np.stack(sc.ellipj(x, 0.3)), x)
    check(lambda d, m, s: sc.radian(d, m, s) * 100, 10.0, 20.0, 30.0)


def test_complex_arguments() -> None:
    z = np.array([0.4 + 0.3j, 1.3 - 0.2j])
    check(lambda z: sc.erf(z) + sc.wofz(z) + sc.dawsn(z) + sc.erfcx(z) + sc.exp1(z), z)
    check(lambda z: sc.jv(1.5, z) + sc.kv(0.5, z) + sc.hankel1(1, z) + sc.hankel2e(1, z), z)
    check(lambda z: sc.gamma(z) + sc.loggamma(z) + sc.spence(z) + sc.xlogy(z, z), z, order=1)


@pytest.mark.parametrize(
    ("fun", "name"),
    [
        (lambda v: sc.jv(v, 1.0), "`v`"),
        (lambda v: sc.kv(v, 1.0), "`v`"),
        (lambda s: sc.zeta(s, 1.5), "`x`"),
        (lambda m: sc.ellipj(0.4, m)[0], "`m`"),
        (lambda a: sc.hyp2f1(a, 1.0, 2.0, 0.3), "`a`"),
        (lambda n: sc.expn(n - 0.5, 1.0), "`n`"),
    ],
)
def test_parameters_without_derivative_say_so(fun: Callable[[Any], Any], name: str) -> None:
    for transform in (lambda: cv.grad(fun)(2.5), lambda: cv.jvp(fun, (2.5,), (1.0,))):
        with pytest.raises(NotDifferentiableError, match=f"{name}.*constant.*test_special.py"):
            transform()
    np.testing.assert_allclose(cv.vmap(fun)(np.array([2.5, 3.5])), [fun(2.5), fun(3.5)], rtol=1e-14)


def test_complex_digamma_and_scaled_bessel_functions_refuse() -> None:
    for fun in (sc.digamma, lambda z: sc.ive(1, z), lambda z: sc.jve(1, z)):
        with pytest.raises(NotDifferentiableError, match="complex"):
            cv.grad(fun, holomorphic=True)(1.0 + 0.5j)


def test_ufuncs_without_rule_are_refused_by_name() -> None:
    with pytest.raises(NotDifferentiableError, match=r"scipy\.special\.smirnov.*kolmogorov"):
        cv.grad(lambda d: sc.smirnov(5, d))(0.5)


def test_ufuncs_without_derivative_are_constant() -> None:
    assert cv.grad(lambda x: x * sc.gammasgn(x))(-0.5) == sc.gammasgn(-0.5)
    assert cv.grad(lambda x: x * sc.round(x))(1.7) == 2.0


def test_importing_covector_does_not_import_scipy() -> None:
    code = (
        "import sys, covector, numpy as np\n"
        "covector.grad(np.sin)(1.0)\n"
        "assert not [m for m in sys.modules if m.startswith('scipy')]\n"
        "from scipy import special\n"
        "assert 'covector.ops.special' not in sys.modules\n"
        "print(covector.grad(special.erf)(0.0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(2 / np.sqrt(np.pi), rel=1e-15)


def test_a_pullback_of_special_functions_unpickles_in_a_fresh_process() -> None:
    pull = cv.vjp(sc.erf, 0.0)[1]
    code = f"import pickle; print(pickle.loads({pickle.dumps(pull)!r})(1.0)[0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(2 / np.sqrt(np.pi), rel=1e-15)


def test_the_ufuncs_of_the_contract_are_answered() -> None:
    names = (
        "erf erfc erfinv gammaln digamma expit logit xlogy xlog1py entr ndtr log_ndtr i0 i0e i1 i1e j0 j1 jv y0 y1 "
        "k0 k1 beta betaln"
    )
    cv.grad(sc.erf)(0.0)
    assert [n for n in names.split() if getattr(sc, n) not in UFUNCS] == []
