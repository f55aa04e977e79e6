"""Whose arrays change: the caller's never, plain ones only by plain values, traced ones as NumPy would change them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

X = np.array([[0.4, -0.7, 1.1], [0.9, 2.1, -1.3]])
TRANSFORMS: dict[str, Callable[[Callable[[Any], Any], Any], Any]] = {
    "vjp": lambda f, x: cv.vjp(f, x)[0],
    "jvp": lambda f, x: cv.jvp(f, (x,), (np.ones_like(x),))[0],
    "vmap": lambda f, x: cv.vmap(f)(x[None])[0],
    "jvp of vjp": lambda f, x: cv.jvp(lambda x: cv.vjp(f, x)[0], (x,), (np.ones_like(x),))[0],
}
each_transform = pytest.mark.parametrize("transform", TRANSFORMS)


# --- whose arrays -----------------------------------------------------------------------------------------------------

INPUTS = {
    "plain": lambda: X.copy(),
    "read-only": lambda: np.frombuffer(X.tobytes()).reshape(X.shape),
    "view": lambda: np.stack([X, X], axis=-1)[..., 0],
    "broadcast": lambda: np.broadcast_to(X[0].copy(), X.shape),
    "large": lambda: np.tile(X, (50_000, 1)),
}


@each_transform
@pytest.mark.parametrize("name", INPUTS)
def test_the_callers_arrays_do_not_change(name: str, transform: str) -> None:
    """Inside, an argument is the function's own; one that NumPy would not write to may be refused in the same words."""

    def f(x: Any) -> Any:
        x[0] = 3.0
        x[1, ::2] += x[1, 1]
        x *= 2.0
        x.T[0].fill(0.5)
        return x * x

    x = INPUTS[name]()
    before, writeable = x.copy(), x.flags.writeable
    try:
        assert_array_equal(TRANSFORMS[transform](f, x), f(x.copy()))
    except ValueError as error:
        assert not writeable and "read-only" in str(error)
    assert_array_equal(x, before)
    assert x.flags.writeable == writeable


def test_tangents_and_cotangents_of_the_caller_do_not_change() -> None:
    def f(x: Any) -> Any:
        x *= 2.0
        x[0] = 0.0
        return x

    t, ct = np.ones_like(X), np.full_like(X, 3.0)
    out, tangent = cv.jvp(f, (X,), (t,))
    tangent[...] = 9.0
    _, pull = cv.vjp(f, X)
    (bar,) = pull(ct)
    bar[...] = 9.0
    assert_array_equal(t, np.ones_like(X))
    assert_array_equal(ct, np.full_like(X, 3.0))
    assert_array_equal(pull(ct)[0], [[0.0] * 3, [6.0] * 3])


def test_the_same_array_twice_is_two_arguments() -> None:
    def f(x: Any, y: Any) -> Any:
        x[0] = 0.0
        return x * y

    bars = cv.vjp(f, X, X)[1](np.ones_like(X))
    assert_array_equal(bars[0], [[0.0] * 3, X[1]])
    assert_array_equal(bars[1], [[0.0] * 3, X[1]])


def test_what_an_earlier_result_needs_does_not_change() -> None:
    def f(x: Any) -> Any:
        y = x * x
        z = np.exp(x)
        x[0] = 3.0
        z[...] = 0.0
        x += 1.0
        return np.sum(y * x)

    u, v = X[0], X[1]
    assert_allclose(cv.grad(f)(X), [8.0 * u, 3.0 * v**2 + 2.0 * v])


def test_a_work_array_is_used_as_it_was_at_the_time() -> None:
    def f(x: Any, w: Any) -> Any:
        y = x * w
        w[:] = 5.0
        w[0] = y[0]
        return np.sum(y * w)

    x, w = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert_allclose(cv.grad(f, argnums=(0, 1))(x, w), ([18.0, 20.0], [6.0, 10.0]))


@each_transform
def test_a_returned_array_is_no_longer_tied_to_others(transform: str) -> None:
    def f(x: Any) -> Any:
        w = x[0]
        w[0] = 7.0
        return {"all": x, "row": w, "again": x}

    run = {"vjp": lambda: cv.vjp(f, X)[0], "jvp": lambda: cv.jvp(f, (X,), (X,))[0], "vmap": lambda: cv.vmap(f)(X[None])}
    out = run.get(transform, run["vjp"])()
    kept = out["row"].copy()
    out["all"][...] = 0.0
    assert_array_equal(out["row"], kept)
    assert_array_equal(out["row"].ravel()[0], 7.0)


# --- plain arrays -----------------------------------------------------------------------------------------------------

