"""Passes over programs that nobody wrote: every primitive, derivatives of them, and random compositions."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from compositions.cases import Case, assert_close, cases, differentiable, one_each
from covector.compiler.passes.check import check
from covector.compiler.passes.expand import expand
from covector.compiler.passes.simplify import simplify
from covector.core.graph import Graph
from covector.core.primitive import PRIMITIVES, bind

SMOOTH = cases(differentiable)


def assert_passes_keep(graph: Graph, args: Sequence[Any], rtol: float, atol: float) -> Graph:
    """Assert that after each pass the program is sound and computes what it did."""
    before = repr(graph)
    flat = check(expand(graph))
    simple = check(simplify(flat))
    assert repr(graph) == before
    with np.errstate(all="ignore"):
        want = graph.run(*args)
        for program in (flat, simple, check(simplify(simple))):
            got = program.run(*args)
            assert len(got) == len(want)
            for g, w in zip(got, want, strict=True):
                assert_close(g, w, rtol, atol)
    return simple


def tolerance(case: Case) -> tuple[float, float]:
    return (2e-3, 1e-4) if case.single else (1e-8, 1e-10)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", cases(lambda c: bool(c.args)))
def test_every_primitive(case: Case) -> None:
    assert_passes_keep(cv.make_graph(case.fun)(*case.args), case.args, *tolerance(case))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["jvp", "vjp", "jacrev", "vmap"])
@pytest.mark.parametrize("case", one_each(SMOOTH))
def test_derivatives_and_batches(case: Case, mode: str) -> None:
    n = len(case.args)
    args = list(case.args)
    if mode == "jvp":
        fun: Any = lambda *a: cv.jvp(case.smooth, a[:n], a[n:])
        args += case.draw("args", "t")
    elif mode == "vjp":
        fun = lambda *a: cv.vjp(case.smooth, *a[:n])[1](a[n:])
        args += case.draw("out", "u")
    elif mode == "jacrev":
        fun = lambda *a: cv.vmap(lambda u: cv.vjp(case.smooth, *a)[1](u))(
            tuple(basis(y) for y in case.draw("out", "u"))
        )
    else:
        fun = cv.vmap(case.fun)
        args = [np.stack(xs) for xs in zip(*case.lanes(2), strict=True)]
    assert_passes_keep(cv.make_graph(fun)(*args), args, *tolerance(case))


def basis(y: Any) -> Any:
    """Three cotangents of `y` with a single one each, or fewer elements than that."""
    rows = np.zeros((3, *np.shape(y)), np.asarray(y).dtype)
    for k, row in enumerate(rows.reshape(3, -1)):
        row[k : k + 1] = 1
    return rows


# --- random compositions ----------------------------------------------------------------------------------------------


class Composer:
    """Draws operations on the values computed so far."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.pool: list[Any] = []
        self.steps = [
            *(self.unary, self.binary, self.binary, self.number, self.index, self.reshape, self.transpose),
            *(self.broadcast, self.concat, self.reduce, self.write, self.where, self.gather, self.dtype, self.contract),
            *(self.product, self.unslice, self.repeated),
        ]

    def compose(self, xs: Sequence[Any], length: int) -> tuple[Any, ...]:
        self.pool = list(xs)
        for _ in range(length):
            y = self.steps[self.rng.integers(len(self.steps))]()
            if y.size <= 400:
                self.pool.append(y)
        return tuple(self.pool[len(xs) :])

    def pick(self, choose: Any = lambda x: True) -> Any:
        found = [x for x in self.pool if choose(x)]
        # The latest more often, so that chains get long.
        return found[len(found) - 1 - min(int(self.rng.exponential(2.5)), len(found) - 1)] if found else self.pool[0]

    def chance(self, p: float = 0.5) -> bool:
        return bool(self.rng.random() < p)

    def one(self, *of: Any) -> Any:
        return of[self.rng.integers(len(of))]

    def literal(self) -> Any:
        return self.one(0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 3.0, np.float64(1.0), np.float32(0.25), 1, 2, -1)

    def unary(self) -> Any:
        return self.one(np.negative, np.tanh, np.abs, np.square, np.positive, np.sin)(self.pick())

    def binary(self) -> Any:
        x = self.pick()
        y = self.pick(lambda v: fits(v.shape, x.shape))
        if not fits(y.shape, x.shape):
            y = x
        return self.one(np.add, np.subtract, np.multiply, np.maximum)(x, y)

    def product(self) -> Any:
        x = self.pick()
        y = self.pick(lambda v: fits(v.shape, x.shape))
        y = y if fits(y.shape, x.shape) else self.literal()
        return bind(PRIMITIVES[self.one("product", "masked_product")], (y, x) if self.chance() else (x, y), {})

    def number(self) -> Any:
        x, c = self.pick(), self.literal()
        if self.chance(0.3):
            c = np.full(x.shape if self.chance() else (2, *x.shape), c)
        return self.one(
            lambda: x * c, lambda: c * x, lambda: x + c, lambda: c - x, lambda: x - c, lambda: x / (2.0 + c * c)
        )()

    def entry(self, n: int) -> Any:
        a, b = sorted(int(k) for k in self.rng.integers(0, n + 1, 2))
        choices: list[Any] = [slice(None), slice(a, b), slice(None, None, -1), slice(a, None, 2)]
        return self.one(*choices, int(self.rng.integers(-n, n))) if n else slice(None)

    def some_index(self, shape: tuple[int, ...]) -> tuple[Any, ...]:
        index = [self.entry(n) for n in shape]
        if self.chance(0.2):
            index.insert(int(self.rng.integers(len(index) + 1)), None)
        return tuple(index)

    def index(self) -> Any:
        x = self.pick(lambda v: v.ndim)
        return x[self.some_index(x.shape)]

    def gather(self) -> Any:
        x = self.pick(lambda v: v.ndim and v.shape[0])
        if not x.ndim or not x.shape[0]:
            return x
        n = x.shape[0]
        return x[
            self.one(
                np.arange(n)[::-1], np.array([0]), np.array([n - 1, 0, -1]), np.arange(n)[:, None], np.arange(0, n, 2)
            )
        ]

    def reshape(self) -> Any:
        x = self.pick()
        shapes: list[Any] = [(-1,), (x.size, 1), (1, *x.shape), (*x.shape, 1)]
        if x.ndim > 1:
            shapes.append((-1, x.shape[-1]) if x.size else (-1,))
        return x.reshape(self.one(*shapes)) if x.size else x.reshape(x.shape[::-1])

    def transpose(self) -> Any:
        x = self.pick()
        return np.transpose(x, [int(i) for i in self.rng.permutation(x.ndim)])

    def broadcast(self) -> Any:
        x = self.pick(lambda v: v.ndim < 3)
        return np.broadcast_to(x, (int(self.rng.integers(1, 4)), *x.shape))

    def concat(self) -> Any:
        x = self.pick(lambda v: v.ndim)
        if not x.ndim:
            return np.stack([x, x * 2.0])
        axis = self.one(0, -1)
        return (
            np.concatenate([x, self.one(x, np.zeros(x.shape), x[::-1])], axis) if axis else np.concatenate([x, x[:0]])
        )

    def reduce(self) -> Any:
        x = self.pick()
        axis = tuple(i for i in range(x.ndim) if self.chance())
        if 0 in x.shape:
            return np.sum(x, axis=axis)
        return self.one(np.sum, np.sum, np.max, np.mean)(x, axis=axis)

    def where(self) -> Any:
        x = self.pick()
        condition = self.one(x > 0, np.less(x, x), np.logical_not(x > 1.0), np.logical_and(x > 0.0, True), True)
        return np.where(condition, self.one(x, 0.0, np.where(condition, x, 1.0)), self.one(x, -x, np.float64(2.0)))

    def dtype(self) -> Any:
        x = self.pick()
        return self.one(
            lambda: x.astype(np.float32), lambda: x.astype(np.float64), lambda: (x > 0).astype(np.float32)
        )()

    def write(self) -> Any:
        x = self.pick(lambda v: v.ndim)
        if not x.ndim:
            return x
        y = x.copy() if self.chance(0.7) else np.zeros_like(x)
        for _ in range(int(self.rng.integers(1, 4))):
            index = self.some_index(x.shape)
            if None not in index:
                y[index] = self.one(1.5, x[index], y[index] * 2.0, 0.0)
        return y

    def unslice(self) -> Any:
        shape = self.one((4,), (3, 4), (2, 3, 2))
        index = self.some_index(shape)
        region = np.zeros(shape)[index].shape
        v = self.pick(lambda x: x.shape == region)
        if v.shape != region:
            v = np.broadcast_to(self.pick(lambda x: x.ndim == 0).sum(), region)
        return bind(PRIMITIVES["unslice"], (v,), {"index": index, "shape": shape})

    def contract(self) -> Any:
        x = self.pick(lambda v: v.ndim == 2 and v.dtype.kind == "f")
        if x.ndim != 2 or not x.size:
            return np.sum(x) * x
        return self.one(
            lambda: np.sum(x[:, :, None] * x.T[None], 1),
            lambda: np.sum(x[:, None] * x[None], -1),
            lambda: x @ np.eye(x.shape[1]),
            lambda: np.sum(x[:, None, :] * np.tanh(x)[:, 0][None, :, None], 1),
        )()

    def repeated(self) -> Any:
        """The sum of a product with a factor that is the same in every term, beside the sum itself."""
        x = self.pick(lambda v: v.ndim)
        axis = self.one(0, None) if x.ndim else None
        return np.sum(x, axis) + np.sum(x * np.sin(np.sum(x)), axis)


