"""``import covector.numpy as np``: arrays made from nothing take traced values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
import covector.numpy as np

X = numpy.array([[0.4, -0.7], [1.1, 0.9], [-0.3, 1.6], [0.8, 0.2]])
T = numpy.array([[1.0, 0.5], [-0.3, 0.2], [0.7, -0.9], [0.1, 0.6]])

BUFFERS: dict[str, Callable[[Any], Any]] = {
    "zeros": lambda np: np.zeros((4, 2)),
    "zeros in Fortran order": lambda np: np.zeros((4, 2), order="F"),
    "empty": lambda np: np.empty((4, 2)),
    "ones": lambda np: np.ones((4, 2)),
    "full": lambda np: np.full((4, 2), 0.5),
    "eye": lambda np: np.eye(4, 2),
    "identity": lambda np: np.identity(4)[:, :2],
    "arange": lambda np: np.arange(8.0).reshape(4, 2),
    "linspace": lambda np: np.linspace(0.0, 1.0, 8).reshape(4, 2),
    "array": lambda np: np.array([[0.0, 1.0]] * 4),
    "asarray": lambda np: np.asarray([[0.0, 1.0]] * 4),
    "zeros_like": lambda np: np.zeros_like(np.ones((4, 2))),
    "empty_like of a plain array": lambda np: np.empty_like(X),
    "copy of a plain array": lambda np: np.copy(X),
    "array of a plain array": lambda np: np.array(X),
    "complex": lambda np: np.zeros((4, 2), dtype=complex),
    "stack of zeros": lambda np: np.stack([np.zeros(2)] * 4),
    "outer of plain ones": lambda np: np.outer(np.ones(4), np.ones(2)),
}


def fill(np: Any, buffer: Callable[[Any], Any], x: Any) -> Any:
    b = buffer(np)
    b[:] = x[0, 0]
    for i in range(1, 4):
        b[i, 0] = b[i - 1, 0] * x[i, 1]
    tail = b[1:]
    tail *= x[0, 1]
    b[2, 1] = 0.25
    np.add.at(b, [0, 0], x[3])
    return b * x


def along(f: Callable[[Any], Any], x: Any, t: Any) -> Any:
    """Central differences; `f` is a polynomial of degree five, for which this formula is exact to rounding."""
    at = {k: f(x + k * 0.1 * t) for k in (-3, -2, -1, 1, 2, 3)}
    return (45 * (at[1] - at[-1]) - 9 * (at[2] - at[-2]) + (at[3] - at[-3])) / 6.0


@pytest.mark.parametrize("name", BUFFERS)
def test_bare_buffers(name: str) -> None:
    f = lambda x: fill(np, BUFFERS[name], x)
    plain = lambda x: fill(numpy, BUFFERS[name], x)
    want, slope = plain(X), along(plain, X, T)
    out, tangent = cv.jvp(f, (X,), (T,))
    assert_array_equal(out, want)
    assert out.dtype == want.dtype
    assert_allclose(tangent, slope, rtol=1e-11, atol=1e-12)
    out, pull = cv.vjp(f, X)
    assert_array_equal(out, want)
    ct = numpy.cos(numpy.arange(8.0).reshape(4, 2)).astype(out.dtype)
    assert_allclose(numpy.sum(pull(ct)[0] * T), numpy.sum(ct * slope).real, rtol=1e-11)
    batch = numpy.stack([X, 0.5 * X])
    assert_allclose(cv.vmap(f)(batch), [plain(x) for x in batch], rtol=1e-14)
    assert_allclose(cv.vmap(cv.jacrev(f, holomorphic=False))(batch)[1], cv.jacfwd(f)(0.5 * X), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", BUFFERS)
def test_without_transform_they_are_plain_arrays(name: str) -> None:
    got, want = BUFFERS[name](np), BUFFERS[name](numpy)
    assert type(got) is numpy.ndarray
    assert (got.shape, got.dtype, got.flags.c_contiguous) == (want.shape, want.dtype, want.flags.c_contiguous)
    assert type(fill(np, BUFFERS[name], X)) is numpy.ndarray


def test_a_buffer_made_outside_of_the_function_is_a_plain_array() -> None:
    work = np.zeros(3)

    def f(x: Any) -> Any:
        work[0] = x
        return work.sum()

    with pytest.raises(cv.TracerConversionError):
        cv.grad(f)(1.0)
    assert_array_equal(work, numpy.zeros(3))


def test_integer_buffers_hold_constants() -> None:
    def f(x: Any) -> Any:
        k = np.zeros(3, dtype=int)
        k[:] = x * 2.0
        return np.sum(k * x)

    assert_array_equal(cv.grad(f)(numpy.array([0.6, 1.2, 1.9])), [1.0, 2.0, 3.0])


def test_arrays_of_traced_and_plain_values_are_buffers_too() -> None:
    def f(x: Any) -> Any:
        a = np.array([x[0], 2.0, x[1] * x[0]])
        a[1] = a[2] * a[0]
        b = np.array([[x[0], 0.0], [1.0, x[1]]])
        b[0, 1] = a[1]
        b.T[0] *= a[:2]
        return b.sum()

    def pure(x: Any) -> Any:
        a0, a2 = x[0], x[1] * x[0]
        a1 = a2 * a0
        return a0 * a0 + a1 + a1 + x[1]

    x = numpy.array([0.7, 1.3])
    assert_allclose(cv.grad(f)(x), cv.grad(pure)(x), rtol=1e-14)
    assert_allclose(cv.hessian(f)(x), cv.hessian(pure)(x), rtol=1e-13)
