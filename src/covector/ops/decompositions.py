"""Factorizations: Cholesky, QR, eigenvalues, singular values; stacked over leading axes.

Where NumPy leaves a factor undetermined, a rule differentiates one continuous choice: orthonormal complements (the
further columns of complete factors) turn as little as possible; phases of complex singular vectors and Hermitian
eigenvectors stand still relative to each other. Functions that do not depend on that choice have exact derivatives.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.cotangents import unbroadcast
from ..core.errors import DegenerateWarning, caller
from ..core.primitive import Primitive
from ..core.values import Aval, Shape, dtype_of
from .contraction import mT
from .families import batch_elementwise, constant, general, like
from .linalg import leading_axes, mH, real_dtype, square_samples
from .samples import deferred, draw, sample

__all__ = ["cholesky_p", "eig_p", "eigh_p", "eigvalsh_p", "qr_p", "svd_p", "svdvals_p"]


def _complex(dtype: Any) -> Any:
    return np.result_type(dtype, np.complex64)


def _diagonal(x: Any) -> Any:
    return np.diagonal(x, 0, -2, -1)


def _hermitian(t: Any, lower: bool) -> Any:
    """The change of the Hermitian matrix that LAPACK reads in one triangle of a matrix that changes by `t`."""
    eye = np.eye(t.shape[-1], dtype=real_dtype(t.dtype))
    strict = np.tril(t, -1) if lower else np.triu(t, 1)
    return strict + mH(strict) + np.real(t) * eye


@deferred
def _hermitian_sample(shape: Shape, dtype: Any = float) -> Any:
    x = draw(shape, dtype, -0.3, 0.3, key="hermitian")()
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 2 + np.diag(np.arange(1, shape[-1] + 1)).astype(dtype)


def _hermitian_samples(complex_: bool = True, **params: Any) -> list[Any]:
    # Complex vectors have a phase of LAPACK's choosing, which differences see: these are tested through projectors.
    shapes: list[tuple[Shape, Any]] = [((3, 3), float), ((2, 2, 2), float), ((2, 2), np.float32)]
    shapes += [((3, 3), complex)] * complex_
    out = [sample(_hermitian_sample(s, d), label=f"{np.dtype(d)}{list(s)}", **params) for s, d in shapes]
    return [*out, sample(draw((0, 0)), label="empty", **params)]


# --- division by gaps -------------------------------------------------------------------------------------------------


def _over_gaps(x: Any, gap: Any, width: Any) -> Any:
    close = np.abs(gap) <= width
    if close.any():
        _warn(x, gap, width, close)
    dtype = np.result_type(x, gap)
    return np.where(close, dtype.type(0), x / np.where(close, gap.dtype.type(1), gap))[()]


def _warn(x: Any, gap: Any, width: Any, close: Any) -> None:
    lost = close & (np.abs(x) > np.sqrt(np.finfo(x.dtype).eps) * np.max(np.abs(x), initial=0))
    if lost.any():
        gaps = np.abs(np.broadcast_to(gap, lost.shape)[lost])
        warnings.warn(
            f"the derivative of eigenvectors or singular vectors at {caller()} meets a gap of {gaps.min():.3g} between "
            f"two values (or a singular value and zero), less than {float(np.max(width)):.3g}, which counts as equal; "
            f"terms 1/gap are taken as 0, which is exact only for functions of the whole invariant subspace, such as "
            f"projectors",
            DegenerateWarning,
            stacklevel=2,
        )


def _over_gaps_jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
    (_, gap, width), (dx, dgap, _) = args, tangents
    terms = [] if dx is None else [over_gaps_p(dx, gap, width)]
    if dgap is not None:
        terms.append(-over_gaps_p(out * dgap, gap, width))
    return like(sum(terms[1:], terms[0]), out) if terms else None


def _over_gaps_vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any]) -> list[Any]:
    x, gap, width = args
    return [
        unbroadcast(over_gaps_p(ct, gap, width), x) if wanted[0] else None,
        unbroadcast(-over_gaps_p(ct * out, gap, width), gap) if wanted[1] else None,
        None,
    ]


over_gaps_p = Primitive(
    "over_gaps",
    _over_gaps,
    lambda x, gap, width: Aval(np.broadcast_shapes(x.shape, gap.shape), np.result_type(x.dtype, gap.dtype)),
    _over_gaps_jvp,
    _over_gaps_vjp,
    batch_elementwise(lambda: over_gaps_p),
    samples=[
        sample(draw((2, 2)), np.array([[2.0, 0.5], [-0.5, 3.0]]), np.float64(0.1), label="2x2"),
        sample(draw((2, 2), complex), draw((2, 1), float, 1.0, 2.0), np.float64(0.1), label="complex"),
        sample(draw((2,), np.float32), draw((2,), np.float32, 1.0, 2.0), np.float32(0.1), label="float32"),
        sample(draw(()), np.float64(1.5), np.float64(0.1), label="[]"),
        sample(draw((0,)), np.array([1.5]), np.float64(0.1), label="empty"),
    ],
    source="x/gap, and 0 where |gap| ≤ width: inside a cluster first-order perturbation leaves a rotation open",
    family="general",
)


def _cluster_width(w: Any) -> Any:
    n = w.shape[-1]
    return 10 * n * np.finfo(w.dtype).eps * np.max(np.abs(w), axis=-1, keepdims=True, initial=0)


cluster_width_p = constant(
    "cluster_width",
    _cluster_width,
    aval=lambda w: Aval((*w.shape[:-1], 1), real_dtype(w.dtype)),
    batch=lambda trace, args, batched: cluster_width_p(*args),
    samples=[sample(draw((3,))), sample(draw((2, 3), complex))],
)


def _row(w: Any) -> Any:
    return w.reshape((*w.shape[:-1], 1, w.shape[-1]))


def _column(w: Any) -> Any:
    return w.reshape((*w.shape, 1))


def _differences(w: Any) -> tuple[Any, Any]:
    """Return w[j] − w[i], infinite on the diagonal, and below what size two values count as equal."""
    never = np.diag(np.full(w.shape[-1], np.inf, real_dtype(dtype_of(w))))
    return _row(w) - _column(w) + never, _column(cluster_width_p(w))


# --- Cholesky ---------------------------------------------------------------------------------------------------------


def _cholesky_jvp(t: Any, out: Any, a: Any) -> Any:
    inner = np.linalg.solve(out, mH(np.linalg.solve(out, _hermitian(t, True))))
    half = (
        np.tri(out.shape[-1], dtype=real_dtype(dtype_of(out)))
        - np.eye(out.shape[-1], dtype=real_dtype(dtype_of(out))) / 2
    )
    return out @ (half * inner)


cholesky_p = general(
    "cholesky",
    np.linalg.cholesky,
    jvps=(_cholesky_jvp,),
    aval=lambda a: Aval(a.shape, a.dtype),
    batch=leading_axes(lambda: cholesky_p),
    samples=_hermitian_samples(),
    source="Murray 2016, Differentiation of the Cholesky decomposition, eq. 8; only the lower triangle is read",
    numpy=(np.linalg.cholesky,),
)


# --- Hermitian eigenvalues --------------------------------------------------------------------------------------------


def _eigh_jvp(t: Any, out: Any, a: Any, *, lower: bool) -> tuple[Any, Any]:
    w, v = out
    change = mH(v) @ _hermitian(t, lower) @ v
    return np.real(_diagonal(change)), v @ over_gaps_p(change, *_differences(w))


def _eigvalsh_jvp(t: Any, out: Any, a: Any, *, lower: bool) -> Any:
    _, v = eigh_p(a, lower=lower)
    return np.real((np.conj(v) * (_hermitian(t, lower) @ v)).sum(axis=-2))


eigh_p = general(
    "eigh",
    lambda a, *, lower: tuple(np.linalg.eigh(a, "L" if lower else "U")),
    jvps=(_eigh_jvp,),
    aval=lambda a, *, lower: (Aval(a.shape[:-1], real_dtype(a.dtype)), Aval(a.shape, a.dtype)),
    batch=leading_axes(lambda: eigh_p),
    multiple=True,
    samples=_hermitian_samples(False, lower=True) + _hermitian_samples(False, lower=False)[:1],
    source="Giles 2008, section 3.1; phases such that vᴴ dv = 0",
    numpy=(np.linalg.eigh,),
)
eigvalsh_p = general(
    "eigvalsh",
    lambda a, *, lower: np.linalg.eigvalsh(a, "L" if lower else "U"),
    jvps=(_eigvalsh_jvp,),
    aval=lambda a, *, lower: Aval(a.shape[:-1], real_dtype(a.dtype)),
    batch=leading_axes(lambda: eigvalsh_p),
    samples=_hermitian_samples(lower=True) + _hermitian_samples(lower=False)[:1],
    source="Giles 2008, section 3.1",
    numpy=(np.linalg.eigvalsh,),
)


# --- eigenvalues ------------------------------------------------------------------------------------------------------


def _eig(a: Any) -> tuple[Any, Any]:
    w, v = np.linalg.eig(a)
    dtype = _complex(a.dtype)
    return w.astype(dtype, copy=False), v.astype(dtype, copy=False)


def _largest(v: Any) -> Any:
    hit = np.abs(v).argmax(axis=-2, keepdims=True) if v.shape[-2] else np.zeros((*v.shape[:-2], 1, v.shape[-1]), int)
    return (np.arange(v.shape[-2]).reshape((-1, 1)) == hit).astype(real_dtype(v.dtype))


largest_p = constant(
    "largest_component",
    _largest,
    aval=lambda v: Aval(v.shape, real_dtype(v.dtype)),
    batch=lambda trace, args, batched: largest_p(*args),
    samples=[sample(draw((3, 2), complex)), sample(draw((2, 2, 3)))],
)


def _eig_jvp(t: Any, out: Any, a: Any) -> tuple[Any, Any]:
    w, v = out
    change = np.linalg.solve(v, t @ v)
    dv = v @ over_gaps_p(change, *_differences(w))
    # LAPACK scales each vector to norm 1 and turns it such that its largest component is real.
    largest = largest_p(v)
    length = np.real((np.conj(v) * dv).sum(axis=-2, keepdims=True))
    turn = np.imag((largest * dv).sum(axis=-2, keepdims=True) / (largest * v).sum(axis=-2, keepdims=True))
    return _diagonal(change), dv - v * (length + 1j * turn)


eig_p = general(
    "eig",
    _eig,
    jvps=(_eig_jvp,),
    aval=lambda a: (Aval(a.shape[:-1], _complex(a.dtype)), Aval(a.shape, _complex(a.dtype))),
    batch=leading_axes(lambda: eig_p),
    multiple=True,
    samples=[
        *square_samples("eig"),
        sample(np.array([[1.0, 2.0, 0.0], [-1.5, 1.0, 0.5], [0.3, 0.0, -2.0]]), label="complex pair"),
    ],
    source="Giles 2008, section 3.1; LAPACK's geev scales vectors to norm 1 with a real largest component",
    numpy=(np.linalg.eig, np.linalg.eigvals),
)


# --- singular values --------------------------------------------------------------------------------------------------
# With dP = Uᴴ dA V = H + K, Hermitian and anti-Hermitian: ds = diag H, dU = U (H/(sⱼ−sᵢ) + K/(sⱼ+sᵢ)) + outside U and
# dV = V (H/(sⱼ−sᵢ) − K/(sⱼ+sᵢ)) + outside V.


def _svd_jvp(t: Any, out: Any, a: Any, *, full: bool) -> tuple[Any, Any, Any]:
    u_full, s, vh_full = out
    k = s.shape[-1]
    u, vh = u_full[..., :, :k], vh_full[..., :k, :]
    v = mH(vh)
    right, left = t @ v, mH(t) @ u
    change = mH(u) @ right
    symmetric, other = (change + mH(change)) / 2, (change - mH(change)) / 2
    difference, width = _differences(s)
    turn = over_gaps_p(symmetric, difference, width)
    both = over_gaps_p(other, _row(s) + _column(s), width)
    du, dv = u @ (turn + both), v @ (turn - both)
    small = _row(cluster_width_p(s))
    if a.shape[-2] > k:
        du = du + over_gaps_p(right - u @ change, _row(s), small)
    if a.shape[-1] > k:
        dv = dv + over_gaps_p(left - v @ mH(change), _row(s), small)
    if full:
        du, dv = _complemented(du, u_full, k), _complemented(dv, mH(vh_full), k)
    return du, _positive(np.real(_diagonal(change)), s), mH(dv)


def _complemented(dq: Any, q: Any, k: int) -> Any:
    """Add the change of the orthonormal complement, columns k and up of `q`: the least that keeps it orthogonal."""
    if q.shape[-1] == k:
        return dq
    rest = q[..., :, k:]
    return np.concatenate([dq, -(q[..., :, :k] @ (mH(dq) @ rest))], axis=-1)


def _positive(ds: Any, s: Any) -> Any:
    """A singular value that is exactly 0 is at the kink of an absolute value, whose derivative counts as 0."""
    return ds * (s > 0)


def _svd_aval(a: Aval, *, full: bool) -> tuple[Aval, Aval, Aval]:
    *stack, m, n = a.shape
    k = min(m, n)
    return (
        Aval((*stack, m, m if full else k), a.dtype),
        Aval((*stack, k), real_dtype(a.dtype)),
        Aval((*stack, n if full else k, n), a.dtype),
    )


def _svdvals_jvp(t: Any, out: Any, a: Any) -> Any:
    u, s, vh = svd_p(a, full=False)
    return _positive(np.real((np.conj(u) * (t @ mH(vh))).sum(axis=-2)), s)


# The complement of k orthonormal columns in k + 1 dimensions is determined up to its sign.
_REAL: list[tuple[Shape, Any]] = [
    ((3, 2), float),
    ((2, 3), float),
    ((3, 3), float),
    ((2, 4, 2), float),
    ((3, 2), np.float32),
    ((1, 1), float),
    ((0, 0), float),
]
_COMPLEX: list[tuple[Shape, Any]] = [((3, 2), complex), ((2, 2), complex), ((2, 3), complex)]


def _rectangular(shapes: Sequence[tuple[Shape, Any]], **params: Any) -> list[Any]:
    return [sample(draw(s, d, key="rectangular"), label=f"{np.dtype(d)}{list(s)}", **params) for s, d in shapes]


svd_p = general(
    "svd",
    lambda a, *, full: tuple(np.linalg.svd(a, full_matrices=full)),
    jvps=(_svd_jvp,),
    aval=_svd_aval,
    batch=leading_axes(lambda: svd_p),
    multiple=True,
    samples=_rectangular(_REAL, full=False) + _rectangular(_REAL[:2], full=True),
    source="Wan & Zhang 2019, Automatic differentiation for complex valued SVD; Giles 2008, section 3.2",
    numpy=(np.linalg.svd,),
)
svdvals_p = general(
    "svdvals",
    lambda a: np.linalg.svd(a, compute_uv=False),
    jvps=(_svdvals_jvp,),
    aval=lambda a: Aval((*a.shape[:-2], min(a.shape[-2:])), real_dtype(a.dtype)),
    batch=leading_axes(lambda: svdvals_p),
    samples=_rectangular(_REAL + _COMPLEX),
    source="Giles 2008, section 3.2",
    numpy=(np.linalg.svdvals,),
)


# --- QR ---------------------------------------------------------------------------------------------------------------
# Of the square part A₁ = Q R₁ (the first k columns): Qᴴ dA₁ R₁⁻¹ = W + upper triangular with W anti-Hermitian.


def _qr_jvp(t: Any, out: Any, a: Any, *, complete: bool) -> tuple[Any, Any]:
    q_full, r_full = out
    k = min(a.shape[-2:])
    q, r = q_full[..., :, :k], r_full[..., :k, :]
    x = mT(np.linalg.solve(mT(r[..., :, :k]), mT(t[..., :, :k])))
    change = mH(q) @ x
    strict = np.tril(change, -1)
    turn = strict - mH(strict)
    if dtype_of(a).kind == "c":
        turn = turn + 1j * np.imag(change) * np.eye(k, dtype=real_dtype(dtype_of(a)))
    dq = q @ (turn - change) + x
    dr = np.triu(mH(q) @ t - turn @ r)
    if complete and q_full.shape[-1] > k:
        dr = np.concatenate([dr, np.zeros((*r_full.shape[:-2], q_full.shape[-1] - k, a.shape[-1]), dr.dtype)], axis=-2)
        dq = _complemented(dq, q_full, k)
    return dq, dr


def _qr_aval(a: Aval, *, complete: bool) -> tuple[Aval, Aval]:
    *stack, m, n = a.shape
    k = m if complete else min(m, n)
    return Aval((*stack, m, k), a.dtype), Aval((*stack, k, n), a.dtype)


qr_p = general(
    "qr",
    lambda a, *, complete: tuple(np.linalg.qr(a, "complete" if complete else "reduced")),
    jvps=(_qr_jvp,),
    aval=_qr_aval,
    batch=leading_axes(lambda: qr_p),
    multiple=True,
    samples=_rectangular(_REAL + _COMPLEX, complete=False) + _rectangular(_REAL[:3], complete=True),
    source="Walter & Lehmann 2010, Algorithmic differentiation of linear algebra functions, section 3",
    numpy=(np.linalg.qr,),
)
