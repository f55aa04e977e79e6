"""Collectives in compiled functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import covector as cv
from covector.compiler.jit import jit

pytestmark = pytest.mark.usefixtures("interpreted")

PER_LANE: dict[str, Callable[[Any], Any]] = {
    "psum": lambda x: x * cv.psum(np.sin(x), "i"),
    "psum twice": lambda x: x * np.sin(cv.psum(cv.psum(x, "i"), "i")),
    "pmean": lambda x: x - cv.pmean(x * x, "i"),
    "pmax": lambda x: x * cv.pmax(x, "i"),
    "all_gather": lambda x: np.sum(cv.all_gather(x, "i") ** 2, axis=0) * x,
    "all_gather of psum": lambda x: x * np.sum(cv.all_gather(cv.psum(x * x, "i"), "i") ** 2),
    "ppermute": lambda x: x * cv.ppermute(x * x, "i", [(0, 1), (1, 2)]),
    "ppermute of psum": lambda x: x * cv.ppermute(cv.psum(x, "i"), "i", [(0, 1)]),
    "axis_index": lambda x: x**2 * cv.axis_index("i"),
    "axis_size": lambda x: x / cv.axis_size("i"),
    "shared": lambda x: cv.psum(x * x, "i"),
    "checkpoint": lambda x: x * cv.checkpoint(lambda y: cv.psum(cv.psum(y * y, "i") * y, "i"))(x),
}


def named(f: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return cv.vmap(f, axis_name="i", **options)


WITH_AXES: dict[str, Callable[[Any, Any], Any]] = {
    "vmap": lambda f, x: named(f)(x),
    "grad outside": lambda f, x: cv.grad(lambda y: np.sum(named(f)(y) ** 2))(x),
    "grad inside": lambda f, x: named(cv.grad(lambda y: np.sum(f(y) ** 2)))(x),
    "grad of grad inside": lambda f, x: named(cv.grad(lambda z: np.sum(cv.grad(lambda y: np.sum(f(y) ** 2))(z) ** 2)))(
        x
    ),
    "jvp outside": lambda f, x: cv.jvp(named(f), (x,), (np.cos(x),))[1],
    "jvp inside": lambda f, x: named(lambda y: cv.jvp(f, (y,), (np.cos(y),))[1])(x),
    "linearize inside": lambda f, x: named(lambda y: cv.linearize(f, y)[1](y))(x),
    "jacrev": lambda f, x: cv.jacrev(named(f))(x),
    "jacfwd": lambda f, x: cv.jacfwd(named(f))(x),
    "map outside": lambda f, x: cv.vmap(lambda s: named(lambda y: f(y * s))(x))(np.array([1.0, 2.0])),
    "map inside": lambda f, x: named(lambda y: cv.vmap(lambda s: f(y * s))(np.array([1.0, 2.0])))(x),
    "shared argument": lambda f, x: named(lambda y: f(np.abs(x[0])) * y)(x),
    "grad of a shared argument": lambda f, x: cv.grad(lambda s: np.sum(named(lambda y: f(s) * y)(x)))(x[0]),
    "checkpoint": lambda f, x: named(cv.grad(lambda y: np.sum(cv.checkpoint(f)(y))))(x),
    "jit of grad inside": lambda f, x: named(jit(cv.grad(lambda y: np.sum(f(y)))))(x),
    "jit outside": lambda f, x: jit(named(cv.grad(lambda y: np.sum(f(y)))))(x),
}


@pytest.mark.parametrize("nesting", sorted(WITH_AXES))
@pytest.mark.parametrize("function", sorted(PER_LANE))
def test_collectives(function: str, nesting: str) -> None:
    f = PER_LANE[function]
    for x in (np.array([1.0, -0.5, 2.0]), np.arange(6.0).reshape(3, 2) / 5 + 0.3):
        want = WITH_AXES[nesting](f, x)
        compiled = jit(f)
        for _ in range(2):
            assert_allclose(WITH_AXES[nesting](compiled, x), want, rtol=1e-11, atol=1e-12)
        assert compiled.cache_info().specialisations >= ("jit" not in nesting)


def test_an_axis_of_another_size_and_none_at_all() -> None:
    f = jit(lambda x: x / cv.psum(x, "i"))
    for n in (2, 3, 2):
        assert_allclose(named(f)(np.ones(n)), 1 / n)
    with pytest.raises(NameError, match="'i'"):
        f(1.0)


def test_the_gradient_of_one_loss_for_all_lanes() -> None:
    x = np.arange(3.0)
    for loss in (
        lambda x: cv.psum(np.sin(x), "i"),
        lambda x: cv.checkpoint(lambda y: cv.psum(np.sin(y), "i"))(x),
    ):
        for f in (jit(cv.grad(loss)), cv.grad(jit(loss)), jit(cv.grad(jit(loss)))):
            assert_allclose(named(f)(x), np.cos(x), rtol=1e-14)
            assert_allclose(jit(named(f))(x), np.cos(x), rtol=1e-14)
