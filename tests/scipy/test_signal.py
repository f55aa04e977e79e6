"""covector.scipy.signal: SciPy's values and dtypes, both modes, batched, second order."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy
import scipy.signal as plain
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from covector.errors import TracerConversionError
from covector.scipy import signal
from helpers import check
from matrices import leaves, traced


def draw(*shape: int, dtype: Any = float, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed + sum(shape))
    x = rng.uniform(-1, 1, shape)
    return (x + 1j * rng.uniform(-1, 1, shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


MODES = ("full", "valid", "same")
X, K, X2, K2 = draw(6), draw(3, seed=1), draw(4, 5), draw(2, 3, seed=1)
XC, KC = draw(5, dtype=complex), draw(2, dtype=complex, seed=1)
SINGLE, LONG = draw(5, dtype=np.float32), draw(60, seed=2)
B, A = np.array([0.5, 0.3, -0.2]), np.array([2.0, -0.5, 0.4, 0.1])
SOS = np.array([[0.5, 0.3, -0.2, 1.0, -0.5, 0.2], [1.0, 0.4, 0.1, 1.0, 0.3, -0.1]])

# A label, a function of the module `sg` (ours or SciPy's) and arrays, and the arrays.
CASES: list[tuple[str, Callable[..., Any], list[Any]]] = []


def case(label: str, fun: Callable[..., Any], *arrays: Any) -> None:
    CASES.append((label, fun, list(arrays)))


for _f, _mode, _method in itertools.product(("convolve", "correlate"), MODES, ("auto", "direct", "fft")):
    _call = lambda sg, a, b, f=_f, mode=_mode, method=_method: getattr(sg, f)(a, b, mode, method)
    case(f"{_f} {_mode} {_method}", _call, X, K)
    case(f"{_f} {_mode} {_method} shorter first", _call, K, X)
    case(f"{_f} {_mode} {_method} 2-d", _call, X2, K2)
    case(f"{_f} {_mode} {_method} complex", _call, XC, KC)
case("convolve 3-d", lambda sg, a, b: sg.convolve(a, b), draw(2, 3, 2), draw(2, 1, 2, seed=1))
case("convolve numbers", lambda sg, a, b: sg.convolve(a, b), np.array(2.0), np.array(3.0))
case("convolve float32", lambda sg, a, b: sg.convolve(a, b), SINGLE, K.astype(np.float32))
case("convolve mixed", lambda sg, a, b: sg.convolve(a, b, method="fft"), SINGLE, K)
case("convolve real, complex", lambda sg, a, b: sg.convolve(a, b, "same"), X, KC)
case("convolve with integers", lambda sg, b: sg.convolve([1, 2, 3], b), K)
case("correlate single axis of one", lambda sg, a, b: sg.correlate(a, b, "same"), draw(1, 4), draw(1, 2, seed=1))

for _f, _mode, _axes in itertools.product(("fftconvolve", "oaconvolve"), MODES, (None, 1, [1], (0, 1), [-2, -1])):
    _call = lambda sg, a, b, f=_f, mode=_mode, axes=_axes: getattr(sg, f)(a, b, mode, axes)
    if _axes in (1, [1]):
        case(f"{_f} {_mode} {_axes} lanes", _call, X2, draw(4, 3, seed=1))
        case(f"{_f} {_mode} {_axes} one for all lanes", _call, X2, draw(1, 3, seed=1))
        case(f"{_f} {_mode} {_axes} one signal", _call, draw(1, 5), draw(4, 3, seed=1))
    else:
        case(f"{_f} {_mode} {_axes}", _call, X2, K2)
case("fftconvolve length one", lambda sg, a, b: sg.fftconvolve(a, b, "valid"), draw(1, 5), draw(1, 2, seed=1))
case("fftconvolve float32", lambda sg, a, b: sg.fftconvolve(a, b), SINGLE, K.astype(np.float32))
case("oaconvolve blocks", lambda sg, a, b: sg.oaconvolve(a, b, "same"), LONG, K)
case("oaconvolve blocks, axes", lambda sg, a, b: sg.oaconvolve(a, b, axes=0), LONG[:, None] * K, draw(4, 3))

for _f, _mode, _boundary in itertools.product(("convolve2d", "correlate2d"), MODES, ("fill", "wrap", "symm")):
    _call = lambda sg, a, b, f=_f, mode=_mode, boundary=_boundary: getattr(sg, f)(a, b, mode, boundary, 0.5)
    case(f"{_f} {_mode} {_boundary}", _call, X2, K2)
    case(f"{_f} {_mode} {_boundary} even", _call, X2, draw(4, 2, seed=1))
    case(f"{_f} {_mode} {_boundary} larger second", _call, draw(2, 2), draw(3, 4, seed=1))
case("correlate2d complex", lambda sg, a, b: sg.correlate2d(a, b), draw(3, 2, dtype=complex), draw(2, 2, dtype=complex))

case("lfilter", lambda sg, b, a, x: sg.lfilter(b, a, x), B, A, X)
case("lfilter long numerator", lambda sg, b, a, x: sg.lfilter(b, a, x), X, B, K)
case("lfilter without poles", lambda sg, b, a, x: sg.lfilter(b, a, x), B, np.array([2.0]), X)
case("lfilter axis", lambda sg, b, a, x: sg.lfilter(b, a, x, axis=0), B, A, X2)
case("lfilter state", lambda sg, b, a, x, z: sg.lfilter(b, a, x, zi=z), B, A, X, K)
case("lfilter state, short", lambda sg, b, a, x, z: sg.lfilter(b, a, x, zi=z), B, A, X[:2], K)
case("lfilter state, no poles", lambda sg, b, x, z: sg.lfilter(b, 2.0, x, zi=z), B, X, K[:2])
case("lfilter state, axis", lambda sg, b, a, x, z: sg.lfilter(b, a, x, 0, z), B, A, X2, draw(3, 5))
case("lfilter state for all lanes", lambda sg, b, a, x, z: sg.lfilter(b, a, x, -1, z), B, A, X2, draw(1, 3))
case("lfilter complex", lambda sg, b, a, x: sg.lfilter(b, a, x), B + 0.1j, A, XC)
case("lfilter float32", lambda sg, x: sg.lfilter(B.astype(np.float32), A.astype(np.float32), x), SINGLE)
case("sosfilt", lambda sg, x: sg.sosfilt(SOS, x), X)
case("sosfilt axis", lambda sg, x: sg.sosfilt(SOS, x, axis=0), X2)
case("sosfilt state", lambda sg, x, z: sg.sosfilt(SOS, x, axis=0, zi=z), X2, draw(2, 2, 5))
case("detrend", lambda sg, x: sg.detrend(x), X)
case("detrend axis", lambda sg, x: sg.detrend(x, axis=0), X2)
case("detrend pieces", lambda sg, x: sg.detrend(x, bp=[2, 5]), LONG[:9])
case("detrend constant", lambda sg, x: sg.detrend(x, 0, "constant"), X2)
case("detrend complex", lambda sg, x: sg.detrend(x), XC)
case("detrend float32", lambda sg, x: sg.detrend(x), SINGLE)
for _mode in ("interp", "mirror", "constant", "nearest", "wrap"):
    case(f"savgol {_mode}", lambda sg, x, m=_mode: sg.savgol_filter(x, 5, 2, mode=m, cval=0.3), LONG[:9])
    case(f"savgol even {_mode}", lambda sg, x, m=_mode: sg.savgol_filter(x, 4, 2, mode=m), LONG[:9])
    case(f"savgol axis {_mode}", lambda sg, x, m=_mode: sg.savgol_filter(x, 3, 1, axis=0, mode=m), X2)
    case(f"savgol slope {_mode}", lambda sg, x, m=_mode: sg.savgol_filter(x, 5, 3, 2, 0.5, mode=m), LONG[:9])
case("savgol whole", lambda sg, x: sg.savgol_filter(x, 5, 2), LONG[:5])
case("savgol float32", lambda sg, x: sg.savgol_filter(x, 3, 1), SINGLE)
for _n in (None, 4, 9):
    case(f"hilbert {_n}", lambda sg, x, n=_n: sg.hilbert(x, n), X)
case("hilbert odd, axis", lambda sg, x: sg.hilbert(x, axis=1), X2)

IDS = [c[0] for c in CASES]


@pytest.mark.parametrize(("label", "fun", "args"), CASES, ids=IDS)
def test_values_are_scipys(label: str, fun: Callable[..., Any], args: list[Any]) -> None:
    want = leaves(fun(plain, *args))
    for got, w in zip(leaves(fun(signal, *args)), want, strict=True):
        assert_array_equal(got, w)
    for got, w in zip(traced(lambda *xs: fun(signal, *xs), *args), want, strict=True):
        assert (got.shape, got.dtype) == (np.shape(w), np.asarray(w).dtype)
        single = any(x.dtype == np.float32 for x in args)
        assert_allclose(got, w, rtol=1e-5 if single else 1e-11, atol=1e-6 if single else 1e-13)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("label", "fun", "args"), CASES, ids=IDS)
def test_derivatives(label: str, fun: Callable[..., Any], args: list[Any]) -> None:
    single = any(x.dtype == np.float32 for x in args)
    check(lambda *xs: leaves(fun(signal, *xs)), *args, order=1 if single or len(args) == 1 else 2)


def test_coefficients_of_sections_have_derivatives() -> None:
    # a[0] of every section has to stay one.
    def f(free: Any, x: Any) -> Any:
        one = np.ones((2, 1))
        return signal.sosfilt(np.concatenate([free[:, :3], one, free[:, 3:]], axis=1), x)

    check(f, np.delete(SOS, 3, axis=1), X)


@pytest.mark.skipif(np.lib.NumpyVersion(scipy.__version__) < "1.17.0", reason="the signatures are those of SciPy 1.17")
@pytest.mark.parametrize("name", signal.__all__)
def test_signatures_are_scipys(name: str) -> None:
    def face(f: Any) -> list[Any]:
        return [(p.name, p.kind, p.default) for p in inspect.signature(f).parameters.values()]

    assert face(getattr(signal, name)) == face(getattr(plain, name))


def test_a_long_filter_takes_linear_time_and_stays_exact() -> None:
    # Quadratic time would take minutes here.
    n = 200_000
    by_x, by_a = cv.grad(lambda x, a: signal.lfilter([1.0], a, x)[-1], argnums=(0, 1))(draw(n), np.array([1.0, -0.5]))
    assert_allclose(by_x[-4:], [0.125, 0.25, 0.5, 1.0], rtol=1e-14)
    assert_allclose(by_x[0], 0.0, atol=1e-300)
    step = (
        signal.lfilter([1.0], [1.0, -0.5 + 1e-6], draw(n))[-1] - signal.lfilter([1.0], [1.0, -0.5 - 1e-6], draw(n))[-1]
    )
    assert_allclose(by_a[1], step / 2e-6, rtol=1e-8)


@pytest.mark.parametrize(
    ("error", "message", "fun"),
    [
        (ValueError, "dimensionality", lambda x: signal.convolve(x, K2)),
        (ValueError, "at least as large", lambda x: signal.convolve(np.outer(x, x), np.ones((1, 9)), "valid")),
        (ValueError, "mode flags", lambda x: signal.convolve(x, K, "odd")),
        (ValueError, "method flags", lambda x: signal.convolve(x, K, method="odd")),
        (ValueError, "incompatible shapes", lambda x: signal.fftconvolve(np.outer(x, x), K2, axes=1)),
        (ValueError, "unique", lambda x: signal.fftconvolve(np.outer(x, x), K2, axes=(1, 1))),
        (ValueError, "empty", lambda x: signal.fftconvolve(x, K, axes=[])),
        (ValueError, "boundary flags", lambda x: signal.convolve2d(np.outer(x, x), K2, boundary="odd")),
        (ValueError, "2-D", lambda x: signal.convolve2d(x, K)),
        (ValueError, "non-empty vectors", lambda x: signal.lfilter(np.outer(x, x), A, x)),
        (ValueError, "zi: expected", lambda x: signal.lfilter(B, A, x, zi=x)),
        (ValueError, "all ones", lambda x: signal.sosfilt(2 * SOS, x)),
        (ValueError, "n_sections, 6", lambda x: signal.sosfilt(SOS[:, :5], x)),
        (ValueError, "zi must have", lambda x: signal.sosfilt(SOS, x, zi=x)),
        (ValueError, "window_length", lambda x: signal.savgol_filter(x, 9, 2)),
        (ValueError, "mode must be", lambda x: signal.savgol_filter(x, 3, 2, mode="odd")),
        (TypeError, "one by one", lambda x: signal.savgol_filter(x * 1j, 3, 2)),
        (ValueError, "must be real", lambda x: signal.hilbert(x * 1j)),
        (ValueError, "Trend type", lambda x: signal.detrend(x, type="odd")),
        (ValueError, "Breakpoints", lambda x: signal.detrend(x, bp=9)),
        (TracerConversionError, "np.stack", lambda x: signal.convolve([x[0], x[1]], K)),
    ],
)
def test_refusals(error: type[BaseException], message: str, fun: Callable[[Any], Any]) -> None:
    with pytest.raises(error, match=message):
        cv.vjp(fun, X)
