"""covector.scipy.linalg: SciPy's values and dtypes, both modes, batched, second order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy
import scipy.linalg as plain
from numpy.testing import assert_allclose, assert_array_equal

from covector.scipy import linalg
from helpers import check
from matrices import band, general, hermitian, leaves, traced

Case = tuple[str, Callable[..., Any], list[Any]]
"""A label, a function of the module `la` (ours or SciPy's) and arrays, and the arrays."""

A, S, B, V = general(3, 3), general(2, 3, 3), general(3, 2, seed=5), general(3, seed=7)
C, CB = general(3, 3, dtype=complex), general(3, 2, dtype=complex, seed=5)
H, HS, HC = hermitian(3, 3), hermitian(2, 3, 3), hermitian(3, 3, dtype=complex)
H2 = hermitian(3, 3, seed=9)
F = A.astype(np.float32)
TALL, WIDE = general(4, 2), general(2, 4)
ROTATING = np.array([[1.0, 2.0, 0.1], [-1.5, 1.0, 0.5], [0.3, 0.2, 2.0]])

STRUCTURES = ("gen", "sym", "pos", "diagonal", "tridiagonal", "upper triangular", "lower triangular", "banded")

CASES: list[Case] = [
    *[(f"solve {s}", lambda la, a, b, s=s: la.solve(a, b, assume_a=s), [H, B]) for s in STRUCTURES],
    ("solve vector", lambda la, a, b: la.solve(a, b), [A, V]),
    ("solve sym lower", lambda la, a, b: la.solve(a, b, lower=True, assume_a="sym"), [A, B]),
    ("solve her", lambda la, a, b: la.solve(a, b, assume_a="her"), [C, CB]),
    ("solve complex sym", lambda la, a, b: la.solve(a, b, assume_a="sym"), [C, CB]),
    ("solve complex pos lower", lambda la, a, b: la.solve(a, b, True, assume_a="pos"), [HC, CB]),
    ("solve transposed", lambda la, a, b: la.solve(a, b, transposed=True), [A, B]),
    ("solve upper transposed", lambda la, a, b: la.solve(a, b, assume_a="upper triangular", transposed=True), [A, B]),
    ("solve real, complex", lambda la, a, b: la.solve(a, b), [A, CB]),
    ("solve float32", lambda la, a, b: la.solve(a, b), [F, B.astype(np.float32)]),
    ("solve mixed", lambda la, a, b: la.solve(a, b), [F, B]),
    ("solve one", lambda la, a, b: la.solve(a, b), [general(1, 1), general(1, seed=3)]),
    ("solve plain matrix", lambda la, b: la.solve([[2, 1], [0, 3]], b), [general(2, seed=1)]),
    ("triangular upper", lambda la, a, b: la.solve_triangular(a, b), [A, B]),
    ("triangular lower", lambda la, a, b: la.solve_triangular(a, b, lower=True), [A, V]),
    ("triangular trans", lambda la, a, b: la.solve_triangular(a, b, trans="T"), [A, B]),
    ("triangular trans lower unit", lambda la, a, b: la.solve_triangular(a, b, 1, True, True), [A, B]),
    ("triangular adjoint", lambda la, a, b: la.solve_triangular(a, b, trans=2), [C, CB]),
    ("triangular fortran", lambda la, a, b: la.solve_triangular(a, b, lower=True), [np.asfortranarray(A), B]),
    ("triangular order 40", lambda la, a, b: la.solve_triangular(a, b, lower=True), [general(40, 40) * 2, general(40)]),
    ("triangular float32", lambda la, a, b: la.solve_triangular(a, b), [F, V.astype(np.float32)]),
    ("cholesky", lambda la, a: la.cholesky(a), [H]),
    ("cholesky lower", lambda la, a: la.cholesky(a, lower=True), [H]),
    ("cholesky reads one triangle", lambda la, a: la.cholesky(a), [general(3, 3) + np.eye(3)]),
    ("cholesky complex", lambda la, a: la.cholesky(a), [HC]),
    ("cholesky complex lower", lambda la, a: la.cholesky(a, True), [HC]),
    ("cho_factor", lambda la, a: la.cho_factor(a)[0], [general(3, 3) + np.eye(3)]),
    ("cho_factor lower", lambda la, a: la.cho_factor(a, lower=True)[0], [general(3, 3) + np.eye(3)]),
    ("cho_solve", lambda la, a, b: la.cho_solve(la.cho_factor(a), b), [H, B]),
    ("cho_solve lower", lambda la, a, b: la.cho_solve(la.cho_factor(a, True), b), [H, V]),
    ("cho_solve complex", lambda la, a, b: la.cho_solve(la.cho_factor(a), b), [HC, CB]),
    ("cho_solve complex lower", lambda la, a, b: la.cho_solve(la.cho_factor(a, True), b), [HC, CB]),
    ("cho_solve factor", lambda la, c, b: la.cho_solve((c, False), b), [A, B]),
    ("lu", lambda la, a: la.lu(a)[1:], [A[::-1]]),
    ("lu tall", lambda la, a: la.lu(a)[1:], [TALL[::-1]]),
    ("lu wide", lambda la, a: la.lu(a)[1:], [WIDE]),
    ("lu permute", lambda la, a: la.lu(a, permute_l=True), [TALL[::-1]]),
    ("lu permutation", lambda la, a: la.lu(a)[0] @ la.lu(a)[1], [A[::-1]]),
    ("lu indices", lambda la, a: la.lu(a, p_indices=True)[1:], [A[::-1]]),
    ("lu complex", lambda la, a: la.lu(a)[1:], [C]),
    ("lu_factor", lambda la, a: la.lu_factor(a)[0], [A[::-1]]),
    *[(f"lu_solve {t}", lambda la, a, b, t=t: la.lu_solve(la.lu_factor(a), b, t), [C[::-1], CB]) for t in (0, 1, 2)],
    ("lu_solve vector", lambda la, a, b: la.lu_solve(la.lu_factor(a), b), [A[::-1], V]),
    ("lu_solve factors", lambda la, a, b: la.lu_solve((a, np.array([2, 1, 2])), b), [A, B]),
    ("qr", lambda la, a: la.qr(a), [general(3, 2)]),
    ("qr economic", lambda la, a: la.qr(a, mode="economic"), [TALL]),
    ("qr r", lambda la, a: la.qr(a, mode="r")[0], [TALL]),
    ("qr pivoting", lambda la, a: la.qr(a, pivoting=True)[:2], [A]),
    ("qr complex economic", lambda la, a: la.qr(a, mode="economic"), [general(3, 2, dtype=complex)]),
    ("svd sizes", lambda la, a: tuple(x**2 for x in la.svd(a, full_matrices=False)), [TALL]),
    ("svd values", lambda la, a: la.svd(a, compute_uv=False), [WIDE]),
    ("svdvals", lambda la, a: la.svdvals(a), [TALL]),
    ("eigh squared", lambda la, a: (la.eigh(a)[0], la.eigh(a)[1] ** 2), [H]),
    ("eigh upper", lambda la, a: la.eigh(a, lower=False)[1] ** 2, [A]),
    ("eigh driver", lambda la, a: la.eigh(a, driver="evd")[1] ** 2, [H]),
    ("eigh values", lambda la, a: la.eigh(a, eigvals_only=True), [HC]),
    ("eigh complex sizes", lambda la, a: np.abs(la.eigh(a)[1]) ** 2, [HC]),
    ("eigh by index", lambda la, a: la.eigh(a, subset_by_index=(1, 2))[0], [H]),
    ("eigh by value", lambda la, a: la.eigh(a, subset_by_value=(2.5, np.inf))[0], [H]),
    *[(f"eigh pencil {t}", lambda la, a, b, t=t: la.eigh(a, b, type=t), [H, H2]) for t in (1, 2, 3)],
    *[
        (f"eigh pencil upper {t}", lambda la, a, b, t=t: la.eigh(a, b, lower=False, type=t), [A, general(3, 3, seed=4)])
        for t in (1, 2, 3)
    ],
    ("eigvalsh", lambda la, a: la.eigvalsh(a), [H]),
    ("eigvalsh pencil", lambda la, a, b: la.eigvalsh(a, b), [HC, hermitian(3, 3, dtype=complex, seed=3)]),
    ("expm", lambda la, a: la.expm(a), [A]),
    ("expm large", lambda la, a: la.expm(4 * a), [A]),
    ("expm complex", lambda la, a: la.expm(a), [C]),
    ("expm triangular", lambda la, a: la.expm(np.triu(a)), [A]),
    ("expm diagonal", lambda la, a: la.expm(a), [np.diag([1.0, 2.0])]),
    ("expm float32", lambda la, a: la.expm(a), [F]),
    ("expm scalar", lambda la, a: la.expm(a), [np.array([0.5])]),
    ("expm_frechet", lambda la, a, e: la.expm_frechet(a, e), [A, general(3, 3, seed=4)]),
    ("sqrtm", lambda la, a: la.sqrtm(a), [A]),
    ("sqrtm rotating", lambda la, a: la.sqrtm(a), [ROTATING]),
    ("sqrtm negative", lambda la, a: la.sqrtm(a), [A - 1.7 * np.eye(3)]),
    ("sqrtm complex", lambda la, a: la.sqrtm(a), [C]),
    ("logm", lambda la, a: la.logm(a), [A]),
    ("logm rotating", lambda la, a: la.logm(a), [ROTATING]),
    ("logm complex", lambda la, a: la.logm(a), [C]),
    ("inv", lambda la, a: la.inv(a), [A]),
    ("det", lambda la, a: la.det(a), [A]),
    ("det singular", lambda la, a: la.det(a), [np.array([[1.0, 2.0], [2.0, 4.0]])]),
    ("det float32", lambda la, a: la.det(a), [F]),
    ("det complex", lambda la, a: la.det(a), [C]),
    ("pinv", lambda la, a: la.pinv(a), [TALL]),
    ("pinv atol", lambda la, a: la.pinv(a, atol=1e-3, rtol=1e-6), [WIDE]),
    ("pinv rank", lambda la, a: la.pinv(a, return_rank=True)[0], [TALL]),
    *[(f"norm {o}", lambda la, a, o=o: la.norm(a, o), [A]) for o in (None, 1, 2, np.inf, "nuc")],
    ("norm vector", lambda la, a: la.norm(a, 3), [V]),
    ("norm axis", lambda la, a: la.norm(a, axis=0, keepdims=True), [A]),
    ("block_diag", lambda la, a, b: la.block_diag(a, b, [[5.0]]), [A, V]),
    ("toeplitz", lambda la, c: la.toeplitz(c), [V]),
    ("toeplitz complex", lambda la, c: la.toeplitz(c), [CB[:, 0]]),
    ("toeplitz row", lambda la, c, r: la.toeplitz(c, r), [V, general(4)]),
    ("circulant", lambda la, c: la.circulant(c), [V]),
    ("hankel", lambda la, c: la.hankel(c), [V]),
    ("hankel row", lambda la, c, r: la.hankel(c, r), [V, general(4)]),
    ("sylvester", lambda la, a, b, q: la.solve_sylvester(a, b, q), [A, general(2, 2), B]),
    ("sylvester complex", lambda la, a, b, q: la.solve_sylvester(a, b, q), [C, general(2, 2, dtype=complex), CB]),
    ("lyapunov", lambda la, a, q: la.solve_continuous_lyapunov(a, q), [A, H]),
    ("lyapunov complex", lambda la, a, q: la.solve_lyapunov(a, q), [C, HC]),
    ("discrete lyapunov", lambda la, a, q: la.solve_discrete_lyapunov(a, q), [A / 7, H]),
    ("discrete bilinear", lambda la, a, q: la.solve_discrete_lyapunov(a, q, "bilinear"), [C / 7, HC]),
    ("banded", lambda la, ab, b: la.solve_banded((1, 1), ab, b), [band(3, 4, 1), general(4, 2)]),
    ("banded unequal", lambda la, ab, b: la.solve_banded((2, 1), ab, b), [band(4, 5, 1), general(5)]),
    ("banded complex", lambda la, ab, b: la.solve_banded((0, 1), ab, b), [band(2, 3, 1, complex), CB]),
    ("bandedh", lambda la, ab, b: la.solveh_banded(ab, b), [band(3, 4, 2), general(4, 2)]),
    ("bandedh lower", lambda la, ab, b: la.solveh_banded(ab, b, lower=True), [band(2, 4, 0), general(4)]),
    ("bandedh complex", lambda la, ab, b: la.solveh_banded(ab, b), [band(2, 3, 1, complex), CB]),
    ("bandedh complex lower", lambda la, ab, b: la.solveh_banded(ab, b, lower=True), [band(3, 3, 0, complex), CB]),
]
if np.lib.NumpyVersion(scipy.__version__) < "1.17.0":
    # Structures that `solve` knows since 1.15; and single steps of sqrtm were in extended precision.
    NEWER = {f"solve {s}" for s in STRUCTURES[3:]} | {"solve upper transposed", "sqrtm complex"}
    CASES = [c for c in CASES if c[0] not in NEWER]
IDS = [c[0] for c in CASES]


@pytest.mark.parametrize(("label", "fun", "args"), CASES, ids=IDS)
def test_values_are_scipys(label: str, fun: Callable[..., Any], args: list[Any]) -> None:
    want = leaves(fun(plain, *args))
    single = any(x.dtype == np.float32 for x in args)
    for got, w in zip(leaves(fun(linalg, *args)), want, strict=True):
        assert_array_equal(got, w)
    for got, w in zip(traced(lambda *xs: fun(linalg, *xs), *args), want, strict=True):
        assert (got.shape, got.dtype) == (np.shape(w), np.asarray(w).dtype)
        assert_allclose(got, w, rtol=2e-5 if single else 1e-10, atol=2e-6 if single else 1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("label", "fun", "args"), CASES, ids=IDS)
def test_derivatives(label: str, fun: Callable[..., Any], args: list[Any]) -> None:
    single = any(x.dtype == np.float32 for x in args)
    check(lambda *xs: leaves(fun(linalg, *xs)), *args, order=1 if single else 2)
