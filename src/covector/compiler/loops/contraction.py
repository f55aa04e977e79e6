"""Sums of products: which become loops that fuse with their surroundings, and which calls of BLAS."""

from __future__ import annotations

import math
from typing import Any

from ...core.graph import Var
from ..linalg.dot import dot_call
from .definitions import Dot, Map, Reduce
from .operations import Unsupported

__all__ = ["contraction"]

_UNROLLED = 16  # longest sum that is written out
_THIN = 64  # elements of a small matrix that a long one is multiplied with in loops
_ACROSS = 1 << 14  # entries from which BLAS is faster at products of a vector with the columns of a matrix
_SMALL = 8**3  # multiplications up to which BLAS costs more than it brings


def contraction(b: Any, x: Any, y: Any, spec: Any) -> Map | Reduce | Dot:
    """Return the definition of ``out[k…] = Σ x[i…] y[j…]``; a label of an axis of length 1 may stand for more."""
    i, j, k = spec
    sizes: dict[int, int] = {}
    for label, n in zip((*i, *j, *k), (*x.shape, *y.shape, *b.out.shape), strict=True):
        sizes[label] = n if n != 1 else sizes.get(label, 1)
    summed = [label for label in dict.fromkeys((*i, *j)) if label not in k]
    extent = [sizes[label] for label in summed]

    def term(index: Any, r: Any) -> Any:
        at = dict(zip(k, index, strict=True)) | dict(zip(summed, r, strict=True))
        left = x(*[0 if n == 1 else at[label] for label, n in zip(i, x.shape, strict=True)])
        right = y(*[0 if n == 1 else at[label] for label, n in zip(j, y.shape, strict=True)])
        return b.apply("multiply", b.convert(left), b.convert(right))

    def written_out(*index: Any) -> Any:
        total = None
        for flat in range(math.prod(extent)):
            r = []
            for n in reversed(extent):
                flat, rest = divmod(flat, n)
                r.append(rest)
            t = term(index, r[::-1])
            total = t if total is None else b.apply("add", total, t)
        return total

    depth = math.prod(extent)
    if b.out.dtype.kind == "b" or depth == 0:
        raise Unsupported("this product")
    if not summed:
        return b.map(lambda *index: term(index, ()), cost=1)
    wide = lambda labels, shape: math.prod([n for label, n in zip(labels, shape, strict=True) if label in k])
    both = [label for label in k if label in i and label in j]
    stack = math.prod([sizes[label] for label in both])
    rows, columns = wide(i, x.shape) // max(stack, 1), wide(j, y.shape) // max(stack, 1)
    thin = depth * min(rows, columns) <= _THIN
    if depth <= _UNROLLED and (rows * columns * depth <= _SMALL or thin):
        return b.map(written_out, cost=2 * depth)
    if min(rows, columns) == 1 == stack and b.out.dtype.kind == "f" and _read_across(b, x, i, y, j, summed):
        return dot_call(b, x, y, spec, sizes) or b.reduce("add", extent, term, cost=1)
    if min(rows, columns) <= 1 or b.out.dtype.kind not in "fc" or stack * rows * columns * depth <= _SMALL:
        return b.reduce("add", extent, term, cost=1)
    return dot_call(b, x, y, spec, sizes) or b.reduce("add", extent, term, cost=1)


def _read_across(b: Any, x: Any, i: Any, y: Any, j: Any, summed: Any) -> bool:
    """Whether the larger operand is a stored matrix that our loops would read down its columns."""
    matrix, labels = (x, i) if x.size > y.size else (y, j)
    given = type(matrix.x) is Var and matrix.x.index not in b.lowered.made_by
    return given and matrix.ndim == 2 and matrix.size >= _ACROSS and labels[0] in summed and labels[1] not in summed
