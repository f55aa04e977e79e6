"""What the files of this folder share: stacks of matrices, and samples of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.cotangents import unbroadcast
from ...core.primitive import Rule, bind
from ...core.values import Shape
from ..contraction import contract_p, mT
from ..samples import deferred, draw

__all__ = ["blocks", "each_matrix", "line_up", "outer_sum", "spread"]


def line_up(primitive: Callable[[], Any]) -> Rule:
    """Batching rule of a function of several stacks of matrices, whose leading axes broadcast.

    One matrix for all lanes stays one, so that it is factorized once.
    """

    def batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], **params: Any) -> Any:
        rank = max(x.ndim - lane for x, lane in zip(args, batched, strict=True))
        lined_up = []
        for x, lane in zip(args, batched, strict=True):
            ones = (1,) * (rank + lane - x.ndim)
            lined_up.append(x.reshape(x.shape[:1] + ones + x.shape[1:]) if lane and ones else x)
        return bind(primitive(), lined_up, params)

    return batch


def outer_sum(w: Any, x: Any, a: Any) -> Any:
    """Return w xᵀ summed over the stack axes that `a` does not have."""
    if a.ndim == 2 and w.ndim > 2:
        stack = tuple(range(3, w.ndim + 1))
        return contract_p(w, x, spec=((*stack, 0, 2), (*stack, 1, 2), (0, 1)))
    return unbroadcast(w @ mT(x), a)


def each_matrix(function: Callable[..., Any], *stacks: Any) -> Any:
    """Apply `function` to every matrix of stacks that broadcast, for routines that LAPACK has for one matrix only."""
    shape = np.broadcast_shapes(*(x.shape[:-2] for x in stacks))
    if not shape:
        return function(*stacks)
    stacks = tuple(np.broadcast_to(x, shape + x.shape[-2:]) for x in stacks)
    results = [function(*(x[at] for x in stacks)) for at in np.ndindex(shape)]
    if not isinstance(results[0], tuple):
        return np.stack(results).reshape(shape + results[0].shape)
    return tuple(np.stack(r).reshape(shape + r[0].shape) for r in zip(*results, strict=True))


def blocks(a: Any, b: Any) -> Any:
    """Return the block triangular matrices [[a, b], [0, a]]."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    dtype = np.result_type(a.dtype, b.dtype)
    a, b = (np.broadcast_to(x, shape).astype(dtype) for x in (a, b))
    above = np.concatenate([a, b], axis=-1)
    below = np.concatenate([np.zeros(shape, dtype), a], axis=-1)
    return np.concatenate([above, below], axis=-2)


@deferred
def spread(shape: Shape, dtype: Any = float, key: object = 0) -> Any:
    """Return square matrices with eigenvalues near 1, 2, 3, …, for samples."""
    return draw(shape, dtype, -0.4, 0.4, key=key)() + np.diag(np.arange(1, shape[-1] + 1)).astype(dtype)
