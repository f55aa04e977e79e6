"""The compiled special functions: against mpmath, at special points against SciPy, and as vector code."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special as sc
from benchmarks.fits.remez import minimax
from benchmarks.fits.special import FITS
from benchmarks.references.ulp import largest_error, points_of
from benchmarks.references.values import VALUES

from compiler import harness
from covector.compiler.math import FUNCTIONS, coefficients_special

_POINTS = 60
_NAMES = sorted(VALUES.keys() & FUNCTIONS.keys())
_BOTH = ("f64", "f32")

# Where SciPy is wrong, or its sign of zero is its own.
_OURS = {
    "gammaln": [5e-324, -5e-324],  # SciPy: inf
    "loggamma": [5e-324],
    "i1": [5e-324, -5e-324],  # half of the smallest number, rounded to even; SciPy: the smallest number
    "i1e": [5e-324, -5e-324],
    "gamma": [-171.5],  # SciPy: 0
    "erfcinv": [5e-324],  # SciPy: inf
}
_SPECIAL = [
    *(0.0, -0.0, 1.0, -1.0, 2.0, -2.0, -3.0, 0.5, -0.5, -2.5, 3.0, 171.7, -171.5, -180.5, -200.5, 745.5, -745.5),
    *(np.inf, -np.inf, np.nan, 1e17, -1e17, 1e300, -1e300, 5e-324, -5e-324),
]
_PAIRS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, np.inf, -np.inf, np.nan]
# Zeros of these next to the special points are ill-conditioned.
_ZEROS = ("digamma", "gammaln", "sinc")
_TOLERANCE = {"f64": 1e-13, "f32": 2e-6}


def test_every_special_function_has_a_reference() -> None:
    special = {
        name
        for name, function in FUNCTIONS.items()
        if function.formula.__module__.rpartition(".")[2].startswith("special_")
    }
    assert special <= VALUES.keys()


@pytest.mark.parametrize("ctype", _BOTH)
@pytest.mark.parametrize("name", _NAMES)
def test_accuracy(name: str, ctype: str) -> None:
    arguments = points_of(VALUES[name], harness.DTYPES[ctype], _POINTS)
    error, where = largest_error(VALUES[name], arguments, harness.compiled(name, ctype)(*arguments))
    assert error <= FUNCTIONS[name].accuracy[ctype], f"{error:.2f} ulp at {where}"


@pytest.mark.parametrize("ctype", _BOTH)
@pytest.mark.parametrize("name", [n for n in _NAMES if FUNCTIONS[n].arity == 1 and (hasattr(sc, n) or n == "sinc")])
def test_special_points_of_one_argument(name: str, ctype: str) -> None:
    with np.errstate(all="ignore"):
        x = np.array([p for p in _SPECIAL if p not in _OURS.get(name, ())]).astype(harness.DTYPES[ctype])
        expected = getattr(sc, name)(x) if name != "sinc" else np.sinc(x.astype(float))
    got = harness.compiled(name, ctype)(x)
    atol = _TOLERANCE[ctype] / 4 if name in _ZEROS else 0
    np.testing.assert_allclose(got, expected, rtol=_TOLERANCE[ctype], atol=atol)


@pytest.mark.parametrize("ctype", _BOTH)
@pytest.mark.parametrize("name", [n for n in _NAMES if FUNCTIONS[n].arity == 2 and not n.endswith("_share")])
def test_special_points_of_two_arguments(name: str, ctype: str) -> None:
    x, y = (a.ravel().astype(harness.DTYPES[ctype]) for a in np.meshgrid(_PAIRS, _PAIRS))
    with np.errstate(all="ignore"):
        expected = (getattr(sc, name, None) or getattr(np, name))(x, y)
    got = harness.compiled(name, ctype)(x, y)
    if name == "pseudo_huber":  # SciPy: NaN for an infinite scale, where the limit is r²/2
        got, expected = got[~np.isposinf(x)], expected[~np.isposinf(x)]
    np.testing.assert_allclose(got, expected, rtol=_TOLERANCE[ctype])


@pytest.mark.parametrize("name", ["logaddexp_share", "logaddexp2_share"])
def test_shares_of_infinite_terms(name: str) -> None:
    x = np.array([np.inf, -np.inf, np.inf, -np.inf, np.inf, 1.0, np.nan])
    y = np.array([np.inf, -np.inf, -np.inf, np.inf, 1.0, np.inf, 1.0])
    np.testing.assert_array_equal(harness.compiled(name, "f64")(x, y), [1, 0, 1, 0, 1, 0, np.nan])


@pytest.mark.parametrize("name", ["erf", "erfinv", "i1", "i1e", "exprel", "gamma"])
def test_zero_keeps_its_sign(name: str) -> None:
    got = harness.compiled(name, "f64")(np.array([0.0, -0.0]))
    expected = {"exprel": [1.0, 1.0], "gamma": [np.inf, -np.inf]}.get(name, [0.0, -0.0])
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(expected))


def test_zeros_are_zeros() -> None:
    np.testing.assert_array_equal(harness.compiled("gammaln", "f64")(np.array([1.0, 2.0])), [0.0, 0.0])
    np.testing.assert_array_equal(harness.compiled("sinc", "f64")(np.array([1.0, -2.0, 1e6])), [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(harness.compiled("logit", "f64")(np.array([0.5])), [0.0])


@pytest.mark.parametrize("ctype", _BOTH)
@pytest.mark.parametrize("name", _NAMES)
def test_loops_become_vector_code(name: str, ctype: str) -> None:
    loop = harness.compiled(name, ctype)
    element = {"f64": "double", "f32": "float"}[ctype]
    lanes = [int(t[1:].split()[0]) for t in loop.vector_types if element in t]
    assert lanes and max(lanes) >= {"f64": 4, "f32": 8}[ctype]
    assert not loop.calls or "sin" in FUNCTIONS[name].needs  # huge angles go to the library


def test_coefficients_are_those_of_the_fits() -> None:
    for fit in FITS:
        written = getattr(coefficients_special, fit.name)
        assert {ctype: len(written[ctype]) - 1 for ctype in _BOTH} == {"f64": fit.double, "f32": fit.single}, fit.name
    fit = next(fit for fit in FITS if fit.name == "SINC")
    fitted, _ = minimax(fit.function, fit.low, fit.high, fit.double, fit.weight)
    np.testing.assert_allclose(coefficients_special.SINC["f64"], np.array(fitted, float), rtol=1e-15)
