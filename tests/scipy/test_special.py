"""covector.scipy.special: all names of SciPy's, and the functions that are not ufuncs with their derivatives."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import special as theirs

import covector as cv
from covector.ops.special.incomplete_beta import beta_slope
from covector.ops.special.incomplete_gamma import gamma_slope
from covector.scipy import special
from helpers import check

X = np.array([[0.5, -1.2, 2.0], [1.5, 0.3, -0.7]])
Z = np.array([[0.5 + 1j, -1.2], [1.5 - 2j, 0.3j]])
B = np.array([[1.0, -2.0, 0.5], [3.0, 1.0, 2.0]])
POSITIVE = np.array([0.7, 2.5, 6.1])

# label: (function of the module and its arguments, those that are differentiated first)
Case = tuple[Callable[[Any], Callable[..., Any]], tuple[Any, ...]]
CASES: dict[str, Case] = {
    "logsumexp": (lambda m: m.logsumexp, (X,)),
    "logsumexp axis": (lambda m: lambda x: m.logsumexp(x, axis=1), (X,)),
    "logsumexp axes": (lambda m: lambda x: m.logsumexp(x, (0, 1), keepdims=True), (X,)),
    "logsumexp keepdims": (lambda m: lambda x: m.logsumexp(x, axis=-1, keepdims=True), (X,)),
    "logsumexp b": (lambda m: lambda x, b: m.logsumexp(x, axis=1, b=b), (X, np.abs(B))),
    "logsumexp b broadcast": (lambda m: lambda x, b: m.logsumexp(x, 0, b), (X, np.array([1.0, 2.0, 0.5]))),
    "logsumexp only b": (lambda m: lambda b: m.logsumexp(X, b=b), (np.abs(B),)),
    "logsumexp sign": (lambda m: lambda x, b: m.logsumexp(x, axis=0, b=b, return_sign=True), (X, -B)),
    "logsumexp complex": (lambda m: lambda z: m.logsumexp(z, axis=0), (Z,)),
    "logsumexp 0-d": (lambda m: m.logsumexp, (0.3,)),
    "logsumexp large": (lambda m: m.logsumexp, (np.array([1000.0, 999.0, -1000.0]),)),
    "logsumexp float32": (lambda m: m.logsumexp, (X.astype(np.float32),)),
    "softmax": (lambda m: m.softmax, (X,)),
    "softmax axis": (lambda m: lambda x: m.softmax(x, axis=0), (X,)),
    "softmax float32": (lambda m: m.softmax, (X.astype(np.float32),)),
    "log_softmax": (lambda m: m.log_softmax, (X,)),
    "log_softmax axis": (lambda m: lambda x: m.log_softmax(x, axis=(1,)), (X,)),
    "log_softmax 0-d": (lambda m: m.log_softmax, (0.4,)),
    "multigammaln": (lambda m: lambda a: m.multigammaln(a, 3), (POSITIVE + 1,)),
    "multigammaln 0-d": (lambda m: lambda a: m.multigammaln(a, 1), (2.5,)),
    "polygamma 0": (lambda m: lambda x: m.polygamma(0, x), (POSITIVE,)),
    "polygamma 2": (lambda m: lambda x: m.polygamma(2, x), (POSITIVE,)),
    "polygamma orders": (lambda m: lambda x: m.polygamma([[0], [1], [3]], x), (POSITIVE,)),
    "comb": (lambda m: m.comb, (POSITIVE + 2, POSITIVE / 2)),
    "comb repetition": (lambda m: lambda n, k: m.comb(n, k, repetition=True), (POSITIVE + 2, POSITIVE / 2)),
    "comb outside": (lambda m: lambda n: m.comb(n, [3.0, 8.0, -1.0]), (POSITIVE + 2,)),
    "perm": (lambda m: m.perm, (POSITIVE + 2, POSITIVE / 2)),
    "factorial": (lambda m: m.factorial, (np.array([0.5, 3.0, 4.2]),)),
    "factorial below zero": (lambda m: m.factorial, (np.array([-0.5, 1.0]),)),
    "zeta": (lambda m: lambda q: m.zeta(2.5, q), (POSITIVE,)),
    "zeta of one argument": (lambda m: m.zeta, (POSITIVE + 1,)),
    "sinc": (lambda m: m.sinc, (X,)),
    "betaln": (lambda m: m.betaln, (POSITIVE, POSITIVE + 1)),
    "jvp": (lambda m: lambda x: m.jvp(1, x, 2), (POSITIVE,)),
}
if hasattr(theirs, "sph_harm_y"):
    for _n, _m in ((0, 0), (1, 0), (3, 2), (3, 3), (4, -3)):
        CASES[f"sph_harm_y {_n} {_m}"] = (
            lambda m, n=_n, order=_m: lambda theta, phi: m.sph_harm_y(n, order, theta, phi),
            (np.array([0.4, 2.1]), np.array([0.7, -1.9])),
        )
if hasattr(theirs, "softplus"):
    CASES["softplus"] = (lambda m: m.softplus, (X,))


@pytest.mark.parametrize("label", CASES)
def test_values_and_derivatives(label: str) -> None:
    make, args = CASES[label]
    fun = make(special)
    want = make(theirs)(*args)
    for got, value in ((fun(*args), want), (cv.vjp(fun, *args)[0], want)):
        for g, w in zip(np.atleast_1d(got), np.atleast_1d(value), strict=True):
            assert np.shape(g) == np.shape(w)
            np.testing.assert_allclose(g, w, rtol=1e-6 if "float32" in label else 1e-13, atol=1e-14)
    check(fun, *args)


def test_every_name_of_scipy_is_here() -> None:
    for name in theirs.__all__:
        assert hasattr(special, name), name
        assert name in dir(special)
    assert special.gammaln is theirs.gammaln
    with pytest.raises(AttributeError):
        special.no_such_function


def test_logsumexp_at_its_limits() -> None:
    low = np.full(3, -math.inf)
    for axis in (None, 0):
        value, pullback = cv.vjp(lambda x, axis=axis: special.logsumexp(x, axis=axis), low)
        assert value == -math.inf
        np.testing.assert_array_equal(pullback(np.float64(1.0))[0], np.zeros(3))
        np.testing.assert_array_equal(cv.jvp(special.logsumexp, (low,), (np.ones(3),))[1], 0.0)
    x = np.array([-math.inf, 1.0, 2.0])
    np.testing.assert_allclose(cv.grad(special.logsumexp)(x), theirs.softmax(x), rtol=1e-14)
    # A factor of zero removes any exponent, but its own derivative remains.
    b = np.array([0.0, 1.0, 0.0])
    gradient = cv.grad(lambda b: special.logsumexp(np.array([1.0, 1.0, math.inf]), b=b))(b)
    np.testing.assert_allclose(gradient, [1.0, 1.0, 0.0], rtol=1e-14)
    assert math.isnan(cv.vjp(lambda x: special.logsumexp(x, b=np.array([-1.0])), np.array([0.5]))[0])
    np.testing.assert_array_equal(cv.vjp(lambda x: special.logsumexp(x, axis=0), np.empty((0, 2)))[0], [-math.inf] * 2)


@pytest.mark.skipif(not hasattr(theirs, "sph_harm_y"), reason="needs SciPy 1.15")
def test_spherical_harmonics_at_a_pole() -> None:
    orders = np.array([-2, -1, 0, 1, 2, 3])
    value, slope = cv.jvp(lambda theta: special.sph_harm_y(2, orders, theta, 0.3), (0.0,), (1.0,))
    want, partials = theirs.sph_harm_y(2, orders, 0.0, 0.3, diff_n=1)
    np.testing.assert_array_equal(value, want)
    np.testing.assert_allclose(slope, partials[..., 0], atol=1e-15)
    with pytest.raises(cv.NotDifferentiableError, match="diff_n"):
        cv.grad(lambda theta: np.real(special.sph_harm_y(2, 1, theta, 0.3, diff_n=1)[0]))(0.5)


def test_lists_and_what_cannot_be_traced() -> None:
    np.testing.assert_allclose(special.softmax([1.0, 2.0]), theirs.softmax([1.0, 2.0]))
    assert cv.grad(lambda b: special.logsumexp([0.0, 0.0], b=b))(np.ones(2)) == pytest.approx([0.5, 0.5])
    with pytest.raises(cv.NotDifferentiableError, match="exact"):
        cv.grad(lambda n: special.comb(n, 2, exact=True))(5.0)
    with pytest.raises(cv.NotDifferentiableError, match="order n must not be traced"):
        cv.grad(lambda n: special.polygamma(n, 2.0))(1.0)
    with pytest.raises(ValueError, match=r"a \(0.5\) > 0.5"):
        cv.grad(lambda a: special.multigammaln(a, 3))(0.5)
    with pytest.raises((cv.TracerConversionError, cv.NotDifferentiableError)):
        cv.grad(lambda z: special.spherical_jn(1, z))(0.5)


@pytest.mark.parametrize("ufunc", ["gammainc", "gammaincc"])
def test_incomplete_gamma_in_its_parameter(ufunc: str) -> None:
    fun = getattr(special, ufunc)
    check(fun, np.array([0.5, 2.0, 7.0]), np.array([[0.4, 3.0, 6.0], [1.0, 9.0, 20.0]]))
    check(fun, np.array([0.5, 2.0], np.float32), np.array([0.4, 3.0], np.float32), order=1)
    mpmath.mp.dps = 50
    for a, x in ((0.01, 0.3), (3.0, 0.1), (100.0, 99.0), (100.0, 104.0), (2e3, 2.2e3), (0.4, 200.0)):
        bounds = (0, x) if x < a + 1 else (x, mpmath.inf)
        exact = mpmath.diff(lambda p, s=bounds: mpmath.gammainc(p, *s, regularized=True), a, h=mpmath.mpf(10) ** -15)
        exact = exact if (x < a + 1) == (ufunc == "gammainc") else -exact
        assert abs(cv.grad(fun)(a, x) - exact) <= 1e-11 * abs(exact)


@pytest.mark.parametrize("ufunc", ["betainc", "betaincc"])
def test_incomplete_beta_in_its_parameters(ufunc: str) -> None:
    fun = getattr(special, ufunc)
    check(fun, np.array([0.5, 2.0, 7.0]), np.array([1.5, 2.0, 3.0]), np.array([0.4, 0.3, 0.6]))
    mpmath.mp.dps = 50
    for a, b, x in ((0.05, 3.0, 0.2), (50.0, 40.0, 0.55), (2.0, 0.5, 0.999), (700.0, 500.0, 0.6)):
        bounds = (0, x) if x < a / (a + b) else (x, 1)
        h = mpmath.mpf(10) ** -15
        in_a = mpmath.diff(lambda p, s=bounds, b=b: mpmath.betainc(p, b, *s, regularized=True), a, h=h)
        in_b = mpmath.diff(lambda p, s=bounds, a=a: mpmath.betainc(a, p, *s, regularized=True), b, h=h)
        sign = 1 if (x < a / (a + b)) == (ufunc == "betainc") else -1
        for argnum, exact in ((0, sign * in_a), (1, sign * in_b)):
            assert abs(cv.grad(fun, argnum)(a, b, x) - exact) <= 1e-11 * abs(exact)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("gammaincinv", (np.array([0.5, 2.0]), np.array([0.4, 0.7]))),
        ("gammainccinv", (np.array([0.5, 2.0]), np.array([0.4, 0.7]))),
        ("betaincinv", (np.array([0.5, 2.0]), np.array([1.5, 3.0]), np.array([0.4, 0.7]))),
        ("betainccinv", (np.array([0.5, 2.0]), np.array([1.5, 3.0]), np.array([0.4, 0.7]))),
        ("stdtr", (np.array([1.5, 30.0]), np.array([-0.7, 2.0]))),
        ("stdtrit", (np.array([1.5, 30.0]), np.array([0.4, 0.7]))),
    ],
)
def test_inverses_and_student_in_every_argument(name: str, args: tuple[Any, ...]) -> None:
    check(getattr(special, name), *args)


def test_incomplete_functions_at_the_ends() -> None:
    x = np.array([0.0, math.inf, math.nan, -1.0])
    np.testing.assert_array_equal(gamma_slope(1, 2.0, x), [0.0, 0.0, math.nan, math.nan])
    np.testing.assert_array_equal(beta_slope(1, 0, 2.0, 3.0, np.array([0.0, 1.0, 2.0])), [0.0, 0.0, math.nan])
    assert math.isnan(gamma_slope(1, -1.0, 2.0))
    assert cv.grad(lambda v: special.stdtr(v, 0.0))(3.0) == 0.0


def test_importing_covector_does_not_import_scipy() -> None:
    program = "import sys, covector, covector.scipy; assert 'scipy' not in sys.modules, 'loaded'"
    with warnings.catch_warnings():
        subprocess.run([sys.executable, "-c", program], check=True)
