"""Loops as native code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compiler.native import INDEX, SIZES, aval, branch, check, draw, loop, program
from covector.compiler.backend import executable
from covector.control.loops.capacity import CapacityError
from covector.control.loops.loop import loop_p
from covector.core.graph import record
from covector.core.primitive import PRIMITIVES


def mixed(i: Any, a: Any, x: Any, y: Any, s: Any) -> Any:
    """A body with a carry that is changed, one that takes the other's value, and three stacks."""
    new = a * x + np.sin(s) + 0.1 * i
    return new, x, new, s * 2.0, np.sum(y)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_plain(size: int, reverse: bool, length: int) -> None:
    f = lambda a, x, y, s: loop(mixed, [a], [x, y], [s], length=length, reverse=reverse)
    args = (draw(size), draw(size, key=1), draw(size, key=2), draw(length, size, key=3))
    check(program(f, *args), *args)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("reverse", [False, True])
def test_counted(size: int, reverse: bool) -> None:
    f = lambda n, a, x, y, s: loop(mixed, [a], [x, y], [s], count=n, length=6, reverse=reverse)
    args = (draw(size), draw(size, key=1), draw(size, key=2), draw(6, size, key=3))
    graph = program(f, np.int64(0), *args)
    run = executable(graph)
    for count in (-2, 0, 1, 2, 5, 6, 9):
        want = graph.run(np.int64(count), *args)
        got = run(np.int64(count), *args)
        for k, (x, y) in enumerate(zip(got, want, strict=True)):
            n = min(max(count, 0), 6)
            np.testing.assert_allclose(*((x, y) if k < 2 else (x[:n], y[:n])), 1e-13, 1e-13)


def test_counted_without_bound_and_with_a_tag() -> None:
    f = lambda n, x: loop(lambda i, x: (x + i,), [], [x], count=n)
    graph = program(f, np.int64(0), 1.0)
    for n in (-1, 0, 3, 100):
        check(graph, np.int64(n), 1.0)
    f = lambda n, x: loop(lambda i, x: (x + i, x), [], [x], count=n, length=4, tag=7)
    graph = program(f, np.int64(0), 1.0)
    check(graph, np.int64(4), 1.0)
    with pytest.raises(CapacityError) as error:
        executable(graph)(np.int64(6), 1.0)
    assert (error.value.tag, error.value.needed) == (7, 6)


def grow(i: Any, limit: Any, x: Any, n: Any) -> Any:
    return x * 1.5 + 0.01 * i, n + 1


def below(i: Any, limit: Any, x: Any, n: Any) -> Any:
    return np.max(x) < limit


@pytest.mark.parametrize("size", SIZES)
def test_condition(size: int) -> None:
    f = lambda limit, x: loop(grow, [limit], [x, np.int64(0)], cond=below)
    x = np.abs(draw(size)) + 0.1
    graph = program(f, 3.0, x)
    counts = [check(graph, limit, x)[1] for limit in (0.0, np.max(x) * 1.2, 10.0, 1000.0)]
    assert counts[0] == 0
    assert counts[1] == 1
    assert counts[3] > 10


@pytest.mark.parametrize("size", SIZES)
def test_condition_with_stacks(size: int) -> None:
    step = lambda i, limit, x, n: (*grow(i, limit, x, n), x, np.sum(x) + n)
    f = lambda limit, x: loop(step, [limit], [x, np.int64(0)], cond=below, length=8, tag=5)
    x = np.abs(draw(size)) + 0.1
    graph = program(f, 3.0, x)
    run = executable(graph)
    for limit in (0.0, 1.0, 10.0):
        want, got = graph.run(limit, x), run(limit, x)
        n = int(want[1])
        for k, (a, b) in enumerate(zip(got, want, strict=True)):
            np.testing.assert_allclose(*((a, b) if k < 2 else (a[:n], b[:n])), 1e-13, 1e-13)
    with pytest.raises(CapacityError) as error:
        graph.run(1000.0, x)
    with pytest.raises(CapacityError) as mine:
        run(1000.0, x)
    assert (error.value.tag, error.value.needed) == (mine.value.tag, mine.value.needed) == (5, mine.value.needed)
    assert mine.value.needed > 8


