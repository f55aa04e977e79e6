"""Linear algebra in compiled programs: calls of LAPACK in the place of calls of NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.scipy import linalg

DTYPES = [np.float64, np.float32, np.complex128, np.complex64]
MATRICES = [*[(n, np.float64) for n in (1, 2, 3, 4, 7, 150)], *[(n, d) for n in (3, 70) for d in DTYPES[1:]]]


def rng_for(*key: int) -> np.random.Generator:
    return np.random.default_rng(list(key))


def general(n: int, dtype: Any = float, stack: tuple[int, ...] = ()) -> Any:
    """Matrices that are well conditioned and need exchanges of rows."""
    rng = rng_for(n, len(stack))
    q = np.linalg.qr(rng.normal(size=(*stack, n, n)) + 1j * rng.normal(size=(*stack, n, n)) * is_complex(dtype))[0]
    r = np.triu(rng.normal(size=(*stack, n, n))) / np.sqrt(n) + 3 * np.eye(n)
    return (q @ r if is_complex(dtype) else np.real(q) @ r).astype(dtype)


def definite(n: int, dtype: Any = float, stack: tuple[int, ...] = ()) -> Any:
    a = general(n, dtype, stack)
    return (a @ np.conj(np.swapaxes(a, -1, -2)) + np.eye(n)).astype(dtype)


def sides(*shape: int, dtype: Any = float) -> Any:
    rng = rng_for(*shape)
    return (
        (rng.normal(size=shape) + 1j * rng.normal(size=shape) * is_complex(dtype)).astype(dtype)
        if is_complex(dtype)
        else rng.normal(size=shape).astype(dtype)
    )


def is_complex(dtype: Any) -> bool:
    return np.dtype(dtype).kind == "c"


def has_no_calls_of_numpy(function: Callable[..., Any], *args: Any) -> bool:
    return "call i64 %host" not in cv.jit(function).lower(*args).llvm


def agree(function: Callable[..., Any], *args: Any, native: bool = True) -> None:
    """The compiled function returns what the function returns, in the same dtypes, without calling NumPy."""
    want, got = cv.tree.leaves(function(*args)), cv.tree.leaves(cv.jit(function)(*args))
    if native:
        assert has_no_calls_of_numpy(function, *args)
    assert len(want) == len(got)
    for x, y in zip(got, want, strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert x.dtype == y.dtype and x.shape == y.shape
        if y.dtype.kind in "fc":
            size = float(np.max(np.abs(y), initial=0.0))
            # Other orders of rounding: errors are small beside the largest entry times the condition, at most 1e3.
            np.testing.assert_allclose(x, y, rtol=0, atol=2e4 * np.finfo(y.dtype).eps * size)
        else:
            np.testing.assert_array_equal(x, y)


def upper(a: Any) -> Any:
    return np.linalg.cholesky(a, upper=True)


def by_triangle(a: Any, b: Any) -> Any:
    parts = [linalg.solve_triangular(a, b, lower=lower, trans=t) for lower in (True, False) for t in "NTC"]
    return [*parts, linalg.solve_triangular(a, b, unit_diagonal=True)]


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "dtype"), MATRICES)
def test_matrices(n: int, dtype: Any) -> None:
    a, s = general(n, dtype), definite(n, dtype)
    agree(np.linalg.cholesky, s)
    agree(upper, s)
    agree(np.linalg.inv, a)
    agree(np.linalg.slogdet, a)
    agree(np.linalg.det, a / 2)
    for b in (sides(n, dtype=dtype), sides(n, 5, dtype=dtype)):
        agree(np.linalg.solve, a, b)
        agree(lambda a, b: np.linalg.solve(a.T, b), a, b)
        triangle = s / n + np.eye(n, dtype=dtype)
        agree(by_triangle, triangle, b)


@pytest.mark.parametrize("dtype", [np.float64, np.complex64])
@pytest.mark.parametrize("stacks", [((5,), (5,)), ((40,), ()), ((), (6,)), ((2, 1), (1, 3))])
@pytest.mark.parametrize("n", [2, 5])
def test_stacks(n: int, stacks: Any, dtype: Any) -> None:
    first, second = stacks
    a, s = general(n, dtype, first), definite(n, dtype, first)
    agree(lambda a, s: (np.linalg.inv(a), np.linalg.det(a), np.linalg.slogdet(a), np.linalg.cholesky(s)), a, s)
    for m in (1, 3):
        b = sides(*second, n, m, dtype=dtype)
        agree(lambda a, s, b: (np.linalg.solve(a, b), by_triangle(s, b)), a, s, b)


@pytest.mark.parametrize("mixed", [(float, complex), (complex, float), (np.float32, float), (int, np.float32)])
def test_dtypes_of_both_sides(mixed: tuple[Any, Any]) -> None:
    a = np.array([[2, 1, 0, 0, 0], [5, 1, 2, 0, 1], [0, 1, 4, 1, 1], [1, 0, 0, 3, 0], [0, 0, 1, 0, 1]]).astype(mixed[0])
    agree(np.linalg.solve, a, sides(5, 2, dtype=mixed[1]))
    agree(np.linalg.solve, a[:2, :2], sides(2, 2, dtype=mixed[1]))


@pytest.mark.parametrize("shape", [(0, 0), (3, 0, 0)])
def test_empty_matrices(shape: tuple[int, ...]) -> None:
    a = np.zeros(shape)
    for function in (np.linalg.cholesky, np.linalg.inv, np.linalg.det, np.linalg.slogdet):
        agree(function, a, native=False)
    agree(np.linalg.solve, a, np.zeros((0, 2)), native=False)


def test_one_triangle_is_read() -> None:
    for n in (2, 3, 6):
        s = definite(n)
        agree(np.linalg.cholesky, np.tril(s) + np.triu(np.full((n, n), np.nan), 1))
        agree(upper, np.triu(s) + np.tril(np.full((n, n), np.nan), -1))


def test_arguments_are_not_changed_and_layouts_do_not_matter() -> None:
    a, b = general(6), sides(6, 3)
    kept = a.copy(), b.copy()
    for x in (a, np.asfortranarray(a), np.repeat(a, 2, axis=0)[::2]):
        cv.jit(lambda a, b: (np.linalg.solve(a, b), np.linalg.inv(a), np.linalg.cholesky(a @ a.T)))(x, b)
        np.testing.assert_array_equal(x, kept[0])
    np.testing.assert_array_equal(b, kept[1])


def test_constant_matrices() -> None:
    a, s = general(6), definite(6)
    agree(lambda b: (np.linalg.solve(a, b), np.linalg.solve(a.T, b), np.linalg.cholesky(s) * b[0, 0]), sides(6, 2))


def test_factors_are_shared() -> None:
    """A matrix is factorized once, for equations with it and its transpose, inverse and determinant."""

    def f(a: Any, b: Any) -> Any:
        out = np.linalg.solve(a, b), np.linalg.solve(a.T, b), np.linalg.inv(a), np.linalg.slogdet(a)
        return out, np.linalg.inv(a.T), np.linalg.det(a)

    a, b = general(8), sides(8, 2)
    agree(f, a, b)
    assert cv.jit(f).lower(a, b).llvm.count("call void @cv_dgetrf") == 1


def test_cholesky_factors_are_solved_with_as_triangles() -> None:
    def f(a: Any, b: Any) -> Any:
        low = np.linalg.cholesky(a)
        return np.linalg.solve(low.T, np.linalg.solve(low, b))

    a, b = definite(8), sides(8, 2)
    agree(f, a, b)
    assert "getrf" not in cv.jit(f).lower(a, b).llvm
    agree(f, definite(8, complex), sides(8, 2, dtype=complex))
    agree(
        lambda a, b: np.linalg.solve(np.conj(np.linalg.cholesky(a).T), b), definite(8, complex), sides(8, dtype=complex)
    )


def test_inside_of_loops() -> None:
    def f(a: Any, b: Any) -> Any:
        for _ in range(60):
            b = np.linalg.solve(a, np.tanh(b))
        return b, np.linalg.cholesky(a @ a.T)

    agree(f, general(5), sides(5))


# --- errors -----------------------------------------------------------------------------------------------------------


def same_error(function: Callable[..., Any], *args: Any) -> None:
    with pytest.raises(np.linalg.LinAlgError) as want:
        function(*args)
    compiled = cv.jit(function)
    for _ in range(2):
        with pytest.raises(np.linalg.LinAlgError) as got:
            compiled(*args)
        assert str(got.value) == str(want.value)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_singular_matrices(n: int, dtype: Any) -> None:
    a = general(n, dtype)
    a[:, 0] = 0
    stack = np.stack([general(n, dtype), a])
    for x in (a, stack):
        same_error(np.linalg.inv, x)
        same_error(lambda a: np.linalg.solve(a, sides(n, 2, dtype=dtype)), x)
        same_error(lambda a: np.linalg.cholesky(a), -x)
        agree(np.linalg.det, x)
        agree(np.linalg.slogdet, stack[:1])
    same_error(lambda a: linalg.solve_triangular(a, sides(n, dtype=dtype), lower=True), a)


@pytest.mark.filterwarnings("ignore:divide by zero")
def test_logarithm_of_a_zero_determinant() -> None:
    for n in (2, 3, 5):
        a = general(n)
        a[-1] = 0
        sign, log = cv.jit(np.linalg.slogdet)(a)
        assert sign == 0 and log == -np.inf


def test_zero_on_the_diagonal_is_named() -> None:
    a = general(6) + 5 * np.eye(6)
    a[4, 4] = a[2, 2] = 0
    same_error(lambda a: linalg.solve_triangular(a, sides(6)), a)
    same_error(lambda a: linalg.solve_triangular(a, sides(6, 2), lower=True), np.asarray(a, complex))


def test_a_program_works_after_an_error() -> None:
    f = cv.jit(np.linalg.cholesky)
    s = definite(5)
    f(s)
    with pytest.raises(np.linalg.LinAlgError, match="Matrix is not positive definite"):
        f(-s)
    np.testing.assert_allclose(f(s), np.linalg.cholesky(s), rtol=1e-12, atol=1e-14)


# --- transforms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 5, 150])
def test_gradients(n: int) -> None:
    a, s, b = general(n), definite(n), sides(n, 2)
    agree(cv.grad(lambda a: np.sum(np.linalg.solve(a, b) ** 2)), a)
    agree(cv.grad(lambda a: np.sum(np.linalg.inv(a) * a)), a)
    agree(cv.grad(lambda a: np.linalg.slogdet(a)[1]), a)
    agree(cv.grad(lambda a: np.sum(np.sin(np.linalg.cholesky(a)))), s)
    agree(lambda a, t: cv.jvp(np.linalg.cholesky, (a,), (t,)), s, sides(n, n))
    agree(lambda a: cv.jvp(cv.grad(lambda a: np.sum(np.sin(np.linalg.cholesky(a)))), (a,), (a,)), s)


@pytest.mark.parametrize("dtype", [np.float64, np.complex64])
def test_vmap(dtype: Any) -> None:
    for n in (2, 3, 6):
        a, b = general(n, dtype, (4,)), sides(4, n, dtype=dtype)
        agree(cv.vmap(np.linalg.solve), a, b)
        agree(cv.vmap(np.linalg.solve, in_axes=(None, 0)), a[0], b)
        agree(cv.vmap(np.linalg.solve, in_axes=(0, None)), a, b[0])
        agree(cv.vmap(lambda a: np.linalg.cholesky(a @ np.conj(a.T))), a)


@pytest.mark.parametrize("n", [64, 65, 150])
@pytest.mark.parametrize("dtype", [float, np.float32, complex])
def test_derivative_of_cholesky_is_that_of_the_formula(n: int, dtype: Any) -> None:
    """Blocks make no difference: against L Φ(L⁻¹ dA L⁻ᴴ) on whole matrices, in both modes."""
    s, t, ct = definite(n, dtype) / n + np.eye(n), sides(n, n, dtype=dtype), sides(n, n, dtype=dtype)
    s = s.astype(dtype)
    low = np.linalg.cholesky(s)
    below = np.tril(t, -1)
    change = below + np.conj(below.T) + np.diag(np.diagonal(t).real)
    inner = np.linalg.solve(low, np.conj(np.linalg.solve(low, change).T))
    want = low @ (np.tril(inner, -1) + np.diag(np.diagonal(inner)) / 2)
    for wrap in (lambda f: f, cv.jit):
        got = wrap(lambda s, t: cv.jvp(np.linalg.cholesky, (s,), (t,))[1])(s, t)
        back = wrap(lambda s, ct: cv.vjp(np.linalg.cholesky, s)[1](ct)[0])(s, ct)
        tolerance = 2e3 * float(np.finfo(np.dtype(dtype)).eps)
        np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * np.abs(want).max())
        assert not np.triu(back, 1).any()
        one, two = np.sum(ct * want).real, np.sum(back * t).real
        assert abs(one - two) <= tolerance * np.abs(ct * want).sum()


# --- products ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [16, 17, 70])
def test_products_of_complex_numbers(n: int) -> None:
    x = np.exp(1j * sides(n))
    agree(np.prod, x, native=n <= 16)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(20, 7), (300, 200), (1000, 17)])
def test_vectors_times_matrices(shape: tuple[int, int], dtype: Any) -> None:
    a, x, y = sides(*shape, dtype=dtype), sides(shape[0], dtype=dtype), sides(shape[1], dtype=dtype)
    agree(lambda a, x, y: (x @ a, a @ y, a.T @ x, y[None] @ a.T, a.T @ x[:, None]), a, x, y)
