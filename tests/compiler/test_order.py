"""Long programs: rolled before they are simplified, recorded without checking every shape anew."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

import covector
from compiler.loops import LOOPS, transformed
from covector.compiler.backend import executable
from covector.compiler.passes.check import check
from covector.compiler.passes.expand import expand
from covector.compiler.passes.roll import roll
from covector.compiler.passes.simplify import simplify
from covector.compiler.tracing.collection import rare_collection
from covector.control.loops.loop import loop_p
from covector.core.graph import Graph, abstract, record
from covector.core.primitive import PRIMITIVES
from covector.core.values import Aval

F8 = np.dtype(float)


def size(graph: Graph) -> int:
    return sum(1 + (size(eq.params["body"]) if eq.primitive is loop_p else 0) for eq in graph)


@pytest.mark.parametrize("mode", ("grad", "vmap of grad"))
@pytest.mark.parametrize("name", LOOPS)
def test_rolled_programs_are_simplified(name: str, mode: str) -> None:
    case = LOOPS[name]
    sizes = []
    for steps in (24, 30) if name == "nested" else (64, 80):
        f, args = transformed(mode, case.make(steps), case.args(steps))
        graph = covector.make_graph(f)(*args)
        short = check(simplify(roll(expand(graph))))
        sizes.append(size(short))
        with np.errstate(all="ignore"):
            wanted, got = graph.run(*args), short.run(*args)
        for w, g in zip(wanted, got, strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-10, atol=1e-10 * np.nanmax(np.abs(w), initial=0.0))
    assert abs(sizes[0] - sizes[1]) < 3 and sizes[1] < len(graph) / 4


def test_no_iteration_is_simplified_on_its_own() -> None:
    def f(x: Any) -> Any:
        for _ in range(500):
            x = x + 0.01 * np.sin(x) * x
        return np.sum(x)

    x = np.linspace(0.1, 1.0, 5)
    graph = covector.make_graph(covector.grad(f))(x)
    code = executable(graph)
    assert len(code.stages["graph"]) > 2000
    assert len(code.stages["simplified"]) < 20
    np.testing.assert_allclose(code(x)[0], covector.grad(f)(x), rtol=1e-12)


def test_a_loop_reads_every_value_once() -> None:
    vector = Aval((3,), F8)
    body = record(lambda i, a, b, x, s, t: (x * a + b, s - t), [Aval((), np.dtype(int)), *[vector] * 5], "test")
    params = {"body": body, "constants": 2, "carries": 1, "length": 4, "reverse": False}

    def f(a: Any, x: Any, s: Any) -> Any:
        return loop_p(a, a, x, s, s, **params)

    graph = record(f, [vector, vector, Aval((4, 3), F8)], "test")
    short = check(simplify(graph))
    (loop,) = [eq for eq in short if eq.primitive is loop_p]
    assert (len(loop.inputs), loop.params["constants"]) == (3, 1)
    assert len(loop.params["body"].inputs) == 4
    args = (np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, 2.0]), np.arange(12.0).reshape(4, 3))
    for w, g in zip(graph.run(*args), short.run(*args), strict=True):
        np.testing.assert_array_equal(g, w)


def test_what_a_loop_reads_in_different_ways_stays() -> None:
    vector = Aval((3,), F8)
    body = record(lambda i, a, x, s: (x * a, s + a), [Aval((), np.dtype(int)), vector, vector, vector], "test")
    params = {"body": body, "constants": 1, "carries": 1, "length": 3, "reverse": False}
    graph = record(lambda a, s: loop_p(a, a, s, **params), [vector, Aval((3, 3), F8)], "test")
    short = check(simplify(graph))
    (loop,) = [eq for eq in short if eq.primitive is loop_p]
    assert (loop.params["constants"], loop.params["carries"]) == (1, 1)
    args = (np.array([1.0, 2.0, 3.0]), np.arange(9.0).reshape(3, 3))
    for w, g in zip(graph.run(*args), short.run(*args), strict=True):
        np.testing.assert_array_equal(g, w)


def test_blocks_that_fill_an_array_are_joined() -> None:
    unslice = PRIMITIVES["unslice"]

    def f(x: Any, y: Any, z: Any) -> Any:
        parts = [unslice(v, index=(k, slice(None)), shape=(3, 4)) for k, v in enumerate((x, y, z))]
        return (parts[1] + parts[0] + parts[2],)

    graph = record(f, [Aval((4,), F8)] * 3, "test")
    short = check(simplify(graph))
    assert not any(eq.primitive.name in ("add", "unslice") for eq in short)
    args = [np.arange(4.0), np.arange(4.0) + 10, -np.arange(4.0)]
    np.testing.assert_array_equal(short.run(*args)[0], graph.run(*args)[0])


def test_remembered_shapes_depend_on_everything() -> None:
    add, total = PRIMITIVES["add"], PRIMITIVES["sum"]
    single = Aval((3,), np.dtype("f4"))
    for a, b in ((Aval((3,), F8), single), (single, Aval((), F8, True)), (single, Aval((), F8)), (single, single)):
        for _ in range(2):
            assert abstract(add, (a, b), {}) == add.aval(a, b)
    square = Aval((3, 4), F8)
    for axis in ((0,), (1,), (0, 1)):
        assert abstract(total, (square,), {"axis": axis}).shape == tuple(
            n for i, n in enumerate((3, 4)) if i not in axis
        )


def test_the_collector_is_given_back_as_it_was() -> None:
    before = gc.get_threshold()
    with rare_collection():
        assert gc.get_threshold()[0] > before[0]
        with pytest.raises(KeyError), rare_collection():
            raise KeyError
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before
    try:
        with rare_collection():
            gc.set_threshold(123, 7, 7)  # somebody else's decision stays
        assert gc.get_threshold() == (123, 7, 7)
        gc.set_threshold(0)  # switched off
        with rare_collection():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)
