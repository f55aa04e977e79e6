"""Simplification of loops and branches: what goes, and that values stay what they were."""

from __future__ import annotations

import os
import pickle
from typing import Any

import numpy as np
import pytest

from compiler.random_loops import random_program
from covector.compiler.backend import executable
from covector.compiler.calls.key import structure_key
from covector.compiler.calls.pickling import checked
from covector.compiler.passes.check import InvalidGraphError, check
from covector.compiler.passes.control import rows, splitting, sums
from covector.compiler.passes.expand import expand
from covector.compiler.passes.simplify import simplify
from covector.control.branches.branch import branch_p
from covector.control.loops.loop import loop_p
from covector.core.graph import Graph, record
from covector.core.values import Aval, aval_of

COUNT = 2000 if os.environ.get("COVECTOR_FULL") else 160
"""How many random programs."""


def run(graph: Graph, args: Any) -> list[Any]:
    with np.errstate(all="ignore"):
        return [np.array(x) for x in graph.run(*args)]


def assert_same(got: list[Any], want: list[Any]) -> None:
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        np.testing.assert_allclose(g, w, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(COUNT))
def test_random_programs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed % 2:
        monkeypatch.setattr(rows, "_LITTLE", 0 if seed % 3 else 1 << 21)
        # Small matrices and short loops, as if they were large and long.
        monkeypatch.setattr(sums, "_LEAST", 1)
        monkeypatch.setattr(sums, "_FEWEST", 2)
        monkeypatch.setattr(splitting, "_MATRIX", 1)
        monkeypatch.setattr(splitting, "_FEWEST", 2)
    graph, args = random_program(seed)
    check(graph)
    before = repr(graph)
    want = run(graph, args)
    simple = check(simplify(expand(graph)))
    assert repr(graph) == before
    assert_same(run(simple, args), want)
    assert_same(run(check(simplify(simple)), args), want)


