"""Functions of sets, np.piecewise, polynomials by roots and by least squares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.errors import ConcretizationError
from helpers import assert_same_as_numpy, check

V = np.array([0.3, 0.7, 0.55, 0.2])
W = np.array([0.7, 0.1, 0.3, 0.9])


def same_values(fun: Callable[..., Any], *args: Any) -> None:
    want = cv.tree.leaves(fun(*args))
    for got in (cv.vjp(fun, *args)[0], cv.jvp(fun, args, tuple(np.ones_like(x) for x in args))[0]):
        for g, w in zip(cv.tree.leaves(got), want, strict=True):
            g, w = np.asarray(g), np.asarray(w)
            assert (g.shape, g.dtype) == (w.shape, w.dtype)
            np.testing.assert_allclose(g, w, rtol=1e-12, atol=1e-13)


SETS: dict[str, Callable[..., Any]] = {
    "union1d": np.union1d,
    "setdiff1d": np.setdiff1d,
    "setxor1d": np.setxor1d,
    "intersect1d": np.intersect1d,
    "intersect1d indices": lambda a, b: np.intersect1d(a, b, return_indices=True),
    "isin": np.isin,
    "isin invert": lambda a, b: np.isin(a, b, invert=True),
    "isin nothing": lambda a, b: np.isin(a, []),
}


@pytest.mark.parametrize("name", SETS)
def test_sets_have_numpys_values(name: str) -> None:
    same_values(SETS[name], V, W)
    same_values(SETS[name], np.array([1.0, 1.0, 2.0, 2.0]), np.array([2.0, 3.0]))


def test_elements_of_sets_carry_their_derivatives() -> None:
    def total(fun: Any) -> Any:
        return cv.grad(lambda a, b: np.sum(fun(a, b) ** 2), (0, 1))(V, W)

    first, second = total(np.intersect1d)
    np.testing.assert_allclose(first, np.where(np.isin(V, W), 2 * V, 0))
    np.testing.assert_allclose(second, 0 * W)  # of equal elements, the first array's is taken
    first, second = total(np.setxor1d)
    np.testing.assert_allclose(first, np.where(np.isin(V, W), 0, 2 * V))
    np.testing.assert_allclose(second, np.where(np.isin(W, V), 0, 2 * W))


def test_isin_maps_and_other_sets_say_why_not() -> None:
    assert_same_as_numpy(cv.vmap(np.isin)(np.stack([V, W]), np.stack([W, V])), np.stack([np.isin(V, W), np.isin(W, V)]))
    with pytest.raises(ConcretizationError):
        cv.vmap(np.setdiff1d)(np.stack([V, W]), np.stack([W, V]))


PIECES: dict[str, Callable[[Any], Any]] = {
    "two functions": lambda x: np.piecewise(x, [x < 0.5, x >= 0.5], [np.sin, np.cos]),
    "otherwise": lambda x: np.piecewise(x, [x < 0.5], [np.sin, lambda v: v**2]),
    "constants": lambda x: np.piecewise(x, [x < 0.5, x > 0.6], [2.0, 3.0]) + x,
    "overlapping": lambda x: np.piecewise(x, [x < 0.6, x < 0.4], [np.sin, np.cos, np.exp]),
    "arguments": lambda x: np.piecewise(
        x, [x < 0.5], [lambda v, k, z: v * k * z, lambda v, k, z: k - v**z], 3.0, z=2.0
    ),
    "matrix": lambda x: np.piecewise(x.reshape(2, 2), [x.reshape(2, 2) < 0.5], [np.sin, np.exp]),
}


@pytest.mark.parametrize("name", PIECES)
def test_piecewise(name: str) -> None:
    same_values(PIECES[name], V)
    check(PIECES[name], V)


def test_piecewise_of_single_numbers_and_by_parts() -> None:
    check(lambda x: np.piecewise(x, [x < 0.5, x >= 0.5], [np.sin, np.cos]), np.array(0.3))
    # A function sees its part only.
    same_values(lambda x: np.piecewise(x, x < 0.5, [lambda v: v - v.mean(), lambda v: v.sum()]), V)
    with pytest.raises(ValueError, match="functions are expected"):
        cv.grad(lambda x: np.sum(np.piecewise(x, [x < 0.5], [1.0, 2.0, 3.0])))(V)


POLYNOMIALS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], int]] = {
    "complex roots": (np.roots, (np.array([1.0, 0.2, 0.7]),), 1),
    "poly": (np.poly, (V,), 2),
    "poly of a matrix": (np.poly, (np.array([[1.0, 0.3], [0.2, 2.0]]),), 1),
    "polydiv": (np.polydiv, (V, W[:2]), 2),
    "polydiv by a longer one": (np.polydiv, (V[:2], W), 2),
    "polyfit": (lambda x, y: np.polyfit(x, y, 2), (V, W), 2),
    "weighted polyfit": (lambda x, y, w: np.polyfit(x, y, 1, w=w, cov=True), (V, W, V + 1), 1),
    "polyfit of columns": (lambda x, y: np.polyfit(x, np.stack([y, y * x], 1), 1, cov="unscaled"), (V, W), 1),
}


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_polynomials(name: str) -> None:
    fun, args, order = POLYNOMIALS[name]
    same_values(fun, *args)
    check(fun, *args, order=order)


def test_roots_and_full_fits_have_numpys_forms() -> None:
    same_values(np.roots, np.array([0.0, 1.0, -0.9, 0.1, 0.0, 0.0]))
    same_values(np.roots, np.zeros(3))
    same_values(lambda x, y: np.polyfit(x, y, 1, full=True), V, W)
    with pytest.raises(ConcretizationError, match="different degree"):
        cv.vmap(np.roots)(np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 3.0]]))
    with pytest.raises(TypeError, match="1D vector"):
        cv.grad(lambda x: np.sum(np.polyfit(x.reshape(2, 2), V, 1)))(V)
