"""Custom rules, recomputation and collectives under every composition, against the same function written plainly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv

RNG = np.random.default_rng(11)
LANES = 3
X, T, S, U = RNG.normal(size=(4, LANES, 4))
Function = Callable[..., Any]


# --- pairs: a call and its plain form, both of an array of shape (LANES, 4) ------------------------------------------


@cv.custom_jvp
def wave(x: Any, y: Any) -> Any:
    return np.sin(x) * y


@wave.defjvp
def _wave_jvp(primals: Any, tangents: Any) -> Any:
    (x, y), (tx, ty) = primals, tangents
    return wave(x, y), np.cos(x) * y * tx + np.sin(x) * ty


@cv.custom_vjp
def ratio(x: Any, y: Any) -> Any:
    return x / (2 + y * y)


def _ratio_fwd(x: Any, y: Any) -> Any:
    return ratio(x, y), (x, y, 2 + y * y)


def _ratio_bwd(residual: Any, ct: Any) -> Any:
    x, y, below = residual
    return ct / below, -2 * x * y * ct / (below * below)


ratio.defvjp(_ratio_fwd, _ratio_bwd)

WEIGHTS = np.array([1.0, -2.0, 0.5])
SHIFT = [(i, (i + 1) % LANES) for i in range(LANES)]


def mapped(lane: Function) -> Function:
    return lambda x: cv.vmap(lane, axis_name="i")(x)


def everywhere(x: Any) -> Any:
    return np.broadcast_to(x, (LANES, *x.shape))


def _capturing(x: Any) -> Any:
    scale = np.cos(x[0])
    return cv.checkpoint(lambda v: np.tanh(v * scale) + v * v)(x)


def _twice(decorate: Function) -> Function:
    """A call whose outputs repeat one value and pass an argument on."""

    def several(x: Any) -> Any:
        y = np.sin(x)
        return y, y, x, y * x

    def fun(x: Any) -> Any:
        a, b, c, d = decorate(several)(x)
        return a * a + 3 * b + c * c + 5 * d

    return fun


PAIRS: dict[str, tuple[Function, Function]] = {
    "custom_jvp": (lambda x: wave(x, x * x), lambda x: np.sin(x) * x * x),
    "custom_jvp, one argument constant": (lambda x: wave(x, X[0]), lambda x: np.sin(x) * X[0]),
    "custom_vjp": (lambda x: ratio(np.sin(x), x), lambda x: np.sin(x) / (2 + x * x)),
    "custom_vjp, one argument constant": (lambda x: ratio(X, x), lambda x: X / (2 + x * x)),
    "custom in custom": (
        lambda x: wave(ratio(x, x[::-1]), ratio(x, x)),
        lambda x: np.sin(x / (2 + x[::-1] * x[::-1])) * (x / (2 + x * x)),
    ),
    "checkpoint": (cv.checkpoint(lambda x: np.exp(np.sin(x)) @ x.T @ x), lambda x: np.exp(np.sin(x)) @ x.T @ x),
    "checkpoint of a closure": (_capturing, lambda x: np.tanh(x * np.cos(x[0])) + x * x),
    "checkpoint of custom": (cv.checkpoint(lambda x: wave(x, ratio(x, x))), lambda x: np.sin(x) * x / (2 + x * x)),
    "checkpoint with outputs repeated": (_twice(cv.checkpoint), _twice(lambda f: f)),
    "psum": (
        mapped(lambda x: np.sin(x) * cv.psum(x**3, "i")),
        lambda x: np.sin(x) * (x**3).sum(0),
    ),
    "psum alone": (mapped(lambda x: cv.psum(np.sin(x), "i")), lambda x: everywhere(np.sin(x).sum(0))),
    "psum of psum": (
        mapped(lambda x: cv.psum(x * cv.psum(x * x, "i"), "i") * x),
        lambda x: (x * (x * x).sum(0)).sum(0) * x,
    ),
    "pmean": (
        mapped(lambda x: (x - cv.pmean(x, "i")) ** 3 * cv.pmean(x * x, "i")),
        lambda x: (x - x.mean(0)) ** 3 * (x * x).mean(0),
    ),
    "pmax": (mapped(lambda x: cv.pmax(x**3, "i") * x), lambda x: (x**3).max(0) * x),
    "pmin": (mapped(lambda x: cv.pmin(x**3, "i") * x), lambda x: (x**3).min(0) * x),
    "all_gather": (
        mapped(lambda x: np.sin(cv.all_gather(x, "i")).prod(axis=0) + x * cv.all_gather(x, "i")[1]),
        lambda x: np.sin(x).prod(axis=0) + x * x[1],
    ),
    "all_gather, tiled": (
        mapped(lambda x: cv.all_gather(x * x, "i", tiled=True)[2:6] * x),
        lambda x: (x * x).reshape(-1)[2:6] * x,
    ),
    "ppermute": (mapped(lambda x: cv.ppermute(x**3, "i", SHIFT) * x), lambda x: np.roll(x**3, 1, axis=0) * x),
    "ppermute, partly": (
        mapped(lambda x: cv.ppermute(x**3, "i", [(0, 2)]) * x),
        lambda x: np.concatenate([np.zeros((2, 4)), x[:1] ** 3]) * x,
    ),
    "axis_index": (
        mapped(lambda x: x**3 * cv.axis_index("i") + cv.psum(x * cv.axis_index("i"), "i")),
        lambda x: x**3 * np.arange(LANES).reshape(-1, 1) + (x * np.arange(LANES).reshape(-1, 1)).sum(0),
    ),
    "two axes": (
        lambda x: cv.vmap(cv.vmap(lambda v: v * cv.psum(cv.psum(v, "j") ** 3, "i"), axis_name="j"), axis_name="i")(x),
        lambda x: x * (x.sum(1) ** 3).sum(),
    ),
    "inner axis of the other order": (
        lambda x: cv.vmap(cv.vmap(lambda v: np.sin(v) * cv.psum(v * v, "i"), axis_name="j"), axis_name="i")(x),
        lambda x: np.sin(x) * (x * x).sum(0),
    ),
    "all_gather from an inner map": (
        lambda x: cv.vmap(cv.vmap(lambda v: v * (cv.all_gather(np.sin(v), "i") @ WEIGHTS)), axis_name="i")(x),
        lambda x: x * (WEIGHTS @ np.sin(x)),
    ),
    "ppermute from an inner map": (
        lambda x: cv.vmap(cv.vmap(lambda v: v * cv.ppermute(v**3, "i", SHIFT)), axis_name="i")(x),
        lambda x: np.roll(x**3, 1, axis=0) * x,
    ),
    "custom rule over an axis": (
        mapped(lambda x: wave(cv.psum(x, "i"), x) + ratio(x, cv.pmean(x, "i"))),
        lambda x: np.sin(x.sum(0)) * x + x / (2 + x.mean(0) ** 2),
    ),
    "checkpoint over an axis": (
        mapped(cv.checkpoint(lambda x: np.exp(x) / cv.psum(np.exp(x), "i"))),
        lambda x: np.exp(x) / np.exp(x).sum(0),
    ),
}


# --- compositions: each takes a function of one array to arrays that depend on all its derivatives of that order ------


def push(f: Function, x: Any, t: Any) -> Any:
    return cv.jvp(f, (x,), (t,))[1]


def pull(f: Function, x: Any, u: Any) -> Any:
    return cv.vjp(f, x)[1](u)[0]


BATCH = np.stack([X, X * 1.1, S])
BATCH_T = np.stack([T, S, U])

COMPOSITIONS: dict[str, Callable[[Function], Any]] = {
    "value": lambda f: f(X),
    "jvp": lambda f: push(f, X, T),
    "vjp": lambda f: pull(f, X, U),
    "jvp∘jvp": lambda f: push(lambda x: push(f, x, T), X, S),
    "jvp∘vjp": lambda f: push(lambda x: pull(f, x, U), X, S),
    "vjp∘jvp": lambda f: pull(lambda x: push(f, x, T), X, U),
    "vjp∘vjp": lambda f: pull(lambda x: pull(f, x, U), X, T),
    "vjp by the cotangent": lambda f: pull(lambda u: pull(f, X, u), U, T),
    "jvp∘jvp∘vjp": lambda f: push(lambda y: push(lambda x: pull(f, x, U), y, S), X, T),
    "vmap": lambda f: cv.vmap(f)(BATCH),
    "vmap along the last axis": lambda f: cv.vmap(f, in_axes=-1, out_axes=1)(np.moveaxis(BATCH, 0, -1)),
    "vmap∘vmap": lambda f: cv.vmap(cv.vmap(f))(np.stack([BATCH, BATCH_T])),
    "vmap∘jvp": lambda f: cv.vmap(lambda x, t: push(f, x, t))(BATCH, BATCH_T),
    "vmap∘jvp of tangents": lambda f: cv.vmap(lambda t: push(f, X, t))(BATCH_T),
    "vmap∘vjp": lambda f: cv.vmap(lambda x, u: pull(f, x, u))(BATCH, BATCH_T),
    "vmap∘vjp of cotangents": lambda f: cv.vmap(lambda u: pull(f, X, u))(BATCH_T),
    "jvp∘vmap": lambda f: push(cv.vmap(f), BATCH, BATCH_T),
    "vjp∘vmap": lambda f: pull(cv.vmap(f), BATCH, BATCH_T),
    "vmap∘jvp∘vjp": lambda f: cv.vmap(lambda x: push(lambda y: pull(f, y, U), x, T))(BATCH),
    "vjp∘vmap∘jvp": lambda f: pull(cv.vmap(lambda x: push(f, x, T)), BATCH, BATCH_T),
    "jacrev": lambda f: cv.jacrev(f)(X),
    "jacfwd": lambda f: cv.jacfwd(f)(X),
    "jacrev by rows": lambda f: cv.jacrev(f, chunk_size=5)(X),
    "jacfwd∘jacrev": lambda f: cv.jacfwd(cv.jacrev(f))(X),
    "hessian": lambda f: cv.hessian(lambda x: np.sum(np.sin(f(x))))(X),
    "grad": lambda f: cv.grad(lambda x: np.sum(np.sin(f(x))))(X),
    "linearize": lambda f: cv.linearize(f, X)[1](T),
    "vmap∘linearize": lambda f: cv.vmap(cv.linearize(f, X)[1])(BATCH_T),
    "checkpoint": lambda f: pull(cv.checkpoint(f), X, U),
    "jvp∘vjp of checkpoint": lambda f: push(lambda x: pull(cv.checkpoint(f), x, U), X, S),
    "program": lambda f: cv.make_graph(f)(X).run(X)[0],
    "program of vjp": lambda f: cv.make_graph(lambda x, u: pull(f, x, u))(X, U).run(X, U)[0],
    "program of jvp": lambda f: cv.make_graph(lambda x, t: push(f, x, t))(X, T).run(X, T)[0],
}


@pytest.mark.parametrize("composition", COMPOSITIONS)
@pytest.mark.parametrize("pair", PAIRS)
def test_call_and_plain_form_agree(pair: str, composition: str) -> None:
    call, plain = PAIRS[pair]
    apply = COMPOSITIONS[composition]
    got, want = apply(call), apply(plain)
    assert got.dtype == want.dtype
    scale = float(np.max(np.abs(want)))
    assert scale > 0
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-11 * (1 + scale))
