"""np.linalg: norms and condition numbers, also at zero and of singular matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from helpers import check
from matrices import general
from numpy_api.test_linalg import compare_values

LA = np.linalg
A = general(3, 3)
V, V3 = np.array([0.5, -1.5, 2.0, -0.7]), general(2, 3, 4)
NORMS: list[tuple[str, Callable[[Any], Any], Any]] = [
    *[(f"vector {p}", lambda x, p=p: LA.norm(x, p), V) for p in (None, 1, 2, 3, 0.5, 2.5, -1, -2, np.inf, -np.inf)],
    *[(f"matrix {p}", lambda x, p=p: LA.norm(x, p), A) for p in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)],
    *[
        (f"axes {p}", lambda x, p=p: LA.norm(x, p, axis=(2, 0), keepdims=True), V3)
        for p in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    ],
    *[(f"axis {p}", lambda x, p=p: LA.norm(x, ord=p, axis=1, keepdims=True), V3) for p in (None, 1, 2, 3, np.inf)],
    ("everything", lambda x: LA.norm(x, keepdims=True), V3),
    ("scalar", LA.norm, np.float64(-2.0)),
    ("vector_norm", LA.vector_norm, V3),
    ("vector_norm axes", lambda x: LA.vector_norm(x, axis=(0, 2), keepdims=True, ord=3), V3),
    ("vector_norm axis", lambda x: LA.vector_norm(x, axis=-1, ord=1), V3),
    ("vector_norm all", lambda x: LA.vector_norm(x, keepdims=True), V3),
    ("matrix_norm", LA.matrix_norm, V3),
    ("matrix_norm nuc", lambda x: LA.matrix_norm(x, ord="nuc", keepdims=True), V3),
]


@pytest.mark.parametrize(("fun", "x"), [pytest.param(f, x, id=name) for name, f, x in NORMS])
def test_norm(fun: Callable[..., Any], x: Any) -> None:
    compare_values(fun, [x])
    check(fun, x)
    single = x.astype(np.float32)
    assert cv.grad(lambda x: np.sum(fun(x)))(single).dtype == np.float32
    assert cv.vjp(fun, single)[0].dtype == fun(single).dtype


@pytest.mark.parametrize(
    "name", ["vector None", "vector 3", "matrix 1", "matrix nuc", "matrix 2", "axis 2", "vector_norm"]
)
def test_norm_of_complex_numbers(name: str) -> None:
    fun, x = next((f, x) for n, f, x in NORMS if n == name)
    z = x * np.exp(1j * np.arange(x.size).reshape(x.shape))
    compare_values(fun, [z])
    check(fun, z)


@pytest.mark.parametrize("order", [None, 1, 2, 3, 1.5, np.inf])
def test_norm_of_zeros_has_derivative_zero(order: Any) -> None:
    zero = np.zeros((2, 3))
    fun = lambda x: LA.norm(x, order, axis=1).sum()
    assert_array_equal(cv.grad(fun)(zero), zero)
    assert cv.jvp(fun, (zero,), (np.ones((2, 3)),))[1] == 0
    half = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    assert_array_equal(cv.grad(fun)(half)[0], [0.0, 0.0, 0.0])
    assert_allclose(cv.grad(fun)(half)[1], cv.grad(lambda x: LA.norm(x, order))(half[1]), rtol=1e-14)


@pytest.mark.parametrize("order", [None, "fro", "nuc", 1, 2, np.inf])
def test_matrix_norm_of_zeros_has_derivative_zero(order: Any) -> None:
    zero = np.zeros((3, 3))
    assert_array_equal(cv.grad(lambda x: LA.norm(x, order))(zero), zero)
    assert cv.jvp(lambda x: LA.norm(x, order), (zero,), (np.ones((3, 3)),))[1] == 0


def test_second_derivative_of_a_norm_with_zero_elements() -> None:
    h = cv.hessian(LA.norm)(np.array([0.0, 2.0]))
    assert_allclose(h, [[0.5, 0.0], [0.0, 0.0]], atol=1e-15)
    z = np.array([0.0, 2.0j])
    t = np.array([1.0 + 0j, 0.0])
    slope = lambda z: cv.jvp(LA.norm, (z,), (t,))[1]
    assert_allclose(cv.jvp(slope, (z,), (t,))[1], 0.5, rtol=1e-14)


def test_norm_counts_nonzeros_as_a_constant() -> None:
    out, pull = cv.vjp(lambda x: LA.norm(x, 0) * x[0], V)
    assert out == 4 * V[0]
    assert_array_equal(pull(1.0)[0], [4.0, 0.0, 0.0, 0.0])


CONDITIONS: list[tuple[str, Any]] = [
    ("ones", np.ones((2, 2))),
    ("zeros", np.zeros((2, 2))),
    ("zero column", np.array([[1.0, 0.0, 2.0], [3.0, 0.0, 1.0], [0.5, 0.0, 1.0]])),
    ("nan", np.full((2, 2), np.nan)),
    ("stack", np.stack([np.ones((2, 2)), np.array([[2.0, 1.0], [0.5, 3.0]])])),
]


@pytest.mark.parametrize("order", [None, 1, -1, np.inf, -np.inf, "fro", 2, -2])
@pytest.mark.parametrize("a", [pytest.param(a, id=name) for name, a in CONDITIONS])
def test_condition_of_singular_matrices_is_infinite_as_in_numpy(a: Any, order: Any) -> None:
    fun = lambda a: LA.cond(a, order)
    if np.isnan(a).any() and order in (None, 2, -2):
        for run in (fun, lambda a: cv.vjp(fun, a)):
            with pytest.raises(LA.LinAlgError):
                run(a)
        return
    want = fun(a)
    assert_allclose(cv.vjp(fun, a)[0], want, rtol=1e-14)
    assert_allclose(cv.jvp(fun, (a,), (np.ones_like(a),))[0], want, rtol=1e-14)
    assert_allclose(cv.vmap(fun)(np.stack([a, a])), np.stack([want, want]), rtol=1e-14)


@pytest.mark.parametrize("order", [1, np.inf, "fro"])
def test_a_singular_matrix_leaves_its_neighbours_derivatives_alone(order: Any) -> None:
    """Zero for the infinite condition number, and for the others what they have alone."""
    regular = np.array([[2.0, 1.0], [0.5, 3.0]])
    both = cv.grad(lambda a: LA.cond(a, order)[1])(np.stack([np.ones((2, 2)), regular]))
    assert_array_equal(both[0], np.zeros((2, 2)))
    assert_allclose(both[1], cv.grad(lambda a: LA.cond(a, order))(regular), rtol=1e-14)
    check(lambda a: LA.cond(a, order), regular)
