"""covector.scipy.stats: values of SciPy, derivatives in x and in every parameter, supports, frozen forms."""

from __future__ import annotations

import math
import warnings
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import stats as theirs

import covector as cv
from covector.scipy import stats
from helpers import check

UNBOUNDED = np.array([-2.5, 0.1, 0.9])
POSITIVE = np.array([0.4, 1.3, 4.0])
# name: (points of the standard distribution, shape parameters)
CONTINUOUS: dict[str, tuple[Any, tuple[float, ...]]] = {
    "norm": (UNBOUNDED, ()),
    "t": (UNBOUNDED, (2.7,)),
    "gamma": (POSITIVE, (1.8,)),
    "beta": (np.array([0.1, 0.5, 0.8]), (1.7, 2.6)),
    "chi2": (POSITIVE, (3.3,)),
    "expon": (POSITIVE, ()),
    "uniform": (np.array([0.1, 0.5, 0.8]), ()),
    "lognorm": (POSITIVE, (0.7,)),
    "laplace": (UNBOUNDED, ()),
    "logistic": (UNBOUNDED, ()),
    "cauchy": (UNBOUNDED, ()),
    "weibull_min": (POSITIVE, (1.6,)),
    "truncnorm": (np.array([-0.8, 0.1, 1.4]), (-1.1, 2.2)),
}
FUNCTIONS = ("pdf", "logpdf", "cdf", "logcdf", "sf", "logsf")
# name: (counts, parameters that are constant, parameters that are not)
DISCRETE: dict[str, tuple[Any, tuple[Any, ...], tuple[float, ...]]] = {
    "poisson": (np.array([0, 2, 7]), (), (2.4,)),
    "binom": (np.array([0, 2, 6]), (7,), (0.35,)),
    "nbinom": (np.array([0, 2, 9]), (), (3.3, 0.4)),
    "bernoulli": (np.array([0, 1, 0]), (), (0.35,)),
}
MASS = ("pmf", "logpmf", "cdf", "logcdf", "sf", "logsf")


def _traced(fun: Any, *args: Any) -> Any:
    """The value that `fun` computes under a transform."""
    return cv.vjp(fun, *args)[0]


def _scipy(fun: Any, *args: Any, **kwargs: Any) -> Any:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return fun(*args, **kwargs)


def _at_infinity(x: Any, value: Any, method: str) -> Any:
    """SciPy's value, with the limit where SciPy computes a density at infinity as inf - inf."""
    limit = {"pdf": 0.0, "pmf": 0.0}.get(method, -math.inf)
    return np.where(np.isposinf(x) & np.isnan(value), limit, value)


@pytest.mark.parametrize("method", FUNCTIONS)
@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous(name: str, method: str) -> None:
    points, shapes = CONTINUOUS[name]
    fun = getattr(getattr(stats, name), method)
    reference = getattr(getattr(theirs, name), method)
    args = (0.3 + 1.7 * points, *shapes, 0.3, 1.7)
    np.testing.assert_allclose(_traced(fun, *args), reference(*args), rtol=2e-13, atol=1e-15)
    check(fun, *args)


@pytest.mark.parametrize("method", ("ppf", "isf"))
@pytest.mark.parametrize("name", [name for name in CONTINUOUS if name != "truncnorm"])
def test_quantiles(name: str, method: str) -> None:
    _, shapes = CONTINUOUS[name]
    fun = getattr(getattr(stats, name), method)
    args = (np.array([0.1, 0.45, 0.8]), *shapes, 0.3, 1.7)
    np.testing.assert_allclose(_traced(fun, *args), getattr(getattr(theirs, name), method)(*args), rtol=1e-12)
    check(fun, *args)
    ends = _traced(lambda q: fun(q, *shapes), np.array([0.0, 1.0, -0.1, 1.1, math.nan]))
    np.testing.assert_array_equal(
        ends, getattr(getattr(theirs, name), method)([0.0, 1.0, -0.1, 1.1, math.nan], *shapes)
    )


@pytest.mark.parametrize("method", MASS)
@pytest.mark.parametrize("name", DISCRETE)
def test_discrete(name: str, method: str) -> None:
    counts, fixed, parameters = DISCRETE[name]
    fun = getattr(getattr(stats, name), method)
    reference = getattr(getattr(theirs, name), method)
    value = _traced(lambda *p: fun(counts + 2, *fixed, *p, 2), *parameters)
    # The probability above the last value is 0, and its logarithm -inf.
    np.testing.assert_allclose(value, _scipy(reference, counts + 2, *fixed, *parameters, 2), rtol=1e-12, atol=1e-15)
    inside = counts[:2] if name != "bernoulli" else counts[::2]
    check(lambda *p: fun(inside, *fixed, *p), *parameters)
    check(lambda *p: fun(0 if name == "bernoulli" else 2, *fixed, *p), *[np.full(2, p) for p in parameters])


