"""What reverse mode through the primitive `loop` keeps: stacks, sums in place, room for unknown lengths."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from tests.control.loop_examples import EXAMPLES, INDEX, draw

import covector
from covector.control.loops.accumulation import accumulated
from covector.control.loops.capacity import FIRST, CapacityError, capacity_of, enlarge, tag_of, with_capacities
from covector.control.loops.loop import Operands, bind_loop, loop_p
from covector.control.loops.split import Split
from covector.core.graph import Graph, Var, record
from covector.core.values import Aval

REAL = Aval((), np.dtype(float))


def split(body: Any, constants: int, carries: int, avals: Any) -> Split:
    graph = record(body, [INDEX, *avals], "loop")
    return Split({"body": graph, "constants": constants, "carries": carries}, [True] * len(avals))


def names(graph: Graph) -> list[str]:
    """The operations of a program, those of programs inside included."""
    return [n for eq in graph for n in (eq.primitive.name, *(names(eq.params["body"]) if "body" in eq.params else ()))]


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_a_linear_recurrence_keeps_nothing() -> None:
    made = split(lambda i, c, x: [0.5 * c + x], 0, 1, [REAL, REAL])
    assert made.stacked() == []


def test_carries_are_kept_once() -> None:
    made = split(lambda i, r, x: [r * x * (1 - x)], 1, 1, [REAL, REAL])
    assert [v.shape for v in made.kept] == [()]
    assert made.kept[0] is made.tape.forward.inputs[2]


def test_a_carry_needed_before_and_after_the_step_is_kept_once() -> None:
    matrix = Aval((3, 3), np.dtype(float))
    made = split(lambda i, w, h: [np.exp(w @ h)], 1, 1, [matrix, Aval((3,), np.dtype(float))])
    assert len(made.stacked()) == 1
    assert sorted(p.kind for p in made.places) == ["after", "stack"]


def test_elements_that_are_stacked_anyway_are_not_kept() -> None:
    made = split(lambda i, c, x: [(y := np.exp(c)) * x, y], 0, 1, [REAL, REAL])
    assert made.stacked() == []


def test_what_depends_on_constants_alone_is_not_stacked() -> None:
    vector = Aval((300,), np.dtype(float))
    made = split(lambda i, w, c: [c * np.exp(w)], 1, 1, [vector, vector])
    assert "constant" in {p.kind for p in made.places}


def test_of_an_array_that_is_written_to_elements_are_kept() -> None:
    def step(i: Any, w: Any, b: Any) -> list[Any]:
        b[i + 1] = np.sin(w * b[i])
        return [b]

    made = split(step, 1, 1, [REAL, Aval((1000,), np.dtype(float))])
    assert all(v.size == 1 for v in made.kept)


def test_what_is_read_from_a_constant_is_read_again() -> None:
    table, places = Aval((1000,), np.dtype(float)), Aval((), np.dtype(np.int64))
    made = split(lambda i, w, c, j: [np.tanh(c * w[j]) + np.exp(w[j + i])], 1, 1, [table, REAL, places])
    assert [v.dtype.kind for v in made.kept] == ["f"]  # the carry


# --- sums in place ----------------------------------------------------------------------------------------------------


def test_the_cotangent_of_an_array_read_by_index_is_added_to_in_place() -> None:
    body = record(lambda i, x, c: [np.tanh(c * np.take(x, i))], [INDEX, Aval((50,), np.dtype(float)), REAL], "loop")
    fun = lambda x: loop_p(x, 0.3, body=body, constants=1, carries=1, length=50, reverse=False)[0]
    graph = covector.make_graph(covector.grad(fun))(draw(50))
    assert "add_at" in names(graph)
    assert "scatter" not in names(graph)


def copies(gradient: bool, n: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often an array is copied by a loop that writes to all its elements, or by its gradient."""
    from covector.core import mutation

    copied: list[int] = []
    original = mutation.copied
    monkeypatch.setattr(mutation, "copied", lambda x: copied.append(np.size(x)) or original(x))

    def step(i: Any, w: Any, b: Any) -> list[Any]:
        b[i + 1] = np.sin(w * b[i])
        return [b]

    body = record(step, [INDEX, REAL, Aval((n + 1,), np.dtype(float))], "loop")
    run = lambda w, b: np.sum(loop_p(w, b, body=body, constants=1, carries=1, length=n, reverse=False)[0])
    (covector.grad(run, argnums=(0, 1)) if gradient else run)(0.7, draw(n + 1))
    monkeypatch.undo()
    return sum(size == n + 1 for size in copied)


