"""`while_loop` under every transform, against the same steps written out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import covector as cv
from agreement import TRANSFORMS, agree, close

ONE_BY_ONE = [t for t in TRANSFORMS if "vmap" not in t and t != "eval_shape"]


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def root(a: Any) -> Any:
    """Newton's method for x² = a."""
    return cv.while_loop(lambda x: np.abs(x * x - a) > 1e-9, lambda x: 0.5 * (x + a / x), a)


def root_by_hand(a: Any) -> Any:
    x = a
    while np.abs(x * x - a) > 1e-9:
        x = 0.5 * (x + a / x)
    return x


def doubled(x: Any, v: Any) -> Any:
    """A number that decides, and a vector that follows."""
    return cv.while_loop(lambda c: c[0] < 10.0, lambda c: (2.0 * c[0], np.sin(c[1]) * c[0] + v), (x, v))


def doubled_by_hand(x: Any, v: Any) -> Any:
    w = v
    while x < 10.0:
        x, w = 2.0 * x, np.sin(w) * x + v
    return x, w


V = np.array([0.3, -0.7, 1.1])


def test_values() -> None:
    close(root(2.0), np.float64(root_by_hand(2.0)))
    close(doubled(1.0, V), (np.float64(16.0), doubled_by_hand(1.0, V)[1]))


@pytest.mark.parametrize("transform", ONE_BY_ONE)
def test_transforms(transform: str) -> None:
    agree(root, root_by_hand, (2.0,), transform)
    agree(doubled, doubled_by_hand, (1.0, V), transform)


@pytest.mark.parametrize("transform", ONE_BY_ONE)
def test_transforms_of_recorded_loops(transform: str) -> None:
    agree(cv.jit(doubled), doubled_by_hand, (1.0, V), transform)


@pytest.mark.parametrize("transform", ["grad", "jvp", "jacrev", "jacfwd", "hessian"])
def test_recorded_transforms(transform: str) -> None:
    run = TRANSFORMS[transform]
    close(cv.jit(lambda x, v: run(doubled, (x, v)))(1.0, V), run(doubled_by_hand, (1.0, V)))


STARTS = np.array([1.0, 20.0, 0.01, 3.0])


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("over", ["value", "grad", "jvp", "hessian", "jacfwd"])
def test_batches_whose_lanes_end_at_different_times(over: str, jit: bool) -> None:
    def lane(f: Any) -> Any:
        return lambda x: TRANSFORMS[over](f, (x, V))

    one = [lane(doubled_by_hand)(x) for x in STARTS]
    want = cv.tree.map(lambda *ys: np.stack(ys), *one)
    mapped = cv.vmap(lane(doubled))
    close((cv.jit(mapped) if jit else mapped)(STARTS), want)


@pytest.mark.parametrize("jit", [False, True])
def test_derivatives_of_batches(jit: bool) -> None:
    def f(xs: Any) -> Any:
        return cv.vmap(root)(xs).sum()

    xs = STARTS + 0.25
    got = (cv.jit(cv.grad(f)) if jit else cv.grad(f))(xs)
    np.testing.assert_allclose(got, 0.5 / np.sqrt(xs), rtol=1e-6)
    np.testing.assert_allclose(cv.jvp(f, (xs,), (np.ones(4),))[1], got.sum())


def test_a_batch_of_batches() -> None:
    xs = np.outer(STARTS, [1.0, 2.0])
    np.testing.assert_allclose(cv.vmap(cv.vmap(root))(xs), np.sqrt(xs), rtol=1e-7)


@pytest.mark.parametrize("jit", [False, True])
def test_lanes_that_are_done_are_not_computed(jit: bool) -> None:
    """Going on from where a lane ends would overflow, and take the logarithm of zero."""

    def f(x: Any) -> Any:
        return cv.while_loop(lambda c: (c[0] < 4) & (c[1] > 0.0), lambda c: (c[0] + 1, np.log(c[1])), (0, x))[1]

    xs = np.array([1.0, np.e, 1e300, 0.5])
    mapped = cv.jit(cv.vmap(f)) if jit else cv.vmap(f)
    np.testing.assert_allclose(mapped(xs), [f(x) for x in xs], rtol=1e-12)
    slopes = cv.vmap(cv.grad(f))(xs)
    np.testing.assert_allclose(slopes, [cv.grad(f)(x) for x in xs], rtol=1e-12)


def test_a_batched_condition_late_in_the_loop() -> None:
    """The condition begins to differ between lanes only after some steps; they go on from there."""

    def f(x: Any) -> Any:
        def more(c: Any) -> Any:
            n, y = c
            return n < 2 if isinstance(n, int | np.integer) and n < 2 else (n < 3) | (y < 10.0)

        return cv.while_loop(more, lambda c: (c[0] + 1, c[1] * 2.0), (0, x))

    n, y = cv.vmap(f)(np.array([1.0, 4.0]))
    assert n.tolist() == [4, 3] and y.tolist() == [16.0, 32.0]


