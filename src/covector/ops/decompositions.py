"""Factorizations: singular values, QR; stacked over leading axes.

Where NumPy leaves a factor undetermined, a rule differentiates one continuous choice: orthonormal complements (the
further columns of complete factors) turn as little as possible, phases of complex singular vectors stand still.
Functions that do not depend on that choice have exact derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.values import Aval, Shape, dtype_of
from .contraction import mT
from .eigenvalues import cluster_width_p, column, diagonal, differences, over_gaps_p, row
from .families import general
from .linalg import leading_axes, mH, real_dtype
from .samples import draw, sample

__all__ = ["qr_p", "svd_p", "svdvals_p"]


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
    difference, width = differences(s)
    turn = over_gaps_p(symmetric, difference, width)
    both = over_gaps_p(other, row(s) + column(s), width)
    du, dv = u @ (turn + both), v @ (turn - both)
    small = row(cluster_width_p(s))
    if a.shape[-2] > k:
        du = du + over_gaps_p(right - u @ change, row(s), small)
    if a.shape[-1] > k:
        dv = dv + over_gaps_p(left - v @ mH(change), row(s), small)
    if full:
        du, dv = _complemented(du, u_full, k), _complemented(dv, mH(vh_full), k)
    return du, _positive(np.real(diagonal(change)), s), mH(dv)


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
    keeps=False,
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
    keeps_out=False,
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
    keeps=False,
    samples=_rectangular(_REAL + _COMPLEX, complete=False) + _rectangular(_REAL[:3], complete=True),
    source="Walter & Lehmann 2010, Algorithmic differentiation of linear algebra functions, section 3",
    numpy=(np.linalg.qr,),
)
