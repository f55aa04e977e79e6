"""Elementwise functions: NumPy's values, derivatives of both orders, batches, and the points where formulas break."""

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
from covector.core.errors import ConcretizationError, NotDifferentiableError, TracerConversionError
from covector.core.primitive import PRIMITIVES, load_late_rules
from covector.core.tracer import Tracer
from covector.core.values import aval_of, dtype_of
from helpers import assert_same_as_numpy, check, since

X = np.array([0.3, -0.7, 0.9, 0.1])
P = np.array([0.4, 1.3, 2.2, 0.8])
Q = np.array([[1.7, 0.6, 0.9, 1.1], [0.5, 2.3, 1.4, 0.7]])
Z = np.array([0.3 + 0.4j, -0.7 + 0.2j, 0.9 - 0.5j])
W = np.array([1.1 - 0.4j, 0.6 + 0.8j, -0.5 + 0.3j])
MASK = np.array([True, False, True, False])

UNARY = {
    "real": [
        "negative",
        "positive",
        "absolute",
        "fabs",
        "sign",
        "exp",
        "exp2",
        "expm1",
        "square",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
        "arcsinh",
        "arctanh",
        "deg2rad",
        "rad2deg",
        "degrees",
        "radians",
        "conjugate",
        "cbrt",
    ],
    "positive": ["log", "log2", "log10", "log1p", "sqrt", "cbrt", "reciprocal"],
    "complex": [
        "negative",
        "positive",
        "absolute",
        "sign",
        "exp",
        "exp2",
        "expm1",
        "square",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
        "arctan",
        "arcsinh",
        "arctanh",
        "conjugate",
        "log",
        "log2",
        "log10",
        "log1p",
        "sqrt",
        "reciprocal",
    ],
}
BINARY = {
    "real": [
        "add",
        "subtract",
        "multiply",
        "divide",
        "maximum",
        "minimum",
        "fmax",
        "fmin",
        "hypot",
        "arctan2",
        "logaddexp",
        "logaddexp2",
        "copysign",
        "heaviside",
        "nextafter",
        "remainder",
        "fmod",
        "power",
        "float_power",
    ],
    "complex": ["add", "subtract", "multiply", "divide", "power", "float_power", "maximum", "minimum"],
}

Case = tuple[str, Callable[..., Any], tuple[Any, ...]]

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


def _quiet(fun: Callable[..., Any], *args: Any) -> Any:
    with np.errstate(all="ignore"):
        return fun(*args)


