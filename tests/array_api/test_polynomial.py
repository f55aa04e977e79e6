"""`covector.numpy.polynomial`: each function of NumPy's has its values, and derivatives in all arguments."""

from __future__ import annotations

import copy
import pickle
import warnings
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import covector as cv
import covector.numpy as cnp
from covector.core.errors import ConcretizationError
from helpers import assert_same_as_numpy, check

SERIES = {
    "polynomial": "poly",
    "chebyshev": "cheb",
    "legendre": "leg",
    "laguerre": "lag",
    "hermite": "herm",
    "hermite_e": "herme",
}
C = np.array([0.4, -1.1, 0.7, 1.3])
D = np.array([-0.8, 0.5, 0.9])
X = np.array([0.3, -0.7, 0.55])
Y = np.array([0.8, 0.4, -0.65])
GRID = np.array([[0.2, 0.7], [-0.4, 0.9]])
MATRIX = np.array([[0.5, -0.3, 0.1], [0.3, 1.0, 0.2], [-0.1, 0.2, 0.5]])
CUBE = np.linspace(-0.8, 0.9, 8).reshape(2, 2, 2) ** 2 + 0.1
LONG = np.linspace(-0.9, 0.95, 7)
DATA = np.sin(2 * LONG) + 0.1 * LONG**3
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.7, 1.1, 0.4, 0.9])