def test_condition_whose_rows_are_dropped() -> None:
    step = lambda i, x: (x * 2.0, x)
    f = lambda x: loop(step, [], [x], cond=lambda i, x: x < 100.0, length=3)
    check(program(f, 1.0), 1.0)


@pytest.mark.parametrize("size", SIZES)
def test_condition_that_returns_its_input_or_a_constant(size: int) -> None:
    step = lambda i, go, x: (i < 4, x + 1.0)
    f = lambda go, x: loop(step, [], [go, x], cond=lambda i, go, x: go)
    graph = program(f, np.bool_(True), draw(size))
    for go in (True, False):
        check(graph, np.bool_(go), draw(size))
    never = program(lambda x: loop(lambda i, x: (x + 1.0,), [], [x], cond=lambda i, x: np.bool_(False)), draw(size))
    check(never, draw(size))


@pytest.mark.parametrize("size", SIZES)
def test_rotating_carries(size: int) -> None:
    f = lambda x, y, z: loop(lambda i, x, y, z: (y, z, x), [], [x, y, z], length=4)
    args = (draw(size), draw(size, key=1), draw(size, key=2))
    check(program(f, *args), *args)


@pytest.mark.parametrize("size", SIZES)
def test_carries_that_stay_or_are_constant(size: int) -> None:
    fixed = np.arange(float(size))
    f = lambda x, y, z: loop(lambda i, x, y, z: (x, y + x + z, fixed, y, x, fixed), [], [x, y, z], length=3)
    args = (draw(size), draw(size, key=1), draw(size, key=2))
    check(program(f, *args), *args)


@pytest.mark.parametrize("size", SIZES)
def test_the_same_value_twice(size: int) -> None:
    f = lambda x: loop(lambda i, a, b, x, y: (x + y, y * a + b), [x, x], [x, x], length=3)
    check(program(f, draw(size)), draw(size))
    g = lambda x: [*loop(lambda i, a, x: ((z := x + a), z, z), [x], [x], length=3), x]
    check(program(g, draw(size)), draw(size))
    h = lambda k, x: branch(k, [x, x], lambda a, b: ((z := a + b), z), lambda a, b: (a, b))
    for k in (0, 1):
        check(program(h, np.int64(0), draw(size)), np.int64(k), draw(size))


@pytest.mark.parametrize("size", [3, 70, 2000])
@pytest.mark.parametrize("kind", ["plain", "counted", "cond"])
def test_in_place(size: int, kind: str) -> None:
    def step(i: Any, x: Any) -> Any:
        x = x.copy()
        x[i % size] += 2.0 * x[(i + 1) % size]
        return (x,)

    how: dict[str, Any] = {
        "plain": {"length": 5},
        "counted": {"count": np.int64(5), "length": 9},
        "cond": {"cond": lambda i, x: i < 5},
    }[kind]
    check(program(lambda x: loop(step, [], [x], **how), draw(size)), draw(size))
    # Of the array there was before somebody else reads something.
    check(program(lambda x: [*loop(step, [], [(y := x * 2.0)], **how), y], draw(size)), draw(size))
    check(program(lambda x: [*loop(step, [], [(x * 2.0)], **how)], draw(size)), draw(size))


@pytest.mark.parametrize("size", [3, 70, 2000])
def test_donated(size: int) -> None:
    def step(i: Any, x: Any, y: Any) -> Any:
        x = x.copy()
        x[i] += y[0]
        return x, y * 1.5 + np.sum(x)

    graph = program(lambda x, y: loop(step, [], [x, y], length=3), draw(size), draw(size))
    want = graph.run(draw(size), draw(size, key=1))
    got = executable(graph, donate=(0, 1))(draw(size), draw(size, key=1))
    for x, y in zip(got, want, strict=True):
        np.testing.assert_allclose(x, y, 1e-13, 1e-13)


