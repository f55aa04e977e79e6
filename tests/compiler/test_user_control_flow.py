"""Python's control flow on values, as users write it, gives under `jit` what it gives without."""

from __future__ import annotations

import math
import re
import warnings
from typing import Any

import numpy as np
import pytest

import covector as cv
from compiler.as_python import agrees

A = np.array([3.0, -1.0, 2.0, 0.0])
B = np.array([1.0, 2.0, 3.0, 4.0])


def test_and_or_not_decide_as_in_python() -> None:
    agrees(lambda x: x * 2 if (x[0] > 1 and x[1] < 0) or not x[3] else x, A, B, -A)


def test_chained_comparisons() -> None:
    agrees(lambda x: x * 2 if 0 < x[0] < 2 else x * 3 if 2 <= x[0] <= 5 else x, A, B, -A)


def test_any_and_all_in_conditions() -> None:
    def f(x: Any) -> Any:
        if np.any(x > 3):
            return np.sum(x)
        if np.all(x > -2):
            return [np.mean(x)]
        if (x == 0).any():
            return x[0], x
        return x

    assert agrees(f, A, B, -A, -A - 5).cache_info().specialisations == 4


def test_an_array_in_a_condition_is_numpys_error() -> None:
    agrees(lambda x: 1 if x else 2, A)
    agrees(bool, A)
    agrees(lambda x: 1 if x else 2, A[:1], A[3:])


def test_loops_run_as_long_as_the_values_say() -> None:
    def f(a: Any) -> Any:
        steps = 0
        while True:
            a = a / 2
            if a > 1e10:
                continue
            steps += 1
            if a < 1:
                break
        else:
            return -1, a
        return steps, a

    agrees(f, 10.0, 1e12, 0.5, 3.0)


def test_early_return_from_a_loop() -> None:
    def first_negative(x: Any) -> Any:
        for i, v in enumerate(x):
            if v < 0:
                return i, v
        return None

    agrees(first_negative, A, B, -B)


@pytest.mark.parametrize("count", [3, 0, 4.7, np.int64(2), np.float32(1.5), np.array(2)], ids=repr)
def test_int_of_a_value_counts_a_loop(count: Any) -> None:
    agrees(lambda x, n: sum((x * k for k in range(int(n))), np.zeros(4)), (A, count))


def test_range_takes_integers_only() -> None:
    agrees(lambda x, n: [x * k for k in range(n)], (A, 3), (A, np.int64(2)), (A, 3.0), (A, 0))


def test_float_of_a_value() -> None:
    agrees(lambda x: float(x[0]) * x, A, B)
    agrees(lambda x: math.sqrt(abs(x[0])) * x, A, B)
    agrees(lambda s: (math.floor(s), math.ceil(s), math.trunc(s), round(s)), 2.5, -3.5)


@pytest.mark.parametrize("fun", [max, min, sorted, sum, list, tuple, any, all, len], ids=lambda f: f.__name__)
def test_builtins_on_an_array(fun: Any) -> None:
    agrees(lambda x: fun(x), A, B)


def test_builtins_with_functions_and_generators() -> None:
    agrees(lambda x: min(x, key=lambda t: abs(t - 2)), A, B)
    agrees(lambda x: sum(t * t for t in x), A)
    agrees(lambda x: any(t > 2 for t in x), A, B, -B)
    agrees(lambda x, y: [a * b for a, b in zip(x, y)], (A, B))


def test_unpacking_and_membership() -> None:
    def f(x: Any) -> Any:
        first, second, *rest = x
        return rest, second, first

    agrees(f, A)
    agrees(lambda x: 3.0 in x, A, B, -B)


def test_values_as_places_in_lists_and_keys() -> None:
    agrees(lambda n: [10, 20, 30][n], 0, 1, 2, 3, -1)
    agrees(lambda x, n: x[n:], (A, 1), (A, 3), (A, -2), (A, 9))


def test_match_statements() -> None:
    def f(n: Any, x: Any) -> Any:
        match n:
            case 0:
                return x
            case 1 | 2:
                return x * 2
            case k if k > 5:
                return x * k
            case _:
                return -x

    agrees(f, (0, A), (1, A), (2, A), (3, A), (9, A))


def test_a_branch_that_was_taken_is_not_recorded_again() -> None:
    f = cv.jit(lambda x: x if x[0] > 0 else -x)
    for _ in range(5):
        f(A), f(-A)
    assert f.cache_info().misses == 2
    assert f.cache_info().specialisations == 2


def test_a_line_that_asks_for_ever_new_values_is_named() -> None:
    def f(x: Any, n: Any) -> Any:
        return x * int(n)

    g = cv.jit(f)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = [g(A, i)[0] for i in range(70)]
    assert results == [3.0 * i for i in range(70)]
    line = f.__code__.co_firstlineno + 1
    assert re.search(rf"{re.escape(__file__)}:{line} \(int\)", str(caught[0].message))


def test_programs_for_other_values_may_fail() -> None:
    def f(x: Any) -> Any:
        if np.any(x < 0):
            raise ValueError("negative")
        return np.sqrt(x)

    agrees(f, B, A, B + 1, -A)


def test_assertions_are_checked_at_every_call() -> None:
    def f(x: Any) -> Any:
        assert np.all(np.isfinite(x))
        return x * 2

    agrees(f, A, A * np.nan, B)
