"""Methods and keyword arguments of ufuncs: NumPy's values, derivatives, and what is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.buffer import plain_of
from covector.core.errors import NotDifferentiableError, TracerConversionError
from covector.core.tracer import Tracer
from helpers import assert_same_as_numpy, check

X = np.array([[0.3, -0.7, 0.9, 0.1, 1.4], [1.2, 0.5, -0.4, 0.8, -1.1]])
P = np.abs(X) + 0.2
V = np.array([0.4, 1.3, 2.2])
MASK = X > 0

Case = tuple[str, Callable[..., Any], tuple[Any, ...]]

REDUCE: list[Case] = [
    ("add", lambda x: np.add.reduce(x), (X,)),
    ("add axis", lambda x: np.add.reduce(x, axis=1, keepdims=True), (X,)),
    ("add positional", lambda x: np.add.reduce(x, 1), (X,)),
    ("add None", lambda x: np.add.reduce(x, axis=None), (X,)),
    ("add initial", lambda x: np.add.reduce(x, initial=3.0), (X,)),
    ("add where", lambda x: np.add.reduce(x, axis=1, where=MASK), (X,)),
    ("multiply", lambda x: np.multiply.reduce(x, axis=-1), (X,)),
    ("maximum", lambda x: np.maximum.reduce(x, axis=(0, 1)), (X,)),
    ("minimum initial", lambda x: np.minimum.reduce(x, axis=0, initial=0.2), (X,)),
    ("fmax", lambda x: np.fmax.reduce(x, axis=1), (X,)),
    ("fmin keepdims", lambda x: np.fmin.reduce(x, axis=(0, 1), keepdims=True), (X,)),
    ("fmax where", lambda x: np.fmax.reduce(x, axis=1, where=MASK, initial=0.2), (X,)),
    ("logaddexp", lambda x: np.logaddexp.reduce(x, axis=1), (X,)),
    ("logaddexp both", lambda x: np.logaddexp.reduce(x, axis=None), (X,)),
    ("logaddexp where", lambda x: np.logaddexp.reduce(x, axis=1, where=MASK), (X,)),
    ("logaddexp initial", lambda x: np.logaddexp.reduce(x, axis=1, initial=1.5), (X,)),
    ("logaddexp2", lambda x: np.logaddexp2.reduce(x), (X,)),
    ("hypot", lambda x: np.hypot.reduce(x, axis=-1), (X,)),
    ("hypot of one", lambda x: np.hypot.reduce(x[:, :1], axis=-1), (X,)),
    ("subtract", lambda x: np.subtract.reduce(x, axis=1), (X,)),
    ("divide", lambda x: np.divide.reduce(x, axis=1), (P,)),
    ("dtype", lambda x: np.add.reduce(x, dtype=complex), (X,)),
]

OTHERS: list[Case] = [
    ("add.accumulate", lambda x: np.add.accumulate(x), (X,)),
    ("add.accumulate axis", lambda x: np.add.accumulate(x, axis=1), (X,)),
    ("multiply.accumulate", lambda x: np.multiply.accumulate(x, 1), (X,)),
    ("maximum.accumulate", lambda x: np.maximum.accumulate(x, axis=-1), (X,)),
    ("minimum.accumulate", lambda x: np.minimum.accumulate(x, axis=1), (X,)),
    ("logaddexp.accumulate", lambda x: np.logaddexp.accumulate(x, axis=1), (X,)),
    ("hypot.accumulate", lambda x: np.hypot.accumulate(x, axis=1), (X,)),
    ("subtract.accumulate", lambda x: np.subtract.accumulate(x, axis=1), (X,)),
    ("divide.accumulate", lambda x: np.divide.accumulate(x, axis=1), (P,)),
    ("add.outer", np.add.outer, (X, V)),
    ("multiply.outer", np.multiply.outer, (V, X)),
    ("multiply.outer plain", lambda x: np.multiply.outer(V, x) + np.multiply.outer(x, V).T, (V,)),
    ("multiply.outer list", lambda x: np.multiply.outer([1.0, 2.0], x), (V,)),
    ("outer scalar", lambda x: np.add.outer(x, 2.0), (V,)),
    ("hypot.outer", np.hypot.outer, (V, V + 1)),
    ("power.outer", lambda x: np.power.outer(x, np.arange(4)), (V,)),
    ("outer dtype", lambda x: np.multiply.outer(x, V, dtype=complex), (V,)),
    ("add.reduceat", lambda x: np.add.reduceat(x, [0, 3, 1, 4], axis=1), (X,)),
    ("multiply.reduceat", lambda x: np.multiply.reduceat(x, np.array([1, 3]), axis=1), (X,)),
    ("logaddexp.reduceat", lambda x: np.logaddexp.reduceat(x, [0, 1]), (X,)),
    ("subtract.reduceat", lambda x: np.subtract.reduceat(x, [0, 2], axis=1), (X,)),
    ("call dtype", lambda x, y: np.add(x, y, dtype=complex) * 1j, (V, V + 1)),
    ("call where=True", lambda x: np.multiply(x, 2.0, where=True), (V,)),
    ("call out=None", lambda x: np.sin(x, out=None), (V,)),
    ("call casting", lambda x: np.exp(x, casting="safe"), (V,)),
]

CASES = [pytest.param(f, a, id=n) for n, f, a in [*[(f"{n}.reduce", f, a) for n, f, a in REDUCE], *OTHERS]]


@pytest.mark.parametrize(("fun", "args"), CASES)
def test_value_is_numpys(fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
    assert_same_as_numpy(cv.vjp(fun, *args)[0], fun(*args))
    assert_same_as_numpy(cv.jvp(fun, args, args)[0], fun(*args))


@pytest.mark.parametrize(("fun", "args"), CASES)
def test_derivatives(fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
    check(fun, *args)


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: np.logical_and.reduce(x, axis=1),
        lambda x: np.logical_or.reduce(x),
        lambda x: np.logical_xor.reduce(x, axis=1),
        lambda x: np.logical_and.accumulate(x > 0, axis=1),
        lambda x: np.less.outer(x, [0.0, 1.0]),
        lambda x: np.bitwise_or.reduce((x > 0).astype(int), axis=1),
        lambda x: np.floor_divide.outer(x, [0.5, 2.0]),
    ],
)
def test_methods_of_constant_ufuncs_return_plain_values(fun: Callable[[Any], Any]) -> None:
    def watched(x: Any) -> Any:
        constant = fun(x)
        assert not isinstance(plain_of(constant), Tracer)
        assert_same_as_numpy(plain_of(constant), fun(X))
        return np.sum(constant * 1.0) + np.sum(x)

    np.testing.assert_array_equal(cv.grad(watched)(X), np.ones_like(X))
    np.testing.assert_array_equal(cv.jvp(watched, (X,), (X,))[1], np.sum(X))
    together = cv.vmap(fun)(np.stack([X, -X]))
    assert_same_as_numpy(together[1], fun(-X))


def test_dtype_selects_the_loop_as_numpy_does() -> None:
    out, pull = cv.vjp(lambda x: np.add(x, 1, dtype=np.float32), V)
    assert out.dtype == np.float32
    assert pull(np.ones(3, np.float32))[0].dtype == np.float64
    assert cv.vjp(lambda x: np.multiply(x, 2.0, dtype=float), V.astype(np.float32))[0].dtype == np.float64
    with pytest.raises(TypeError, match="[Cc]ast"):
        cv.grad(lambda x: np.sum(np.add(x, 1.0, dtype=int)))(V)
    with pytest.raises(TypeError, match="[Cc]ast"):
        cv.grad(lambda x: np.sum(np.add(x, 1.0, dtype=np.float32, casting="safe")))(V)


def test_empty_reductions_are_the_identity() -> None:
    for ufunc in (np.add, np.multiply, np.logaddexp, np.hypot, np.logical_xor):
        out, _ = cv.vjp(lambda x, f=ufunc: (f.reduce(x[:0]), x.sum()), X)
        assert_same_as_numpy(out[0], ufunc.reduce(X[:0]))


def test_power_is_reduced_from_the_left() -> None:
    # Not compared with np.power.reduce, which in NumPy 2.4 takes the last exponent for all of them.
    one_by_one = lambda x: functools.reduce(np.power, x)
    assert_same_as_numpy(cv.vjp(np.power.reduce, P[0])[0], one_by_one(P[0]))
    np.testing.assert_allclose(cv.grad(np.power.reduce)(P[0]), cv.grad(one_by_one)(P[0]), rtol=1e-14)


def test_large_reductions_take_few_steps() -> None:
    x = np.linspace(-1, 1, 1000)
    weights = cv.grad(np.logaddexp.reduce)(x)
    np.testing.assert_allclose(weights, np.exp(x) / np.exp(x).sum(), rtol=1e-13)
    graph = cv.make_graph(np.logaddexp.reduce)(x)
    assert len(graph) < 100


@pytest.mark.parametrize(
    ("fun", "error", "text"),
    [
        (lambda x: np.add(x, 1, out=np.empty(3)), TracerConversionError, r"np\.add\(.*zeros_like"),
        (lambda x: np.add.reduce(x, out=np.empty(())), TracerConversionError, r"np\.add.*out=.*zeros_like"),
        (lambda x: np.add.accumulate(x, out=np.empty(3)), TracerConversionError, r"np\.add.*out=.*zeros_like"),
        (lambda x: np.sin(x, where=V > 1), NotDifferentiableError, r"np\.where\(mask, np\.sin"),
        (lambda x: np.add(x, x, signature="dd->d"), NotDifferentiableError, "signature"),
        (lambda x: np.add(x, x, order="F"), NotDifferentiableError, "order"),
        (lambda x: np.add.at(np.zeros(3), [0], x[0]), TracerConversionError, r"np\.add\.at\(.*zeros_like"),
        (lambda x: np.subtract.reduce(np.multiply.outer(x, x), axis=(0, 1)), ValueError, "reorderable"),
        (lambda x: np.fmax.reduce(x, where=V > 1), ValueError, "identity"),
        (lambda x: np.fmax.reduce(x[:0]), ValueError, "identity"),
        (lambda x: np.sin.reduce(x), ValueError, "binary"),
        (lambda x: np.add.reduceat(x, [5]), IndexError, "out-of-bounds"),
    ],
)
def test_refusals(fun: Callable[[Any], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        cv.grad(lambda x: np.sum(fun(x)))(V)
