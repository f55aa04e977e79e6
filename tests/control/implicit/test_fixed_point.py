"""`fixed_point`: every solver, both modes, batched and compiled, against formulas."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector

TOL = {"rtol": 1e-8, "atol": 1e-9}
SOLVERS = ["picard", "anderson", "newton"]


def close(got: Any, want: Any, **tol: float) -> None:
    gots, wants = covector.tree.leaves(got), covector.tree.leaves(want)
    assert len(gots) == len(wants)
    for g, w in zip(gots, wants, strict=True):
        np.testing.assert_allclose(g, w, **{**TOL, **tol})


def cosine(solver: str) -> Callable[[Any], Any]:
    """x = cos(a x), with x' = -x sin(a x) / (1 + a sin(a x))."""
    return lambda a: covector.fixed_point(lambda x: np.cos(a * x), 0.5, solver=solver)


def slope(x: Any, a: Any) -> Any:
    return -x * np.sin(a * x) / (1 + a * np.sin(a * x))


def curvature(x: Any, a: Any) -> Any:
    """The derivative of `slope`, in which x depends on a."""
    return covector.grad(slope, 1)(x, a) + covector.grad(slope, 0)(x, a) * slope(x, a)


@pytest.mark.parametrize("solver", SOLVERS)
class TestSolvers:
    def test_value_and_both_modes(self, solver: str) -> None:
        f = cosine(solver)
        x = f(0.9)
        close(x, np.cos(0.9 * x))
        assert isinstance(x, np.float64)
        close(covector.grad(f)(0.9), slope(x, 0.9))
        close(covector.jacfwd(f)(0.9), slope(x, 0.9))

    @pytest.mark.parametrize("outer", [covector.jacfwd, covector.jacrev])
    @pytest.mark.parametrize("inner", [covector.jacfwd, covector.jacrev])
    def test_second_order(self, outer: Any, inner: Any, solver: str) -> None:
        f = cosine(solver)
        close(outer(inner(f))(0.9), curvature(f(0.9), 0.9))

    def test_batched(self, solver: str) -> None:
        f, a = cosine(solver), np.array([0.0, 0.3, 0.9])
        xs = np.array([f(k) for k in a])
        close(covector.vmap(f)(a), xs)
        close(covector.vmap(covector.grad(f))(a), slope(xs, a))
        close(covector.jacrev(covector.vmap(f))(a), np.diag(slope(xs, a)))
        close(covector.jacfwd(covector.vmap(f))(a), np.diag(slope(xs, a)))

    def test_compiled(self, solver: str) -> None:
        f = cosine(solver)
        x = f(0.9)
        close(covector.jit(f)(0.9), x)
        close(covector.jit(covector.grad(f))(0.9), slope(x, 0.9))
        close(covector.grad(covector.jit(f))(0.9), slope(x, 0.9))
        close(covector.jit(covector.vmap(covector.grad(f)))(np.array([0.9, 0.9])), np.full(2, slope(x, 0.9)))

    def test_trees_and_arguments(self, solver: str) -> None:
        def step(x: Any, w: Any, b: Any) -> Any:
            return {"u": np.tanh(w @ x["v"] + b["shift"]), "v": 0.5 * x["u"]}

        def f(w: Any, b: Any) -> Any:
            return covector.fixed_point(step, {"u": np.zeros(3), "v": np.zeros(3)}, w, b, solver=solver)

        w, b = 0.4 * np.random.default_rng(0).normal(size=(3, 3)), {"shift": 1.0}
        x = f(w, b)
        close(x, step(x, w, b))
        # u = tanh(w u / 2 + b), so that (1 - diag(s) w / 2) du = s (dw u / 2 + db).
        u = x["u"]
        s = 1 - u**2
        inverse = np.linalg.inv(np.eye(3) - s[:, None] * w / 2)
        want_w, want_b = np.einsum("ki,i,j->kij", inverse, s, u / 2), inverse @ s
        for mode in (covector.jacrev, covector.jacfwd):
            dw, db = (mode(f, i)(w, b)["u"] for i in (0, 1))
            close(dw, want_w)
            close(db["shift"], want_b)
        t, ct = np.ones((3, 3)), {"u": np.arange(3.0), "v": np.ones(3)}
        _, moved = covector.jvp(lambda w: f(w, b), (w,), (t,))
        (pulled,) = covector.vjp(lambda w: f(w, b), w)[1](ct)
        close(np.vdot(pulled, t), np.vdot(ct["u"], moved["u"]) + np.vdot(ct["v"], moved["v"]))

    def test_not_arriving(self, solver: str) -> None:
        # x = x + a (1 + x²) has no real solution, unless a is zero.
        f = lambda a: covector.fixed_point(lambda x: x + a * (1.0 + x * x), 0.5, maxiter=7, solver=solver)
        with pytest.raises(RuntimeError, match=f"fixed_point: {solver} did not arrive .* in 7 steps"):
            f(0.1)
        with pytest.raises(RuntimeError, match="did not arrive"):
            covector.grad(f)(0.1)
        assert np.isnan(covector.jit(f)(0.1))

        def g(a: Any) -> Any:
            return covector.fixed_point(
                lambda x: 0.1 * np.cos(x) + a * (1.0 + x + x * x), 0.5, maxiter=7, tol=1e-9, solver=solver
            )

        lanes = covector.vmap(g)(np.array([0.0, 1.0]))
        close(lanes[0], g(0.0))
        assert np.isnan(lanes[1])

    def test_a_singular_step_of_newtons_method(self, solver: str) -> None:
        if solver == "newton":
            with pytest.raises(np.linalg.LinAlgError, match="fixed_point: a step of newton: the matrix is singular"):
                covector.fixed_point(lambda x: x + 1.0, 0.0, solver=solver)
        else:
            with pytest.raises(RuntimeError, match="did not arrive"):
                covector.fixed_point(lambda x: x + 1.0, 0.0, solver=solver, maxiter=20)


