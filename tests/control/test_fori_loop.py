"""`fori_loop` under every transform, against the same steps written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from agreement import TRANSFORMS, agree, close

V = np.array([0.3, -0.7, 1.1])


def waves(v: Any, n: Any = 4, first: Any = 1) -> Any:
    return cv.fori_loop(first, n, lambda i, c: np.sin(c * i) + v, v)


def waves_by_hand(v: Any, n: int = 4, first: int = 1) -> Any:
    c = v
    for i in range(first, n):
        c = np.sin(c * i) + v
    return c


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms(transform: str) -> None:
    agree(waves, waves_by_hand, (V,), transform)


@pytest.mark.parametrize("transform", [t for t in TRANSFORMS if t not in ("eval_shape", "checkpoint")])
def test_transforms_of_recorded_loops(transform: str) -> None:
    agree(cv.jit(waves), waves_by_hand, (V,), transform)


@pytest.mark.parametrize("transform", [t for t in TRANSFORMS if t not in ("eval_shape", "checkpoint")])
def test_transforms_of_loops_of_a_number_of_steps_that_is_not_known(transform: str) -> None:
    looped = cv.jit(lambda v, n: waves(v, n))
    agree(lambda v: looped(v, 4), waves_by_hand, (V,), transform)


@pytest.mark.parametrize("transform", ["value", "grad", "jvp", "hessian"])
def test_a_number_of_steps_per_lane(transform: str) -> None:
    def lane(f: Any) -> Any:
        return lambda v, n: TRANSFORMS[transform](lambda v: f(v, n), (v,))

    counts = np.array([4, 0, 1, 7])
    want = cv.tree.map(lambda *ys: np.stack(ys), *[lane(waves_by_hand)(V, int(n)) for n in counts])
    close(cv.vmap(lane(waves), in_axes=(None, 0))(V, counts), want)
    close(cv.jit(cv.vmap(lane(waves), in_axes=(None, 0)))(V, counts), want)


@pytest.mark.parametrize("wrap", [lambda f: f, cv.jit])
@pytest.mark.parametrize(("first", "end"), [(0, 5), (2, 5), (-3, 2), (4, 4), (5, 2), (-2, -4)])
def test_ranges(first: int, end: int, wrap: Any) -> None:
    want = sum(i * i for i in range(first, end))
    squares = wrap(lambda a, b: cv.fori_loop(a, b, lambda i, c: c + i * i, 0))
    for kind in (int, np.int64, np.int32, np.array):
        got = squares(kind(first), kind(end))
        assert got == want and got.dtype == np.int64
    assert wrap(lambda: cv.fori_loop(first, end, lambda i, c: c + i * i, 0))() == want
    assert wrap(lambda b: cv.fori_loop(first, b, lambda i, c: c + i * i, 0))(end) == want


def test_unsigned_bounds() -> None:
    f = lambda a, b: cv.fori_loop(a, b, lambda i, c: c + i, 0)
    for g in (f, cv.jit(f)):
        assert g(np.uint8(3), np.uint8(1)) == 0
        assert g(np.uint64(250), np.uint64(260)) == sum(range(250, 260))


@pytest.mark.parametrize("wrap", [lambda f: f, cv.jit])
def test_steps_in_place(wrap: Any) -> None:
    start = np.zeros(6)

    def f(x: Any, n: Any) -> Any:
        def step(i: Any, v: Any) -> Any:
            v[i] = x * i
            v[i + 1] += v[i]
            return v

        return cv.fori_loop(0, n, step, start)

    want = np.array([0.0, 1.0, 2.0, 3.0, 3.0, 0.0])
    for n in (4, np.int64(4)):
        np.testing.assert_array_equal(wrap(f)(2.0, n), 2.0 * want)
        np.testing.assert_array_equal(cv.jacrev(wrap(f))(2.0, n), want)
        np.testing.assert_array_equal(cv.jacfwd(wrap(f))(2.0, n), want)
    assert not start.any()
    np.testing.assert_array_equal(cv.vmap(wrap(f), in_axes=(0, None))(np.array([1.0, 2.0]), 4), np.outer([1, 2], want))


def test_arrays_read_at_the_counter() -> None:
    table = np.arange(12.0).reshape(4, 3)

    def f(x: Any) -> Any:
        return cv.fori_loop(0, 4, lambda i, c: c + x * table[i] * table[i, 0], np.zeros(3))

    want = (table * table[:, :1]).sum(0)
    np.testing.assert_array_equal(f(2.0), 2.0 * want)
    np.testing.assert_array_equal(cv.jit(f)(2.0), 2.0 * want)
    np.testing.assert_array_equal(cv.jit(cv.jacrev(f))(2.0), want)


@pytest.mark.parametrize("jit", [False, True])
def test_the_counter_is_an_integer_of_numpy(jit: bool) -> None:
    """So that what is computed from it has the same dtype whether the loop is recorded or not."""
    f = lambda c: cv.fori_loop(0, 3, lambda i, c: (c * i).astype(np.float32), c)
    assert (cv.jit(f) if jit else f)(np.float32(2.0)).dtype == np.float32
    kinds = []
    cv.fori_loop(0, 1, lambda i, c: kinds.append((i.dtype, i * np.float32(1))) or c, 0.0)
    assert kinds[0][0] == np.int64 and kinds[0][1].dtype == np.float64


@pytest.mark.parametrize("n", [0, 1, 200])
def test_derivatives_with_a_number_of_steps_that_is_not_known(n: int) -> None:
    f = cv.jit(lambda x, n: cv.fori_loop(0, n, lambda i, y: np.sin(y) + x / (i + 1), x))

    def by_hand(x: Any) -> Any:
        y = x
        for i in range(n):
            y = np.sin(y) + x / (i + 1)
        return y

    np.testing.assert_allclose(cv.grad(f)(0.7, n), cv.grad(by_hand)(0.7), rtol=1e-12)
    np.testing.assert_allclose(cv.jacfwd(f)(0.7, n), cv.grad(by_hand)(0.7), rtol=1e-12)


def test_a_recorded_loop_is_one_equation() -> None:
    graph = cv.make_graph(waves)(V)
    assert [eq.primitive.name for eq in graph] == ["loop"]
    assert graph.equations[0].params["length"] == 3
    graph = cv.make_graph(lambda v, n: waves(v, n))(V, 3)
    assert "loop" in [eq.primitive.name for eq in graph]
    np.testing.assert_allclose(graph.run(V, np.int64(4))[0], waves_by_hand(V), rtol=1e-12)


def test_unroll_changes_nothing() -> None:
    for unroll in (None, 1, 5, True):
        close(cv.fori_loop(0, 3, lambda i, c: c * V, V, unroll=unroll), V**4)
