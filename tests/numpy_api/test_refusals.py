"""Every way for a traced value to slip through plain NumPy: it is traced, or our error names the caller's line."""

from __future__ import annotations

import array
import cmath
import decimal
import fractions
import math
import struct
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.fft
import scipy.integrate
import scipy.interpolate
import scipy.linalg
import scipy.ndimage
import scipy.optimize
import scipy.signal
import scipy.sparse
import scipy.special
from numpy.testing import assert_array_equal

import covector as cv
from covector.core.errors import CovectorError, NotDifferentiableError, TracerConversionError
from helpers import check

PLAIN = np.arange(3.0)
MATRIX = np.eye(3)
CSR = scipy.sparse.csr_matrix(MATRIX)
CSR_ARRAY = scipy.sparse.csr_array(MATRIX)


def store(target: Any, index: Any, value: Any) -> None:
    target[index] = value


# Each is called with a traced scalar; all of them must raise one of our errors that names this file and line.
REFUSED_SCALAR: dict[str, Callable[[Any], Any]] = {
    "np.array([t])": lambda t: np.array([t]),
    "np.array([t, u])": lambda t: np.array([t, 2 * t]),
    "np.array nested": lambda t: np.array([[1.0, t], [t, 0.0]]),
    "np.array(t)": lambda t: np.array(t),
    "np.array(t, dtype)": lambda t: np.array(t, dtype=float),
    "np.array objects": lambda t: np.array([t], dtype=object),
    "np.asarray": lambda t: np.asarray(t),
    "np.asarray list": lambda t: np.asarray([t, 1.0], dtype=float),
    "np.asanyarray": lambda t: np.asanyarray(t),
    "np.ascontiguousarray": lambda t: np.ascontiguousarray(t),
    "np.asfortranarray": lambda t: np.asfortranarray(t),
    "np.require": lambda t: np.require(t),
    "np.array(like=)": lambda t: np.array([1.0], like=t),
    "np.fromiter": lambda t: np.fromiter([t], float),
    "np.fromfunction(like=)": lambda t: np.fromfunction(lambda i: i, (2,), like=t),
    "a[0] = t": lambda t: store(PLAIN.copy(), 0, t),
    "a[:] = t": lambda t: store(PLAIN.copy(), slice(None), t),
    "a[mask] = t": lambda t: store(PLAIN.copy(), PLAIN > 1, t),
    "a[[0, 1]] = t": lambda t: store(PLAIN.copy(), [0, 1], t),
    "a.fill": lambda t: PLAIN.copy().fill(t),
    "a.put": lambda t: PLAIN.copy().put(0, t),
    "np.put": lambda t: np.put(PLAIN.copy(), [0], t),
    "np.copyto": lambda t: np.copyto(PLAIN.copy(), t),
    "np.place": lambda t: np.place(PLAIN.copy(), PLAIN > 1, t),
    "np.putmask": lambda t: np.putmask(PLAIN.copy(), PLAIN > 1, t),
    "np.fill_diagonal": lambda t: np.fill_diagonal(np.ones((2, 2)), t),
    "np.put_along_axis": lambda t: np.put_along_axis(PLAIN.copy(), np.array([0]), t, 0),
    "float": lambda t: float(t),
    "complex": lambda t: complex(t),
    "np.int64": lambda t: np.int64(t),
    "np.float64": lambda t: np.float64(t),
    "np.float32": lambda t: np.float32(t),
    "np.complex128": lambda t: np.complex128(t),
    "math.sin": lambda t: math.sin(t),
    "math.pow": lambda t: math.pow(t, 2),
    "math.hypot": lambda t: math.hypot(t, 1.0),
    "math.fsum": lambda t: math.fsum([t, 1.0]),
    "math.isclose": lambda t: math.isclose(t, 1.0),
    "cmath.exp": lambda t: cmath.exp(t),
    "array.array": lambda t: array.array("d", [t]),
    "%f": lambda t: "%f" % t,  # noqa: UP031
    "np.full": lambda t: np.full(3, t),
    "np.full dtype": lambda t: np.full(3, t, dtype=float),
    "np.full_like of plain": lambda t: np.full_like(PLAIN, t),
    "np.arange": lambda t: np.arange(t),
    "np.arange step": lambda t: np.arange(0.0, 2.0, t),
    "np.mgrid": lambda t: np.mgrid[0:t:0.5],
    "np.r_": lambda t: np.r_[t, 1.0],
    "np.c_": lambda t: np.c_[t, 1.0],
    "np.vectorize": lambda t: np.vectorize(lambda x: x * x)(t),
    "np.frompyfunc": lambda t: np.frompyfunc(lambda x: x * x, 1, 1)(t),
    "np.broadcast": lambda t: np.broadcast(t, PLAIN),
    "a[t]": lambda t: PLAIN[t],
    "np.random.normal": lambda t: np.random.normal(t),
    "Generator.normal": lambda t: np.random.default_rng(0).normal(0.0, t),
    "np.poly1d": lambda t: np.poly1d([t, 1.0]),
    "Polynomial": lambda t: np.polynomial.Polynomial([1.0, t]),
    "np.ma": lambda t: np.ma.masked_array([t]),
    "csr * t": lambda t: CSR * t,
    "t * csr": lambda t: t * CSR,
    "csr / t": lambda t: CSR / t,
    "quad": lambda t: scipy.integrate.quad(lambda x: x * t, 0, 1),
    "np.save": lambda t: np.save("unused", t),
    "np.savetxt": lambda t: np.savetxt("unused", t),
    "np.array2string": lambda t: np.array2string(t),
}