def fits(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1], strict=False))


def inputs(rng: np.random.Generator) -> list[Any]:
    shapes = [(), (4,), (3, 4), (2, 1, 3), (0, 2)]
    dtypes = [np.float64, np.float64, np.float32]
    xs = [rng.normal(size=shapes[rng.integers(5)]).astype(dtypes[rng.integers(3)])[()] for _ in range(3)]
    return [xs[0], xs[1], np.abs(xs[2]) * np.float32(0.5)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(150))
def test_random_compositions(seed: int) -> None:
    args = inputs(np.random.default_rng(seed))
    fun = lambda *xs: Composer(seed).compose(xs, 30)
    graph = cv.make_graph(fun)(*args)
    graph.outputs = [x for x in graph.outputs if zlib.crc32(repr(x).encode()) % 3] or graph.outputs
    assert_passes_keep(graph, args, 2e-4, 1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(60))
def test_gradients_of_random_compositions(seed: int) -> None:
    args = inputs(np.random.default_rng(seed))

    def fun(*xs: Any) -> Any:
        return sum(np.sum(np.tanh(y).astype(np.float64)) for y in Composer(seed).compose(xs, 20))

    assert_passes_keep(cv.make_graph(cv.grad(fun, argnums=(0, 1)))(*args), args, 2e-3, 1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(60))
def test_random_compositions_of_values_that_are_no_numbers(seed: int) -> None:
    """NaN and infinities come out where they did, but for sums and products, whose order may change."""
    rng = np.random.default_rng(seed)
    args = inputs(rng)
    for x in args:
        if x.ndim:
            x.reshape(-1)[::3] = [np.nan, np.inf, -np.inf, -0.0][rng.integers(4)]

    def fun(*xs: Any) -> Any:
        composer = Composer(seed)
        left_out = (composer.reduce, composer.contract, composer.repeated)
        composer.steps = [s for s in composer.steps if s not in left_out]
        return composer.compose(xs, 20)

    graph = cv.make_graph(fun)(*args)
    simple = check(simplify(graph))
    with np.errstate(all="ignore"):
        for g, w in zip(simple.run(*args), graph.run(*args), strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-6)
