"""`linear_solve`: every method, both modes, batched and compiled, against NumPy's dense solver."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg

import covector

RNG = np.random.default_rng(0)
N = 12
GENERAL = RNG.normal(size=(N, N)) + 5 * np.eye(N)
DEFINITE = GENERAL @ GENERAL.T
B = RNG.normal(size=N)

METHODS = [(None, False), ("dense", False), ("gmres", False), ("bicgstab", False), (None, True), ("cg", True)]
TOL = {"rtol": 1e-7, "atol": 1e-9}


def matrix(symmetric: bool) -> Any:
    return DEFINITE if symmetric else GENERAL


def ours(solve: Any, symmetric: bool) -> Callable[[Any, Any], Any]:
    return lambda a, b: covector.linear_solve(lambda x: a @ x, b, solve=solve, symmetric=symmetric)


def close(got: Any, want: Any) -> None:
    gots, wants = covector.tree.leaves(got), covector.tree.leaves(want)
    assert len(gots) == len(wants)
    for g, w in zip(gots, wants, strict=True):
        np.testing.assert_allclose(g, w, **TOL)


def scalar(solution: Callable[[Any, Any], Any], symmetric: bool) -> Callable[..., Any]:
    """A function of a few numbers that the matrix depends on in a way that keeps its symmetry."""

    def of(p: Any) -> Any:
        a = matrix(symmetric) * p[0] + np.eye(N) * np.exp(p[1])
        return np.sum(np.sin(solution(a, B * p[2])))

    return of


P = np.array([1.0, 0.3, 0.7])


@pytest.mark.parametrize(("solve", "symmetric"), METHODS)
class TestMethods:
    def test_the_solution(self, solve: Any, symmetric: bool) -> None:
        a = matrix(symmetric)
        close(ours(solve, symmetric)(a, B), np.linalg.solve(a, B))

    def test_both_modes(self, solve: Any, symmetric: bool) -> None:
        f, reference = scalar(ours(solve, symmetric), symmetric), scalar(np.linalg.solve, symmetric)
        close(covector.jacrev(f)(P), covector.grad(reference)(P))
        close(covector.jacfwd(f)(P), covector.grad(reference)(P))

    @pytest.mark.parametrize("outer", [covector.jacfwd, covector.jacrev])
    @pytest.mark.parametrize("inner", [covector.jacfwd, covector.jacrev])
    def test_second_order(self, outer: Any, inner: Any, solve: Any, symmetric: bool) -> None:
        f, reference = scalar(ours(solve, symmetric), symmetric), scalar(np.linalg.solve, symmetric)
        close(outer(inner(f))(P), covector.hessian(reference)(P))

    def test_batched(self, solve: Any, symmetric: bool) -> None:
        f, reference = scalar(ours(solve, symmetric), symmetric), scalar(np.linalg.solve, symmetric)
        ps = np.stack([P, 2 * P, P + 1])
        close(covector.vmap(f)(ps), np.stack([reference(p) for p in ps]))
        close(covector.vmap(covector.grad(f))(ps), np.stack([covector.grad(reference)(p) for p in ps]))
        total = covector.grad(lambda ps: np.sum(covector.vmap(f)(ps)))(ps)
        close(total, np.stack([covector.grad(reference)(p) for p in ps]))

    def test_compiled(self, solve: Any, symmetric: bool) -> None:
        f, reference = scalar(ours(solve, symmetric), symmetric), scalar(np.linalg.solve, symmetric)
        close(covector.jit(f)(P), reference(P))
        close(covector.jit(covector.grad(f))(P), covector.grad(reference)(P))
        close(covector.grad(covector.jit(f))(P), covector.grad(reference)(P))
        close(covector.jit(covector.vmap(f))(np.stack([P, 2 * P])), np.stack([reference(P), reference(2 * P)]))

    def test_modes_are_transposes_of_each_other(self, solve: Any, symmetric: bool) -> None:
        a, f = matrix(symmetric), ours(solve, symmetric)
        ta, tb, ct = np.eye(N) + 0.1 * DEFINITE, RNG.normal(size=N), RNG.normal(size=N)
        _, t = covector.jvp(f, (a, B), (ta, tb))
        _, pull = covector.vjp(f, a, B)
        ca, cb = pull(ct)
        np.testing.assert_allclose(np.vdot(ct, t), np.vdot(ca, ta) + np.vdot(cb, tb), rtol=1e-7)


def test_the_derivative_with_respect_to_b_alone_is_linear() -> None:
    _, push = covector.linearize(lambda b: ours(None, False)(GENERAL, b), B)
    close(push(B), np.linalg.solve(GENERAL, B))
    (ct,) = covector.linear_transpose(lambda b: ours(None, False)(GENERAL, b), B)(B)
    close(ct, np.linalg.solve(GENERAL.T, B))


@pytest.mark.parametrize("solve", ["gmres", "bicgstab"])
def test_systems_larger_than_the_basis_are_restarted(solve: str) -> None:
    n = 400
    diagonal = np.linspace(1.0, 3.0, n)

    def chain(k: Any, x: Any) -> Any:
        return (diagonal + k) * x + 0.5 * np.append(x[1:], 0.0) - 0.2 * np.append(0.0, x[:-1])

    f = lambda k: covector.linear_solve(lambda x: chain(k, x), np.ones(n), solve=solve)
    dense = np.stack([chain(1.0, e) for e in np.eye(n)], axis=1)
    x = np.linalg.solve(dense, np.ones(n))
    close(f(1.0), x)
    close(covector.jacfwd(f)(1.0), -np.linalg.solve(dense, x))
    close(covector.grad(lambda k: np.sum(f(k)))(1.0), -np.sum(np.linalg.solve(dense, x)))
    close(covector.jit(f)(1.0), x)


def test_gmres_needs_several_cycles_and_says_how_far_it_came() -> None:
    d = np.linspace(1.0, 400.0, 200)
    f = lambda maxiter: covector.linear_solve(lambda x: d * x, np.ones(200), solve="gmres", maxiter=maxiter)
    close(f(None), 1 / d)
    with pytest.raises(np.linalg.LinAlgError, match=r"linear_solve: gmres ended with a residual .* maxiter=40"):
        f(40)


def test_conjugate_gradients_are_finished_after_as_many_steps_as_there_are_eigenvalues() -> None:
    d = np.repeat([1.0, 10.0, 50.0], 40)
    close(covector.linear_solve(lambda x: d * x, np.ones(120), symmetric=True, maxiter=3), 1 / d)


def test_a_preconditioner_and_a_guess_change_the_work_and_not_the_result() -> None:
    d = np.arange(1.0, 301.0)

    def f(a: Any, **options: Any) -> Any:
        return np.sum(covector.linear_solve(lambda x: a * d * x, np.ones(300), **options))

    inverse = {"M": lambda r: r / d, "maxiter": 2}
    want = np.sum(1 / d)
    for options in ({**inverse, "symmetric": True}, inverse, {**inverse, "solve": "bicgstab"}):
        close(f(2.0, **options), want / 2)
        close(covector.grad(f)(2.0, **options), -want / 4)
        close(covector.jvp(lambda a, o=options: f(a, **o), (2.0,), (1.0,))[1], -want / 4)
        close(covector.jit(covector.grad(lambda a, o=options: f(a, **o)))(2.0), -want / 4)
    close(f(2.0, x0=0.5 / d, maxiter=0), want / 2)
    with pytest.raises(np.linalg.LinAlgError):
        f(2.0, maxiter=2)


def test_the_preconditioner_is_transposed_for_the_transposed_system() -> None:
    inverse = np.linalg.inv(GENERAL)

    def f(a: Any) -> Any:
        return np.sum(covector.linear_solve(lambda x: a @ x, B, M=lambda r: inverse @ r, maxiter=2) ** 2)

    close(covector.grad(f)(GENERAL), covector.grad(lambda a: np.sum(np.linalg.solve(a, B) ** 2))(GENERAL))


def test_neither_the_guess_nor_the_preconditioner_has_a_derivative() -> None:
    f = lambda s: covector.linear_solve(lambda x: GENERAL @ x, B, x0=s * B, M=lambda r: s * r)
    close(covector.jacfwd(f)(0.5), np.zeros(N))
    close(covector.jacrev(f)(0.5), np.zeros(N))


# --- trees, dtypes ----------------------------------------------------------------------------------------------------


def test_trees() -> None:
    def f(k: Any) -> Any:
        def matvec(x: Any) -> Any:
            return {"u": 2.0 * x["u"] + k * x["v"].sum(), "v": x["v"] * 3.0 - k * x["u"][:2]}

        return covector.linear_solve(matvec, {"u": np.array([1.0, 2.0, 3.0]), "v": np.array([4.0, 5.0])})

    x = f(0.5)
    close(2.0 * x["u"] + 0.5 * x["v"].sum(), np.array([1.0, 2.0, 3.0]))
    step = 1e-6
    forward = covector.jacfwd(f)(0.5)
    assert list(forward) == ["u", "v"]
    for name in forward:
        np.testing.assert_allclose(forward[name], (f(0.5 + step)[name] - f(0.5 - step)[name]) / (2 * step), rtol=1e-6)
    close(covector.jacrev(f)(0.5), forward)


@pytest.mark.parametrize(("solve", "symmetric"), METHODS)
def test_complex(solve: Any, symmetric: bool) -> None:
    a = GENERAL + 1j * RNG.normal(size=(N, N))
    a = a @ a.conj().T if symmetric else a
    f = lambda b: ours(solve, symmetric)(a, b)
    b = B + 1j * B[::-1]
    close(f(b), np.linalg.solve(a, b))
    inverse = np.linalg.inv(a)
    close(covector.jacrev(f, holomorphic=True)(b), inverse)
    close(covector.jacfwd(f, holomorphic=True)(b), inverse)


def test_a_map_that_is_linear_over_the_real_numbers_only() -> None:
    f = lambda c: covector.linear_solve(lambda z: 3.0 * z + c * np.conj(z), np.array([1.0 + 2.0j]))
    z = f(1.0)
    close(3.0 * z + np.conj(z), np.array([1.0 + 2.0j]))
    # 3z + c z̄ = b, so that dz solves 3 dz + c dz̄ = -z̄ dc.
    close(covector.jacfwd(f)(1.0), covector.linear_solve(lambda z: 3.0 * z + np.conj(z), -np.conj(z)))
    total = lambda c: np.real(f(c)).sum()
    close(covector.grad(total)(1.0), covector.jacfwd(total)(1.0))


def test_single_precision_stays() -> None:
    a, b = GENERAL.astype(np.float32), B.astype(np.float32)
    for solve in (None, "gmres", "bicgstab"):
        f = ours(solve, False)
        assert f(a, b).dtype == np.float32
        assert covector.vjp(f, a, b)[1](b)[0].dtype == np.float32
        np.testing.assert_allclose(f(a, b), np.linalg.solve(a, b), rtol=1e-3, atol=1e-4)


def test_a_right_hand_side_is_promoted_to_what_the_map_returns() -> None:
    for b in (np.arange(1, 3), np.arange(1.0, 3.0), np.arange(1, 3, dtype=np.float32)):
        f = lambda c, b=b: covector.linear_solve(lambda x: c * x, b)
        assert f(np.complex128(2j)).dtype == complex
        close(f(np.complex128(2j)), np.arange(1, 3) / 2j)
        close(covector.jacfwd(f, holomorphic=True)(2j), np.arange(1, 3) / 4)


def test_numbers_and_nothing() -> None:
    close(covector.grad(lambda a: covector.linear_solve(lambda x: a * x, 3.0))(2.0), -0.75)
    for solve in ("dense", "gmres", "bicgstab"):
        for b in (3.0, 3.0 + 1j, np.float32(3.0)):
            found = covector.linear_solve(lambda x: 2 * x, b, solve=solve)
            assert isinstance(found, np.generic)
            np.testing.assert_allclose(found, b / 2, rtol=1e-5)
    assert covector.linear_solve(lambda x: x, np.zeros(0)).shape == (0,)
    assert covector.jacrev(lambda b: covector.linear_solve(lambda x: 2 * x, b))(np.zeros(0)).shape == (0, 0)
    close(covector.linear_solve(lambda x: 2 * x, np.zeros(3), solve="gmres"), np.zeros(3))


# --- solvers of the user's --------------------------------------------------------------------------------------------


def by_cholesky(a: Any, b: Any) -> Any:
    factor = np.linalg.cholesky(a)

    def solve(_: Any, b: Any) -> Any:
        return np.linalg.solve(factor.T, np.linalg.solve(factor, b))

    return covector.linear_solve(lambda x: a @ x, b, solve=solve, symmetric=True)


def by_inverse(a: Any, b: Any) -> Any:
    inverse = np.linalg.inv(a)
    return covector.linear_solve(
        lambda x: a @ x, b, solve=lambda _, b: inverse @ b, transpose_solve=lambda _, b: inverse.T @ b
    )


def by_scipy(a: Any, b: Any) -> Any:
    def solve(matvec: Any, b: Any) -> Any:
        operator = scipy.sparse.linalg.LinearOperator((N, N), matvec, dtype=float)
        return scipy.sparse.linalg.gmres(operator, b, rtol=1e-13)[0]

    return covector.linear_solve(lambda x: a @ x, b, solve=solve, transpose_solve=solve)


@pytest.mark.parametrize("solution", [by_cholesky, by_inverse, by_scipy])
class TestGivenSolvers:
    def test_derivatives(self, solution: Any) -> None:
        f, reference = scalar(solution, True), scalar(np.linalg.solve, True)
        close(f(P), reference(P))
        close(covector.grad(f)(P), covector.grad(reference)(P))
        close(covector.jacfwd(f)(P), covector.grad(reference)(P))
        close(covector.hessian(f)(P), covector.hessian(reference)(P))

    def test_batched(self, solution: Any) -> None:
        f, reference = scalar(solution, True), scalar(np.linalg.solve, True)
        ps = np.stack([P, 2 * P])
        close(covector.vmap(covector.grad(f))(ps), np.stack([covector.grad(reference)(p) for p in ps]))
        assert covector.vmap(f)(ps[:0]).shape == (0,)

    def test_compiled(self, solution: Any) -> None:
        f, reference = scalar(solution, True), scalar(np.linalg.solve, True)
        close(covector.jit(f)(P), reference(P))
        close(covector.jit(covector.grad(f))(P), covector.grad(reference)(P))

    def test_a_pullback_outlives_its_transform(self, solution: Any) -> None:
        _, pull = covector.vjp(solution, DEFINITE, B)
        close(pull(B)[1], np.linalg.solve(DEFINITE, B))
        if solution is not by_scipy:  # a local function, which cannot be pickled
            close(pickle.loads(pickle.dumps(pull))(B)[1], np.linalg.solve(DEFINITE, B))


def test_a_sparse_matrix_outside_of_transforms() -> None:
    sparse = scipy.sparse.csr_matrix(GENERAL)
    close(covector.linear_solve(lambda x: sparse @ x, B), np.linalg.solve(GENERAL, B))


def test_inside_of_a_loop() -> None:
    def f(k: Any) -> Any:
        def step(c: Any, w: Any) -> Any:
            c = covector.linear_solve(lambda x: k * w * x + np.roll(x, 1), c)
            return c, np.sum(c)

        return np.sum(covector.scan(step, np.ones(3), np.arange(2.0, 5.0))[1])

    want = (f(2.0 + 1e-6) - f(2.0 - 1e-6)) / 2e-6
    np.testing.assert_allclose(covector.grad(f)(2.0), want, rtol=1e-6)
    np.testing.assert_allclose(covector.jit(covector.grad(f))(2.0), want, rtol=1e-6)


# --- errors -----------------------------------------------------------------------------------------------------------


def test_singular_systems() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="linear_solve: the matrix is singular"):
        covector.linear_solve(lambda x: 0.0 * x, np.ones(3))
    d = np.array([1.0, 0.0, 2.0])
    for solve in ("gmres", "bicgstab"):
        with pytest.raises(np.linalg.LinAlgError, match=f"linear_solve: {solve} ended"):
            covector.linear_solve(lambda x: d * x, np.ones(3), solve=solve)
    indefinite = np.array([1.0, -1.0, 3.0, -3.0])
    with pytest.raises(np.linalg.LinAlgError, match="symmetric=False if the matrix is not"):
        covector.linear_solve(lambda x: indefinite * x, np.ones(4), solve="cg", symmetric=True)


def test_what_does_not_arrive_is_nan_where_nobody_can_be_told() -> None:
    d = np.arange(1.0, 101.0)
    f = lambda s, maxiter: covector.linear_solve(lambda x: 1.0 + s * d * x - 1.0, d, solve="gmres", maxiter=maxiter)
    g = lambda s: covector.linear_solve(lambda x: x + s * (d - 1.0) * x, d, solve="gmres", maxiter=5)
    with pytest.raises(np.linalg.LinAlgError):
        f(1.0, 5)
    assert np.isnan(covector.jit(lambda s: f(s, 5))(1.0)).all()
    lanes = covector.vmap(g)(np.array([0.0, 1.0]))
    close(lanes[0], d)
    assert np.isnan(lanes[1]).all()


def test_nan_in_is_nan_out() -> None:
    b = np.array([1.0, np.nan, 2.0])
    assert np.isnan(covector.linear_solve(lambda x: 2 * x, b, solve="gmres")).all()


def test_maps_that_are_not_linear() -> None:
    f = lambda b: covector.linear_solve(lambda x: x * x, b, solve="dense")
    with pytest.raises(covector.NotDifferentiableError, match="linear_solve: the map has to be linear"):
        covector.vjp(f, np.ones(2))[1](np.ones(2))


def test_a_solver_without_a_transpose() -> None:
    f = lambda b: covector.linear_solve(lambda x: GENERAL @ x, b, solve=lambda _, b: np.linalg.solve(GENERAL, b))
    close(covector.jvp(f, (B,), (B,))[1], np.linalg.solve(GENERAL, B))
    with pytest.raises(covector.NotDifferentiableError, match=r"give transpose_solve=, or symmetric=True"):
        covector.vjp(f, B)[1](B)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: covector.linear_solve(GENERAL, B), TypeError, r"for an array A, lambda x: A @ x"),
        (lambda: covector.linear_solve(lambda x: x[:2], B), TypeError, r"matvec .*<lambda> returned is float64\[2\]"),
        (lambda: covector.linear_solve(lambda x: (x, x), B), TypeError, "matvec .* has the structure"),
        (lambda: covector.linear_solve(lambda x: x, B, solve="lu"), ValueError, "one of dense, cg, gmres, bicgstab"),
        (lambda: covector.linear_solve(lambda x: x, B, solve="cg"), ValueError, "say so by symmetric=True"),
        (lambda: covector.linear_solve(lambda x: x, B, x0=B[:2]), TypeError, r"x0 is float64\[2\], expected float64"),
        (lambda: covector.linear_solve(lambda x: x, B, solve="dense", x0=B), TypeError, "does not iterate"),
        (lambda: covector.linear_solve(lambda x: x, B, maxiter=-1), ValueError, "0 or more, got -1"),
        (lambda: covector.linear_solve(lambda x: x, B, M=GENERAL), TypeError, "M must be a function"),
        (lambda: covector.linear_solve(lambda x: x, B, transpose_solve=min), TypeError, "goes with a solve of your"),
        (lambda: covector.linear_solve(lambda x: x, B, solve=lambda f, b: b[:2]), TypeError, r"is float64\[2\], exp"),
        (lambda: covector.linear_solve(lambda x: x, B, solve=lambda f, b: b, tol=1.0), TypeError, "not for your own"),
        (lambda: covector.linear_solve(lambda x: x, "b"), TypeError, "linear_solve: b"),
    ],
)
def test_messages(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_messages_under_transforms() -> None:
    with pytest.raises(TypeError, match=r"linear_solve: matvec .* returns shape \(2,\) at \['u'\] for \(3,\)"):
        covector.vjp(lambda b: covector.linear_solve(lambda x: {"u": x["u"][:2]}, {"u": b}), np.ones(3))
    with pytest.raises(TypeError, match="linear_solve: matvec .* returns the structure"):
        covector.vjp(lambda b: covector.linear_solve(lambda x: (x, x), b), np.ones(3))
