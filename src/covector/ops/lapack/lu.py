"""LU factors with partial pivoting, stacked over leading axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.values import Aval, dtype_of
from ..contraction import mT
from ..families import constant, general
from ..linalg import leading_axes, real_dtype
from ..samples import draw, sample
from .common import each_matrix, spread
from .triangular import solve_triangular_p

__all__ = ["lu_p", "pivoted_order_p", "row_order_p", "unpacked"]


def unpacked(packed: Any) -> tuple[Any, Any]:
    """Return the factors, m × k and k × n with k = min(m, n), of which LAPACK stores one below the other."""
    k = min(packed.shape[-2:])
    eye = np.eye(packed.shape[-2], k, dtype=real_dtype(dtype_of(packed)))
    return np.tril(packed[..., :, :k], -1) + eye, np.triu(packed[..., :k, :])


def _permutation(pivots: Any, rows: int) -> Any:
    """Return the order of the rows that exchanging row i with row ``pivots[..., i]`` one after the other leaves."""
    if pivots.ndim == 1:
        places = list(range(rows))
        for i, other in enumerate(pivots.tolist()):
            places[i], places[other] = places[other], places[i]
        return np.array(places, pivots.dtype)
    order = np.broadcast_to(np.arange(rows, dtype=pivots.dtype), (*pivots.shape[:-1], rows)).copy()
    for i in range(pivots.shape[-1]):
        with_ = pivots[..., i, None]
        other = np.take_along_axis(order, with_, axis=-1)
        np.put_along_axis(order, with_, order[..., i, None], axis=-1)
        order[..., i, None] = other
    return order


def _lu(a: Any) -> tuple[Any, Any, Any]:
    if a.ndim > 2 or not a.size:
        packed, pivots = _eliminate(a)
    else:
        from scipy.linalg.lapack import get_lapack_funcs

        (getrf,) = get_lapack_funcs(("getrf",), (a,))
        packed, pivots, _ = getrf(a)
    return packed, pivots, _permutation(pivots, a.shape[-2])


def _eliminate(a: Any) -> tuple[Any, Any]:
    """Gaussian elimination column by column, for a whole stack at once."""
    *stack, m, n = a.shape
    k = min(m, n)
    packed = a.copy()
    pivots = np.zeros((*stack, k), np.int32)
    # LAPACK measures complex numbers by |Re| + |Im|.
    size = (lambda x: np.abs(x.real) + np.abs(x.imag)) if a.dtype.kind == "c" else np.abs
    for i in range(k):
        at = i + size(packed[..., i:, i]).argmax(axis=-1)[..., None]
        pivots[..., i, None] = at
        swapped = np.take_along_axis(packed, at[..., None], axis=-2)
        np.put_along_axis(packed, at[..., None], packed[..., i, None, :], axis=-2)
        packed[..., i, None, :] = swapped
        pivot = packed[..., i, i, None]
        packed[..., i + 1 :, i] /= np.where(pivot == 0, pivot.dtype.type(1), pivot)
        packed[..., i + 1 :, i + 1 :] -= packed[..., i + 1 :, i, None] * packed[..., i, None, i + 1 :]
    return packed, pivots


def _lu_jvp(t: Any, out: Any, a: Any) -> tuple[Any, None, None]:
    """With the leading square parts L₁, U₁ and F = L₁⁻¹ dA₁ U₁⁻¹: dL₁ = L₁ tril₋₁(F) and dU₁ = triu(F) U₁."""
    packed, _, order = out
    *_, m, n = a.shape
    k = min(m, n)
    t = np.take_along_axis(t, order.reshape((*order.shape, 1)), axis=-2)
    square = packed[..., :k, :k]
    lower, upper = unpacked(square)

    def after_lower(x: Any) -> Any:
        return solve_triangular_p(square, x, lower=True, unit=True)

    def before_upper(x: Any) -> Any:
        return mT(solve_triangular_p(mT(square), mT(x), lower=True, unit=False))

    f = before_upper(after_lower(t[..., :k, :k]))
    below, above = np.tril(f, -1), np.triu(f)
    change = lower @ below + above @ upper
    if n > k:
        # dU₂ = L₁⁻¹ dA₂ − tril₋₁(F) U₂
        right = after_lower(t[..., :, k:]) - below @ packed[..., :, k:]
        change = np.concatenate([change, right], axis=-1)
    if m > k:
        # dL₂ = dA₂ U₁⁻¹ − L₂ triu(F)
        down = before_upper(t[..., k:, :]) - packed[..., k:, :] @ above
        change = np.concatenate([change, down], axis=-2)
    return change, None, None


def _lu_aval(a: Aval) -> tuple[Aval, Aval, Aval]:
    *stack, m, n = a.shape
    integer = np.dtype(np.int32)
    return Aval(a.shape, a.dtype), Aval((*stack, min(m, n)), integer), Aval((*stack, m), integer)


lu_p = general(
    "lu",
    _lu,
    jvps=(_lu_jvp,),
    aval=_lu_aval,
    batch=leading_axes(lambda: lu_p),
    multiple=True,
    keeps=False,
    samples=[
        sample(spread((3, 3)), label="3x3"),
        sample(spread((2, 3, 3)), label="stack"),
        sample(draw((4, 2), key="lu"), label="tall"),
        sample(draw((2, 4), key="lu"), label="wide"),
        sample(spread((2, 2), np.float32), label="float32"),
        sample(spread((3, 3), complex), label="complex"),
        sample(draw((1, 1)), label="1x1"),
        sample(draw((0, 0)), label="empty"),
    ],
    source="de Hoog, Anderssen & Lukas 2011, Differentiation of matrix functionals using triangular factorization; "
    "the order of the rows is constant",
)

row_order_p = constant(
    "row_order",
    lambda pivots, *, rows: _permutation(pivots, rows),
    aval=lambda pivots, *, rows: Aval((*pivots.shape[:-1], rows), pivots.dtype),
    batch=leading_axes(lambda: row_order_p),
    samples=[
        sample(np.array([2, 1, 2], np.int32), rows=3, label="[3]"),
        sample(np.array([[1], [0]], np.int32), rows=2, label="stack"),
        sample(np.array([], np.int32), rows=0, label="empty"),
    ],
)


def _pivoted_order(a: Any) -> Any:
    if not a.size:
        return np.broadcast_to(np.arange(a.shape[-1], dtype=np.int32), (*a.shape[:-2], a.shape[-1])).copy()
    from scipy.linalg.lapack import get_lapack_funcs

    (geqp3,) = get_lapack_funcs(("geqp3",), (a,))
    return each_matrix(lambda x: geqp3(x)[1] - 1, a)


pivoted_order_p = constant(
    "pivoted_order",
    _pivoted_order,
    aval=lambda a: Aval((*a.shape[:-2], a.shape[-1]), np.dtype(np.int32)),
    batch=leading_axes(lambda: pivoted_order_p),
    samples=[sample(draw((3, 2))), sample(draw((2, 2, 3), complex)), sample(draw((0, 2)))],
)
