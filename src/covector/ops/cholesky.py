"""The Cholesky factor and its derivative, stacked over leading axes.

Both directions of the derivative go through the factor by blocks of columns, as the factorization does, at about twice
its cost; each is the transpose of the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..core.cotangents import unbroadcast
from ..core.primitive import Primitive, Routine
from ..core.values import Aval, Shape
from . import small_matrices as small
from .eigenvalues import hermitian_samples
from .families import batch_elementwise, general, like, transpose_term
from .linalg import leading_axes, mH, real_dtype
from .samples import deferred, draw, sample

__all__ = ["cholesky_cotangent_p", "cholesky_p", "cholesky_tangent_p"]

_BLOCK = 64
_SOURCE = "Murray 2016, Differentiation of the Cholesky decomposition, eq. 8 and section 3.3"


def _half(n: int, dtype: Any) -> Any:
    """The mask of the lower triangle with half of the diagonal."""
    return np.tri(n, dtype=dtype) - np.eye(n, dtype=dtype) / 2


def _blocks(n: int) -> Iterator[tuple[slice, slice, slice]]:
    """Columns before, of, and after each block of columns."""
    for start in range(0, n, _BLOCK):
        stop = min(start + _BLOCK, n)
        yield slice(0, start), slice(start, stop), slice(stop, n)


def _prepared(factor: Any, change: Any) -> tuple[Any, Any]:
    """Return the factor and a copy of the lower triangle of `change`, in a common shape and dtype."""
    shape = np.broadcast_shapes(factor.shape, change.shape)
    out = np.zeros(shape, np.result_type(factor, change))
    return factor, np.add(out, np.tril(change), out=out)


def _tangent(factor: Any, t: Any) -> Any:
    """With L = `factor` and dA from the lower triangle of `t`: dL = L Φ(L⁻¹ dA L⁻ᴴ), Φ halving the diagonal."""
    factor, out = _prepared(factor, t)
    for before, here, after in _blocks(out.shape[-1]):
        top, d_top = factor[..., here, before], out[..., here, before]
        low = np.tril(factor[..., here, here])
        inverse = np.linalg.inv(low)
        block = out[..., here, here]
        half = _half(low.shape[-1], real_dtype(out.dtype))
        block = half * block - d_top @ mH(top)
        change = low @ (half * (inverse @ (block + mH(block)) @ mH(inverse)))
        out[..., here, here] = change
        if after.start < after.stop:
            rest = out[..., after, here] - out[..., after, before] @ mH(top) - factor[..., after, before] @ mH(d_top)
            out[..., after, here] = (rest - factor[..., after, here] @ mH(change)) @ mH(inverse)
    return out


def _cotangent(factor: Any, ct: Any) -> Any:
    """The transpose of `_tangent`: twice the lower triangle of L⁻ᴴ P L⁻¹, P the Hermitian part of Φ(Lᴴ `ct`)."""
    factor, out = _prepared(factor, np.conj(ct))
    for before, here, after in reversed(list(_blocks(out.shape[-1]))):
        top, low = factor[..., here, before], np.tril(factor[..., here, here])
        inverse = np.linalg.inv(low)
        half = _half(low.shape[-1], real_dtype(out.dtype))
        right = out[..., after, here] @ inverse
        block = half * (mH(low) @ (out[..., here, here] - mH(right) @ factor[..., after, here]))
        block = mH(inverse) @ (block + mH(block)) @ inverse
        out[..., after, here] = right
        out[..., after, before] -= right @ top
        out[..., here, before] -= mH(right) @ factor[..., after, before] + block @ top
        out[..., here, here] = half * (block + mH(block)) / 2
    return np.tril(np.conj(out))  # and no negative zeros above


# --- derivatives of the derivative ------------------------------------------------------------------------------------


def _tangent_by_factor(dl: Any, out: Any, factor: Any, t: Any) -> Any:
    """With E = L⁻¹ dL, Y = L⁻¹ out and X = Y + Yᴴ: L (E Y − Φ(E X + X Eᴴ))."""
    factor = np.tril(factor)  # nothing else is read, which the derivative of this must know
    y, e = np.linalg.solve(factor, out), np.linalg.solve(factor, np.tril(dl))
    z = e @ (y + mH(y))
    return factor @ (e @ y - _half(out.shape[-1], real_dtype(out.dtype)) * (z + mH(z)))


def _cotangent_by_factor(dl: Any, out: Any, factor: Any, ct: Any) -> Any:
    """With S = L⁻ᴴ P L⁻¹, which is in `out`: the transpose at L⁻ᴴ dLᴴ ct, less the part of S dL L⁻¹ and its adjoint."""
    factor, dl = np.tril(factor), np.tril(dl)
    half = _half(out.shape[-1], real_dtype(out.dtype))
    full = np.conj(out)
    strict = np.tril(full, -1) / 2
    full = strict + mH(strict) + full * np.eye(out.shape[-1], dtype=half.dtype)
    w = np.linalg.solve(mH(factor), mH(full @ dl))
    moved = np.linalg.solve(mH(factor), mH(dl) @ np.tril(np.conj(ct)))
    return cholesky_cotangent_p(factor, np.conj(moved)) - np.conj(2 * half * (w + mH(w)))


def _pair(name: str, impl: Any, by_factor: Any, transposed: Any, samples: Sequence[Any]) -> Primitive:
    """Declare one of the two, which is linear in its second argument and transposed by the other."""

    def jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
        dl, dt = tangents
        terms = [] if dt is None else [primitive(args[0], dt)]
        if dl is not None:
            terms.append(by_factor(dl, out, *args))
        return like(sum(terms[1:], terms[0]), out)

    def vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any]) -> list[Any]:
        by = lambda dl: by_factor(dl, out, *args)
        return [
            transpose_term(by, args[0], ct, False) if wanted[0] else None,
            unbroadcast(transposed()(args[0], ct), args[1]) if wanted[1] else None,
        ]

    primitive = Primitive(
        name,
        impl,
        lambda a, t: Aval(np.broadcast_shapes(a.shape, t.shape), np.result_type(a.dtype, t.dtype)),
        jvp,
        vjp,
        batch_elementwise(lambda: primitive),  # two stacks, which need not have the same rank
        lower=Routine(name),
        samples=samples,
        source=_SOURCE,
        family="general",
    )
    return primitive


@deferred
def _factor(shape: Shape, dtype: Any = float) -> Any:
    x = draw(shape, dtype, -0.5, 0.5, key="factor")()
    return np.tril(x, -1) + np.diag(np.arange(1, shape[-1] + 1)).astype(dtype)


def _samples() -> list[Any]:
    return [
        sample(_factor((3, 3)), draw((3, 3)), label="3x3"),
        sample(_factor((2, 2, 2)), draw((2, 2, 2)), label="stack"),
        sample(_factor((2, 2)), draw((3, 2, 2)), label="one factor, stacked changes"),
        sample(_factor((2, 2), np.float32), draw((2, 2), np.float32, key="single"), label="float32"),
        sample(_factor((3, 3), complex), draw((3, 3), complex), label="complex"),
        sample(_factor((1, 1)), draw((1, 1)), label="1x1"),
        sample(draw((0, 0)), draw((0, 0)), label="empty"),
    ]


cholesky_tangent_p = _pair("cholesky_tangent", _tangent, _tangent_by_factor, lambda: cholesky_cotangent_p, _samples())
cholesky_cotangent_p = _pair(
    "cholesky_cotangent", _cotangent, _cotangent_by_factor, lambda: cholesky_tangent_p, _samples()
)

cholesky_p = general(
    "cholesky",
    np.linalg.cholesky,
    jvps=(lambda t, out, a: cholesky_tangent_p(out, t),),
    aval=lambda a: Aval(a.shape, a.dtype),
    batch=leading_axes(lambda: cholesky_p),
    keeps=False,
    lower=Routine("cholesky", small.cholesky, small.fits),
    samples=hermitian_samples(),
    source=_SOURCE + "; only the lower triangle is read",
    numpy=(np.linalg.cholesky,),
)
