"""No batch rule is a loop over the lanes in disguise: what runs does not depend on their number."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import covector as cv
from compositions.cases import Case, cases, differentiable, one_each
from covector.core.primitive import PRIMITIVES


@contextmanager
def counted_impls() -> Iterator[dict[str, int]]:
    """Count the calls of every primitive's implementation."""
    counts: dict[str, int] = {}
    saved = {name: p.impl for name, p in PRIMITIVES.items()}

    def counting(name: str, impl: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **params: Any) -> Any:
            counts[name] = counts.get(name, 0) + 1
            return impl(*args, **params)

        return call

    for name, p in PRIMITIVES.items():
        p.impl = counting(name, p.impl)
    try:
        yield counts
    finally:
        for name, p in PRIMITIVES.items():
            p.impl = saved[name]


def instructions(fun: Callable[[], Any]) -> int:
    """Count the bytecode instructions that `fun` executes, in all the functions that it calls."""
    count = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        fun()
    finally:
        sys.settrace(before)
    return count


def batch(case: Case, size: int) -> list[Any]:
    return [np.stack([np.asarray(x)] * size) for x in case.args]


def programs(case: Case) -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {"vmap": cv.vmap(case.fun)}
    if differentiable(case):
        t, u = case.draw("args", "t"), case.draw("out", "u")
        found["vmap∘jvp"] = cv.vmap(lambda *xs: cv.jvp(case.smooth, xs, tuple(map(np.asarray, t)))[1])
        found["vmap∘vjp"] = cv.vmap(lambda *xs: cv.vjp(case.smooth, *xs)[1](tuple(map(np.asarray, u))))
    return found


@pytest.mark.parametrize("case", cases(lambda c: bool(c.args)))
def test_implementations_run_once_for_all_lanes(case: Case) -> None:
    for name, fun in programs(case).items():
        counts = []
        for size in (2, 5):
            xs = batch(case, size)
            with counted_impls() as seen:
                fun(*xs)
            counts.append(seen)
        assert counts[0] == counts[1], name
        if name == "vmap":
            assert counts[1].get(case.primitive.name, 0) <= 1


# LAPACK offers these for one matrix at a time and NumPy has no stacked form: they call it once for each matrix.
ONE_BY_ONE = {"driver_eigh", "logm", "logm_derivative", "pivoted_order", "sylvester"}

FIRST = one_each(cases(lambda c: bool(c.args) and all(np.size(x) for x in c.args)))


@pytest.mark.parametrize("case", FIRST)
def test_python_does_the_same_work_for_all_numbers_of_lanes(case: Case) -> None:
    for name, fun in programs(case).items():
        small, large = batch(case, 3), batch(case, 6)
        fun(*small), fun(*large)
        counts = [instructions(lambda fun=fun, xs=xs: fun(*xs)) for xs in (small, large)]
        assert (counts[0] == counts[1]) != (case.primitive.name in ONE_BY_ONE), name


def test_the_counter_sees_loops() -> None:
    def comprehension(n: int) -> Any:
        return np.stack([np.exp(x) for x in np.ones((n, 2))])

    assert instructions(lambda: comprehension(3)) != instructions(lambda: comprehension(6))
    assert instructions(lambda: np.exp(np.ones((3, 2)))) == instructions(lambda: np.exp(np.ones((6, 2))))
