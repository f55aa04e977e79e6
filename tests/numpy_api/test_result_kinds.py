"""Scalars where NumPy gives scalars: reductions that choose or reshape must not end in 0-d arrays."""

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
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_scalar_stays_a_scalar(name: str) -> None:
    f = FUNCTIONS[name]
    for got in (cv.vjp(f, X)[0], cv.jvp(f, (X,), (X,))[0], cv.value_and_grad(f)(X)[0]):
        assert type(got) is type(f(X))
    check(f, X, order=1)


@pytest.mark.parametrize("order", [0.5, 1, 1.5, 2, 3])
def test_norms_of_any_order_have_derivative_zero_at_a_zero_element(order: float) -> None:
    x = np.array([0.0, 1.0])
    for derivative in (cv.jacrev, cv.jacfwd):
        np.testing.assert_array_equal(derivative(lambda x: np.linalg.norm(x, order))(x), [0.0, 1.0])