# What is called with the function of the name before the colon, and the arrays.
CASES: dict[str, tuple[Any, ...]] = {
    "val": (lambda f, x, c: f(x, c), X, C),
    "val: number": (lambda f, x, c: f(x, c), np.array(0.3), C),
    "val: columns": (lambda f, x, c: f(x, c), X, MATRIX),
    "val: columns of a grid": (lambda f, x, c: f(x, c), GRID, MATRIX),
    "val: one by one": (lambda f, x, c: f(x, c, tensor=False), X, MATRIX),
    "val: list": (lambda f, x, c: f([x[0], 0.5], [c[0], c[1], 2, c[2]]), X, C),
    "val: plain coefficients": (lambda f, x: f(x, [1, 2, 3]), GRID),
    "val: plain points": (lambda f, c: f(GRID, c), C),
    "val: constant": (lambda f, x, c: f(x, c[:1]), X, C),
    "val: linear": (lambda f, x, c: f(x, c[:2]), X, C),
    "val: float32": (lambda f, x, c: f(x, c), X.astype(np.float32), C.astype(np.float32)),
    "val: complex": (lambda f, x, c: f(x, c), X + 0.2j, C - 0.1j),
    "val2d": (lambda f, x, y, c: f(x, y, c), X, Y, MATRIX),
    "val3d": (lambda f, x, y, z, c: f(x, y, z, c), X, Y, X[::-1], CUBE),
    "grid2d": (lambda f, x, y, c: f(x, y, c), X, Y[:2], MATRIX),
    "grid3d": (lambda f, x, y, z, c: f(x, y, z, c), X, Y[:2], X[1:], CUBE),
    "vander": (lambda f, x: f(x, 3), GRID),
    "vander: degree 0": (lambda f, x: f(x, 0), X),
    "vander2d": (lambda f, x, y: f(x, y, [1, 2]), X, Y),
    "vander3d": (lambda f, x, y, z: f(x, y, z, [1, 2, 1]), X, Y, X[::-1]),
    "add": (lambda f, c, d: f(c, d), C, D),
    "add: shorter first": (lambda f, c, d: f(d, c), C, D),
    "sub": (lambda f, c, d: f(c, d), C, D),
    "sub: shorter first": (lambda f, c, d: f(d, c), C, D),
    "mulx": (lambda f, c: f(c), C),
    "mulx: constant": (lambda f, c: f(c[:1]), C),
    "mul": (lambda f, c, d: f(c, d), C, D),
    "mul: with a list": (lambda f, c: f(c, [1, c[0], 0]), C),
    "mul: by a number": (lambda f, c: f(c, c[0]), C),
    "pow": (lambda f, c: f(c, 3), D),
    "pow: 0 and 1": (lambda f, c: f(c, 1) * f(c, 0), D),
    "div": (lambda f, c, d: f(c, d), C, D),
    "div: by a constant": (lambda f, c, d: f(c, d[:1]), C, D),
    "div: by a longer one": (lambda f, c, d: f(d, c), C, D),
    "der": (lambda f, c: f(c), C),
    "der: twice, scaled": (lambda f, c, s: f(c, 2, s), C, np.array(1.5)),
    "der: axis": (lambda f, c: f(c, 1, axis=1), MATRIX),
    "der: to nothing": (lambda f, c: f(c, 5), C),
    "int": (lambda f, c: f(c), C),
    "int: all arguments": (lambda f, c, k, b, s: f(c, 2, k, b, s), C, D[:2], np.array(0.3), np.array(1.5)),
    "int: axis": (lambda f, c: f(c, axis=1), MATRIX),
    "int: of a constant": (lambda f, c: f(c[:1]), C),
    "int: of zero": (lambda f, k: f([0.0], 1, k), np.array(0.7)),
    "line": (lambda f, a, b: f(a, b), np.array(0.5), np.array(0.7)),
    "fromroots": (lambda f, r: f(r), X),
    "fromroots: five": (lambda f, r: f(r), np.array([0.3, -0.7, 0.55, 1.1, -0.2])),
    "companion": (lambda f, c: f(c), C),
    "companion: linear": (lambda f, c: f(c[:2]), C),
    "roots": (lambda f, c: f(c), C),
    "roots: linear": (lambda f, c: f(c[:2]), C),
    "fit": (lambda f, x, y: f(x, y, 2), LONG, DATA),
    "fit: weights": (lambda f, x, y, w: f(x, y, 2, w=w), LONG, DATA, WEIGHTS),
    "fit: some degrees": (lambda f, x, y: f(x, y, [0, 3, 1]), LONG, DATA),
    "fit: columns": (lambda f, x, y: f(x, np.stack([y, y**2], axis=1), 2), LONG, DATA),
    "fit: full": (lambda f, x, y: f(x, y, 2, full=True)[0], LONG, DATA),
    "fit: residuals": (lambda f, x, y: f(x, y, 2, full=True)[1][0], LONG, DATA),
    "trim": (lambda f, c: f(np.array([*C, 1e-9]) * c[0], 1e-6), C),
}
# The power series has no function for its own form; laguerre has other names for its weight.
OTHERS: dict[str, tuple[Any, ...]] = {
    "polynomial.polyvalfromroots": (lambda f, x, r: f(x, r), X, Y),
    "polynomial.polyvalfromroots: columns": (lambda f, x, r: f(x, r), X, MATRIX),
    "polynomial.polyvalfromroots: one by one": (lambda f, x, r: f(x, r, tensor=False), X, MATRIX),
    "chebyshev.chebinterpolate": (lambda f, a: f(lambda x, b: np.sin(a[0] * x) * b, 4, (a[1],)), X),
    "chebyshev.chebweight": (lambda f, x: f(x), X),
    "legendre.legweight": (lambda f, x: f(x) + x, X),
    "laguerre.lagweight": (lambda f, x: f(x), X),
    "hermite.hermweight": (lambda f, x: f(x), X),
    "hermite_e.hermeweight": (lambda f, x: f(x), X),
    "polyutils.mapparms": (lambda f, a, b: f(a, b), X[:2], Y[:2]),
    "polyutils.mapdomain": (lambda f, x, a, b: f(x, a, b), X, D[:2], Y[:2]),
    "polyutils.getdomain": (lambda f, x: f(x), X),
    "polyutils.trimcoef": (lambda f, c: f(c), C),
    "polyutils.as_series": (lambda f, c: f([c, 1.0]), C),
}
for _module, _prefix in SERIES.items():
    if _module != "polynomial":
        OTHERS[f"{_module}.{_prefix}2poly"] = (lambda f, c: f(c), C)
        OTHERS[f"{_module}.poly2{_prefix}"] = (lambda f, c: f(c), C)

ALL = [f"{m}.{p}{case}" for m, p in SERIES.items() for case in CASES] + list(OTHERS)


def case_of(name: str) -> tuple[Any, str, str, list[Any]]:
    """Return the function to call, its module and name, and the arrays."""
    module, _, rest = name.partition(".")
    fun, *arrays = OTHERS[name] if name in OTHERS else CASES[rest.removeprefix(SERIES[module])]
    return fun, module, rest.partition(":")[0], arrays


def leaves(out: Any) -> Any:
    return tuple(out) if isinstance(out, tuple | list) else out


@pytest.mark.parametrize("name", ALL)
def test_values_and_derivatives(name: str) -> None:
    fun, module, function, arrays = case_of(name)
    theirs = getattr(getattr(np.polynomial, module, None) or import_module(f"numpy.polynomial.{module}"), function)
    ours = getattr(import_module(f"covector.numpy.polynomial.{module}"), function)
    want = leaves(fun(theirs, *arrays))
    plain = leaves(fun(ours, *arrays))
    # Without transforms it is NumPy's function that runs.
    for a, b in zip(cv.tree.leaves(plain), cv.tree.leaves(want), strict=True):
        assert type(a) is type(b)
        np.testing.assert_array_equal(a, b)
    traced = cv.vjp(lambda *xs: leaves(fun(ours, *xs)), *arrays)[0]
    for a, b in zip(cv.tree.leaves(traced), cv.tree.leaves(want), strict=True):
        assert_same_as_numpy(a, b)
    check(lambda *xs: leaves(fun(ours, *xs)), *arrays, order=1 if "float32" in name else 2)


