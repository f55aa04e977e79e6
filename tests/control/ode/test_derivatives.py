"""Derivatives of covector.odeint: both adjoints, both modes, against analytic sensitivities and differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv

ADJOINTS = ["discrete", "continuous"]
TIMES = np.array([0.2, 0.7, 1.0, 1.9])
MATRIX = np.array([[-0.3, 1.2], [-0.9, -0.1]])
START = np.array([1.0, -0.5])
TIGHT = {"rtol": 1e-11, "atol": 1e-11}


def linear(y: Any, t: Any, matrix: Any) -> Any:
    return matrix @ y


def driven(y: Any, t: Any, p: Any) -> Any:
    """Not autonomous, not linear, with a pytree of parameters."""
    return np.stack([y[1] + p["force"][0] * np.sin(t), p["mu"] * (1 - y[0] ** 2) * y[1] - y[0] * p["force"][1]])


PARAMETERS = {"mu": 0.7, "force": np.array([0.4, 1.3])}


def dot(a: Any, b: Any) -> Any:
    leaves = zip(cv.tree.leaves(a), cv.tree.leaves(b), strict=True)
    return sum(np.sum(x * y) for x, y in leaves)


def direction(x: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return cv.tree.map(lambda leaf: rng.standard_normal(np.shape(leaf)).astype(np.result_type(leaf))[()], x)


# --- against what is known --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("adjoint", ADJOINTS)
@pytest.mark.parametrize("transform", [cv.jacrev, cv.jacfwd])
def test_the_derivative_in_the_start_is_the_propagator(adjoint: str, transform: Any) -> None:
    from scipy.linalg import expm

    def solve(y: Any) -> Any:
        return cv.odeint(linear, y, TIMES, MATRIX, adjoint=adjoint, **TIGHT)

    want = np.stack([expm(MATRIX * (t - TIMES[0])) for t in TIMES])
    np.testing.assert_allclose(transform(solve)(START), want, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("adjoint", ADJOINTS)
@pytest.mark.parametrize("transform", [cv.jacrev, cv.jacfwd])
def test_the_derivative_in_parameters_is_that_of_the_exponential(adjoint: str, transform: Any) -> None:
    from scipy.linalg import expm

    from covector.scipy import linalg

    def solve(matrix: Any) -> Any:
        return cv.odeint(linear, START, TIMES, matrix, adjoint=adjoint, **TIGHT)[-1]

    want = cv.jacfwd(lambda a: linalg.expm(a * (TIMES[-1] - TIMES[0])) @ START)(MATRIX)
    np.testing.assert_allclose(solve(MATRIX), expm(MATRIX * 1.7) @ START, rtol=1e-9)
    np.testing.assert_allclose(transform(solve)(MATRIX), want, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("adjoint", ADJOINTS)
@pytest.mark.parametrize("transform", [cv.jacrev, cv.jacfwd])
def test_the_derivative_in_time_is_the_slope(adjoint: str, transform: Any) -> None:
    def solve(t: Any) -> Any:
        return cv.odeint(linear, START, t, MATRIX, adjoint=adjoint, **TIGHT)

    got = transform(solve)(TIMES)
    slopes = solve(TIMES) @ MATRIX.T
    want = np.zeros((4, 2, 4))
    for i in range(1, 4):
        want[i, :, i] = slopes[i]
        want[i, :, 0] = -slopes[i]  # autonomous: only differences of times matter
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("adjoint", ADJOINTS)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_start_in_explicit_time(adjoint: str, backwards: bool) -> None:
    # y' = t y has the solution y0 exp((t² - t0²) / 2).
    def solve(y: Any, t: Any) -> Any:
        return cv.odeint(lambda y, t: t * y, y, t, adjoint=adjoint, **TIGHT)[-1]

    t = np.array([0.3, 0.5, 1.4])[:: -1 if backwards else 1]
    value = 2.0 * np.exp((t[-1] ** 2 - t[0] ** 2) / 2)
    by_start, by_times = cv.grad(solve, (0, 1))(2.0, t)
    np.testing.assert_allclose(by_start, value / 2, rtol=1e-8)
    np.testing.assert_allclose(by_times, [-t[0] * value, 0.0, t[-1] * value], rtol=1e-6, atol=1e-8)
    forward = cv.jvp(solve, (2.0, t), (1.0, np.ones(3)))[1]
    np.testing.assert_allclose(forward, value / 2 + (t[-1] - t[0]) * value, rtol=1e-6)


@pytest.mark.parametrize("adjoint", ADJOINTS)
def test_derivatives_agree_with_differences(adjoint: str) -> None:
    def loss(y: Any, p: Any, t: Any) -> Any:
        return np.sum(np.sin(cv.odeint(driven, y, t, p, adjoint=adjoint, **TIGHT)))

    at = (START, PARAMETERS, TIMES)
    along = direction(at, 3)
    step = 1e-5

    def moved(h: float) -> Any:
        return loss(*cv.tree.map(lambda x, v: x + h * v, at, along))

    differences = (moved(step) - moved(-step)) / (2 * step)
    np.testing.assert_allclose(cv.jvp(loss, at, along)[1], differences, rtol=1e-6)
    np.testing.assert_allclose(dot(cv.grad(loss, (0, 1, 2))(*at), along), differences, rtol=1e-6)


# --- the two modes, the two adjoints ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("adjoint", "rtol"), [("discrete", 1e-12), ("continuous", 1e-7)])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_modes_agree(adjoint: str, rtol: float, compiled: bool) -> None:
    def solve(y: Any, p: Any, t: Any) -> Any:
        return cv.odeint(driven, y, t, p, adjoint=adjoint, rtol=1e-9, atol=1e-9)

    at = (START, PARAMETERS, TIMES)
    along = direction(at, 5)

    def both(at: Any, along: Any, ct: Any) -> Any:
        forward = cv.jvp(solve, at, along)[1]
        return dot(forward, ct), dot(cv.vjp(solve, *at)[1](ct), along)

    forward, reverse = (cv.jit(both) if compiled else both)(at, along, direction(np.zeros((4, 2)), 7))
    np.testing.assert_allclose(forward, reverse, rtol=rtol)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@pytest.mark.parametrize("adjoint", ADJOINTS)
@pytest.mark.parametrize("compile", [lambda f: f, cv.jit], ids=["eager", "jit"])
def test_other_dtypes(adjoint: str, dtype: Any, compile: Any) -> None:
    factor = dtype(0.4 + 0.9j) if np.dtype(dtype).kind == "c" else dtype(0.4)

    @compile
    def solve(y: Any, factor: Any) -> Any:
        return cv.odeint(lambda y, t, k: k * y, y, np.array([0.0, 1.5]), factor, adjoint=adjoint)[-1]

    y = dtype(0.8)
    out, pull = cv.vjp(solve, y, factor)
    by_start, by_factor = pull(dtype(1))
    assert out.dtype == by_start.dtype == by_factor.dtype == dtype
    want = np.exp(1.5 * factor)
    np.testing.assert_allclose([by_start, by_factor], [want, 1.5 * y * want], rtol=1e-5)
    forward = cv.jvp(solve, (y, factor), (dtype(1), dtype(1)))[1]
    assert forward.dtype == dtype
    np.testing.assert_allclose(forward, by_start + by_factor, rtol=1e-5)


def test_a_real_parameter_of_a_complex_state() -> None:
    def loss(w: Any, adjoint: str) -> Any:
        z = cv.odeint(lambda z, t: 1j * w * z, 1.0 + 0j, np.array([0.0, 2.0]), adjoint=adjoint)[-1]
        return np.real(z) + 3 * np.imag(z)

    for adjoint in ADJOINTS:
        got = cv.grad(loss)(0.7, adjoint)
        assert got.dtype == float
        np.testing.assert_allclose(got, -2 * np.sin(1.4) + 6 * np.cos(1.4), rtol=1e-6)


@pytest.mark.parametrize("adjoint", ADJOINTS)
def test_pytrees_integers_and_closures(adjoint: str) -> None:
    def loss(p: Any, y: Any) -> Any:
        def field(y: Any, t: Any, k: Any) -> Any:
            return {"a": -p["k"] * y["a"] * k["n"], "b": [y["a"].sum() * np.ones(())]}

        out = cv.odeint(field, y, np.array([0.0, 1.0]), {"n": np.array(2), "name": "x"}, adjoint=adjoint)
        return out["a"][-1].sum() + out["b"][0][-1]

    y = {"a": np.array([1.0, 2.0]), "b": [np.array(0.0)]}
    k = 0.6
    by_p, by_y = cv.grad(loss, (0, 1))({"k": k}, y)
    e = np.exp(-2 * k)
    np.testing.assert_allclose(by_p["k"], 3 * (-2 * e + (2 * e * k - (1 - e)) / (2 * k**2)), rtol=1e-6)
    np.testing.assert_allclose(by_y["a"], np.full(2, e + (1 - e) / (2 * k)), rtol=1e-6)
    np.testing.assert_allclose(by_y["b"][0], 1.0, rtol=1e-7)
    forward = cv.jvp(lambda k: loss({"k": k}, y), (k,), (1.0,))[1]
    np.testing.assert_allclose(forward, by_p["k"], rtol=1e-6)


@pytest.mark.parametrize("adjoint", ADJOINTS)
@pytest.mark.parametrize("t", [np.zeros(0), np.array([1.0]), np.array([1.0, 1.0])])
def test_few_times(adjoint: str, t: Any) -> None:
    def loss(y: Any, matrix: Any, t: Any) -> Any:
        return np.sum(cv.odeint(linear, y, t, matrix, adjoint=adjoint) ** 2)

    by_y, by_matrix, by_t = cv.grad(loss, (0, 1, 2))(START, MATRIX, t)
    np.testing.assert_allclose(by_y, len(t) * 2 * START, rtol=1e-12)
    np.testing.assert_allclose(by_matrix, np.zeros((2, 2)), atol=1e-12)
    slope = 2 * START @ (MATRIX @ START) if len(t) > 1 else 0.0
    np.testing.assert_allclose(by_t, [-slope, slope][: len(t)] if len(t) > 1 else np.zeros(len(t)), rtol=1e-6)
    zero = cv.jvp(loss, (START, MATRIX, t), (START, MATRIX, np.ones(len(t))))[1]
    np.testing.assert_allclose(zero, len(t) * 2 * START @ START, rtol=1e-6)


def test_rejected_steps_do_not_matter() -> None:
    # The field jumps, so that steps are rejected; on either side the derivative is known.
    def solve(k: Any) -> Any:
        return cv.odeint(lambda y, t: np.where(t < 1.0, -k * y, -3.0 * k * y), 1.0, np.array([0.0, 2.0]))[-1]

    for compiled in (solve, cv.jit(solve)):
        np.testing.assert_allclose(cv.grad(compiled)(0.5), -4 * np.exp(-2.0), rtol=1e-5)


# --- batched, compiled, of higher order -------------------------------------------------------------------------------


@pytest.mark.parametrize("adjoint", ADJOINTS)
def test_batched_gradients(adjoint: str) -> None:
    def loss(y: Any, p: Any) -> Any:
        return np.sum(cv.odeint(driven, y, TIMES, p, adjoint=adjoint) ** 2)

    starts = START * np.array([0.3, 1.0, 2.0])[:, None]
    want = [cv.grad(loss, (0, 1))(y, PARAMETERS) for y in starts]
    by_y, by_p = cv.vmap(cv.grad(loss, (0, 1)), (0, None))(starts, PARAMETERS)
    np.testing.assert_allclose(by_y, [w[0] for w in want], rtol=1e-9)
    np.testing.assert_allclose(by_p["force"], [w[1]["force"] for w in want], rtol=1e-9)

    def total(starts: Any, p: Any) -> Any:
        return np.sum(cv.vmap(loss, (0, None))(starts, p))

    by_y, by_p = cv.grad(total, (0, 1))(starts, PARAMETERS)
    np.testing.assert_allclose(by_y, [w[0] for w in want], rtol=1e-9)
    np.testing.assert_allclose(by_p["mu"], sum(w[1]["mu"] for w in want), rtol=1e-9)
    forward = cv.jvp(total, (starts, PARAMETERS), (starts, PARAMETERS))[1]
    np.testing.assert_allclose(forward, dot((by_y, by_p), (starts, PARAMETERS)), rtol=1e-6)


@pytest.mark.parametrize("adjoint", ADJOINTS)
def test_compiled_gradients(adjoint: str) -> None:
    def loss(y: Any, p: Any, t: Any) -> Any:
        return np.sum(cv.odeint(driven, y, t, p, adjoint=adjoint) ** 2)

    at = (START, PARAMETERS, TIMES)
    want = cv.tree.leaves(cv.grad(loss, (0, 1, 2))(*at))
    for compiled in (cv.jit(cv.grad(loss, (0, 1, 2))), cv.grad(cv.jit(loss), (0, 1, 2))):
        for got, w in zip(cv.tree.leaves(compiled(*at)), want, strict=True):
            np.testing.assert_allclose(got, w, rtol=1e-9)


def test_a_compiled_function_keeps_its_adjoint() -> None:
    # Loose tolerances: the two derivatives differ, and each is told by its own value.
    def loss(k: Any, adjoint: str) -> Any:
        return cv.odeint(lambda y, t: -k * y**3, 1.0, np.array([0.0, 5.0]), adjoint=adjoint, rtol=1e-3, atol=1e-3)[-1]

    values = {a: cv.grad(loss)(0.8, a) for a in ADJOINTS}
    assert abs(values["discrete"] - values["continuous"]) > 1e-7
    for adjoint, value in values.items():
        compiled = cv.jit(lambda k, a=adjoint: loss(k, a))
        np.testing.assert_allclose(cv.grad(compiled)(0.8), value, rtol=1e-10)


@pytest.mark.parametrize("adjoint", ADJOINTS)
def test_hessians(adjoint: str) -> None:
    # y' = -k y² from y0: y = y0 / (1 + k y0 T).
    def solve(x: Any) -> Any:
        return cv.odeint(lambda y, t, k: -k * y * y, x[0], np.array([0.0, 1.5]), x[1], adjoint=adjoint, **TIGHT)[-1]

    x = np.array([0.8, 1.1])
    want = cv.hessian(lambda x: x[0] / (1 + x[1] * x[0] * 1.5))(x)
    np.testing.assert_allclose(cv.hessian(solve)(x), want, rtol=1e-7)
    np.testing.assert_allclose(cv.jit(cv.hessian(solve))(x), want, rtol=1e-7)


def test_reverse_over_reverse() -> None:
    def solve(x: Any) -> Any:
        return cv.odeint(lambda y, t, k: -k * y * y, x[0], np.array([0.0, 1.5]), x[1], **TIGHT)[-1]

    x = np.array([0.8, 1.1])
    want = cv.hessian(lambda x: x[0] / (1 + x[1] * x[0] * 1.5))(x)
    np.testing.assert_allclose(cv.jacrev(cv.jacrev(solve))(x), want, rtol=1e-7)


def test_linearize() -> None:
    for adjoint in ADJOINTS:

        def solve(y: Any, a: str = adjoint) -> Any:
            return cv.odeint(driven, y, TIMES, PARAMETERS, adjoint=a, **TIGHT)

        out, push = cv.linearize(solve, START)
        want = cv.jvp(solve, (START,), (START,))
        np.testing.assert_allclose(out, want[0], rtol=1e-9)
        np.testing.assert_allclose(push(START), want[1], rtol=1e-9)


def test_continuous_needs_functions_that_do_not_look() -> None:
    def field(y: Any, t: Any) -> Any:
        return -y if t > 0 else y

    assert cv.odeint(field, 1.0, [0.0, 1.0])[-1] > 0
    with pytest.raises(cv.ConcretizationError, match="odeint"):
        cv.odeint(field, 1.0, [0.0, 1.0], adjoint="continuous")
