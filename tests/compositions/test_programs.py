"""Recorded programs, linear maps and recomputation: other routes to what the two modes compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from compositions.cases import Case, cases, differentiable
from covector.core.graph import Graph, Var
from covector.core.primitive import bind
from covector.core.values import dtype_of, shape_of

SMOOTH = cases(differentiable)


def run_checked(graph: Graph, args: Sequence[Any]) -> list[Any]:
    """`Graph.run`, comparing each variable's shape and dtype with what its value turns out to be."""
    values: dict[int, Any] = {}

    def assign(var: Var, value: Any) -> None:
        assert (var.shape, var.dtype) == (shape_of(value), dtype_of(value)), f"{var} of {graph}"
        values[var.index] = value

    def read(x: Any) -> Any:
        return values[x.index] if type(x) is Var else x

    for var, arg in zip(graph.inputs, args, strict=True):
        assign(var, arg)
    for eq in graph:
        out = bind(eq.primitive, [read(x) for x in eq.inputs], eq.params)
        for var, value in zip(eq.outputs, out if eq.primitive.multiple else (out,), strict=True):
            assign(var, value)
    return [read(x) for x in graph.outputs]


@pytest.mark.parametrize("case", cases(lambda c: bool(c.args)))
def test_a_recorded_program_computes_what_was_recorded(case: Case) -> None:
    graph = cv.make_graph(case.fun)(*case.args)
    assert len(graph) >= 1
    case.close(graph.run(*case.args), case.out)
    case.close(run_checked(graph, case.args), case.out)


@pytest.mark.parametrize("mode", ["jvp", "vjp"])
@pytest.mark.parametrize("case", SMOOTH)
def test_derivatives_are_recorded_from_shapes_alone(case: Case, mode: str) -> None:
    """No rule looks at values: the derivative is a program too, with right shapes and dtypes throughout."""
    n = len(case.args)
    if mode == "jvp":
        fun = lambda *a: cv.jvp(case.smooth, a[:n], a[n:])[1]
        args = [*case.args, *case.draw("args", "t")]
    else:
        fun = lambda *a: cv.vjp(case.smooth, *a[:n])[1](a[n:])
        args = [*case.args, *case.draw("out", "u")]
    graph = cv.make_graph(fun)(*args)
    with np.errstate(all="ignore"):
        case.close(run_checked(graph, args), fun(*args))


def single(case: Case) -> bool:
    """Whether all arguments and outputs are in single precision.

    Python numbers and integers are left out, which SciPy's functions and some rules take for double precision, and so
    are rules of matrix functions and changes of dtype.
    """
    p = case.primitive
    names = {
        dtype_of(x).name if isinstance(x, np.ndarray | np.generic) else "weak" for x in [*case.sample.args, *case.out]
    }
    return names <= {"float32", "complex64"} and p.family != "general" and p.name != "convert"


@pytest.mark.parametrize("case", cases(lambda c: differentiable(c) and single(c)))
def test_no_intermediate_value_of_a_derivative_is_wider(case: Case) -> None:
    """Single precision throughout, not narrowed at the end."""
    n = len(case.args)
    graphs = [
        cv.make_graph(case.fun)(*case.args),
        cv.make_graph(lambda *a: cv.jvp(case.smooth, a[:n], a[n:])[1])(*case.args, *case.draw("args", "t")),
        cv.make_graph(lambda *a: cv.vjp(case.smooth, *a[:n])[1](a[n:]))(*case.args, *case.draw("out", "u")),
    ]
    wide = [f"{eq}" for g in graphs for eq in g for v in eq.outputs if v.dtype.name in ("float64", "complex128")]
    assert not wide


@pytest.mark.parametrize("case", cases(lambda c: bool(c.args)))
def test_a_batch_is_recorded_from_shapes_alone(case: Case) -> None:
    xs = [np.stack([x, x]) for x in case.args]
    mapped = cv.vmap(case.fun)
    graph = cv.make_graph(mapped)(*xs)
    case.close(run_checked(graph, xs), mapped(*xs))


@pytest.mark.parametrize("case", SMOOTH)
def test_linearize_is_jvp(case: Case) -> None:
    out, push = cv.linearize(case.smooth, *case.args)
    case.close(out, [case.out[i] for i in case.places])
    for key in ("t", "s"):
        t = case.draw("args", key)
        case.close(push(*t), cv.jvp(case.smooth, tuple(case.args), t)[1])


@pytest.mark.parametrize("case", SMOOTH)
def test_checkpointed_is_plain(case: Case) -> None:
    again = cv.checkpoint(case.smooth)
    xs, t, u = tuple(case.args), case.draw("args", "t"), case.draw("out", "u")
    case.close(again(*xs), [case.out[i] for i in case.places])
    case.close(cv.jvp(again, xs, t)[1], cv.jvp(case.smooth, xs, t)[1])
    case.close(cv.vjp(again, *xs)[1](u), cv.vjp(case.smooth, *xs)[1](u))
    pull_again, pull = (lambda *ys, f=f: cv.vjp(f, *ys)[1](u) for f in (again, case.smooth))
    case.close(cv.jvp(pull_again, xs, t)[1], cv.jvp(pull, xs, t)[1])
    lanes = [np.stack([x, x]) for x in xs]
    case.close(cv.vmap(again)(*lanes), cv.vmap(case.smooth)(*lanes))
    case.close(cv.vmap(pull_again)(*lanes), cv.vmap(pull)(*lanes))


def linear_in(case: Case) -> list[int]:
    """The arguments in each of which the primitive is linear by its declaration."""
    family = case.primitive.family
    if family == "linear":
        return [0] if case.active[0] == 0 else []
    return list(range(len(case.args))) if family == "multilinear" else []


@pytest.mark.parametrize("case", cases(lambda c: differentiable(c) and bool(linear_in(c))))
def test_linear_primitives_transpose_without_values(case: Case) -> None:
    u = case.draw("out", "u")
    for i in linear_in(case):

        def of_one(x: Any, i: int = i) -> Any:
            return case.smooth(*case.args[:i], x, *case.args[i + 1 :])

        x = case.args[i]
        (want,) = cv.vjp(of_one, x)[1](u)
        shape_only = cv.ShapeDtypeStruct(np.shape(x), dtype_of(x))
        transpose = cv.linear_transpose(of_one, shape_only)
        case.close(transpose(u), [want])
        # A linear function is its own derivative, and transposing twice leads back.
        (t,) = (case.draw("args", "t")[i],)
        case.close(cv.jvp(of_one, (x,), (t,))[1], of_one(t))
        case.close(cv.vjp(lambda w, f=transpose: f(w)[0], u)[1](t)[0], of_one(t))


@pytest.mark.parametrize("case", cases(lambda c: c.primitive.family == "concat"))
def test_joining_transposes_without_values(case: Case) -> None:
    u = case.draw("out", "u")
    avals = [cv.ShapeDtypeStruct(np.shape(x), dtype_of(x)) for x in case.args]
    case.close(cv.linear_transpose(case.smooth, *avals)(u), cv.vjp(case.smooth, *case.args)[1](u))