def test_every_function_has_a_case() -> None:
    covered = {name.partition(":")[0] for name in ALL}
    for module, prefix in SERIES.items():
        theirs = getattr(np.polynomial, module)
        ours = getattr(cnp.polynomial, module)
        assert set(theirs.__all__) <= set(dir(ours)) and ours.__all__ == theirs.__all__
        for name in theirs.__all__:
            value = getattr(ours, name)
            if not callable(value) or isinstance(value, type):
                continue
            points = name in (f"{prefix}pts1", f"{prefix}pts2", f"{prefix}gauss")
            assert points or f"{module}.{name}" in covered, name
            assert value.__doc__ == getattr(theirs, name).__doc__
            assert value.__module__ == ours.__name__ and pickle.loads(pickle.dumps(value)) is value


# --- what depends on the degree ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", SERIES)
def test_a_traced_zero_keeps_its_derivative(module: str) -> None:
    prefix = SERIES[module]
    ours = getattr(cnp.polynomial, module)
    mul, val = getattr(ours, f"{prefix}mul"), getattr(ours, f"{prefix}val")

    def value(t: Any) -> Any:
        return val(0.7, mul(cnp.array([1.0, t]), [2.0, 3.0]))

    near = [cv.grad(value)(t) for t in (-1e-3, 0.0, 1e-3)]
    assert near[1] != 0
    np.testing.assert_allclose(near, near[1], rtol=1e-12)  # it is linear in t
    lanes = cv.vmap(cv.grad(value))(np.array([-1.0, 0.0, 2.0]))
    np.testing.assert_allclose(lanes, near[1], rtol=1e-12)


def test_a_plain_zero_is_dropped_as_numpy_does() -> None:
    out = cv.vjp(lambda t: cnp.polynomial.polynomial.polyadd([1.0, t, 0.0, 0.0], [2.0, 0.0]), 3.0)[0]
    assert out.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("module", SERIES)
def test_roots_have_the_degree_of_the_values(module: str) -> None:
    ours = getattr(cnp.polynomial, module)
    roots = getattr(ours, f"{SERIES[module]}roots")
    c = np.array([*C, 0.0])
    out, pull = cv.vjp(roots, c)
    np.testing.assert_allclose(out, getattr(getattr(np.polynomial, module), f"{SERIES[module]}roots")(c))
    assert pull(np.ones_like(out))[0].shape == c.shape
    with pytest.raises(ConcretizationError, match="different degree"):
        cv.vmap(roots)(np.stack([c, c + 1.0]))


@pytest.mark.parametrize("module", SERIES)
def test_division_by_zero(module: str) -> None:
    divide = getattr(getattr(cnp.polynomial, module), f"{SERIES[module]}div")
    with pytest.raises(ZeroDivisionError):
        cv.jvp(lambda c, d: divide(c, d)[0], (C, 0.0 * D), (C, D))


def test_a_poor_fit_warns_as_numpy_does() -> None:
    x = np.array([0.5, 0.5, 0.5])
    for run in (
        lambda: np.polynomial.polynomial.polyfit(x, X, 1),
        lambda: cv.vjp(lambda y: cnp.polynomial.polynomial.polyfit(x, y, 1), X),
    ):
        with pytest.warns(np.exceptions.RankWarning, match="poorly conditioned"):
            run()


def test_a_fit_at_one_point_has_a_domain_around_it() -> None:
    want = np.polynomial.Polynomial.fit([0.5, 0.5], [1.0, 2.0], 0)
    domain = cv.vjp(lambda x: cnp.polynomial.Polynomial.fit(x, [1.0, 2.0], 0).domain, np.array([0.5, 0.5]))[0]
    np.testing.assert_array_equal(domain, want.domain)


@pytest.mark.parametrize(
    "arguments",
    [(LONG[None], DATA, 1), (LONG, DATA[:3], 1), (LONG, DATA, -1), (LONG, DATA, 1.5), (LONG[:0], DATA[:0], 1)],
)
def test_what_numpy_refuses_of_a_fit(arguments: tuple[Any, ...]) -> None:
    x, y, deg = arguments
    with pytest.raises((TypeError, ValueError)) as theirs:
        np.polynomial.polynomial.polyfit(x, y, deg)
    with pytest.raises(theirs.type) as ours:
        cv.vjp(lambda y: cnp.polynomial.polynomial.polyfit(x, y, deg), y)
    assert str(ours.value) == str(theirs.value)


