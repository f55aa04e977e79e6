"""`custom_root`: derivatives of roots against those of formulas, whatever the solver is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.optimize

import covector

TOL = {"rtol": 1e-8, "atol": 1e-10}


def close(got: Any, want: Any, **tol: float) -> None:
    gots, wants = covector.tree.leaves(got), covector.tree.leaves(want)
    assert len(gots) == len(wants)
    for g, w in zip(gots, wants, strict=True):
        np.testing.assert_allclose(g, w, **{**TOL, **tol})


# --- solvers of every kind --------------------------------------------------------------------------------------------


def by_scipy(f: Any, x: Any) -> Any:
    return scipy.optimize.newton(f, x, tol=1e-14)


def by_loop(f: Any, x: Any) -> Any:
    """A loop that covector can record."""

    def step(x: Any) -> Any:
        y, slope = covector.jvp(f, (x,), (1.0,))
        return x - y / slope

    return covector.while_loop(lambda x: np.abs(f(x)) > 1e-14, step, x)


def by_steps(f: Any, x: Any) -> Any:
    """A fixed number of steps."""
    for _ in range(12):
        y, slope = covector.jvp(f, (x,), (1.0,))
        x = x - y / slope
    return x


def by_values(f: Any, x: Any) -> Any:
    """A Python loop that looks at values."""
    while abs(f(x)) > 1e-14:
        y, slope = covector.jvp(f, (x,), (1.0,))
        x = x - y / slope
    return x


SOLVERS = [by_scipy, by_loop, by_steps, by_values]


def kepler(solve: Any) -> Callable[[Any, Any], Any]:
    """x - e sin x = m, with ∂x/∂e = sin x / (1 - e cos x) and ∂x/∂m = 1 / (1 - e cos x)."""
    return lambda e, m: covector.custom_root(lambda x: x - e * np.sin(x) - m, 1.0, solve)


def first(x: Any, e: Any) -> tuple[Any, Any]:
    return np.sin(x) / (1 - e * np.cos(x)), 1 / (1 - e * np.cos(x))


def second(x: Any, e: Any) -> Any:
    """∂²x/∂m²."""
    return -e * np.sin(x) / (1 - e * np.cos(x)) ** 3


@pytest.mark.parametrize("solve", SOLVERS)
class TestScalarRoots:
    def test_value_and_both_modes(self, solve: Any) -> None:
        f = kepler(solve)
        x = f(0.5, 1.2)
        close(x - 0.5 * np.sin(x), 1.2)
        close(covector.grad(f, (0, 1))(0.5, 1.2), first(x, 0.5))
        close(covector.jacfwd(f, (0, 1))(0.5, 1.2), first(x, 0.5))

    @pytest.mark.parametrize("outer", [covector.jacfwd, covector.jacrev])
    @pytest.mark.parametrize("inner", [covector.jacfwd, covector.jacrev])
    def test_second_and_third_order(self, outer: Any, inner: Any, solve: Any) -> None:
        f = kepler(solve)
        x = f(0.5, 1.2)
        close(outer(inner(f, 1), 1)(0.5, 1.2), second(x, 0.5))
        third = covector.grad(lambda m: second(f(0.5, m), 0.5))(1.2)
        close(covector.grad(outer(inner(f, 1), 1), 1)(0.5, 1.2), third)

    def test_batched(self, solve: Any) -> None:
        f, es = kepler(solve), np.array([0.1, 0.5, 0.8])
        xs = np.array([f(e, 1.2) for e in es])
        mapped = covector.vmap(f, (0, None))
        close(mapped(es, 1.2), xs)
        close(covector.vmap(covector.grad(f), (0, None))(es, 1.2), first(xs, es)[0])
        close(covector.jacrev(mapped)(es, 1.2), np.diag(first(xs, es)[0]))
        close(covector.jacfwd(mapped)(es, 1.2), np.diag(first(xs, es)[0]))
        close(covector.grad(lambda m: np.sum(mapped(es, m)))(1.2), np.sum(first(xs, es)[1]))
        close(covector.vmap(mapped, (None, 0))(es, np.array([1.2, 2.0]))[0], xs)
        assert mapped(es[:0], 1.2).shape == (0,)

    def test_compiled(self, solve: Any) -> None:
        f = kepler(solve)
        x = f(0.5, 1.2)
        close(covector.jit(f)(0.5, 1.2), x)
        g = covector.jit(covector.grad(f))
        close(g(0.5, 1.2), first(x, 0.5)[0])
        close(g(0.2, 0.7), first(f(0.2, 0.7), 0.2)[0])
        close(covector.grad(covector.jit(f))(0.5, 1.2), first(x, 0.5)[0])
        close(covector.jit(covector.vmap(covector.grad(f), (0, None)))(np.array([0.5]), 1.2), [first(x, 0.5)[0]])

    def test_in_a_loop(self, solve: Any) -> None:
        def total(e: Any) -> Any:
            return covector.scan(lambda c, m: (c + kepler(solve)(e, m), None), 0.0, np.array([0.5, 1.2]))[0]

        want = sum(first(kepler(solve)(0.5, m), 0.5)[0] for m in (0.5, 1.2))
        close(covector.grad(total)(0.5), want)
        close(covector.jit(covector.grad(total))(0.5), want)


def test_the_solver_is_not_differentiated() -> None:
    seen = []

    def solve(f: Any, x: Any) -> Any:
        seen.append((type(x), type(f(x))))
        return scipy.optimize.newton(f, x)

    x0 = covector.grad(lambda a: covector.custom_root(lambda x: x * x - a, a, solve))(4.0)
    close(x0, 0.25)
    assert seen == [(np.float64, np.float64)]


def test_what_the_solver_closes_over_has_no_derivative() -> None:
    f = lambda a, b: covector.custom_root(lambda x: x * x - a, 1.0, lambda f, x: by_steps(f, x) + 0.0 * b + b - b)
    close(covector.grad(f, (0, 1))(4.0, 3.0), (0.25, 0.0))
    close(covector.jacfwd(f, (0, 1))(4.0, 3.0), (0.25, 0.0))


def test_the_guess_has_no_derivative_and_chooses_the_root() -> None:
    f = lambda a, x0: covector.custom_root(lambda x: x * x - a, x0, by_scipy)
    for sign in (1.0, -1.0):
        close(f(4.0, sign), 2.0 * sign)
        close(covector.grad(f, (0, 1))(4.0, sign), (0.25 * sign, 0.0))


# --- systems ----------------------------------------------------------------------------------------------------------


def by_hybrid(f: Any, x: Any) -> Any:
    return scipy.optimize.root(f, x, tol=1e-13).x


def test_systems() -> None:
    rng = np.random.default_rng(1)
    a, c = rng.normal(size=(4, 4)) * 0.3, rng.normal(size=4)
    f = lambda a: covector.custom_root(lambda x: x + np.tanh(a @ x) - c, np.zeros(4), by_hybrid)
    x = f(a)
    slope = 1 - np.tanh(a @ x) ** 2
    jacobian = np.eye(4) + slope[:, None] * a
    # dF = diag(slope) da x, so that dx = -J⁻¹ diag(slope) da x.
    want = -np.einsum("ki,i,j->kij", np.linalg.inv(jacobian), slope, x)
    close(covector.jacrev(f)(a), want)
    close(covector.jacfwd(f)(a), want)
    close(covector.jit(covector.jacrev(f))(a), want)
    both = covector.vmap(covector.jacrev(f))(np.stack([a, 0.5 * a]))
    close(both[0], want)
    t, ct = rng.normal(size=(4, 4)), rng.normal(size=4)
    close(np.vdot(ct, covector.jvp(f, (a,), (t,))[1]), np.vdot(covector.vjp(f, a)[1](ct)[0], t))
    curvature = covector.jvp(lambda a: covector.vjp(f, a)[1](ct)[0], (a,), (t,))[1]
    step = 1e-5
    differences = [covector.vjp(f, a + s * step * t)[1](ct)[0] for s in (1, -1)]
    close(curvature, (differences[0] - differences[1]) / (2 * step), rtol=1e-5, atol=1e-8)


def test_bilevel_optimisation() -> None:
    """The gradient of a validation loss with respect to the weight of ridge regression, which has a formula."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(30, 5)), rng.normal(size=30)
    xv, yv = rng.normal(size=(20, 5)), rng.normal(size=20)

    def loss(w: Any, weight: Any) -> Any:
        return np.mean((x @ w - y) ** 2) + weight * np.sum(w**2)

    def fitted(weight: Any) -> Any:
        plain = covector.stop_gradient(weight)

        def solve(_: Any, w: Any) -> Any:
            options = {"gtol": 1e-12}
            found = scipy.optimize.minimize(
                covector.value_and_grad(lambda w: loss(w, plain)), w, jac=True, options=options
            )
            return found.x

        return covector.custom_root(lambda w: covector.grad(loss)(w, weight), np.zeros(5), solve)

    def formula(weight: Any) -> Any:
        return np.linalg.solve(x.T @ x / 30 + weight * np.eye(5), x.T @ y / 30)

    validation = lambda fit: lambda weight: np.mean((xv @ fit(weight) - yv) ** 2)
    got, want = validation(fitted), validation(formula)
    close(got(0.3), want(0.3), rtol=1e-6)
    close(covector.grad(got)(0.3), covector.grad(want)(0.3), rtol=1e-6)
    close(covector.grad(covector.grad(got))(0.3), covector.grad(covector.grad(want))(0.3), rtol=1e-5)


