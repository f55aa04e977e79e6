"""Functions that write in place, under every transform: what the same function without writes gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

X = np.array([0.4, -0.7, 1.1, 0.9])
T = np.array([1.0, 0.5, -0.3, 0.2])
W = np.array([0.3, 1.2, -0.8, 0.5])


# --- pairs: with writes, and without ----------------------------------------------------------------------------------


def filled(x: Any) -> Any:
    y = np.zeros_like(x)
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = np.sin(y[i - 1]) * x[i]
    return y


def filled_pure(x: Any) -> Any:
    ys = [x[0]]
    for i in range(1, len(x)):
        ys.append(np.sin(ys[-1]) * x[i])
    return np.stack(ys)


def views(x: Any) -> Any:
    y = x.copy()
    low, high = y[:2], y[2:]
    low *= high
    y[::-1][:2] += low**2
    high[:] = high * y[0]
    return y


def views_pure(x: Any) -> Any:
    low = x[:2] * x[2:]
    high = x[2:] + (low**2)[::-1]
    return np.concatenate([low, high * low[0]])


def accumulated(x: Any) -> Any:
    y = np.empty_like(x)
    y.fill(x[1])
    np.add.at(y, [0, 0, 3], x[:3] ** 3)
    y[[1, 2]] -= np.exp(x[2:])
    return y


def accumulated_pure(x: Any) -> Any:
    e = np.exp(x)
    return np.stack([x[1] + x[0] ** 3 + x[1] ** 3, x[1] - e[2], x[1] - e[3], x[1] + x[2] ** 3])


def overwritten(x: Any) -> Any:
    """The input itself is written to, after its values were used."""
    y = x * x
    x[1:] = y[:-1] * x[1:]
    np.multiply(x, y, out=y)
    return y


def overwritten_pure(x: Any) -> Any:
    return np.concatenate([x[:1], x[:-1] ** 2 * x[1:]]) * x * x


def masked(x: Any) -> Any:
    y = np.ones_like(x)
    y[x > 0] = x[3]
    np.copyto(y, x**2, where=x < 0)
    return y * x


def masked_pure(x: Any) -> Any:
    return np.where(x > 0, x[3], x**2) * x


def rows(x: Any) -> Any:
    a = np.zeros((3, 4), like=x)
    a[0] = x
    for i in range(2):
        a[i + 1] = a[i] * a[i, ::-1] * x
    return a.sum(axis=0, out=a[1])


def rows_pure(x: Any) -> Any:
    a = x * x[::-1] * x
    return x + a + a * a[::-1] * x


def closed_over(x: Any) -> Any:
    """A plain array that is overwritten after its use as a factor."""
    work = W.copy()
    y = x * work
    work[:] = 5.0
    y *= np.sin(x)
    return y + work


def closed_over_pure(x: Any) -> Any:
    return x * W * np.sin(x) + 5.0


PAIRS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "filled": (filled, filled_pure),
    "views": (views, views_pure),
    "accumulated": (accumulated, accumulated_pure),
    "overwritten": (overwritten, overwritten_pure),
    "masked": (masked, masked_pure),
    "rows": (rows, rows_pure),
    "closed over": (closed_over, closed_over_pure),
}


def scalar(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: np.sum(np.cos(f(x)) * W)


def batch(x: Any) -> Any:
    return np.stack([x, x * 0.5, -x])


TRANSFORMS: dict[str, Callable[[Callable[[Any], Any], Any], Any]] = {
    "value": lambda f, x: cv.vjp(f, x)[0],
    "vjp": lambda f, x: cv.vjp(f, x)[1](T),
    "jvp": lambda f, x: cv.jvp(f, (x,), (T,)),
    "grad": lambda f, x: cv.grad(scalar(f))(x),
    "value_and_grad": lambda f, x: cv.value_and_grad(scalar(f))(x),
    "jacrev": lambda f, x: cv.jacrev(f)(x),
    "jacfwd": lambda f, x: cv.jacfwd(f)(x),
    "jacrev in chunks": lambda f, x: cv.jacrev(f, chunk_size=3)(x),
    "jacrev in rows": lambda f, x: cv.jacrev(f, chunk_size=1)(x),
    "jacfwd in chunks": lambda f, x: cv.jacfwd(f, chunk_size=3)(x),
    "hessian": lambda f, x: cv.hessian(scalar(f))(x),
    "jacrev of grad": lambda f, x: cv.jacrev(cv.grad(scalar(f)))(x),
    "jacrev of jacrev": lambda f, x: cv.jacrev(cv.jacrev(f))(x),
    "jacfwd of jacfwd": lambda f, x: cv.jacfwd(cv.jacfwd(f))(x),
    "grad of grad": lambda f, x: cv.grad(lambda x: np.sum(cv.grad(scalar(f))(x) * T))(x),
    "grad of grad of grad": lambda f, x: cv.grad(lambda x: TRANSFORMS["grad of grad"](f, x) @ T)(x),
    "jvp of jvp of jvp": lambda f, x: along(along(along(f)))(x),
    "hvp": lambda f, x: cv.hvp(scalar(f), (x,), (T,)),
    "vmap": lambda f, x: cv.vmap(f)(batch(x)),
    "vmap over columns": lambda f, x: cv.vmap(f, in_axes=1, out_axes=1)(batch(x).T),
    "vmap of vmap": lambda f, x: cv.vmap(cv.vmap(f))(np.stack([batch(x), batch(x) * 0.3])),
    "vmap in chunks": lambda f, x: cv.vmap(f, chunk_size=2)(batch(x)),
    "vmap of grad": lambda f, x: cv.vmap(cv.grad(scalar(f)))(batch(x)),
    "grad of vmap": lambda f, x: cv.grad(lambda x: np.sum(cv.vmap(f)(batch(x)) ** 2))(x),
    "vmap of hessian": lambda f, x: cv.vmap(cv.hessian(scalar(f)))(batch(x)),
    "hessian of vmap": lambda f, x: cv.hessian(lambda x: np.sum(cv.vmap(f)(batch(x)) ** 2))(x),
    "vmap of jvp": lambda f, x: cv.vmap(along(f))(batch(x)),
    "jvp of vmap": lambda f, x: cv.jvp(cv.vmap(f), (batch(x),), (batch(T),)),
    "vmap of jacrev": lambda f, x: cv.vmap(cv.jacrev(f))(batch(x)),
    "jacrev of vmap": lambda f, x: cv.jacrev(cv.vmap(f))(batch(x)),
    "empty vmap": lambda f, x: cv.vmap(f)(np.zeros((0, 4))),
    "linearize": lambda f, x: cv.linearize(f, x)[1](T),
    "jvp of linearize": lambda f, x: cv.jvp(lambda x: cv.linearize(f, x)[1](T), (x,), (W,)),
    "checkpoint": lambda f, x: cv.grad(scalar(cv.checkpoint(f)))(x),
    "hessian of checkpoint": lambda f, x: cv.hessian(scalar(cv.checkpoint(f)))(x),
    "vmap of checkpoint": lambda f, x: cv.vmap(cv.checkpoint(f))(batch(x)),
    "checkpoint of vmap": lambda f, x: cv.grad(lambda x: np.sum(cv.checkpoint(cv.vmap(f))(batch(x))))(x),
    "functional.jacobian": lambda f, x: cv.functional.jacobian(f, x),
    "functional.hvp": lambda f, x: cv.functional.hvp(scalar(f), x, T),
    "no_grad": lambda f, x: cv.grad(lambda x: np.sum(constant(f, x) * x))(x),
    "grad in no_grad": lambda f, x: constant(cv.grad(scalar(f)), x),
    "stop_gradient": lambda f, x: cv.grad(lambda x: np.sum(cv.stop_gradient(f(x.copy())) * f(x)))(x),
    "has_aux": lambda f, x: cv.grad(lambda x: (np.sum(f(x.copy())), f(x)), has_aux=True)(x),
    "in a closure": lambda f, x: cv.grad(lambda a: cv.grad(lambda x: np.sum(f(x * a) * a))(x) @ T)(np.float64(0.7)),
}
MAPPED = [name for name in TRANSFORMS if "vmap" in name and name != "empty vmap"]


def along(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: cv.jvp(f, (x,), (np.sin(x) + 1.0,))[1]


def constant(f: Callable[[Any], Any], x: Any) -> Any:
    with cv.no_grad():
        return f(x.copy())


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("pair", PAIRS)
def test_gives_what_the_function_without_writes_gives(pair: str, transform: str) -> None:
    f, pure = PAIRS[pair]
    run, x = TRANSFORMS[transform], X.copy()
    got, want = run(f, x), run(pure, X.copy())
    assert_array_equal(x, X)
    for g, w in zip(cv.tree.leaves(got), cv.tree.leaves(want), strict=True):
        assert np.asarray(g).dtype == np.asarray(w).dtype
        assert_allclose(g, w, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("pair", PAIRS)
def test_recorded_programs(pair: str) -> None:
    f, pure = PAIRS[pair]
    if pair != "masked":
        assert_allclose(cv.make_graph(f)(X).run(X)[0], pure(X), rtol=1e-14)
    shape = cv.eval_shape(f, X)
    assert (shape.shape, shape.dtype) == (X.shape, X.dtype)


@pytest.mark.parametrize("pair", PAIRS)
def test_a_pullback_and_a_pushforward_are_used_again(pair: str) -> None:
    f, pure = PAIRS[pair]
    _, pull = cv.vjp(f, X)
    _, push = cv.linearize(f, X)
    jacobian = cv.jacrev(pure)(X)
    for t in (T, W, T):
        assert_allclose(pull(t)[0], t @ jacobian, rtol=1e-12, atol=1e-14)
        assert_allclose(push(t), jacobian @ t, rtol=1e-12, atol=1e-14)
