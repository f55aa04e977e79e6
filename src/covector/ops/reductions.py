"""Reductions along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .families import batch_reduction, linear, reduced_aval, weighted
from .samples import draw, sample
from .structural import broadcast_axes

_REDUCTIONS = [
    sample(draw((3,)), axis=(0,), label="[3]"),
    sample(draw((2, 3)), axis=(0,), label="[2,3] axis 0"),
    sample(draw((2, 3)), axis=(1,), label="[2,3] axis 1"),
    sample(draw((2, 3, 2)), axis=(0, 2), label="[2,3,2] axes 0,2"),
    sample(draw((2, 3), np.float32), axis=(0, 1), label="float32 all"),
]

sum_p = linear(
    "sum",
    lambda x, *, axis: np.add.reduce(x, axis=axis),
    transpose=lambda ct, x, *, axis: broadcast_axes(ct, x.shape, axis),
    aval=reduced_aval(lambda d: np.add.reduce(np.zeros(1, d)).dtype),
    batch=batch_reduction(lambda: sum_p),
    samples=[*_REDUCTIONS, sample(draw((0, 2)), axis=(0,)), sample(draw((2, 2), complex), axis=(1,)), sample(draw(()), axis=())],
    sparsity="contracted",
    numpy=(np.sum,),
)


def _shared_ties(out: Any, x: Any, axis: tuple[int, ...]) -> Any:
    """1/k on each of the k elements that attain the extremum (NaN attains it too, as in NumPy)."""
    hit = (x == out) | ((x != x) & (out != out))
    return hit / hit.sum(axis=axis, keepdims=True, dtype=x.dtype)


max_p = weighted("max", lambda x, *, axis: np.maximum.reduce(x, axis=axis), partial=_shared_ties, samples=_REDUCTIONS, numpy=(np.max,))
min_p = weighted("min", lambda x, *, axis: np.minimum.reduce(x, axis=axis), partial=_shared_ties, samples=_REDUCTIONS, numpy=(np.min,))
