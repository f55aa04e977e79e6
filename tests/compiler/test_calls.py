"""Programs of compiled functions and of their derivatives: what is made once, kept, shared, and where they end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from compiler.nestings import ARGUMENTS, FUNCTIONS, NESTINGS
from covector.compiler.calls import program as calls_program
from covector.compiler.calls.program import Program
from covector.compiler.jit import jit
from covector.core.graph import record
from covector.core.values import Aval

# --- what is kept and what is made once -------------------------------------------------------------------------------


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The programs made during the test."""
    found: list[Any] = []
    init = Program.__init__

    def counted(self: Any, *args: Any) -> None:
        init(self, *args)
        found.append(self)

    monkeypatch.setattr(calls_program.Program, "__init__", counted)
    return found


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("nesting", sorted(n for n in NESTINGS if "jit" not in n))
def test_programs_are_made_once(nesting: str, made: list[Any]) -> None:
    f, x = jit(FUNCTIONS["normalized"]), ARGUMENTS["vector"]
    NESTINGS[nesting](f, x)
    count = len(made)
    assert (count > 0) == (nesting != "value")
    for k in range(3):
        NESTINGS[nesting](f, x * k)
    assert len(made) == count


def test_a_program_for_each_set_of_arguments_and_outputs() -> None:
    f = jit(lambda x, y: (x * y, np.sin(x), np.cos(y)))
    x, y = np.arange(3.0), np.ones(3)
    assert_allclose(cv.grad(lambda x: np.sum(f(x, y)[0]))(x), y)
    assert_allclose(cv.grad(lambda y: np.sum(f(x, y)[0]))(y), x)
    assert_allclose(cv.grad(lambda x: np.sum(f(x, y)[1]))(x), np.cos(x))
    assert_allclose(cv.grad(lambda x: np.sum(f(x, y)[2]))(x), 0 * x)
    gx, gy = cv.grad(lambda x, y: np.sum(f(x, y)[0]) + np.sum(f(x, y)[2]), (0, 1))(x, y)
    assert_allclose(gx, y)
    assert_allclose(gy, x - np.sin(y))


def forward_and_backward(f: Callable[..., Any], *args: Any) -> tuple[Any, Any]:
    program = Program(record(lambda *xs: [f(*xs)], [Aval(np.shape(x), np.asarray(x).dtype) for x in args], "test"))
    reverse = program.reverse([True] * len(args))
    return reverse.forward.graph, reverse.pull([True]).program.graph


BIG = np.ones(10_000)


@pytest.mark.parametrize(
    ("f", "kept"),
    [
        (lambda x: x * 2 + 1, []),
        (lambda x: np.sin(x), []),
        (lambda x: np.exp(x), []),  # the output
        (lambda x: np.sin(x * 3 - 1), []),  # two operations, made again
        (lambda x: np.sin(np.exp(x)), [(10_000,)]),
        (lambda x: np.sum(np.exp(x)), [(10_000,)]),
        (lambda x: np.sin(np.sum(x * x)), [()]),
        (lambda x: np.sum((x - np.mean(x)) ** 2), [()]),  # not the array of differences
        (lambda x: np.sum(np.where(x > 1, x * x, -x)), []),
        (lambda x: np.sum(np.outer(x[:100], x[:100]) ** 3), []),  # not the 10,000 products
        (lambda x: np.sum(np.tanh(np.tanh(np.tanh(x)))), [(10_000,)] * 2),
    ],
)
def test_few_arrays_are_kept(f: Callable[..., Any], kept: list[Any]) -> None:
    forward, _ = forward_and_backward(f, BIG)
    assert sorted(v.shape for v in forward.outputs[1:]) == kept


def test_the_backward_pass_does_not_repeat_expensive_work() -> None:
    _, backward = forward_and_backward(lambda x: np.sum(np.sin(np.exp(x) @ np.ones((10_000, 2)))), BIG)
    names = [eq.primitive.name for eq in backward]
    assert "exp" not in names and names.count("matmul") <= 1


