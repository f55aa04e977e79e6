"""Scalars, 0-d arrays and dtypes where NumPy gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from helpers import check

X = np.arange(1.0, 6.0)

FUNCTIONS: dict[str, Any] = {
    "median": np.median,
    "nanmedian": np.nanmedian,
    "percentile": lambda x: np.percentile(x, 30),
    "quantile": lambda x: np.quantile(x, 0.3),
    "nanquantile": lambda x: np.nanquantile(x, 0.3),
    "norm of order 3": lambda x: np.linalg.norm(x, 3),
    "norm of order 1/2": lambda x: np.linalg.norm(x, 0.5),
    "interp": lambda x: np.interp(2.5, x, x**2),
    "cond": lambda x: np.linalg.cond(np.outer(x, x) + np.eye(5)),
    "nan_to_num": lambda x: np.nan_to_num(x[0]),
    "std": np.std,
    "det": lambda x: np.linalg.det(np.outer(x, x) + np.eye(5)),
    "dot": lambda x: np.dot(x, x),
    "tensordot, a 0-d array": lambda x: np.tensordot(x, x, 1),
    "tensordot of matrices": lambda x: np.tensordot(np.outer(x, x), np.ones((5, 5))),
    "tensordot of scalars": lambda x: np.tensordot(x[0], 3.0, 0),
    "linalg.tensordot": lambda x: np.linalg.tensordot(x, x, axes=1),
    "inner": lambda x: np.inner(x, x),
    "choose": lambda x: np.choose(1, [2.0, x[0]]),
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_scalars_and_0d_arrays_are_numpys(name: str) -> None:
    f = FUNCTIONS[name]
    for got in (cv.vjp(f, X)[0], cv.jvp(f, (X,), (X,))[0], cv.value_and_grad(f)(X)[0]):
        assert type(got) is type(f(X))
    check(f, X, order=1)


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors")
def test_cross_of_vectors_in_the_plane_is_a_0d_array() -> None:
    x, y = X[:2], np.array([0.5, -1.0])
    assert type(cv.vjp(lambda x: np.cross(x, y), x)[0]) is np.ndarray is type(np.cross(x, y))
    np.testing.assert_array_equal(cv.grad(lambda x: np.cross(x, y))(x), [-1.0, -0.5])


PRODUCTS: dict[str, Any] = {
    "dot": lambda x: np.dot(x, 2.0),
    "dot, number first": lambda x: np.dot(2.0, x),
    "dot with an integer": lambda x: np.dot(x, 2),
    "dot with a complex number": lambda x: np.dot(x, 2j),
    "dot with a NumPy scalar": lambda x: np.dot(x, np.float32(2)),
    "dot of scalars": lambda x: np.dot(x[0], 2.0),
    "method": lambda x: x.dot(2.0),
    "inner": lambda x: np.inner(x, 2.0),
    "outer": lambda x: np.outer(x, 2.0),
    "kron": lambda x: np.kron(x, 2.0),
    "vdot": lambda x: np.vdot(x[0], 2.0),
    "tensordot": lambda x: np.tensordot(x, 2.0, 0),
}


@pytest.mark.parametrize("name", sorted(PRODUCTS))
def test_products_take_python_numbers_for_arrays_as_numpy_does(name: str) -> None:
    f, x = PRODUCTS[name], X.astype(np.float32)
    want = f(x)
    out, pull = cv.vjp(f, x)
    assert type(out) is type(want) and out.dtype == want.dtype
    np.testing.assert_array_equal(out, want)
    assert pull(np.ones_like(want))[0].dtype == np.float32
    assert cv.jvp(f, (x,), (x,))[1].dtype == want.dtype
    assert cv.vmap(f)(np.stack([x, x])).dtype == want.dtype


CUTS: dict[str, Any] = {
    "number of parts": lambda a, t: np.split(a, t),
    "positions": lambda a, t: np.split(a, [1, t]),
    "array_split": lambda a, t: np.array_split(a, [t]),
}


@pytest.mark.parametrize("name", sorted(CUTS))
def test_arrays_are_not_cut_at_fractions(name: str) -> None:
    cut = CUTS[name]
    for run in (
        lambda: cut(X, 1.5),
        lambda: cv.vjp(lambda t: cut(X, t), 1.5),
        lambda: cv.vjp(lambda a: cut(a, 1.5), X),
    ):
        with pytest.raises((TypeError, ValueError)):
            run()


def test_split_into_as_many_parts_as_a_float_says() -> None:
    assert [x.shape for x in cv.vjp(lambda x: np.split(x, 5.0), X)[0]] == [(1,)] * 5


@pytest.mark.parametrize("order", [0.5, 1, 1.5, 2, 3])
def test_norms_of_any_order_have_derivative_zero_at_a_zero_element(order: float) -> None:
    x = np.array([0.0, 1.0])
    for derivative in (cv.jacrev, cv.jacfwd):
        np.testing.assert_array_equal(derivative(lambda x: np.linalg.norm(x, order))(x), [0.0, 1.0])
