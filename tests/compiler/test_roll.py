"""Repeated blocks of a recorded program become loops that compute the same to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector
from covector.compiler.roll import roll
from covector.core.graph import Graph, Var

from .loops import LOOPS, transformed

MODES = ("value", "grad", "jvp", "vmap of grad", "grad of grad")


def loops(graph: Graph) -> list[Any]:
    return [eq for eq in graph if eq.primitive.name == "loop"]


def size(graph: Graph) -> int:
    return sum(1 + (size(eq.params["body"]) if eq.primitive.name == "loop" else 0) for eq in graph)


def longest(graph: Graph) -> int:
    """The largest number of arguments of an equation."""
    inner = [longest(eq.params["body"]) for eq in loops(graph)]
    return max([len(eq.inputs) for eq in graph if eq.primitive.name != "loop"] + inner)


def check_form(graph: Graph) -> None:
    """Every variable is made once, before it is read, and has the shape and dtype that the rules say."""
    made = {v.index: v for v in graph.inputs}
    assert len(made) == len(graph.inputs)
    for eq in graph:
        for x in eq.inputs:
            assert type(x) is not Var or made[x.index] is x
        avals = eq.primitive.aval(
            *[x.aval if type(x) is Var else covector.core.values.aval_of(x) for x in eq.inputs], **eq.params
        )
        for v, aval in zip(eq.outputs, avals if eq.primitive.multiple else (avals,), strict=True):
            assert (v.shape, v.dtype) == (aval.shape, aval.dtype)
            assert v.index not in made
            assert v.index < graph.count
            made[v.index] = v
        if eq.primitive.name == "loop":
            check_form(eq.params["body"])
    for x in graph.outputs:
        assert type(x) is not Var or made[x.index] is x


def check_same(graph: Graph, rolled: Graph, args: Any) -> None:
    with np.errstate(all="ignore"):
        wanted, got = graph.run(*args), rolled.run(*args)
    for w, g in zip(wanted, got, strict=True):
        assert np.shape(w) == np.shape(g)
        assert np.asarray(w).dtype == np.asarray(g).dtype
        assert np.asarray(w).tobytes() == np.asarray(g).tobytes()


def recorded(name: str, mode: str, steps: int) -> tuple[Graph, Any]:
    case = LOOPS[name]
    f, args = transformed(mode, case.make(steps), case.args(steps))
    return covector.make_graph(f)(*args), args


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", LOOPS)
def test_loops_come_back(name: str, mode: str) -> None:
    sizes = []
    for steps in (30, 40) if name == "nested" else (80, 120):
        graph, args = recorded(name, mode, steps)
        rolled = roll(graph)
        check_form(rolled)
        check_same(graph, rolled, args)
        assert loops(rolled)
        assert longest(rolled) < 24
        sizes.append(size(rolled))
    assert sizes[0] == sizes[1]
    assert 3 * sizes[1] < len(graph)
