"""The rows of the table of conventions that promise more than first order, and equal eigen- and singular values."""

import warnings

import numpy as np
import pytest
import scipy.special
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

SECOND = {
    "rev over rev": lambda f: cv.jacrev(cv.jacrev(f)),
    "fwd over rev": lambda f: cv.jacfwd(cv.jacrev(f)),
    "rev over fwd": lambda f: cv.jacrev(cv.jacfwd(f)),
    "fwd over fwd": lambda f: cv.jacfwd(cv.jacfwd(f)),
}


@pytest.fixture(params=sorted(SECOND))
def second(request):
    return SECOND[request.param]


# --- integer powers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [2, 2.0, np.int64(2), np.array(2)], ids=["2", "2.0", "int64", "0-d"])
def test_second_derivative_of_the_square_is_two_everywhere(second, exponent):
    for x in (0.0, -3.0, 1.5):
        assert second(lambda x: x**exponent)(x) == 2.0
    assert second(np.square)(0.0) == 2.0


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, -1, -3])
def test_integer_powers_never_touch_the_logarithm(second, n):
    with np.errstate(all="raise"):
        x = -1.5
        assert_allclose(second(lambda x: x**n)(x), n * (n - 1) * x ** (n - 2.0), rtol=1e-14)
        if n >= 0:
            expected = 2.0 if n == 2 else 0.0
            assert second(lambda x: x**n)(0.0) == expected


def test_third_derivatives_at_zero():
    assert cv.grad(cv.grad(cv.grad(lambda x: x**2)))(0.0) == 0.0
    assert cv.grad(cv.grad(cv.grad(lambda x: x**3)))(0.0) == 6.0
    assert cv.jacfwd(cv.jacfwd(cv.jacfwd(lambda x: x**3)))(0.0) == 6.0


# --- products ---------------------------------------------------------------------------------------------------------


def elementary_hessian(x):
    n = x.size
    return np.array([[np.prod(np.delete(x, [i, j])) if i != j else 0.0 for j in range(n)] for i in range(n)])


