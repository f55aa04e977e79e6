"""covector.scipy.integrate: SciPy's solvers with exact Jacobians."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.integrate as theirs

import covector as cv
from covector.scipy import integrate

STIFF = ["Radau", "BDF", "LSODA", theirs.Radau, theirs.BDF, theirs.LSODA]


def robertson(t: Any, y: Any, k: Any = (0.04, 1e4, 3e7)) -> Any:
    a, b, c = y
    return [-k[0] * a + k[1] * b * c, k[0] * a - k[1] * b * c - k[2] * b * b, k[2] * b * b]


def robertson_jacobian(t: Any, y: Any, k: Any = (0.04, 1e4, 3e7)) -> Any:
    _, b, c = y
    return np.array([[-k[0], k[1] * c, k[1] * b], [k[0], -k[1] * c - 2 * k[2] * b, -k[1] * b], [0, 2 * k[2] * b, 0]])


def heat(t: Any, y: Any) -> Any:
    inner = np.concatenate([np.zeros_like(y[:1]), y, np.zeros_like(y[:1])])
    return y.shape[0] ** 2 * (inner[2:] - 2 * y + inner[:-2]) + np.sin(t) * y**2


def same(got: Any, want: Any, rtol: float = 1e-12) -> None:
    """Assert that the two solutions took the same steps."""
    assert (got.nfev, got.njev, got.nlu, got.status) == (want.nfev, want.njev, want.nlu, want.status)
    np.testing.assert_allclose(got.t, want.t, rtol=rtol)
    np.testing.assert_allclose(got.y, want.y, rtol=rtol)


@pytest.mark.parametrize("method", STIFF)
def test_stiff_methods_get_the_exact_jacobian(method: Any) -> None:
    span, y0 = (0.0, 40.0), [1.0, 0.0, 0.0]
    want = theirs.solve_ivp(robertson, span, y0, method, jac=robertson_jacobian)
    same(integrate.solve_ivp(robertson, span, y0, method), want, 1e-9)
    assert want.njev > 1


@pytest.mark.parametrize("method", ["Radau", "BDF", "LSODA"])
def test_arguments_reach_the_jacobian(method: str) -> None:
    k = np.array([0.1, 1e3, 1e6])
    want = theirs.solve_ivp(robertson, (0, 5), [1.0, 0.0, 0.0], method, jac=robertson_jacobian, args=(k,))
    same(integrate.solve_ivp(robertson, (0, 5), [1.0, 0.0, 0.0], method, args=(k,)), want, 1e-9)
    named = integrate.solve_ivp(lambda t, y, k, which: robertson(t, y, k[which]), (0, 5), [1.0, 0.0, 0.0], method,
                                args=({"a": k}, "a"))  # fmt: skip
    same(named, want, 1e-9)


@pytest.mark.parametrize("method", ["RK45", "RK23", "DOP853", theirs.RK45])
def test_other_methods_are_scipys(method: Any) -> None:
    def field(t: Any, y: Any) -> Any:
        return np.array([float(y[1]), -float(y[0])])  # nothing to differentiate

    want = theirs.solve_ivp(field, (0, 5), [1.0, 0.0], method)
    same(integrate.solve_ivp(field, (0, 5), [1.0, 0.0], method), want, 0)


def test_a_given_jacobian_is_used() -> None:
    calls = []

    def jac(t: Any, y: Any) -> Any:
        calls.append(t)
        return robertson_jacobian(t, y)

    def field(t: Any, y: Any) -> Any:
        return np.array([float(x) for x in robertson(t, y)])  # cannot be differentiated

    result = integrate.solve_ivp(field, (0, 40), [1.0, 0.0, 0.0], "Radau", jac=jac)
    assert len(calls) == result.njev > 1
    constant = integrate.solve_ivp(lambda t, y: -y, (0, 1), [1.0], "BDF", jac=[[-1.0]])
    assert constant.success


def test_a_sparsity_asks_for_differences() -> None:
    n = 30
    band = np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= 1
    seen = []

    def field(t: Any, y: Any) -> Any:
        seen.append(type(y))
        return heat(t, y)

    want = theirs.solve_ivp(heat, (0, 0.1), np.ones(n), "BDF", jac_sparsity=band)
    same(integrate.solve_ivp(field, (0, 0.1), np.ones(n), "BDF", jac_sparsity=band), want, 0)
    assert set(seen) == {np.ndarray}


@pytest.mark.parametrize("band", [(1, 1), (2, 1), (1, None), (40, 40)])
def test_bands(band: Any) -> None:
    n, (lower, upper) = 12, band

    def field(t: Any, y: Any) -> Any:
        return heat(t, y) if upper else np.concatenate([-y[:1], y[:-1] - 2 * y[1:] ** 2])

    options = {"lband": lower} | ({} if upper is None else {"uband": upper})
    if lower == 40:
        options = {"lband": n - 1, "uband": n - 1}
    start = np.linspace(0.1, 1.0, n)
    full = theirs.solve_ivp(field, (0, 0.5), start, "LSODA", rtol=1e-8, atol=1e-10)
    got = integrate.solve_ivp(field, (0, 0.5), start, "LSODA", rtol=1e-8, atol=1e-10, **options)
    np.testing.assert_allclose(got.y[:, -1], full.y[:, -1], rtol=1e-5)
    jacobian = integrate._jacobian(field, False, (options["lband"], options.get("uband")))(0.3, start)
    dense = cv.jacfwd(lambda y: field(0.3, y))(start)
    for j in range(n):
        for i in range(max(0, j - (options.get("uband") or 0)), min(n, j + options["lband"] + 1)):
            assert jacobian[i - j + (options.get("uband") or 0), j] == pytest.approx(dense[i, j])


@pytest.mark.parametrize("method", ["Radau", "BDF", "LSODA"])
def test_vectorized_functions_get_columns(method: str) -> None:
    shapes = set()

    def field(t: Any, y: Any) -> Any:
        shapes.add(y.ndim)
        return np.stack([y[1], -100.0 * y[0] - 101.0 * y[1] ** 3])

    want = theirs.solve_ivp(field, (0, 1), [1.0, 0.0], method, vectorized=True, rtol=1e-6, atol=1e-9)
    got = integrate.solve_ivp(field, (0, 1), [1.0, 0.0], method, vectorized=True, rtol=1e-6, atol=1e-9)
    assert shapes == {2}
    np.testing.assert_allclose(got.y[:, -1], want.y[:, -1], rtol=1e-4)


def test_complex_states() -> None:
    got = integrate.solve_ivp(lambda t, z: 1j * z - z**2, (0, 2), [0.5 + 0j], "BDF", rtol=1e-8, atol=1e-10)
    # z = i / (1 + c exp(-i t)) with c from the start.
    exact = 1j / (1 + (1j / 0.5 - 1) * np.exp(-2j))
    np.testing.assert_allclose(got.y[0, -1], exact, rtol=1e-6)


def test_events_dense_output_and_times_go_through() -> None:
    def sinks(t: Any, y: Any) -> Any:
        return y[0] - 0.9

    options = {"t_eval": [1.0, 5.0], "dense_output": True, "events": sinks}
    want = theirs.solve_ivp(robertson, (0, 40), [1, 0, 0], "Radau", jac=robertson_jacobian, **options)
    got = integrate.solve_ivp(robertson, (0, 40), [1, 0, 0], "Radau", **options)
    same(got, want, 1e-8)
    np.testing.assert_allclose(got.t_events[0], want.t_events[0], rtol=1e-8)
    np.testing.assert_allclose(got.sol(3.3), want.sol(3.3), rtol=1e-8)


def test_integer_results_and_constants() -> None:
    got = integrate.solve_ivp(lambda t, y: [1, 0], (0, 2), [0, 3], "BDF")
    np.testing.assert_allclose(got.y[:, -1], [2, 3])


@pytest.mark.parametrize("place", ["start", "span", "args", "t_eval"])
def test_traced_values_are_refused(place: str) -> None:
    def solve(x: Any) -> Any:
        given: dict[str, Any] = {"t_span": (0.0, 1.0), "y0": [1.0], "args": (1.0,), "t_eval": [0.5]}
        given |= {"start": {"y0": x[None]}, "span": {"t_span": (0.0, x)}, "args": {"args": (x,)}}.get(
            place, {"t_eval": [x]}
        )
        return integrate.solve_ivp(lambda t, y, k: -k * y, **given).y[0, -1]

    with pytest.raises(TypeError, match=r"covector\.odeint\(func, y0, t, \*args\)"):
        cv.grad(solve)(0.9)


def test_what_cannot_be_differentiated_says_what_to_do() -> None:
    def field(t: Any, y: Any) -> Any:
        return np.frompyfunc(lambda x: -x, 1, 1)(y).astype(float)

    with pytest.raises(cv.CovectorError) as caught:
        integrate.solve_ivp(field, (0, 1), [1.0, 2.0], "Radau")
    (note,) = caught.value.__notes__
    assert "pass jac=" in note
    assert "scipy.integrate.solve_ivp" in note


def test_other_names_are_scipys() -> None:
    assert integrate.quad is theirs.quad
    assert integrate.Radau is theirs.Radau
    assert "solve_ivp" in dir(integrate)
    assert "trapezoid" in dir(integrate)
    with pytest.raises(AttributeError):
        _ = integrate.no_such_function
    assert pickle.loads(pickle.dumps(integrate.solve_ivp)) is integrate.solve_ivp
