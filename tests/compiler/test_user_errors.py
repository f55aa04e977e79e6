"""Exceptions, effects, randomness and warnings in compiled functions."""

from __future__ import annotations

import signal
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import covector as cv
from compiler.as_python import agrees

A = np.array([3.0, -1.0, 2.0, 0.0])
EYE = np.eye(3)

last: Any = None


@contextmanager
def says(pattern: str) -> Iterator[None]:
    """A warning that the function runs as Python, with a reason."""
    with pytest.warns(RuntimeWarning, match=pattern):
        yield


# --- exceptions -------------------------------------------------------------------------------------------------------


def test_indices_out_of_bounds_are_numpys_errors() -> None:
    agrees(lambda x, i: x[i], (A, 0), (A, 3), (A, 4), (A, -4), (A, -5), (A, np.int64(7)))
    agrees(lambda x, i: x[i], (A, np.array([0, 9])), (A, np.array([-1, 2])), (A, np.array([1, -5])))
    agrees(lambda x, i: np.take(x, i), (A, 5), (A, np.array([1, -7])), (A, 2))
    agrees(lambda x, i, j: x[i, j], (EYE, 0, 3), (EYE, np.array([0, 1]), np.array([0, -4])), (EYE, 1, 1))


def test_writing_out_of_bounds_is_numpys_error() -> None:
    def f(x: Any, i: Any) -> Any:
        x[i] = 5.0
        return x

    agrees(f, (A, 0), (A, 4), (A, -5), (A, np.array([0, 9])), (A, np.array([1, -4])))


def test_singular_matrices_are_numpys_errors() -> None:
    agrees(np.linalg.inv, EYE, EYE * 0, EYE * 2, np.zeros((2, 3)), np.stack([EYE, EYE * 0]))
    agrees(np.linalg.cholesky, EYE, -EYE, EYE * 2)
    agrees(np.linalg.solve, (np.eye(4), A), (np.zeros((4, 4)), A))


def test_an_exception_in_compiled_code_can_be_handled_inside() -> None:
    def inverse(x: Any) -> Any:
        try:
            return np.linalg.inv(x)
        except np.linalg.LinAlgError:
            return np.linalg.pinv(x)

    def item(x: Any, i: Any) -> Any:
        try:
            return x[i]
        except IndexError:
            return np.float64(0.0)

    agrees(inverse, EYE, EYE * 0, EYE * 2)
    agrees(inverse, EYE * 0, EYE)
    agrees(item, (A, 0), (A, 7), (A, 1))
    agrees(item, (A, 7), (A, 0))


def test_the_traceback_of_compiled_code_shows_the_users_line() -> None:
    def f(x: Any, i: Any) -> Any:
        y = x * 2
        return y[i]

    g = cv.jit(f)
    g(A, 1)
    with pytest.raises(IndexError) as caught:
        g(A, 9)
    lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert (__file__, f.__code__.co_firstlineno + 2) in lines


def test_exceptions_of_the_user_come_through() -> None:
    def f(x: Any) -> Any:
        if x[0] > 0:
            raise KeyError("positive")
        return x

    agrees(f, A, -A, A)
    agrees(lambda x: 1 / int(x[3]), A, A + 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit])
def test_nothing_is_left_behind_by_an_exception(error: type[BaseException]) -> None:
    fail = [True]

    def f(x: Any) -> Any:
        y = np.sin(x)
        if fail[0]:
            raise error
        return y

    g = cv.jit(f)
    for compiled in (g, cv.jit(cv.grad(lambda x: f(x).sum())), cv.vmap(g)):
        fail[0] = True
        with pytest.raises(error):
            compiled(A)
        fail[0] = False
        compiled(A)
    assert_array_equal(g(A), np.sin(A))
    assert cv.grad(lambda x: x**2)(2.0) == 4.0


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
def test_an_interrupt_while_recording() -> None:
    def interrupt(*args: Any) -> None:
        raise KeyboardInterrupt

    def long(x: Any) -> Any:
        for _ in range(30_000):
            x = x + 1.0
        return x

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            cv.jit(long)(A)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert_array_equal(cv.jit(lambda x: x + 1)(A), A + 1)


# --- effects ----------------------------------------------------------------------------------------------------------


def test_appending_outside_happens_at_every_call() -> None:
    kept: list[Any] = []

    def f(x: Any) -> Any:
        kept.append(x * 2)
        return x

    g = cv.jit(f)
    with says("changes 'kept'"):
        g(A)
    g(A + 1)
    g(A + 2)
    assert_array_equal(kept, [A * 2, A * 2 + 2, A * 2 + 4])


def test_storing_outside_happens_at_every_call() -> None:
    kept: dict[str, Any] = {}

    def f(x: Any) -> Any:
        kept["last"] = x
        return x

    g = cv.jit(f)
    with says("changes 'kept'"):
        g(A)
    g(A + 1)
    assert_array_equal(kept["last"], A + 1)


def test_rebinding_a_global_happens_at_every_call() -> None:
    def f(x: Any) -> Any:
        global last
        last = x * 2
        return x

    g = cv.jit(f)
    with says("last"):
        g(A)
    assert_array_equal(last, A * 2)
    g(A + 1)
    assert_array_equal(last, A * 2 + 2)


def test_counters_count_calls() -> None:
    count = 0

    def f(x: Any) -> Any:
        nonlocal count
        count += 1
        return x * count

    g = cv.jit(f)
    with says("changes 'count'"):
        assert_array_equal(g(A), A)
    assert_array_equal(g(A), A * 2)
    assert count == 2


def test_printing_happens_while_recording(capsys: pytest.CaptureFixture[str]) -> None:
    def f(x: Any) -> Any:
        print("recorded", x.shape)
        return x

    g = cv.jit(f)
    g(A), g(A)
    assert capsys.readouterr().out == "recorded (4,)\n"


def test_warnings_of_the_user_come_while_recording() -> None:
    def f(x: Any) -> Any:
        warnings.warn("take care")
        return x

    g = cv.jit(f)
    with pytest.warns(UserWarning, match="take care"):
        g(A)
    g(A)


def test_random_numbers_are_part_of_the_program() -> None:
    rng = np.random.default_rng(0)
    f = cv.jit(lambda x: x + rng.normal(size=4))
    assert_array_equal(f(A), f(A))


def test_random_numbers_of_a_generator_that_is_passed_in() -> None:
    f = cv.jit(lambda x, r: x + r.normal(size=4))
    for seed in (0, 1, 0):
        assert_array_equal(f(A, np.random.default_rng(seed)), A + np.random.default_rng(seed).normal(size=4))


def test_context_managers_and_locks() -> None:
    def f(x: Any) -> Any:
        with np.errstate(divide="ignore"), warnings.catch_warnings():
            return 1 / x

    agrees(f, A, A + 9)
