"""`scan` and `map` under every transform, against the same steps written out."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import covector as cv
from agreement import TRANSFORMS, agree, close

RNG = np.random.default_rng(11)
W = RNG.normal(size=(3, 3)) / 2
XS = RNG.normal(size=(4, 3))
H0 = RNG.normal(size=3)

Step = Callable[[Any, Any], tuple[Any, Any]]


def written_out(step: Step, init: Any, xs: Sequence[Any], reverse: bool = False) -> tuple[Any, Any]:
    """The loop of steps in plain Python; results are arrays or None."""
    carry, ys = init, [None] * len(xs)
    for i in reversed(range(len(xs))) if reverse else range(len(xs)):
        carry, ys[i] = step(carry, xs[i])
    return carry, None if ys[0] is None else np.stack(ys)


def linear(c: Any, x: Any) -> tuple[Any, Any]:
    c = 0.5 * c + np.sin(x)
    return c, c * x


def cell(h: Any, x: Any) -> tuple[Any, Any]:
    h = np.tanh(W @ h + x)
    return h, h[0] * x


def test_values() -> None:
    xs = np.arange(1.0, 5.0)
    close(cv.scan(linear, 0.0, xs), written_out(linear, np.float64(0.0), xs))
    close(cv.scan(cell, H0, XS), written_out(cell, H0, XS))


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("reverse", [False, True])
def test_transforms_of_a_cell(transform: str, reverse: bool) -> None:
    agree(
        lambda h, xs: cv.scan(cell, h, xs, reverse=reverse),
        lambda h, xs: written_out(cell, h, xs, reverse),
        (H0, XS),
        transform,
    )


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_of_a_closure(transform: str) -> None:
    def looped(w: Any, xs: Any) -> Any:
        return cv.scan(lambda h, x: (np.tanh(w @ h + x), w[0] @ h), H0, xs)

    def by_hand(w: Any, xs: Any) -> Any:
        return written_out(lambda h, x: (np.tanh(w @ h + x), w[0] @ h), H0, xs)

    agree(looped, by_hand, (W, XS), transform)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_of_steps_in_place(transform: str) -> None:
    def step(c: Any, x: Any) -> Any:
        c["total"] += x
        c["last"][1:] = c["last"][:-1]
        c["last"][0] = c["total"].sum() * x[0]
        return c, c["last"]

    def looped(xs: Any) -> Any:
        return cv.scan(step, {"total": np.zeros(3), "last": np.zeros(2)}, xs)

    def by_hand(xs: Any) -> Any:
        total, a, b, ys = 0.0 * xs[0], 0.0 * xs[0, 0], 0.0 * xs[0, 0], []
        for x in xs:
            total = total + x
            a, b = total.sum() * x[0], a
            ys.append(np.stack([a, b]))
        return {"total": total, "last": np.stack([a, b])}, np.stack(ys)

    agree(looped, by_hand, (XS,), transform)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_of_nested_loops(transform: str) -> None:
    def looped(xs: Any) -> Any:
        def outer(c: Any, row: Any) -> Any:
            c, ys = cv.scan(lambda d, x: (0.5 * d + np.sin(c * x), d), c, row)
            return c, ys.sum()

        return cv.scan(outer, 0.25, xs)

    def by_hand(xs: Any) -> Any:
        c: Any = 0.25
        sums = []
        for row in xs:
            d, total = c, 0.0
            for x in row:
                total = total + d
                d = 0.5 * d + np.sin(c * x)
            c = d
            sums.append(total)
        return c, np.stack(sums)

    agree(looped, by_hand, (XS,), transform)


# --- trees ------------------------------------------------------------------------------------------------------------

Pair = namedtuple("Pair", ["a", "b"])


@cv.register_dataclass
@dataclass
class State:
    position: Any
    speed: Any


def test_trees_of_all_kinds() -> None:
    def step(c: Any, x: Any) -> Any:
        state, none = c
        assert none is None
        speed = state.speed - 0.1 * state.position + x["push"]
        new = State(state.position + 0.1 * speed, speed)
        return (new, None), Pair(new.position, {"x": x["pair"].b, "none": None})

    xs = {"push": np.ones(3), "pair": Pair(None, np.arange(6.0).reshape(3, 2))}
    (state, none), ys = cv.scan(step, (State(1.0, 0.0), None), xs)
    assert none is None and isinstance(state, State) and isinstance(ys, Pair)
    assert ys.a.shape == (3,) and ys.b["none"] is None
    np.testing.assert_array_equal(ys.b["x"], xs["pair"].b)
    position, speed = 1.0, 0.0
    for _ in range(3):
        speed = speed - 0.1 * position + 1.0
        position = position + 0.1 * speed
    assert state.position == position and state.speed == speed
    slope = cv.grad(lambda p: cv.scan(step, (State(p, 0.0), None), xs)[0][0].position)(1.0)
    again = cv.jit(lambda p: cv.scan(step, (State(p, 0.0), None), xs))(1.0)
    close(again, ((state, None), ys))
    np.testing.assert_allclose(slope, (cv.scan(step, (State(2.0, 0.0), None), xs)[0][0].position - position))


@pytest.mark.parametrize("wrap", [lambda f: f, cv.jit])
def test_without_sequences(wrap: Any) -> None:
    total, ys = wrap(lambda c: cv.scan(lambda c, x: (c * 2.0, None), c, length=5))(1.0)
    assert total == 32.0 and ys is None
    assert wrap(lambda c: cv.scan(lambda c, x: (c, c), c, None, 2)[1])(3.0).tolist() == [3.0, 3.0]


@pytest.mark.parametrize("wrap", [lambda f: f, cv.jit, cv.vmap])
def test_no_steps(wrap: Any) -> None:
    lead = (2,) if wrap is cv.vmap else ()
    xs = np.zeros((*lead, 0, 3))
    carry, (ys, zs) = wrap(lambda xs: cv.scan(lambda c, x: (c + 1.0, (x[:2], c > 0)), 1.0, xs))(xs)
    np.testing.assert_array_equal(carry, np.ones(lead))
    assert ys.shape == (*lead, 0, 2) and zs.shape == (*lead, 0) and zs.dtype == bool


def test_no_steps_under_derivatives() -> None:
    def f(c: Any) -> Any:
        return cv.scan(lambda c, x: (c * x, c), c, np.zeros(0))

    assert cv.grad(lambda c: f(c)[0])(3.0) == 1.0
    assert cv.jacrev(lambda c: f(c)[1])(3.0).shape == (0,)
    out, tangent = cv.jvp(f, (3.0,), (2.0,))
    assert out[0] == 3.0 and tangent[0] == 2.0 and tangent[1].shape == (0,)


@pytest.mark.parametrize("wrap", [lambda f: f, cv.jit])
def test_an_empty_carry(wrap: Any) -> None:
    carry, ys = wrap(lambda xs: cv.scan(lambda c, x: ((), x * x), (), xs))(np.arange(3.0))
    assert carry == () and ys.tolist() == [0.0, 1.0, 4.0]


@pytest.mark.parametrize("wrap", [lambda f: f, cv.jit])
def test_integer_and_bool_carries(wrap: Any) -> None:
    def step(c: Any, x: Any) -> Any:
        n, seen = c
        return (n + 1, seen | (x > 2.0)), n

    (n, seen), ys = wrap(lambda xs: cv.scan(step, (0, False), xs))(np.arange(4.0))
    assert (n, seen, ys.tolist()) == (4, True, [0, 1, 2, 3])
    assert n.dtype == np.int64 and seen.dtype == bool and ys.dtype == np.int64


def test_derivatives_beside_integer_carries() -> None:
    def f(x: Any) -> Any:
        return cv.scan(lambda c, x: ((c[0] + 1, c[1] * x), c[0] * x), (1, 1.0), x)

    def by_hand(x: Any) -> Any:
        return (np.int64(5), x[0] * x[1] * x[2] * x[3]), np.arange(1, 5) * x

    x = np.array([1.5, -0.5, 2.0, 3.0])
    close(f(x), by_hand(x))
    for over in (cv.grad, lambda f: cv.grad(cv.jit(f)), lambda f: cv.jit(cv.grad(f))):
        close(
            over(lambda x: f(x)[0][1] + f(x)[1].sum())(x),
            cv.grad(lambda x: by_hand(x)[0][1] + by_hand(x)[1].sum())(x),
        )


@pytest.mark.parametrize("dtype", [np.float32, np.complex128, np.complex64])
def test_dtypes(dtype: Any) -> None:
    xs = np.arange(1.0, 4.0).astype(dtype)
    start = dtype(1.0)
    close(cv.scan(lambda c, x: (c * x, c + x), start, xs), written_out(lambda c, x: (c * x, c + x), start, xs))
    close(
        cv.jit(lambda xs: cv.scan(lambda c, x: (c * x, c + x), start, xs))(xs),
        written_out(lambda c, x: (c * x, c + x), start, xs),
    )


def test_python_numbers_keep_their_meaning_in_compiled_steps() -> None:
    """A Python number that a step reaches gives way to the dtype of the carry, as in plain Python."""
    xs = np.ones(3, np.float32)
    out = cv.jit(lambda s, xs: cv.scan(lambda c, x: (c * s + x, None), np.float32(0), xs)[0])(0.5, xs)
    assert out == 1.75 and out.dtype == np.float32


# --- arrays that are not the loop's -----------------------------------------------------------------------------------


@pytest.mark.parametrize("run", ["value", "jvp", "vjp", "vmap"])
def test_arrays_of_the_caller_stay_as_they_are(run: str) -> None:
    start, xs, kept = np.zeros(3), np.ones((2, 3)), np.full(3, 7.0)

    def step(c: Any, x: Any) -> Any:
        c[0] += 1.0
        x += c
        return (kept if run == "value" else c), x

    TRANSFORMS[run](lambda xs: cv.scan(step, start, xs), (xs,))
    assert not start.any() and (xs == 1.0).all() and (kept == 7.0).all()


def test_the_same_array_twice_in_a_carry() -> None:
    """Two leaves are two arrays in each step, even if a step returns one array for both."""

    def step(c: Any, _: Any) -> Any:
        a, b = c
        a += 1.0
        return (a, a), (a, b)

    plain = cv.scan(step, (np.zeros(1), np.zeros(1)), length=3)
    close(cv.jit(lambda z: cv.scan(step, (z, z), length=3))(np.zeros(1)), plain)
    assert plain[1][0].ravel().tolist() == [1.0, 2.0, 3.0]
    assert plain[1][1].ravel().tolist() == [0.0, 1.0, 2.0]


def test_results_are_arrays_of_the_caller() -> None:
    start = np.zeros(2)
    carry, _ = cv.scan(lambda c, x: (c, None), start, length=0)
    carry[0] = 5.0
    assert start[0] == 0.0


def test_constant_carries_that_take_traced_values() -> None:
    """A plain array as carry can be written to with traced values, as np.zeros_like(t) can."""

    def f(x: Any) -> Any:
        def step(c: Any, i: Any) -> Any:
            c[i] = x * i
            return c, None

        return cv.scan(step, np.zeros(3), np.arange(3))[0]

    np.testing.assert_array_equal(cv.jacrev(f)(2.0), np.arange(3.0))
    np.testing.assert_array_equal(cv.jacfwd(f)(2.0), np.arange(3.0))
    np.testing.assert_array_equal(cv.vmap(f)(np.ones(2)), np.tile(np.arange(3.0), (2, 1)))
    np.testing.assert_array_equal(cv.jit(f)(2.0), 2.0 * np.arange(3.0))


# --- recorded ---------------------------------------------------------------------------------------------------------


def test_a_recorded_loop_is_one_equation() -> None:
    graph = cv.make_graph(lambda xs: cv.scan(linear, 0.0, xs))(np.ones(1000))
    assert [eq.primitive.name for eq in graph] == ["loop"]
    close(tuple(graph.run(np.ones(1000))), written_out(linear, np.float64(0.0), np.ones(1000)))


@pytest.mark.parametrize("transform", [t for t in TRANSFORMS if t not in ("eval_shape", "checkpoint")])
def test_transforms_of_recorded_loops(transform: str) -> None:
    agree(
        lambda h, xs: cv.jit(lambda h, xs: cv.scan(cell, h, xs))(h, xs),
        lambda h, xs: written_out(cell, h, xs),
        (H0, XS),
        transform,
    )


@pytest.mark.parametrize("transform", ["grad", "jvp", "hessian", "vmap", "vmap of grad"])
def test_recorded_transforms_of_loops(transform: str) -> None:
    run = TRANSFORMS[transform]
    got = cv.jit(lambda h, xs: run(lambda h, xs: cv.scan(cell, h, xs), (h, xs)))(H0, XS)
    close(got, run(lambda h, xs: written_out(cell, h, xs), (H0, XS)))


def test_unroll_changes_nothing() -> None:
    for unroll in (1, 3, np.int64(2), True, False):
        close(cv.scan(cell, H0, XS, unroll=unroll), cv.scan(cell, H0, XS))


# --- map --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda f: f, cv.jit])
@pytest.mark.parametrize("size", [None, 1, 2, 3, 4, 7])
def test_map(size: int | None, wrap: Any) -> None:
    got = wrap(lambda xs: cv.map(lambda x: {"norm": x @ x, "twice": 2.0 * x}, xs, batch_size=size))(XS)
    close(got, {"norm": (XS * XS).sum(1), "twice": 2.0 * XS})


@pytest.mark.parametrize("size", [None, 2])
def test_map_of_nothing(size: int | None) -> None:
    assert cv.map(lambda x: x.sum(), np.zeros((0, 3)), batch_size=size).shape == (0,)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms_of_map(transform: str) -> None:
    agree(
        lambda w, xs: cv.map(lambda x: np.sin(w @ x), xs, batch_size=3),
        lambda w, xs: np.stack([np.sin(w @ x) for x in xs]),
        (W, XS),
        transform,
    )