@pytest.mark.parametrize("wrap", [lambda f: f, cv.jit, cv.checkpoint])
def test_no_steps(wrap: Any) -> None:
    f = wrap(lambda x: cv.while_loop(lambda c: c < 0.0, lambda c: c / 0.0, x))
    assert f(2.0) == 2.0 and cv.grad(f)(2.0) == 1.0
    assert cv.jvp(f, (2.0,), (3.0,)) == (2.0, 3.0)


@pytest.mark.parametrize("wrap", [lambda f: f, cv.jit])
def test_one_step(wrap: Any) -> None:
    f = wrap(lambda x: cv.while_loop(lambda c: c < 3.0, lambda c: c * c, x))
    assert f(2.0) == 4.0 and cv.grad(f)(2.0) == 4.0


@pytest.mark.parametrize("steps", [31, 32, 33, 200])
def test_more_steps_than_room(steps: int) -> None:
    """Compiled programs begin with room for a few steps, and make more when it is needed."""

    def f(x: Any, n: Any) -> Any:
        return cv.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, np.sin(c[1]) * x), (0, x))[1]

    def by_hand(x: Any) -> Any:
        y = x
        for _ in range(steps):
            y = np.sin(y) * x
        return y

    want = cv.grad(by_hand)(1.2)
    for n in (steps, np.int64(steps)):
        for g in (cv.grad(f), cv.jit(cv.grad(f)), cv.grad(cv.jit(f))):
            np.testing.assert_allclose(g(1.2, n), want, rtol=1e-12)


@pytest.mark.parametrize("wrap", [lambda f: f, cv.jit])
def test_integer_and_bool_states(wrap: Any) -> None:
    def collatz(n: Any) -> Any:
        def step(c: Any) -> Any:
            n, count, seen = c
            return np.where(n % 2 == 0, n // 2, 3 * n + 1), count + 1, seen | (n > 100)

        return cv.while_loop(lambda c: c[0] != 1, step, (n, 0, False))[1:]

    count, seen = wrap(collatz)(np.int64(27))
    assert (count, seen) == (111, True) and count.dtype == np.int64 and seen.dtype == bool


@pytest.mark.parametrize("wrap", [lambda f: f, cv.jit])
def test_steps_in_place(wrap: Any) -> None:
    start = np.zeros(5)

    def f(x: Any) -> Any:
        def step(c: Any) -> Any:
            i, v = c
            v[i] = x * i
            return i + 1, v

        return cv.while_loop(lambda c: c[0] < 4, step, (0, start))[1]

    assert wrap(f)(2.0).tolist() == [0.0, 2.0, 4.0, 6.0, 0.0] and not start.any()
    np.testing.assert_array_equal(cv.jacrev(wrap(f))(2.0), [0.0, 1.0, 2.0, 3.0, 0.0])
    np.testing.assert_array_equal(cv.jacfwd(wrap(f))(2.0), [0.0, 1.0, 2.0, 3.0, 0.0])


def test_python_in_steps_that_are_not_recorded() -> None:
    """What is not recorded may branch on values, and call what it likes."""
    seen = []

    def step(x: Any) -> Any:
        seen.append(float(x) if isinstance(x, np.floating) else x)
        return x * 3.0 if x < 2.0 else x + 1.0

    assert cv.while_loop(lambda x: x < 6.0, step, 1.0) == 6.0
    assert seen == [1.0, 3.0, 4.0, 5.0]
    assert cv.grad(lambda x: cv.while_loop(lambda x: x < 6.0, step, x))(1.0) == 3.0


def test_a_recorded_loop_is_one_equation() -> None:
    graph = cv.make_graph(lambda x: cv.while_loop(lambda c: c < 1e9, lambda c: c * 1.5, x))(2.0)
    assert [eq.primitive.name for eq in graph] == ["loop"]
    assert cv.eval_shape(root, 2.0) == cv.ShapeDtypeStruct((), float)
    assert cv.eval_shape(doubled, 2.0, V)[1] == cv.ShapeDtypeStruct((3,), float)


def test_what_both_functions_reach_is_one_input_of_the_loop() -> None:
    (loop,) = cv.make_graph(lambda a, b: cv.while_loop(lambda x: x < a, lambda x: x * a + b, b))(9.0, 2.0)
    assert loop.params["constants"] == 2 and len(loop.inputs) == 3
    (loop,) = cv.make_graph(lambda a, b: cv.while_loop(lambda x: (x < b) & (x < a), lambda x: x * a, a))(9.0, 2.0)
    assert loop.params["constants"] == 2

    def f(a: Any, b: Any) -> Any:
        a = a * 1.0
        return cv.while_loop(lambda x: (x < b) & (x < a[0]), lambda x: x * a[1] + b, a[1])

    def by_hand(a: Any, b: Any) -> Any:
        x = a[1]
        while x < b and x < a[0]:
            x = x * a[1] + b
        return x

    args = (np.array([50.0, 1.5]), 20.0)
    close(cv.jit(f)(*args), np.float64(by_hand(*args)))
    close(cv.jit(cv.grad(f, argnums=(0, 1)))(*args), cv.grad(by_hand, argnums=(0, 1))(*args))