@pytest.mark.parametrize("seed", range(400, 400 + COUNT // 10))
def test_random_programs_compiled(seed: int) -> None:
    graph, args = random_program(seed)
    want = run(graph, args)
    got = executable(graph)(*[np.asarray(x) for x in args])
    for g, w in zip(got, want, strict=True):
        assert (g.shape, g.dtype) == (w.shape, w.dtype)
        np.testing.assert_allclose(g, w, rtol=1e-7, atol=1e-9)


# --- one thing at a time ----------------------------------------------------------------------------------------------

INDEX = Aval((), np.dtype(np.int64))
XS = np.linspace(-1.0, 1.0, 20)


def looped(
    step: Any, constants: Any, carries: Any, sequences: Any = (), length: int | None = 20, cond: Any = None, **more: Any
) -> Any:
    """The results of a loop whose body is ``step(index, *constants, *carries, *elements)``."""
    strong = lambda x: Aval(*aval_of(x)[:2])
    element = lambda x: Aval(x.shape[1:], x.dtype)
    avals = [INDEX, *map(strong, [*constants, *carries]), *map(element, sequences)]
    params = {"body": record(step, avals, "loop"), "constants": len(constants), "carries": len(carries)}
    params |= {"length": length, "reverse": more.pop("reverse", False)}
    inputs = [*constants, *carries, *sequences]
    if cond is not None:
        params["cond"] = record(lambda *xs: [cond(*xs)], avals, "cond")
    if "count" in more:
        params["counted"] = True
        inputs.insert(0, more["count"])
    return loop_p(*inputs, **params)


def simplified(f: Any, *args: Any) -> Graph:
    """The program of `f`, simplified, after comparing what both compute."""
    graph = expand(record(lambda *xs: list(f(*xs)), [aval_of(x) for x in args], "test"))
    simple = check(simplify(graph))
    assert_same(run(simple, args), run(graph, args))
    return simple


def the_loop(graph: Graph) -> Any:
    """Its only loop."""
    (eq,) = [eq for eq in graph if eq.primitive is loop_p]
    return eq


def names(graph: Graph) -> list[str]:
    return [eq.primitive.name for eq in graph]


def test_dead_carries_and_stacks() -> None:
    def f(x: Any, xs: Any) -> Any:
        step = lambda i, c, a, b, d, x, y: [a + x, b * a + c, np.sin(d), b, d * 2.0]
        return looped(step, [x], [x, x * 2.0, x * 3.0], [xs, xs * 2.0])[:1]

    eq = the_loop(simplified(f, 0.3, XS))
    assert (eq.params["constants"], eq.params["carries"], len(eq.inputs), len(eq.outputs)) == (0, 1, 2, 1)
    assert names(eq.params["body"]) == ["add"]


def test_dead_parts_of_inner_loops() -> None:
    def outer(i: Any, a: Any, b: Any) -> Any:
        inner = looped(lambda j, p, q: [p * 0.5 + 1.0, np.sin(q)], [], [a, b])
        return [inner[0], inner[1] + a]

    eq = the_loop(simplified(lambda x: looped(outer, [], [x, x * 2.0])[:1], 0.3))
    assert eq.params["carries"] == 1
    assert the_loop(eq.params["body"]).params["carries"] == 1


def test_what_a_condition_reads_is_kept() -> None:
    def f(x: Any) -> Any:
        step = lambda i, a, b, c: [a * 0.5, b + a, c * 2.0]
        return looped(step, [], [x, x * 2.0, x], length=None, cond=lambda i, a, b, c: a > 1e-3)[1:2]

    eq = the_loop(simplified(f, 0.7))
    assert eq.params["carries"] == 2
    assert len(eq.params["cond"].inputs) == 3


def test_carries_that_do_not_change() -> None:
    def f(x: Any, xs: Any) -> Any:
        step = lambda i, a, b, c, x: [a, b * a + x, c * 0.5, c + b]
        return looped(step, [], [x, x * 2.0, np.float64(0.0)], [xs])

    graph = simplified(f, np.float64(0.3), XS)
    eq = the_loop(graph)
    assert (eq.params["constants"], eq.params["carries"]) == (1, 1)
    assert graph.outputs[0] is graph.inputs[0]
    assert graph.outputs[2] == 0.0


def test_arrays_that_stay_zero() -> None:
    def f(x: Any) -> Any:
        step = lambda i, a, t: [np.sin(a), t * 2.0 + np.sum(t, axis=0)]
        return looped(step, [], [x, np.zeros((3, 3))])

    assert the_loop(simplified(f, np.ones(3))).params["carries"] == 1


def test_zero_times_infinity_is_not_taken_for_zero() -> None:
    def f(x: Any) -> Any:
        return looped(lambda i, a, t: [a * 2.0, t * a], [], [x, np.float64(0.0)], length=3)

    graph = simplified(f, np.inf)
    assert the_loop(graph).params["carries"] == 2


def test_equal_carries() -> None:
    def f(x: Any) -> Any:
        step = lambda i, a, b, c, d: [np.sin(b), np.sin(a), np.sin(c) * 2.0, d + a - b]
        return looped(step, [], [x, x, x, x])

    graph = simplified(f, 0.3)
    assert the_loop(graph).params["carries"] == 3
    assert graph.outputs[0] is graph.outputs[1]


def test_values_given_twice_and_numbers() -> None:
    def f(x: Any, xs: Any) -> Any:
        step = lambda i, a, b, two, full, c, x, y: [np.sin(c * a) * b * two + np.sum(full) + x * y]
        return looped(step, [x, x, np.float64(2.0), np.full(4, 0.1)], [x], [xs, xs])

    eq = the_loop(simplified(f, 0.3, XS))
    assert (eq.params["constants"], eq.params["carries"], len(eq.inputs)) == (1, 1, 3)


def test_stacks_that_need_not_be_made() -> None:
    def f(x: Any, xs: Any) -> Any:
        step = lambda i, a, c, x: [np.sin(c) + x, x, a, np.float64(2.0), c, c, i]
        return looped(step, [x], [x], [xs], reverse=True)

    graph = simplified(f, 0.3, XS)
    assert len(the_loop(graph).outputs) == 3
    assert graph.outputs[1] is graph.inputs[1]


@pytest.mark.parametrize("length", [0, 1])
@pytest.mark.parametrize("reverse", [False, True])
def test_loops_of_one_iteration_or_none(length: int, reverse: bool) -> None:
    def f(x: Any, xs: Any) -> Any:
        step = lambda i, a, c, x: [np.sin(c) + x * a + i, c, x, x * np.ones(3)]
        return looped(step, [x], [x], [xs], length=length, reverse=reverse)

    assert "loop" not in names(simplified(f, 0.3, XS[:length]))


def test_counts_and_conditions_that_are_known() -> None:
    counted = lambda x: looped(lambda i, c: [c * 2.0], [], [x], length=None, count=np.int64(5))
    assert the_loop(simplified(counted, 0.3)).params["length"] == 5
    never = lambda x: looped(
        lambda i, c: [c * 2.0], [], [x], length=None, cond=lambda i, c: np.logical_and(c > 0, False)
    )
    assert "loop" not in names(simplified(never, 0.3))


# --- what moves out of loops ------------------------------------------------------------------------------------------


def test_invariants_move_before_the_loop() -> None:
    def f(a: Any, x: Any) -> Any:
        return looped(lambda i, a, c: [np.tanh(a.T @ a @ c) + np.sin(a[0])], [a], [x])

    graph = simplified(f, np.ones((3, 3)) * 0.1, np.ones(3))
    assert names(the_loop(graph).params["body"]).count("matmul") == 1
    assert "sin" in names(graph)


def test_invariants_of_inner_loops_move_all_the_way() -> None:
    def outer(i: Any, a: Any, c: Any) -> Any:
        return [looped(lambda j, a, c: [c * np.exp(a)], [a], [c])[0] + np.sin(c)]

    graph = simplified(lambda a, x: looped(outer, [a], [x]), 0.1, 0.2)
    assert "exp" in names(graph)


def test_what_may_fail_stays_where_there_may_be_no_iteration() -> None:
    def f(a: Any, x: Any) -> Any:
        step = lambda i, a, c: [np.linalg.cholesky(a) @ c + np.exp(a[0])]
        return looped(step, [a], [x], length=None, cond=lambda i, a, c: c[0] > np.exp(a[0, 1]))

    a = np.eye(40) + 0.1
    graph = simplified(f, a, np.ones(40))
    eq = the_loop(graph)
    assert "cholesky" in names(eq.params["body"])
    assert names(graph).count("exp") == 2
    assert names(eq.params["cond"])[-1] == "greater"
    with np.errstate(all="raise"):
        run(graph, [-a, -np.ones(40)])  # no iteration: nothing to fail


def test_large_arrays_of_few_instructions_are_made_anew() -> None:
    def f(a: Any, x: Any) -> Any:
        return looped(lambda i, a, c: [np.sum((a[:, None] + a) * c, axis=1)], [a], [x])

    graph = simplified(f, np.ones(100), np.ones(100))
    assert all(v.size <= 100 for eq in graph for v in eq.outputs)


def test_functions_of_sequences_move_before_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x: Any, xs: Any, v: Any) -> Any:
        step = lambda i, v, c, x: [c * np.exp(np.sin(x) * v)]
        return looped(step, [v], [x], [xs], reverse=True)

    graph = simplified(f, np.ones(()), XS, 0.5)
    assert names(the_loop(graph).params["body"]) == ["multiply"]
    assert "exp" in names(graph)
    step = lambda i, c, x, y: [c * x + y + np.cos(i * 0.1)]
    graph = simplified(lambda x, xs: looped(step, [], [x], [xs, xs * 2.0]), 0.3, XS)
    assert "cos" not in names(the_loop(graph).params["body"])
    # Three numbers per iteration where there was one: not worth the memory, unless that is little.
    graph = simplified(f, np.ones(3), XS, np.ones(3))
    assert "exp" not in names(the_loop(graph).params["body"])
    monkeypatch.setattr(rows, "_LITTLE", 0)
    graph = simplified(f, np.ones(3), XS, np.ones(3))
    assert "exp" in names(the_loop(graph).params["body"])


def test_functions_that_only_stacks_read_move_behind_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x: Any, xs: Any) -> Any:
        step = lambda i, c, x: [c * 0.9 + x, np.exp(np.sin(c)) + x, c]
        return looped(step, [], [x], [xs])

    graph = simplified(f, 0.3, XS)
    assert names(the_loop(graph).params["body"]) == ["multiply", "add"]
    # Of two numbers one is made: that stays, if the arrays are large.
    monkeypatch.setattr(rows, "_LITTLE", 0)
    step = lambda i, a, b: [a * 0.9, b * 0.8 + a, np.sin(a) * np.cos(b)]
    graph = simplified(lambda x: looped(step, [], [x, x * 2.0]), 0.3)
    assert "sin" in names(the_loop(graph).params["body"])


