"""Python asks for values while a function is recorded; the answers are checked whenever the program runs."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from covector.compiler.tracing.guards import Guard

X = np.array([3.0, -1.0, 2.0, 0.0])


def check(f: Any, *argument_lists: tuple[Any, ...]) -> Any:
    """Compare with Python for all arguments, twice, and return the jitted function."""
    g = cv.jit(f)
    for _ in range(2):
        for args in argument_lists:
            got, expected = g(*args), f(*args)
            for a, b in zip(cv.tree.leaves(got), cv.tree.leaves(expected), strict=True):
                assert np.asarray(a).dtype == np.asarray(b).dtype
                assert_allclose(a, b, rtol=1e-13)
            assert cv.tree.structure(got) == cv.tree.structure(expected)
    return g


# --- control flow -----------------------------------------------------------------------------------------------------


def test_branches() -> None:
    def f(x: Any) -> Any:
        if np.sum(x) > 0 and x[0] != 2:
            return np.sin(x)
        elif np.any(x > 5) or not x[1]:
            return {"other": x}
        return -x

    g = check(f, (X,), (-X,), (X * [-3, 1, 1, 1],), (X * 0,), (np.array([2.0, 1.0, 1.0, 1.0]),))
    assert g.cache_info().specialisations == 4


def test_loops_that_depend_on_data() -> None:
    def newton(a: Any) -> Any:
        x, n = a, 0
        while abs(x * x - a) > 1e-12 * a:
            x = 0.5 * (x + a / x)
            n += 1
        return x, n

    g = check(newton, (2.0,), (2.0000001,), (1e6,), (9.0,))
    assert 2 <= g.cache_info().specialisations <= 4
    check(lambda x, n: [x * k for k in range(int(n))], (X, 3), (X, 3.7), (X, np.int8(0)), (X, np.array(2)))
    check(lambda x: np.stack([x] * int(np.sum(x > 0))), (X,), (np.abs(X) + 1,))


def test_a_loop_of_a_thousand_steps_is_recorded_in_linear_time() -> None:
    def f(x: Any, n: Any) -> Any:
        k = 0
        while k < n:
            x = x * 0.5 + 1.0
            k = k + np.int64(1)
        return x

    def seconds(n: int) -> float:
        g = cv.jit(f)
        start = time.perf_counter()
        lowered = g.lower(X, np.int64(n))
        assert len(lowered.guards) == n + 1
        return time.perf_counter() - start

    short, long = min(seconds(100) for _ in range(3)), min(seconds(1000) for _ in range(3))
    assert long < 40 * short
    assert_allclose(cv.jit(f)(X, np.int64(50)), f(X, np.int64(50)))


def test_memory_of_values_asked_for_is_given_back() -> None:
    # Each value is of 8 MB: all of them at once would be 1.6 GB.
    resource = pytest.importorskip("resource")

    def f(x: Any) -> Any:
        for _ in range(200):
            x = x * 0.99
            if x[0] < -1:
                break
        return x[:3]

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lowered = cv.jit(f).lower(np.ones(1_000_000))
    assert len(lowered.guards) == 200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000


def test_writing_in_a_loop_with_questions_is_linear() -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        for i in range(400):
            y[i] = x[i] * 2
            if y[i] < 0:
                y[i] = 0.0
        return y

    x = np.linspace(-1.0, 1.0, 400)
    assert_allclose(cv.jit(f)(x), np.maximum(2 * x, 0))


def test_questions_about_views_and_writes() -> None:
    def f(x: Any) -> Any:
        y = x.copy()
        row = y[1:]
        if row[0] < 0:
            row[0] = 10.0
        if y[1] == 10.0:
            y *= 2
        return y, row

    check(f, (X,), (-X,))


# --- numbers ----------------------------------------------------------------------------------------------------------

CONVERSIONS: dict[str, Any] = {
    "int": lambda x: int(x[0]),
    "floor": lambda x: math.floor(x[0] / 2),
    "ceil": lambda x: math.ceil(x[0] / 2),
    "trunc": lambda x: math.trunc(x[0] * 1.5),
    "round": lambda x: round(x[0] * 1.3),
    "float": lambda x: float(x[0]) + 1,
    "math": lambda x: math.sin(x[0]),
    "complex": lambda x: complex(x[0]) * 1j,
    "index": lambda x: [10, 20, 30, 40][x.argmax()],
    "range": lambda x: sum(range(x.argmin())),
    "shape": lambda x: np.zeros(x.argmax() + 1),
    "bool": lambda x: bool(x[3]),
    "list": lambda x: x.tolist(),
    "min": lambda x: min(x[0], x[1], x[2]),
    "sorted": lambda x: sorted([x[0], x[1], x[2]]),
    "in": lambda x: 2.0 in x,
    "format": lambda x: len(f"{x.shape}"),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_numbers(name: str) -> None:
    check(CONVERSIONS[name], (X,), (X[::-1].copy(),), (-X,))


def test_an_integer_asked_for_stands_for_all_numbers_that_give_it() -> None:
    g = check(lambda x, t: x * int(t), (X, 2.0), (X, 2.25), (X, 2.99), (X, 3.0), (X, -0.5), (X, 0.5))
    assert g.cache_info().specialisations == 3


def test_nan_infinity_and_signed_zero() -> None:
    f = lambda x, t: x + math.copysign(1.0, t) if t == t else x * 0
    g = check(f, (X, math.nan), (X, 0.0), (X, -0.0), (X, math.inf), (X, math.nan))
    assert g.cache_info().specialisations == 4
    g = check(lambda t: np.array([float(t)]), (math.nan,), (math.inf,), (-math.inf,), (1.0,))
    assert g.cache_info().specialisations == 4
    with pytest.raises(ValueError, match="NaN"):
        cv.jit(lambda t: int(t))(math.nan)
    check(lambda z: complex(z), (complex(0.0, -0.0),), (complex(0.0, 0.0),), (complex(math.nan, 1),))


# --- shapes that depend on values -------------------------------------------------------------------------------------

SHAPES: dict[str, Any] = {
    "mask": lambda x: x[x > 0],
    "mask on an axis": lambda x: np.stack([x, x])[:, x > 0],
    "mask and integer": lambda x: np.stack([x, x])[1, x > 0],
    "nonzero": lambda x: np.nonzero(x),
    "flatnonzero": lambda x: np.flatnonzero(x > 1),
    "where": lambda x: np.where(x > 0)[0] + 1,
    "argwhere": lambda x: np.argwhere(x > 0),
    "compress": lambda x: np.compress(x > 0, x),
    "extract": lambda x: np.extract(x > 0, x),
    "unique": lambda x: np.unique(np.abs(x)),
    "unique with counts": lambda x: np.unique(np.floor(x), return_counts=True),
    "slice": lambda x: x[: x.argmax() + 1],
    "slice by a number": lambda x: x[int(abs(x[2])) :],
    "repeat": lambda x: np.repeat(x, np.abs(x).astype(int)),
    "union": lambda x: np.union1d(x, x + 1),
    "setdiff": lambda x: np.setdiff1d(x, [2.0]),
    "trim": lambda x: np.trim_zeros(np.where(x > 0, x, 0)),
    "roots": lambda x: np.sort(np.abs(np.roots(np.abs(x)))),
    "eigenvalues, real or complex": lambda x: np.sort(np.linalg.eigvals(x.reshape(2, 2))),
    "residuals of a fit": lambda x: np.linalg.lstsq(np.stack([x, x * x[0], x**2]).T, x, rcond=None)[1],
    "assignment by a mask": lambda x: _assigned(x),
    "assignment by a mask beside an integer": lambda x: _assigned_in_a_row(x),
    "delete": lambda x: np.delete(x, x > 2),
}


def _assigned(x: Any) -> Any:
    y = x.copy()
    y[y < 1] = np.arange(10.0)[: int(np.sum(y < 1))]
    y[y > 2] += 0.5
    return y


def _assigned_in_a_row(x: Any) -> Any:
    y = np.stack([x, x])
    y[x.argmax() % 2, x > 0] = 9.0
    return y


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_that_depend_on_values(name: str) -> None:
    check(SHAPES[name], (X,), (X[::-1].copy(),), (X + 0.5,))


def test_a_mask_stands_for_all_values_with_the_same_mask() -> None:
    g = check(lambda x: np.sum(x[x > 0]), (X,), (X * 2,), (X * [1, 3, 1, 1],), (-X,))
    assert g.cache_info().specialisations == 2


# --- guards themselves ------------------------------------------------------------------------------------------------


def test_guards_name_the_line() -> None:
    def f(x: Any) -> Any:
        return x if x[0] > 0 else -x  # asks here

    line = f.__code__.co_firstlineno + 1
    (guard,) = cv.jit(f).lower(X).guards
    assert isinstance(guard, Guard)
    assert guard.where == f"{__file__}:{line}" and guard.purpose == "bool" and guard.expected
    assert f"{__file__}:{line}" in repr(guard)


def test_one_question_is_one_guard() -> None:
    def f(x: Any) -> Any:
        c = x[0] > 0
        return x if c and c and bool(c) else -x

    assert len(cv.jit(f).lower(X).guards) == 1


def test_no_value_is_computed_without_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    from covector.core.primitive import PRIMITIVES

    def fail(*_: Any) -> Any:
        raise AssertionError("computed")

    monkeypatch.setattr(PRIMITIVES["sin"], "impl", fail)
    cv.jit(lambda x: np.sin(x) if x[0] > 0 else x).lower(X)


def test_programs_for_other_values_may_fail_on_these() -> None:
    def f(x: Any, i: Any) -> Any:
        return x[i] if i < 4 else x[0]

    check(f, (X, np.int64(2)), (X, np.int64(9)), (X, np.int64(3)))
    g = cv.jit(lambda x, i: x[i] if i != 7 else x)
    g(X, np.int64(1))
    for _ in range(3):
        with pytest.raises(IndexError):
            g(X, np.int64(10))
    assert g.cache_info().specialisations <= 2


def test_a_close_call_is_decided_as_numpy_does() -> None:
    values = np.random.default_rng(0).standard_normal(1000)
    limit = float(np.exp(values).sum())
    f = lambda x: (np.exp(x).sum() == limit, x[0] if np.exp(x).sum() == limit else x[1])
    g = cv.jit(f)
    for _ in range(3):
        assert g(values)[1] == values[0]
    assert g.cache_info().specialisations == 1


def test_a_number_that_is_computed_need_not_agree_in_the_last_bit() -> None:
    values = np.random.default_rng(0).standard_normal(1000)
    g = cv.jit(lambda x: x * math.sqrt(np.exp(x).sum()))
    for _ in range(3):
        assert_allclose(g(values), values * math.sqrt(np.exp(values).sum()), rtol=1e-13)
    assert g.cache_info().specialisations == 1


def test_derivative_tracers_still_refuse_to_become_numbers() -> None:
    with pytest.raises(cv.TracerConversionError, match="traced by grad"):
        cv.jit(cv.grad(lambda x: math.sin(x)))(1.0)
    with pytest.raises(cv.ConcretizationError, match="vmap"):
        cv.jit(cv.vmap(lambda x: x if x > 0 else -x))(X)


def test_branches_under_transforms() -> None:
    def f(x: Any) -> Any:
        return np.sum(x**2) if x[0] > 0 else np.sum(x**3)

    for transform in (cv.grad, cv.jacfwd, cv.hessian):
        for g in (cv.jit(transform(f)), transform(cv.jit(f))):
            for x in (X, -X, X * 2):
                assert_allclose(g(x), transform(f)(x), rtol=1e-13)


# --- too many of them -------------------------------------------------------------------------------------------------


def test_a_warning_names_the_line_that_asks_for_ever_new_values() -> None:
    def f(x: Any) -> Any:
        return x * float(np.sum(x))  # asks here

    line = f.__code__.co_firstlineno + 1
    g = cv.jit(f)
    for k in range(1, 9):
        assert_allclose(g(X * k), f(X * k))
    with pytest.warns(RuntimeWarning, match=rf"test_guards.py:{line} \(float\).*use np.where") as caught:
        assert_allclose(g(X * 10), f(X * 10))
    assert caught[0].filename == __file__
    for k in range(20, 100):
        assert_allclose(g(X * k), f(X * k))
    assert g.cache_info().specialisations == 64


def test_a_warning_about_a_loop() -> None:
    def f(x: Any, n: Any) -> Any:
        while n > 0:
            x, n = x * 0.5, n - 1
        return x

    g = cv.jit(f)
    with pytest.warns(RuntimeWarning, match="compiled again 8 times"):
        for n in range(12):
            assert_array_equal(g(X, n), f(X, n))


def test_a_warning_about_numbers_outside() -> None:
    scale = 1.0
    g = cv.jit(lambda x: x * scale)
    with pytest.warns(RuntimeWarning, match="because 'scale' changed; pass it as an argument"):
        for k in range(80):
            scale = float(k)
            assert_array_equal(g(X), X * k)
    assert g.cache_info().specialisations == 64


def test_what_cannot_be_recorded_runs_as_python_and_says_so() -> None:
    g = cv.jit(lambda x: np.frompyfunc(lambda v: v + 1, 1, 1)(x).astype(float))
    with pytest.warns(RuntimeWarning, match="runs as plain Python, because it cannot be recorded: the ufunc"):
        assert_array_equal(g(X), X + 1)
    assert_array_equal(g(X), X + 1)
    with pytest.raises(RuntimeError, match="runs as plain Python for these arguments: the ufunc"):
        g.lower(X)
    assert g.cache_info().specialisations == 0
    with pytest.raises(cv.NotDifferentiableError, match="traced by grad"):
        cv.jit(cv.grad(lambda x: np.sum(np.frompyfunc(np.sin, 1, 1)(x))))(X)


def test_indices_into_arrays_made_inside() -> None:
    def f(x: Any, i: Any) -> Any:
        table = np.arange(10.0) * 2
        return x * table[i] + np.asarray(i)

    g = check(f, (X, np.array([1, 2, 3, 4])), (X, np.array([0, 0, 9, -1])))
    assert g.cache_info().specialisations == 1


def test_integers_may_become_plain_arrays() -> None:
    def f(x: Any, i: Any) -> Any:
        labels, count = scipy.ndimage.label(i)
        return x * labels + count

    g = check(f, (X, np.array([1, 0, 1, 1])), (X, np.array([0, 0, 1, 0])), (X + 1, np.array([0, 0, 1, 0])))
    assert g.cache_info().specialisations == 2


def test_a_warning_about_static_arguments() -> None:
    g = cv.jit(lambda x, n: x * n, static_argnums=1)
    with pytest.warns(RuntimeWarning, match="a static argument changed from 7 to 8; make it a dynamic argument"):
        for k in range(80):
            assert_array_equal(g(X, k), X * k)
