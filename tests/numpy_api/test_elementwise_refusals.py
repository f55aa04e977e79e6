"""Elementwise functions: what is refused, what depends on values, and integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.errors import ConcretizationError, NotDifferentiableError, TracerConversionError
from helpers import assert_same_as_numpy, check
from numpy_api.elementwise_inputs import MASK, Case, P, Q, X, Z


@pytest.mark.parametrize(
    ("fun", "error", "text"),
    [
        (lambda x: np.clip(x, 0, 1, out=np.empty(4)), TracerConversionError, "out="),
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


def test_a_result_without_derivative_goes_into_a_plain_array() -> None:
    out = np.empty(4)
    gradient = cv.grad(lambda x: np.sum(x * np.round(x, 1, out=out)))(X)
    np.testing.assert_array_equal(out, np.round(X, 1))
    np.testing.assert_array_equal(gradient, out)


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
