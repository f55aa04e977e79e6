"""np.linalg: NumPy's values, both modes, batched, second order; vectors through what does not depend on their phase."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv
from covector.errors import DegenerateWarning
from helpers import assert_same_as_numpy, check

LA = np.linalg


def general(*shape: int, dtype: Any = float, seed: int = 0) -> Any:
    """Matrices (or vectors) with spread singular values and eigenvalues."""
    rng = np.random.default_rng(seed + sum(shape))
    x = rng.uniform(-0.6, 0.6, shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.uniform(-0.6, 0.6, shape)
    if len(shape) > 1:
        x = x + np.eye(*shape[-2:]) * np.arange(1, shape[-1] + 1)
    return x.astype(dtype)


def hermitian(*shape: int, dtype: Any = float) -> Any:
    x = general(*shape, dtype=dtype)
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 2


def two_outputs(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *xs: tuple(f(*xs))


A, S, B = general(3, 3), general(2, 3, 3), general(3, 2, seed=5)
TALL, WIDE = general(4, 2), general(2, 4)
H, HS = hermitian(3, 3), hermitian(2, 3, 3)
SPIRAL = np.array([[1.0, 2.0, 0.1], [-1.5, 1.0, 0.5], [0.3, 0.2, -2.0]])
C, HC = general(3, 3, dtype=complex), hermitian(3, 3, dtype=complex)

# Functions whose values do not depend on a choice of signs or phases, with the arrays to try them on.
CASES: list[tuple[str, Callable[..., Any], list[Any]]] = [
    ("solve vector", LA.solve, [A, B[:, 0]]),
    ("solve matrix", lambda a, b: LA.solve(a=a, b=b), [A, B]),
    ("solve stacked", LA.solve, [S, B]),
    ("solve stacked vector", LA.solve, [S, B[:, 0]]),
    ("solve one matrix, stacked sides", LA.solve, [A, np.stack([B, 2 * B])]),
    ("solve complex", LA.solve, [C, general(3, 2, dtype=complex, seed=5)]),
    ("solve real, complex", LA.solve, [A, general(3, 2, dtype=complex, seed=5)]),
    ("solve plain side", lambda a: LA.solve(a, [1.0, 2.0, 3.0]), [A]),
    ("solve plain matrix", lambda b: LA.solve(A, b), [B]),
    ("tensorsolve", LA.tensorsolve, [general(6, 6).reshape(2, 3, 6), general(2, 3)]),
    ("tensorsolve axes", lambda a, b: LA.tensorsolve(a, b, axes=(0,)), [general(6, 6).reshape(6, 2, 3), general(2, 3)]),
    ("inv", LA.inv, [A]),
    ("inv stacked", LA.inv, [S]),
    ("inv complex", LA.inv, [C]),
    ("tensorinv", LA.tensorinv, [general(6, 6).reshape(2, 3, 6)]),
    ("tensorinv one", lambda a: LA.tensorinv(a, ind=1), [general(6, 6).reshape(6, 2, 3)]),
    ("det", LA.det, [A]),
    ("det stacked", LA.det, [S]),
    ("det complex", LA.det, [C]),
    ("slogdet", lambda a: LA.slogdet(a)[1], [S]),
    ("slogdet named", lambda a: LA.slogdet(a).logabsdet, [A]),
    ("slogdet complex", two_outputs(LA.slogdet), [C]),
    ("cholesky", LA.cholesky, [H]),
    ("cholesky upper", lambda a: LA.cholesky(a, upper=True), [H]),
    ("cholesky stacked", LA.cholesky, [HS]),
    ("cholesky complex", LA.cholesky, [HC]),
    ("cholesky complex upper", lambda a: LA.cholesky(a, upper=True), [HC]),
    ("eigvalsh", LA.eigvalsh, [H]),
    ("eigvalsh upper", lambda a: LA.eigvalsh(a, UPLO="u"), [HS]),
    ("eigvalsh complex", LA.eigvalsh, [HC]),
    ("eigh values", lambda a: LA.eigh(a).eigenvalues, [HS]),
    ("eigh squared vectors", lambda a: LA.eigh(a).eigenvectors ** 2, [HS]),
    ("eigh upper", lambda a: LA.eigh(a, "U")[1] ** 2, [general(3, 3)]),
    ("eigh complex sizes", lambda a: np.abs(LA.eigh(a)[1]) ** 2, [HC]),
    ("eigvals", LA.eigvals, [C]),
    ("eigvals of real", LA.eigvals, [A]),
    ("eigvals of real, complex", LA.eigvals, [SPIRAL]),
    ("eig vectors", two_outputs(LA.eig), [C]),
    ("eig real", two_outputs(LA.eig), [A]),
    (
        "eig real, complex vectors",
        two_outputs(LA.eig),
        [SPIRAL],
    ),
    ("eig stacked", lambda a: LA.eig(a).eigenvalues, [S]),
    ("svdvals", LA.svdvals, [S]),
    ("svd values", lambda a: LA.svd(a, compute_uv=False), [TALL]),
    ("svd values complex", lambda a: LA.svd(a, compute_uv=False), [general(3, 2, dtype=complex)]),
    ("svd named values", lambda a: LA.svd(a).S, [WIDE]),
    ("svd left vectors", lambda a: LA.svd(a, full_matrices=False).U ** 2, [TALL]),
    ("svd right vectors", lambda a: LA.svd(a, False)[2] ** 2, [WIDE]),
    ("svd hermitian values", lambda a: LA.svd(a, compute_uv=False, hermitian=True), [H - 2.5 * np.eye(3)]),
    ("svd hermitian vectors", lambda a: LA.svd(a, hermitian=True)[2] ** 2, [H - 2.5 * np.eye(3)]),
    ("qr", two_outputs(LA.qr), [TALL]),
    ("qr square", two_outputs(LA.qr), [A]),
    ("qr wide", two_outputs(LA.qr), [WIDE]),
    ("qr stacked", two_outputs(lambda a: LA.qr(a, mode="reduced")), [S]),
    ("qr complex", two_outputs(LA.qr), [general(3, 2, dtype=complex)]),
    ("qr complete", two_outputs(lambda a: LA.qr(a, "complete")), [general(3, 2)]),
    ("qr r", lambda a: LA.qr(a, mode="r"), [TALL]),
    ("pinv tall", LA.pinv, [TALL]),
    ("pinv wide", lambda a: LA.pinv(a, 1e-10), [WIDE]),
    ("pinv stacked", lambda a: LA.pinv(a, rtol=None), [general(2, 3, 2)]),
    ("pinv complex", LA.pinv, [general(3, 2, dtype=complex)]),
    ("pinv hermitian", lambda a: LA.pinv(a, hermitian=True), [H]),
    ("lstsq tall", lambda a, b: LA.lstsq(a, b)[:2], [TALL, general(4, 3, seed=2)]),
    ("lstsq vector", lambda a, b: LA.lstsq(a, b, rcond=None)[:2], [TALL, general(4, seed=2)]),
    ("lstsq wide", lambda a, b: LA.lstsq(a, b, 1e-12)[0], [WIDE, general(2, seed=2)]),
    ("lstsq singular values", lambda a: LA.lstsq(a, np.ones(4))[3], [TALL]),
    ("lstsq complex", lambda a, b: LA.lstsq(a, b)[:2], [general(3, 2, dtype=complex), general(3, dtype=complex)]),
    ("cond", LA.cond, [A]),
    ("cond stacked", lambda a: LA.cond(a, -2), [S]),
    ("cond fro", lambda a: LA.cond(a, "fro"), [A]),
    ("cond 1", lambda a: LA.cond(a, p=1), [S]),
    ("matrix_power", lambda a: LA.matrix_power(a, 5), [S]),
    ("matrix_power one", lambda a: LA.matrix_power(a, 1), [A]),
    ("matrix_power negative", lambda a: LA.matrix_power(a, n=-3), [A]),
    ("trace and diagonal", lambda a: LA.trace(a) + LA.diagonal(a).sum(), [A]),
]


def compare_values(fun: Callable[..., Any], args: list[Any]) -> None:
    want = cv.tree.leaves(fun(*args))
    for got in (cv.vjp(fun, *args)[0], cv.jvp(fun, tuple(args), tuple(args))[0]):
        for a, b in zip(cv.tree.leaves(got), want, strict=True):
            assert a.shape == np.shape(b) and a.dtype == b.dtype
            assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("fun", "args"), [pytest.param(f, xs, id=name) for name, f, xs in CASES])
def test_function(fun: Callable[..., Any], args: list[Any]) -> None:
    compare_values(fun, args)
    check(fun, *args)


def uneven(x: Any) -> Any:
    """A cotangent that no symmetry annihilates."""
    return x.dtype.type(1) * np.cos(np.arange(x.size)).reshape(x.shape).astype(x.dtype)


@pytest.mark.parametrize(
    ("fun", "args"), [pytest.param(f, xs, id=n) for n, f, xs in CASES if all(x.dtype == float for x in xs)]
)
def test_single_precision_stays_single(fun: Callable[..., Any], args: list[Any]) -> None:
    args = [x.astype(np.float32) for x in args]
    want = [np.asarray(x) for x in cv.tree.leaves(fun(*args))]
    out, pull = cv.vjp(fun, *args)
    assert [(x.shape, x.dtype) for x in cv.tree.leaves(out)] == [(x.shape, x.dtype) for x in want]
    single = pull(cv.tree.map(uneven, out))
    assert [x.dtype for x in single] == [np.float32] * len(args)
    double, pull = cv.vjp(fun, *[x.astype(float) for x in args])
    if [x.dtype.kind for x in cv.tree.leaves(double)] == [x.dtype.kind for x in want]:
        exact = pull(cv.tree.map(uneven, double))
        for a, b in zip(single, exact, strict=True):
            assert_allclose(a, b, rtol=2e-2, atol=2e-3 * np.max(np.abs(b)))


# --- signs and phases: functions of vectors that do not depend on them ------------------------------------------------

W = np.arange(16.0).reshape(4, 4) / 7


def weigh(p: Any) -> Any:
    """A real number from a Hermitian matrix that no phase can hide."""
    n = p.shape[-1]
    return np.sum(np.real(p) * W[:n, :n]) + np.sum(np.imag(p) * np.sin(W[:n, :n]))


def projector(v: Any) -> Any:
    return v @ np.conj(v.T)


INVARIANT: list[tuple[str, Callable[[Any], Any], Any]] = [
    ("eigh", lambda a: weigh(projector(LA.eigh(a)[1][:, :1])), HC),
    ("eigh two", lambda a: weigh(projector(LA.eigh(a)[1][:, 1:])), HC),
    ("eigh rebuilt", lambda a: weigh(LA.eigh(a)[1] * np.exp(LA.eigh(a)[0]) @ np.conj(LA.eigh(a)[1].T)), HC),
    ("svd left", lambda a: weigh(projector(LA.svd(a)[0][:, :1])), C),
    ("svd tall full", lambda a: weigh(projector(LA.svd(a)[0][:, 2:])), general(4, 2, dtype=complex)),
    ("svd tall full real", lambda a: weigh(projector(LA.svd(a)[0][:, 1:])), TALL),
    ("svd wide full", lambda a: weigh(projector(np.conj(LA.svd(a)[2].T)[:, 1:])), general(2, 4, dtype=complex)),
    (
        "svd wide reduced",
        lambda a: weigh(projector(np.conj(LA.svd(a, False)[2].T)[:, :1])),
        general(2, 4, dtype=complex),
    ),
    ("qr complete", lambda a: weigh(projector(LA.qr(a, "complete")[0][:, 2:])), general(4, 2, dtype=complex)),
    ("qr complete real", lambda a: weigh(projector(LA.qr(a, mode="complete").Q[:, 2:])), TALL),
]


def rebuilt_svd(a: Any) -> Any:
    """U f(S) Vᴴ, in which phases of U and V cancel."""
    u, s, vh = LA.svd(a, full_matrices=False)
    return (u * np.sqrt(s)) @ vh


@pytest.mark.parametrize(("fun", "a"), [pytest.param(f, x, id=name) for name, f, x in INVARIANT])
def test_projectors(fun: Callable[..., Any], a: Any) -> None:
    check(fun, a)


@pytest.mark.parametrize("a", [A, C, general(3, 2, dtype=complex), WIDE], ids=["real", "complex", "tall", "wide"])
def test_singular_vectors_of_both_sides_move_together(a: Any) -> None:
    check(rebuilt_svd, a)


def test_vectors_of_complex_matrices_in_both_modes() -> None:
    """⟨u, Jt⟩ = ⟨Jᵀu, t⟩ for the vectors themselves, whatever their phase."""
    rng = np.random.default_rng(3)

    def noise(x: Any) -> Any:
        z = rng.normal(size=x.shape) + 1j * rng.normal(size=x.shape)
        return z if x.dtype.kind == "c" else z.real

    for f in (LA.eigh, LA.svd, LA.eig, lambda a: LA.qr(a, "complete"), lambda a: LA.svd(a, full_matrices=False)):
        for a in (C, general(4, 2, dtype=complex) if f not in (LA.eigh, LA.eig) else HC):
            t = noise(a)
            out, tangent = cv.jvp(two_outputs(f), (a,), (t,))
            ct = tuple(noise(x) for x in out)
            bar = cv.vjp(two_outputs(f), a)[1](ct)[0]
            left = sum(np.sum(u * d).real for u, d in zip(ct, tangent, strict=True))
            assert_allclose(left, np.sum(bar * t).real, rtol=1e-10)


def test_orthogonal_factors_stay_orthogonal() -> None:
    for f in (lambda a: LA.qr(a, "complete")[0], lambda a: LA.svd(a)[0], lambda a: LA.svd(a.T)[2].T):
        q, dq = cv.jvp(f, (TALL,), (general(4, 2, seed=9),))
        turn = q.T @ dq
        assert_allclose(turn, -turn.T, atol=1e-13)
        assert np.any(np.abs(turn) > 0.01)


# --- special points ---------------------------------------------------------------------------------------------------


def test_determinant_of_singular_matrices() -> None:
    """Rank n − 1: the gradient is the matrix of cofactors; rank n − 2: it is zero, and the second derivative is not."""
    rank_two = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    cofactors = np.array([[-3.0, 6.0, -3.0], [6.0, -12.0, 6.0], [-3.0, 6.0, -3.0]])
    assert_allclose(cv.grad(LA.det)(rank_two), cofactors, rtol=1e-12, atol=1e-12)
    rank_one = np.outer([1.0, 2.0, 3.0], [1.0, 0.0, 2.0])
    assert_allclose(cv.grad(LA.det)(rank_one), np.zeros((3, 3)), atol=1e-13)
    h = cv.hessian(LA.det)(rank_one)
    assert_allclose(h[0, 0, 1, 1], rank_one[2, 2], rtol=1e-12)
    assert_allclose(h[0, 0, 1, 2], -rank_one[2, 1], atol=1e-12)
    check(LA.det, np.zeros((2, 2)))
    check(LA.det, np.diag([1.0, 2.0, 0.0]))
    check(LA.det, np.stack([rank_two, np.eye(3)]))
    check(LA.det, np.array([[1.0, 1j], [1j, -1.0]]))
    assert_array_equal(cv.grad(LA.det)(np.zeros((3, 3))), np.zeros((3, 3)))


def test_third_derivative_of_the_determinant() -> None:
    check(LA.det, A, order=3)


@pytest.mark.parametrize("upper", [False, True])
def test_cholesky_reads_one_triangle(upper: bool) -> None:
    keep = np.triu if upper else np.tril
    junk = keep(H) + (np.tril if upper else np.triu)(np.full((3, 3), 50.0), -1 if upper else 1)
    fun = lambda a: np.sum(W[:3, :3] * LA.cholesky(a, upper=upper))
    for a in (H, junk):
        g = cv.grad(fun)(a)
        assert_array_equal(g, keep(g))
        assert_allclose(cv.jacfwd(fun)(a), g, rtol=1e-13, atol=1e-14)
    check(fun, junk)


def test_equal_eigenvalues_warn_with_the_gap_and_give_exact_projectors() -> None:
    q = LA.qr(general(4, 4))[0]
    a = q @ np.diag([1.0, 1.0, 3.0, 4.0]) @ q.T
    a = (a + a.T) / 2
    fun = lambda a: weigh(LA.eigh(a)[1][:, :2] @ LA.eigh(a)[1][:, :2].T)
    with pytest.warns(DegenerateWarning, match="gap"):
        g = cv.grad(fun)(a)
    t = hermitian(4, 4)
    slope = (fun(a + 1e-5 * t) - fun(a - 1e-5 * t)) / 2e-5
    assert_allclose(np.sum(g * t), slope, rtol=1e-7)


def test_eigenvalues_alone_never_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for f in (LA.eigvalsh, LA.eigvals, LA.svdvals, lambda a: LA.norm(a, 2), lambda a: LA.norm(a, "nuc")):
            cv.jvp(f, (np.eye(3),), (np.ones((3, 3)),))
            cv.grad(lambda a, f=f: np.sum(f(a)))(np.eye(3))
        assert_array_equal(cv.grad(lambda a: LA.eigh(a)[0].sum())(np.eye(3)), np.eye(3))


def test_pinv_and_lstsq_of_deficient_rank() -> None:
    """At constant rank: along directions that keep the rank, differences agree."""
    u, v = general(4, 2, seed=1), general(3, 2, seed=2)
    deficient = lambda u: u @ v.T
    check(lambda u: LA.pinv(deficient(u), rcond=1e-10), u, order=1, batched=False)
    b = general(4, seed=3)
    check(lambda u: LA.lstsq(deficient(u), b, rcond=1e-10)[0], u, order=1, batched=False)
    out = cv.vjp(lambda u: LA.lstsq(deficient(u), b, rcond=1e-10), u)[0]
    assert out[1].shape == (0,) and out[2] == 2


def test_matrix_rank_is_plain() -> None:
    seen = []

    def f(a: Any) -> Any:
        seen.append(
            (LA.matrix_rank(a), LA.matrix_rank(a, tol=1.5), LA.matrix_rank(a, hermitian=True), LA.matrix_rank(a[0]))
        )
        return LA.lstsq(a, np.ones(3))[2] * a.sum()

    a = np.diag([1.0, 2.0, 0.0])
    assert_array_equal(cv.grad(f)(a), np.full((3, 3), 2.0))
    assert seen[0] == (2, 1, 2, 1)
    assert_array_equal(cv.vmap(LA.matrix_rank)(np.stack([a, np.eye(3)])), [2, 3])


def test_slogdet_of_real_matrices_has_a_constant_sign() -> None:
    out, pull = cv.vjp(lambda a: LA.slogdet(a).sign * a[0, 0], -A)
    assert out == -A[0, 0] * LA.slogdet(-A).sign
    assert np.count_nonzero(pull(1.0)[0]) == 1


def test_power_zero_is_the_identity() -> None:
    out, pull = cv.vjp(lambda a: LA.matrix_power(a, 0) * a[0, 0], A)
    assert_same_as_numpy(out, np.eye(3) * A[0, 0])
    assert_array_equal(np.nonzero(pull(np.eye(3))[0]), [[0], [0]])


# --- results and errors -----------------------------------------------------------------------------------------------


def test_results_have_numpy_s_names() -> None:
    def f(a: Any) -> Any:
        assert type(LA.eigh(a)) is type(LA.eigh(A)) and type(LA.svd(a)) is type(LA.svd(A))
        assert type(LA.qr(a)) is type(LA.qr(A)) and type(LA.eig(a)) is type(LA.eig(A))
        assert type(LA.slogdet(a)) is type(LA.slogdet(A))
        return a.sum()

    cv.grad(f)(A)


def test_real_eigenvalues_come_out_real_as_in_numpy() -> None:
    assert cv.vjp(LA.eigvals, A)[0].dtype == LA.eigvals(A).dtype == float
    assert_allclose(cv.grad(lambda a: LA.eigvals(a).sum())(A), np.eye(3), atol=1e-12)
    assert cv.eval_shape(LA.eigvals, A).dtype == complex


def test_integers_are_promoted() -> None:
    x = np.array([1.0, 2.0])
    check(lambda x: LA.solve(np.array([[2, 1], [1, 3]]), x), x)
    seen = []
    cv.vmap(lambda a: seen.append((LA.inv(a).dtype, LA.norm(a).dtype)) or a)(np.array([[[2, 1], [1, 3]]]))
    assert seen == [(np.float64, np.float64)]


REFUSED: list[tuple[str, Callable[[Any], Any], type[Exception]]] = [
    ("solve singular", lambda a: LA.solve(a * 0, np.ones(3)), LA.LinAlgError),
    ("inv singular", lambda a: LA.inv(a * 0), LA.LinAlgError),
    ("inv not square", lambda a: LA.inv(a[:2]), LA.LinAlgError),
    ("det of a vector", lambda a: LA.det(a[0]), LA.LinAlgError),
    ("cholesky not positive", lambda a: LA.cholesky(-a), LA.LinAlgError),
    ("eigh triangle", lambda a: LA.eigh(a, "X"), ValueError),
    ("qr raw", lambda a: LA.qr(a, "raw"), cv.NotDifferentiableError),
    ("qr mode", lambda a: LA.qr(a, "other"), ValueError),
    ("norm order", lambda a: LA.norm(a, 3), ValueError),
    ("norm order name", lambda a: LA.norm(a[0], "fro"), ValueError),
    ("norm axes", lambda a: LA.norm(a, 2, axis=(0, 0)), ValueError),
    ("norm axis kind", lambda a: LA.norm(a, axis=1.5), TypeError),
    ("pinv both", lambda a: LA.pinv(a, 1e-3, rtol=1e-3), ValueError),
    ("rank both", lambda a: LA.matrix_rank(a, tol=1, rtol=1), ValueError),
    ("power", lambda a: LA.matrix_power(a, 1.5), TypeError),
    ("tensorinv", lambda a: LA.tensorinv(a, 0), ValueError),
    ("tensorsolve", lambda a: LA.tensorsolve(a[:2], np.ones(2)), LA.LinAlgError),
    ("lstsq lengths", lambda a: LA.lstsq(a, np.ones(2)), LA.LinAlgError),
]


@pytest.mark.parametrize(("name", "fun", "error"), REFUSED)
@pytest.mark.parametrize("transform", [cv.vjp, lambda f, x: cv.vmap(f)(np.stack([x, x]))], ids=["vjp", "vmap"])
def test_refused(name: str, fun: Callable[..., Any], error: type[Exception], transform: Any) -> None:
    with pytest.raises(error):
        transform(fun, A)


def test_lstsq_of_mixed_ranks_under_vmap_explains_itself() -> None:
    batch = np.stack([TALL, np.ones((4, 2))])
    with pytest.raises(cv.ConcretizationError, match=r"pinv"):
        cv.vmap(lambda a: LA.lstsq(a, np.ones(4))[0])(batch)
