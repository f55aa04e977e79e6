"""Sylvester's equation A X + X B = Q, stacked over leading axes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.cotangents import unbroadcast
from ...core.primitive import Primitive
from ...core.values import Aval, Shape
from ..contraction import mT
from ..families import like
from ..samples import draw, sample
from .common import each_matrix, line_up, spread

__all__ = ["sylvester_one", "sylvester_p"]


def sylvester_one(a: Any, b: Any, q: Any) -> Any:
    """Solve A X + X B = Q for one matrix of each; all have the same dtype."""
    from scipy.linalg import schur
    from scipy.linalg.lapack import get_lapack_funcs

    r, u = schur(a, output="real")
    s, v = schur(np.conj(b.T), output="real")
    (trsyl,) = get_lapack_funcs(("trsyl",), (r, s, q))
    y, scale, info = trsyl(r, s, np.conj(u.T) @ q @ v, tranb="C")
    if info:
        warnings.warn(
            "the equation a x + x b = q is singular or nearly so: an eigenvalue of a and one of b sum to about zero; "
            "the solution is that of a perturbed equation",
            RuntimeWarning,
            stacklevel=2,
        )
    return u @ (scale * y) @ np.conj(v.T)


def _sylvester(a: Any, b: Any, q: Any) -> Any:
    dtype = np.result_type(a, b, q)
    if not q.size or not a.size or not b.size:
        return np.zeros(_shape(a, b, q), dtype)
    return each_matrix(sylvester_one, *(x.astype(dtype, copy=False) for x in (a, b, q)))


def _shape(a: Any, b: Any, q: Any) -> Shape:
    return np.broadcast_shapes(a.shape[:-2], b.shape[:-2], q.shape[:-2]) + q.shape[-2:]


def _jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
    (a, b, _), (da, db, dq) = args, tangents
    terms = [] if dq is None else [dq]
    if da is not None:
        terms.append(-(da @ out))
    if db is not None:
        terms.append(-(out @ db))
    return like(sylvester_p(a, b, sum(terms[1:], terms[0])), out)


def _vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any]) -> list[Any]:
    a, b, q = args
    w = sylvester_p(mT(a), mT(b), ct)
    return [
        unbroadcast(-(w @ mT(out)), a) if wanted[0] else None,
        unbroadcast(-(mT(out) @ w), b) if wanted[1] else None,
        unbroadcast(w, q) if wanted[2] else None,
    ]


def _three(m: int, n: int, dtype: Any = float, stack: Shape = ()) -> tuple[Any, Any, Any]:
    return spread((*stack, m, m), dtype), spread((n, n), dtype, "b"), draw((*stack, m, n), dtype, key="q")


sylvester_p = Primitive(
    "sylvester",
    _sylvester,
    lambda a, b, q: Aval(_shape(a, b, q), np.result_type(a.dtype, b.dtype, q.dtype)),
    _jvp,
    _vjp,
    line_up(lambda: sylvester_p),
    samples=[
        sample(*_three(3, 2), label="3x2"),
        sample(*_three(2, 2, stack=(2,)), label="stack"),
        sample(*_three(2, 3, np.float32), label="float32"),
        sample(*_three(2, 2, complex), label="complex"),
        sample(spread((2, 2)), spread((2, 2), complex), draw((2, 2)), label="real, complex"),
        sample(*_three(1, 1), label="1x1"),
        sample(draw((0, 0)), draw((2, 2)), draw((0, 2)), label="empty"),
    ],
    source="A dX + dX B = dQ − dA X − X dB; Bartels & Stewart 1972, Solution of the matrix equation AX + XB = C",
    family="general",
)