def test_products_with_vectors_become_products_of_matrices() -> None:
    rng = np.random.default_rng(0)
    w, u, v, xs = (
        rng.normal(size=(8, 8)) * 0.2,
        rng.normal(size=(8, 9)),
        rng.normal(size=(8, 8)),
        rng.normal(size=(20, 9)),
    )
    step = lambda i, w, u, v, h, x: [np.tanh(h @ w + x @ u.T), h, h @ v + 1.0, u[:, :8] @ h.T]
    f = lambda w, u, v, h, x: looped(step, [w, u, v], [h], [x], reverse=True)
    for h, x in ((np.ones(8), xs), (np.ones((2, 8)), np.stack([xs, xs * 2.0], axis=1))):
        body = the_loop(simplified(f, w, u, v, h, x)).params["body"]
        assert names(body).count("matmul") == 1
    few = lambda w, h, xs: looped(lambda i, w, h, x: [np.tanh(h) + w @ x], [w], [h], [xs])
    body = the_loop(simplified(few, w[:2, :2], np.ones(2), xs[:, :2])).params["body"]
    assert "matmul" in names(body)


@pytest.mark.parametrize("reverse", [False, True])
def test_sums_of_outer_products(reverse: bool) -> None:
    rng = np.random.default_rng(0)
    xs, start = rng.normal(size=(20, 12)), rng.normal(size=(12, 10))

    def f(h: Any, xs: Any, a: Any, start: Any) -> Any:
        def step(i: Any, a: Any, h: Any, s: Any, t: Any, r: Any, x: Any) -> Any:
            new = np.tanh(h * 0.5 + x[:10])
            return [new, np.multiply(x[:, None], new) + s, t + np.outer(a, h), r + x[:, None] @ new[None]]

        return looped(step, [a], [h, start, np.zeros((12, 10)), np.zeros((12, 10))], [xs], reverse=reverse)

    eq = the_loop(simplified(f, np.ones(10), xs, np.arange(12.0), start))
    assert eq.params["carries"] == 1
    assert all(v.ndim < 2 for inner in eq.params["body"] for v in inner.outputs if inner.primitive.name != "reshape")


