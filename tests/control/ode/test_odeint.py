"""covector.odeint: what it computes, in every form of call, and what it says to wrong ones."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy.integrate import RK45, solve_ivp

import covector as cv
from covector.control.ode import dopri

RATES = np.array([0.55, 0.03, 0.8, 0.025])
START = np.array([30.0, 5.0])
TIMES = np.linspace(0.0, 12.0, 7)


def populations(y: Any, t: Any, rates: Any) -> Any:
    a, b, c, d = rates
    return np.stack([(a - b * y[1]) * y[0], (d * y[0] - c) * y[1]])


def oscillator(y: Any, t: Any, w: Any = 2.0) -> Any:
    return np.stack([y[1], -(w**2) * y[0]])


# --- the method -------------------------------------------------------------------------------------------------------


def test_the_tableau_is_that_of_scipy() -> None:
    for weights, theirs in zip(dopri.STAGES, RK45.A[1:], strict=True):
        np.testing.assert_allclose(weights, theirs[: len(weights)], rtol=1e-14)
    np.testing.assert_allclose(dopri.SOLUTION, RK45.B, rtol=1e-14)
    np.testing.assert_allclose(np.negative(dopri.ERROR), RK45.E, rtol=1e-13)
    np.testing.assert_allclose(dopri.NODES[:-1], RK45.C[1:-1], rtol=1e-14)


@pytest.mark.parametrize("power", range(5))
def test_the_interpolant_has_order_four(power: int) -> None:
    # y' = t^k has the solution t^(k+1) / (k+1), exact along a whole step of a method of that order.
    t = np.linspace(0.0, 1.0, 11)
    got = cv.odeint(lambda y, t: t**power, 0.0, t, rtol=1.0, atol=1.0)
    wrong = np.max(np.abs(got - t ** (power + 1) / (power + 1)))
    assert wrong < 1e-13 if power < 4 else wrong > 1e-6


def test_it_converges_with_the_tolerance() -> None:
    t = np.linspace(0.0, 10.0, 6)
    exact = np.stack([np.cos(2 * t), -2 * np.sin(2 * t)], axis=1)
    errors = [
        np.max(np.abs(cv.odeint(oscillator, np.array([1.0, 0.0]), t, rtol=tol, atol=tol) - exact))
        for tol in (1e-4, 1e-6, 1e-8, 1e-10)
    ]
    assert all(b < a / 20 for a, b in itertools.pairwise(errors))
    assert errors[-1] < 1e-8


def test_it_is_as_accurate_as_scipy_for_as_many_evaluations() -> None:
    calls = [0]

    def counted(y: Any, t: Any) -> Any:
        calls[0] += 1
        return populations(y, t, RATES)

    exact = solve_ivp(
        lambda t, y: populations(y, t, RATES), (0, 12), START, "DOP853", TIMES, rtol=1e-13, atol=1e-13
    ).y.T
    theirs = solve_ivp(lambda t, y: populations(y, t, RATES), (0, 12), START, "RK45", TIMES, rtol=1e-7, atol=1e-7)
    ours = cv.odeint(counted, START, TIMES, rtol=1e-7, atol=1e-7)
    assert np.max(np.abs(ours - exact)) < 2 * np.max(np.abs(theirs.y.T - exact))
    assert calls[0] < 1.2 * theirs.nfev


def test_no_time_beyond_the_last_is_asked_about() -> None:
    asked = []

    def field(y: Any, t: Any) -> Any:
        asked.append(float(t))
        return -y

    cv.odeint(field, 1.0, np.array([1.0, 1.3, 2.0]))
    assert min(asked) == 1.0
    assert max(asked) == 2.0


def test_steps_are_not_longer_than_hmax() -> None:
    # A bump that large steps would miss.
    def bump(y: Any, t: Any) -> Any:
        return np.exp(-(((t - 50.0) / 0.1) ** 2)) + 0 * y

    area = 0.1 * np.sqrt(np.pi)
    assert abs(cv.odeint(bump, 0.0, [0.0, 100.0])[-1]) < 1e-12
    assert abs(cv.odeint(bump, 0.0, [0.0, 100.0], hmax=0.2)[-1] - area) < 1e-6


# --- forms of states and times ----------------------------------------------------------------------------------------


def test_backwards_in_time_it_finds_the_start() -> None:
    there = cv.odeint(populations, START, np.array([1.0, 4.0]), RATES)[-1]
    back = cv.odeint(populations, there, np.array([4.0, 2.0, 1.0]), RATES)
    np.testing.assert_allclose(back[-1], START, rtol=1e-6)
    np.testing.assert_allclose(back[1], cv.odeint(populations, START, np.array([1.0, 2.0]), RATES)[-1], rtol=1e-6)


class Pair(NamedTuple):
    position: Any
    rest: Any


def test_states_are_pytrees() -> None:
    def field(y: Any, t: Any, w: Any) -> Any:
        return Pair(y.rest["v"] * 1.0, {"v": -(w**2) * y.position, "z": 1j * y.rest["z"]})

    y0 = Pair(np.ones((2, 3)), {"v": np.zeros((2, 3)), "z": 1.0 + 0j})
    t = np.array([0.0, 0.5, 2.0])
    got = cv.odeint(field, y0, t, 1.5)
    assert isinstance(got, Pair)
    assert got.position.shape == got.rest["v"].shape == (3, 2, 3)
    assert got.position.dtype == float
    np.testing.assert_allclose(got.position[:, 1, 2], np.cos(1.5 * t), atol=1e-6)
    np.testing.assert_allclose(got.rest["z"], np.exp(1j * t), atol=1e-6)


def test_numbers_are_states() -> None:
    t = [0, 1, 2]
    for y0 in (1.0, 1, np.float64(1), np.array(1.0)):
        got = cv.odeint(lambda y, t: -y * t, y0, t)
        assert got.shape == (3,)
        np.testing.assert_allclose(got, np.exp(-np.square(t) / 2), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_the_dtype_of_the_state_is_kept(dtype: Any) -> None:
    times = []

    def field(y: Any, t: Any) -> Any:
        times.append(t)
        return -y * (1 + t)

    got = cv.odeint(field, np.ones(2, dtype), np.array([0.0, 0.5, 1.0]))
    assert got.dtype == dtype
    assert times[0].dtype == np.zeros(0, dtype).real.dtype
    np.testing.assert_allclose(got[-1], np.exp([-1.5, -1.5]), rtol=1e-5)


def test_few_times() -> None:
    assert cv.odeint(populations, START, [], RATES).shape == (0, 2)
    np.testing.assert_array_equal(cv.odeint(populations, START, [3.0], RATES), START[None])
    np.testing.assert_array_equal(cv.odeint(populations, START, [3.0, 3.0], RATES), np.stack([START, START]))
    twice = cv.odeint(populations, START, [3.0, 4.0, 4.0, 5.0], RATES)
    np.testing.assert_array_equal(twice[1], twice[2])
    assert cv.odeint(lambda y, t: y, np.zeros((0, 2)), [0.0, 1.0]).shape == (2, 0, 2)
    assert cv.odeint(lambda y, t: y, {}, [0.0, 1.0]) == {}


def test_the_result_is_the_callers_own() -> None:
    start = START.copy()
    got = cv.odeint(populations, start, [3.0], RATES)
    got[...] = 0
    np.testing.assert_array_equal(start, START)


def test_the_function_may_reuse_and_overwrite_arrays() -> None:
    work = np.zeros(2)

    def field(y: Any, t: Any) -> Any:
        work[0], work[1] = y[1], -4.0 * y[0]
        y[:] = 0
        return work

    t = np.array([0.0, 1.0, 2.0])
    got = cv.odeint(field, np.array([1.0, 0.0]), t)
    np.testing.assert_allclose(got[:, 0], np.cos(2 * t), atol=1e-6)


# --- compiled and batched ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("adjoint", ["discrete", "continuous"])
def test_compiled_it_computes_the_same(adjoint: str) -> None:
    def solve(y: Any, t: Any, rates: Any) -> Any:
        return cv.odeint(populations, y, t, rates, adjoint=adjoint)

    got = cv.jit(solve)(START, TIMES, RATES)
    np.testing.assert_allclose(got, solve(START, TIMES, RATES), rtol=1e-12)
    np.testing.assert_allclose(cv.jit(solve)(START, TIMES[::-1], RATES), solve(START, TIMES[::-1], RATES), rtol=1e-12)


def final(y: Any, t: Any, rates: Any, adjoint: str = "discrete") -> Any:
    return np.sum(cv.odeint(populations, y, t, rates, adjoint=adjoint)[-1])


@pytest.mark.parametrize("adjoint", ["discrete", "continuous"])
@pytest.mark.parametrize(
    "transform", [lambda f: f, lambda f: cv.grad(f, (0, 1, 2)), lambda f: lambda *args: cv.jvp(f, args, args)[1]]
)
def test_compiled_nothing_is_left_to_python(transform: Any, adjoint: str) -> None:
    function = transform(lambda *args: final(*args, adjoint=adjoint))
    assert "call i64 %host" not in cv.jit(function).lower(START, TIMES, RATES).llvm


@pytest.mark.parametrize("adjoint", ["discrete", "continuous"])
def test_each_lane_has_steps_of_its_own(adjoint: str) -> None:
    starts = START * np.array([0.5, 1.0, 3.0])[:, None]
    rates = RATES * np.array([1.0, 2.0, 0.1])[:, None]

    def solve(y: Any, t: Any, rates: Any) -> Any:
        return cv.odeint(populations, y, t, rates, adjoint=adjoint)

    want = np.stack([solve(y, TIMES, r) for y, r in zip(starts, rates, strict=True)])
    np.testing.assert_allclose(cv.vmap(solve, (0, None, 0))(starts, TIMES, rates), want, rtol=1e-11)
    np.testing.assert_allclose(cv.jit(cv.vmap(solve, (0, None, 0)))(starts, TIMES, rates), want, rtol=1e-11)
    times = np.stack([TIMES, TIMES / 2, TIMES[::-1]])
    want = np.stack([solve(START, t, RATES) for t in times])
    np.testing.assert_allclose(cv.vmap(solve, (None, 0, None))(START, times, RATES), want, rtol=1e-11)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def square(y: Any, t: Any) -> Any:
    return y * y


def test_a_singularity_is_an_error() -> None:
    with np.errstate(all="ignore"), pytest.raises(RuntimeError, match=r"came to its end at t=1\b.*infinite"):
        cv.odeint(square, 1.0, [0.0, 0.5, 2.0])
    with pytest.raises(RuntimeError, match="came to its end at t=0"):
        cv.odeint(lambda y, t: y * np.nan, 1.0, [0.0, 0.5, 2.0])


def test_compiled_a_singularity_is_nan_from_there_on() -> None:
    solve = cv.jit(lambda y: cv.odeint(square, y, np.array([0.0, 0.5, 2.0, 3.0])))
    got = solve(1.0)
    np.testing.assert_allclose(got[:2], [1.0, 2.0], rtol=1e-6)
    assert np.isnan(got[2:]).all()
    np.testing.assert_allclose(solve(-1.0), [-1, -1 / 1.5, -1 / 3, -1 / 4], rtol=1e-6)
    assert np.isnan(cv.jit(cv.grad(lambda y: cv.odeint(square, y, np.array([0.0, 2.0]))[-1]))(1.0))


def test_batched_one_lane_fails_alone() -> None:
    with np.errstate(all="ignore"):
        got = cv.vmap(lambda y: cv.odeint(square, y, [0.0, 0.5, 2.0]))(np.array([1.0, -1.0]))
    np.testing.assert_allclose(got[1], [-1, -1 / 1.5, -1 / 3], rtol=1e-6)
    np.testing.assert_allclose(got[0, :2], [1.0, 2.0], rtol=1e-6)
    assert np.isnan(got[0, 2])


def test_too_many_steps_are_an_error_that_names_the_remedies() -> None:
    stiff = lambda y, t: -1e6 * (y - np.cos(t))
    with pytest.raises(RuntimeError, match=r"(?s)100 attempts.*mxstep=100.*stiff.*solve_ivp"):
        cv.odeint(stiff, 0.0, [0.0, 10.0], mxstep=100)
    assert np.isnan(cv.jit(lambda y: cv.odeint(stiff, y, np.array([0.0, 10.0]), mxstep=100))(0.0)[-1])


def test_times_out_of_order() -> None:
    with pytest.raises(ValueError, match=r"t\[1\]=2.0 followed by t\[2\]=1.0; sort"):
        cv.odeint(populations, START, [0.0, 2.0, 1.0, 3.0], RATES)
    got = cv.jit(lambda t: cv.odeint(populations, START, t, RATES))(np.array([0.0, 2.0, 1.0, 3.0]))
    assert np.isnan(got[1:]).all()


@pytest.mark.parametrize(
    ("y0", "field", "message"),
    [
        (START, lambda y, t: y[:1], r"has shape \(1,\); expected \(2,\)"),
        (START, lambda y, t: [y[0], y[1]], r"np\.stack"),
        (START, lambda y, t: y * 1j, r"dtype complex128; expected float64"),
        (
            START.astype(np.float32),
            lambda y, t: y * RATES[:2],
            r"dtype float64; expected float32.*y0\.astype\(float64\)",
        ),
        ({"a": 1.0, "b": START}, lambda y, t: {"a": 1.0, "b": y["a"]}, r"leaf \['b'\],.* has shape \(\)"),
        ({"a": 1.0, "b": START}, lambda y, t: {"a": 1.0}, r"in the structure of y"),
        (START, lambda y, t: "no", r"is a str"),
        (np.array([1, 2]), lambda y, t: y, r"y0 has dtype int64.*astype\(float\)"),
        ({"a": np.array([True])}, lambda y, t: y, r"y0, leaf \['a'\], has dtype bool"),
    ],
)
def test_slopes_that_do_not_fit_are_named(y0: Any, field: Any, message: str) -> None:
    for adjoint in ("discrete", "continuous"):
        with pytest.raises(TypeError, match=message):
            cv.odeint(field, y0, [0.0, 1.0], adjoint=adjoint)


@pytest.mark.parametrize(
    ("t", "options", "error", "message"),
    [
        (0.0, {}, ValueError, "one-dimensional"),
        (np.zeros((2, 2)), {}, ValueError, "one-dimensional"),
        ([0j, 1j], {}, TypeError, "real numbers"),
        ([0.0, 1.0], {"adjoint": "none"}, ValueError, "discrete"),
        ([0.0, 1.0], {"rtol": -1.0}, ValueError, "rtol"),
        ([0.0, 1.0], {"rtol": 0.0, "atol": 0.0}, ValueError, "rtol and atol"),
        ([0.0, 1.0], {"hmax": 0.0}, ValueError, "hmax"),
        ([0.0, 1.0], {"mxstep": 0}, ValueError, "mxstep"),
    ],
)
def test_options_that_make_no_sense(t: Any, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        cv.odeint(populations, START, t, RATES, **options)


def test_tolerances_are_not_traced() -> None:
    with pytest.raises(TypeError, match="rtol is traced"):
        cv.grad(lambda tol: cv.odeint(populations, START, TIMES, RATES, rtol=tol).sum())(1e-6)


def test_what_is_no_function() -> None:
    with pytest.raises(TypeError, match="odeint: the first argument must be a function"):
        cv.odeint(START, populations, TIMES)  # type: ignore[arg-type]


@pytest.mark.parametrize("adjoint", ["discrete", "continuous"])
@pytest.mark.parametrize("compiled", [False, True])
def test_lanes_that_exchange_values_are_refused(adjoint: str, compiled: bool) -> None:
    def solve(y: Any) -> Any:
        return cv.odeint(lambda y, t: -cv.psum(y, "i"), y, np.array([0.0, 1.0]), adjoint=adjoint)[-1]

    lanes = cv.vmap(solve, axis_name="i")
    with pytest.raises(ValueError, match=r"exchanges values over the axis 'i'.*part of the state"):
        (cv.jit(lanes) if compiled else lanes)(np.array([1.0, 2.0]))
    # What it asks for.
    field = cv.vmap(lambda y: -cv.psum(y, "i"), axis_name="i")
    got = cv.odeint(lambda y, t: field(y), np.array([1.0, 2.0]), np.array([0.0, 1.0]), adjoint=adjoint)[-1]
    np.testing.assert_allclose(got, np.array([1.0, 2.0]) - 1.5 * (1 - np.exp(-2)), rtol=1e-6)
    with_axis = cv.vmap(lambda y: cv.odeint(lambda y, t: -y, y, np.array([0.0, 1.0]))[-1], axis_name="i")
    np.testing.assert_allclose(with_axis(np.array([1.0, 2.0])), np.exp(-1) * np.array([1.0, 2.0]), rtol=1e-6)