def test_no_carries_and_no_outputs() -> None:
    check(program(lambda s: loop(lambda i, x: (x * i,), [], [], [s], length=4), draw(4, 2)), draw(4, 2))
    check(program(lambda x: [*loop(lambda i, a: (), [x], [], length=4), x * 2.0], 1.0), 1.0)


def test_empty_arrays() -> None:
    f = lambda x, s: loop(lambda i, x, s: (x * 2.0 + s, x), [], [x], [s], length=3)
    check(program(f, draw(0), draw(3, 0)), draw(0), draw(3, 0))
    g = lambda k, x: branch(k, [x], lambda x: (x * 2.0, np.sum(x)), lambda x: (x, np.float64(1.0)))
    check(program(g, np.int64(0), draw(0)), np.int64(1), draw(0))


@pytest.mark.parametrize("dtype", [np.float32, np.complex128, np.int32, np.bool_, np.uint8, np.longdouble])
def test_dtypes(dtype: Any) -> None:
    x, s = np.ones(3, dtype), np.array([[1, 0, 1], [0, 0, 1]]).astype(dtype)
    f = lambda x, s: loop(lambda i, x, s: (x * s, x), [], [x], [s], length=2)
    check(program(f, x, s), x, s)
    g = lambda k, x: branch(k, [x], lambda x: (x,), lambda x: (x * x,))
    check(program(g, np.int64(0), x), np.int64(1), x)


@pytest.mark.parametrize("size", [3, 2000])
def test_calls_of_python_inside(size: int) -> None:
    step = lambda i, x: (np.sort(x) * 0.9 + np.fft.fft(x).real,)
    graph = program(lambda x: loop(step, [], [x], cond=lambda i, x: np.sort(x)[-1] < 1e3), draw(size))
    check(graph, draw(size), tolerance=1e-10)
    both = [lambda x: (np.sort(x),), lambda x: (np.sort(-x),)]
    check(program(lambda k, x: branch(k, [x], *both), np.int64(0), draw(size)), np.int64(1), draw(size))


def test_index_out_of_bounds_inside() -> None:
    step = lambda i, k, a, x: (x + a[k + i],)
    graph = program(lambda k, a: loop(step, [k, a], [0.0], length=3), np.int64(0), draw(5))
    check(graph, np.int64(2), draw(5))
    with pytest.raises(IndexError, match="index 5 is out of bounds"):
        executable(graph)(np.int64(3), draw(5))
    take = lambda c, k, a: branch(c, [k, a], lambda k, a: (a[k],), lambda k, a: (np.sum(a),))
    graph = program(take, np.int64(0), np.int64(0), draw(5))
    check(graph, np.int64(1), np.int64(9), draw(5))
    with pytest.raises(IndexError, match="index 9 is out of bounds"):
        executable(graph)(np.int64(0), np.int64(9), draw(5))


@pytest.mark.parametrize("size", [2, 20])
def test_singular_matrix_inside(size: int) -> None:
    step = lambda i, a, x: (np.linalg.solve(a * x[0], x),)
    graph = program(lambda a, x: loop(step, [a], [x], length=3), np.eye(size), np.ones(size))
    check(graph, np.eye(size) * 2.0, np.ones(size))
    with pytest.raises(np.linalg.LinAlgError, match="[Ss]ingular"):
        executable(graph)(np.zeros((size, size)), np.ones(size))


def test_threads_inside() -> None:
    n = 200_000
    f = lambda x: loop(lambda i, x: (np.sin(x) * np.exp(-x) + 1.0, np.sum(x)), [], [x], length=3)
    graph = program(f, draw(n))
    one, two = executable(graph, threads=1)(draw(n)), executable(graph, threads=2)(draw(n))
    for a, b, c in zip(one, two, graph.run(draw(n)), strict=True):
        np.testing.assert_allclose(a, c, 1e-12, 1e-12)
        np.testing.assert_allclose(a, b, 1e-14)


