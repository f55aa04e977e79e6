"""Functions, arguments and ways to nest transforms, for tests of compiled functions under transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import covector as cv
from covector.compiler.backend import Executable
from covector.compiler.jit import jit
from covector.core.graph import Graph

__all__ = ["ARGUMENTS", "FUNCTIONS", "NESTINGS", "UNFIT", "Interpreted", "outcome"]


class Interpreted(Executable):
    """A program as the compiler gets it, run operation by operation."""

    def __init__(self, graph: Graph, **_: Any) -> None:
        self.graph = graph
        self.seconds: dict[str, float] = {}
        self.results = [("out", k) for k in range(len(graph.outputs))]

    @property
    def stages(self) -> dict[str, Any]:
        return {"graph": self.graph}

    def direct(self) -> None:
        """There is no builtin function to call."""

    def __call__(self, *arrays: Any) -> list[Any]:
        ready = [np.asarray(x, v.dtype) for x, v in zip(arrays, self.graph.inputs, strict=True)]
        return [np.array(x) for x in self.graph.run(*ready)]


# --- nestings ---------------------------------------------------------------------------------------------------------


def weights(x: Any) -> Any:
    return np.cos(np.arange(np.size(x), dtype=np.float64)).reshape(np.shape(x)).astype(np.asarray(x).real.dtype)


def total(f: Callable[..., Any]) -> Callable[..., Any]:
    """A real scalar that every element of the output of `f` enters."""

    def scalar(x: Any) -> Any:
        y = f(x)
        return np.sum(np.real(y * weights(np.ones(np.shape(y))) * (1.5 - 0.5j if y.dtype.kind == "c" else 1.0)))

    return scalar


def lanes(x: Any) -> Any:
    return np.stack([x, x * 1.25, x * 0.75])


def direction(x: Any) -> Any:
    return (weights(x) + 0.5 + (0.25j if np.asarray(x).dtype.kind == "c" else 0)).astype(np.asarray(x).dtype)[()]


NESTINGS: dict[str, Callable[[Any, Any], Any]] = {
    "value": lambda f, x: f(x),
    "grad": lambda f, x: cv.grad(total(f))(x),
    "vjp": lambda f, x: cv.vjp(f, x)[1](direction(f(x))),
    "jvp": lambda f, x: cv.jvp(f, (x,), (direction(x),)),
    "linearize": lambda f, x: cv.linearize(f, x)[1](direction(x)),
    "linearize twice": lambda f, x: cv.linearize(lambda y: cv.linearize(f, y)[1](direction(x)), x)[1](direction(x)),
    "grad of grad": lambda f, x: cv.grad(lambda y: np.sum(np.sin(np.real(cv.grad(total(f))(y)))))(x),
    "jvp of grad": lambda f, x: cv.jvp(cv.grad(total(f)), (x,), (direction(x),))[1],
    "grad of jvp": lambda f, x: cv.grad(lambda y: total(lambda z: cv.jvp(f, (z,), (direction(x),))[1])(y))(x),
    "jvp of jvp": lambda f, x: cv.jvp(lambda y: cv.jvp(f, (y,), (direction(x),))[1], (x,), (direction(x),))[1],
    "grad of grad of grad": lambda f, x: cv.grad(
        lambda z: np.sum(np.real(cv.grad(lambda y: np.sum(np.sin(np.real(cv.grad(total(f))(y)))))(z)))
    )(x),
    "vmap": lambda f, x: cv.vmap(f)(lanes(x)),
    "vmap of grad": lambda f, x: cv.vmap(cv.grad(total(f)))(lanes(x)),
    "grad of vmap": lambda f, x: cv.grad(total(cv.vmap(f)))(lanes(x)),
    "vmap of vmap": lambda f, x: cv.vmap(cv.vmap(f))(lanes(lanes(x))),
    "vmap of jvp of grad": lambda f, x: cv.vmap(lambda y: cv.jvp(cv.grad(total(f)), (y,), (direction(x),))[1])(
        lanes(x)
    ),
    "jvp of vmap of grad": lambda f, x: cv.jvp(cv.vmap(cv.grad(total(f))), (lanes(x),), (lanes(direction(x)),))[1],
    "hessian": lambda f, x: cv.hessian(total(f), **holomorphic(x))(x),
    "hvp": lambda f, x: cv.hvp(total(f), (x,), (direction(x),)),
    "checkpoint inside": lambda f, x: cv.grad(lambda y: total(cv.checkpoint(f))(y * 1.5))(x),
    "checkpoint inside twice": lambda f, x: cv.jvp(cv.grad(total(cv.checkpoint(f))), (x,), (direction(x),))[1],
    "no gradient": lambda f, x: cv.grad(lambda y: total(lambda z: f(cv.stop_gradient(z)) + f(z))(y))(x),
    "jit": lambda f, x: jit(lambda y: f(y) * 2)(x),
    "jit of grad": lambda f, x: jit(cv.grad(total(f)))(x),
    "jit of vmap of grad": lambda f, x: jit(cv.vmap(cv.grad(total(f))))(lanes(x)),
    "grad of jit": lambda f, x: cv.grad(lambda y: np.sum(np.real(jit(cv.grad(total(f)))(y)) ** 2))(x),
}


def holomorphic(x: Any) -> dict[str, bool]:
    return {"holomorphic": True} if np.asarray(x).dtype.kind == "c" else {}


# --- functions --------------------------------------------------------------------------------------------------------


def branches(x: Any) -> Any:
    return np.sin(x) * 2 if np.sum(np.abs(x)) > 1 else np.cos(x)


def until_small(x: Any) -> Any:
    y = x
    while np.max(np.abs(y)) > 1.0:
        y = y / 2
    return y * x


def fills(x: Any) -> Any:
    y = np.zeros_like(x, shape=(3, *x.shape))
    y[0] = x
    y[1] = y[0] * x
    y[1:] += np.sin(x)
    y[2] *= y[1]
    return y


def reads_and_writes(x: Any) -> Any:
    y = x * 2
    y[::2] *= y[::-2] + 1
    y[[0, 2]] = y[[1, 1]] * x[[2, 0]]
    return y


@cv.custom_jvp
def ruled_forward(x: Any) -> Any:
    return np.exp(x)


@ruled_forward.defjvp
def _(primals: Any, tangents: Any) -> Any:
    return ruled_forward(primals[0]), tangents[0] * np.cos(primals[0])


@cv.custom_vjp
def ruled_backward(x: Any) -> Any:
    return np.exp(x)


ruled_backward.defvjp(lambda x: (np.exp(x), np.cos(x)), lambda c, ct: (ct * c,))


def no_grad_inside(x: Any) -> Any:
    with cv.no_grad():
        c = np.exp(x)
    return c * x


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "elementwise": lambda x: np.exp(np.sin(x) * x) / (2 + np.cos(x)),
    "normalized": lambda x: np.exp(x - np.mean(x)) / np.sum(np.exp(x - np.mean(x))),
    "products": lambda x: np.tensordot(np.outer(x, np.sin(x)), np.ravel(x), 1),
    "pieces": lambda x: np.concatenate([np.ravel(x)[1:] * np.ravel(x)[:-1], np.ravel(x)[::2]]),
    "chosen": lambda x: np.where(np.real(x) > 0.4, x * x, np.sin(x)),
    "branch": branches,
    "loop": until_small,
    "buffer": fills,
    "custom_jvp": lambda x: ruled_forward(x * x),
    "custom_vjp": lambda x: ruled_backward(x) * x,
    "checkpoint": lambda x: cv.checkpoint(lambda y: np.sin(np.sin(y)))(x) * x,
    "no_grad": no_grad_inside,
    "inner grad": lambda x: cv.grad(lambda y: np.sum(np.real(np.sin(y) * y)))(x) * x,
    "inner jit": lambda x: jit(np.sin)(x) * x,
    "nothing": lambda x: x,
    "constant": lambda x: x * 0 + np.ones(np.shape(x)),
}

ARGUMENTS: dict[str, Any] = {
    "vector": np.array([0.3, -1.7, 0.9, 1.2]),
    "matrix32": np.array([[0.5, 1.5, -0.25], [0.75, -0.5, 1.0]], np.float32),
    "complex": np.array([0.3 + 0.2j, -0.7 - 0.4j]),
    "number": np.float64(0.7),
    "python": 0.7,
    "array of no dimensions": np.array(0.7),
    "empty": np.zeros((0, 3)),
}

UNFIT = {
    ("normalized", "empty"),
    ("loop", "empty"),
    # No single value of a batch decides.
    *[(f, x, n) for f in ("branch", "loop") for x in ARGUMENTS for n in NESTINGS if "vmap" in n or n == "hessian"],
    # These functions need arrays.
    *[(f, x) for f in ("buffer",) for x in ("python",)],
    # Not holomorphic.
    *[(f, "complex", "hessian") for f in FUNCTIONS],
}


def settle(x: Any) -> list[Any]:
    return [np.asarray(leaf) for leaf in cv.tree.leaves(x)]


def outcome(nesting: Callable[[Any, Any], Any], f: Any, x: Any) -> Any:
    with np.errstate(all="ignore"):
        return settle(nesting(f, x))