# --- derivatives that end ---------------------------------------------------------------------------------------------


def test_no_grad_and_stop_gradient_inside() -> None:
    @jit
    def f(x: Any) -> Any:
        with cv.no_grad():
            c = x**2
        return (x - c) * cv.stop_gradient(x)

    for derivative in (cv.grad, cv.jacrev, cv.jacfwd, lambda f: lambda x: cv.jvp(f, (x,), (1.0,))[1]):
        assert derivative(f)(3.0) == 3.0
    assert cv.grad(cv.grad(f))(3.0) == 0.0
    assert_array_equal(cv.vmap(cv.grad(f))(np.array([3.0, 4.0])), [3.0, 4.0])


def test_no_grad_around() -> None:
    f = jit(np.sin)

    def g(x: Any) -> Any:
        with cv.no_grad():
            c = f(x)
        return c * x

    assert_allclose(cv.grad(g)(0.5), np.sin(0.5), rtol=1e-15)
    assert_allclose(cv.jvp(g, (0.5,), (1.0,))[1], np.sin(0.5), rtol=1e-15)


def test_outputs_and_inputs_without_derivative() -> None:
    @jit
    def f(x: Any, n: Any, nothing: Any) -> Any:
        return {"count": np.argmax(x) + n, "none": nothing, "sign": np.sign(x), "y": x * n}

    x = np.array([1.0, 3.0, 2.0])
    out, pullback = cv.vjp(lambda x: f(x, 2, None), x)
    assert out["count"] == 3 and out["none"] is None
    assert_array_equal(out["sign"], 1.0)
    (ct,) = pullback({"count": None, "none": None, "sign": np.ones(3), "y": np.ones(3)})
    assert_array_equal(ct, 2.0)
    _, pullback = cv.vjp(lambda tree: f(tree["x"], tree["n"], None)["y"], {"x": x, "n": np.array(2)})
    (ct,) = pullback(np.ones(3))
    assert ct["n"] is None
    assert_array_equal(ct["x"], 2.0)


def test_what_does_not_depend_on_the_argument_is_a_constant() -> None:
    f = jit(lambda x, y: (x * 2, y * 2))

    def g(x: Any) -> Any:
        a, b = f(x, np.ones(2))
        assert type(b) is np.ndarray or not isinstance(np.asarray(b), type(a))
        return a, b

    with pytest.raises(RuntimeError, match="does not depend"):
        cv.jvp(lambda x: g(x)[1], (np.ones(2),), (np.ones(2),), strict=True)
    with pytest.raises(RuntimeError, match="depends on input 1"):
        cv.functional.vjp(jit(lambda x, y: x * 2), (np.ones(()), np.ones(())), strict=True)


def test_weak_numbers_stay_weak() -> None:
    f = jit(lambda x, s: x * s)
    x = np.ones(3, np.float32)
    assert f(x, 2.0).dtype == np.float32
    out, tangent = cv.jvp(lambda s: f(x, s), (2.0,), (1.0,))
    assert out.dtype == tangent.dtype == np.float32
    ct = cv.grad(lambda s: np.sum(f(x, s)))(2.0)
    assert ct == 3.0 and ct.dtype == np.float64
    assert cv.grad(lambda x: np.sum(f(x, np.float64(2.0))))(x).dtype == np.float32


# --- values of other transforms ---------------------------------------------------------------------------------------


def test_closed_over_values_of_an_outer_transform() -> None:
    def f(s: Any) -> Any:
        return cv.grad(jit(lambda x: np.sum(np.sin(x * s))))(np.ones(3))[0]

    want = np.cos(0.7) - 0.7 * np.sin(0.7)
    assert_allclose(cv.grad(f)(0.7), want, rtol=1e-14)
    assert_allclose(cv.jvp(f, (0.7,), (1.0,))[1], want, rtol=1e-14)
    assert_allclose(cv.vmap(f)(np.array([0.7, 0.2])), [0.7 * np.cos(0.7), 0.2 * np.cos(0.2)], rtol=1e-14)


