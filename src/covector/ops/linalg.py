"""Linear equations, inverses and determinants, stacked over leading axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.cotangents import unbroadcast
from ..core.primitive import Primitive, Routine, Sample
from ..core.values import Aval, Shape, dtype_of, shape_of
from . import small_matrices as small
from .contraction import contract_p, mT
from .families import batch_elementwise, general, like
from .samples import deferred, draw, sample

__all__ = [
    "cofactor_p",
    "det_p",
    "inv_p",
    "leading_axes",
    "mH",
    "real_dtype",
    "slogdet_p",
    "solve_p",
    "square_samples",
]


def mH(x: Any) -> Any:
    """Return the conjugate transpose of the matrices `x`."""
    return np.conj(mT(x)) if dtype_of(x).kind == "c" else mT(x)


def leading_axes(primitive: Any) -> Any:
    """Batching rule of a function of stacked matrices: the batch is one more leading axis."""
    return lambda trace, args, batched, **params: primitive()(*args, **params)


@deferred
def well_conditioned(shape: Shape, dtype: Any = float, key: object = 0) -> Any:
    """Return square matrices with eigenvalues away from zero and from each other, for samples."""
    return draw(shape, dtype, -0.5, 0.5, key=key)() + np.diag(np.arange(1, shape[-1] + 1)).astype(dtype)


def square_samples(key: object = 0) -> list[Sample]:
    """One matrix, one by one, a stack, float32, complex and empty."""
    return [
        sample(well_conditioned((3, 3), key=key), label="3x3"),
        sample(well_conditioned((1, 1), key=key), label="1x1"),
        sample(well_conditioned((2, 2, 2), key=key), label="stack"),
        sample(well_conditioned((3, 3), np.float32, key), label="float32"),
        sample(well_conditioned((3, 3), complex, key), label="complex"),
        sample(draw((0, 0)), label="empty"),
    ]


def trace_of_product(a: Any, b: Any) -> Any:
    """Return Σ a[i, j] b[i, j] over the last two axes, that is trace(aᵀ b)."""
    return (a * b).sum(axis=(-2, -1))


def _each(x: Any) -> Any:
    """Return numbers, one for each matrix of a stack, such that they multiply the matrices."""
    shape = shape_of(x)
    return x.reshape((*shape, 1, 1)) if shape else x


# --- solve ------------------------------------------------------------------------------------------------------------
# x = A⁻¹ b with matrices (stacks of them) b: dx = A⁻¹ (db − dA x). A transposed system gives both cotangents.


def _solve(a: Any, b: Any) -> Any:
    if a.ndim == 2 and b.ndim > 2:
        # One factorization for the whole stack of right-hand sides.
        n, m = b.shape[-2:]
        columns = np.moveaxis(b, -2, 0).reshape((n, -1 if b.size else 0))
        return np.moveaxis(np.linalg.solve(a, columns).reshape((n, *b.shape[:-2], m)), 0, -2)
    return np.linalg.solve(a, b)


def _solve_jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
    (a, _), (da, db) = args, tangents
    right = db if da is None else -(da @ out) if db is None else db - da @ out
    return like(solve_p(a, right), out)


def _solve_vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any]) -> list[Any]:
    a, b = args
    w = solve_p(mT(a), ct)
    return [-_outer_sum(w, out, a) if wanted[0] else None, unbroadcast(w, b) if wanted[1] else None]


def _outer_sum(w: Any, x: Any, a: Any) -> Any:
    """Return w xᵀ summed over the stack axes that `a` does not have."""
    if a.ndim == 2 and w.ndim > 2:
        stack = tuple(range(3, w.ndim + 1))
        return contract_p(w, x, spec=((*stack, 0, 2), (*stack, 1, 2), (0, 1)))
    return unbroadcast(w @ mT(x), a)


def _solve_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool]) -> Any:
    rank = max(x.ndim - lane for x, lane in zip(args, batched, strict=True))
    lined_up = []
    for x, lane in zip(args, batched, strict=True):
        ones = (1,) * (rank + lane - x.ndim)
        lined_up.append(x.reshape(x.shape[:1] + ones + x.shape[1:]) if lane and ones else x)
    return solve_p(*lined_up)


def _solve_aval(a: Aval, b: Aval) -> Aval:
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return Aval(stack + b.shape[-2:], np.result_type(a.dtype, b.dtype))


solve_p = Primitive(
    "solve",
    _solve,
    _solve_aval,
    _solve_jvp,
    _solve_vjp,
    _solve_batch,
    lower=Routine("solve", small.solve, small.fits),
    samples=[
        sample(well_conditioned((3, 3)), draw((3, 2)), label="3x3"),
        sample(well_conditioned((2, 2)), draw((3, 2, 1)), label="one matrix, stacked sides"),
        sample(well_conditioned((3, 2, 2)), draw((2, 2)), label="stacked matrices, one side"),
        sample(well_conditioned((2, 1, 2, 2)), draw((3, 2, 1)), label="broadcast stacks"),
        sample(well_conditioned((2, 2), np.float32), draw((2, 1), np.float32), label="float32"),
        sample(well_conditioned((2, 2), complex), draw((2, 2), complex), label="complex"),
        sample(well_conditioned((2, 2)), draw((2, 1), complex), label="real, complex"),
        sample(well_conditioned((1, 1)), draw((1, 1)), label="1x1"),
        sample(draw((0, 0)), draw((0, 2)), label="empty"),
    ],
    source="Giles 2008, An extended collection of matrix derivative results, section 2.3",
    family="general",
    numpy=(np.linalg.solve,),
)


# --- inverse ----------------------------------------------------------------------------------------------------------


def _inv_vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any]) -> list[Any]:
    transposed = mT(out)
    return [-(transposed @ ct @ transposed)]


inv_p = Primitive(
    "inv",
    np.linalg.inv,
    lambda a: Aval(a.shape, a.dtype),
    lambda args, tangents, out: None if tangents[0] is None else -(out @ tangents[0] @ out),
    _inv_vjp,
    leading_axes(lambda: inv_p),
    keeps=False,
    lower=Routine("inv", small.inv, small.fits),
    samples=square_samples(),
    source="d(A⁻¹) = −A⁻¹ dA A⁻¹; Giles 2008, section 2.2.3",
    family="general",
    numpy=(np.linalg.inv,),
)


# --- determinant ------------------------------------------------------------------------------------------------------
# d det = ⟨C, dA⟩ with the matrix C of cofactors, which is finite at singular matrices too; so is its derivative, made
# of the minors of order n − 2. All derivatives of det are symmetric, so that jvp and vjp rules coincide.

_CONDITION_LIMIT = 1e-4  # times 1/eps: beyond it the inverse loses the cofactors' digits


def _is_safe(a: Any, inverse: Any) -> bool:
    bound = np.linalg.norm(a, axis=(-2, -1)) * np.linalg.norm(inverse, axis=(-2, -1))
    return bool(np.all(bound < _CONDITION_LIMIT / np.finfo(a.dtype).eps))


def _cofactor(a: Any) -> Any:
    try:
        inverse = np.linalg.inv(a)
        if _is_safe(a, inverse):
            return np.linalg.det(a)[..., None, None] * mT(inverse)
    except np.linalg.LinAlgError:
        pass
    u, s, vh, phase = _oriented_svd(a)
    return phase * np.conj(u * _products_without_one(s)[..., None, :]) @ np.conj(vh)


def _oriented_svd(a: Any) -> tuple[Any, Any, Any, Any]:
    """Return the factors of ``a = u @ diag(s) @ vh`` and det(u)·det(vh)."""
    u, s, vh = np.linalg.svd(a)
    return u, s, vh, (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]


def _products_without_one(s: Any) -> Any:
    """For each i the product of all s[j] with j ≠ i."""
    n = s.shape[-1]
    others = np.where(np.eye(n, dtype=bool), s.dtype.type(1), s[..., None, :])
    return others.prod(axis=-1)


def _products_without_two(s: Any) -> Any:
    """For each pair i ≠ j the product of all other s[k]; zero on the diagonal."""
    n = s.shape[-1]
    eye = np.eye(n, dtype=bool)
    others = np.where(eye[:, None, :] | eye[None, :, :], s.dtype.type(1), s[..., None, None, :])
    return np.where(eye, s.dtype.type(0), others.prod(axis=-1))


def _cofactor_derivative(a: Any, t: Any) -> Any:
    try:
        inverse = np.linalg.inv(a)
        if _is_safe(a, inverse):
            x = mT(inverse)
            mixed = x @ mT(t) @ x
            return np.linalg.det(a)[..., None, None] * (trace_of_product(x, t)[..., None, None] * x - mixed)
    except np.linalg.LinAlgError:
        pass
    u, s, vh, phase = _oriented_svd(a)
    m = mH(u) @ t @ mH(vh)
    pairs = _products_without_two(s)
    # In the basis of the singular vectors: d cof[i, i] = Σ_j p[i, j] m[j, j] and d cof[i, j] = −p[i, j] m[j, i].
    diagonal = np.einsum("...ij,...jj->...i", pairs, m)
    inner = np.eye(s.shape[-1], dtype=s.dtype) * diagonal[..., None] - pairs * mT(m)
    return phase * (np.conj(u) @ inner @ np.conj(vh))


def _second_derivative(a: Any, m: Any, t: Any) -> Any:
    """Second derivative of the cofactors in directions `m` and `t`, for regular matrices."""
    x = mT(inv_p(a))
    xm, xt = x @ mT(m), x @ mT(t)
    trace_m, trace_t = (_each(trace_of_product(x, v)) for v in (m, t))
    mixed = _each(trace_of_product(mT(xm), xt))
    total = (trace_m * trace_t - mixed) * x - trace_t * (xm @ x) - trace_m * (xt @ x)
    return _each(det_p(a)) * (total + xm @ xt @ x + xt @ xm @ x)


def _cofactor_derivative_jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
    (a, m), (da, dm) = args, tangents
    terms = [] if dm is None else [cofactor_derivative_p(a, dm)]
    if da is not None:
        terms.append(_second_derivative(a, m, da))
    return like(sum(terms[1:], terms[0]), out)


def _cofactor_derivative_vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any]) -> list[Any]:
    a, m = args
    return [
        unbroadcast(_second_derivative(a, m, ct), a) if wanted[0] else None,
        unbroadcast(cofactor_derivative_p(a, ct), m) if wanted[1] else None,
    ]


_SINGULAR = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 1.0, 3.0]])

cofactor_derivative_p = Primitive(
    "cofactor_derivative",
    _cofactor_derivative,
    lambda a, t: Aval(np.broadcast_shapes(a.shape, t.shape), np.result_type(a.dtype, t.dtype)),
    _cofactor_derivative_jvp,
    _cofactor_derivative_vjp,
    batch_elementwise(lambda: cofactor_derivative_p),  # two stacks, which need not have the same rank
    keeps_out=False,
    samples=[
        sample(well_conditioned((3, 3)), draw((3, 3), key=1), label="3x3"),
        sample(well_conditioned((2, 2, 2)), draw((2, 2, 2), key=1), label="stack"),
        sample(well_conditioned((2, 2), complex), draw((2, 2), complex, key=1), label="complex"),
        sample(draw((1, 1)), draw((1, 1), key=1), label="1x1"),
        sample(draw((0, 0)), draw((0, 0)), label="empty"),
    ],
    source="second minors; regular: d C = tr(A⁻¹T) C − C Tᵀ C / det, else the same in the basis of singular vectors",
    family="general",
)


cofactor_p = Primitive(
    "cofactor",
    _cofactor,
    lambda a: Aval(a.shape, a.dtype),
    lambda args, tangents, out: cofactor_derivative_p(args[0], tangents[0]),
    lambda ct, wanted, out, args: [cofactor_derivative_p(args[0], ct)],
    leading_axes(lambda: cofactor_p),
    keeps_out=False,
    samples=square_samples(),
    source="cof(A) = det(A) A⁻ᵀ; for A = U S Vᴴ it is det(U) det(Vᴴ) conj(U) cof(S) conj(Vᴴ)",
    family="general",
)

det_p = Primitive(
    "det",
    np.linalg.det,
    lambda a: Aval(a.shape[:-2], a.dtype),
    lambda args, tangents, out: trace_of_product(cofactor_p(args[0]), tangents[0]),
    lambda ct, wanted, out, args: [_each(ct) * cofactor_p(args[0])],
    leading_axes(lambda: det_p),
    keeps_out=False,
    lower=Routine("det", small.det, small.fits),
    samples=[*square_samples(), sample(_SINGULAR, label="singular")],
    source="Jacobi's formula; Giles 2008, section 2.2.4, with cofactors in place of det·A⁻ᵀ",
    family="general",
    numpy=(np.linalg.det,),
)


# --- logarithm of the determinant -------------------------------------------------------------------------------------


def _slogdet_jvp(t: Any, out: Any, a: Any) -> tuple[Any, Any]:
    relative = trace_of_product(mT(inv_p(a)), t)
    if dtype_of(a).kind != "c":
        return None, relative
    return out[0] * (1j * np.imag(relative)), np.real(relative)


def real_dtype(dtype: Any) -> Any:
    """Return the dtype of the absolute values of numbers of `dtype`."""
    return np.empty(0, dtype).real.dtype


slogdet_p = general(
    "slogdet",
    lambda a: tuple(np.linalg.slogdet(a)),
    jvps=(_slogdet_jvp,),
    aval=lambda a: (Aval(a.shape[:-2], a.dtype), Aval(a.shape[:-2], real_dtype(a.dtype))),
    batch=leading_axes(lambda: slogdet_p),
    multiple=True,
    lower=Routine("slogdet", small.slogdet, small.fits),
    samples=square_samples(),
    source="d log det A = tr(A⁻¹ dA): its real part moves log|det|, its imaginary part the phase",
    numpy=(np.linalg.slogdet,),
)
