"""Repeated blocks of a recorded program become loops that compute the same to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector
from compiler.loops import LOOPS, transformed
from covector.compiler.passes.roll import roll
from covector.compiler.passes.simplify import simplify
from covector.core.graph import Graph, Var
from covector.core.values import aval_of

STEPS = {"nested": (30, 40), "lstm": (24, 36), "cascade": (24, 36), "cascade_in_place": (24, 36)}
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
        avals = eq.primitive.aval(*[x.aval if type(x) is Var else aval_of(x) for x in eq.inputs], **eq.params)
        for v, aval in zip(eq.outputs, avals if eq.primitive.multiple else (avals,), strict=True):
            assert (v.shape, v.dtype) == (aval.shape, aval.dtype)
            assert v.index not in made
            assert v.index < graph.count
            made[v.index] = v
        if eq.primitive.name == "loop":
            check_form(eq.params["body"])
    for x in graph.outputs:
        assert type(x) is not Var or made[x.index] is x


def check_same(graph: Graph, rolled: Graph, args: Any, exactly: bool = True) -> None:
    """Compare bit for bit, or up to the order in which NumPy sums arrays that lie differently in memory."""
    with np.errstate(all="ignore"):
        wanted, got = graph.run(*args), rolled.run(*args)
    for w, g in zip(wanted, got, strict=True):
        assert np.shape(w) == np.shape(g)
        assert np.asarray(w).dtype == np.asarray(g).dtype
        if exactly:
            assert np.asarray(w).tobytes() == np.asarray(g).tobytes()
        else:
            np.testing.assert_allclose(g, w, rtol=1e-12, atol=1e-12 * np.nanmax(np.abs(w), initial=0.0))


def recorded(name: str, mode: str, steps: int) -> tuple[Graph, Any]:
    case = LOOPS[name]
    f, args = transformed(mode, case.make(steps), case.args(steps))
    return covector.make_graph(f)(*args), args


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", LOOPS)
def test_loops_come_back(name: str, mode: str) -> None:
    sizes = []
    for steps in STEPS.get(name, (80, 120)):
        graph, args = recorded(name, mode, steps)
        rolled = roll(graph)
        check_form(rolled)
        check_same(graph, rolled, args)
        assert loops(rolled)
        assert longest(rolled) < 24
        sizes.append(size(rolled))
    assert sizes[0] == sizes[1]
    assert 3 * sizes[1] < len(graph)


@pytest.mark.parametrize("name", ["logistic", "recurrence", "neighbours", "cascade", "two_back", "windows"])
def test_a_thousand_steps(name: str) -> None:
    for mode in ("value", "grad"):
        few, _ = recorded(name, mode, 100)
        graph, args = recorded(name, mode, 1000)
        rolled = roll(graph)
        check_form(rolled)
        check_same(graph, rolled, args)
        assert size(rolled) == size(roll(few))


@pytest.mark.parametrize("mode", ["value", "grad"])
@pytest.mark.parametrize("name", LOOPS)
def test_simplified_programs(name: str, mode: str) -> None:
    graph, args = recorded(name, mode, 24)
    simple = simplify(graph)
    rolled = roll(simple)
    check_form(rolled)
    check_same(simple, rolled, args)
    check_form(roll(simplify(roll(graph))))


def test_the_program_given_is_not_changed() -> None:
    graph, args = recorded("cascade_in_place", "grad", 30)
    before, count = repr(graph), graph.count
    roll(graph)
    assert (repr(graph), graph.count) == (before, count)


def straight(x: Any) -> Any:
    """Many operations, none of which follows another in the same way twice."""
    rng = np.random.default_rng(0)
    values = [x, np.cos(x)]
    for _ in range(300):
        i, j = rng.integers(0, len(values), 2)
        f = [np.add, np.subtract, np.multiply, np.maximum, np.hypot][rng.integers(5)]
        values.append(f(values[i], values[j]))
    return sum(values, 0.0)


def test_what_does_not_repeat_itself_stays() -> None:
    graph = covector.make_graph(straight)(np.ones(3))
    # The final sum repeats itself, but what it reads does not.
    assert len(roll(graph)) > 290
    short = covector.make_graph(LOOPS["logistic"].make(5))(0.3)
    assert roll(short) is short


def test_shapes_that_change_stay() -> None:
    def f(a: Any) -> Any:
        a = a.copy()
        for k in range(11):
            a[k + 1 :, k] /= a[k, k]
            a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])
        return np.sum(a * a)

    graph = covector.make_graph(f)(np.eye(12))
    assert roll(graph) is graph


def test_an_order_that_depends_on_data() -> None:
    flags = np.random.default_rng(3).random(60) < 0.5

    def f(x: Any) -> Any:
        for flag in flags:
            x = np.sin(x) * 0.5 if flag else np.exp(-x) + x
        return np.sum(x)

    for mode in MODES:
        g, args = transformed(mode, f, (np.linspace(0.1, 1.0, 3),))
        graph = covector.make_graph(g)(*args)
        rolled = roll(graph)
        check_form(rolled)
        check_same(graph, rolled, args)


# --- random programs --------------------------------------------------------------------------------------------------

UNARY = (np.sin, np.cos, np.tanh, np.negative, np.abs)
BINARY = (np.add, np.subtract, np.multiply, np.maximum, np.arctan2)


def random_step(rng: np.random.Generator, steps: int) -> Any:
    """A function ``step(t, state, x, table)`` that changes the list `state` of vectors, made of random operations."""
    plan: list[Any] = []
    width = int(rng.integers(2, 4))
    for _ in range(int(rng.integers(3, 12))):
        plan.append((int(rng.integers(8)), *rng.integers(0, 1000, 4).tolist()))
    numbers = rng.uniform(-1.0, 1.0, steps)
    vectors = rng.uniform(-1.0, 1.0, (steps, 4))
    order = rng.integers(0, steps, steps)

    def step(t: int, state: list[Any], x: Any, table: Any) -> None:
        pool = list(state)
        for kind, a, b, c, d in plan:
            u, v = pool[a % len(pool)], pool[b % len(pool)]
            if kind == 0:
                new = UNARY[c % len(UNARY)](u)
            elif kind == 1:
                new = BINARY[c % len(BINARY)](u, v)
            elif kind == 2:
                new = u * numbers[t] if c % 2 else u * float(numbers[t]) + 0.5
            elif kind == 3:
                new = np.add(u, vectors[t])
            elif kind == 4:
                new = u + [x[t], x[t - 1], x[steps - 1 - t], x[order[t]], x[0]][c % 5]
            elif kind == 5:
                new = np.concatenate([u[1:], v[: 1 + d % 1]])
            elif kind == 6:
                table[t] = u
                new = v + table[t - 1 if c % 2 else 0]
            else:
                new = u.copy()
                new[1:3] = v[::2] * 0.5
            pool.append(new)
        for k in range(width - 1):
            state[k] = pool[-1 - k]
        state[-1] = state[0] if plan[0][1] % 2 else pool[len(pool) // 2]

    step.width = width  # type: ignore[attr-defined]
    return step


@pytest.mark.parametrize("seed", range(200))
def test_random_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = int(rng.integers(10, 40))
    first, second = random_step(rng, steps), random_step(rng, steps)

    def f(x: Any) -> Any:
        state = [x[k] * (k + 1.0) for k in range(first.width)]
        table = np.zeros_like(x)
        kept = []
        for t in range(steps):
            first(t, state, x, table)
            kept.append(state[0])
        total = np.sum(np.stack(kept)[::3]) + np.sum(state[-1])
        if seed % 3 == 0:
            state = [kept[(5 * k) % steps] for k in range(second.width)]
            for t in reversed(range(steps)):
                second(t, state, np.stack(kept), table)
            total = total + np.sum(state[0])
        return total

    mode = MODES[seed % 4]
    g, args = transformed(mode, f, (rng.uniform(-1.0, 1.0, (steps, 4)),))
    graph = covector.make_graph(g)(*args)
    rolled = roll(graph)
    check_form(rolled)
    # Stacked lanes are transposed where the recorded program copied them.
    check_same(graph, rolled, args, exactly=mode != "vmap of grad")