def test_matrices() -> None:
    def step(i: Any, f: Any, q: Any, x: Any, p: Any, z: Any) -> Any:
        x, p = f @ x, f @ p @ f.T + q
        s = p[0, 0] + 0.1
        gain = p[:, 0] / s
        x = x + gain * (z - x[0])
        return x, p - np.outer(gain, p[0]), x, np.log(s)

    f = lambda *xs: loop(step, xs[:2], xs[2:4], xs[4:], length=20)
    args = (np.eye(4) * 0.9 + draw(4, 4) * 0.1, np.eye(4) * 0.01, draw(4), np.eye(4), draw(20))
    check(program(f, *args), *args, tolerance=1e-11)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("bad", [np.inf, np.nan, 3.0])
def test_zero_times_what_is_not_finite(dtype: Any, bad: float) -> None:
    """Numbers are computed without the masks of products first, and with them where that made a difference."""
    product = PRIMITIVES["product"]

    def step(i: Any, t: Any, u: Any, p: Any, q: Any) -> Any:
        new = product(t, p) + product(product(u, q), p)
        return new * q, u * dtype(0.5) + new, np.maximum(new, q)

    f = lambda t, u, p, q: loop(step, [], [t, u], [p, q], length=6)
    p, q = draw(6).astype(dtype), draw(6, key=1).astype(dtype)
    graph = program(f, dtype(0), dtype(0), p, q)
    for k in (0, 3):
        with_bad = [a.copy() for a in (p, q)]
        with_bad[0][k] = bad
        check(graph, dtype(0), dtype(0), *with_bad)
        check(graph, dtype(0.25), dtype(0), *with_bad, tolerance=1e-5)
        with_bad[1][k + 1] = bad
        check(graph, dtype(0), dtype(0), *with_bad)
        check(graph, dtype(0.0), dtype(1.0), *with_bad, tolerance=1e-5)


@pytest.mark.parametrize("size", [8, 16])
def test_sums_over_what_is_computed_in_the_body(size: int) -> None:
    step = lambda i, x, y: (np.sin(x) * 0.5 + np.sum(np.tanh(x) * y), y + np.any(x > y), np.sum(x * y))
    f = lambda x, y: loop(step, [], [x, y], length=4)
    check(program(f, draw(size), draw(size)), draw(size), draw(size, key=1))


def test_writes_to_places_that_are_constant() -> None:
    at = np.array([0, 2, 0, 1, 2, 0])

    def step(i: Any, x: Any, v: Any) -> Any:
        total, last, part = x.copy(), x.copy(), np.zeros_like(x, shape=(2, 3))
        np.add.at(total, at, v * x[0])
        last[at] = v
        part[[0, 1, 1], [0, 2, 2]] += v[:3]
        return np.sin(total), last, part

    f = lambda x, v: loop(step, [], [x], [v], length=3)
    check(program(f, draw(3), draw(3, 6)), draw(3), draw(3, 6))
    complex_ = draw(3) + 1j * draw(3, key=1)
    check(program(f, complex_, draw(3, 6)), complex_, draw(3, 6))


@pytest.mark.parametrize("n", [4, 8, 16])
def test_products_of_small_matrices(n: int) -> None:
    step = lambda i, f, p, q: (np.tanh(f @ p @ f.T) + np.outer(q, p[0]), p @ q * 0.1, p)
    f = lambda *xs: loop(step, xs[:1], xs[1:], length=5)
    args = (draw(n, n) * 0.3, draw(n, n), draw(n))
    check(program(f, *args), *args, tolerance=1e-12)


def test_a_vector_times_a_matrix() -> None:
    f = lambda a, x: loop(lambda i, a, x: (np.tanh(x @ a), a @ x), [a], [x], length=4)
    check(program(f, draw(60, 60), draw(60)), draw(60, 60), draw(60), tolerance=1e-12)


def test_one_body_in_several_places() -> None:
    """The code of a body is written once."""
    body = record(lambda i, x: (np.sin(x) + i,), [INDEX, aval(2000)], "loop")
    run = lambda x: loop_p(x, body=body, constants=0, carries=1, length=3, reverse=False)
    graph = program(lambda x: [*run(x), *run(x * 2.0), *run(x * 3.0)], draw(2000))
    check(graph, draw(2000))
    text = executable(graph).stages["llvm"]
    assert text.count('define internal i64 @"cv.body') == 1
