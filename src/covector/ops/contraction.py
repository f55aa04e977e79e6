"""Contractions: sums of products. `matmul` for speed, `contract` for every other pair of operands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..core.cotangents import unbroadcast
from ..core.dispatch import UFUNCS
from ..core.values import Aval, Shape, shape_of
from .families import multilinear
from .samples import draw, sample
from .structural import transpose_p

__all__ = ["Spec", "contract_p", "mT", "matmul_p"]

Labels = tuple[int, ...]
Spec = tuple[Labels, Labels, Labels]
"""Labels of the axes of the two operands and of the result, as the letters of ``einsum``."""


def mT(x: Any) -> Any:
    """Return `x` with its last two axes swapped."""
    n = x.ndim
    return x.T if n == 2 else transpose_p(x, axes=(*range(n - 2), n - 1, n - 2))


def _pair(a: Any, b: Any, key: str = "") -> tuple[Any, Any]:
    return draw(a, key="a" + key), draw(b, key="b" + key)


# --- matmul -----------------------------------------------------------------------------------------------------------


def _matmul(a: Any, b: Any) -> Any:
    # A stack times one matrix is one product of tall matrices; np.matmul would loop over the stack.
    if getattr(a, "ndim", 0) > 2 and b.ndim == 2 and a.flags.c_contiguous and a.shape[-1] == b.shape[0]:
        return np.matmul(_rows(a), b).reshape(a.shape[:-1] + b.shape[1:])
    return np.matmul(a, b)


def _rows(x: Any) -> Any:
    return x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _matmul_shape(a: Shape, b: Shape) -> Shape:
    if not a or not b:
        raise ValueError("matmul: scalar operands are not allowed, use '*' instead")
    if a[-1] != b[-2 if len(b) > 1 else 0]:
        raise ValueError(f"matmul: the summed axes of shapes {a} and {b} have different lengths")
    return np.broadcast_shapes(a[:-2], b[:-2]) + a[-2:-1] + (b[-1:] if len(b) > 1 else ())


def _matmul_left(ct: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return ct * b if a.ndim == 1 else ct.reshape((*ct.shape, 1)) * b
    if a.ndim == 2 and b.ndim == 2:
        return ct @ b.T
    if a.ndim == 1 and b.ndim == 2:
        return b @ ct
    if a.ndim <= 2:
        stack = tuple(range(3, b.ndim + 1))
        rows = (0,) * (a.ndim - 1)
        return contract_p(ct, b, spec=((*stack, *rows, 2), (*stack, 1, 2), (*rows, 1)))
    return unbroadcast(matmul_p(ct, mT(b)), a)


def _matmul_right(ct: Any, a: Any, b: Any) -> Any:
    if a.ndim == 1:
        return ct * a if b.ndim == 1 else ct.reshape((*ct.shape[:-1], 1, ct.shape[-1])) * a.reshape((-1, 1))
    if b.ndim == 1:
        return ct @ a if a.ndim == 2 else ct.reshape((ct.size,)) @ _rows(a)
    if b.ndim == 2:
        return a.T @ ct if a.ndim == 2 else _rows(a).T @ _rows(ct)
    return unbroadcast(mT(a) @ ct, b)


def _matmul_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool]) -> Any:
    """Keep an operand without batch as it is, so that a batch of vectors times one matrix is one matrix product."""
    (a, b), (a_batched, b_batched) = args, batched
    a_rank, b_rank = len(shape_of(a)) - a_batched, len(shape_of(b)) - b_batched
    if not a_rank or not b_rank:
        raise ValueError("matmul: scalar operands are not allowed, use '*' instead")
    if b_rank == 1 and b_batched and not a_batched and a_rank <= 2:
        return matmul_p(b, a.T)
    if not b_batched and (b_rank <= 2 or 2 <= b_rank <= a_rank):
        return matmul_p(a, b)
    if not a_batched and b_rank >= 2 and (a_rank == 1 or a_rank <= b_rank):
        return matmul_p(a, b)
    rank = max(a_rank, b_rank, 2)
    out = np.matmul(_stacked(a, a_batched, rank, row=True), _stacked(b, b_batched, rank, row=False))
    keep = tuple(n for i, n in enumerate(out.shape) if (i != rank - 1 or a_rank > 1) and (i != rank or b_rank > 1))
    return out.reshape(keep)


def _stacked(x: Any, batched: bool, rank: int, row: bool) -> Any:
    """Return `x` as a stack of matrices of `rank` axes per lane; a vector becomes a row or a column."""
    shape = x.shape[batched:]
    if len(shape) == 1:
        shape = (1, *shape) if row else (*shape, 1)
    ones = (1,) * (rank - len(shape))
    return x.reshape((x.shape[:1] if batched else ()) + ones + shape)


_MATMUL: list[tuple[Shape, Shape]] = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((2, 2, 3), (3, 2)),
    ((2, 3), (4, 3, 2)),
    ((3,), (2, 3, 2)),
    ((2, 2, 3), (3,)),
    ((2, 1, 2, 3), (3, 3, 2)),
    ((2, 0), (0, 3)),
]


def _matmul_lower(b: Any, x: Any, y: Any) -> Any:
    # Labels: -1 summed, -2 rows, -3 columns, and the stack counted from the back.
    stack = lambda rank: tuple(range(rank - 3, -1, -1))
    i = (*stack(x.ndim), -2, -1) if x.ndim > 1 else (-1,)
    j = (*stack(y.ndim), -1, -3) if y.ndim > 1 else (-1,)
    longer = max(x.ndim, y.ndim)
    k = (*stack(longer), *((-2,) if x.ndim > 1 else ()), *((-3,) if y.ndim > 1 else ()))
    return b.contract(x, y, (i, j, k))


matmul_p = multilinear(
    "matmul",
    _matmul,
    transposes=(_matmul_left, _matmul_right),
    lower=_matmul_lower,
    aval=lambda a, b: Aval(_matmul_shape(a.shape, b.shape), np.result_type(a.dtype, b.dtype)),
    batch=_matmul_batch,
    samples=[
        *[sample(*_pair(a, b), label=f"{list(a)}@{list(b)}") for a, b in _MATMUL],
        sample(draw((2, 2), np.float32), draw((2, 3), np.float32), label="float32"),
        sample(draw((2, 2), np.float32), draw((2,), float), label="float32,float64"),
        *[
            sample(draw(a, complex), draw(b, complex, key=1), label=f"complex{list(a)}@{list(b)}")
            for a, b in _MATMUL[:-1]
        ],
        sample(draw((2, 2)), draw((2,), complex), label="real,complex"),
    ],
    numpy=(np.matmul,),
)
UFUNCS[np.matmul] = matmul_p


# --- contract ---------------------------------------------------------------------------------------------------------
# out[k…] = Σ a[i…] b[j…] over the labels that are not in k. Every operand's labels differ from each other and every
# label stands in at least two of i, j, k, so that exchanging k with i or j gives the transposes: the same primitive.


class _Plan(NamedTuple):
    """How to bring a contraction into the form stack × rows × summed times stack × summed × columns."""

    a_order: Labels
    b_order: Labels
    stack: int
    summed: int
    out_order: Labels


@lru_cache(maxsize=4096)
def _plan(spec: Spec, b_leads: bool) -> _Plan:
    i, j, k = spec
    stack = [x for x in k if x in i and x in j]
    rows = [x for x in k if x not in j]
    columns = [x for x in k if x not in i]
    # The summed axes keep the order they have in the larger operand, which then need not be copied.
    summed = [x for x in (j if b_leads else i) if x not in k]
    now = [*stack, *rows, *columns]
    return _Plan(
        tuple(i.index(x) for x in stack + rows + summed),
        tuple(j.index(x) for x in stack + summed + columns),
        len(stack),
        len(summed),
        tuple(now.index(x) for x in k),
    )


def _contract(a: Any, b: Any, *, spec: Spec) -> Any:
    plan = _plan(spec, b.size > a.size)
    n = plan.stack
    a = a.transpose(plan.a_order)
    b = b.transpose(plan.b_order)
    rows = a.shape[n : a.ndim - plan.summed]
    columns = b.shape[n + plan.summed :]
    if plan.summed:
        depth = math.prod(b.shape[n : n + plan.summed])
        left = _for_blas(a.reshape((*a.shape[:n], math.prod(rows), depth)))
        right = _for_blas(b.reshape((*b.shape[:n], depth, math.prod(columns))))
        out = np.matmul(left, right)
        out = out.reshape((*out.shape[:n], *rows, *columns))
    else:
        out = a.reshape(a.shape + (1,) * len(columns)) * b.reshape(b.shape[:n] + (1,) * len(rows) + columns)
    return out.transpose(plan.out_order) if out.ndim else out[()]


def _for_blas(x: Any) -> Any:
    """Return `x` with one of its last two axes contiguous; otherwise np.matmul would not use BLAS."""
    return x if x.itemsize in x.strides[-2:] else np.ascontiguousarray(x)


def _contract_aval(a: Aval, b: Aval, *, spec: Spec) -> Aval:
    sizes = dict(zip(spec[0] + spec[1], a.shape + b.shape, strict=True))
    return Aval(tuple(sizes[x] for x in spec[2]), np.result_type(a.dtype, b.dtype))


def _contract_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, spec: Spec) -> Any:
    i, j, k = spec
    lane = 1 + max((*i, *j), default=-1)
    return contract_p(*args, spec=((lane, *i) if batched[0] else i, (lane, *j) if batched[1] else j, (lane, *k)))


_CONTRACT: list[tuple[Shape, Shape, Spec]] = [
    ((2, 3), (3, 4), ((0, 1), (1, 2), (2, 0))),
    ((2, 3), (2, 3), ((0, 1), (0, 1), (0,))),
    ((2, 3), (3, 2), ((0, 1), (1, 0), ())),
    ((2,), (3,), ((0,), (1,), (1, 0))),
    ((2, 3, 2), (2, 2, 4), ((0, 1, 2), (2, 0, 3), (3, 0, 1))),
    ((2,), (2,), ((0,), (0,), (0,))),
    ((), (2,), ((), (0,), (0,))),
    ((0, 2), (2, 0), ((0, 1), (1, 0), (1,))),
]

contract_p = multilinear(
    "contract",
    _contract,
    transposes=(
        lambda ct, a, b, *, spec: contract_p(ct, b, spec=(spec[2], spec[1], spec[0])),
        lambda ct, a, b, *, spec: contract_p(a, ct, spec=(spec[0], spec[2], spec[1])),
    ),
    lower=lambda b, x, y, *, spec: b.contract(x, y, spec),
    aval=_contract_aval,
    batch=_contract_batch,
    samples=[
        *[sample(*_pair(a, b, "c"), spec=s, label=f"{list(a)},{list(b)} {s}") for a, b, s in _CONTRACT],
        sample(draw((2, 2), np.float32), draw((2, 2), np.float32), spec=((0, 1), (1, 2), (0, 2)), label="float32"),
        sample(draw((2,), complex), draw((2,), complex, key=1), spec=((0,), (0,), ()), label="complex"),
    ],
    numpy=(np.einsum, np.tensordot),
)
