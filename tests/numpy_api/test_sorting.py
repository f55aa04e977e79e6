"""Sorting, searching, differences, interpolation, convolution and polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.errors import ConcretizationError, TracerConversionError
from helpers import assert_same_as_numpy, check
from numpy_api.function_cases import Case, check_derivatives, check_values, inputs, params

NODES = np.array([-1.5, -0.5, 0.0, 0.7, 2.0])
HEIGHTS = np.array([1.0, -2.0, 0.5, 3.0, 1.5])
GRID = np.array([0.0, 0.5, 1.5, 2.0, 4.0])

SORTING: list[Case] = [
    ("sort", lambda x: np.sort(x), [(5,)]),
    ("sort axis", lambda x: np.sort(x, axis=0), [(3, 2)]),
    ("sort flat", lambda x: np.sort(x, axis=None, kind="mergesort"), [(3, 2)]),
    ("sort stable", lambda x: np.sort(x, stable=True), [(2, 3)]),
    ("sort of complex", lambda x: np.sort(x * np.exp(1j * x)), [(4,)]),
    ("sort empty", lambda x: np.sort(x), [(0,)]),
    ("sort_complex", lambda x: np.sort_complex(x), [(4,)]),
    ("partition", lambda x: np.partition(x, 2), [(5,)]),
    ("partition axis", lambda x: np.partition(x, (0, -1), axis=0), [(4, 2)]),
    ("partition flat", lambda x: np.partition(x, kth=3, axis=None), [(2, 3)]),
]
PLAIN: list[Case] = [
    ("argsort", lambda x: np.argsort(x), [(5,)]),
    ("argsort flat", lambda x: np.argsort(x, axis=None, kind="stable"), [(2, 3)]),
    ("method argsort", lambda x: x.argsort(0, stable=True), [(2, 3)]),
    ("argpartition", lambda x: np.argpartition(x, 1, axis=0), [(4, 2)]),
    ("method argpartition", lambda x: x.argpartition(2), [(5,)]),
    ("lexsort", lambda x: np.lexsort((x, np.round(x))), [(5,)]),
    ("lexsort axis", lambda x: np.lexsort((x, x > 0), axis=0), [(4, 2)]),
    ("searchsorted", lambda x: np.searchsorted(NODES, x), [(2, 3)]),
    ("searchsorted scalar", lambda x: np.searchsorted(NODES, x, "right"), [()]),
    ("searchsorted in traced", lambda x: np.searchsorted(np.sort(x), NODES, side="right"), [(4,)]),
    ("searchsorted both", lambda x: np.searchsorted(x, x[:2], sorter=np.argsort(x)), [(4,)]),
    ("method searchsorted", lambda x: np.sort(x).searchsorted(0.1), [(4,)]),
    ("digitize", lambda x: np.digitize(x, NODES), [(4,)]),
    ("digitize right", lambda x: np.digitize(x, NODES[::-1], right=True), [(2, 3)]),
]
DIFFERENCES: list[Case] = [
    ("diff", lambda x: np.diff(x), [(4,)]),
    ("diff twice", lambda x: np.diff(x, 2, axis=0), [(4, 2)]),
    ("diff none", lambda x: np.diff(x, n=0) * 2, [(3,)]),
    ("diff edges", lambda x: np.diff(x, prepend=0.5, append=[[1.0, 2.0], [0.0, 4.0]]), [(2, 3)]),
    ("diff traced edge", lambda x, y: np.diff(x, axis=0, prepend=y), [(2, 3), ()]),
    ("diff plain with traced edge", lambda y: np.diff(GRID, append=y), [(2,)]),
    ("ediff1d", lambda x: np.ediff1d(x), [(2, 3)]),
    ("ediff1d ends", lambda x, y: np.ediff1d(x, to_end=[1.0, 2.0], to_begin=y), [(3,), (2,)]),
    ("gradient", lambda x: np.gradient(x), [(5,)]),
    ("gradient short", lambda x: np.gradient(x, 0.5), [(2,)]),
    ("gradient axes", lambda x: np.gradient(x), [(3, 4)]),
    ("gradient second order", lambda x: np.gradient(x, 2.0, edge_order=2), [(5,)]),
    ("gradient of spacing", lambda x, h: np.gradient(x, h + 2, edge_order=2), [(5,), ()]),
    ("gradient coordinates", lambda x: np.gradient(x, GRID), [(5,)]),
    ("gradient coordinates 2", lambda x: np.gradient(x, GRID, axis=1, edge_order=2), [(2, 5)]),
    ("gradient even coordinates", lambda x: np.gradient(x, np.arange(5.0), 3, edge_order=2), [(5, 3)]),
    ("gradient integer coordinates", lambda x: np.gradient(x, np.array([0, 1, 4])), [(3,)]),
    ("gradient of coordinates", lambda x, c: np.gradient(x, GRID + c / 9, edge_order=2), [(5,), (5,)]),
    ("gradient of end coordinates", lambda c: np.gradient(HEIGHTS, GRID + c / 9), [(5,)]),
    ("gradient one axis", lambda x: np.gradient(x, 0.1, axis=-1), [(2, 3)]),
    ("gradient chosen axes", lambda x: np.gradient(x, 1.0, GRID, axis=(2, 0)), [(5, 2, 3)]),
    ("trapezoid", lambda y: np.trapezoid(y), [(5,)]),
    ("trapezoid dx", lambda y, h: np.trapezoid(y, dx=h, axis=0), [(3, 2), ()]),
    ("trapezoid x", lambda y, x: np.trapezoid(y, x, axis=0), [(3, 2), (3,)]),
    ("trapezoid x matrix", lambda y, x: np.trapezoid(y, x, axis=-1), [(2, 3), (2, 3)]),
    ("trapezoid of x", lambda x: np.trapezoid(HEIGHTS, x), [(5,)]),
]
INTERPOLATION: list[Case] = [
    ("interp", lambda x: np.interp(x, NODES, HEIGHTS), [(2, 3)]),
    ("interp scalar", lambda x: np.interp(x, NODES, HEIGHTS), [()]),
    ("interp outside", lambda x: np.interp(x * 4, NODES, HEIGHTS), [(6,)]),
    ("interp left right", lambda x: np.interp(x * 4, NODES, HEIGHTS, left=-7.0, right=9.0), [(6,)]),
    ("interp traced left", lambda x, c: np.interp(x * 4, NODES, HEIGHTS, c, 2 * c), [(6,), ()]),
    ("interp nodes", lambda n: np.interp(np.linspace(-2, 3, 7), NODES + n / 20, HEIGHTS), [(5,)]),
    ("interp heights", lambda h: np.interp([-2.0, 0.1, 0.7, 5.0], list(NODES), h), [(5,)]),
    ("interp complex", lambda x, h: np.interp(x, NODES, h * (1 + 2j)), [(4,), (5,)]),
    ("interp all", lambda x, n, h: np.interp(x, NODES + n / 20, h), [(4,), (5,), (5,)]),
    ("interp one node", lambda x, h: np.interp(x, np.array([0.1]), h, right=3.0), [(4,), (1,)]),
    ("interp period", lambda x: np.interp(x * 5 + 0.1, NODES, HEIGHTS, period=-4.0), [(6,)]),
    ("interp period nodes", lambda x, n: np.interp(x, 3 * NODES + n / 20, HEIGHTS, period=7), [(4,), (5,)]),
]
POLYNOMIALS: list[Case] = [
    *[
        (f"{f.__name__} {mode} {n} {m}", lambda a, v, f=f, mode=mode: f(a, v, mode), [(n,), (m,)])
        for f in (np.convolve, np.correlate)
        for mode in ("full", "same", "valid")
        for n, m in ((5, 3), (5, 2), (2, 5), (3, 4), (3, 3), (1, 1))
    ],
    ("convolve default", lambda a: np.convolve(a, [1.0, 2.0]), [(4,)]),
    ("convolve scalar", lambda a, v: np.convolve(a, v), [(3,), ()]),
    ("correlate default", lambda v: np.correlate([1.0, 2.0, 0.5], v), [(2,)]),
    ("correlate complex", lambda a, v: np.correlate(a * (1 + 2j), v * np.exp(1j * v), "full"), [(3,), (2,)]),
    ("polyval", lambda p, x: np.polyval(p, x), [(4,), (3,)]),
    ("polyval of list", lambda x: np.polyval([2, 0, 1], x), [(2, 2)]),
    ("polyval of p", lambda p: np.polyval(p, 0.5), [(3,)]),
    ("polynomial.polyval", lambda x: np.polynomial.polynomial.polyval(x, [1.0, 2.0, 3.0]), [(3,)]),
    ("polyadd", lambda a, b: np.polyadd(a, b), [(2,), (4,)]),
    ("polysub", lambda a, b: np.polysub(a, b), [(4,), (2,)]),
    ("polyadd poly1d", lambda a: np.polyadd(a, [1.0, 2.0, 3.0]), [()]),
    ("polyder", lambda p: np.polyder(p, 2), [(4,)]),
    ("polyint", lambda p: np.polyint(p), [(3,)]),
    ("polyint constants", lambda p, k: np.polyint(p, 2, k=k), [(3,), (2,)]),
]
CASES = SORTING + DIFFERENCES + INTERPOLATION + POLYNOMIALS


@pytest.mark.parametrize(("fun", "args"), params(CASES + PLAIN))
def test_values_are_those_of_numpy(fun: Any, args: Any) -> None:
    check_values(fun, args)


@pytest.mark.parametrize(("fun", "args"), params(CASES))
def test_derivatives(fun: Any, args: Any) -> None:
    check_derivatives(fun, args)


NARROW = [
    (np.sort, (4,)),
    (np.diff, (4,)),
    (np.gradient, (4,)),
    (lambda x: np.gradient(x, np.array([0.0, 1.0, 3.0, 4.0])), (4,)),
    (np.trapezoid, (4,)),
    (lambda x: np.interp(x, NODES, HEIGHTS), (4,)),
    (lambda x: np.convolve(x, x), (3,)),
    (lambda x: np.polyval(x, x), (3,)),
    (lambda x: np.partition(x, 1), (4,)),
    (lambda x: np.ediff1d(x, to_begin=np.float32(1)), (3,)),
]


@pytest.mark.parametrize(("fun", "shape"), NARROW)
def test_single_precision_stays(fun: Any, shape: Any) -> None:
    (x,) = inputs("narrow", [shape], np.float32)
    out, back = cv.vjp(fun, x)
    want = fun(x)
    assert out.dtype == want.dtype
    np.testing.assert_allclose(out, want, rtol=1e-6)
    assert back(np.ones_like(want))[0].dtype == np.float32


# --- special points ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [None, "quicksort", "stable"])
def test_sort_follows_the_elements_taken(kind: Any) -> None:
    x = np.array([2.0, 1.0, 2.0, np.nan, 1.0])
    want = np.eye(5)[[1, 4, 0, 2, 3]]
    f = lambda x: np.sort(x, kind=kind)
    np.testing.assert_array_equal(cv.jacrev(f)(x), want)
    np.testing.assert_array_equal(cv.jacfwd(f)(x), want)
    np.testing.assert_array_equal(cv.vmap(cv.jacrev(f))(np.stack([x, x]))[1], want)


@pytest.mark.parametrize("n", [100, 3000])
def test_sort_is_stable_where_numpy_is_not(n: int) -> None:
    x = np.tile([1.0, 0.0, 2.0], n)
    want = np.concatenate([np.arange(1, 3 * n, 3), np.arange(0, 3 * n, 3), np.arange(2, 3 * n, 3)])
    t = np.arange(3.0 * n)
    np.testing.assert_array_equal(cv.jvp(np.sort, (x,), (t,))[1], want)
    distinct = np.cos(t)
    np.testing.assert_array_equal(cv.jvp(np.sort, (distinct,), (t,))[1], np.argsort(distinct))
    rows = lambda x: np.sort(x.reshape(2, -1), axis=0)
    np.testing.assert_array_equal(cv.jvp(rows, (distinct[: 2 * n],), (distinct[: 2 * n],))[1], rows(distinct[: 2 * n]))


def test_interp_at_the_last_node_is_exact() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        nodes, heights = np.sort(rng.normal(size=4)), rng.normal(size=4)
        assert cv.vjp(lambda x, n=nodes, h=heights: np.interp(x, n, h), nodes[-1])[0] == heights[-1]


def test_interp_at_the_nodes() -> None:
    """The value is exactly fp; the derivative is that of the segment to the right, at the last node to the left."""
    np.testing.assert_array_equal(cv.vjp(lambda x: np.interp(x, NODES, HEIGHTS), NODES)[0], HEIGHTS)
    slopes = np.diff(HEIGHTS) / np.diff(NODES)
    want = np.diag([*slopes, slopes[-1]])
    np.testing.assert_allclose(cv.jacrev(lambda x: np.interp(x, NODES, HEIGHTS))(NODES), want)
    np.testing.assert_allclose(cv.jacfwd(lambda x: np.interp(x, NODES, HEIGHTS))(NODES), want)
    np.testing.assert_allclose(cv.jacrev(lambda h: np.interp(NODES, NODES, h))(HEIGHTS), np.eye(5), atol=1e-15)


def test_interp_between_equal_nodes_and_at_nan() -> None:
    nodes, heights = np.array([0.0, 1.0, 1.0, 2.0]), np.array([0.0, 1.0, 5.0, 6.0])
    x = np.array([0.5, 1.0, 1.5, np.nan, 3.0])
    f = lambda x: np.interp(x, nodes, heights)
    with np.errstate(all="ignore"):
        assert_same_as_numpy(cv.vjp(f, x)[0], f(x))
        (ct,) = cv.vjp(f, x)[1](np.ones(5))
        (ct_h,) = cv.vjp(lambda h: np.interp(x[[0, 1, 2, 4]], nodes, h), heights)[1](np.ones(4))
    np.testing.assert_allclose(ct[[0, 1, 2, 4]], [1, 1, 1, 0])
    np.testing.assert_allclose(ct_h, [0.5, 0.5, 1.5, 1.5])


UNIQUE = np.array([3.0, 1.0, 3.0, 2.0, 1.0])


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: np.unique(x, return_index=True, return_inverse=True, return_counts=True),
        lambda x: np.unique(x.reshape(1, 5), axis=1, return_counts=True),
        lambda x: tuple(np.unique_all(x)),
        lambda x: tuple(np.unique_counts(x)),
        lambda x: tuple(np.unique_inverse(x)),
        lambda x: (np.unique_values(x),),
        lambda x: np.nonzero(x > 1),
        lambda x: (np.flatnonzero(x > 1), np.argwhere(x > 1), np.where(x > 1)[0]),
    ],
)
def test_functions_whose_shape_depends_on_values(fun: Any) -> None:
    for a, b in zip(cv.vjp(fun, UNIQUE)[0], fun(UNIQUE), strict=True):
        assert_same_as_numpy(a, b)
    with pytest.raises(ConcretizationError, match="depends on values"):
        cv.vmap(fun)(np.stack([UNIQUE, UNIQUE]))


def test_unique_differentiates_the_first_of_equal_elements() -> None:
    want = np.eye(5)[[1, 3, 0]]
    np.testing.assert_array_equal(cv.jacrev(np.unique)(UNIQUE), want)
    np.testing.assert_array_equal(cv.jacfwd(np.unique)(UNIQUE), want)
    rows = np.array([[2.0, 1.0], [0.0, 1.0], [2.0, 1.0]])
    check(lambda x: np.unique(x, axis=0), rows[:2], batched=False)


def test_polynomial_product_drops_leading_zeros() -> None:
    a, b = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0])
    assert_same_as_numpy(cv.vjp(np.polymul, a, b)[0], np.polymul(a, b))
    check(lambda a, b: np.polymul(a, b), a[1:], b, batched=False)


def test_searchsorted_with_a_sequence_per_lane() -> None:
    rng = np.random.default_rng(0)
    a = np.sort(rng.integers(0, 6, (5, 7)).astype(float), axis=1)
    v = rng.integers(-1, 7, (5, 2, 4)).astype(float)
    v[0, 0, 0] = np.nan
    for side in ("left", "right"):
        got = cv.vmap(lambda a, v, side=side: np.searchsorted(a, v, side))(a, v)
        np.testing.assert_array_equal(got, [np.searchsorted(r, w, side) for r, w in zip(a, v, strict=True)])
        shared = cv.vmap(lambda a, side=side: np.searchsorted(a, v[1], side))(a)
        np.testing.assert_array_equal(shared, [np.searchsorted(r, v[1], side) for r in a])


# --- errors -----------------------------------------------------------------------------------------------------------

X = np.array([1.0, 2.0, 4.0])
ERRORS = [
    (lambda x: np.sort(x, order="name"), ValueError, "structured"),
    (lambda x: np.partition(x, 3), ValueError, "out of bounds"),
    (lambda x: np.searchsorted(x, 1.0, side="middle"), ValueError, "side"),
    (lambda x: np.digitize(1.0, x[[0, 2, 1]]), ValueError, "monotonically"),
    (lambda x: np.diff(x, n=-1), ValueError, "non-negative"),
    (lambda x: np.diff(x[0]), ValueError, "one dimensional"),
    (lambda x: np.gradient(x, 1.0, 2.0), TypeError, "number of arguments"),
    (lambda x: np.gradient(x, np.ones(2)), ValueError, "match the length"),
    (lambda x: np.gradient(x[:2], edge_order=2), ValueError, "too small"),
    (lambda x: np.interp(x, NODES, HEIGHTS[:-1]), ValueError, "not of the same length"),
    (lambda x: np.interp(x, NODES, HEIGHTS, period=0), ValueError, "non-zero"),
    (lambda x: np.convolve(x, np.ones((2, 2))), ValueError, "1-D"),
    (lambda x: np.convolve(x, x[:0]), ValueError, "empty"),
    (lambda x: np.convolve(x, x, "middle"), ValueError, "mode"),
    (lambda x: np.trapezoid(x, [x[0], x[1], 3.0]), TracerConversionError, "np.stack"),
]


@pytest.mark.parametrize(("fun", "error", "match"), ERRORS)
def test_errors(fun: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        cv.vjp(fun, X)