@pytest.mark.parametrize("point", [[2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [0.0, 5.0]])
def test_hessian_of_a_product_with_zeros(second, point):
    x = np.array(point)
    assert_allclose(second(np.prod)(x), elementary_hessian(x), rtol=1e-14)
    assert_allclose(cv.vmap(second(np.prod))(np.stack([x, x + 1]))[0], elementary_hessian(x), rtol=1e-14)


@pytest.mark.parametrize("point", [[2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [0.0, 2.0, 0.0]])
def test_second_derivatives_of_a_cumulative_product_with_zeros(second, point):
    x = np.array(point)
    expected = np.zeros((3, 3, 3))
    for k in range(1, 4):
        expected[k - 1, :k, :k] = elementary_hessian(x[:k])
    assert_allclose(second(np.cumprod)(x), expected, rtol=1e-14)


# --- masked branches --------------------------------------------------------------------------------------------------

MASKED = {
    "sqrt": (lambda x: np.where(x > 0, np.sqrt(x), 0.0), lambda x: -0.25 * x**-1.5),
    "log": (lambda x: np.where(x > 0, np.log(x), 0.0), lambda x: -1 / x**2),
    "xlogx": (lambda x: np.where(x > 0, x * np.log(x), 0.0), lambda x: 1 / x),
    "reciprocal": (lambda x: np.where(x != 0, 1 / x, 0.0), lambda x: 2 / x**3),
    "x to the x": (
        lambda x: np.where(x > 0, np.exp(x * np.log(x)), 0.0),
        lambda x: x**x * ((np.log(x) + 1) ** 2 + 1 / x),
    ),
    "sqrt times log": (
        lambda x: np.where(x > 0, np.sqrt(x) * np.log(x), 0.0),
        lambda x: -0.25 * x**-1.5 * np.log(x),
    ),
    "power": (lambda x: np.where(x > 0, x**0.7 / (1 + x**0.3), 0.0), None),
    "select": (lambda x: np.select([x > 0], [np.log(np.sqrt(x))], 0.0), lambda x: -0.5 / x**2),
}


@pytest.mark.parametrize("name", sorted(MASKED))
def test_masked_branches_stay_masked_in_second_order(second, name):
    f, expected = MASKED[name]
    with np.errstate(all="ignore"):
        for x in (0.0, -1.0) if name != "reciprocal" else (0.0,):
            assert second(f)(x) == 0.0
            assert second(lambda x: 3.0 * f(x) ** 2 + f(x))(x) == 0.0
        if expected is None:
            return
        assert_allclose(second(f)(2.0), expected(2.0), rtol=1e-14)
        x = np.array([0.0, 2.0])
        assert_allclose(second(lambda x: f(x).sum())(x), np.diag([0.0, expected(2.0)]), rtol=1e-14)


def test_masked_radius_in_second_order(second):
    """The usual guard of a norm at the origin."""

    def radius(v):
        r2 = np.sum(v**2)
        return np.where(r2 > 0, np.sqrt(r2), 0.0)

    with np.errstate(all="ignore"):
        assert_array_equal(second(radius)(np.zeros(2)), np.zeros((2, 2)))
        v = np.array([3.0, 4.0])
        assert_allclose(second(radius)(v), (np.eye(2) - np.outer(v, v) / 25) / 5, rtol=1e-13, atol=1e-15)


def test_masked_branches_stay_masked_in_third_order():
    with np.errstate(all="ignore"):
        for f, _ in MASKED.values():
            assert cv.jacfwd(cv.jacfwd(cv.grad(f)))(0.0) == 0.0
            assert cv.grad(cv.grad(cv.grad(f)))(0.0) == 0.0


def test_abs_and_sign_in_second_order(second):
    assert second(np.abs)(0.0) == 0.0
    assert second(np.sign)(0.0) == 0.0
    assert second(lambda x: np.abs(x) * x)(2.0) == 2.0


def test_ties_in_second_order(second):
    assert_allclose(second(lambda x: np.max(x) ** 2)(np.array([1.0, 1.0])), np.full((2, 2), 0.5), rtol=1e-15)
    assert second(lambda x: np.maximum(x, 0.0) ** 2)(0.0) == 0.5


def test_clip_in_second_order(second):
    assert second(lambda x: np.clip(x, 0.0, 1.0) ** 2)(1.0) == 2.0
    assert second(lambda x: np.clip(x, 0.0, 1.0) ** 2)(1.5) == 0.0


def test_xlogy_away_from_zero_in_second_order(second):
    h = second(lambda v: scipy.special.xlogy(v[0], v[1]))(np.array([2.0, 3.0]))
    assert_allclose(h, [[0.0, 1 / 3], [1 / 3, -2 / 9]], rtol=1e-14, atol=1e-16)


# --- equal eigenvalues and singular values ----------------------------------------------------------------------------

Q = np.linalg.qr(np.random.default_rng(7).normal(size=(4, 4)))[0]
CLUSTERED = Q @ np.diag([1.0, 1.0, 3.0, 4.0]) @ Q.T
S = np.random.default_rng(8).normal(size=(4, 4))
S = S + S.T
both = pytest.mark.parametrize("mode", ["jvp", "vjp"])


def directional(f, a, t, mode):
    """⟨∇f, t⟩ for a scalar f, by one mode; the warning about the gap has its own test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if mode == "jvp":
            return cv.jvp(f, (a,), (t,))[1]
        return np.sum(cv.grad(f)(a) * t)


def central(f, a, t, h=1e-5):
    return (f(a + h * t) - f(a - h * t)) / (2 * h)


SYMMETRIC = {
    "trace": lambda a: np.linalg.eigvalsh(a).sum(),
    "sum of exponentials": lambda a: np.exp(np.linalg.eigvalsh(a)).sum(),
    "eigh values": lambda a: np.log(np.linalg.eigh(a)[0]).sum(),
    "eigh values, vectors unused": lambda a: (np.linalg.eigh(a).eigenvalues ** 3).sum(),
    "nuclear norm": lambda a: np.linalg.svd(a, compute_uv=False).sum(),
    "sum of squared singular values": lambda a: (np.linalg.svd(a, compute_uv=False) ** 2).sum(),
}


@both
@pytest.mark.parametrize("name", sorted(SYMMETRIC))
@pytest.mark.parametrize("a", [CLUSTERED, 2 * np.eye(4)], ids=["cluster", "identity"])
def test_symmetric_functions_of_equal_values_are_exact(name, a, mode):
    f = SYMMETRIC[name]
    assert_allclose(directional(f, a, S, mode), central(f, a, S), rtol=1e-7)


def projector_energy(a):
    v = np.linalg.eigh(a)[1][:, :2]
    return np.sum((v @ v.T) * np.arange(16.0).reshape(4, 4))


def singular_projector_energy(a):
    u = np.linalg.svd(a)[0][:, 2:]
    return np.sum((u @ u.T) * np.arange(16.0).reshape(4, 4))


@both
@pytest.mark.parametrize("f", [projector_energy, singular_projector_energy], ids=["eigh", "svd"])
def test_projectors_on_a_cluster_are_exact(f, mode):
    assert_allclose(directional(f, CLUSTERED, S, mode), central(f, CLUSTERED, S), rtol=1e-6)


def test_eigenvectors_inside_a_cluster_are_finite_in_both_modes():
    def f(a):
        return np.linalg.eigh(a)[1]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tangent = cv.jvp(f, (CLUSTERED,), (S,))[1]
        ct = np.arange(16.0).reshape(4, 4)
        bar = cv.vjp(f, CLUSTERED)[1](ct)[0]
    assert np.all(np.isfinite(tangent)) and np.all(np.isfinite(bar))
    assert_allclose(np.sum(ct * tangent), np.sum(bar * S), rtol=1e-10)


@pytest.mark.parametrize("f", [lambda a: np.linalg.eigh(a)[1], lambda a: np.linalg.svd(a)[0]], ids=["eigh", "svd"])
@both
def test_eigenvectors_inside_a_cluster_warn_and_name_the_gap(f, mode):
    with pytest.warns(Warning, match="gap"):
        if mode == "jvp":
            cv.jvp(f, (np.eye(3),), (np.ones((3, 3)),))
        else:
            cv.vjp(f, np.eye(3))[1](np.ones((3, 3)))


def test_distinct_values_do_not_warn():
    a = np.diag([1.0, 2.0, 4.0])
    cv.grad(lambda a: np.linalg.eigh(a)[1].sum())(a)
    cv.jvp(lambda a: np.linalg.svd(a)[0], (a,), (np.ones((3, 3)),))


# --- one triangle -----------------------------------------------------------------------------------------------------

A = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
ONE_TRIANGLE = {
    "cholesky": (lambda a: np.linalg.cholesky(a).sum(), np.tril),
    "eigvalsh": (lambda a: (np.linalg.eigvalsh(a) ** 2).sum(), np.tril),
    "eigh": (lambda a: np.linalg.eigh(a)[0][0], np.tril),
    "eigvalsh, upper": (lambda a: (np.linalg.eigvalsh(a, UPLO="U") ** 2).sum(), np.triu),
}


@pytest.mark.parametrize("name", sorted(ONE_TRIANGLE))
def test_the_triangle_that_is_not_read_has_derivative_zero(name):
    f, keep = ONE_TRIANGLE[name]
    expected = np.zeros((3, 3))
    for i in np.ndindex(3, 3):
        step = np.zeros((3, 3))
        step[i] = 1.0
        expected[i] = central(f, A, step)
    assert_array_equal(expected, keep(expected))
    for g in (cv.grad(f)(A), cv.jacfwd(f)(A)):
        assert_allclose(g, expected, rtol=1e-7, atol=1e-9)
        assert_array_equal(g, keep(g))
