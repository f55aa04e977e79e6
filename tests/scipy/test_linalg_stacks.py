"""covector.scipy.linalg: stacks of matrices, signatures, empty matrices, what is read, what is refused."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy
import scipy.linalg as plain
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from covector.errors import ConcretizationError, NotDifferentiableError, TracerConversionError
from covector.scipy import linalg
from helpers import check
from matrices import band, general, hermitian, leaves, traced

HERE = np.lib.NumpyVersion(scipy.__version__) >= "1.17.0"
stacked = pytest.mark.skipif(not HERE, reason="stacks of matrices came with SciPy 1.17")

S, HS, B, V = general(2, 3, 3), hermitian(2, 3, 3), general(3, 2, seed=5), general(3, seed=7)
MANY = general(2, 40, 40) * 2
BANDS = np.stack([band(3, 4, 1), 1.5 * band(3, 4, 1)])

# A label, a function of the module `la` (ours or SciPy's) and arrays, and the arrays.
CASES: list[tuple[str, Callable[..., Any], list[Any]]] = [
    ("solve", lambda la, a, b: la.solve(a, b), [S, B]),
    ("solve vector", lambda la, a, b: la.solve(a, b), [S, V]),
    ("solve pos", lambda la, a, b: la.solve(a, b, assume_a="pos"), [HS, B]),
    ("solve upper", lambda la, a, b: la.solve(a, b, assume_a="upper triangular"), [S, B]),
    ("triangular", lambda la, a, b: la.solve_triangular(a, b, lower=True), [S, B]),
    ("triangular vector", lambda la, a, b: la.solve_triangular(a, b), [S, V]),
    ("triangular unit", lambda la, a, b: la.solve_triangular(a, b, unit_diagonal=True, trans=1), [S, B]),
    ("triangular order 40", lambda la, a, b: la.solve_triangular(a, b, lower=True), [MANY, general(40)]),
    ("triangular order 40 upper", lambda la, a, b: la.solve_triangular(a, b), [MANY, general(40)]),
    ("cholesky", lambda la, a: la.cholesky(a), [HS]),
    ("cho_factor", lambda la, a: la.cho_factor(a), [HS]),
    ("cho_solve", lambda la, a, b: la.cho_solve(la.cho_factor(a), b), [HS, B]),
    ("lu", lambda la, a: la.lu(a), [S[:, ::-1]]),
    ("lu tall", lambda la, a: la.lu(a), [general(2, 4, 2)[:, ::-1]]),
    ("lu permute", lambda la, a: la.lu(a, permute_l=True), [S[:, ::-1]]),
    ("lu indices", lambda la, a: la.lu(a, p_indices=True), [S[:, ::-1]]),
    ("lu_factor complex", lambda la, a: la.lu_factor(a), [general(2, 3, 3, dtype=complex)[:, ::-1]]),
    ("lu_solve", lambda la, a, b: la.lu_solve(la.lu_factor(a), b, trans=1), [S[:, ::-1], B]),
    ("qr", lambda la, a: la.qr(a, mode="economic"), [general(2, 4, 2)]),
    ("qr pivoting", lambda la, a: la.qr(a, pivoting=True), [S]),
    ("svdvals", lambda la, a: la.svdvals(a), [S]),
    ("eigh values", lambda la, a: la.eigh(a)[0], [HS]),
    ("eigh vectors", lambda la, a: la.eigh(a)[1] ** 2, [HS]),
    ("eigh pencil", lambda la, a, b: la.eigh(a, b)[0], [HS, hermitian(2, 3, 3, seed=3)]),
    ("expm", lambda la, a: la.expm(a), [S]),
    ("expm of different sizes", lambda la, a: la.expm(a), [S * np.array([0.01, 5.0]).reshape(2, 1, 1)]),
    ("expm complex", lambda la, a: la.expm(a), [general(2, 3, 3, dtype=complex)]),
    ("expm triangular", lambda la, a: la.expm(np.tril(a)), [S]),
    ("sqrtm", lambda la, a: la.sqrtm(a), [S]),
    ("sqrtm complex", lambda la, a: la.sqrtm(a), [general(2, 3, 3, dtype=complex)]),
    ("logm", lambda la, a: la.logm(a), [S]),
    ("inv", lambda la, a: la.inv(a), [S]),
    ("inv sym", lambda la, a: la.inv(a, assume_a="sym", lower=True), [S]),
    ("inv pos", lambda la, a: la.inv(a, assume_a="pos"), [HS]),
    ("det", lambda la, a: la.det(a), [S]),
    ("pinv", lambda la, a: la.pinv(a, return_rank=True), [general(2, 3, 2)]),
    ("pinv atol", lambda la, a: la.pinv(a, atol=1e-3), [general(2, 3, 2)]),
    ("block_diag", lambda la, a, b: la.block_diag(a, b), [S, B]),
    ("toeplitz", lambda la, c, r: la.toeplitz(c, r), [B, V]),
    ("circulant", lambda la, c: la.circulant(c), [B]),
    ("sylvester", lambda la, a, b, q: la.solve_sylvester(a, b, q), [S, general(2, 2), B]),
    ("lyapunov", lambda la, a, q: la.solve_continuous_lyapunov(a, q), [S, HS]),
    ("discrete lyapunov", lambda la, a, q: la.solve_discrete_lyapunov(a / 7, q), [S, HS]),
    ("discrete bilinear", lambda la, a, q: la.solve_discrete_lyapunov(a / 7, q, "bilinear"), [S, HS]),
    ("banded", lambda la, ab, b: la.solve_banded((1, 1), ab, b), [BANDS, general(4, 2)]),
    ("banded vector", lambda la, ab, b: la.solve_banded((1, 1), ab, b), [BANDS, general(4)]),
    ("bandedh", lambda la, ab, b: la.solveh_banded(ab, b, lower=True), [BANDS[:, 1:], general(4)]),
]


@stacked
@pytest.mark.parametrize(("label", "fun", "args"), CASES, ids=[c[0] for c in CASES])
def test_stacks_are_scipys(label: str, fun: Callable[..., Any], args: list[Any]) -> None:
    if label == "bandedh":
        # SciPy 1.17.1 does not broadcast a vector against a stack here, and takes the matrices one by one.
        want = (np.stack([fun(plain, ab, args[1]) for ab in args[0]]),)
    else:
        want = leaves(fun(plain, *args))
    _, _, got = cv.vjp(lambda *xs: (0.0 * xs[0].sum(), list(leaves(fun(linalg, *xs)))), *args, has_aux=True)
    for g, w in zip(got, want, strict=True):
        assert (g.shape, g.dtype) == (np.shape(w), np.asarray(w).dtype)
        assert_allclose(g, w, rtol=1e-9, atol=1e-11)


@stacked
@pytest.mark.parametrize(("label", "fun", "args"), CASES, ids=[c[0] for c in CASES])
def test_derivatives_of_stacks(label: str, fun: Callable[..., Any], args: list[Any]) -> None:
    big = any(x.shape[-1] == 40 for x in args)
    floats = lambda *xs: [y for y in leaves(fun(linalg, *xs)) if y.dtype.kind in "fc"]
    check(floats, *args, order=1 if big else 2)


def test_a_factorization_goes_through_vmap() -> None:
    def f(a: Any, b: Any) -> Any:
        return linalg.lu_solve(linalg.lu_factor(a), b)

    together = cv.vmap(f, in_axes=(0, None))(S[:, ::-1], B)
    assert_allclose(together, np.stack([f(a[::-1], B) for a in S]), rtol=1e-12)


# --- the face ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not HERE, reason="the signatures are those of SciPy 1.17")
@pytest.mark.parametrize("name", [n for n in linalg.__all__ if n != "solve_lyapunov"])
def test_signatures_are_scipys(name: str) -> None:
    def face(f: Any) -> list[Any]:
        parameters = inspect.signature(f).parameters.values()
        defaults = [None if type(p.default).__name__ in ("object", "_NoValueType") else p.default for p in parameters]
        return [(p.name, p.kind, d) for p, d in zip(parameters, defaults, strict=True)]

    assert face(getattr(linalg, name)) == face(getattr(plain, name))


def test_plain_calls_are_scipys_own() -> None:
    c, lower = linalg.cho_factor([[4, 1], [1, 2]])
    assert_array_equal(
        linalg.cho_solve((c, lower), [1, 2]), plain.cho_solve(plain.cho_factor([[4, 1], [1, 2]]), [1, 2])
    )
    assert linalg.inv(np.eye(2, dtype=int)).dtype == plain.inv(np.eye(2, dtype=int)).dtype


def test_vectors_have_the_signs_of_scipys() -> None:
    a = hermitian(6, 6)
    for driver in (None, "ev", "evd", "evr", "evx"):
        w, v = traced(lambda x, driver=driver: linalg.eigh(x, driver=driver), a)
        assert_allclose(v, plain.eigh(a, driver=driver)[1], atol=1e-12)


EMPTY = np.zeros((0, 0))


@pytest.mark.skipif(not HERE, reason="older versions of SciPy refuse some of these")
@pytest.mark.parametrize(
    "fun",
    [
        lambda la, a: la.solve(a, np.zeros((0, 2))),
        lambda la, a: la.solve_triangular(a, np.zeros(0)),
        lambda la, a: la.cholesky(a),
        lambda la, a: la.eigh(a),
        lambda la, a: la.svdvals(a),
        lambda la, a: la.qr(a),
        lambda la, a: la.expm(a),
        lambda la, a: la.det(a),
        lambda la, a: la.inv(a),
        lambda la, a: la.pinv(a),
        lambda la, a: la.block_diag(a, np.eye(2)),
    ],
)
def test_empty_matrices(fun: Callable[..., Any]) -> None:
    for got, want in zip(traced(lambda a: fun(linalg, a), EMPTY), leaves(fun(plain, EMPTY)), strict=True):
        assert (got.shape, got.dtype) == (np.shape(want), np.asarray(want).dtype)
        assert_array_equal(got, want)


def test_what_is_not_read_has_derivative_zero() -> None:
    a, unit = general(3, 3) + np.eye(3), np.eye(3)
    reads = {
        "lower": lambda x: linalg.cholesky(x, lower=True),
        "upper": lambda x: linalg.solve(x, unit, assume_a="pos"),
        "strictly lower": lambda x: linalg.solve_triangular(x, unit, lower=True, unit_diagonal=True),
        "diagonal": lambda x: linalg.solve(x, unit, assume_a="diagonal"),
    }
    parts = {"lower": np.tril(unit + 1), "upper": np.triu(unit + 1), "diagonal": unit}
    parts["strictly lower"] = np.tril(unit + 1, -1)
    for name, f in reads.items():
        g = cv.grad(lambda x, f=f: np.sum(f(x) * a))(a)
        assert_array_equal(g[parts[name] == 0], 0)
        assert np.all(g[parts[name] != 0] != 0), name


def test_places_outside_a_band_matrix_do_not_matter() -> None:
    ab = band(3, 4, 1)
    ab[0, 0] = ab[2, -1] = np.nan
    value, g = cv.value_and_grad(lambda x: np.sum(linalg.solve_banded((1, 1), x, np.ones(4), check_finite=False)))(ab)
    assert np.isfinite(value) and np.all(np.isfinite(g)) and g[0, 0] == g[2, -1] == 0


def test_results_do_not_share_memory_with_arguments() -> None:
    def f(x: Any) -> Any:
        y = linalg.block_diag(x)
        y[0, 0] = 0.0
        return np.sum(x) + np.sum(y)

    assert_array_equal(cv.grad(f)(np.ones((2, 2))), [[1, 2], [2, 2]])


def test_sqrtm_is_real_where_scipys_is() -> None:
    a = hermitian(3, 3)
    assert cv.grad(lambda x: np.sum(linalg.sqrtm(x)))(a).dtype == float
    (root,) = traced(linalg.sqrtm, -a)
    assert root.dtype == complex
    assert cv.vmap(cv.grad(lambda x: np.trace(linalg.sqrtm(x))))(np.stack([a, 2 * a])).dtype == float


def test_nearly_singular_equations_warn() -> None:
    with pytest.warns(RuntimeWarning, match="sum to about zero"):
        cv.grad(lambda q: np.sum(linalg.solve_sylvester(np.eye(2), -np.eye(2), q)))(np.ones((2, 2)))


# --- refusals ---------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[type[BaseException], str, Callable[[Any], Any]]] = [
    (ValueError, "infs or NaNs", lambda a: linalg.inv(a * np.nan)),
    (ValueError, "infs or NaNs", lambda a: linalg.solve(np.eye(3), a * np.inf)),
    (ValueError, "square", lambda a: linalg.cholesky(a[:2])),
    (ValueError, "last two axes", lambda a: linalg.expm(a[0])),
    (ValueError, "3 rows", lambda a: linalg.solve(a, np.ones(2))),
    (ValueError, "structure", lambda a: linalg.solve(a, a, assume_a="odd")),
    (ValueError, "structure", lambda a: linalg.inv(a, assume_a="banded")),
    (ValueError, "trans must be", lambda a: linalg.solve_triangular(a, a, trans=3)),
    (ValueError, "all factors", lambda a: linalg.cho_solve((np.stack([a, a]), np.array([True, False])), a)),
    (ValueError, "l\\+u\\+1", lambda a: linalg.solve_banded((2, 1), a, np.ones(3))),
    (ValueError, "indices are not valid", lambda a: linalg.eigh(a, subset_by_index=(1, 3))),
    (ValueError, "bounds are not valid", lambda a: linalg.eigh(a, subset_by_value=(1, 1))),
    (ValueError, "driver must be", lambda a: linalg.eigh(a, driver="gvd")),
    (ValueError, "q must be 3 x 2", lambda a: linalg.solve_sylvester(a, np.eye(2), a)),
    (np.linalg.LinAlgError, "ositive definite", lambda a: linalg.solve(-a, np.ones(3), assume_a="pos")),
    (np.linalg.LinAlgError, "diagonal 1", lambda a: linalg.solve_triangular(a * np.diag([1.0, 0, 1]), np.ones(3))),
    (NotImplementedError, "complex", lambda a: linalg.solve(a * 1j, np.ones(3), transposed=True)),
    (NotDifferentiableError, "mode='economic'|'economic'", lambda a: linalg.qr(a, mode="raw")),
    (NotDifferentiableError, "np.ravel", lambda a: linalg.hankel(a)),
    (NotDifferentiableError, "leave disp out", lambda a: linalg.logm(a, disp=False)),
    (TracerConversionError, "np.stack", lambda a: linalg.toeplitz([a[0, 0], a[0, 1]])),
]


@pytest.mark.parametrize(("error", "message", "fun"), REFUSED)
def test_refusals(error: type[BaseException], message: str, fun: Callable[[Any], Any]) -> None:
    with pytest.raises(error, match=message):
        cv.vjp(fun, hermitian(3, 3))


def test_a_subset_whose_size_differs_between_lanes_is_refused() -> None:
    with pytest.raises(ConcretizationError, match="subset_by_index"):
        cv.vmap(lambda a: linalg.eigh(a, subset_by_value=(2.0, 4.0))[0])(np.stack([hermitian(3, 3), np.eye(3)]))


def test_import_does_not_load_scipy() -> None:
    program = "import sys, covector.scipy.linalg, covector.scipy.signal; print('scipy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


@pytest.mark.parametrize("scale", [1e-8, 1.0, 30.0, 100.0])
def test_expm_of_a_stack_is_accurate(scale: float) -> None:
    a = scale * general(4, 5, 5, seed=3) / 5
    for x, got in zip(a, cv.vmap(linalg.expm)(a), strict=True):
        with mpmath.workdps(60):
            exact = np.array(mpmath.expm(mpmath.matrix(x.tolist())).tolist(), float)
        condition = max(1.0, np.abs(x).sum(axis=0).max())
        assert_allclose(got, exact, rtol=0, atol=5e-15 * condition * np.abs(exact).max())
