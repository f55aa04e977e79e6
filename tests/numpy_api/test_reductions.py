"""Reductions and running sums: NumPy's values in every call form, derivatives, ties, zeros and NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.cotangents import Scatter
from covector.errors import ConcretizationError, TracerConversionError
from covector.ops.reductions import max_p
from helpers import since
from numpy_api.function_cases import Case, check_derivatives, check_values, inputs, params

MASK = np.array([[True, False, True], [True, True, False]])
ROW_MASK = np.array([True, False, True])


def with_nan(x: Any) -> Any:
    """`x` of shape (2, 3) with NaN where MASK is False."""
    return np.where(MASK, x, np.nan)


CASES: list[Case] = [
    ("sum", lambda x: np.sum(x), [(3,)]),
    ("sum scalar", lambda x: np.sum(x), [()]),
    ("sum axis", lambda x: np.sum(x, 0), [(2, 3)]),
    ("sum axes", lambda x: np.sum(x, axis=(0, -1)), [(2, 3, 2)]),
    ("sum no axes", lambda x: np.sum(x, axis=()), [(2, 3)]),
    ("sum keepdims", lambda x: np.sum(x, axis=1, keepdims=True), [(2, 3)]),
    ("sum all keepdims", lambda x: np.sum(x, keepdims=True), [(2, 3)]),
    ("sum dtype", lambda x: np.sum(x, dtype=complex), [(3,)]),
    ("sum initial", lambda x: np.sum(x, axis=1, initial=2.5), [(2, 3)]),
    ("sum where", lambda x: np.sum(x, axis=1, where=MASK), [(2, 3)]),
    ("sum broadcast where", lambda x: np.sum(x, where=ROW_MASK), [(2, 3)]),
    ("sum empty", lambda x: np.sum(x, axis=0), [(0, 2)]),
    ("method sum", lambda x: x.sum(1, None, None, True), [(2, 3)]),
    ("mean", lambda x: np.mean(x), [(2, 3)]),
    ("mean axis", lambda x: x.mean(axis=-1), [(2, 3)]),
    ("mean keepdims", lambda x: np.mean(x, axis=(0,), keepdims=True), [(2, 3)]),
    ("mean dtype", lambda x: np.mean(x, dtype=np.complex128), [(3,)]),
    ("mean where", lambda x: np.mean(x, axis=0, where=MASK), [(2, 3)]),
    ("prod", lambda x: np.prod(x), [(4,)]),
    ("prod axis", lambda x: np.prod(x, axis=0), [(3, 2)]),
    ("prod axes", lambda x: x.prod(axis=(0, 2)), [(2, 2, 2)]),
    ("prod initial where", lambda x: np.prod(x, axis=1, keepdims=True, initial=2.0, where=MASK), [(2, 3)]),
    ("prod empty", lambda x: np.prod(x, axis=1), [(2, 0)]),
    ("max", lambda x: np.max(x), [(5,)]),
    ("max axis", lambda x: np.max(x, axis=0), [(3, 2)]),
    ("max wide", lambda x: np.max(x, axis=1), [(2, 30)]),
    ("max long", lambda x: np.amax(x), [(40,)]),
    ("max axes keepdims", lambda x: x.max(axis=(0, 1), keepdims=True), [(2, 2, 2)]),
    ("max initial", lambda x: np.max(x, axis=1, initial=0.1), [(2, 3)]),
    ("max where", lambda x: np.max(x, axis=1, initial=-9.0, where=MASK), [(2, 3)]),
    ("max empty initial", lambda x: np.max(x, axis=0, initial=1.0), [(0, 2)]),
    ("min", lambda x: np.min(x), [(5,)]),
    ("min axis", lambda x: np.amin(x, axis=-1, keepdims=True), [(3, 2)]),
    ("min where", lambda x: np.min(x, axis=0, initial=0.5, where=MASK), [(2, 3)]),
    ("ptp", lambda x: np.ptp(x, axis=1), [(2, 4)]),
    ("ptp keepdims", lambda x: np.ptp(x, keepdims=True), [(2, 4)]),
    ("cumsum", lambda x: np.cumsum(x), [(2, 3)]),
    ("cumsum axis", lambda x: np.cumsum(x, axis=0), [(3, 2)]),
    ("cumsum dtype", lambda x: x.cumsum(-1, complex), [(2, 3)]),
    ("cumprod", lambda x: np.cumprod(x), [(2, 3)]),
    ("cumprod axis", lambda x: np.cumprod(x, axis=0), [(4, 2)]),
    ("cumprod dtype", lambda x: x.cumprod(axis=1, dtype=complex), [(2, 3)]),
    ("nansum", lambda x: np.nansum(with_nan(x), axis=1), [(2, 3)]),
    ("nansum initial", lambda x: np.nansum(with_nan(x), initial=1.0, keepdims=True), [(2, 3)]),
    ("nansum where", lambda x: np.nansum(with_nan(x), axis=0, where=ROW_MASK), [(2, 3)]),
    ("nanprod", lambda x: np.nanprod(with_nan(x), axis=0), [(2, 3)]),
    ("nanmean", lambda x: np.nanmean(with_nan(x), axis=1), [(2, 3)]),
    ("nanmean all", lambda x: np.nanmean(with_nan(x), keepdims=True), [(2, 3)]),
    ("nanmax", lambda x: np.nanmax(with_nan(x), axis=1), [(2, 3)]),
    ("nanmin", lambda x: np.nanmin(with_nan(x), axis=0), [(2, 3)]),
    ("nanmin initial", lambda x: np.nanmin(with_nan(x), initial=0.3), [(2, 3)]),
    ("nancumsum", lambda x: np.nancumsum(with_nan(x), axis=1), [(2, 3)]),
    ("nancumprod", lambda x: np.nancumprod(with_nan(x)), [(2, 3)]),
    ("cumulative_sum", since("2.1.0")(lambda x: np.cumulative_sum(x)), [(3,)]),
    ("cumulative_sum initial", since("2.1.0")(lambda x: np.cumulative_sum(x, axis=1, include_initial=True)), [(2, 3)]),
    ("cumulative_prod", since("2.1.0")(lambda x: np.cumulative_prod(x, axis=0)), [(3, 2)]),
    ("cumulative_prod initial", since("2.1.0")(lambda x: np.cumulative_prod(x, include_initial=True)), [(3,)]),
]

PLAIN: list[Case] = [
    ("any", lambda x: np.any(x > 0, axis=0), [(2, 3)]),
    ("any where", lambda x: np.any(x > 0, axis=1, keepdims=True, where=MASK), [(2, 3)]),
    ("all", lambda x: x.all(), [(2, 3)]),
    ("all where", lambda x: np.all(x > 0, axis=0, where=MASK), [(2, 3)]),
    ("count_nonzero", lambda x: np.count_nonzero(x > 0, axis=1, keepdims=True), [(2, 3)]),
    ("argmax", lambda x: np.argmax(x), [(2, 3)]),
    ("argmax axis", lambda x: x.argmax(axis=1), [(2, 3)]),
    ("argmin keepdims", lambda x: np.argmin(x, axis=0, keepdims=True), [(2, 3)]),
    ("argmin all keepdims", lambda x: np.argmin(x, keepdims=True), [(2, 3)]),
    ("nanargmax", lambda x: np.nanargmax(with_nan(x), axis=1), [(2, 3)]),
    ("nanargmin", lambda x: np.nanargmin(with_nan(x)), [(2, 3)]),
]


@pytest.mark.parametrize(("fun", "args"), params(CASES + PLAIN))
def test_values_are_those_of_numpy(fun: Any, args: Any) -> None:
    check_values(fun, args)


@pytest.mark.parametrize(("fun", "args"), params(CASES))
def test_derivatives(fun: Any, args: Any) -> None:
    check_derivatives(fun, args)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.complex64, np.complex128])
@pytest.mark.parametrize(
    "fun",
    [np.sum, np.mean, np.prod, np.max, np.min, np.cumsum, np.cumprod, np.nansum, np.nanmean, np.nanprod, np.nanmax],
    ids=lambda f: f.__name__,
)
def test_other_dtypes(fun: Any, dtype: Any) -> None:
    (x,) = inputs(fun.__name__, [(5,)], dtype)
    x = x * dtype(1 + 0.3j) if x.dtype.kind == "c" else x
    check_values(fun, [x])
    (ct,) = cv.vjp(fun, x)[1](np.ones_like(fun(x)))
    assert ct.dtype == dtype
    if dtype is not np.float16:
        check_derivatives(fun, [x])


@pytest.mark.parametrize("fun", [np.sum, np.mean, np.max, np.prod, np.std], ids=lambda f: f.__name__)
def test_integers_batched(fun: Any) -> None:
    x = np.array([[1, 2, 4], [3, 0, 5]], dtype=np.int32)
    got = cv.vmap(fun)(x)
    want = np.stack([fun(row) for row in x])
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want)


# --- special points ---------------------------------------------------------------------------------------------------

EXTREMA = [(np.max, 1.0), (np.min, -1.0), (np.nanmax, 1.0), (np.nanmin, -1.0)]


@pytest.mark.parametrize(("fun", "sign"), EXTREMA, ids=lambda x: getattr(x, "__name__", ""))
@pytest.mark.parametrize(
    ("x", "axis", "want"),
    [
        ([1.0, 3.0, 3.0], None, [0, 0.5, 0.5]),
        ([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], 1, [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]]),
        ([[3.0, 3.0], [3.0, 1.0]], None, [[1 / 3, 1 / 3], [1 / 3, 0]]),
        (np.r_[5.0, np.zeros(30), 5.0], None, np.r_[0.5, np.zeros(30), 0.5]),
        (np.c_[np.r_[5.0, 5.0], np.zeros((2, 30)), np.r_[5.0, 4.0]], 1, np.c_[[0.5, 1], np.zeros((2, 30)), [0.5, 0]]),
        (np.full(20, 2.0), None, np.full(20, 0.05)),
    ],
)
def test_ties_share_evenly_in_both_modes(fun: Any, sign: float, x: Any, axis: Any, want: Any) -> None:
    x, want = sign * np.asarray(x), np.asarray(want)
    f = lambda x: fun(x, axis=axis)
    t = np.arange(x.size).reshape(x.shape) + 1.0
    np.testing.assert_allclose(cv.jvp(f, (x,), (t,))[1], (want * t).sum(axis=axis))
    ct = np.asarray(f(x)) * 0 + 2.0
    np.testing.assert_allclose(cv.vjp(f, x)[1](ct[()])[0], 2 * want)
    np.testing.assert_allclose(cv.vmap(cv.grad(lambda x: f(x).sum()))(np.stack([x, x]))[1], want)
    np.testing.assert_allclose(cv.jacrev(lambda x: f(x).sum())(x), want)
    np.testing.assert_array_equal(cv.hessian(lambda x: f(x).sum())(x), 0)


@pytest.mark.parametrize(("n", "k"), [(3, 1), (40, 3)])
def test_nan_attains_the_maximum(n: int, k: int) -> None:
    x = np.arange(float(n))
    x[:k] = np.nan
    want = np.where(np.isnan(x), 1 / k, 0)
    np.testing.assert_allclose(cv.grad(np.max)(x), want)
    np.testing.assert_allclose(cv.jvp(np.max, (x,), (np.ones(n),))[1], 1.0)
    np.testing.assert_allclose(cv.grad(np.nanmax)(x), np.arange(n) == n - 1)


@pytest.mark.parametrize("rows", [2, 20])
def test_nanmax_where_one_slice_is_all_nan(rows: int) -> None:
    x = np.zeros((rows, 30))
    x[0] = np.nan
    x[1:, :2] = np.nan, 7.0
    with np.errstate(all="ignore"):
        (ct,) = cv.vjp(lambda x: np.nanmax(x, axis=1), x)[1](np.ones(rows))
    np.testing.assert_allclose(ct[0], np.full(30, 1 / 30))
    np.testing.assert_array_equal(ct[1:], np.broadcast_to(np.arange(30) == 1, (rows - 1, 30)))


def test_cotangent_of_max_stays_symbolic() -> None:
    x = np.arange(1000.0)
    (ct,) = max_p.vjp(np.float64(1.0), [True], x.max(), [x], axis=(0,))
    assert type(ct) is Scatter
    X = x.reshape(10, 100)
    (ct,) = max_p.vjp(np.ones(10), [True], X.max(axis=1), [X], axis=(1,))
    assert type(ct) is Scatter
    assert ct.values.shape == (10,)


@pytest.mark.parametrize("zeros", [(), (1,), (0, 3), (0, 1, 2, 3)], ids=str)
def test_products_with_zeros_are_exact_to_second_order(zeros: tuple[int, ...]) -> None:
    x = np.array([2.0, -3.0, 0.5, 4.0])
    x[list(zeros)] = 0.0
    n = len(x)
    others = [np.prod(np.delete(x, i)) for i in range(n)]
    pairs = [[0.0 if i == j else np.prod(np.delete(x, [i, j])) for j in range(n)] for i in range(n)]
    for f in (np.prod, lambda x: np.cumprod(x)[-1], lambda x: np.multiply.reduce(x)):
        np.testing.assert_allclose(cv.grad(f)(x), others, rtol=1e-14)
        np.testing.assert_allclose(cv.jacfwd(f)(x), others, rtol=1e-14)
        for hessian in (cv.hessian(f), cv.jacrev(cv.grad(f)), cv.jacfwd(cv.jacfwd(f)), cv.jacrev(cv.jacfwd(f))):
            np.testing.assert_allclose(hessian(x), pairs, rtol=1e-14)
    np.testing.assert_allclose(cv.vmap(cv.hessian(np.prod))(np.stack([x, x]))[1], pairs, rtol=1e-14)
    check_derivatives(lambda x: np.cumprod(x), [x])


def test_long_products_match_a_loop() -> None:
    """Longer than the length from which the recurrence runs in blocks."""
    x = np.random.default_rng(0).uniform(0.9, 1.1, 1000)
    x[[3, 700]] = 0.0
    t = np.cos(np.arange(1000.0))
    ct = np.sin(np.arange(1000.0))
    out, tangent = np.empty(1000), np.empty(1000)
    p, dp = 1.0, 0.0
    for k in range(1000):
        p, dp = p * x[k], dp * x[k] + p * t[k]
        out[k], tangent[k] = p, dp
    np.testing.assert_allclose(cv.jvp(np.cumprod, (x,), (t,))[1], tangent, rtol=1e-12, atol=1e-300)
    (back,) = cv.vjp(np.cumprod, x)[1](ct)
    np.testing.assert_allclose(back @ t, ct @ tangent, rtol=1e-12)
    f = lambda x: np.cumprod(x, axis=1)
    X, T = np.stack([x, x[::-1]]), np.stack([t, t])
    np.testing.assert_allclose(cv.jvp(f, (X,), (T,))[1][0], tangent, rtol=1e-12, atol=1e-300)


def test_sum_cotangent_is_a_view() -> None:
    x = np.ones((300, 400))
    seen = []
    _, back = cv.vjp(lambda x: np.sum(_record(x, seen)), x)
    back(1.0)
    assert seen[0].strides == (0, 0)


def _record(x: Any, seen: list[Any]) -> Any:
    """The identity, whose pullback notes the cotangent it receives."""
    identity = cv.custom_vjp(lambda x: x)
    identity.defvjp(lambda x: (x, None), lambda _, ct: (seen.append(ct) or ct,))
    return identity(x)


# --- errors -----------------------------------------------------------------------------------------------------------

X = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
ERRORS = [
    (lambda x: np.sum(x, out=np.empty(())), TracerConversionError, r"np\.sum\(\.\.\., out=.*zeros_like"),
    (lambda x: np.max(x, 0, np.empty(3)), TracerConversionError, r"np\.max\(\.\.\., out=.*zeros_like"),
    (lambda x: np.sum(x, axis=2), np.exceptions.AxisError, "axis 2"),
    (lambda x: np.sum(x, axis=(0, 0)), ValueError, "duplicate"),
    (lambda x: np.max(x[:0]), ValueError, "zero-size"),
    (lambda x: np.max(x, where=MASK), ValueError, "initial"),
    (lambda x: np.sum(x[0], where=MASK), ValueError, "does not broadcast"),
    (lambda x: np.nanargmax(x * np.nan), ValueError, "All-NaN"),
]


@pytest.mark.parametrize(("fun", "error", "match"), ERRORS)
def test_errors(fun: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        cv.vjp(fun, X)


def test_positions_are_plain_and_fill_plain_arrays() -> None:
    """Except under vmap, where there is one position for each example."""

    def first(x: Any, fill: Any = np.argmax) -> Any:
        at = np.empty(2, int)
        assert fill(x, axis=1, out=at) is at
        np.testing.assert_array_equal(at, fill(X, axis=1))
        return x[0, at[0]] * x[1, at[1]]

    for fill, want in ((np.argmax, [[0, 0, 6.0], [0, 0, 3.0]]), (np.argmin, [[4.0, 0, 0], [1.0, 0, 0]])):
        np.testing.assert_array_equal(cv.grad(first)(X, fill), want)
    with pytest.raises(TracerConversionError, match=r"np\.argmax\(\.\.\., out="):
        cv.vmap(first)(X[None])


def test_truth_of_a_batched_reduction() -> None:
    with pytest.raises(ConcretizationError, match="vmap"):
        cv.vmap(lambda x: x if np.any(x > 0) else -x)(X)