@pytest.mark.parametrize(("fun", "args"), CASES)
def test_value_is_numpys(fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
    want = _quiet(fun, *args)
    assert_same_as_numpy(_quiet(cv.vjp, fun, *args)[0], want)
    tangents = tuple(np.ones_like(a) for a in args)
    primals = tuple(np.asarray(a)[()] for a in args)
    assert_same_as_numpy(_quiet(cv.jvp, fun, primals, tangents)[0], want)


@pytest.mark.parametrize(("fun", "args"), CASES)
def test_derivatives(fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
    with np.errstate(all="ignore"):
        check(fun, *args)


@pytest.mark.parametrize(("fun", "args"), [pytest.param(f, a, id=n) for n, f, a in CONSTANTS])
def test_functions_without_derivative_return_plain_values(fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
    want = _quiet(fun, *args)
    seen = []

    def watch(*xs: Any) -> Any:
        y = fun(*xs)
        assert not isinstance(y, Tracer)
        seen.append(y)
        return xs[0].sum()

    _quiet(cv.vjp, watch, *args)
    _quiet(cv.jvp, watch, args, tuple(np.ones_like(a) for a in args))
    for y in seen:
        assert_same_as_numpy(y, want)
    lanes = [np.stack([a, a * 2]) for a in args]
    together = _quiet(cv.vmap(fun), *lanes)
    for k in range(2):
        assert_same_as_numpy(together[k], _quiet(fun, *[a[k] for a in lanes]))


@pytest.mark.parametrize("fun", [pytest.param(f, id=n) for n, f in QUESTIONS])
def test_questions_get_plain_answers(fun: Callable[..., Any]) -> None:
    want = _quiet(fun, X)
    answers = []
    _quiet(cv.grad(lambda x: answers.append(fun(x)) or np.sum(x)), X)
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


# --- dtypes -----------------------------------------------------------------------------------------------------------

SINGLE = [(n, (P if n in UNARY["positive"] else X,)) for n in UNARY["real"] + UNARY["positive"]]
SINGLE += [(n, (P, Q)) for n in BINARY["real"] if n != "float_power"]


@pytest.mark.parametrize(("name", "args"), SINGLE)
def test_float32_stays_float32(name: str, args: tuple[Any, ...]) -> None:
    args = tuple(a.astype(np.float32) for a in args)
    out, pull = cv.vjp(getattr(np, name), *args)
    assert out.dtype == np.float32
    assert [c.dtype for c in pull(np.ones_like(out))] == [np.float32] * len(args)
    assert cv.jvp(getattr(np, name), args, args)[1].dtype == np.float32


@pytest.mark.parametrize("exponent", [2, 0.5, np.int64(2), np.float64(0.5), np.float32(2), np.array(2)], ids=repr)
def test_power_promotes_with_the_dtype_of_the_exponent(exponent: Any) -> None:
    x = P.astype(np.float32)
    want = np.power(x, exponent)
    assert_same_as_numpy(cv.vjp(lambda x: np.power(x, exponent), x)[0], want)
    assert cv.jvp(lambda x: np.power(x, exponent), (x,), (x,))[1].dtype == want.dtype


@pytest.mark.parametrize(
    ("source", "target"),
    [(float, np.float32), (np.float32, float), (float, complex), (np.float32, complex), (complex, np.complex64)],
)
def test_astype_returns_the_cotangent_in_the_primal_dtype(source: Any, target: Any) -> None:
    x = X.astype(source)
    out, pull = cv.vjp(lambda x: x.astype(target), x)
    assert out.dtype == target
    (ct,) = pull(np.full(4, 2, target))
    assert ct.dtype == source
    np.testing.assert_array_equal(ct, 2)
    assert cv.jvp(lambda x: np.astype(x, target), (x,), (x,))[1].dtype == target


def test_astype_to_integers_is_constant() -> None:
    np.testing.assert_array_equal(cv.grad(lambda x: np.sum(x.astype(int) * x))(P), P.astype(int))


def test_astype_of_complex_to_real_warns_as_numpy_does() -> None:
    with pytest.warns(np.exceptions.ComplexWarning):
        gradient = cv.grad(lambda z: np.sum(z.astype(float) ** 2))(Z)
    np.testing.assert_allclose(gradient, 2 * Z.real + 0j)


def test_select_promotes_as_numpy_does() -> None:
    fun = lambda x: np.select([MASK, ~MASK], [1, x], default=2.0)
    assert cv.vjp(fun, X.astype(np.float32))[0].dtype == fun(X.astype(np.float32)).dtype == np.float32


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


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fun", "error", "text"),
    [
        (lambda x: np.piecewise(x, [x > 0], [np.sin, np.cos]), NotDifferentiableError, r"np\.where.*np\.select"),
        (lambda x: np.nan_to_num(x, copy=False), NotDifferentiableError, "returned array"),
        (lambda x: np.clip(x, 0, 1, out=np.empty(4)), NotDifferentiableError, "out="),
        (lambda x: np.round(x, 1, out=np.empty(4)), NotDifferentiableError, "out="),
        (lambda x: np.clip(x, 0, 1, where=MASK), NotDifferentiableError, "where="),
        (lambda x: np.where([x[0] > 0, x[1]], 1.0, x[2:]), TracerConversionError, r"np\.stack"),
        (lambda x: np.choose(np.array([0, 3, 0, 1]), [x, x]), ValueError, "invalid entry in choice array"),
        (lambda x: np.choose(x, [x, x]), TypeError, "integers"),
        (lambda x: np.select([x], [x]), TypeError, "boolean"),
        (lambda x: np.where(MASK, x), ValueError, "both or neither"),
        (lambda x: np.clip(x, 0), TypeError, "a_max"),
        (lambda x: np.clip(x, 0, 1, min=2), ValueError, "min"),
        (lambda x: np.isnat(x), TypeError, "isnat"),
        (lambda x: np.gcd(x, 2), TypeError, "gcd"),
    ],
)
def test_refusals_name_the_form_that_works(fun: Callable[[Any], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        cv.grad(lambda x: np.sum(fun(x)))(X)


EMATH: list[Case] = [
    *[
        (n, getattr(np.emath, n), (x,))
        for n in ["sqrt", "log", "log10", "log2", "arccos", "arcsin", "arctanh"]
        for x in (P / 3, -P - 1)
    ],
    ("sqrt complex", np.emath.sqrt, (Z,)),
    ("logn", np.emath.logn, (P + 1, -P)),
    ("power", np.emath.power, (X, 1.5)),
    ("power negative", lambda x: np.emath.power(x, np.array([-1, -2, 3, 1])), (P,)),
]


@pytest.mark.parametrize(("fun", "args"), [pytest.param(f, a, id=n) for n, f, a in EMATH])
def test_emath(fun: Callable[..., Any], args: tuple[Any, ...]) -> None:
    assert_same_as_numpy(cv.vjp(fun, *args)[0], fun(*args))
    # Whether the result is complex depends on values, which vmap does not have.
    check(fun, *args, batched=False)
    with pytest.raises(ConcretizationError):
        cv.vmap(np.emath.sqrt)(args[0].real)


def test_integers_under_vmap() -> None:
    n = np.array([[0, 3, 8, -5], [1, 2, 7, 9]])
    for fun in (
        lambda n: np.unwrap(n, period=4),
        lambda n: np.unwrap(n, period=5),
        np.unwrap,
        lambda n: np.clip(n, 0, 5),
        lambda n: np.where(n, n, 1),
        np.nan_to_num,
        np.sinc,
        np.real,
        np.imag,
        lambda n: n**2,
        lambda n: np.choose(n % 2, [n, -n]),
        lambda n: np.round(n, -1),
        lambda n: np.divmod(n, 3)[1],
        lambda n: np.select([n > 2], [n], -1),
        lambda n: n.astype(np.float32),
    ):
        assert_same_as_numpy(cv.vmap(fun)(n), np.stack([fun(k) for k in n]))


def test_float32_powers_are_computed_in_float32() -> None:
    x = P.astype(np.float32)
    for exponent in (2, 3, 2.5, -1):
        graph = cv.make_graph(lambda x, y=exponent: cv.vjp(lambda x: x**y, x)[1](x)[0])(x)
        assert {v.dtype for eq in graph for v in eq.outputs} == {np.dtype(np.float32)}


def test_where_with_one_argument_finds_positions() -> None:
    found: list[Any] = []
    cv.grad(lambda x: found.append(np.where(x > 0)) or np.sum(x))(X)
    np.testing.assert_array_equal(found[0][0], np.where(X > 0)[0])
    with pytest.raises(ConcretizationError):
        cv.vmap(lambda x: np.where(x > 0))(Q)


def test_real_if_close() -> None:
    check(lambda x: np.real_if_close(x + 0j) * x, X, batched=False)
    check(lambda z: np.real_if_close(z) * z, Z, batched=False)
    assert cv.vjp(np.real_if_close, Z.real + 1e-17j)[0].dtype == np.float64


def test_real_if_close_under_vmap_needs_values() -> None:
    with pytest.raises(ConcretizationError):
        cv.vmap(lambda z: np.real_if_close(z))(np.stack([Z, Z]))
