"""Elementwise functions: NumPy's values, derivatives of both orders, batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.buffer import plain_of
from covector.core.dispatch import UFUNCS
from covector.core.primitive import PRIMITIVES, load_late_rules
from covector.core.tracer import Tracer
from covector.core.values import aval_of, dtype_of
from helpers import assert_same_as_numpy, check, since
from numpy_api.elementwise_inputs import BINARY, MASK, UNARY, Case, P, Q, W, X, Z, quiet

UFUNC_CASES: list[Case] = [
    *[(f"{n} real", getattr(np, n), (X,)) for n in UNARY["real"]],
    *[(f"{n} positive", getattr(np, n), (P,)) for n in UNARY["positive"]],
    *[(f"{n} complex", getattr(np, n), (Z,)) for n in UNARY["complex"]],
    *[(f"{n} real", getattr(np, n), (P, Q)) for n in BINARY["real"]],
    *[(f"{n} complex", getattr(np, n), (Z, W)) for n in BINARY["complex"]],
    *[(f"{n} scalars", getattr(np, n), (1.3, 0.4)) for n in BINARY["real"]],
    ("arccosh", np.arccosh, (P + 1,)),
    ("arccosh complex", np.arccosh, (Z,)),
    ("ldexp", lambda x: np.ldexp(x, np.array([[1], [-2]])), (X,)),
    ("frexp", lambda x: np.frexp(x)[0], (P,)),
    ("modf", lambda x: np.modf(x)[0], (P,)),
    ("divmod", lambda x, y: np.divmod(x, y)[1], (P, Q)),
    ("remainder negative", lambda x, y: np.remainder(x, -y) + x % y, (P, Q)),
    ("fmod negative", lambda x, y: np.fmod(-x, y), (P, Q)),
]

POWERS: list[Case] = [
    *[(f"x**{n}", lambda x, n=n: x**n, (P,)) for n in (0, 1, 2, 3, -1, -2, 0.5, 2.5, 2.0, np.float64(3))],
    *[(f"negative x**{n}", lambda x, n=n: x**n, (X - 1,)) for n in (0, 1, 2, 3, -1, -2, 2.0)],
    ("np.power(x, 3)", lambda x: np.power(x, 3), (X,)),
    ("pow array exponent", lambda x: x ** np.array([0, 1, 2, 3]), (X,)),
    ("pow float array exponent", lambda x: x ** np.array([0.0, 1.0, 2.0, 3.0]), (X,)),
    ("exponent", lambda y: 2.0**y, (X,)),
    ("exponent of array", lambda y: P**y, (X,)),
    ("both", lambda x, y: x**y, (P, X)),
    ("same", lambda x: x**x, (P,)),
    ("complex exponent", lambda x, y: x**y, (P[:3], Z)),
    ("complex base", lambda z: z**3 + z**-2 + z**0.5, (Z,)),
]

FUNCTIONS: list[Case] = [
    ("where", lambda x, y: np.where(MASK, x, y), (X, P)),
    ("where on values", lambda x: np.where(x > 0, x**2, -x), (X,)),
    ("where broadcasting", lambda x, y: np.where(MASK[:, None], x, y), (X, np.float64(2.0))),
    ("where scalar branch", lambda x: np.where(MASK, 0.5, x) + np.where(MASK, x, 1), (X,)),
    ("where list", lambda x: np.where([True, False, True, False], x, [1.0, 2.0, 3.0, 4.0]), (X,)),
    ("where float condition", lambda x: np.where(MASK * 1.5, x, 0), (X,)),
    ("where complex and real", lambda x, z: np.where(MASK[:3], x, z), (X[:3], Z)),
    ("where 0-d", lambda x, y: np.where(True, x, y), (1.5, 2.5)),
    ("select", lambda x: np.select([x > 0.5, x > 0], [x**2, x**3], -x), (X,)),
    ("select default", lambda x: np.select([x > 0.5, x > 0], [x**2, 2.0]), (X,)),
    ("select traced default", lambda x, d: np.select([MASK], [x], default=d), (X, 2.0)),
    ("choose", lambda x, y: np.choose(np.array([0, 1, 2, 1]), [x, y, 3.0]), (X, P)),
    ("choose wrap", lambda x, y: np.choose(np.array([0, 4, -1, 1]), (x, y), mode="wrap"), (X, P)),
    ("choose clip", lambda x, y: np.choose(np.array([0, 4, -1, 1]), (x, y), mode="clip"), (X, P)),
    ("choose broadcasting", lambda x: np.choose(1, [x, 2 * x]), (X,)),
    ("clip", lambda x: np.clip(x, -0.5, 0.5), (X,)),
    ("clip keywords", since("2.1.0")(lambda x: np.clip(x, min=-0.5, max=0.5)), (X,)),
    ("clip a_min a_max", lambda x: np.clip(x, a_min=-0.5, a_max=None), (X,)),
    ("clip lower", lambda x: np.clip(x, 0.2, None), (X,)),
    ("clip upper", since("2.1.0")(lambda x: np.clip(x, max=0.2)), (X,)),
    ("clip no bound", since("2.1.0")(lambda x: np.clip(x, None, None)), (X,)),
    ("clip arrays", lambda x: np.clip(x, [-1, -0.5, 0, 0.2], np.array([0, 1, 0.5, 1.0])), (X,)),
    ("clip traced bounds", lambda x, a, b: np.clip(x, a, b), (X, -0.2, 0.5)),
    ("clip crossed bounds", lambda x, a, b: np.clip(x, a, b), (X, 0.5, -0.2)),
    ("clip method, one bound", lambda x: x.clip(0.21) * x.clip(min=-0.53) * x.clip(None, 0.33), (X,)),
    ("clip method", lambda x: x.clip(-0.5, 0.5) + x.clip(max=0.2), (X,)),
    ("nan_to_num", lambda x: np.nan_to_num(x / MASK, nan=1.0, posinf=2.0, neginf=-3.0), (X,)),
    ("nan_to_num complex", lambda z: np.nan_to_num(z), (Z,)),
    ("sinc", np.sinc, (X * 3,)),
    ("sinc complex", np.sinc, (Z,)),
    ("sinc 0", np.sinc, (np.array([0.0, 1e-5, 1.0, 2.5]),)),
    ("i0", lambda x: np.i0(x) + 0, (X,)),
    ("real", lambda z: np.real(z) * z.real, (Z,)),
    ("imag", lambda z: np.imag(z) * z.imag + np.exp(z).imag, (Z,)),
    ("real of real", lambda x: np.real(x) * x.real, (X,)),
    ("conj", lambda z: np.conj(z) * z.conj() * z.conjugate(), (Z,)),
    ("angle", np.angle, (Z,)),
    ("angle degrees", lambda z: np.angle(z, deg=True), (Z,)),
    ("angle of real", lambda x: np.angle(x) + x, (X,)),
    ("abs complex", lambda z: np.abs(z) ** 2 + abs(z), (Z,)),
    ("sign complex", np.sign, (Z,)),
    ("astype complex", lambda x: x.astype(complex) * (1 + 2j), (X,)),
    ("astype same", lambda x: x.astype(float) + np.astype(x, np.float64, copy=False), (X,)),
    ("copy", lambda x: np.copy(x) * x.copy(), (X,)),
    ("unwrap", np.unwrap, (np.array([0.1, 3.5, 7.0, 9.0, 9.5, 15.0]),)),
    ("unwrap axis", lambda x: np.unwrap(x, axis=0), (np.array([[0.1, 3.0], [4.5, -3.0], [9.0, 1.0]]),)),
    ("unwrap period", lambda x: np.unwrap(x, period=2.0, discont=1.2), (np.array([0.1, 1.9, 3.3, 0.2]),)),
    ("operators", lambda x, y: (x + y) * x / y - -x + +y + abs(x), (X, P)),
    ("reflected", lambda x: 2 - x + 3 / (x + 2) + 2 ** (x + 1) + np.ones(4) * x, (X,)),
    ("floor divide", lambda x, y: x - (x // y) * y + x % y, (P, Q)),
]

CASES = [pytest.param(f, a, id=n) for n, f, a in UFUNC_CASES + POWERS + FUNCTIONS]

CONSTANTS: list[Case] = [
    *[(n, getattr(np, n), (X, P)) for n in ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]],
    *[(n, getattr(np, n), (X, P)) for n in ["logical_and", "logical_or", "logical_xor", "floor_divide"]],
    *[
        (n, getattr(np, n), (X * 3,))
        for n in ["logical_not", "isfinite", "isinf", "isnan", "signbit", "floor", "ceil", "trunc", "rint"]
    ],
    *[(n, getattr(np, n), (X * 3,)) for n in ["spacing", "fix", "isposinf", "isneginf", "isreal", "iscomplex", "sign"]],
    ("round", lambda x: np.round(x, 1), (X * 3,)),
    ("around decimals", lambda x: np.around(x, decimals=-1), (X * 30,)),
    ("method round", lambda x: x.round(1), (X * 3,)),
    ("modf whole", lambda x: np.modf(x)[1], (X * 3,)),
    ("frexp exponent", lambda x: np.frexp(x)[1], (X * 3,)),
    ("divmod quotient", lambda x: np.divmod(x, 0.4)[0], (X * 3,)),
    ("imag of real", np.imag, (X,)),
    ("iscomplex", np.iscomplex, (Z,)),
    ("isclose", lambda x: np.isclose(x, [0.3, 0.7, 0.9, 0.2], rtol=0.1), (X,)),
    ("isclose nan", lambda x: np.isclose(x, np.nan, equal_nan=True), (X,)),
    ("operators", lambda x: (x > 0) & (x < 0.5) | ~(x >= 0.2) ^ (x != 0.1), (X,)),
    ("bits", lambda x: ((x > 0).astype(int) << 3 >> 1) | np.gcd(np.lcm(4, 6), 8), (X,)),
]

QUESTIONS: list[tuple[str, Callable[..., Any]]] = [
    ("allclose", lambda x: np.allclose(x, x + 1e-12)),
    ("allclose not", lambda x: np.allclose(x, 2.0)),
    ("array_equal", lambda x: np.array_equal(x, x)),
    ("array_equal shapes", lambda x: np.array_equal(x, x[:1])),
    ("array_equal nan", lambda x: np.array_equal(x / MASK * 0, x / MASK * 0, equal_nan=True)),
    ("array_equiv", lambda x: np.array_equiv(x[None], x)),
    ("array_equiv not", lambda x: np.array_equiv(x, np.ones(3))),
    ("iscomplexobj", lambda x: np.iscomplexobj(x)),
    ("isrealobj", lambda x: np.isrealobj(x)),
    ("result_type", lambda x: np.result_type(x, np.float32)),
    ("can_cast", lambda x: np.can_cast(x.dtype, np.float32)),
    ("common_type", lambda x: np.common_type(x, np.ones(1, complex))),
]


@pytest.mark.parametrize(("fun", "args"), CASES)
def test_value_is_numpys(fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
    want = quiet(fun, *args)
    assert_same_as_numpy(quiet(cv.vjp, fun, *args)[0], want)
    tangents = tuple(np.ones_like(a) for a in args)
    primals = tuple(np.asarray(a)[()] for a in args)
    assert_same_as_numpy(quiet(cv.jvp, fun, primals, tangents)[0], want)


@pytest.mark.parametrize(("fun", "args"), CASES)
def test_derivatives(fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
    with np.errstate(all="ignore"):
        check(fun, *args)


@pytest.mark.parametrize(("fun", "args"), [pytest.param(f, a, id=n) for n, f, a in CONSTANTS])
def test_functions_without_derivative_return_plain_values(fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
    want = quiet(fun, *args)
    seen = []

    def watch(*xs: Any) -> Any:
        y = plain_of(fun(*xs))
        assert not isinstance(y, Tracer)
        seen.append(y)
        return xs[0].sum()

    quiet(cv.vjp, watch, *args)
    quiet(cv.jvp, watch, args, tuple(np.ones_like(a) for a in args))
    for y in seen:
        assert_same_as_numpy(y, want)
    lanes = [np.stack([a, a * 2]) for a in args]
    together = quiet(cv.vmap(fun), *lanes)
    for k in range(2):
        assert_same_as_numpy(together[k], quiet(fun, *[a[k] for a in lanes]))


@pytest.mark.parametrize("fun", [pytest.param(f, id=n) for n, f in QUESTIONS])
def test_questions_get_plain_answers(fun: Callable[..., Any]) -> None:
    want = quiet(fun, X)
    answers = []
    quiet(cv.grad(lambda x: answers.append(fun(x)) or np.sum(x)), X)
    assert answers == [want]
    assert type(answers[0]) is type(want)


def test_every_numpy_ufunc_is_answered() -> None:
    missing = [n for n in dir(np) if isinstance(getattr(np, n), np.ufunc) and getattr(np, n) not in UFUNCS]
    assert missing == []


def test_a_pullback_does_not_read_a_result_that_is_not_kept() -> None:
    load_late_rules()
    tried = 0
    for primitive in PRIMITIVES.values():
        if primitive.family != "elementwise" or primitive.keeps_out:
            continue
        for sample in primitive.samples:
            out = primitive.impl(*sample.args)
            wanted = [dtype_of(x).kind in "fc" for x in sample.args]
            with np.errstate(all="ignore"):
                whole = primitive.vjp(out, wanted, out, sample.args)
                lean = primitive.vjp(out, wanted, aval_of(out), sample.args)
            for a, b in zip(whole, lean, strict=True):
                np.testing.assert_array_equal(a, b)
            tried += 1
    assert tried > 300
