"""What NumPy decides beside the values: dtypes, casting, shapes, errors."""

from __future__ import annotations

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


# --- errors are NumPy's -----------------------------------------------------------------------------------------------

WRONG = {
    "shape": ("x[0] = np.ones(2)", ValueError, "could not broadcast"),
    "shape of a traced value": ("x[0] = x[:, 0]", ValueError, "could not broadcast"),
    "shape of a fancy index": ("x[[0, 1]] = x[0, :2]", ValueError, ""),
    "shape for a mask": ("x[np.array([[1, 1, 1], [0, 0, 1]], bool)] = x[0]", ValueError, ""),
    "too many dimensions": ("x[0] = x", ValueError, "could not broadcast"),
    "scalar from an array": ("x[0, 0] = x[0]", ValueError, ""),
    "augmented shape": ("x += np.ones((3, 1, 1))", ValueError, "broadcast"),
    "augmented slice": ("x[0] += x[:, 0]", ValueError, "broadcast"),
    "augmented to a larger result": ("x[0] += x", ValueError, "broadcast"),
    "out of too small a shape": ("np.add(x, 1.0, out=x[0])", ValueError, ""),
    "out of a reduction": ("np.sum(x, axis=0, out=x[:, 0])", ValueError, ""),
    "copyto shape": ("np.copyto(x[0], x)", ValueError, "broadcast"),
    "row": ("x[2] = 0.0", IndexError, "out of bounds"),
    "negative row": ("x[-3] = 0.0", IndexError, "out of bounds"),
    "column": ("x[0, 3] = x[0, 0]", IndexError, "out of bounds"),
    "fancy": ("x[[0, 2]] = 0.0", IndexError, "out of bounds"),
    "augmented row": ("x[2] += 1.0", IndexError, "out of bounds"),
    "too many indices": ("x[0, 0, 0] = 1.0", IndexError, "too many indices"),
    "two ellipses": ("x[..., 0, ...] = 1.0", IndexError, "ellipsis"),
    "float index": ("x[1.0] = 1.0", IndexError, ""),
    "mask of another shape": ("x[np.ones((3, 2), bool)] = 1.0", IndexError, "boolean index"),
    "put": ("np.put(x, [6], 1.0)", IndexError, "out of bounds"),
    "at": ("np.add.at(x, [2], 1.0)", IndexError, "out of bounds"),
    "fill_diagonal of a vector": ("np.fill_diagonal(x[0], 1.0)", ValueError, "2-d"),
    "place without values": ("np.place(x, np.ones((2, 3), bool), [])", ValueError, ""),
    "complex value": ("x[0] = 1j", TypeError, ""),
    "complex augmented": ("x *= 1j", TypeError, "Cannot cast"),
    "complex out": ("np.multiply(x, 1j, out=x)", TypeError, "Cannot cast"),
    "complex copyto": ("np.copyto(x, 1j * x)", TypeError, "Cannot cast"),
    "float into integers": ("k = np.zeros_like(x, dtype=int)\nk += x", TypeError, "Cannot cast"),
    "float out of integers": ("np.add(x, x, out=np.zeros_like(x, dtype=int))", TypeError, "Cannot cast"),
    "division of integers": ("k = np.ones_like(x, dtype=int)\nk /= 2", TypeError, "Cannot cast"),
    "item of a scalar": ("s = x.sum()\ns[0] = 1.0", TypeError, ""),
    "string": ("x[0] = 'a'", ValueError, ""),
    "deleted item": ("del x[0]", ValueError, "delete"),
    "attribute": ("x.T = x", AttributeError, ""),
}


def run(source: str) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        names = {"x": x, "np": np}
        exec(source, names)
        return names["x"]

    return f


@each_transform
@pytest.mark.parametrize("name", WRONG)
def test_errors_are_those_of_numpy(name: str, transform: str) -> None:
    source, error, words = WRONG[name]
    with pytest.raises(error):
        run(source)(X.copy())
    x = X.copy()
    with pytest.raises(error, match=words or None):
        TRANSFORMS[transform](run(source), x)
    assert_array_equal(x, X)


@each_transform
@pytest.mark.parametrize("source", [source for source, *_ in WRONG.values() if "\n" not in source])
def test_a_failed_write_changes_nothing(source: str, transform: str) -> None:
    def f(x: Any) -> Any:
        y = np.sin(x)
        w = y[0]
        try:
            exec(source, {"x": y, "np": np})
        except Exception:
            return y * w
        raise AssertionError("NumPy refuses this")

    assert_allclose(TRANSFORMS[transform](f, X.copy()), f(X), rtol=1e-15)
    assert_allclose(cv.grad(lambda x: f(x).sum())(X), cv.grad(lambda x: (np.sin(x) * np.sin(x)[0]).sum())(X))


def test_complex_value_into_a_real_array_by_assignment_warns_or_raises_as_numpy() -> None:
    z = X + 0.5j

    def f(z: Any) -> Any:
        y = z.real.copy()
        y[0] = z[0]
        return y

    with pytest.warns(np.exceptions.ComplexWarning):
        want = f(z)
    for transform in ("vjp", "jvp"):
        with pytest.warns(np.exceptions.ComplexWarning):
            assert_array_equal(TRANSFORMS[transform](f, z), want)


# --- dtypes -----------------------------------------------------------------------------------------------------------


@each_transform
@pytest.mark.parametrize("dtype", [np.int64, np.int8, bool])
def test_floats_written_into_integers_are_truncated_constants(dtype: Any, transform: str) -> None:
    def f(x: Any) -> Any:
        k = np.zeros_like(x, dtype=dtype)
        k[...] = x
        k[0, 0] = 2.9
        return k

    got = TRANSFORMS[transform](f, X)
    assert got.dtype == dtype
    assert_array_equal(got, f(X))
    assert_array_equal(cv.grad(lambda x: np.sum(f(x) * x))(X), f(X))


@each_transform
@pytest.mark.parametrize(
    "source", ["y[0] = x[0]", "y += x", "np.add(x, x, out=y)", "np.copyto(y, x)", "y[[0, 0]] -= x"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128, np.float16])
def test_the_array_written_to_keeps_its_dtype(dtype: Any, source: str, transform: str) -> None:
    def f(x: Any) -> Any:
        names = {"x": x, "np": np, "y": np.ones_like(x, dtype=dtype)}
        exec(source, names)
        return names["y"]

    got, want = TRANSFORMS[transform](f, X), f(X)
    assert got.dtype == want.dtype == dtype
    assert_array_equal(got, want)
    (bar,) = cv.vjp(f, X)[1](np.ones_like(want))
    assert bar.dtype == X.dtype
    tangent = cv.jvp(f, (X,), (np.ones_like(X),))[1]
    assert tangent.dtype == dtype
    assert_allclose(np.sum(tangent).real, np.sum(bar), rtol=1e-2)


def test_single_precision_throughout() -> None:
    x = X.astype(np.float32)

    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        y[0] = x[1] * 2.0
        y[1] += 0.1
        y[:, 1] *= x[:, 0]
        y[y > 0.5] = 0.3
        return y

    assert cv.jacrev(f)(x).dtype == cv.jacfwd(f)(x).dtype == np.float32
    assert_array_equal(cv.vjp(f, x)[0], f(x.copy()))


@each_transform
def test_integer_names_change_too(transform: str) -> None:
    def f(x: Any) -> Any:
        order = np.argsort(x, axis=1)
        order[0] += 1
        order %= 3
        return x[0][order[0]] * 2.0

    if transform != "vmap":
        assert_array_equal(TRANSFORMS[transform](f, X), f(X))
