"""Branches as native code, in loops and around them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compiler.native import SIZES, branch, check, draw, loop, program
from covector.compiler.backend import executable
from covector.control.loops.capacity import CapacityError
from covector.core.graph import Graph


@pytest.mark.parametrize("size", SIZES)
def test_branch(size: int) -> None:
    x, y = draw(size), draw(size, key=1)
    functions = [
        lambda x, y: (x + y, x, np.sum(x)),
        lambda x, y: (y, y, np.float64(3.0)),
        lambda x, y: ((z := np.sin(x) * y), z, np.sum(z)),
        lambda x, y: (np.ones(size), np.cumsum(x), np.max(y)),
    ]
    graph = program(lambda k, x, y: branch(k, [x, y], *functions), np.int64(0), x, y)
    for k in (-5, 0, 1, 2, 3, 8):
        check(graph, np.int64(k), x, y)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex64, np.int8, np.uint64, np.bool_])
def test_branches_that_return_numbers(dtype: Any) -> None:
    f = lambda k, x: branch(k, [x], lambda x: (dtype(1), x), lambda x: (x, dtype(0)), lambda x: (dtype(1), dtype(1)))
    for k in range(3):
        check(program(f, np.int64(0), dtype(0)), np.int64(k), dtype(1))


def test_branch_on_a_constant() -> None:
    x = draw(3)
    check(program(lambda x: branch(np.int64(1), [x, 2.0], lambda x, a: (x,), lambda x, a: (a * x,)), x), x)


def test_one_branch() -> None:
    x = draw(3)
    check(program(lambda k, x: branch(k, [x], lambda x: (x * 2.0,)), np.int64(4), x), np.int64(4), x)


@pytest.mark.parametrize("size", SIZES)
def test_loop_in_branch_in_loop(size: int) -> None:
    inner = lambda x, y: loop(lambda i, y, x: (x * 0.5 + y * i,), [y], [x], length=3)
    swapped = lambda x, y: (y,)

    def step(i: Any, y: Any, x: Any, total: Any) -> Any:
        (x,) = branch(i % 3, [x, y], inner, swapped, lambda x, y: (np.sin(x),))
        return x, total + np.sum(x), x

    f = lambda x, y: loop(step, [y], [x, 0.0], length=7)
    args = (draw(size), draw(size, key=1))
    check(program(f, *args), *args)


@pytest.mark.parametrize("size", SIZES)
def test_branch_in_condition_and_while_in_for(size: int) -> None:
    def cond(i: Any, x: Any) -> Any:
        (ok,) = branch(i, [x], lambda x: (np.sum(x) < 1e9,), lambda x: (np.max(x) < 3.0,))
        return ok

    def step(k: Any, x: Any) -> Any:
        (y,) = loop(lambda i, x: (x * 1.5,), [], [x], cond=cond)
        return y * 0.3, y

    x = np.abs(draw(size)) + 0.2
    check(program(lambda x: loop(step, [], [x], length=4), x), x)


@pytest.mark.parametrize("size", [3, 70, 2000])
def test_branches_write_in_place(size: int) -> None:
    """Where every branch writes to an array or leaves it alone, no iteration copies it."""

    def put(k: Any, x: Any, y: Any) -> Any:
        x = x.copy()
        x[k] = x[k + 1] * 2.0 + np.sum(y)
        return x, y

    def twice(k: Any, x: Any, y: Any) -> Any:
        x = x.copy()
        x[0] = 3.0
        x[k] += y[1]
        return x, y * 1.5

    keep = lambda k, x, y: (x, y)

    def step(i: Any, x: Any, y: Any) -> Any:
        return branch(i % 3, [i % 2, x, y], put, keep, twice)

    f = lambda x, y: loop(step, [], [x, y], length=7)
    graph = program(f, draw(size), draw(2))
    check(graph, draw(size), draw(2, key=1))
    copies = executable(graph).stages["llvm"].count(f", i64 {8 * size}, i1 false)")
    assert copies == 1 or size < 2000
    # Somebody else reads the array as it was.
    both = program(lambda k, x, y: [*branch(k, [k, x, y], put, keep, twice), x], np.int64(0), draw(size), draw(2))
    for k in range(3):
        check(both, np.int64(min(k, 1)), draw(size), draw(2, key=1))
    same = program(lambda k, x, y: branch(k, [k, x, x], put, keep), np.int64(0), draw(size), draw(2))
    for k in range(2):
        check(same, np.int64(k), draw(size), draw(2, key=1))


def test_from_disk(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVECTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("COVECTOR_CACHE", raising=False)

    def make() -> Graph:
        step = lambda i, k, a, x: (np.sort(x) * 1.5 + a[k], x)
        cond = lambda i, k, a, x: x[-1] < 9.0
        tail = lambda k, a, x: loop(step, [k, a], [x], cond=cond, length=6, tag=11)[:1]
        f = lambda c, k, a, x: branch(c, [k, a, x], tail, lambda k, a, x: (x,))
        return program(f, np.int64(0), np.int64(0), draw(3), draw(3))

    x = np.abs(draw(3)) + 1.0
    args = (np.int64(0), np.int64(1), np.arange(3.0), x)
    for _ in range(2):
        run = executable(make())
        np.testing.assert_allclose(run(*args)[0], make().run(*args)[0])
        np.testing.assert_array_equal(run(np.int64(1), *args[1:])[0], x)
        with pytest.raises(CapacityError) as error:
            run(*args[:2], np.zeros(3), x * 1e-3)
        assert (error.value.tag, error.value.needed > 6) == (11, True)
        with pytest.raises(IndexError, match="index 3"):
            run(np.int64(0), np.int64(3), *args[2:])
    assert "load" in run.seconds and "llvm" not in run.seconds
