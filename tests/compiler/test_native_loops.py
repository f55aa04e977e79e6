"""Loops and branches as native code: compiled programs against their interpretation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from covector.compiler.backend import executable
from covector.control.branch import branch_p
from covector.control.capacity import CapacityError
from covector.control.loop import loop_p
from covector.core.graph import Graph, record
from covector.core.values import Aval

INDEX = Aval((), np.dtype(np.int64))
SIZES = [1, 3, 70, 2000]
"""A number of elements that is kept in registers, and so on up to one that is not."""


def aval(*shape: int, dtype: Any = float) -> Aval:
    return Aval(shape, np.dtype(dtype))


def avals_of(xs: Sequence[Any]) -> list[Aval]:
    return [Aval(np.shape(x), x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype) for x in xs]


def program(function: Callable[..., Any], *args: Any) -> Graph:
    return record(function, avals_of(args), "test")


def loop(
    step: Callable[..., Any],
    constants: Sequence[Any],
    carries: Sequence[Any],
    sequences: Sequence[Any] = (),
    *,
    count: Any = None,
    cond: Callable[..., Any] | None = None,
    length: int | None = None,
    reverse: bool = False,
    tag: int | None = None,
) -> Any:
    """Bind a loop with the body ``step(index, constants…, carries…, elements…)``."""
    fixed = [*avals_of(constants), *avals_of(carries)]
    elements = [Aval(a.shape[1:], a.dtype) for a in avals_of(sequences)]
    params: dict[str, Any] = {"body": record(step, [INDEX, *fixed, *elements], "loop")}
    if cond is not None:
        params["cond"] = record(lambda *xs: (cond(*xs),), [INDEX, *fixed], "loop")
    if count is not None:
        params["counted"] = True
    if tag is not None:
        params["tag"] = tag
    first = [] if count is None else [count]
    params |= {"constants": len(constants), "carries": len(carries), "length": length, "reverse": reverse}
    return loop_p(*first, *constants, *carries, *sequences, **params)


def branch(index: Any, operands: Sequence[Any], *functions: Callable[..., Any]) -> Any:
    graphs = tuple([record(f, avals_of(operands), "branch") for f in functions])
    return branch_p(index, *operands, branches=graphs, how="auto")


def check(graph: Graph, *args: Any, rows: int | None = None, tolerance: float = 1e-13) -> list[Any]:
    """Compare the compiled program with its interpretation; of stacks the first `rows`."""
    copies = [np.array(a) for a in args]
    want = graph.run(*[np.array(a) for a in args])
    run = executable(graph)
    for _ in range(2):
        got = run(*copies)
        for a, b in zip(copies, args, strict=True):
            np.testing.assert_array_equal(a, b)
        for x, y in zip(got, want, strict=True):
            assert x.dtype == np.asarray(y).dtype
            assert x.shape == np.shape(y)
            if rows is not None and x.ndim > 1:
                x, y = x[:rows], y[:rows]
            np.testing.assert_allclose(x, y, tolerance, tolerance)
    return got


def draw(*shape: int, key: int = 0) -> Any:
    return np.random.default_rng([key, *shape]).uniform(-1.0, 1.0, shape)


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


def test_one_body_in_several_places() -> None:
    """The code of a body is written once."""
    body = record(lambda i, x: (np.sin(x) + i,), [INDEX, aval(2000)], "loop")
    run = lambda x: loop_p(x, body=body, constants=0, carries=1, length=3, reverse=False)
    graph = program(lambda x: [*run(x), *run(x * 2.0), *run(x * 3.0)], draw(2000))
    check(graph, draw(2000))
    text = executable(graph).stages["llvm"]
    assert text.count('define internal i64 @"cv.body') == 1


def test_from_disk(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVECTOR_CACHE_DIR", str(tmp_path))

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