def test_the_guess_has_no_derivative() -> None:
    f = lambda a, x0: covector.fixed_point(lambda x: 0.5 * (x + a / x), x0)
    close(covector.grad(f, (0, 1))(4.0, 3.0), (0.25, 0.0))
    close(covector.jacfwd(f, (0, 1))(4.0, 3.0), (0.25, 0.0))


def test_acceleration_takes_fewer_steps() -> None:
    calls = []

    def f(x: Any) -> Any:
        calls.append(1)
        return np.array([[0.5, 0.4], [0.4, 0.5]]) @ x + 1.0

    counts = {}
    for solver in ("picard", "anderson"):
        calls.clear()
        close(covector.fixed_point(f, np.zeros(2), solver=solver), np.full(2, 10.0), rtol=1e-7)
        counts[solver] = len(calls)
    assert counts["anderson"] < counts["picard"] / 10


def test_complex() -> None:
    f = lambda c: covector.fixed_point(lambda z: z * z + c, 0j)
    z = f(0.1 + 0.2j)
    close(z, 0.5 - np.sqrt(0.25 - (0.1 + 0.2j)))
    close(covector.grad(f, holomorphic=True)(0.1 + 0.2j), 1 / (1 - 2 * z))
    close(covector.jacfwd(f, holomorphic=True)(0.1 + 0.2j), 1 / (1 - 2 * z))


def test_single_precision() -> None:
    for solver in SOLVERS:
        f = lambda a, s=solver: covector.fixed_point(lambda x: np.cos(a * x), np.float32(0.5), solver=s)
        assert f(np.float32(0.9)).dtype == np.float32
        np.testing.assert_allclose(covector.grad(f)(np.float32(0.9)), slope(f(0.9), 0.9), rtol=1e-4)


def test_compiled_functions_see_arrays_that_changed() -> None:
    a = np.array([4.0])
    f = covector.jit(lambda x: covector.fixed_point(lambda x: 0.5 * (x + a / x), x))
    close(f(np.ones(1)), np.array([2.0]))
    a[0] = 9.0
    close(f(np.ones(1)), np.array([3.0]))


def test_a_tangent_solver() -> None:
    f = lambda a: covector.fixed_point(lambda x: 0.5 * (x + a / x), 1.0, tangent_solve=lambda g, y: y / g(1.0))
    close(covector.grad(f)(4.0), 0.25)
    close(covector.jacfwd(f)(4.0), 0.25)


def test_a_layer_of_infinite_depth() -> None:
    """Memory and time of the gradient do not depend on the number of steps; its value is that of the unrolled loop."""
    rng = np.random.default_rng(3)
    w, x = 0.5 * rng.normal(size=(80, 80)) / np.sqrt(80), rng.normal(size=80)

    def layer(w: Any) -> Any:
        return np.sum(covector.fixed_point(lambda z: np.tanh(w @ z + x), np.zeros(80)) ** 2)

    def unrolled(w: Any) -> Any:
        z = np.zeros(80)
        for _ in range(60):
            z = np.tanh(w @ z + x)
        return np.sum(z**2)

    close(covector.grad(layer)(w), covector.grad(unrolled)(w), rtol=1e-6)


def test_a_function_that_moves_nothing_has_no_derivative() -> None:
    f = lambda a: covector.fixed_point(lambda x: x + 0.0 * a, 1.0)
    assert f(1.0) == 1.0
    with pytest.raises(np.linalg.LinAlgError, match="fixed_point: the derivative of the equation .* is singular"):
        covector.grad(f)(1.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: covector.fixed_point(1.0, 1.0), TypeError, "fixed_point: f must be a function, got float"),
        (lambda: covector.fixed_point(np.cos, 1.0, solver="banach"), ValueError, "one of picard, anderson, newton"),
        (lambda: covector.fixed_point(np.cos, 1.0, maxiter=1.5), ValueError, "maxiter must be an integer"),
        (lambda: covector.fixed_point(np.cos, 1.0, tangent_solve=2), TypeError, "tangent_solve must be a function"),
        (lambda: covector.fixed_point(np.cos, np.arange(3)), TypeError, "dtype int64; an unknown has to be real"),
        (lambda: covector.fixed_point(lambda x: x[:1], np.ones(2)), TypeError, r"returned is float64\[1\], expected"),
        (lambda: covector.fixed_point(lambda x: (x,), 1.0), TypeError, "returned has the structure"),
        (lambda: covector.fixed_point(lambda x: x * 1j, 1.0), TypeError, r"is complex128\[\], expected float64"),
    ],
)
def test_messages(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
    with pytest.raises(error, match=message):
        covector.grad(lambda a: call() * a)(1.0)