@pytest.mark.parametrize("method", MASS)
@pytest.mark.parametrize("name", DISCRETE)
def test_counts_between_and_outside(name: str, method: str) -> None:
    _, fixed, parameters = DISCRETE[name]
    counts = np.array([-1.0, -0.5, 0.5, 1.0, 1.5, 60.0, math.nan, math.inf, -math.inf])
    value = _traced(lambda *p: getattr(getattr(stats, name), method)(counts, *fixed, *p), *parameters)
    want = _at_infinity(counts, _scipy(getattr(getattr(theirs, name), method), counts, *fixed, *parameters), method)
    np.testing.assert_allclose(value, want, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("method", FUNCTIONS)
@pytest.mark.parametrize("name", CONTINUOUS)
def test_outside_the_support_the_derivative_is_zero(name: str, method: str) -> None:
    _, shapes = CONTINUOUS[name]
    fun = getattr(getattr(stats, name), method)
    bounded = math.isfinite(getattr(theirs, name).support(*shapes)[0])
    x = np.array([-5.0, -math.inf, math.inf] if bounded else [-math.inf, math.inf])
    value, pullback = cv.vjp(fun, x, *shapes, 0.0, 1.0)
    want = _at_infinity(x, _scipy(getattr(getattr(theirs, name), method), x, *shapes), method)
    np.testing.assert_array_equal(value, want)
    for ct in pullback(np.ones_like(value)):
        np.testing.assert_array_equal(ct, np.zeros_like(ct))


@pytest.mark.parametrize("name", CONTINUOUS)
def test_bad_parameters_give_nan(name: str) -> None:
    points, shapes = CONTINUOUS[name]
    fun = getattr(stats, name)
    assert math.isnan(_traced(lambda s: fun.logpdf(points[0], *shapes, 0.0, s), -1.0))
    assert math.isnan(_traced(lambda s: fun.cdf(points[0], *shapes, 0.0, s), 0.0))
    if shapes and name != "truncnorm":
        assert np.isnan(_traced(lambda x: fun.pdf(x, *[-1.0 for _ in shapes]), points)).all()
    assert math.isnan(_traced(fun.cdf, math.nan, *shapes))


def test_tails_keep_their_digits() -> None:
    mpmath.mp.dps = 40
    for x in (-40.0, -8.0, 5.0, 9.0):
        want = mpmath.diff(lambda y: mpmath.log(mpmath.ncdf(y)), x)
        assert abs(cv.grad(stats.norm.logcdf)(x) - want) <= 1e-12 * abs(want)
        assert abs(cv.grad(stats.norm.logsf)(-x) + want) <= 1e-12 * abs(want)
    assert _traced(stats.truncnorm.logsf, 31.0, 30.0, 40.0) == pytest.approx(
        float(mpmath.log((mpmath.ncdf(-31) - mpmath.ncdf(-40)) / (mpmath.ncdf(-30) - mpmath.ncdf(-40)))), rel=1e-12
    )


# (distribution function in covector, the same in mpmath, arguments, position of the parameter)
_HALF = mpmath.mpf(1) / 2
IN_SHAPE = [
    (
        stats.gamma.cdf,
        lambda x, a: mpmath.gammainc(a, 0, x, regularized=True),
        [(0.2, 3.0), (2.0, 0.05), (90.0, 100.0)],
        1,
    ),
    (stats.gamma.sf, lambda x, a: mpmath.gammainc(a, x, mpmath.inf, regularized=True), [(40.0, 3.0), (5.0, 0.01)], 1),
    (stats.gamma.cdf, lambda x, a: mpmath.gammainc(a, 0, x, regularized=True), [(1010.0, 1000.0)], 1),
    (
        stats.beta.cdf,
        lambda x, a, b: mpmath.betainc(a, b, 0, x, regularized=True),
        [(0.3, 0.1, 4.0), (0.5, 40.0, 30.0)],
        1,
    ),
    (
        stats.beta.cdf,
        lambda x, a, b: mpmath.betainc(a, b, 0, x, regularized=True),
        [(0.3, 0.1, 4.0), (0.5, 40.0, 30.0)],
        2,
    ),
    (stats.beta.sf, lambda x, a, b: mpmath.betainc(a, b, x, 1, regularized=True), [(0.99, 2.0, 9.0)], 2),
    (
        stats.t.cdf,
        lambda t, v: mpmath.betainc(_HALF, v / 2, 0, t * t / (v + t * t), regularized=True) * mpmath.sign(t) / 2,
        [(-6.0, 3.0), (0.5, 0.4), (1.5, 100.0), (2.0, 1e5)],
        1,
    ),
]


@pytest.mark.parametrize("order", (1, 2))
@pytest.mark.parametrize("case", range(len(IN_SHAPE)))
def test_distribution_functions_in_their_shape_parameters(case: int, order: int) -> None:
    fun, exact, points, at = IN_SHAPE[case]
    mpmath.mp.dps = 60
    for args in points:
        if order == 2 and args[-1] > 1e4:
            continue
        ours: Any = lambda p, args=args: fun(*args[:at], p, *args[at + 1 :])
        numbers = [mpmath.mpf(x) for x in args]
        h = mpmath.mpf(10) ** -15 * numbers[at]
        values = [exact(*numbers[:at], numbers[at] + k * h, *numbers[at + 1 :]) for k in (-1, 0, 1)]
        want = (values[2] - values[0]) / (2 * h) if order == 1 else (values[2] - 2 * values[1] + values[0]) / h**2
        got = cv.grad(ours)(args[at]) if order == 1 else cv.grad(cv.grad(ours))(args[at])
        assert abs(got - want) <= 1e-10 * abs(want), (args, got, want)


def test_plain_arguments_are_answered_by_scipy() -> None:
    x = np.array([0.3, 2.0], np.float32)
    assert stats.norm.pdf(x).dtype == theirs.norm.pdf(x).dtype
    np.testing.assert_array_equal(stats.gamma.ppf([0.1, 0.2], 2.0), theirs.gamma.ppf([0.1, 0.2], 2.0))
    np.testing.assert_array_equal(
        stats.norm(1.0, 2.0).rvs(3, random_state=1), theirs.norm(1.0, 2.0).rvs(3, random_state=1)
    )
    assert stats.gumbel_r is theirs.gumbel_r
    assert stats.t.mean(3.0) == 0.0
    assert set(dir(theirs)) - set(dir(stats)) == set()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        stats.norm.nothing


@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_shapes_and_single_precision(shape: tuple[int, ...]) -> None:
    x = np.full(shape, 0.7, np.float32)
    value, pullback = cv.vjp(lambda y: stats.norm.logpdf(y, 0.5, 2.0), x)
    want = theirs.norm.logpdf(x, 0.5, 2.0)
    assert np.shape(value) == np.shape(want)
    assert value.dtype == want.dtype
    assert pullback(np.ones_like(value))[0].dtype == np.float32


def test_calls_by_name_frozen_forms_and_broadcasting() -> None:
    x = np.array([0.5, 1.5])
    gradient = cv.grad(lambda s: stats.norm.logpdf(x, scale=s).sum())(2.0)
    assert gradient == pytest.approx(cv.grad(lambda s: stats.norm(scale=s).logpdf(x).sum())(2.0), rel=1e-15)
    assert gradient == pytest.approx(cv.grad(lambda s: stats.norm(0.0, s).logpdf(x=x).sum())(2.0), rel=1e-15)
    check(lambda a, s: stats.gamma.cdf(x, a=a, scale=s), np.array([[1.0], [2.0], [3.5]]), 1.3)
    check(lambda mu: stats.poisson(mu).logpmf(np.array([1, 4])), 2.0)
    with pytest.raises(TypeError, match="missing the argument 'df'"):
        cv.grad(lambda y: stats.t.pdf(y))(0.5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'sigma'"):
        cv.grad(lambda y: stats.norm.pdf(y, sigma=1.0))(0.5)
    with pytest.raises(TypeError, match="multiple values for argument 'loc'"):
        cv.grad(lambda y: stats.norm.pdf(y, 1.0, loc=1.0))(0.5)


def test_methods_without_a_rule_say_so() -> None:
    with pytest.raises(cv.NotDifferentiableError, match=r"scipy.stats.norm.entropy .* pdf, logpdf"):
        cv.grad(lambda s: stats.norm.entropy(0.0, s))(1.0)
    with pytest.raises(cv.NotDifferentiableError, match=r"scipy.stats.norm.mean"):
        cv.grad(lambda s: stats.norm(s).mean())(1.0)
    with pytest.raises(cv.NotDifferentiableError, match=r"scipy.stats.truncnorm.ppf"):
        cv.grad(lambda q: stats.truncnorm.ppf(q, -1.0, 1.0))(0.5)
    with pytest.raises(cv.NotDifferentiableError, match=r"scipy.stats.multivariate_normal.cdf"):
        cv.grad(lambda x: stats.multivariate_normal.cdf(x))(0.5)


COV = np.array([[2.0, 0.3], [0.3, 0.8]])


@pytest.mark.parametrize("method", ("pdf", "logpdf"))
@pytest.mark.parametrize(
    "x", [np.array([0.3, -1.0]), np.array([[0.3, -1.0], [1.0, 2.0], [0.0, 0.0]]), np.zeros((2, 2, 2))]
)
def test_multivariate_normal(x: Any, method: str) -> None:
    fun, reference = getattr(stats.multivariate_normal, method), getattr(theirs.multivariate_normal, method)
    mean = np.array([0.5, 0.2])
    np.testing.assert_allclose(_traced(fun, x, mean, COV), reference(x, mean, COV), rtol=1e-12)
    check(fun, x, mean, COV)


@pytest.mark.parametrize(
    ("x", "options"),
    [
        (0.3, {}),
        (np.array([0.3, 1.0, 2.0]), {}),
        (np.array([0.3]), {"mean": 1.0, "cov": 2.0}),
        (np.array([[0.3], [2.0]]), {"mean": 1.0}),
        (np.array([0.3, 1.0]), {"mean": [1.0, 2.0], "cov": 3.0}),
        (np.array([0.3, 1.0]), {"mean": [0.0, 1.0], "cov": [1.0, 2.0]}),
        (0.3, {"mean": [1.0, 2.0], "cov": COV}),
        (np.array([[0.3, 1.0]]), {"cov": COV}),
    ],
)
def test_multivariate_normal_reads_its_arguments_as_scipy_does(x: Any, options: dict[str, Any]) -> None:
    got = _traced(lambda y: stats.multivariate_normal.logpdf(y, **options), x)
    want = theirs.multivariate_normal.logpdf(x, **options)
    assert np.shape(got) == np.shape(want)
    np.testing.assert_allclose(got, want, rtol=1e-13)
    frozen = _traced(lambda y: stats.multivariate_normal(**options).logpdf(y), x)
    np.testing.assert_array_equal(frozen, got)


def test_entropies_of_multivariate_distributions() -> None:
    for alpha in (np.array([0.5, 2.0, 3.0]), np.array([1.0, 1.0])):
        assert _traced(stats.dirichlet.entropy, alpha) == pytest.approx(theirs.dirichlet.entropy(alpha), rel=1e-13)
        check(stats.dirichlet.entropy, alpha)
    mean, root = np.zeros(2), np.array([[1.3, 0.2], [-0.4, 0.9]])
    for fun in (
        lambda m, r: m.multivariate_normal.entropy(mean, r @ r.T),
        lambda m, r: m.multivariate_normal(mean, r @ r.T).entropy(),
    ):
        want = fun(theirs, root)
        assert _traced(lambda r, fun=fun: fun(stats, r), root) == pytest.approx(want, rel=1e-13)
        check(lambda r, fun=fun: fun(stats, r), root)


def test_multivariate_normal_refuses_singular_covariances() -> None:
    with pytest.raises(cv.NotDifferentiableError, match="small multiple of the identity"):
        cv.grad(lambda x: stats.multivariate_normal.logpdf(x, None, COV, allow_singular=True))(np.zeros(2))
    with pytest.raises(np.linalg.LinAlgError):
        cv.grad(lambda c: stats.multivariate_normal.logpdf(np.zeros(2), None, c))(np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"cov must have shape \(2, 2\)"):
        cv.grad(lambda x: stats.multivariate_normal.logpdf(x, np.zeros(2), np.eye(3)))(np.zeros(2))


@pytest.mark.parametrize("method", ("pdf", "logpdf"))
def test_dirichlet(method: str) -> None:
    fun, reference = getattr(stats.dirichlet, method), getattr(theirs.dirichlet, method)
    alpha = np.array([0.7, 2.0, 3.5])
    for x in (np.array([0.2, 0.3, 0.5]), np.array([0.2, 0.3]), np.array([[0.2, 0.6], [0.3, 0.1], [0.5, 0.3]])):
        np.testing.assert_allclose(_traced(fun, x, alpha), reference(x, alpha), rtol=1e-13)
        check(lambda a, x=x: fun(x, a), alpha)
    check(fun, np.array([0.2, 0.3]), alpha)
    check(lambda a: getattr(stats.dirichlet(a), method)(np.array([0.2, 0.3])), alpha)
    for bad, what in (
        (np.array([0.2, 0.3, 0.6]), "sum to 1"),
        (np.array([-0.2, 0.3]), "between 0 and 1"),
        (np.array([0.2, 0.2, 0.1, 0.5]), "first axis of x"),
    ):
        with pytest.raises(ValueError, match=what):
            cv.grad(lambda a, bad=bad: fun(bad, a))(alpha)
    with pytest.raises(ValueError, match="greater than 0"):
        cv.grad(lambda a: fun(np.array([0.2, 0.8]), a))(np.array([1.0, 0.0]))