REFUSED_ARRAY: dict[str, Callable[[Any], Any]] = {
    "np.array": lambda t: np.array(t),
    "np.array of rows": lambda t: np.array([t, t]),
    "np.array of elements": lambda t: np.array(list(t)),
    "np.asarray": lambda t: np.asarray(t),
    "a[:] = t": lambda t: store(PLAIN.copy(), slice(None), t),
    "a[0] = t (row)": lambda t: store(MATRIX.copy(), 0, t),
    "objects[:] = t": lambda t: store(np.empty(3, object), slice(None), t),
    "a[t]": lambda t: PLAIN[t],
    "a.dot": lambda t: MATRIX.dot(t),
    "a.take": lambda t: PLAIN.take(t),
    "a.searchsorted": lambda t: PLAIN.searchsorted(t),
    "t.tolist": lambda t: t.tolist(),
    "t.tobytes": lambda t: t.tobytes(),
    "t.flat": lambda t: t.flat,
    "t.view(dtype)": lambda t: t.view(np.int64),
    "t.view(type)": lambda t: t.view(np.matrix),
    "t.resize": lambda t: t.resize(6),
    "t.setflags": lambda t: t.setflags(write=True),
    "np.vectorize": lambda t: np.vectorize(lambda x: x * x)(t),
    "np.random.choice": lambda t: np.random.choice(t),
    "Generator.permutation": lambda t: np.random.default_rng(0).permutation(t),
    "np.ndenumerate": lambda t: list(np.ndenumerate(t)),
    "np.ma": lambda t: np.ma.masked_array(t),
    "csr @ t": lambda t: CSR @ t,
    "t @ csr": lambda t: t @ CSR,
    "csr_array @ t": lambda t: CSR_ARRAY @ t,
    "t @ csr_array": lambda t: t @ CSR_ARRAY,
    "csr_array * t": lambda t: CSR_ARRAY * t,
    "coo of t": lambda t: scipy.sparse.coo_array((t, ([0, 1, 2], [0, 1, 2]))),
    "scipy.linalg.solve": lambda t: scipy.linalg.solve(MATRIX, t),
    "scipy.linalg.solve of matrix": lambda t: scipy.linalg.solve(np.stack([t, t, t]), PLAIN),
    "scipy.linalg.norm": lambda t: scipy.linalg.norm(t),
    "scipy.linalg.expm": lambda t: scipy.linalg.expm(np.stack([t, t, t])),
    "scipy.fft": lambda t: scipy.fft.fft(t),
    "scipy.signal": lambda t: scipy.signal.convolve(t, t),
    "scipy.ndimage": lambda t: scipy.ndimage.gaussian_filter(t, 1.0),
    "scipy.interpolate": lambda t: scipy.interpolate.CubicSpline(PLAIN, t),
    "scipy.integrate.simpson": lambda t: scipy.integrate.simpson(t),
    "scipy.integrate.solve_ivp": lambda t: scipy.integrate.solve_ivp(lambda s, y: -y, (0, 1), t),
    "scipy.optimize": lambda t: scipy.optimize.minimize(lambda x: np.sum(x**2), t),
    "np.save": lambda t: np.save("unused", t),
    "np.savez": lambda t: np.savez("unused", t),
    "np.array2string": lambda t: np.array2string(t),
    "np.array_repr": lambda t: np.array_repr(t),
}


