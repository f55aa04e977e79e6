"""Variances, averages, covariances, medians, quantiles and histograms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ConcretizationError, NotDifferentiableError, TracerConversionError
from helpers import assert_same_as_numpy, check
from numpy_api.function_cases import Case, check_derivatives, check_values, inputs, params

MASK = np.array([[True, False, True], [True, True, True]])
WEIGHTS = np.array([1.0, 2.5, 0.5])
COUNTS = np.array([1, 3, 2, 1])
RELIABILITY = np.array([0.5, 1.0, 2.0, 0.7])


def with_nan(x: Any) -> Any:
    """`x` of shape (2, 3) with a NaN."""
    return np.where(MASK, x, np.nan)


def shifted(x: Any) -> Any:
    """A function of which the mean is easily mistaken."""
    return np.mean(x, axis=1, keepdims=True) + 0.1


CASES: list[Case] = [
    ("var", lambda x: np.var(x), [(4,)]),
    ("var axis", lambda x: np.var(x, axis=0), [(3, 2)]),
    ("var ddof", lambda x: np.var(x, axis=(0, 1), ddof=1, keepdims=True), [(3, 2)]),
    ("var correction", lambda x: np.var(x, correction=1), [(4,)]),
    ("var where", lambda x: np.var(x, axis=1, where=MASK), [(2, 3)]),
    ("var where all", lambda x: np.var(x, ddof=1, where=MASK, keepdims=True), [(2, 3)]),
    ("var mean", lambda x: np.var(x, axis=1, mean=shifted(x)), [(2, 3)]),
    ("var dtype", lambda x: np.var(x, dtype=np.complex128), [(4,)]),
    ("var of complex", lambda x: np.var(x + 1j * x**2, axis=0), [(4, 2)]),
    ("method var", lambda x: x.var(1), [(2, 4)]),
    ("std", lambda x: np.std(x), [(4,)]),
    ("std axis", lambda x: x.std(axis=1, ddof=1), [(2, 4)]),
    ("std mean where", lambda x: np.std(x, axis=1, mean=shifted(x), where=MASK, keepdims=True), [(2, 3)]),
    ("std of complex", lambda x: np.std(np.exp(1j * x)), [(4,)]),
    ("nanvar", lambda x: np.nanvar(with_nan(x), axis=1, ddof=1), [(2, 3)]),
    ("nanstd", lambda x: np.nanstd(with_nan(x), keepdims=True), [(2, 3)]),
    ("average", lambda x: np.average(x), [(3,)]),
    ("average weights", lambda x: np.average(x, weights=WEIGHTS), [(3,)]),
    ("average axis", lambda x: np.average(x, axis=1, weights=WEIGHTS), [(2, 3)]),
    ("average axes", lambda x: np.average(x, axis=(2, 0), weights=np.ones((3, 2)) + x[0, 0, 0] ** 2), [(2, 4, 3)]),
    ("average returned", lambda x: np.average(x, axis=-1, weights=WEIGHTS, returned=True, keepdims=True), [(2, 3)]),
    ("average returned plain", lambda x: np.average(x, axis=0, returned=True), [(2, 3)]),
    ("average of weights", lambda x, w: np.average(x, axis=1, weights=w**2, returned=True), [(2, 3), (3,)]),
    ("average of all weights", lambda w: np.average(np.arange(6).reshape(2, 3), weights=w + 3), [(2, 3)]),
    ("cov", lambda x: np.cov(x), [(3, 4)]),
    ("cov line", lambda x: np.cov(x), [(4,)]),
    ("cov columns", lambda x: np.cov(x, rowvar=False, bias=True), [(4, 2)]),
    ("cov y", lambda x, y: np.cov(x, y, ddof=0), [(2, 4), (4,)]),
    ("cov y columns", lambda x, y: np.cov(x, y, False), [(4, 2), (4, 1)]),
    ("cov fweights", lambda x: np.cov(x, fweights=COUNTS), [(2, 4)]),
    ("cov aweights", lambda x: np.cov(x, aweights=RELIABILITY), [(2, 4)]),
    ("cov both weights", lambda x: np.cov(x, fweights=COUNTS, aweights=RELIABILITY, ddof=2), [(2, 4)]),
    ("cov no ddof", lambda x: np.cov(x, fweights=COUNTS, aweights=RELIABILITY, bias=True), [(2, 4)]),
    ("cov of aweights", lambda w: np.cov(np.array([[1.0, 2, 4, 3], [0, 1, 0, 2]]), aweights=w**2 + 0.1), [(4,)]),
    ("cov of complex", lambda x: np.cov(x + 1j * x**2), [(2, 4)]),
    ("corrcoef", lambda x: np.corrcoef(x), [(3, 5)]),
    ("corrcoef y", lambda x, y: np.corrcoef(x, y)[0, 1], [(5,), (5,)]),
    ("corrcoef columns", lambda x: np.corrcoef(x, rowvar=False), [(5, 2)]),
    ("corrcoef of complex", lambda x: np.corrcoef(x * np.exp(1j * np.arange(5))), [(2, 5)]),
    ("median odd", lambda x: np.median(x), [(5,)]),
    ("median even", lambda x: np.median(x, axis=0), [(4, 3)]),
    ("median axes", lambda x: np.median(x, axis=(0, 2), keepdims=True), [(2, 3, 3)]),
    ("nanmedian", lambda x: np.nanmedian(with_nan(x), axis=1), [(2, 3)]),
    ("nanmedian all", lambda x: np.nanmedian(with_nan(x), keepdims=True), [(2, 3)]),
    ("quantile", lambda x: np.quantile(x, 0.3), [(5,)]),
    ("quantile several", lambda x: np.quantile(x, np.array([0.0, 0.25, 0.9, 1.0]), axis=1), [(2, 5)]),
    ("quantile matrix", lambda x: np.quantile(x, [[0.1, 0.2], [0.3, 0.4]], axis=0, keepdims=True), [(5, 2)]),
    ("quantile of q", lambda x, q: np.quantile(x, 0.5 + q / 9, axis=0), [(5, 2), (2,)]),
    ("quantile weights", lambda x: np.quantile(x, [0.0, 0.5, 1.0], method="inverted_cdf", weights=COUNTS), [(4,)]),
    (
        "quantile lane weights",
        lambda x: np.quantile(x, 0.4, axis=1, method="inverted_cdf", weights=np.arange(12.0).reshape(3, 4)),
        [(3, 4)],
    ),
    ("percentile", lambda x: np.percentile(x, 40), [(5,)]),
    ("percentile several", lambda x: np.percentile(x, [10, 50.0], axis=(0, 1)), [(3, 4)]),
    ("nanquantile", lambda x: np.nanquantile(with_nan(x), [0.2, 0.7], axis=1), [(2, 3)]),
    ("nanpercentile", lambda x: np.nanpercentile(with_nan(x), 30, keepdims=True), [(2, 3)]),
    ("histogram_bin_edges", lambda x: np.histogram_bin_edges(x, 4), [(5,)]),
    ("histogram_bin_edges of a range", lambda x: np.histogram_bin_edges(x, 3, (x[0] - 9, x[1] + 9)), [(2,)]),
    ("histogram of weights", lambda w: np.histogram(np.array([0.1, 0.4, 0.9]), 4, weights=w)[0], [(3,)]),
    (
        "histogram density of weights",
        lambda w: np.histogram(np.array([0.1, 0.4, 0.9]), [0.0, 0.4, 1.0], weights=w + 3, density=True)[0],
        [(3,)],
    ),
    (
        "histogram2d of weights",
        lambda w: np.histogram2d(np.array([0.1, 0.4, 0.9]), np.array([1.0, 2.0, 3.0]), [2, 3], weights=w)[0],
        [(3,)],
    ),
    (
        "histogramdd density of weights",
        lambda w: np.histogramdd(np.arange(6.0).reshape(3, 2), 3, density=True, weights=w + 3)[0],
        [(3,)],
    ),
    ("bincount of weights", lambda w: np.bincount(np.array([1, 4, 1]), weights=w, minlength=7), [(3,)]),
]
WITH_NAN: list[Case] = [
    ("median", lambda x: np.median(with_nan(x), axis=1), [(2, 3)]),
    ("quantile", lambda x: np.quantile(with_nan(x), [0.2, 0.5], axis=1), [(2, 3)]),
    ("percentile", lambda x: np.percentile(with_nan(x), 50, method="lower", keepdims=True), [(2, 3)]),
    ("std", lambda x: np.std(with_nan(x), axis=0), [(2, 3)]),
]
METHODS = [
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]


@pytest.mark.parametrize(("fun", "args"), params(CASES + WITH_NAN))
def test_values_are_those_of_numpy(fun: Any, args: Any) -> None:
    check_values(fun, args)


@pytest.mark.parametrize(("fun", "args"), params(CASES))
def test_derivatives(fun: Any, args: Any) -> None:
    check_derivatives(fun, args)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_every_quantile_method(method: str, n: int) -> None:
    (x,) = inputs(method, [(n,)])
    q = np.linspace(0, 1, 9)
    check_values(lambda x: np.quantile(x, q, method=method), [x])
    check_values(lambda x: np.percentile(x, 37, method=method), [x])
    check_derivatives(lambda x: np.quantile(x, q, method=method), [x], order=1)
    padded = np.append(x, np.nan)
    for f in (lambda x: np.nanquantile(x, q, method=method), lambda x: np.nanpercentile(x, 37.0, method=method)):
        assert_same_as_numpy(cv.vjp(f, padded)[0], f(padded))
        assert_same_as_numpy(cv.vmap(f)(padded[None])[0], f(padded))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize(
    "fun",
    [
        np.var,
        np.std,
        np.nanvar,
        np.average,
        np.cov,
        np.median,
        np.nanmedian,
        lambda x: np.quantile(x, 0.3),
        lambda x: np.quantile(x, np.float64(0.3)),
        lambda x: np.quantile(x, [0.3], method="lower"),
        lambda x: np.percentile(x, 30),
    ],
)
def test_narrow_dtypes(fun: Any, dtype: Any) -> None:
    x = np.array([0.5, 2.0, -1.25, 0.75], dtype)
    out, back = cv.vjp(fun, x)
    want = fun(x)
    assert np.asarray(out).dtype == np.asarray(want).dtype
    np.testing.assert_allclose(out, want, rtol=2e-3 if dtype is np.float16 else 1e-6)
    assert back(np.ones_like(want))[0].dtype == dtype


# --- special points ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [np.full(3, 2.0), np.full((2, 3), 1.0), np.array([5.0]), np.full(3, 1.0 + 1j)], ids=str)
def test_std_of_equal_values_has_derivative_zero(x: Any) -> None:
    for f in (np.std, np.nanstd, lambda x: np.std(x, where=np.full(x.shape, True))):
        np.testing.assert_array_equal(cv.grad(f)(x), 0)
        np.testing.assert_array_equal(cv.jvp(f, (x,), (np.ones_like(x) * x.size,))[1], 0)
        np.testing.assert_array_equal(cv.vmap(cv.grad(f))(np.stack([x, x])), 0)
        if x.dtype.kind == "f":
            np.testing.assert_array_equal(cv.hessian(f)(x), 0)


def test_median_and_quantile_follow_the_element_taken_on_ties() -> None:
    x = np.array([2.0, 1.0, 2.0, 2.0, 3.0])
    for f in (np.median, lambda x: np.quantile(x, 0.5), lambda x: np.quantile(x, 0.4, method="nearest")):
        g = cv.grad(f)(x)
        assert sorted(g) == [0, 0, 0, 0, 1]
        assert x[np.argmax(g)] == 2.0
        np.testing.assert_array_equal(cv.jacfwd(f)(x), g)
        np.testing.assert_array_equal(cv.vmap(cv.grad(f))(np.stack([x, x]))[1], g)


def test_correlation_with_itself_is_constant() -> None:
    x = np.array([[1.0, 2.0, 4.0], [0.0, 1.0, 5.0]])
    jac = cv.jacrev(np.corrcoef)(x)
    np.testing.assert_allclose(jac[0, 0], 0, atol=1e-14)
    np.testing.assert_allclose(jac[0, 1], jac[1, 0])


def test_nan_slices_of_nan_functions() -> None:
    x = np.array([[np.nan, np.nan], [1.0, 2.0]])
    with np.errstate(all="ignore"):
        for f in (np.nansum, np.nanmean, np.nanvar, np.nanstd, np.nanprod):
            (ct,) = cv.vjp(lambda x, f=f: f(x, axis=1)[1], x)[1](1.0)
            assert np.isfinite(ct).all(), f.__name__
            t = cv.jvp(lambda x, f=f: f(x, axis=1)[1], (x,), (np.ones_like(x),))[1]
            assert np.isfinite(t), f.__name__
            np.testing.assert_allclose(t, ct.sum())


def test_plain_histograms() -> None:
    x = np.array([0.1, 0.5, 0.4, 1.0])
    edges = np.array([0.0, 0.5, 1.0])
    cases = [
        (lambda x: np.histogram(x, 3)[0], [x]),
        (lambda x: np.histogram(x, bins="auto", range=(0, 1), density=True), [x]),
        (lambda x: np.histogram(x, edges, weights=np.arange(4.0)), [x]),
        (lambda x: np.histogram_bin_edges(x, edges), [x]),
        (lambda x: np.histogram2d(x, x**2, bins=[2, 3]), [x]),
        (lambda x: np.histogramdd([x, x], (2, 2), weights=np.ones(4)), [x]),
        (lambda x: np.digitize(x, edges), [x]),
        (lambda x: np.digitize(x, edges[::-1], right=True), [x]),
        (lambda x: np.digitize(edges, np.cumsum(x)), [x]),
    ]
    for fun, args in cases:
        seen: list[Any] = []
        cv.vjp(lambda *a, fun=fun, seen=seen: seen.append(fun(*a)) or np.zeros(()), *args)
        for a, b in zip(cv.tree.leaves(seen[0]), cv.tree.leaves(fun(*args)), strict=True):
            assert isinstance(a, np.ndarray | np.generic)
            assert_same_as_numpy(a, b)


def test_traced_bin_edges_stay_traced() -> None:
    edges = np.array([0.0, 1.0, 3.0])
    f = lambda e: np.histogram(np.array([0.5, 2.0, 2.5]), e, density=True)[0]
    check(f, edges, batched=False)
    np.testing.assert_array_equal(cv.jacrev(lambda e: np.histogram(np.ones(2), e)[1])(edges), np.eye(3))


# --- errors -----------------------------------------------------------------------------------------------------------

X = np.array([1.0, 2.0, 3.0])
ERRORS = [
    (lambda x: np.var(x, ddof=1, correction=1), ValueError, "simultaneously"),
    (lambda x: np.std(x, out=np.empty(())), TracerConversionError, r"np\.std.*zeros_like"),
    (lambda x: np.average(x, weights=np.zeros(3)), ZeroDivisionError, "sum to zero"),
    (lambda x: np.average(x, weights=np.ones(2)), TypeError, "axis"),
    (lambda x: np.average(x, axis=0, weights=np.ones(2)), ValueError, r"\(2,\)"),
    (lambda x: np.cov(x, ddof=0.5), ValueError, "integer"),
    (lambda x: np.cov(x, fweights=[0.5, 1, 1]), TypeError, "integer"),
    (lambda x: np.cov(x, aweights=[-1, 1, 1]), ValueError, "negative"),
    (lambda x: np.quantile(x, 1.5), ValueError, r"range \[0, 1\]"),
    (lambda x: np.percentile(x, -1), ValueError, r"range \[0, 100\]"),
    (lambda x: np.quantile(x, 0.5, method="middle"), ValueError, "not a valid method"),
    (lambda x: np.quantile(x, 0.5, weights=np.ones(3)), ValueError, "inverted_cdf"),
    (lambda x: np.quantile(x + 0j, 0.5), TypeError, "real"),
    (lambda x: np.nanquantile(x, 0.5, method="inverted_cdf", weights=np.ones(3)), NotDifferentiableError, "weights"),
    (lambda x: np.histogram(np.ones(2), 2, weights=x), ValueError, "same shape"),
]


@pytest.mark.parametrize(("fun", "error", "match"), ERRORS)
def test_errors(fun: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        cv.vjp(fun, X)


@pytest.mark.parametrize("fun", [lambda x: np.histogram(x, 2)[0], lambda x: np.digitize(0.5, x)])
def test_values_are_needed_under_vmap(fun: Any) -> None:
    with pytest.raises(ConcretizationError, match="vmap"):
        cv.vmap(fun)(np.stack([X, X]))