def test_trees_and_constants() -> None:
    def f(p: Any) -> Any:
        def equations(x: Any) -> Any:
            u, v = x["u"], x["v"]
            return {"u": p["a"] * u - p["n"] * v[0], "v": v - np.stack([p["a"], u * p["a"]])}

        def solve(f: Any, x: Any) -> Any:
            for _ in range(8):
                slopes = covector.jacfwd(f)(x)
                matrix = np.block([[slopes["u"]["u"], slopes["u"]["v"]], [slopes["v"]["u"][:, None], slopes["v"]["v"]]])
                y = f(x)
                step = np.linalg.solve(matrix, np.concatenate([[y["u"]], y["v"]]))
                x = {"u": x["u"] - step[0], "v": x["v"] - step[1:]}
            return x

        return covector.custom_root(equations, {"u": 1.0, "v": np.ones(2)}, solve)

    p = {"a": 2.0, "n": np.array(3)}
    # u = n, v = (a, n a).
    close(f(p), {"u": 3.0, "v": np.array([2.0, 6.0])})
    pulled = covector.vjp(f, p)[1]({"u": np.float64(1.0), "v": np.array([10.0, 100.0])})[0]
    close(pulled["a"], 310.0)
    assert pulled["n"] is None


def test_aux() -> None:
    def solve(f: Any, x: Any) -> Any:
        found = scipy.optimize.root(f, x, tol=1e-13)
        return found.x, {"calls": found.nfev, "message": found.message, "half": found.x / 2}

    f = lambda a: covector.custom_root(lambda x: x * x - a, np.ones(2), solve, has_aux=True)
    a = np.array([4.0, 9.0])
    x, aux = f(a)
    close((x, aux["half"]), (np.array([2.0, 3.0]), np.array([1.0, 1.5])))
    assert isinstance(aux["calls"], int) and isinstance(aux["message"], str)
    jacobian, aux = covector.jacrev(f, has_aux=True)(a)
    close(jacobian, np.diag([0.25, 1 / 6]))
    assert isinstance(aux["message"], str) and type(aux["half"]) is np.ndarray
    # As an output it is a constant.
    close(covector.jacfwd(lambda a: f(a)[1]["half"])(a), np.zeros((2, 2)))
    counted = lambda a: covector.custom_root(
        lambda x: x * x - a, np.ones(2), lambda f, x: (by_hybrid(f, x), 7), None, True
    )
    x, count = covector.vmap(counted)(np.stack([a, a]))
    close((x[1], count), (np.array([2.0, 3.0]), np.array([7, 7])))