def under_transforms(fun: Callable[[Any], Any], x: Any) -> list[tuple[str, Callable[[], Any]]]:
    def traced(t: Any) -> Any:
        fun(t)
        return np.sum(t)

    ones = np.ones_like(x)[()]
    return [
        ("grad", lambda: cv.grad(traced)(x)),
        ("jvp", lambda: cv.jvp(traced, (x,), (ones,))),
        ("vmap", lambda: cv.vmap(traced)(np.stack([x, x]))),
        ("grad of grad", lambda: cv.grad(lambda y: np.sum(cv.grad(traced)(y) * y))(x)),
        ("vmap of grad", lambda: cv.vmap(cv.grad(traced))(np.stack([x, x]))),
    ]


def place(fun: Any) -> str:
    return f"{fun.__code__.co_filename}:{fun.__code__.co_firstlineno}"


@pytest.mark.parametrize("name", REFUSED_SCALAR)
def test_scalars_are_refused_with_the_callers_line(name: str) -> None:
    check_refusal(REFUSED_SCALAR[name], np.float64(1.5), place(REFUSED_SCALAR[name]))


@pytest.mark.parametrize("name", REFUSED_ARRAY)
def test_arrays_are_refused_with_the_callers_line(name: str) -> None:
    check_refusal(REFUSED_ARRAY[name], np.array([1.5, 0.5, 2.0]), place(REFUSED_ARRAY[name]))


def check_refusal(fun: Callable[[Any], Any], x: Any, line: str) -> None:
    # The helper that assigns has a line of its own.
    lines = (line, place(store).rsplit(":", 1)[0] + f":{store.__code__.co_firstlineno + 1}")
    for transform, run in under_transforms(fun, x):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(CovectorError) as info:
                run()
        message = str(info.value)
        assert any(at in message for at in lines), f"{transform}: {message}"


# What looks as dangerous, but is traced right: the derivative with respect to t at 1.5.
TRACED: dict[str, tuple[Callable[[Any], Any], float]] = {
    "np.linspace": (lambda t: np.sum(np.linspace(0, t, 3)), 1.5),
    "np.stack": (lambda t: np.sum(np.stack([t, 2 * t])), 3.0),
    "sum": (lambda t: sum([t, t, 1.0]), 2.0),
    "max": (lambda t: max(t, 0.5), 1.0),
    "abs": (lambda t: abs(-t), 1.0),
    "pow": (lambda t: pow(t, 2), 3.0),
    "round": (lambda t: t * round(t), 2.0),
    "math.floor": (lambda t: t * math.floor(t), 1.0),
    "int": (lambda t: t * int(t), 1.0),
    "if": (lambda t: 2 * t if t > 1 else t, 2.0),
    "array * t": (lambda t: np.sum(PLAIN * t), 3.0),
    "array scalar * t": (lambda t: PLAIN[2] * t, 2.0),
    "array - t": (lambda t: np.sum(PLAIN - t), -3.0),
    "array @": (lambda t: np.sum(MATRIX @ (t * PLAIN)), 3.0),
    "np.full(like=)": (lambda t: np.sum(np.full(3, t, like=t)), 3.0),
    "np.full_like": (lambda t: np.sum(np.full_like(t, t)), 1.0),
    "special": (lambda t: scipy.special.xlogy(2.0, t) * t, 2 * math.log(1.5) + 2),
    "complex": (lambda t: np.real((t + 0j) * 1j * -1j), 1.0),
    "sorted": (lambda t: sorted([t, 0.0])[1], 1.0),
    "unpacking": (lambda t: (lambda a, b: a * b)(*np.stack([t, t])), 3.0),
    "polyval with plain coefficients": (lambda t: np.polyval([1.0, 2.0, 3.0], t), 5.0),
}


@pytest.mark.parametrize("name", TRACED)
def test_these_are_traced(name: str) -> None:
    fun, slope = TRACED[name]
    x = np.float64(1.5)
    np.testing.assert_allclose(cv.grad(fun)(x), slope, rtol=1e-14)
    np.testing.assert_allclose(cv.jvp(fun, (x,), (np.float64(1.0),))[1], slope, rtol=1e-14)


