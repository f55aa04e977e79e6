"""Triangular equations, stacked over leading axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.cotangents import unbroadcast
from ...core.primitive import Primitive, Routine
from ...core.values import Aval
from ..contraction import mT
from ..families import like
from ..samples import draw, sample
from .common import line_up, outer_sum, spread

__all__ = ["part_read", "solve_triangular_p"]

_BLOCK = 32
"""Up to which order a stack of triangles is solved as if it were full."""


def part_read(a: Any, lower: bool, unit: bool) -> Any:
    """Return `a` with zeros in the places that a triangular solve does not read."""
    return np.tril(a, -1 if unit else 0) if lower else np.triu(a, 1 if unit else 0)


def _solve_one(a: Any, b: Any, lower: bool, unit: bool) -> Any:
    from scipy.linalg.lapack import get_lapack_funcs

    (trtrs,) = get_lapack_funcs(("trtrs",), (a, b))
    if a.flags.f_contiguous:
        x, info = trtrs(a, b, lower=lower, unitdiag=unit)
    else:
        # LAPACK reads columns: what is stored by rows is the transpose.
        x, info = trtrs(a.T, b, lower=not lower, trans=1, unitdiag=unit)
    if info:
        raise np.linalg.LinAlgError(f"singular matrix: resolution failed at diagonal {info - 1}")
    return x


def _solve_stack(a: Any, b: Any, lower: bool) -> Any:
    """Substitution by blocks: halves of the triangle one after the other, each for the whole stack."""
    n = a.shape[-1]
    if n <= _BLOCK:
        return np.linalg.solve(a, b)
    k = n // 2
    first, last = slice(0, k), slice(k, n)
    if not lower:
        first, last = last, first
    head = _solve_stack(a[..., first, first], b[..., first, :], lower)
    tail = _solve_stack(a[..., last, last], b[..., last, :] - a[..., last, first] @ head, lower)
    return np.concatenate([head, tail] if lower else [tail, head], axis=-2)


def _solve_triangular(a: Any, b: Any, *, lower: bool, unit: bool) -> Any:
    n, m = b.shape[-2:]
    if a.ndim > 2:
        full = part_read(a, lower, unit)
        return _solve_stack(full + np.eye(n, dtype=a.dtype) if unit else full, b, lower)
    columns = np.moveaxis(b, -2, 0)
    if not b.size:
        return np.zeros(b.shape, np.result_type(a, b))
    x = _solve_one(a, columns.reshape((n, -1)), lower, unit)
    return np.moveaxis(x.reshape((n, *b.shape[:-2], m)), 0, -2)


def _jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, *, lower: bool, unit: bool) -> Any:
    (a, _), (da, db) = args, tangents
    change = None if da is None else part_read(da, lower, unit) @ out
    right = db if change is None else -change if db is None else db - change
    return like(solve_triangular_p(a, right, lower=lower, unit=unit), out)


def _vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any], *, lower: bool, unit: bool) -> list[Any]:
    a, b = args
    w = solve_triangular_p(mT(a), ct, lower=not lower, unit=unit)
    return [
        part_read(-outer_sum(w, out, a), lower, unit) if wanted[0] else None,
        unbroadcast(w, b) if wanted[1] else None,
    ]


def _aval(a: Aval, b: Aval, **_: Any) -> Aval:
    return Aval(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + b.shape[-2:], np.result_type(a.dtype, b.dtype))


_LOWER, _UPPER = {"lower": True, "unit": False}, {"lower": False, "unit": False}

solve_triangular_p = Primitive(
    "solve_triangular",
    _solve_triangular,
    _aval,
    _jvp,
    _vjp,
    line_up(lambda: solve_triangular_p),
    lower=Routine("solve_triangular"),
    samples=[
        sample(spread((3, 3)), draw((3, 2)), label="lower", **_LOWER),
        sample(spread((3, 3)), draw((3, 2)), label="upper", **_UPPER),
        sample(spread((3, 3)), draw((3, 1)), label="unit diagonal", lower=True, unit=True),
        sample(spread((2, 2)), draw((3, 2, 1)), label="one matrix, stacked sides", **_UPPER),
        sample(spread((3, 2, 2)), draw((2, 2)), label="stacked matrices, one side", lower=False, unit=True),
        sample(spread((2, 1, 2, 2)), draw((3, 2, 1)), label="broadcast stacks", **_LOWER),
        sample(spread((2, 2), np.float32), draw((2, 1), np.float32), label="float32", **_LOWER),
        sample(spread((2, 2), complex), draw((2, 2), complex), label="complex", **_UPPER),
        sample(spread((2, 2)), draw((2, 1), complex), label="real, complex", **_LOWER),
        sample(spread((1, 1)), draw((1, 1)), label="1x1", **_LOWER),
        sample(draw((0, 0)), draw((0, 2)), label="empty", **_LOWER),
    ],
    source="x = A⁻¹ b with dx = A⁻¹ (db − dA x), where dA has the part of A that is read; Giles 2008, section 2.3",
    family="general",
)
