"""Elementwise functions: dtypes of results and of derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from helpers import assert_same_as_numpy
from numpy_api.elementwise_inputs import BINARY, MASK, UNARY, P, Q, X, Z

SINGLE = [(n, (P if n in UNARY["positive"] else X,)) for n in UNARY["real"] + UNARY["positive"]]
SINGLE += [(n, (P, Q)) for n in BINARY["real"] if n != "float_power"]


@pytest.mark.parametrize(("name", "args"), SINGLE)
def test_float32_stays_float32(name: str, args: tuple[Any, ...]) -> None:
    args = tuple(a.astype(np.float32) for a in args)
    out, pull = cv.vjp(getattr(np, name), *args)
    assert out.dtype == np.float32
    assert [c.dtype for c in pull(np.ones_like(out))] == [np.float32] * len(args)
    assert cv.jvp(getattr(np, name), args, args)[1].dtype == np.float32


@pytest.mark.parametrize("exponent", [2, 0.5, np.int64(2), np.float64(0.5), np.float32(2), np.array(2)], ids=repr)
def test_power_promotes_with_the_dtype_of_the_exponent(exponent: Any) -> None:
    x = P.astype(np.float32)
    want = np.power(x, exponent)
    assert_same_as_numpy(cv.vjp(lambda x: np.power(x, exponent), x)[0], want)
    assert cv.jvp(lambda x: np.power(x, exponent), (x,), (x,))[1].dtype == want.dtype


@pytest.mark.parametrize(
    ("source", "target"),
    [(float, np.float32), (np.float32, float), (float, complex), (np.float32, complex), (complex, np.complex64)],
)
def test_astype_returns_the_cotangent_in_the_primal_dtype(source: Any, target: Any) -> None:
    x = X.astype(source)
    out, pull = cv.vjp(lambda x: x.astype(target), x)
    assert out.dtype == target
    (ct,) = pull(np.full(4, 2, target))
    assert ct.dtype == source
    np.testing.assert_array_equal(ct, 2)
    assert cv.jvp(lambda x: np.astype(x, target), (x,), (x,))[1].dtype == target


def test_astype_to_integers_is_constant() -> None:
    np.testing.assert_array_equal(cv.grad(lambda x: np.sum(x.astype(int) * x))(P), P.astype(int))


def test_astype_of_complex_to_real_warns_as_numpy_does() -> None:
    with pytest.warns(np.exceptions.ComplexWarning):
        gradient = cv.grad(lambda z: np.sum(z.astype(float) ** 2))(Z)
    np.testing.assert_allclose(gradient, 2 * Z.real + 0j)


def test_select_promotes_as_numpy_does() -> None:
    fun = lambda x: np.select([MASK, ~MASK], [1, x], default=2.0)
    assert cv.vjp(fun, X.astype(np.float32))[0].dtype == fun(X.astype(np.float32)).dtype == np.float32


def test_float32_powers_are_computed_in_float32() -> None:
    x = P.astype(np.float32)
    for exponent in (2, 3, 2.5, -1):
        graph = cv.make_graph(lambda x, y=exponent: cv.vjp(lambda x: x**y, x)[1](x)[0])(x)
        assert {v.dtype for eq in graph for v in eq.outputs} == {np.dtype(np.float32)}


# np.choose promotes as ufuncs do: Python numbers give way.
CHOICES: list[tuple[str, Callable[..., Any]]] = [
    ("Python float", lambda x: np.choose([0, 1, 1, 0], [x, 2.0])),
    ("Python int", lambda x: np.choose([0, 1, 1, 0], [x, 2])),
    ("Python complex", lambda x: np.choose([0, 1, 1, 0], [x, 2j])),
    ("NumPy scalar", lambda x: np.choose([0, 1, 1, 0], [x, np.float64(2)])),
    ("list", lambda x: np.choose([0, 1, 1, 0], [x, [1.0, 2.0, 3.0, 4.0]])),
    ("mask", lambda x: np.choose(np.array([True, False, True, False]), [x, 0.0])),
    ("rows of one array", lambda x: np.choose([0, 1, 0, 1], np.stack([x, 2 * x]))),
    ("scalar", lambda x: np.choose(1, [2.0, np.sum(x)])),
    ("scalar and Python number", lambda x: np.choose(0, [np.sum(x), 2.0])),
]


@pytest.mark.parametrize("fun", [pytest.param(f, id=n) for n, f in CHOICES])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_choose_promotes_as_numpy_does(fun: Callable[..., Any], dtype: Any) -> None:
    x = X.astype(dtype)
    want = fun(x)
    got, pull = cv.vjp(fun, x)
    assert_same_as_numpy(got, want)
    assert type(got) is type(want)
    assert pull(np.ones_like(want))[0].dtype == dtype
    assert_same_as_numpy(cv.vmap(fun)(np.stack([x, 2 * x])), np.stack([want, fun(2 * x)]))


OUTER: list[tuple[str, Callable[..., Any]]] = [
    ("Python float", lambda x: np.multiply.outer(x, 2.0)),
    ("Python float first", lambda x: np.multiply.outer(2.0, x)),
    ("Python int", lambda x: np.multiply.outer(x, 3)),
    ("list", lambda x: np.multiply.outer(x, [1.0, 2.0])),
    ("NumPy scalar", lambda x: np.add.outer(x, np.float64(2))),
    ("integers", lambda x: np.add.outer(x, np.arange(2))),
    ("scalar", lambda x: np.multiply.outer(x[0], 2.0)),
    ("power", lambda x: np.power.outer(x, 2)),
]


@pytest.mark.parametrize("fun", [pytest.param(f, id=n) for n, f in OUTER])
def test_outer_takes_python_numbers_for_arrays_as_numpy_does(fun: Callable[..., Any]) -> None:
    x = P.astype(np.float32)
    want = fun(x)
    got, pull = cv.vjp(fun, x)
    assert_same_as_numpy(got, want)
    assert type(got) is type(want)
    assert pull(np.ones_like(want))[0].dtype == np.float32
    assert cv.jvp(fun, (x,), (x,))[1].dtype == want.dtype
