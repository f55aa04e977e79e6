"""Elementwise functions at the points where formulas break or lose digits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

import covector as cv
from covector.core.dispatch import UFUNCS
from numpy_api.elementwise_inputs import P

# --- powers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [int, float, np.int64, np.float64, lambda n: np.array(n), lambda n: np.array(float(n))]
)
@pytest.mark.parametrize("order", range(1, 6))
@pytest.mark.parametrize("n", range(5))
def test_whole_powers_at_zero_to_any_order(n: int, order: int, kind: Callable[[int], Any]) -> None:
    exponent = kind(n)
    want = math.factorial(n) if n == order else 0.0

    def forward(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: cv.jvp(f, (x,), (1.0,))[1]

    for derive in (cv.grad, forward):
        f: Callable[[Any], Any] = lambda x: x**exponent
        for _ in range(order):
            f = derive(f)
        assert f(0.0) == want


def test_whole_powers_do_not_compute_a_logarithm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UFUNCS, np.log, lambda x: pytest.fail("log"))
    for n in (0, 1, 2, 3, -2, np.array([1, 2, 3, 4])):
        cv.grad(lambda x, n=n: cv.grad(lambda x: np.sum(x**n))(x).sum())(P)


# --- singular points --------------------------------------------------------------------------------------------------

INF, NAN = np.inf, np.nan

# (function, arguments, derivative with respect to each)
SINGULAR: list[tuple[str, Callable[..., Any], tuple[float, ...], tuple[float, ...]]] = [
    ("abs", np.abs, (0.0,), (0.0,)),
    ("fabs", np.fabs, (0.0,), (0.0,)),
    ("maximum tie", np.maximum, (1.0, 1.0), (0.5, 0.5)),
    ("minimum tie", np.minimum, (1.0, 1.0), (0.5, 0.5)),
    ("fmax tie", np.fmax, (1.0, 1.0), (0.5, 0.5)),
    ("fmin tie", np.fmin, (1.0, 1.0), (0.5, 0.5)),
    ("fmax nan left", np.fmax, (NAN, 1.0), (0.0, 1.0)),
    ("fmax nan right", np.fmax, (1.0, NAN), (1.0, 0.0)),
    ("fmin nan left", np.fmin, (NAN, 1.0), (0.0, 1.0)),
    ("fmin nan right", np.fmin, (1.0, NAN), (1.0, 0.0)),
    ("maximum nan", np.maximum, (NAN, 1.0), (1.0, 0.0)),
    ("minimum nan", np.minimum, (1.0, NAN), (0.0, 1.0)),
    ("maximum inf", np.maximum, (INF, 1.0), (1.0, 0.0)),
    ("clip lower bound", lambda x: np.clip(x, 1.0, 2.0), (1.0,), (1.0,)),
    ("clip upper bound", lambda x: np.clip(x, 1.0, 2.0), (2.0,), (1.0,)),
    ("clip at traced bound", np.clip, (1.0, 1.0, 2.0), (1.0, 0.0, 0.0)),
    ("sqrt", np.sqrt, (0.0,), (INF,)),
    ("cbrt", np.cbrt, (0.0,), (INF,)),
    ("log", np.log, (0.0,), (INF,)),
    ("power 1/2", lambda x: x**0.5, (0.0,), (INF,)),
    ("power -1", lambda x: x**-1, (0.0,), (-INF,)),
    ("divide", lambda x: 1 / x, (0.0,), (-INF,)),
    ("arcsin", np.arcsin, (1.0,), (INF,)),
    ("arccosh", np.arccosh, (1.0,), (INF,)),
    ("arctanh", np.arctanh, (1.0,), (INF,)),
    ("hypot", np.hypot, (0.0, 0.0), (0.0, 0.0)),
    ("arctan2", np.arctan2, (0.0, 0.0), (0.0, 0.0)),
    ("power 0, 0", np.power, (0.0, 0.0), (0.0, 0.0)),
    ("power 0, 2", np.power, (0.0, 2.0), (0.0, 0.0)),
    ("power 0, 1", np.power, (0.0, 1.0), (1.0, 0.0)),
    ("power 0, 1/2", np.power, (0.0, 0.5), (INF, 0.0)),
    ("logaddexp -inf", np.logaddexp, (-INF, -INF), (0.0, 0.0)),
    ("logaddexp -inf, 1", np.logaddexp, (-INF, 1.0), (0.0, 1.0)),
    ("logaddexp inf, 1", np.logaddexp, (INF, 1.0), (1.0, 0.0)),
    ("logaddexp2 -inf", np.logaddexp2, (-INF, -INF), (0.0, 0.0)),
    ("heaviside", np.heaviside, (0.0, 0.5), (0.0, 1.0)),
    ("copysign", np.copysign, (0.0, -1.0), (0.0, 0.0)),
    ("nan_to_num nan", np.nan_to_num, (NAN,), (0.0,)),
    ("nan_to_num inf", np.nan_to_num, (INF,), (0.0,)),
    ("sinc", np.sinc, (0.0,), (0.0,)),
    ("where nan untaken", lambda x: np.where(x > 0, np.sqrt(x), 3 * x), (-1.0,), (3.0,)),
    ("where inf untaken", lambda x: np.where(x > 0, np.log(x), 3 * x), (0.0,), (3.0,)),
    ("where 0/0 untaken", lambda x: np.where(x == 0, 1.0, np.sin(x) / x), (0.0,), (0.0,)),
    ("select untaken", lambda x: np.select([x > 0, x < 0], [np.sqrt(x), x / 0.0], 2 * x), (0.0,), (2.0,)),
    ("choose untaken", lambda x: np.choose(0, [x, np.sqrt(x)]), (0.0,), (1.0,)),
]


@pytest.mark.parametrize(("fun", "args", "want"), [pytest.param(*c[1:], id=c[0]) for c in SINGULAR])
def test_singular_points(fun: Callable[..., Any], args: tuple[float, ...], want: tuple[float, ...]) -> None:
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(cv.vjp(fun, *args)[1](1.0), want)
        basis = np.eye(len(args))
        push = [cv.jvp(fun, args, tuple(row))[1] for row in basis]
        np.testing.assert_array_equal(push, want)
        rows = [np.full(2, a) for a in args]
        pulled = cv.vmap(lambda *xs: cv.vjp(fun, *xs)[1](np.float64(1.0)))(*rows)
        np.testing.assert_array_equal(np.stack(pulled), np.tile(np.array(want)[:, None], 2))
        pushed = cv.vmap(lambda *xs: tuple(cv.jvp(fun, xs, tuple(row))[1] for row in basis))(*rows)
        np.testing.assert_array_equal(np.stack(pushed), np.tile(np.array(want)[:, None], 2))
        together, pull = cv.vjp(fun, *rows)
        np.testing.assert_array_equal(np.stack(pull(np.ones_like(together))), np.tile(np.array(want)[:, None], 2))


@pytest.mark.parametrize(
    "fun", [np.sqrt, np.cbrt, np.log, np.reciprocal, lambda x: x**0.5, lambda x: x**-2, lambda x: 1 / x]
)
def test_unbounded_partials_leave_a_zero_direction_zero(fun: Callable[[Any], Any]) -> None:
    with np.errstate(all="ignore"):
        assert cv.vjp(fun, 0.0)[1](0.0) == (0.0,)
        assert cv.jvp(fun, (0.0,), (0.0,))[1] == 0.0
        mixed = np.array([0.0, 1.0])
        assert cv.vjp(fun, np.zeros(2))[1](mixed)[0][0] == 0.0
        assert cv.jvp(fun, (np.zeros(2),), (mixed,))[1][0] == 0.0


SECOND: list[tuple[str, Callable[[Any], Any], float, float]] = [
    ("x**2", lambda x: x**2, 0.0, 2.0),
    ("square", np.square, 0.0, 2.0),
    ("x*abs(x)", lambda x: x * np.abs(x), 0.0, 0.0),
    ("sinc", np.sinc, 0.0, -(np.pi**2) / 3),
    ("where of sinc", lambda x: np.where(x == 0, x**2, np.sin(x) / x), 0.0, 2.0),
    ("where of sqrt", lambda x: np.where(x >= 1, np.sqrt(x), x**3), 0.0, 0.0),
    ("hypot", lambda x: np.hypot(x, 0.0), 0.0, 0.0),
    ("clip", lambda x: np.clip(x, 0.0, 1.0) ** 2, 0.0, 2.0),
    ("maximum", lambda x: np.maximum(x, 0.0) ** 2, 1.0, 2.0),
    ("expm1", lambda x: np.expm1(x) ** 2, 0.0, 2.0),
    ("i0", np.i0, 0.0, 0.5),
]


@pytest.mark.parametrize(("fun", "x", "want"), [pytest.param(*c[1:], id=c[0]) for c in SECOND])
def test_second_derivatives_at_singular_points(fun: Callable[[Any], Any], x: float, want: float) -> None:
    f = lambda x: fun(x) + 0.0
    forward = lambda f: lambda x: cv.jvp(f, (x,), (1.0,))[1]
    with np.errstate(all="ignore"):
        for outer, inner in itertools.product((cv.grad, forward), repeat=2):
            np.testing.assert_allclose(outer(inner(f))(x), want, rtol=1e-15)
        np.testing.assert_allclose(cv.vmap(cv.grad(cv.grad(f)))(np.full(2, x)), want, rtol=1e-15)


def test_abs_and_sign_of_complex_zero() -> None:
    np.testing.assert_array_equal(cv.vjp(np.abs, np.array([0j]))[1](np.ones(1))[0], [0])
    np.testing.assert_array_equal(cv.vjp(np.sign, np.array([0j]))[1](np.ones(1, complex))[0], [0])


# --- accuracy ---------------------------------------------------------------------------------------------------------

ACCURATE: list[tuple[str, Any, Any, list[float]]] = [
    ("expm1", np.expm1, mpmath.exp, [-40.0, 1e-10, 5.0]),
    ("log1p", np.log1p, lambda x: 1 / (1 + x), [-1 + 1e-10, 1e-12, 1e8]),
    ("arcsin", np.arcsin, lambda x: 1 / mpmath.sqrt(1 - x * x), [1 - 1e-12, -1 + 1e-9, 1e-8]),
    ("arccos", np.arccos, lambda x: -1 / mpmath.sqrt(1 - x * x), [1 - 1e-12, -1 + 1e-9]),
    ("arccosh", np.arccosh, lambda x: 1 / mpmath.sqrt(x * x - 1), [1 + 1e-12, 1e200]),
    ("arctanh", np.arctanh, lambda x: 1 / (1 - x * x), [1 - 1e-12, -1 + 1e-9]),
    (
        "sinc",
        np.sinc,
        lambda x: mpmath.diff(lambda t: mpmath.sinc(mpmath.pi * t), x),
        [1e-9, 1e-3, 0.3, 0.63, 0.64, 20.2],
    ),
    ("cbrt", np.cbrt, lambda x: mpmath.mpf(x) ** (mpmath.mpf(-2) / 3) / 3, [1e-300, 8.0]),
    ("logaddexp", lambda x: np.logaddexp(x, 1.0), lambda x: 1 / (1 + mpmath.exp(1 - x)), [-30.0, 0.5, 40.0]),
    ("hypot", lambda x: np.hypot(x, 1e200), lambda x: x / mpmath.hypot(x, mpmath.mpf("1e200")), [1e190, 1e200]),
    ("x**-3", lambda x: x**-3, lambda x: -3 / mpmath.mpf(x) ** 4, [1e-50, 7.0]),
]


@pytest.mark.parametrize(("fun", "derivative", "points"), [pytest.param(*c[1:], id=c[0]) for c in ACCURATE])
def test_derivatives_keep_their_digits(fun: Any, derivative: Any, points: list[float]) -> None:
    with mpmath.workdps(60):
        for x in points:
            want = float(derivative(mpmath.mpf(x)))
            np.testing.assert_allclose(cv.grad(fun)(x), want, rtol=2e-14, err_msg=f"at {x}")