# --- classes ----------------------------------------------------------------------------------------------------------

CLASSES = ("Polynomial", "Chebyshev", "Legendre", "Laguerre", "Hermite", "HermiteE")
CLASS_CASES: dict[str, tuple[Any, ...]] = {
    "call": (lambda P, c, x: P(c)(x), C, GRID),
    "domain": (lambda P, c, d, w: P(c, d, w)(0.3), C, D[:2], Y[:2]),
    "arithmetic": (lambda P, c, d: (P(c) * P(d) + P(c) - 2.0 * P(d) + 1.0 - P(c) ** 2).coef, C, D),
    "division": (lambda P, c, d: ((P(c) // P(d)).coef, (P(c) % P(d)).coef), C, D),
    "by numbers": (lambda P, c, t: (t[0] * P(c) + t[1]).coef + (P(c) * t[0]).coef + (P(c) / t[1]).coef[0], C, X),
    "of numbers": (lambda P, c, t: (t[0] + P(c)).coef + (t[1] - P(c)).coef, C, X),
    "deriv": (lambda P, c, d: P(c, d).deriv(2).coef, C, D[:2]),
    "integ": (lambda P, c, k: P(c, [0, 2]).integ(1, k, lbnd=0.5).coef, C, np.array(0.4)),
    "roots": (lambda P, c: P(c, [0, 2]).roots(), C),
    "fromroots": (lambda P, r: P.fromroots(r, [0, 2]).coef, X),
    "fit": (lambda P, x, y: P.fit(x, y, 2).coef, LONG, DATA),
    "convert": (lambda P, c: P(c, [0, 2]).convert().coef, C),
    "cast": (lambda P, c: P.cast(P(c, [0, 2])).coef, C),
    "basis": (lambda P, x: P.basis(3)(x), X),
    "identity": (lambda P, d: P.identity(d).coef, D[:2]),
    "linspace": (lambda P, c: P(c).linspace(5)[1], C),
    "truncate": (lambda P, c: P(c).truncate(2).coef + P(c).cutdeg(1).coef, C),
    "degree": (lambda P, c: P(c).degree() * P(c).trim().coef * len(P(c)), C),
    "iteration": (lambda P, c: sum(k * v for k, v in enumerate(P(c))), C),
}


@pytest.mark.parametrize("case", CLASS_CASES)
@pytest.mark.parametrize("name", CLASSES)
def test_classes(name: str, case: str) -> None:
    fun, *arrays = CLASS_CASES[case]
    theirs, ours = getattr(np.polynomial, name), getattr(cnp.polynomial, name)
    want = leaves(fun(theirs, *arrays))
    traced = cv.vjp(lambda *xs: leaves(fun(ours, *xs)), *arrays)[0]
    for a, b in zip(cv.tree.leaves(traced), cv.tree.leaves(want), strict=True):
        assert_same_as_numpy(a, b)
    with warnings.catch_warnings():
        check(lambda *xs: leaves(fun(ours, *xs)), *arrays, order=1)


@pytest.mark.parametrize("name", CLASSES)
def test_classes_are_those_of_numpy(name: str) -> None:
    theirs, ours = getattr(np.polynomial, name), getattr(cnp.polynomial, name)
    assert issubclass(ours, theirs) and ours.__name__ == name
    p = ours(C)
    assert type(p * p) is ours and type(p.coef) is np.ndarray and p == ours(C) and p != ours(D)
    assert repr(p) == repr(theirs(C)) and str(p) == str(theirs(C))
    assert pickle.loads(pickle.dumps(p)) == p and copy.copy(p) == p
    module = import_module(ours.__module__)
    assert getattr(module, name) is ours
    assert cv.grad(lambda t: (p * ours([t, 1.0]))(0.5))(2.0) == pytest.approx(float(p(0.5)))


def test_constants_and_modules_are_there() -> None:
    assert cnp.polynomial.chebyshev.chebdomain is np.polynomial.chebyshev.chebdomain
    assert cnp.polynomial.__all__ == np.polynomial.__all__
    assert not [name for name in np.polynomial.__all__ if not hasattr(cnp.polynomial, name)]
    with pytest.raises(AttributeError, match=r"covector\.numpy\.polynomial\.chebyshev"):
        cnp.polynomial.chebyshev.no_such_function
    with pytest.raises(AttributeError, match=r"covector\.numpy\.polynomial'"):
        cnp.polynomial.no_such_function