@pytest.mark.parametrize("seed", range(40))
def test_sums_that_are_added_up_become_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 3, 5).tolist()
    signs = rng.integers(0, 3, 8).tolist()

    def f(h: Any, xs: Any, y: Any) -> Any:
        def step(i: Any, h: Any, *rest: Any) -> Any:
            terms = [h * 0.5, h * rest[-1], h * h, np.sin(h), rest[-1] - h]
            pairs = zip(rest[:-1], terms, kinds, strict=False)
            sums = [(t + s, s + t, s - t)[k] for s, t, k in pairs]
            return [np.tanh(h) + rest[-1], *sums]

        out = list(looped(step, [], [h, *[np.zeros(3)] * 5], [xs], length=7, reverse=bool(seed % 2)))
        total, *terms = [*out[1:], y] if seed % 3 else [y, *out[1:]]
        for x, sign in zip(terms, signs, strict=False):
            total = (total + x, total - x, -total - x)[sign]
        return [total, out[0]]

    h, y = rng.normal(size=3), rng.normal(size=3)
    assert the_loop(simplified(f, h, rng.normal(size=(7, 3)), y)).params["carries"] == 2


def test_sums_that_are_read_stay() -> None:
    def f(h: Any, s: Any) -> Any:
        step = lambda i, h, s: [np.tanh(h) + s[0], s + np.outer(h, h)]
        return looped(step, [], [h, s])

    assert the_loop(simplified(f, np.ones(9) * 0.1, np.zeros((9, 9)))).params["carries"] == 2


# --- branches ---------------------------------------------------------------------------------------------------------


def branched(index: Any, branches: Any, *operands: Any) -> Any:
    avals = [Aval(*aval_of(x)[:2]) for x in operands]
    graphs = tuple([record(g, avals, "branch") for g in branches])
    return branch_p(index, *operands, branches=graphs, how="auto")


BIG = np.linspace(0.0, 1.0, 100)


