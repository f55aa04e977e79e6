"""What the functions of `cond` and `switch` compute from values they close over happens in the branch taken only."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import covector as cv

HOW = ("auto", "select", "loop")


@pytest.mark.parametrize("how", HOW)
def test_no_warnings_from_branches_not_taken(how: str) -> None:
    f = lambda x: cv.cond(x > 0, lambda: np.sqrt(x) * np.log(x), lambda: 2.0 * x, branch=how)
    xs = np.array([-1.0, 1.0, 0.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(cv.vmap(f)(xs), [-2.0, 0.0, 0.0])
        np.testing.assert_array_equal(cv.vmap(cv.grad(f))(xs), [2.0, 1.0, 2.0])
        np.testing.assert_array_equal(cv.grad(lambda xs: np.sum(cv.vmap(f)(xs)))(xs), [2.0, 1.0, 2.0])


@pytest.mark.parametrize("how", HOW)
def test_no_errors_from_branches_not_taken(how: str) -> None:
    f = lambda a: cv.cond(a[0, 0] > 0, lambda: np.linalg.inv(a), lambda: a, branch=how)
    stack = np.stack([2.0 * np.eye(2), np.zeros((2, 2))])
    np.testing.assert_array_equal(cv.vmap(f)(stack), [0.5 * np.eye(2), np.zeros((2, 2))])


def test_a_loop_that_would_not_end_is_not_begun() -> None:
    def f(x: Any) -> Any:
        grown = lambda: cv.while_loop(lambda y: y < 10.0, lambda y: y * x, x)
        return cv.cond(x > 1.0, grown, lambda: x)

    xs = np.array([1.0, 2.0])
    assert cv.jit(f)(1.0) == 1.0  # with x = 1 the loop makes no progress
    assert cv.jit(cv.grad(f))(1.0) == 1.0
    assert cv.jit(cv.grad(f))(2.0) == 32.0  # x⁴
    np.testing.assert_array_equal(cv.vmap(f)(xs), [1.0, 16.0])
    np.testing.assert_array_equal(cv.jit(cv.vmap(cv.grad(f)))(xs), [1.0, 32.0])


def test_recorded_in_the_branch() -> None:
    f = lambda x, w: cv.cond(x > 0, lambda: w @ w @ w, lambda: w)
    graph = cv.make_graph(f)(1.0, np.eye(3))
    assert "matmul" not in [eq.primitive.name for eq in graph.equations]
    assert [eq.primitive.name for eq in graph.equations][-1] == "branch"


def test_nested_branches_and_loops() -> None:
    def f(x: Any, w: Any) -> Any:
        inner = lambda: cv.cond(x[1] > 0, lambda: x * w, lambda: np.cos(x) + w)
        return np.sum(cv.cond(x[0] > 0, lambda: cv.fori_loop(0, 3, lambda i, c: inner() + c * w, x), lambda: x * x))

    def plain(x: Any, w: Any) -> Any:
        c = x
        for _ in range(3):
            c = (x * w if x[1] > 0 else np.cos(x) + w) + c * w
        return np.sum(c if x[0] > 0 else x * x)

    w = np.array([0.5, -0.7])
    xs = np.array([[1.0, 2.0], [1.0, -2.0], [-1.0, 2.0]])
    both = (0, 1)
    for x in xs:
        for got, want in zip(cv.jit(cv.grad(f, both))(x, w), cv.grad(plain, both)(x, w), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-14)
    wants = [np.stack(g) for g in zip(*(cv.grad(plain, both)(x, w) for x in xs), strict=True)]
    for transform in (
        cv.vmap(cv.grad(f, both), in_axes=(0, None)),
        cv.jit(cv.vmap(cv.grad(f, both), in_axes=(0, None))),
    ):
        for got, want in zip(transform(xs, w), wants, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-14)


def test_arrays_made_from_outside_are_written_to_in_the_branch() -> None:
    def filled(x: Any, w: Any) -> Any:
        y = x.copy()
        y[0] = w[0] * 2.0
        z = np.zeros_like(x)
        z[1:] = y[1:] * x[0]
        np.multiply(z, y, out=y)
        y += w
        return y

    f = lambda x, w: np.sum(cv.cond(x[0] > 0, lambda: filled(x, w), lambda: x * w) ** 2)
    plain = lambda x, w: np.sum((filled(x, w) if x[0] > 0 else x * w) ** 2)
    w = np.array([0.5, -0.7, 2.0])
    xs = np.array([[1.0, 2.0, 3.0], [-1.0, 2.0, 3.0]])
    wants = np.stack([cv.grad(plain)(x, w) for x in xs])
    np.testing.assert_allclose([cv.jit(cv.grad(f))(x, w) for x in xs], wants, rtol=1e-14)
    np.testing.assert_allclose([cv.grad(cv.jit(f))(x, w) for x in xs], wants, rtol=1e-14)
    np.testing.assert_allclose(cv.vmap(cv.grad(f), in_axes=(0, None))(xs, w), wants, rtol=1e-14)


def test_python_may_ask_for_conditions_on_values_from_outside() -> None:
    def f(x: Any, w: Any) -> Any:
        def taken() -> Any:
            return x * w if w > 2.0 else x - w

        return cv.cond(x > 0, taken, lambda: x * x)

    compiled = cv.jit(f)
    for x, w, want in [(1.0, 1.0, 0.0), (1.0, 3.0, 3.0), (-1.0, 3.0, 1.0), (2.0, 1.0, 1.0)]:
        assert compiled(x, w) == want
