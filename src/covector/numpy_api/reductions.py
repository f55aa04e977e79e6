"""NumPy's reductions in terms of primitives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.reductions import max_p, min_p, sum_p
from .axes import all_axes, is_default
from .register import implements, no_out


def _keepdims(result: Any, shape: tuple[int, ...], axes: tuple[int, ...], keepdims: Any) -> Any:
    if not is_default(keepdims) and keepdims:
        return result.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape)))
    return result


@implements(np.sum)
def sum(  # noqa: A001
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = None, initial: Any = None, where: Any = None
) -> Any:
    no_out("sum", out)
    if dtype is not None:
        a = a.astype(dtype)
    if not is_default(where) and where is not True:
        a = np.where(where, a, a.dtype.type(0))
    axes = all_axes(axis, a.ndim)
    result = _keepdims(sum_p(a, axis=axes), a.shape, axes, keepdims)
    return result if is_default(initial) else result + initial