PLAIN = {
    "element": "b[0] = x[0, 0]",
    "slice": "b[:] = x[0]",
    "row": "b[...] = x[0]",
    "fancy": "b[[0, 1]] = x[0, :2]",
    "mask": "b[b < 1] = x[0]",
    "augmented element": "b[0] += x[0, 0]",
    "out": "np.add(x[0], 1.0, out=b)",
    "out of a reduction": "np.sum(x, axis=0, out=b)",
    "method": "x.sum(axis=0, out=b)",
    "copyto": "np.copyto(b, x[0])",
    "put": "np.put(b, [0], x[0, :1])",
    "putmask": "np.putmask(b, b < 1, x[0])",
    "place": "np.place(b, b < 1, x[0])",
    "fill": "b.fill(x[0, 0])",
    "add.at": "np.add.at(b, [0, 1], x[0, :2])",
    "put_along_axis": "np.put_along_axis(b, np.array([0]), x[0, :1], 0)",
    "fill_diagonal": "np.fill_diagonal(np.zeros((3, 3)), x[0])",
}


@each_transform
@pytest.mark.parametrize("name", PLAIN)
def test_a_traced_value_for_a_plain_array_is_refused(name: str, transform: str) -> None:
    """With the place and the form that works; the array is left as it was."""
    outer = np.zeros(3)
    code = compile(PLAIN[name], os.path.join("somewhere", "user_code.py"), "exec")

    def f(x: Any) -> Any:
        exec(code, {"x": x, "np": np, "b": outer})
        return x

    with pytest.raises(cv.TracerConversionError) as info:
        TRANSFORMS[transform](f, X)
    message = str(info.value)
    assert "user_code.py:1" in message
    assert "zeros_like" in message or "like=" in message or "np.stack" in message
    assert_array_equal(outer, np.zeros(3))


def test_an_augmented_plain_name_is_bound_anew_unless_others_refer_to_the_array() -> None:
    """``b += t`` may not change the array b; giving the name a new, traced value keeps the derivative."""
    outer = np.zeros(3)

    def f(x: Any, own: bool) -> Any:
        b = outer.copy() if own else outer
        b += x[0]
        return np.sum(b * x[1])

    assert_allclose(cv.grad(f)(X, True), X[::-1])
    with pytest.raises(cv.TracerConversionError):
        cv.grad(f)(X, False)
    assert_array_equal(outer, np.zeros(3))


# --- values that outlive their transform ------------------------------------------------------------------------------

LEAKS = {
    "read": lambda b: b + 1.0,
    "element": lambda b: b[0] * 2.0,
    "sum": np.sum,
    "write": lambda b: b.__setitem__(0, 1.0),
    "write into a view": lambda b: b[1:].__setitem__(0, 1.0),
    "augmented": lambda b: b.__iadd__(1.0),
    "out": lambda b: np.add(np.ones(3), 1.0, out=b),
    "fill": lambda b: b.fill(0.0),
}


@pytest.mark.parametrize("use", LEAKS)
@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("transform", ["grad", "jvp", "vmap"])
def test_a_buffer_that_outlives_its_transform(transform: str, written: bool, use: str) -> None:
    """An error, or what the same plain array does; for one with traced values in it, an error until none is left."""
    kept: list[Any] = []

    def f(x: Any) -> Any:
        b = np.zeros_like(x)
        if written:
            b[:] = x
        kept.append(b)
        return np.sum(x)

    x = np.ones(3)
    runs = {"grad": lambda: cv.grad(f)(x), "jvp": lambda: cv.jvp(f, (x,), (x,)), "vmap": lambda: cv.vmap(f)(x[None])}
    runs[transform]()
    plain = np.ones(3) if written else np.zeros(3)
    want = LEAKS[use](plain)
    if written and use not in ("out", "fill"):
        with pytest.raises(cv.LeakedTracerError, match=transform):
            LEAKS[use](kept[0])
        return
    try:
        got = LEAKS[use](kept[0])
        after = np.add(kept[0], 0.0)
        if want is not None:
            assert_array_equal(np.add(got, 0.0), want)
    except cv.LeakedTracerError as error:
        assert transform in str(error)
    else:
        assert_array_equal(after, plain)


def test_an_exception_half_way_leaves_the_names_as_in_numpy() -> None:
    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        w = y[1:]
        try:
            for i in range(10):
                y[i] = x[i] * x[0]
        except IndexError:
            pass
        w[0] *= 2.0
        return np.sum(y * x)

    x = np.array([2.0, 3.0, 5.0])
    h = 1e-6
    numeric = [(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(3)]
    assert_allclose(cv.grad(f)(x), numeric, rtol=1e-8)


def test_warnings_are_those_of_numpy() -> None:
    """Writing is no reason for a warning, and none of NumPy's is lost."""

    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[0] = x[0] / 0.0
        y[1] += np.log(x[1] - x[1])
        return y

    with warnings.catch_warnings(record=True) as want:
        warnings.simplefilter("always")
        f(X.copy())
    with warnings.catch_warnings(record=True) as got:
        warnings.simplefilter("always")
        cv.vjp(f, X)
    assert sorted(str(w.message) for w in got) == sorted(str(w.message) for w in want)
