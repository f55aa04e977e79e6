"""Python floats, NumPy scalars and 0-d arrays through all kinds of functions: values and dtypes are NumPy's own."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import covector as cv

POINTS = {
    "float": 0.7,
    "float64": np.float64(0.7),
    "0-d": np.array(0.7),
    "float32": np.float32(0.7),
    "0-d float32": np.array(0.7, np.float32),
}

THREE = np.array([0.5, 1.0, 2.0])

# function, derivative at 0.7
FUNCTIONS = {
    "sin": (np.sin, np.cos(0.7)),
    "operators": (lambda x: (2 * x - 1) / x + x**2 - 3, 1 / 0.49 + 1.4),
    "reflected operators": (lambda x: 2**x + 3 - x + 1 / x, np.log(2) * 2**0.7 - 1 - 1 / 0.49),
    "remainder": (lambda x: x % 0.5 + divmod(x, 0.4)[1], 2.0),
    "comparison": (lambda x: x * (x > 0.5), 1.0),
    "maximum": (lambda x: np.maximum(x, 0.5), 1.0),
    "where": (lambda x: np.where(x > 0, x, 2.0), 1.0),
    "clip": (lambda x: np.clip(x, 0.0, 1.0), 1.0),
    "real": (lambda x: np.real(x) + np.imag(x) + np.conj(x), 2.0),
    "abs": (abs, 1.0),
    "round": (lambda x: np.round(x, 1) + x, 1.0),
    "sum": (np.sum, 1.0),
    "mean": (np.mean, 1.0),
    "prod": (np.prod, 1.0),
    "max": (np.max, 1.0),
    "min": (np.min, 1.0),
    "var": (lambda x: np.var(x) + x, 1.0),
    "cumsum": (np.cumsum, 1.0),
    "cumprod": (np.cumprod, 1.0),
    "ravel": (np.ravel, 1.0),
    "reshape": (lambda x: np.reshape(x, (1, 1)), 1.0),
    "squeeze": (np.squeeze, 1.0),
    "transpose": (np.transpose, 1.0),
    "expand_dims": (lambda x: np.expand_dims(x, 0), 1.0),
    "atleast_1d": (np.atleast_1d, 1.0),
    "atleast_2d": (np.atleast_2d, 1.0),
    "atleast_3d": (np.atleast_3d, 1.0),
    "broadcast_to": (lambda x: np.broadcast_to(x, (3,)), 3.0),
    "stack": (lambda x: np.stack([x, x, 1.0]), 2.0),
    "hstack": (lambda x: np.hstack([x, x]), 2.0),
    "vstack": (lambda x: np.vstack([x, x]), 2.0),
    "column_stack": (lambda x: np.column_stack([x, x]), 2.0),
    "append": (lambda x: np.append(x, 1.0), 1.0),
    "repeat": (lambda x: np.repeat(x, 3), 3.0),
    "tile": (lambda x: np.tile(x, 3), 3.0),
    "copy": (np.copy, 1.0),
    "outer": (lambda x: np.outer(x, THREE), 3.5),
    "dot": (lambda x: np.dot(x, THREE), 3.5),
    "inner": (lambda x: np.inner(x, np.float64(2.0)), 2.0),
    "vdot": (lambda x: np.vdot(x, np.float64(2.0)), 2.0),
    "tensordot": (lambda x: np.tensordot(x, THREE, axes=0), 3.5),
    "einsum": (lambda x: np.einsum(",i->i", x, THREE), 3.5),
    "kron": (lambda x: np.kron(x, THREE), 3.5),
    "times an array": (lambda x: x * THREE, 3.5),
    "array times": (lambda x: THREE.astype(np.float32) * x, 3.5),
    "multiply.outer": (lambda x: np.multiply.outer(THREE, x), 3.5),
    "interp": (lambda x: np.interp(x, [0.0, 1.0], [0.0, 4.0]), 4.0),
    "polyval": (lambda x: np.polyval([1.0, 2.0, 3.0], x), 3.4),
    "nan_to_num": (np.nan_to_num, 1.0),
    "ones_like": (lambda x: np.ones_like(x) * x, 1.0),
    "trapezoid": (lambda x: np.trapezoid(x * THREE), 2.25),
    "gradient": (lambda x: np.gradient(x * THREE), 0.5 + 0.75 + 1.0),
    "diff": (lambda x: np.diff(x * THREE), 1.5),
    "norm": (lambda x: np.linalg.norm(x * THREE), np.linalg.norm(THREE)),
}

points = pytest.mark.parametrize("x", POINTS.values(), ids=POINTS.keys())


@pytest.fixture(params=sorted(FUNCTIONS))
def case(request):
    return FUNCTIONS[request.param]


def tolerance(x):
    return 1e-13 if np.asarray(x).dtype == np.float64 else 1e-5


@points
def test_reverse(case, x):
    f, derivative = case
    expected = f(x)
    out, vjp_fn = cv.vjp(f, x)
    assert np.shape(out) == np.shape(expected) and out.dtype == np.asarray(expected).dtype
    assert_allclose(out, expected, rtol=tolerance(x))
    (bar,) = vjp_fn(np.ones_like(expected))
    assert bar.dtype == np.asarray(x).dtype
    assert isinstance(bar, np.ndarray) == isinstance(x, np.ndarray)
    assert_allclose(bar, derivative, rtol=max(tolerance(x), tolerance(expected)))


@points
def test_forward(case, x):
    f, derivative = case
    expected = f(x)
    out, tangent = cv.jvp(f, (x,), (np.ones_like(x)[()],))
    assert np.shape(out) == np.shape(tangent) == np.shape(expected)
    assert out.dtype == tangent.dtype == np.asarray(expected).dtype
    assert_allclose(np.sum(tangent), derivative, rtol=max(tolerance(x), tolerance(expected)))


@points
def test_nested_and_batched(case, x):
    f, derivative = case

    def total(x):
        return np.sum(f(x))

    rtol = max(tolerance(x), tolerance(f(x)))
    _, tangent = cv.jvp(lambda x: cv.grad(total)(x) * x, (x,), (np.ones_like(x)[()],))
    second = cv.grad(cv.grad(total))(x)
    assert_allclose(tangent, derivative + second * x, rtol=10 * rtol)
    lanes = cv.vmap(cv.grad(total))(np.stack([x, x]))
    assert_allclose(lanes, [derivative, derivative], rtol=rtol)
    values = cv.vmap(f)(np.stack([x, x]))
    expected = np.stack([f(v) for v in np.stack([x, x])])
    assert values.dtype == expected.dtype
    assert_allclose(values, expected, rtol=rtol)