def test_complex_roots() -> None:
    f = lambda a: covector.custom_root(lambda z: z * z - a, 1.0 + 1.0j, by_scipy)
    close(f(2j), 1 + 1j)
    close(covector.grad(f, holomorphic=True)(2j), 0.5 / (1 + 1j))
    close(covector.jacfwd(f, holomorphic=True)(2j), 0.5 / (1 + 1j))
    # z + z̄/2 = a is linear over the real numbers only: z = (4a - 2ā)/3.
    g = lambda a: covector.custom_root(
        lambda z: z + np.conj(z) / 2 - a, 0j, lambda f, z: (-4 * f(z) + 2 * np.conj(f(z))) / 3
    )
    close(g(3 + 6j), 2 + 12j)
    close(covector.jvp(g, (3 + 6j,), (1j,))[1], 2j)
    close(covector.jvp(g, (3 + 6j,), (1 + 0j,))[1], 2 / 3)


def test_python_branches_are_taken_as_at_the_solution() -> None:
    f = lambda a: covector.custom_root(lambda x: 2 * x - a if x > 0 else x - a, 0.5, by_scipy)
    for a, slope in ((4.0, 0.5), (-4.0, 1.0)):
        close(f(a), a * slope)
        close(covector.grad(f)(a), slope)
        close(covector.jacfwd(f)(a), slope)
    with pytest.raises(covector.ConcretizationError):
        covector.vmap(f)(np.array([4.0, -4.0]))


