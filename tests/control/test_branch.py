"""The primitive `branch`: programs derived from it, what they keep, and what happens to lanes that decide apart."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.control.branches.branch import branch_p
from covector.control.branches.lanes import work
from covector.control.programs.derivatives import Tape
from covector.core.graph import Graph, record
from covector.core.values import aval_of


def _programs(functions: Sequence[Callable[..., Any]], *operands: Any) -> tuple[Graph, ...]:
    return tuple([record(f, [aval_of(x)._replace(weak=False) for x in operands], "cond") for f in functions])


def _equations(graph: Graph, name: str) -> list[Any]:
    return [eq for eq in graph.equations if eq.primitive.name == name]


X = np.array([0.3, -0.7, 1.1])
Y = np.array([1.2, 0.4, -0.9])


def _chain(x: Any) -> Any:
    """Longer than what is computed twice instead of kept."""
    return np.sin(np.exp(np.sin(np.exp(np.sin(x)))))


TWO = _programs([lambda x, y: [_chain(x), x * y], lambda x, y: [np.tanh(np.exp(_chain(y))), np.cos(y)]], X, Y)


@pytest.mark.parametrize(("index", "taken"), [(-5, 0), (0, 0), (1, 1), (2, 1), (2**40, 1)])
def test_index_is_clamped(index: int, taken: int) -> None:
    out = branch_p(np.int64(index), X, Y, branches=TWO, how="auto")
    for a, b in zip(out, TWO[taken].run(X, Y), strict=True):
        np.testing.assert_array_equal(a, b)


def test_forward_pass_and_backward_pass_are_one_equation_each() -> None:
    def f(i: Any, x: Any, y: Any) -> Any:
        a, b = branch_p(i, x, y, branches=TWO, how="auto")
        return np.sum(a * b)

    forward, backward = _equations(cv.make_graph(cv.grad(f, (1, 2)))(np.int64(0), X, Y), "branch")
    assert all(len(g.inputs) == len(forward.inputs) - 1 for g in forward.params["branches"])
    # Two results, and places for what either of the branches keeps: x and y are there anyway.
    kept = [len(Tape(g, [True, True]).forward.outputs) - 2 for g in TWO]
    assert 0 < kept[0] < kept[1] == len(forward.outputs) - 2
    assert len(backward.outputs) == 2


def test_branches_share_places_of_equal_residuals() -> None:
    programs = _programs([lambda x: [_chain(x)], lambda x: [_chain(2.0 * x)]], X)
    one = _equations(
        cv.make_graph(cv.grad(lambda i, x: np.sum(branch_p(i, x, branches=programs[:1], how="auto")[0]), 1))(0, X),
        "branch",
    )
    two = _equations(
        cv.make_graph(cv.grad(lambda i, x: np.sum(branch_p(i, x, branches=programs, how="auto")[0]), 1))(0, X), "branch"
    )
    assert 1 < len(one[0].outputs) == len(two[0].outputs)


def test_residuals_of_other_shapes_have_places_of_their_own() -> None:
    def long(x: Any) -> list[Any]:
        return [np.sum(np.exp(np.sin(np.outer(x, x))))]

    programs = _programs([long, lambda x: [np.exp(np.sin(np.sum(x)))]], X)

    def f(i: Any, x: Any) -> Any:
        return branch_p(i, x, branches=programs, how="auto")[0] ** 2

    forward, _ = _equations(cv.make_graph(cv.grad(f, 1))(0, X), "branch")
    shapes = [v.shape for v in forward.outputs]
    assert (3, 3) in shapes
    for i, alone in enumerate([lambda x: long(x)[0] ** 2, lambda x: np.exp(np.sin(np.sum(x))) ** 2]):
        np.testing.assert_allclose(cv.grad(f, 1)(np.int64(i), X), cv.grad(alone)(X), rtol=1e-14)
        np.testing.assert_allclose(
            cv.hessian(lambda x, i=i: f(np.int64(i), x))(X), cv.hessian(alone)(X), rtol=1e-12, atol=1e-14
        )


def test_forward_mode_is_one_equation() -> None:
    def f(i: Any, x: Any, t: Any) -> Any:
        return cv.jvp(lambda x: branch_p(i, x, Y, branches=TWO, how="auto"), (x,), (t,))

    graph = cv.make_graph(f)(np.int64(0), X, Y)
    (equation,) = _equations(graph, "branch")
    assert len(equation.outputs) == 4  # the second branch does not depend on x: its tangents are zeros
    np.testing.assert_array_equal(graph.run(np.int64(1), X, Y)[2:], np.zeros((2, 3)))
    np.testing.assert_allclose(graph.run(np.int64(0), X, Y)[3], Y * Y)


@pytest.mark.parametrize("i", [0, 1])
def test_linearize_does_not_run_the_branch_again(i: int) -> None:
    def f(x: Any, y: Any) -> Any:
        return branch_p(np.int64(i), x, y, branches=TWO, how="auto")

    _, push = cv.linearize(f, X, Y)
    _, want = cv.jvp(f, (X, Y), (Y, X))
    for a, b in zip(push(Y, X), want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize("i", [0, 1])
def test_transposition_of_a_recorded_program(i: int) -> None:
    A, B = np.arange(6.0).reshape(2, 3), np.ones((2, 3))
    programs = _programs([lambda m, x: [m @ x, x * 2.0], lambda m, x: [np.cos(m) @ x, np.zeros(3)]], A, X)

    def f(x: Any) -> Any:
        return branch_p(np.int64(i), A + B, x, branches=programs, how="auto")

    u, v = np.array([0.5, -2.0]), np.array([1.0, 2.0, 3.0])
    (got,) = cv.linear_transpose(f, X)((u, v))
    want = [(A + B).T @ u + 2.0 * v, np.cos(A + B).T @ u][i]
    np.testing.assert_allclose(got, want, rtol=1e-14)


@pytest.mark.parametrize("how", ["auto", "select", "loop"])
def test_transposition_where_lanes_decide_apart(how: str) -> None:
    """A derivative rule that is traced and transposed, with a decision by the primal."""

    @cv.custom_jvp
    def f(x: Any) -> Any:
        return np.where(x > 0, x * x, 3.0 * x)

    @f.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (x,), (t,) = primals, tangents
        slope = cv.cond(x > 0, lambda x, t: 2.0 * x * t, lambda x, t: 3.0 * t, x, t, branch=how)
        return f(x), slope

    xs = np.array([1.0, -2.0, 3.0])
    np.testing.assert_array_equal(cv.vmap(cv.grad(f))(xs), [2.0, 3.0, 6.0])
    np.testing.assert_array_equal(cv.vmap(lambda x: cv.jvp(f, (x,), (1.0,))[1])(xs), [2.0, 3.0, 6.0])


def test_pullback_pickles() -> None:
    i = np.array([0, 1, 0])
    _, pull = cv.vjp(_Lanes(i), np.stack([X, X, Y]), np.stack([Y, X, X]))
    again = pickle.loads(pickle.dumps(pull))
    ct = np.ones((3, 3)), np.full((3, 3), 2.0)
    for a, b in zip(pull(ct), again(ct), strict=True):
        np.testing.assert_array_equal(a, b)


class _Lanes:
    def __init__(self, index: Any) -> None:
        self.index = index

    def __call__(self, x: Any, y: Any) -> Any:
        return cv.vmap(lambda i, x, y: tuple(branch_p(i, x, y, branches=TWO, how="auto")))(self.index, x, y)


def test_unmapped_index_stays_one_decision() -> None:
    graph = cv.make_graph(cv.vmap(lambda x, y: branch_p(np.int64(1), x, y, branches=TWO, how="auto")))(
        np.stack([X, Y]), np.stack([Y, X])
    )
    (equation,) = graph.equations
    assert equation.primitive is branch_p
    assert [v.shape for v in equation.outputs] == [(2, 3), (2, 3)]


def test_results_that_no_lane_changes_are_not_mapped() -> None:
    programs = _programs([lambda x: [x, np.ones(2)], lambda x: [-x, np.zeros(2)]], X)

    def f(x: Any) -> Any:
        return branch_p(np.int64(0), x, branches=programs, how="auto")

    a, b = cv.vmap(f, out_axes=(0, None))(np.stack([X, Y]))
    np.testing.assert_array_equal(a, [X, Y])
    np.testing.assert_array_equal(b, [1.0, 1.0])


def test_results_mapped_in_one_branch_only() -> None:
    programs = _programs([lambda x: [x], lambda x: [np.ones(3)]], X)
    for i, want in enumerate([np.stack([X, Y]), np.ones((2, 3))]):
        got = cv.vmap(lambda x, i=i: branch_p(np.int64(i), x, branches=programs, how="auto")[0])(np.stack([X, Y]))
        np.testing.assert_array_equal(got, want)


def test_auto_evaluates_each_branch_for_its_lanes_only() -> None:
    seen: list[tuple[str, int]] = []

    programs = _programs([lambda x: [np.sin(x)], lambda x: [np.cos(x)]], X)
    sin, cos = programs[0].equations[0].primitive, programs[1].equations[0].primitive
    impls = sin.impl, cos.impl
    try:
        sin.impl = lambda x: (seen.append(("sin", len(x))), np.sin(x))[1]
        cos.impl = lambda x: (seen.append(("cos", len(x))), np.cos(x))[1]
        i = np.array([0, 1, 1, 0, 1])
        out = cv.vmap(lambda i, x: branch_p(i, x, branches=programs, how="auto")[0])(i, np.arange(15.0).reshape(5, 3))
    finally:
        sin.impl, cos.impl = impls
    assert sorted(seen) == [("cos", 3), ("sin", 2)]
    want = [(np.sin, np.cos)[k](row) for k, row in zip(i, np.arange(15.0).reshape(5, 3), strict=True)]
    np.testing.assert_allclose(out, want)


def test_cost_counts_loops_and_elements() -> None:
    small = _programs([lambda x: [x + 1.0]], X)[0]
    large = _programs([lambda x: [np.exp(x) + np.sin(x)]], np.zeros(100))[0]
    assert work(small) == (3.0, False)
    assert work(large)[0] > 1000.0
