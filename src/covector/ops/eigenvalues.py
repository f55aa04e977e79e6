"""Eigenvalues and eigenvectors, stacked over leading axes.

Phases of Hermitian eigenvectors, which NumPy leaves to LAPACK, stand still: vᴴ dv = 0. Functions that do not depend on
them have exact derivatives.
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
from .families import batch_elementwise, constant, general, like
from .linalg import leading_axes, mH, real_dtype, square_samples
from .samples import deferred, draw, sample

__all__ = ["cluster_width_p", "eig_p", "eigh_p", "eigvals_p", "eigvalsh_p", "over_gaps_p"]


def _complex(dtype: Any) -> Any:
    return np.result_type(dtype, np.complex64)


def diagonal(x: Any) -> Any:
    """Return the diagonals of the matrices `x`."""
    return np.diagonal(x, 0, -2, -1)


def hermitian_change(t: Any, lower: bool) -> Any:
    """The change of the Hermitian matrix that LAPACK reads in one triangle of a matrix that changes by `t`."""
    eye = np.eye(t.shape[-1], dtype=real_dtype(t.dtype))
    strict = np.tril(t, -1) if lower else np.triu(t, 1)
    return strict + mH(strict) + np.real(t) * eye


@deferred
def _hermitian_sample(shape: Shape, dtype: Any = float) -> Any:
    x = draw(shape, dtype, -0.3, 0.3, key="hermitian")()
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 2 + np.diag(np.arange(1, shape[-1] + 1)).astype(dtype)


def hermitian_samples(complex_: bool = True, **params: Any) -> list[Any]:
    """Hermitian matrices with eigenvalues apart, for samples."""
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


def row(w: Any) -> Any:
    """Return the vectors `w` as rows."""
    return w.reshape((*w.shape[:-1], 1, w.shape[-1]))


def column(w: Any) -> Any:
    """Return the vectors `w` as columns."""
    return w.reshape((*w.shape, 1))


def differences(w: Any) -> tuple[Any, Any]:
    """Return w[j] − w[i], infinite on the diagonal, and below what size two values count as equal."""
    never = np.diag(np.full(w.shape[-1], np.inf, real_dtype(dtype_of(w))))
    return row(w) - column(w) + never, column(cluster_width_p(w))


# --- Hermitian eigenvalues --------------------------------------------------------------------------------------------


def _eigh_jvp(t: Any, out: Any, a: Any, *, lower: bool) -> tuple[Any, Any]:
    w, v = out
    change = mH(v) @ hermitian_change(t, lower) @ v
    return np.real(diagonal(change)), v @ over_gaps_p(change, *differences(w))


def _eigvalsh_jvp(t: Any, out: Any, a: Any, *, lower: bool) -> Any:
    _, v = eigh_p(a, lower=lower)
    return np.real((np.conj(v) * (hermitian_change(t, lower) @ v)).sum(axis=-2))


eigh_p = general(
    "eigh",
    lambda a, *, lower: tuple(np.linalg.eigh(a, "L" if lower else "U")),
    jvps=(_eigh_jvp,),
    aval=lambda a, *, lower: (Aval(a.shape[:-1], real_dtype(a.dtype)), Aval(a.shape, a.dtype)),
    batch=leading_axes(lambda: eigh_p),
    multiple=True,
    keeps=False,
    samples=hermitian_samples(False, lower=True) + hermitian_samples(False, lower=False)[:1],
    source="Giles 2008, section 3.1; phases such that vᴴ dv = 0",
    numpy=(np.linalg.eigh,),
)
eigvalsh_p = general(
    "eigvalsh",
    lambda a, *, lower: np.linalg.eigvalsh(a, "L" if lower else "U"),
    jvps=(_eigvalsh_jvp,),
    aval=lambda a, *, lower: Aval(a.shape[:-1], real_dtype(a.dtype)),
    batch=leading_axes(lambda: eigvalsh_p),
    keeps_out=False,
    samples=hermitian_samples(lower=True) + hermitian_samples(lower=False)[:1],
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
    dv = v @ over_gaps_p(change, *differences(w))
    # LAPACK scales each vector to norm 1 and turns it such that its largest component is real.
    largest = largest_p(v)
    length = np.real((np.conj(v) * dv).sum(axis=-2, keepdims=True))
    turn = np.imag((largest * dv).sum(axis=-2, keepdims=True) / (largest * v).sum(axis=-2, keepdims=True))
    return diagonal(change), dv - v * (length + 1j * turn)


def _eigvals_jvp(t: Any, out: Any, a: Any) -> Any:
    _, v = eig_p(a)
    return diagonal(np.linalg.solve(v, t @ v))


_SPIRAL = sample(np.array([[1.0, 2.0, 0.0], [-1.5, 1.0, 0.5], [0.3, 0.0, -2.0]]), label="complex pair")

eig_p = general(
    "eig",
    _eig,
    jvps=(_eig_jvp,),
    aval=lambda a: (Aval(a.shape[:-1], _complex(a.dtype)), Aval(a.shape, _complex(a.dtype))),
    batch=leading_axes(lambda: eig_p),
    multiple=True,
    keeps=False,
    samples=[*square_samples("eig"), _SPIRAL],
    source="Giles 2008, section 3.1; LAPACK's geev scales vectors to norm 1 with a real largest component",
    numpy=(np.linalg.eig,),
)
eigvals_p = general(
    "eigvals",
    lambda a: np.linalg.eigvals(a).astype(_complex(a.dtype), copy=False),
    jvps=(_eigvals_jvp,),
    aval=lambda a: Aval(a.shape[:-1], _complex(a.dtype)),
    batch=leading_axes(lambda: eigvals_p),
    keeps_out=False,
    samples=[*square_samples("eig"), _SPIRAL],
    source="Giles 2008, section 3.1",
    numpy=(np.linalg.eigvals,),
)