def test_the_same_function_closes_over_an_array_and_then_over_a_traced_value() -> None:
    w = np.ones(3)
    f = jit(lambda x: np.sum(x * w))
    for _ in range(3):
        assert f(np.ones(3)) == 3.0

    def g(v: Any) -> Any:
        nonlocal w
        w = v
        return f(np.full(3, 2.0))

    assert_array_equal(cv.grad(g)(np.ones(3)), 2.0)
    w = np.full(3, 4.0)
    assert f(np.ones(3)) == 12.0


class Holder:
    weight: Any = 1.0


def test_traced_values_in_an_object() -> None:
    holder = Holder()
    f = jit(lambda x: x * holder.weight)

    def g(w: Any) -> Any:
        holder.weight = w
        return f(3.0) * cv.grad(f)(1.0)

    assert_allclose(cv.grad(g)(2.0), 12.0)
    assert_allclose(cv.jvp(g, (5.0,), (1.0,))[1], 30.0)


def test_a_rule_that_closes_over_an_outer_value() -> None:
    def outer(s: Any) -> Any:
        @cv.custom_jvp
        def f(x: Any) -> Any:
            return s * x

        f.defjvp(lambda primals, tangents: (f(*primals), s * tangents[0]))
        return cv.grad(jit(lambda x: f(x) ** 2))(3.0)

    assert_allclose(cv.grad(outer)(2.0), 24.0, rtol=1e-15)
    assert_allclose(cv.vmap(outer)(np.array([1.0, 2.0])), [6.0, 24.0], rtol=1e-15)


# --- branches on values -----------------------------------------------------------------------------------------------


def test_derivatives_follow_the_branch_of_the_value() -> None:
    f = jit(lambda x: x**2 if x > 0 else -x)
    for _ in range(2):
        assert cv.grad(f)(3.0) == 6.0
        assert cv.grad(f)(-3.0) == -1.0
        assert cv.grad(cv.grad(f))(3.0) == 2.0
        assert cv.jvp(f, (-3.0,), (2.0,))[1] == -2.0
    assert f.cache_info().specialisations == 2


def test_a_branch_on_a_mapped_value_is_refused() -> None:
    f = jit(lambda x, n: x * 2 if n > 0 else x)
    x = np.ones(3)
    for _ in range(2):
        with pytest.raises(cv.ConcretizationError, match=r"np\.where"):
            cv.vmap(f)(x, np.array([1.0, -1.0, 2.0]))
        with pytest.raises(cv.ConcretizationError, match=r"np\.where"):
            cv.vmap(f)(x, x)  # as without jit, although all agree
        assert f(1.0, 1.0) == 2.0
    for n, y in ((1.0, 2.0), (-1.0, 1.0), (1.0, 2.0)):
        assert_array_equal(cv.vmap(f, in_axes=(0, None))(x, n), y)
        assert_array_equal(cv.vmap(cv.grad(f), in_axes=(0, None))(x, n), y)


# --- threads ----------------------------------------------------------------------------------------------------------


def test_many_threads_differentiate_one_function() -> None:
    f = jit(lambda x: np.sum(np.sin(x) * x))
    start = threading.Barrier(8)
    wrong: list[Any] = []

    def work(k: int) -> None:
        x = np.arange(4.0) + k % 2
        start.wait()
        for _ in range(20):
            found = [cv.grad(f)(x), np.diag(cv.hessian(f)(x)), cv.vmap(cv.grad(f))(x[None])[0]]
            want = [np.sin(x) + x * np.cos(x), 2 * np.cos(x) - x * np.sin(x), np.sin(x) + x * np.cos(x)]
            if not all(np.allclose(a, b, rtol=1e-12) for a, b in zip(found, want, strict=True)):
                wrong.append((k, found))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(120)
    assert not any(t.is_alive() for t in threads)
    assert not wrong