IN_PLACE: dict[str, Callable[[Any], Any]] = {
    "a += t": lambda t: PLAIN.copy().__iadd__(t),
    "a *= t": lambda t: PLAIN.copy().__imul__(t),
    "out=": lambda t: np.add(PLAIN, t, out=PLAIN.copy()),
    "np.add.at": lambda t: np.add.at(PLAIN.copy(), [0], t),
    "np.sum(out=)": lambda t: np.sum(t * np.ones(3), out=np.empty(())),
    "np.concatenate(out=)": lambda t: np.concatenate([t * np.ones(3)], out=np.empty(3)),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_plain_buffers_are_not_written_to(name: str) -> None:
    for _, run in under_transforms(IN_PLACE[name], np.float64(1.5)):
        with pytest.raises(CovectorError, match="test_refusals"):
            run()


@pytest.mark.parametrize(
    ("write", "after"),
    [
        (lambda t: store(t, 0, 1.5), lambda t: np.concatenate([[1.5], t[1:]])),
        (lambda t: t.__iadd__(1.5), lambda t: t + 1.5),
        (lambda t: t.__itruediv__(t[0]), lambda t: t / t[0]),
        (lambda t: t.sort(), np.sort),
        (lambda t: t.fill(1.5), lambda t: 0.0 * t + 1.5),
        (lambda t: t.put(2, 1.5), lambda t: np.concatenate([t[:2], [1.5]])),
        (lambda t: np.put(t, [0], 1.5), lambda t: np.concatenate([[1.5], t[1:]])),
        (lambda t: np.place(t, PLAIN > 1, [1.5]), lambda t: np.where(PLAIN > 1, 1.5, t)),
        (lambda t: np.put_along_axis(t, np.array([0]), t[2:], 0), lambda t: np.concatenate([t[2:], t[1:]])),
        (lambda t: np.fill_diagonal(t[:, None], t[1]), lambda t: np.concatenate([t[1:2], t[1:]])),
        (lambda t: np.copyto(t, 1.5), lambda t: 0.0 * t + 1.5),
    ],
)
def test_writes_to_traced_arrays_replace_the_elements(write: Callable[[Any], Any], after: Callable[[Any], Any]) -> None:
    def written(x: Any) -> Any:
        t = x.copy()
        write(t)
        return t * x

    x = np.array([1.5, 0.5, 2.0])
    np.testing.assert_array_equal(cv.vjp(written, x)[0], written(x))
    np.testing.assert_allclose(cv.jacrev(written)(x), cv.jacrev(lambda x: after(x) * x)(x), rtol=1e-14)
    check(written, x)


def test_conversions_name_the_form_that_works() -> None:
    with pytest.raises(TracerConversionError, match=r"np\.stack\(\[t, u\]\)"):
        cv.grad(lambda t: np.sum(np.array([t, t])))(1.0)
    with pytest.raises(TracerConversionError, match=r"np\.sin\(t\)"):
        cv.grad(lambda t: math.sin(t))(1.0)
    with pytest.raises(NotDifferentiableError, match="toarray"):
        cv.grad(lambda t: np.sum(t @ CSR))(np.ones(3))


@pytest.mark.parametrize(
    "convert",
    [
        lambda t: store(PLAIN.copy().flat, 0, t),
        lambda t: range(t),
        lambda t: memoryview(t),
        lambda t: PLAIN[t:],
        lambda t: np.frombuffer(t),
        lambda t: np.ndarray(3, buffer=t),
        lambda t: decimal.Decimal(t),
        lambda t: fractions.Fraction(t),
        lambda t: struct.pack("d", t),
        lambda t: scipy.sparse.csr_array(t),
    ],
)
def test_python_and_numpy_refuse_these_before_asking_us(convert: Callable[[Any], Any]) -> None:
    for x in (np.float64(1.5), np.array([1.5, 0.5])):
        for _, run in under_transforms(convert, x):
            with pytest.raises((TypeError, ValueError, struct.error)):
                run()


def test_a_refusal_leaves_the_callers_arrays_alone() -> None:
    target = PLAIN.copy()
    for write in (lambda t: store(target, 0, t), lambda t: np.copyto(target, t), lambda t: np.add(1.0, t, out=target)):
        with pytest.raises(CovectorError):
            cv.grad(lambda t, write=write: write(t))(1.0)
    assert_array_equal(target, PLAIN)