def test_large_systems_are_solved_without_their_matrix() -> None:
    n = 300

    def equations(x: Any, k: Any) -> Any:
        return k * x**3 + 3 * x - np.roll(x, 1) - np.linspace(0.0, 1.0, n)

    def solve(f: Any, x: Any) -> Any:
        for _ in range(8):
            x = x - np.linalg.solve(covector.jacfwd(f)(x), f(x))
        return x

    f = lambda k: covector.custom_root(lambda x: equations(x, k), np.zeros(n), solve)
    x = f(1.0)
    want = -np.linalg.solve(covector.jacfwd(equations)(x, 1.0), x**3)
    close(covector.jacfwd(f)(1.0), want, rtol=1e-7, atol=1e-9)
    close(covector.grad(lambda k: np.sum(f(k)))(1.0), np.sum(want), rtol=1e-7)


def test_a_tangent_solver() -> None:
    calls = []

    def tangent_solve(g: Any, y: Any) -> Any:
        calls.append(y)
        return y / g(1.0)

    f = lambda a: covector.custom_root(lambda x: x * x - a, 1.0, by_scipy, tangent_solve)
    for derivative in (covector.grad(f), covector.jacfwd(f), covector.jit(covector.grad(f))):
        close(derivative(4.0), 0.25)
    close(covector.hessian(f)(4.0), -1 / 32)
    close(covector.vmap(covector.grad(f))(np.array([4.0, 9.0])), np.array([1 / 4, 1 / 6]))
    assert calls


def test_no_grad_and_other_threads_of_derivatives() -> None:
    f = kepler(by_scipy)

    def outside(e: Any) -> Any:
        with covector.no_grad():
            return f(e, 1.0) * 1.0

    assert covector.grad(lambda e: outside(e) + e)(0.5) == 1.0

    def inner(e: Any, t: Any) -> Any:
        return covector.jvp(lambda m: f(e, m), (1.0,), (t,))[1]

    x = f(0.5, 1.0)
    dx = np.sin(x) / (1 - 0.5 * np.cos(x))
    want = (np.cos(x) - 0.5 * np.sin(x) * dx) / (1 - 0.5 * np.cos(x)) ** 2
    close(covector.grad(inner)(0.5, 1.0), want)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [covector.grad, covector.jacfwd])
