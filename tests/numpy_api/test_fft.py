"""Fourier transforms: NumPy's values, exact transposes in the plain-transpose pairing, second order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import covector as cv
from covector.core.errors import TracerConversionError
from helpers import assert_same_as_numpy, check

NORMS = [None, "backward", "ortho", "forward"]

# (name, function of an array and a norm, shape, dtypes of the input that NumPy takes)
REAL, COMPLEX, BOTH = (float,), (complex,), (float, complex)
TRANSFORMS: list[tuple[str, Callable[[Any, Any], Any], tuple[int, ...], tuple[Any, ...]]] = [
    ("fft", lambda x, norm: np.fft.fft(x, norm=norm), (5,), BOTH),
    ("fft longer", lambda x, norm: np.fft.fft(x, n=7, axis=0, norm=norm), (4, 2), BOTH),
    ("fft shorter", lambda x, norm: np.fft.fft(x, 3, -1, norm), (2, 5), BOTH),
    ("ifft", lambda x, norm: np.fft.ifft(x, norm=norm), (2, 4), BOTH),
    ("ifft length", lambda x, norm: np.fft.ifft(x, 6, axis=0, norm=norm), (4, 2), BOTH),
    ("rfft even", lambda x, norm: np.fft.rfft(x, norm=norm), (6,), REAL),
    ("rfft odd", lambda x, norm: np.fft.rfft(x, axis=0, norm=norm), (5, 2), REAL),
    ("rfft of one", lambda x, norm: np.fft.rfft(x, norm=norm), (1,), REAL),
    ("rfft longer", lambda x, norm: np.fft.rfft(x, n=8, norm=norm), (5,), REAL),
    ("rfft shorter", lambda x, norm: np.fft.rfft(x, n=3, norm=norm), (2, 5), REAL),
    ("irfft", lambda x, norm: np.fft.irfft(x, norm=norm), (4,), BOTH),
    ("irfft odd", lambda x, norm: np.fft.irfft(x, n=7, norm=norm), (4,), BOTH),
    ("irfft longer", lambda x, norm: np.fft.irfft(x, n=9, axis=0, norm=norm), (3, 2), BOTH),
    ("irfft shorter", lambda x, norm: np.fft.irfft(x, n=4, norm=norm), (2, 5), BOTH),
    ("irfft to one", lambda x, norm: np.fft.irfft(x, n=1, norm=norm), (2,), BOTH),
    ("hfft", lambda x, norm: np.fft.hfft(x, norm=norm), (4,), BOTH),
    ("hfft odd", lambda x, norm: np.fft.hfft(x, n=5, axis=0, norm=norm), (4, 2), BOTH),
    ("ihfft", lambda x, norm: np.fft.ihfft(x, norm=norm), (6,), REAL),
    ("ihfft length", lambda x, norm: np.fft.ihfft(x, n=5, axis=0, norm=norm), (4, 2), REAL),
    ("fft2", lambda x, norm: np.fft.fft2(x, norm=norm), (2, 3, 4), BOTH),
    ("fft2 lengths", lambda x, norm: np.fft.fft2(x, s=(4, 2), axes=(0, 1), norm=norm), (3, 3), BOTH),
    ("ifft2", lambda x, norm: np.fft.ifft2(x, norm=norm), (3, 4), BOTH),
    ("rfft2", lambda x, norm: np.fft.rfft2(x, norm=norm), (3, 4), REAL),
    ("irfft2", lambda x, norm: np.fft.irfft2(x, norm=norm), (3, 3), BOTH),
    ("irfft2 lengths", lambda x, norm: np.fft.irfft2(x, s=(3, 5), norm=norm), (3, 3), BOTH),
    ("fftn", lambda x, norm: np.fft.fftn(x, norm=norm), (2, 3, 2), BOTH),
    ("fftn axes", lambda x, norm: np.fft.fftn(x, s=(2, -1), axes=(0, 2), norm=norm), (3, 2, 3), BOTH),
    ("fftn repeated axis", lambda x, norm: np.fft.fftn(x, axes=(0, 0), norm=norm), (3, 2), BOTH),
    ("fftn no axes", lambda x, norm: np.fft.fftn(x, axes=(), norm=norm) * 1j, (3,), COMPLEX),
    ("ifftn", lambda x, norm: np.fft.ifftn(x, axes=(1,), norm=norm), (2, 3), BOTH),
    ("rfftn", lambda x, norm: np.fft.rfftn(x, norm=norm), (2, 3, 4), REAL),
    ("rfftn axes", lambda x, norm: np.fft.rfftn(x, s=(3, 4), axes=(2, 0), norm=norm), (5, 2, 2), REAL),
    ("irfftn", lambda x, norm: np.fft.irfftn(x, norm=norm), (2, 3, 3), BOTH),
    ("irfftn axes", lambda x, norm: np.fft.irfftn(x, s=(4, 5), axes=(0, 1), norm=norm), (2, 3), BOTH),
    ("fftshift", lambda x, norm: np.fft.fftshift(x), (3, 4), BOTH),
    ("fftshift axis", lambda x, norm: np.fft.fftshift(x, axes=1), (3, 5), BOTH),
    ("ifftshift", lambda x, norm: np.fft.ifftshift(x, axes=(0,)), (3, 5), BOTH),
]
CASES = [
    pytest.param(f, shape, dtype, id=f"{n}-{dtype.__name__}") for n, f, shape, kinds in TRANSFORMS for dtype in kinds
]


def draw(shape: tuple[int, ...], dtype: Any) -> Any:
    rng = np.random.default_rng(len(shape) + sum(shape))
    x = rng.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


SINGLE = {float: np.float32, complex: np.complex64}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("fun", "shape", "dtype"), CASES)
def test_values_in_both_precisions(fun: Any, shape: tuple[int, ...], dtype: Any, norm: str | None) -> None:
    for precision in (dtype, SINGLE[dtype]):
        x = draw(shape, precision)
        out, pullback = cv.vjp(lambda x: fun(x, norm), x)
        assert_same_as_numpy(out, fun(x, norm))
        forward, tangent = cv.jvp(lambda x: fun(x, norm), (x,), (x,))
        assert_same_as_numpy(forward, fun(x, norm))
        assert_same_as_numpy(tangent, fun(x, norm))
        assert pullback(out)[0].dtype == precision
        abstract = cv.eval_shape(lambda x: fun(x, norm), x)
        assert (abstract.shape, abstract.dtype) == (out.shape, out.dtype)


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize(("fun", "shape", "dtype"), CASES)
def test_derivatives(fun: Any, shape: tuple[int, ...], dtype: Any, norm: str | None) -> None:
    check(lambda x: fun(x * x, norm), draw(shape, dtype))


@pytest.mark.parametrize(("fun", "shape", "dtype"), CASES)
def test_pullback_is_the_transpose_of_the_matrix(fun: Any, shape: tuple[int, ...], dtype: Any) -> None:
    """Re(ct · J t) over all real directions, built column by column from NumPy itself."""
    x = draw(shape, dtype)
    out, pullback = cv.vjp(lambda x: fun(x, None), x)
    ct = draw(np.shape(out), np.asarray(out).dtype)
    got = pullback(ct)[0]
    want = np.zeros(shape, dtype)
    for index in np.ndindex(shape):
        for direction in (1.0, 1j) if dtype is complex else (1.0,):
            t = np.zeros(shape, dtype)
            t[index] = direction
            slope = np.sum(ct * fun(t, None)).real
            # The pairing with a complex direction: Re(w) for 1, -Im(w) for i.
            want[index] += slope if direction == 1.0 else -1j * slope
    assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_gradient_of_a_spectrum() -> None:
    """Parseval: Σ|fft(x)|² = n Σ|x|², so the gradient is 2 n conj(x)."""
    z = draw((6,), complex)
    assert_allclose(cv.grad(lambda z: np.sum(np.abs(np.fft.fft(z)) ** 2))(z), 12 * z.conj(), rtol=1e-12)
    x = draw((6,), float)
    assert_allclose(cv.grad(lambda x: np.sum(np.abs(np.fft.fft(x, norm="ortho")) ** 2))(x), 2 * x, rtol=1e-12)
    assert_allclose(cv.hessian(lambda x: np.sum(np.abs(np.fft.fft(x)) ** 2))(x), 12 * np.eye(6), atol=1e-12)


def test_convolution_by_the_spectrum() -> None:
    """irfft(rfft(x) rfft(k)) is circular convolution; its Jacobian is the circulant matrix."""
    x, k = draw((7,), float), draw((7,), float) + 1

    def convolved(x: Any) -> Any:
        return np.fft.irfft(np.fft.rfft(x) * np.fft.rfft(k), n=7)

    circulant = np.stack([np.roll(k, i) for i in range(7)], axis=1)
    assert_allclose(cv.jacrev(convolved)(x), circulant, rtol=1e-11, atol=1e-12)
    assert_allclose(cv.jacfwd(convolved)(x), circulant, rtol=1e-11, atol=1e-12)


def test_frequencies_of_a_traced_spacing() -> None:
    out, tangent = cv.jvp(lambda d: np.fft.fftfreq(4, d), (0.5,), (1.0,))
    assert_allclose(out, np.fft.fftfreq(4, 0.5))
    assert_allclose(tangent, -out / 0.5)
    assert_allclose(cv.jacrev(lambda d: np.fft.rfftfreq(4, d=d))(0.5), -np.fft.rfftfreq(4, 0.5) / 0.5)


@pytest.mark.parametrize(
    ("fun", "error", "match"),
    [
        (lambda x: np.fft.fft(x, 0), ValueError, "data points"),
        (lambda x: np.fft.fft(x, norm="other"), ValueError, "norm"),
        (lambda x: np.fft.fft(x, axis=2), np.exceptions.AxisError, "out of bounds"),
        (lambda x: np.fft.fft(x, out=np.empty((2, 3), complex)), TracerConversionError, r"fft.*zeros_like"),
        (lambda x: np.fft.rfft(x + 0j), TypeError, "real input"),
        (lambda x: np.fft.irfft(x[:, :1]), ValueError, "data points"),
        (lambda x: np.fft.fftn(x, s=(2,), axes=(0, 1)), ValueError, "different lengths"),
        (lambda x: np.fft.fft(x[:, :0]), ValueError, "data points"),
    ],
)
def test_errors(fun: Callable[[Any], Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        cv.vjp(fun, np.ones((2, 3)))


def test_out_is_a_traced_array_that_is_written_to() -> None:
    def transformed(x: Any) -> Any:
        z = np.zeros_like(x, dtype=complex)
        assert np.fft.fft(x, out=z) is z
        np.fft.ifft(z * z, axis=0, out=z)
        return z

    x = np.array([[1.0, -0.5, 2.0], [0.3, 0.7, -1.1]])
    assert_allclose(cv.vjp(transformed, x)[0], transformed(x), rtol=1e-14)
    check(transformed, x)


def test_lengths_without_axes_warn_as_numpy_does() -> None:
    with pytest.warns(DeprecationWarning, match="axes"):
        cv.vjp(lambda x: np.fft.fftn(x, s=(2, 2)), np.ones((3, 3)))
