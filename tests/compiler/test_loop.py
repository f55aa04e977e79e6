"""The operation `loop`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector
from covector.control.loops.loop import loop_p
from covector.core.graph import Graph, record
from covector.core.values import Aval
from covector.ops.writing import write_p


def body() -> Graph:
    """For a constant a, carries (total, buffer) and a sequence x: adds a x to the total and that to the buffer."""

    def step(index: Any, a: Any, total: Any, buffer: Any, x: Any) -> Any:
        total = total + a * x
        buffer[0] += total
        return total, buffer, total * 2.0, index

    scalar = Aval((), np.dtype(float))
    return record(step, [Aval((), np.dtype(np.int64)), scalar, scalar, Aval((2,), np.dtype(float)), scalar], "loop")


def run(a: Any, total: Any, buffer: Any, xs: Any, reverse: bool = False, length: int = 4) -> Any:
    return loop_p(a, total, buffer, xs, body=body(), constants=1, carries=2, length=length, reverse=reverse)


XS = np.array([1.0, 2.0, 4.0, 8.0])


@pytest.mark.parametrize("reverse", [False, True])
def test_values(reverse: bool) -> None:
    total, buffer, twice, index = run(10.0, 1.0, np.zeros(2), XS, reverse)
    order = XS[::-1] if reverse else XS
    sums = 1.0 + 10.0 * np.cumsum(order)
    assert total == 151.0
    np.testing.assert_array_equal(buffer, [sums.sum(), 0.0])
    np.testing.assert_array_equal(twice, 2.0 * (sums[::-1] if reverse else sums))
    np.testing.assert_array_equal(index, np.arange(4))
    assert index.dtype == np.int64


def test_arguments_are_left_alone() -> None:
    buffer, xs = np.zeros(2), XS.copy()
    out = run(1.0, 0.0, buffer, xs)
    out[1][:] = 7.0
    np.testing.assert_array_equal(buffer, np.zeros(2))
    np.testing.assert_array_equal(xs, XS)


def test_no_iterations() -> None:
    total, buffer, twice, index = run(1.0, 3.0, np.ones(2), XS[:0], length=0)
    assert total == 3.0
    np.testing.assert_array_equal(buffer, np.ones(2))
    assert (twice.shape, index.shape, twice.dtype, index.dtype) == ((0,), (0,), float, np.int64)


def test_written_to_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A carry that only the loop knows is not copied in every iteration."""

    def step(index: Any, buffer: Any) -> Any:
        buffer[1] = 3.0
        return (buffer,)

    graph = record(step, [Aval((), np.dtype(np.int64)), Aval((50,), np.dtype(float))], "loop")
    places: list[int] = []
    update = write_p.update
    monkeypatch.setattr(
        write_p, "update", lambda x, *v, **index: (places.append(x.ctypes.data), update(x, *v, **index))
    )
    buffer = np.zeros(50)
    (out,) = loop_p(buffer, body=graph, constants=0, carries=1, length=9, reverse=False)
    assert out[1] == 3.0
    assert len(places) == 9
    assert set(places) == {out.ctypes.data}
    assert not buffer.any()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axes", [(0, None, None, None), (None, 0, None, 1), (0, 0, 0, 0), (None, None, 0, None)])
def test_batched_equals_looped(axes: Any, reverse: bool) -> None:
    rng = np.random.default_rng(0)
    full = [rng.random(3), rng.random(3), rng.random((3, 2)), rng.random((3, 4))]
    args = [x if axis is not None else x[0] for x, axis in zip(full, axes, strict=True)]
    args = [x.T if axis == 1 else x for x, axis in zip(args, axes, strict=True)]
    got = covector.vmap(lambda *xs: run(*xs, reverse=reverse), in_axes=axes)(*args)
    for lane in range(3):
        mine = [x if axis is None else np.take(x, lane, axis) for x, axis in zip(args, axes, strict=True)]
        for y, want in zip(got, run(*mine, reverse=reverse), strict=True):
            np.testing.assert_array_equal(y[lane], want)


def test_shapes_and_recording() -> None:
    f = lambda a, xs: run(a, 0.0, np.zeros(2), xs)
    out = covector.eval_shape(f, 1.0, XS)
    assert [(x.shape, x.dtype) for x in out] == [((), float), ((2,), float), ((4,), float), ((4,), np.int64)]
    graph = covector.make_graph(f)(1.0, XS)
    assert [eq.primitive for eq in graph] == [loop_p]
    for got, want in zip(graph.run(2.0, XS), f(2.0, XS), strict=True):
        np.testing.assert_array_equal(got, want)


def test_derivatives() -> None:
    def plain(a: Any) -> Any:
        return run(a, 0.0, np.zeros(2), XS)[0]

    slope = covector.grad(plain)(1.0)
    np.testing.assert_allclose(covector.jvp(plain, (1.0,), (1.0,))[1], slope)
    np.testing.assert_allclose((plain(1.0 + 1e-6) - plain(1.0 - 1e-6)) / 2e-6, slope, rtol=1e-8)