def test_a_singular_derivative(transform: Any) -> None:
    f = lambda a: covector.custom_root(lambda x: x * x - a, 1.0, lambda f, x: 0.0 * x)
    assert f(0.0) == 0.0
    with pytest.raises(np.linalg.LinAlgError, match="custom_root: the derivative of the equation .* is singular"):
        transform(f)(0.0)


def identity(f: Any, x: Any) -> Any:
    return x


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: covector.custom_root(1.0, 1.0, identity), TypeError, "custom_root: f must be a function, got float"),
        (lambda: covector.custom_root(np.sin, 1.0, None), TypeError, "custom_root: solve must be a function"),
        (lambda: covector.custom_root(np.sin, 1.0, identity, 3), TypeError, "custom_root: tangent_solve must be"),
        (lambda: covector.custom_root(np.sin, np.arange(3), identity), TypeError, r"dtype int64; an unknown has to be"),
        (lambda: covector.custom_root(np.sin, {"a": "x"}, identity), TypeError, r"guess, leaf \['a'\]"),
        (lambda: covector.custom_root(np.sin, 1.0, lambda f, x: np.ones(1)), TypeError, r"is float64\[1\], expected"),
        (lambda: covector.custom_root(np.sin, 1.0, lambda f, x: (x, x)), TypeError, "returned has the structure"),
        (lambda: covector.custom_root(np.sin, 1.0, lambda f, x: 1j), TypeError, r"is complex128\[\], expected float64"),
        (lambda: covector.custom_root(np.sin, 1.0, identity, has_aux=True), TypeError, r"must return a pair"),
        (
            lambda: covector.custom_root(np.sin, 1.0, lambda f, x: f(np.ones(2))),
            TypeError,
            "the argument of f is float",
        ),
        (
            lambda: covector.custom_root(lambda x: x[:1], np.ones(2), lambda f, x: f(x)),
            TypeError,
            r"returned is float64\[1\], expected float64\[2\], as in the initial guess",
        ),
    ],
)
def test_messages(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
    with pytest.raises(error, match=message):
        covector.grad(lambda a: call() * a)(1.0)


def test_lanes_that_a_collective_joins() -> None:
    mean = lambda x: covector.pmean(x, "i")
    calls = [
        lambda a: covector.custom_root(lambda x: mean(x) * x - a, 1.0, by_steps),
        lambda a: covector.fixed_point(lambda x: np.cos(mean(x) * a), 0.5),
        lambda a: covector.linear_solve(lambda x: a * x + mean(x), a),
    ]
    for call in calls:
        for fun in (call, covector.grad(call), covector.jit(call)):
            with pytest.raises(covector.NotDifferentiableError, match="exchanges values over the axis 'i'"):
                covector.vmap(fun, axis_name="i")(np.array([0.5, 0.7]))
    # Outside of the map it is one problem, and a name that the function does not use is no matter.
    whole = lambda a: covector.fixed_point(lambda x: np.cos(np.mean(x) * a), np.full(2, 0.5))
    assert covector.jacrev(whole)(np.array([0.5, 0.7])).shape == (2, 2)
    root = covector.vmap(
        covector.grad(lambda a: covector.custom_root(lambda x: x * x - a, 1.0, by_steps)), axis_name="i"
    )
    close(root(np.array([4.0, 9.0])), np.array([1 / 4, 1 / 6]))


def test_an_error_of_the_solver_is_raised_as_it_is() -> None:
    def solve(f: Any, x: Any) -> Any:
        raise ZeroDivisionError("mine")

    for transform in (covector.grad, covector.vmap, covector.jit):
        x = np.ones(2) if transform is covector.vmap else 1.0
        with pytest.raises(ZeroDivisionError, match="mine"):
            transform(lambda a: covector.custom_root(lambda y: y - a, 1.0, solve))(x)
    assert covector.grad(np.sin)(0.0) == 1.0
