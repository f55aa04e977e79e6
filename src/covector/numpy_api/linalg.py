"""``np.linalg``: equations, inverses, determinants and factorizations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.errors import ConcretizationError, NotDifferentiableError, caller
from ..core.values import dtype_of, shape_of
from ..ops.cholesky import cholesky_p
from ..ops.complex_parts import astype
from ..ops.decompositions import qr_p, svd_p, svdvals_p
from ..ops.eigenvalues import eig_p, eigh_p, eigvals_p, eigvalsh_p
from ..ops.least_squares import lstsq_p, pinv_p
from ..ops.linalg import det_p, inv_p, mH, real_dtype, slogdet_p, solve_p
from .axes import is_default
from .norms import matrix_rank
from .plain import decided
from .register import implements
from .structural import as_array

__all__ = ["det", "inv", "solve"]

# The named tuples that NumPy returns.
_EighResult = type(np.linalg.eigh(np.eye(1)))
_EigResult = type(np.linalg.eig(np.eye(1)))
_SVDResult = type(np.linalg.svd(np.eye(1)))
_QRResult = type(np.linalg.qr(np.eye(1)))
_SlogdetResult = type(np.linalg.slogdet(np.eye(1)))


def _matrices(x: Any, function: str, square: bool = False) -> Any:
    """Return `x` as a stack of matrices of real or complex numbers."""
    x = as_array(x, f"np.linalg.{function}")
    shape = shape_of(x)
    if len(shape) < 2:
        raise np.linalg.LinAlgError(
            f"np.linalg.{function}: {len(shape)}-dimensional array given. Array must be at least two-dimensional"
        )
    if square and shape[-1] != shape[-2]:
        raise np.linalg.LinAlgError(f"np.linalg.{function}: the last two axes must be square, got shape {shape}")
    return x if dtype_of(x).kind in "fc" else astype(x, np.dtype(float))


# --- equations --------------------------------------------------------------------------------------------------------


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Any:
    a = _matrices(a, "solve", square=True)
    b = as_array(b, "np.linalg.solve")
    if len(shape_of(b)) == 1:
        return solve_p(a, b.reshape((*b.shape, 1))).reshape(a.shape[:-1])
    return solve_p(a, _matrices(b, "solve"))


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    a, b = as_array(a, "np.linalg.tensorsolve"), as_array(b, "np.linalg.tensorsolve")
    if axes is not None:
        order = list(range(a.ndim))
        for k in axes:
            order.remove(k)
            order.insert(a.ndim, k)
        a = np.transpose(a, order)
    shape = a.shape[-(a.ndim - b.ndim) :] if a.ndim > b.ndim else a.shape
    n = math.prod(shape)
    if a.size != n**2:
        raise np.linalg.LinAlgError(
            "Input arrays must satisfy the requirement prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])"
        )
    return solve(a.reshape((n, n)), b.reshape((b.size,))).reshape(shape)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    a = _matrices(a, "lstsq")
    b = as_array(b, "np.linalg.lstsq")
    right = b.reshape((*b.shape, 1)) if b.ndim == 1 else b
    if a.ndim != 2 or right.ndim != 2:
        raise np.linalg.LinAlgError(f"np.linalg.lstsq: a must have two axes and b one or two, got {a.shape}, {b.shape}")
    m, n = a.shape
    if right.shape[0] != m:
        raise np.linalg.LinAlgError("Incompatible dimensions")
    common = np.result_type(dtype_of(a), dtype_of(b))
    a, right = astype(a, common), astype(right, common)
    eps = np.finfo(common).eps
    rcond = eps * max(m, n) if rcond is None else eps if rcond < 0 else rcond
    x = lstsq_p(a, right, rcond)
    rank = matrix_rank(a, rtol=rcond).astype(np.intc)
    if m > n and _is_full(rank, n):
        left_over = right - a @ x
        squares = np.square(np.real(left_over))
        if dtype_of(left_over).kind == "c":
            squares = squares + np.square(np.imag(left_over))
        residuals = squares.sum(axis=0)
    else:
        residuals = np.empty(0, real_dtype(dtype_of(x)))
    return (x.reshape((n,)) if b.ndim == 1 else x), residuals, rank, svdvals_p(a)


def _is_full(rank: Any, n: int) -> bool:
    """Whether the rank is n, which decides the shape of the residuals; taken for granted where values are unknown."""
    full = decided(rank, lambda r: np.equal(r, n))
    if full is None:
        return True
    if np.all(full) or not np.any(full):
        return bool(np.all(full))
    raise ConcretizationError(
        f"np.linalg.lstsq at {caller()} meets matrices of full and of deficient rank in one vmap, whose residuals "
        f"differ in shape; use np.linalg.pinv(a) @ b"
    )


# --- inverses and determinants ----------------------------------------------------------------------------------------


@implements(np.linalg.inv)
def inv(a: Any) -> Any:
    return inv_p(_matrices(a, "inv", square=True))


@implements(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    a = as_array(a, "np.linalg.tensorinv")
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    n = math.prod(a.shape[ind:])
    return inv(a.reshape((a.size // n if n else 0, n))).reshape(a.shape[ind:] + a.shape[:ind])


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Any:
    a = _matrices(a, "pinv")
    if rcond is not None and not is_default(rtol):
        raise ValueError("`rtol` and `rcond` can't be both set.")
    if rcond is None:
        rcond = 1e-15 if rtol is np._NoValue else rtol
    if rcond is None:
        rcond = max(a.shape[-2:]) * np.finfo(dtype_of(a)).eps
    if 0 in a.shape:
        return np.empty((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)
    return pinv_p(_from_lower(a) if hermitian else a, rcond)


def _from_lower(a: Any) -> Any:
    """The Hermitian matrix whose lower triangle is that of `a`."""
    strict = np.tril(a, -1)
    return strict + mH(strict) + np.real(a) * np.eye(a.shape[-1], dtype=real_dtype(dtype_of(a)))


@implements(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    a = _matrices(a, "matrix_power", square=True)
    try:
        n = int(np.asarray(n).__index__())
    except TypeError as error:
        raise TypeError("exponent must be an integer") from error
    if n == 0:
        return np.broadcast_to(np.eye(a.shape[-1], dtype=dtype_of(a)), a.shape).copy()
    if n < 0:
        a, n = inv(a), -n
    result = None
    while True:
        n, odd = divmod(n, 2)
        if odd:
            result = a if result is None else result @ a
        if not n:
            return result
        a = a @ a


@implements(np.linalg.det)
def det(a: Any) -> Any:
    return det_p(_matrices(a, "det", square=True))


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    return _SlogdetResult(*slogdet_p(_matrices(a, "slogdet", square=True)))


# --- factorizations ---------------------------------------------------------------------------------------------------


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    a = _matrices(a, "cholesky", square=True)
    # The upper factor of what stands in the upper triangle is the adjoint of the lower factor of the adjoint.
    return mH(cholesky_p(mH(a))) if upper else cholesky_p(a)


def _lower(uplo: str) -> bool:
    if uplo.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return uplo.upper() == "L"


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: str = "L") -> Any:
    return _EighResult(*eigh_p(_matrices(a, "eigh", square=True), lower=_lower(UPLO)))


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    return eigvalsh_p(_matrices(a, "eigvalsh", square=True), lower=_lower(UPLO))


def _like_numpy(a: Any, w: Any, *results: Any) -> tuple[Any, ...]:
    """Return real results where NumPy does: for a real matrix whose eigenvalues are real, if values are known."""
    if dtype_of(a).kind == "c" or decided(w, lambda w: np.all(np.imag(w) == 0)) in (None, False):
        return results
    return tuple(np.real(x) for x in results)


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    a = _matrices(a, "eig", square=True)
    w, v = eig_p(a)
    return _EigResult(*_like_numpy(a, w, w, v))


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    a = _matrices(a, "eigvals", square=True)
    w = eigvals_p(a)
    return _like_numpy(a, w, w)[0]


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    a = _matrices(a, "svd", square=bool(hermitian))
    if hermitian:
        return _hermitian_svd(a, bool(compute_uv))
    if not compute_uv:
        return svdvals_p(a)
    return _SVDResult(*svd_p(a, full=bool(full_matrices) and a.shape[-1] != a.shape[-2]))


def _hermitian_svd(a: Any, compute_uv: bool) -> Any:
    """Singular values are the absolute eigenvalues, largest first."""
    if not compute_uv:
        w = np.abs(eigvalsh_p(a, lower=True))
        return np.flip(np.sort(w, axis=-1), axis=-1)
    w, v = eigh_p(a, lower=True)
    sign, s = np.sign(w), np.abs(w)
    order = np.flip(np.argsort(s, axis=-1), axis=-1)
    sign, s = np.take_along_axis(sign, order, axis=-1), np.take_along_axis(s, order, axis=-1)
    u = np.take_along_axis(v, order.reshape((*order.shape[:-1], 1, order.shape[-1])), axis=-1)
    return _SVDResult(u, s, mH(u * sign.reshape((*sign.shape[:-1], 1, sign.shape[-1]))))


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    return svdvals_p(_matrices(x, "svdvals"))


@implements(np.linalg.qr)
def qr(a: Any, mode: str = "reduced") -> Any:
    a = _matrices(a, "qr")
    if mode == "raw":
        raise NotDifferentiableError(
            f"np.linalg.qr with mode='raw' of a traced value at {caller()} is not supported: Householder vectors have "
            f"no derivative rule; use mode='reduced', 'complete' or 'r'"
        )
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"Unrecognized mode '{mode}'")
    q, r = qr_p(a, complete=mode == "complete" and a.shape[-2] > a.shape[-1])
    return r if mode == "r" else _QRResult(q, r)
