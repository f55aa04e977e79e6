"""Least squares: pseudo-inverses, solutions of minimal norm, and ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.values import Aval
from .families import constant, general
from .linalg import mH
from .samples import draw, sample

__all__ = ["is_singular_p", "lstsq_p", "matrix_rank_p", "pinv_p"]


# --- pseudo-inverse and rank ------------------------------------------------------------------------------------------


def _pinv_jvp(t: Any, out: Any, a: Any, rcond: Any) -> Any:
    # The terms with the complements 1 − A A⁺ and 1 − A⁺ A vanish at full rank, but the rank is a value.
    below, beside = out @ mH(out) @ mH(t), mH(t) @ mH(out) @ out
    return below - (below @ a) @ out + beside - out @ (a @ beside) - out @ t @ out


def _pinv_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool]) -> Any:
    a, rcond = args
    if batched[1] and not batched[0]:
        a = np.broadcast_to(a, (trace.size, *a.shape))
    return pinv_p(a, np.broadcast_to(rcond, a.shape[:-2]) if not batched[1] else rcond)


pinv_p = general(
    "pinv",
    np.linalg.pinv,
    jvps=(_pinv_jvp, None),
    aval=lambda a, rcond: Aval((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype),
    batch=_pinv_batch,
    samples=[
        sample(draw((3, 2)), 1e-15, label="tall"),
        sample(draw((2, 3)), 1e-15, label="wide"),
        sample(draw((2, 3, 2)), np.array([1e-15, 1e-15]), label="stack"),
        sample(draw((3, 2), np.float32), 1e-6, label="float32"),
        sample(draw((3, 2), complex), 1e-15, label="complex"),
        sample(draw((1, 1)), 1e-15, label="1x1"),
        sample(draw((0, 2)), 1e-15, label="empty"),
    ],
    source="Golub & Pereyra 1973, The differentiation of pseudo-inverses, eq. 4.12; the rank is taken as constant",
    numpy=(np.linalg.pinv,),
)


def _lstsq_jvp_a(t: Any, out: Any, a: Any, b: Any, rcond: Any) -> Any:
    inverse = pinv_p(a, rcond)
    left_over, adjoint = b - a @ out, mH(t)
    moved = inverse @ (mH(inverse) @ (adjoint @ left_over) - t @ out)
    outside = adjoint @ (mH(inverse) @ out)
    return moved + outside - inverse @ (a @ outside)


def _lstsq_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool]) -> Any:
    a, b, rcond = args
    if batched[0] or batched[2]:
        inverse = _pinv_batch(trace, (a, rcond), (batched[0], batched[2]))
        return inverse @ b
    columns = np.moveaxis(b, 0, 1)
    out = lstsq_p(a, columns.reshape((columns.shape[0], -1 if b.size else 0)), rcond)
    return np.moveaxis(out.reshape((out.shape[0], *columns.shape[1:])), 1, 0)


lstsq_p = general(
    "lstsq",
    lambda a, b, rcond: np.linalg.lstsq(a, b, rcond)[0],
    jvps=(_lstsq_jvp_a, lambda t, out, a, b, rcond: pinv_p(a, rcond) @ t, None),
    aval=lambda a, b, rcond: Aval((a.shape[1], b.shape[1]), np.result_type(a.dtype, b.dtype)),
    batch=_lstsq_batch,
    samples=[
        sample(draw((4, 2)), draw((4, 2), key="b"), 1e-15, label="tall"),
        sample(draw((2, 3)), draw((2, 1), key="b"), 1e-15, label="wide"),
        sample(draw((3, 2), np.float32), draw((3, 1), np.float32, key="b"), 1e-6, label="float32"),
        sample(draw((3, 2), complex), draw((3, 1), complex, key="b"), 1e-15, label="complex"),
        sample(draw((1, 1)), draw((1, 1), key="b"), 1e-15, label="1x1"),
        sample(draw((2, 1)), draw((2, 0)), 1e-15, label="no columns"),
    ],
    source="Golub & Pereyra 1973, The differentiation of pseudo-inverses, applied to pinv(a) @ b at constant rank",
    numpy=(np.linalg.lstsq,),
)


def _matrix_rank_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], **params: Any) -> Any:
    a, tolerance = args
    if not batched[0]:
        a = np.broadcast_to(a, (trace.size, *a.shape))
    if not batched[1]:
        tolerance = np.broadcast_to(tolerance, a.shape[:-2])
    return matrix_rank_p(a, tolerance, **params)


matrix_rank_p = constant(
    "matrix_rank",
    lambda a, tolerance, *, relative, hermitian: np.linalg.matrix_rank(
        a, hermitian=hermitian, **{"rtol" if relative else "tol": tolerance}
    ),
    aval=lambda a, tolerance, **_: Aval(a.shape[:-2], np.dtype(np.intp)),
    batch=_matrix_rank_batch,
    samples=[sample(np.diag([1.0, 2.0, 0.0]), 1e-12, relative=True, hermitian=False)],
    numpy=(np.linalg.matrix_rank,),
)


def _is_singular(a: Any) -> Any:
    # A zero pivot of the LU factors is what makes np.linalg.inv raise; slogdet has the same pivots and does not.
    with np.errstate(invalid="ignore"):
        return np.isneginf(np.linalg.slogdet(a)[1])


is_singular_p = constant(
    "is_singular",
    _is_singular,
    aval=lambda a: Aval(a.shape[:-2], np.dtype(bool)),
    batch=lambda trace, args, batched: is_singular_p(*args),
    samples=[sample(np.diag([1.0, 2.0, 0.0])), sample(np.stack([np.eye(2), np.ones((2, 2))]), label="stack")],
)