@pytest.mark.parametrize("gradient", [False, True])
def test_an_array_that_is_written_to_stays_in_place(gradient: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    few = copies(gradient, 20, monkeypatch)
    assert 1 <= few <= 6  # the initial value, which belongs to the caller, is one
    assert copies(gradient, 200, monkeypatch) == few


@pytest.mark.parametrize(
    "term",
    [
        lambda x, k: np.take(x, k),
        lambda x, k: x[3],
        lambda x, k: np.sum(x[1:3]),
        lambda x, k: np.sum(np.sin(x)) + x[2] * x[2],
        lambda x, k: np.take(x, k) * np.take(x, k + 1) + np.sum(x),
    ],
)
def test_sums_in_place_are_the_sums(term: Any) -> None:
    x, c, k = draw(6), 0.4, np.array([1, 3, 3, 0])

    def step(i: Any, x: Any, c: Any, k: Any) -> list[Any]:
        return [np.sin(c) * term(x, k)]

    body = record(step, [INDEX, Aval((6,), np.dtype(float)), REAL, INDEX], "loop")
    fun = lambda x, c: loop_p(x, c, k, body=body, constants=1, carries=1, length=4, reverse=False)[0]

    def plain(x: Any, c: Any) -> Any:
        for j in k:
            (c,) = step(0, x, c, j)
        return c

    for got, want in zip(
        covector.grad(fun, argnums=(0, 1))(x, c), covector.grad(plain, argnums=(0, 1))(x, c), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize("element", [False, True])
def test_sums_of_inner_loops_go_on_from_those_of_the_outer_loop(element: bool) -> None:
    def inner(w: Any, c: Any, x: Any) -> Any:
        step = lambda i, s: np.sin(s * (w[7 * i + 3] if element else np.sum(np.sin(w * s))) + x) * np.cos(w[i])
        return covector.fori_loop(0, 4, step, c)

    def fun(w: Any, xs: Any) -> Any:
        return covector.scan(lambda c, x: (inner(w, c, x) + 0.1 * inner(w, x, c), None), 0.3, xs)[0]

    w, xs = draw(30), draw(5)
    graph = covector.make_graph(covector.grad(fun))(w, xs)
    backward = [eq for eq in graph.equations if eq.primitive is loop_p][-1].params["body"]
    loops = [eq for eq in backward.equations if eq.primitive is loop_p]
    starts = [x for eq in loops for x in eq.inputs[eq.params["constants"] :] if getattr(x, "shape", ()) == (30,)]
    assert len(starts) == 2
    assert all(type(x) is Var for x in starts)  # no zeros to begin with
    assert not any(eq.primitive.name == "add" and eq.outputs[0].shape == (30,) for eq in backward.equations)
    want = covector.grad(fun)(w, xs)
    np.testing.assert_allclose(covector.jit(covector.grad(fun))(w, xs), want, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(graph.run(w, xs)[0], want, rtol=1e-11, atol=1e-14)


def test_a_total_that_is_used_otherwise_is_left_alone() -> None:
    graph = record(lambda a, b: [a + b, a * 2.0], [REAL, REAL], "loop")
    made = accumulated(graph, [(graph.inputs[0], 0)])
    assert made.run(1.0, 2.0) == graph.run(1.0, 2.0)


# --- loops of unknown length ------------------------------------------------------------------------------------------


def doubling(a: Any, x: Any) -> Any:
    """Multiply by `a` until the result is large."""
    return covector.while_loop(lambda x: x < 100.0, lambda x: x * a + 1e-3 * np.sin(x) ** 2, x)


def test_the_stacks_of_a_recorded_loop_have_room_for_a_few_iterations() -> None:
    graph = covector.make_graph(covector.grad(lambda x: doubling(1.9, x)))(1.0)
    (first, _) = [eq for eq in graph if eq.primitive is loop_p]
    assert first.params["length"] == capacity_of(first.params["tag"]) >= FIRST


def test_too_little_room_is_an_error_that_names_what_is_needed() -> None:
    fun = lambda x: covector.while_loop(lambda x: x < 64.0, lambda x: x * 1.01 + 1e-3 * np.sin(x) ** 2, x)
    graph = covector.make_graph(covector.grad(fun))(60.0)
    with pytest.raises(CapacityError, match="ran .* times") as caught:
        graph.run(1.0)
    enlarge(caught.value)
    assert caught.value.needed <= capacity_of(caught.value.tag) < 2 * caught.value.needed
    again = covector.make_graph(covector.grad(fun))(60.0)
    np.testing.assert_allclose(again.run(1.0)[0], covector.grad(fun)(1.0), rtol=1e-11)


def test_room_is_made_until_there_is_enough() -> None:
    tries: list[int] = []

    def function() -> str:
        tries.append(capacity_of(-1))
        if len(tries) < 3:
            raise CapacityError(-1, 100 * len(tries))
        return "done"

    assert with_capacities(function) == "done"
    assert tries == [FIRST, 128, 256]


def test_an_error_that_room_does_not_help_against_is_raised() -> None:
    def function() -> None:
        raise CapacityError(-2, 100)

    with pytest.raises(CapacityError):
        with_capacities(function)


def test_a_loop_has_the_same_tag_whenever_it_is_recorded() -> None:
    def tags() -> int:
        return tag_of(record(lambda i, x: [np.sin(x) + i], [INDEX, REAL], "loop"))

    assert tags() == tags()
    assert tags() != tag_of(record(lambda i, x: [np.cos(x) + i], [INDEX, REAL], "loop"))


@pytest.mark.parametrize("base", [1.011, 1.0047, 1.0013])
def test_programs_make_room_when_they_need_it(base: float) -> None:
    # Each of these runs longer than all before, which is when there is too little room.
    a = 1 + (base - 1) / 2
    scale = draw(3, seed=int(1e6 * base)) * 1e-6 + 1
    want = covector.grad(doubling, argnums=(0, 1))(a, 1.0)
    plain = covector.jit(covector.grad(doubling, argnums=(0, 1)))
    np.testing.assert_allclose(plain(1.9, 1.0), covector.grad(doubling, argnums=(0, 1))(1.9, 1.0), rtol=1e-9)
    np.testing.assert_allclose(plain(a, 1.0), want, rtol=1e-9)
    np.testing.assert_allclose(plain(a, 1.0), want, rtol=1e-9)
    inner = covector.grad(covector.jit(lambda a, x: doubling(a, x) * scale[0]), argnums=(0, 1))
    np.testing.assert_allclose(inner(a, 1.0), np.multiply(want, scale[0]), rtol=1e-9)
    lanes = covector.jit(covector.vmap(covector.grad(lambda a, x: doubling(a, x) * scale[1])))
    xs = np.array([1.0, 50.0, 200.0])
    got = lanes(np.full(3, a), xs)
    np.testing.assert_allclose(got, [scale[1] * covector.grad(doubling)(a, x) for x in xs], rtol=1e-9)


def test_a_guarded_program_makes_room() -> None:
    def fun(a: Any, x: Any) -> Any:
        return doubling(a, x) if x > 0.5 else x * 3.0

    compiled = covector.jit(covector.grad(fun, argnums=(0, 1)))
    for a, x in [(1.9, 1.0), (1.0007, 1.0), (1.0007, 0.1), (1.0006, 1.0)]:
        np.testing.assert_allclose(compiled(a, x), covector.grad(fun, argnums=(0, 1))(a, x), rtol=1e-9)


@pytest.mark.parametrize("checked", [False, True])
def test_bound_programs_make_room(checked: bool) -> None:
    compiled = covector.jit(covector.grad(lambda a, x: np.cos(doubling(a, x))))
    bound = compiled.lower(1.9, 1.0).compile() if checked else compiled.bind(1.9, 1.0)
    for a in (1.9, 1.0009, 1.00041, 1.9):
        want = np.sin(-doubling(a, 1.0)) * covector.grad(doubling)(a, 1.0)
        np.testing.assert_allclose(bound(a, 1.0), want, rtol=1e-9)


def test_loops_of_unknown_length_in_steps_make_room() -> None:
    def fun(a: Any, xs: Any) -> Any:
        return covector.scan(lambda c, x: (np.sin(c + doubling(a, x)), None), 0.0, xs)[0]

    xs = np.array([1.0, 90.0, 0.01])
    for a in (1.5, 1.03, 1.0031):
        want = covector.grad(fun)(a, xs)
        np.testing.assert_allclose(covector.jit(covector.grad(fun))(a, xs), want, rtol=1e-8)
    body = record(lambda i, a, c, x: [np.sin(c + doubling(a, x))], [INDEX, REAL, REAL, REAL], "loop")
    loop = lambda a: loop_p(a, 0.0, xs, body=body, constants=1, carries=1, length=3, reverse=False)[0]
    np.testing.assert_allclose(covector.grad(loop)(1.0021), covector.grad(fun)(1.0021, xs), rtol=1e-8)


def test_rows_that_a_counted_loop_does_not_read_have_no_cotangent() -> None:
    body = record(lambda i, c, x: [c + 0.7 * x], [INDEX, REAL, REAL], "loop")

    def fun(n: Any, v: Any) -> Any:
        rows = np.take(v, np.minimum(np.arange(64), 2))
        return loop_p(n, 0.0, rows, body=body, constants=0, carries=1, length=64, reverse=False, counted=True)[0]

    compiled = covector.jit(covector.grad(fun, argnums=1))
    for n, want in ((0, [0, 0, 0]), (1, [0.7, 0, 0]), (2, [0.7, 0.7, 0]), (9, [0.7, 0.7, 4.9])):
        np.testing.assert_allclose(compiled(n, np.ones(3)), want, rtol=1e-13)


_MEMORY = """
import resource
import numpy as np
import covector
from covector.control.loops import capacity
capacity.FIRST = 1 << 23
def fun(x, n):
    return covector.while_loop(lambda c: c[1] < n, lambda c: (np.sin(c[0]) + 0.4 * c[0], c[1] + 1), (x, 0))[0]
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
slope = covector.jit(covector.grad(fun))
slope(0.5, 5)
before = peak()
slope(0.5, 1_000_000)
print(peak() - before)
"""


def test_room_that_is_not_needed_takes_no_memory() -> None:
    """There is room for 8 million steps, 67 MB; a million of them write 8 MB."""
    done = subprocess.run([sys.executable, "-c", _MEMORY], capture_output=True, text=True, timeout=120)
    assert float(done.stdout) < 20.0, done.stderr


# --- linear programs --------------------------------------------------------------------------------------------------


def test_a_linear_loop_is_transposed() -> None:
    w = draw(3, 3)

    def fun(x: Any) -> Any:
        return covector.scan(lambda c, k: (w @ c * np.cos(k), np.sum(c)), x, np.arange(5.0))

    ct = (draw(3, seed=1), draw(5, seed=2))
    transposed = covector.linear_transpose(fun, np.zeros(3))(ct)
    np.testing.assert_allclose(transposed[0], covector.vjp(fun, np.zeros(3))[1](ct)[0], rtol=1e-12)


def test_a_loop_that_is_not_linear_is_not_transposed() -> None:
    fun = lambda x: covector.scan(lambda c, _: (np.sin(c), None), x, np.arange(5.0))[0]
    with pytest.raises(covector.NotDifferentiableError, match="not linear"):
        covector.linear_transpose(fun, np.zeros(3))(np.ones(3))


def test_a_loop_whose_length_depends_on_the_variable_is_not_transposed() -> None:
    fun = lambda x: covector.while_loop(lambda x: x < 5.0, lambda x: 2.0 * x, x)
    with pytest.raises(covector.NotDifferentiableError, match="not linear"):
        covector.linear_transpose(fun, 0.0)(1.0)


# --- pickles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.name in ("matrix", "newton")], ids=repr)
def test_a_pullback_can_be_pickled(example: Any) -> None:
    _, pull = covector.vjp(example.of_places(example.loop), *example.point)
    seeds = [np.ones_like(y) for y in example.of_places(example.loop)(*example.point)]
    want = pull(seeds)
    got = pickle.loads(pickle.dumps(pull))(seeds)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b)


def test_operands_by_kind() -> None:
    operands = Operands.of([1, 2, 3, 4, 5], {"counted": True, "constants": 1, "carries": 2})
    assert operands == Operands([1], [2], [3, 4], [5])
    body = record(lambda i, a, b, x: [b + a * x], [INDEX, REAL, REAL, REAL], "loop")
    out = bind_loop(Operands([], [2.0], [0.0], [np.arange(4.0)]), body, length=4)
    assert out == (12.0,)


def test_pullbacks_of_loops_of_unknown_length_can_be_pickled_in_programs_with_room() -> None:
    fun = covector.jit(lambda x: np.sum(covector.while_loop(lambda x: x[0] < 9.0, lambda x: x * 1.004 + 0.01, x)))
    x = np.array([0.3, 0.4])
    _, pull = covector.vjp(fun, x)
    stored = pickle.dumps(pull)
    enlarge_all()
    np.testing.assert_allclose(pickle.loads(stored)(1.0)[0], pull(1.0)[0])


def enlarge_all() -> None:
    """Let every loop need more room than it did."""
    from covector.control.loops import capacity

    for tag, rows in list(capacity._capacities.items()):
        enlarge(CapacityError(tag, 2 * rows))