@pytest.mark.parametrize("index", [-1, 0, 1, 2, 5])
def test_a_branch_that_is_known(index: int) -> None:
    branches = [lambda x, y: [x + y], lambda x, y: [np.sin(x) * y], lambda x, y: [y * 1.0]]
    graph = simplified(lambda x, y: branched(np.int64(index), branches, x, y), BIG, BIG + 1.0)
    assert "branch" not in names(graph)


@pytest.mark.parametrize("x", [-1.0, 1.0])
def test_branches_that_do_not_differ(x: float) -> None:
    index = lambda x: (x[0] > 0.0).astype(np.int64)
    same = [lambda x, y: [np.sin(x) + y] for _ in range(2)]
    assert "branch" not in names(simplified(lambda x, y: branched(index(x), same, x, y), BIG + x, BIG))
    partly = [lambda x, y: [y, np.sin(x), np.float64(3.0)], lambda x, y: [y, np.cos(x), np.float64(3.0)]]
    graph = simplified(lambda x, y: branched(index(x), partly, x, y), BIG + x, BIG)
    (eq,) = [eq for eq in graph if eq.primitive is branch_p]
    assert (len(eq.inputs), len(eq.outputs)) == (2, 1)
    assert graph.outputs[0] is graph.inputs[1]


@pytest.mark.parametrize("x", [-1.0, 0.0, 1.0, 2.0, 3.0])
def test_small_branches_become_choices(x: float) -> None:
    two = [lambda x, y: [x * y], lambda x, y: [x - y]]
    graph = simplified(lambda x, y: branched((x > 0.0).astype(np.int64), two, x, y), x, 0.3)
    assert names(graph).count("where") == 1
    assert "less_equal" not in names(graph)
    three = [*two, lambda x, y: [y * 3.0]]
    graph = simplified(lambda x, y: branched(x.astype(np.int64), three, x, y), x, 0.3)
    assert names(graph).count("where") == 2
    long = [lambda x: [np.exp(x)], lambda x: [np.sin(x)]]
    assert "branch" in names(simplified(lambda x: branched((x > 0.0).astype(np.int64), long, x), x))


def test_dead_results_of_branches() -> None:
    branches = [lambda x, y: [np.sin(x), np.exp(y)], lambda x, y: [np.cos(x), np.log(y)]]
    f = lambda x, y: branched((x[0] > 0.0).astype(np.int64), branches, x, y)[:1]
    (eq,) = [eq for eq in simplified(f, BIG, BIG + 1.0) if eq.primitive is branch_p]
    assert (len(eq.inputs), len(eq.outputs)) == (2, 1)


# --- keys and files ---------------------------------------------------------------------------------------------------


def key_of(f: Any, *args: Any) -> str:
    key = structure_key(record(lambda *xs: list(f(*xs)), [aval_of(x) for x in args], "test"))
    assert key is not None
    return key


def test_programs_inside_count_for_keys() -> None:
    until = lambda bound: lambda x: looped(lambda i, c: [c * 2.0], [], [x], length=None, cond=lambda i, c: c < bound)
    assert key_of(until(3.0), 0.3) == key_of(until(3.0), 0.3) != key_of(until(4.0), 0.3)
    either = lambda g: lambda x: branched((x > 0.0).astype(np.int64), [g, lambda x: [x]], x)
    one, other = lambda x: [np.sin(x)], lambda x: [np.cos(x)]
    assert key_of(either(one), 0.3) == key_of(either(one), 0.3) != key_of(either(other), 0.3)


def test_programs_inside_are_checked() -> None:
    branches = [lambda x: [np.exp(x)]] * 2
    graph = record(lambda x: list(branched((x > 0.0).astype(np.int64), branches, x)), [aval_of(0.3)], "test")
    inner = graph.equations[-1].params["branches"][1]
    inner.equations.clear()
    with pytest.raises(InvalidGraphError, match="never computed"):
        check(graph)


def test_programs_inside_can_be_pickled() -> None:
    f = lambda x: branched((x > 0.0).astype(np.int64), [lambda x: [np.exp(x)], lambda x: [x]], x)
    graph = record(lambda x: list(f(x)), [aval_of(0.3)], "test")
    assert_same(run(pickle.loads(pickle.dumps(checked(graph))), [0.3]), run(graph, [0.3]))
