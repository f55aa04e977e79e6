"""Loops that keep some of their states: schedules, how often the body is evaluated, what is kept, and derivatives."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.control.loops.loop import loop_p
from covector.control.loops.revolve import evaluations, schedule
from covector.core.graph import Graph, record
from covector.core.primitive import PRIMITIVES
from covector.core.programs import programs_in
from covector.core.values import Aval

HOW = ("sqrt", 1, 2, 3, 50)
LENGTHS = (0, 1, 2, 3, 7, 9, 16, 23)
W = np.array([0.3, -0.8, 1.2])
DRAWN = np.random.default_rng(3).normal(size=(40, 3))


def recurrence(w: Any, h: Any, xs: Any, how: Any, reverse: bool = False) -> Any:
    """Constants, a carry of integers beside the real one, sequences, results, and the number of the step."""

    def step(carry: Any, x: Any) -> Any:
        h, k = carry
        h = np.tan(0.3 * np.sin(h * w + x))
        return (h, k + 1), h * x + k * w

    (h, _), ys = cv.scan(step, (h, 0), xs, reverse=reverse, checkpoint=how)
    return np.sum(h) + np.sum(ys * np.cos(np.arange(len(xs))[:, None]))


def in_full(f: Callable[..., Any], *args: Any) -> list[Any]:
    """Record `f` and evaluate the program: the loop as one operation that keeps everything."""
    return cv.make_graph(f)(*args).run(*args)


@contextmanager
def counted(name: str) -> Iterator[list[int]]:
    """Count the evaluations of a primitive on plain values."""
    primitive = PRIMITIVES[name]
    impl, calls = primitive.impl, [0]

    def counting(*args: Any, **params: Any) -> Any:
        calls[0] += 1
        return impl(*args, **params)

    primitive.impl = counting
    try:
        yield calls
    finally:
        primitive.impl = impl


# --- schedules --------------------------------------------------------------------------------------------------------


@cache
def fewest(n: int, k: int) -> int:
    """The least number of evaluations, by trying every place for the next state."""
    if n < 2:
        return 0
    if k == 1:
        return n * (n - 1) // 2
    return min(d + fewest(n - d, k - 1) + fewest(d, k) for d in range(1, n))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 7, 40])
def test_no_schedule_takes_fewer_evaluations(k: int) -> None:
    for n in range(1, 41):
        plan = schedule(n, k)
        first = n - 1
        again = sum(t - int(plan.start[t]) for t in range(n - 1)) + int(plan.steps.sum())
        assert first + again == evaluations(n, k) == fewest(n, k), n


@pytest.mark.parametrize("n", LENGTHS[1:])
@pytest.mark.parametrize("k", [1, 2, 3, 50])
def test_schedule_reads_what_it_has_saved(n: int, k: int) -> None:
    plan = schedule(n, k)
    held = {int(p): t for t, p in enumerate(plan.rows)}
    assert held[0] == 0
    for t in reversed(range(n)):
        for e in range(plan.first[t], plan.first[t] + plan.count[t]):
            assert held[int(plan.source[e])] == plan.begin[e]
            assert 0 < plan.target[e] < plan.places <= k
            held[int(plan.target[e])] = int(plan.begin[e] + plan.steps[e])
        assert held[int(plan.slot[t])] == plan.start[t] <= t


def test_long_schedule() -> None:
    plan = schedule(100_000, 10)
    again = int(np.sum(np.arange(99_999) - plan.start[:-1])) + int(plan.steps.sum())
    assert 99_999 + again == evaluations(100_000, 10)


# --- values and derivatives -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("n", LENGTHS)
def test_gradient_is_the_same_to_the_last_bit(n: int, reverse: bool) -> None:
    args = W, W * 2.0, DRAWN[:n]
    want = in_full(cv.grad(lambda *a: recurrence(*a, None, reverse), (0, 1, 2)), *args)
    value = recurrence(*args, None, reverse)
    for how in HOW:
        got, cts = cv.value_and_grad(lambda *a, how=how: recurrence(*a, how, reverse), (0, 1, 2))(*args)
        assert got == value
        for a, b in zip(cts, want, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("n", [0, 1, 7, 16])
@pytest.mark.parametrize("how", ["sqrt", 1, 3])
def test_compiled(how: Any, n: int) -> None:
    args = W, W * 2.0, DRAWN[:n]
    f = cv.value_and_grad(lambda *a: recurrence(*a, how), (0, 1, 2))
    value, cts = cv.jit(f)(*args)
    want, want_cts = f(*args)
    assert value == pytest.approx(want, rel=1e-14)
    for a, b in zip(cts, want_cts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("n", [0, 1, 5])
@pytest.mark.parametrize("how", ["sqrt", 1, 2])
def test_second_order(how: Any, n: int) -> None:
    f = lambda w: recurrence(w, W, DRAWN[:n], how, reverse=n == 5)
    want = cv.hessian(lambda w: recurrence(w, W, DRAWN[:n], None, reverse=n == 5))(W)
    for second in (cv.hessian, lambda f: cv.jacrev(cv.jacrev(f)), lambda f: cv.jacrev(cv.jacfwd(f))):
        np.testing.assert_allclose(second(f)(W), want, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("how", ["sqrt", 1, 2])
def test_second_order_compiled(how: Any) -> None:
    f = lambda w: recurrence(w, W, DRAWN[:5], how)
    want = cv.hessian(lambda w: recurrence(w, W, DRAWN[:5], None))(W)
    np.testing.assert_allclose(cv.jit(cv.jacrev(cv.jacrev(f)))(W), want, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(cv.jit(cv.hessian(f))(W), want, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("how", ["sqrt", 1, 3])
@pytest.mark.parametrize("n", [0, 1, 7])
def test_batched(how: Any, n: int) -> None:
    ws = np.stack([W, -W, 0.5 * W])
    f = lambda w: recurrence(w, W, DRAWN[:n], how)
    want = [cv.grad(lambda w: recurrence(w, W, DRAWN[:n], None))(w) for w in ws]
    for g in (cv.vmap(cv.grad(f)), cv.grad(lambda ws: np.sum(cv.vmap(f)(ws))), cv.jit(cv.vmap(cv.grad(f)))):
        np.testing.assert_allclose(g(ws), want, rtol=1e-12, atol=1e-14)


def test_forward_mode_does_not_mind() -> None:
    want = cv.jvp(lambda w: recurrence(w, W, DRAWN[:7], None), (W,), (W,))
    for how in HOW:
        got = cv.jvp(lambda w, how=how: recurrence(w, W, DRAWN[:7], how), (W,), (W,))
        np.testing.assert_allclose(got, want, rtol=1e-14)
        _, push = cv.linearize(lambda w, how=how: recurrence(w, W, DRAWN[:7], how), W)
        assert push(W) == pytest.approx(want[1], rel=1e-13)


def _module_level(w: Any) -> Any:
    return recurrence(w, W, DRAWN[:7], "sqrt") + recurrence(w, W, DRAWN[:7], 2)


def test_pullback_pickles() -> None:
    _, pull = cv.vjp(_module_level, W)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pull))(1.0)[0], pull(1.0)[0])


@pytest.mark.parametrize("how", HOW)
def test_closures_and_in_place_bodies(how: Any) -> None:
    def f(w: Any, a: Any) -> Any:
        v = np.sin(w)

        def step(a: Any, x: Any) -> Any:
            a[1] = a[0] * v * x
            a[0] += np.cos(a[1])
            return a, None

        return np.sum(cv.scan(step, a, DRAWN[:9, 0], checkpoint=how)[0])

    args = 0.7, np.array([0.2, 0.4])
    want = in_full(cv.grad(lambda *a: _without(f, *a), (0, 1)), *args)
    for a, b in zip(cv.grad(f, (0, 1))(*args), want, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(args[1], [0.2, 0.4])


def _without(f: Any, w: Any, a: Any) -> Any:
    cells = dict(zip(f.__code__.co_freevars, f.__closure__, strict=True))
    how = cells["how"].cell_contents
    try:
        cells["how"].cell_contents = None
        return f(w, a)
    finally:
        cells["how"].cell_contents = how


@pytest.mark.parametrize("how", ["sqrt", 2])
def test_collectives_over_a_named_axis(how: Any) -> None:
    def f(x: Any, how: Any) -> Any:
        def lane(x: Any) -> Any:
            step = lambda c, t: (np.sin(c * t + cv.pmean(c * x, "i")), c)
            last, ys = cv.scan(step, x, np.linspace(0.0, 1.0, 7), checkpoint=how)
            return last + np.sum(ys)

        return np.sum(cv.vmap(lane, axis_name="i")(x) ** 2)

    want = cv.grad(f)(W, None)
    np.testing.assert_allclose(cv.grad(f)(W, how), want, rtol=1e-13)
    np.testing.assert_allclose(cv.jit(cv.grad(lambda x: f(x, how)))(W), want, rtol=1e-13)


# --- loops of unknown length ------------------------------------------------------------------------------------------


def decay(a: Any, n: Any, how: Any) -> Any:
    cond, body = lambda c: c[1] < n, lambda c: (np.sin(c[0] * a), c[1] + 1)
    return np.sum(cv.while_loop(cond, body, (np.array([1.0, 0.5]), 0), checkpoint=how)[0])


def counting(a: Any, n: Any, how: Any) -> Any:
    return np.sum(cv.fori_loop(0, n, lambda i, y: np.sin(y * a) + 0.01 * i, np.ones(2), checkpoint=how))


@pytest.mark.parametrize("how", ["sqrt", 1, 4])
@pytest.mark.parametrize("f", [decay, counting])
@pytest.mark.parametrize("n", [0, 1, 2, 31, 32, 33, 67])
def test_while_loops(f: Any, n: int, how: Any) -> None:
    assert f(0.9, n, how) == f(0.9, n, None)
    assert cv.grad(f)(0.9, n, how) == cv.grad(f)(0.9, n, None)


@pytest.mark.parametrize("f", [decay, counting])
@pytest.mark.parametrize(("n", "how"), [(0, "sqrt"), (3, "sqrt"), (40, "sqrt"), (7, 2)])
def test_second_order_of_while_loops(f: Any, n: int, how: Any) -> None:
    want = cv.grad(cv.grad(f))(0.9, n, None)
    for second in (lambda f: cv.grad(cv.grad(f)), lambda f: cv.jacfwd(cv.grad(f)), lambda f: cv.grad(cv.jacfwd(f))):
        assert second(f)(0.9, n, how) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("n", [1023, 1024, 1025, 5000])
def test_while_loop_beyond_the_room_there_is_at_first(n: int) -> None:
    want = cv.grad(decay)(0.99, n, None)
    assert cv.grad(decay)(0.99, n, "sqrt") == want
    assert cv.jit(cv.grad(lambda a, n: decay(a, n, "sqrt")))(0.99, n) == pytest.approx(want, rel=1e-12)


def newton(a: Any, how: Any) -> Any:
    return cv.while_loop(lambda x: np.abs(x * x - a) > 1e-12, lambda x: 0.5 * (x + a / x), a, checkpoint=how)


def test_while_loop_where_lanes_take_different_times() -> None:
    a = np.array([1.5, 2.0, 400.0])
    f = lambda a: newton(a, "sqrt")
    for g in (cv.vmap(cv.grad(f)), cv.grad(lambda a: np.sum(cv.vmap(f)(a))), cv.jit(cv.vmap(cv.grad(f)))):
        np.testing.assert_allclose(g(a), 0.5 / np.sqrt(a), rtol=1e-12)


def test_places_for_a_loop_of_unknown_length_in_a_program_are_refused() -> None:
    with pytest.raises(cv.ConcretizationError, match=r"checkpoint=3 .*use checkpoint='sqrt'"):
        cv.make_graph(cv.grad(lambda a: newton(a, 3)))(2.0)
    with pytest.raises(cv.ConcretizationError, match=r"checkpoint=3 .*use checkpoint='sqrt'"):
        cv.vmap(cv.grad(lambda a: newton(a, 3)))(np.array([2.0, 3.0]))


# --- what it costs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", LENGTHS)
def test_evaluations_of_the_body(n: int) -> None:
    def times(how: Any) -> int:
        with counted("tan") as calls:
            cv.grad(recurrence)(W, W, DRAWN[:n], how)
        return calls[0]

    assert times("sqrt") == 2 * n
    for k in (1, 2, 3, 50):
        again = evaluations(n, k) - max(n - 1, 0)
        assert times(k) == 2 * n + again


@pytest.mark.parametrize("how", HOW)
def test_the_body_is_called_once(how: Any) -> None:
    calls = 0

    def step(h: Any, x: Any) -> Any:
        nonlocal calls
        calls += 1
        return np.sin(h * x), None

    cv.grad(lambda h: np.sum(cv.scan(step, h, DRAWN, checkpoint=how)[0]))(W)
    assert calls == 1


def _kept(n: int, how: Any) -> Any:
    body = record(lambda i, w, h: [np.sin(h * w)], [Aval((), np.dtype(np.int64)), *[Aval((3,), W.dtype)] * 2], "loop")
    params = {"body": body, "constants": 1, "carries": 1, "length": n, "reverse": False, "checkpoint": how}
    assert loop_p.residuals is not None
    return loop_p.residuals([W, W], params, [1, 2])[1]["kept"]


@pytest.mark.parametrize("n", [1, 2, 17, 100, 10_000])
def test_sqrt_keeps_that_many_states(n: int) -> None:
    (states,) = _kept(n, "sqrt").states
    assert len(states) <= math.isqrt(n) + 1


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize("n", [1, 4, 100, 1000])
def test_places_keep_that_many_states(n: int, k: int) -> None:
    (states,) = _kept(n, k).states
    assert len(states) == min(n, k) + 1  # the last is for what is not to be kept


def _rows(graph: Graph) -> int:
    """The most rows of real numbers that a program, and the programs inside it, hold together in one array."""
    shapes = [v.shape for eq in graph.equations for v in eq.outputs if v.dtype.kind == "f"]
    inner = [_rows(g) for eq in graph.equations for g in programs_in(eq.params)]
    return max([math.prod(s) // 3 for s in shapes] + inner, default=0)


def test_no_array_in_the_program_is_longer() -> None:
    n = 1000

    def f(w: Any, how: Any) -> Any:
        step = lambda h, _: (np.tan(0.3 * np.exp(np.sin(h * w))), None)
        return np.sum(cv.scan(step, w, None, length=n, checkpoint=how)[0])

    def second(w: Any, how: Any) -> Any:
        return cv.grad(lambda w: np.sum(cv.grad(f)(w, how)))(w)

    rows = {how: _rows(cv.make_graph(cv.grad(lambda w, how=how: f(w, how)))(W)) for how in (None, "sqrt", 7)}
    assert rows[None] == n
    assert rows["sqrt"] == math.isqrt(n - 1) + 1
    assert rows[7] == 8
    # Differentiated once more in reverse mode: the states at the beginnings of segments, of what the first pass keeps.
    assert _rows(cv.make_graph(lambda w: second(w, "sqrt"))(W)) < 3 * math.isqrt(n)
    assert _rows(cv.make_graph(lambda w: second(w, 2))(W)) < 4 * math.isqrt(n)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "error"), [("SQRT", TypeError), (True, TypeError), (2.0, TypeError), (0, ValueError), (-1, ValueError)]
)
def test_wrong_arguments(how: Any, error: Any) -> None:
    match = r"checkpoint must be None, 'sqrt', or how many states to keep"
    with pytest.raises(error, match=f"scan: {match}"):
        cv.scan(lambda h, x: (h, x), 1.0, np.ones(3), checkpoint=how)
    with pytest.raises(error, match=f"fori_loop: {match}"):
        cv.fori_loop(0, 3, lambda i, h: h, 1.0, checkpoint=how)
    with pytest.raises(error, match=f"while_loop: {match}"):
        cv.while_loop(lambda h: h < 0, lambda h: h, 1.0, checkpoint=how)


def test_numpy_integers_are_fine() -> None:
    f = lambda w: recurrence(w, W, DRAWN[:7], np.int64(2))
    np.testing.assert_array_equal(cv.grad(f)(W), cv.grad(lambda w: recurrence(w, W, DRAWN[:7], 2))(W))
