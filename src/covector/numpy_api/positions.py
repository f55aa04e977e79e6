"""NumPy's functions that convert and compute positions: traced integers in, traced integers out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, caller
from .axes import normalize_axis
from .register import implements
from .selecting import as_mask
from .structural import as_array, as_shape, reshape

__all__ = ["ix_", "ravel_multi_index", "trim_zeros", "unravel_index"]


def _order(order: str) -> bool:
    """Whether the first axis varies slowest."""
    if order not in ("C", "F"):
        raise ValueError(f"only 'C' or 'F' order is permitted, got {order!r}")
    return order == "C"


@implements(np.unravel_index)
def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Any, ...]:
    rest = as_array(indices, "np.unravel_index")
    out = []
    axes = as_shape(shape)
    # Positions beyond the end cannot be seen here: under vmap their values are not there to be looked at.
    for n in axes[::-1] if _order(order) else axes:
        out.append(rest % n)
        rest = rest // n
    return tuple(out[::-1] if order == "C" else out)


@implements(np.ravel_multi_index)
def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    if mode != "raise":
        raise NotDifferentiableError(
            f"np.ravel_multi_index with mode={mode!r} of traced integers at {caller()} is not supported; "
            f"apply `%` or np.clip to the indices first"
        )
    shape = as_shape(dims)
    axes = range(len(shape))
    slow_first = _order(order)
    flat: Any = 0
    for axis, index in zip(axes, multi_index, strict=True):
        flat = flat + index * math.prod(shape[axis + 1 :] if slow_first else shape[:axis])
    return flat


@implements(np.ix_)
def ix_(*args: Any) -> tuple[Any, ...]:
    out = []
    for k, x in enumerate(args):
        x = as_array(x, "np.ix_")
        if x.ndim != 1:
            raise ValueError("Cross index must be 1 dimensional")
        if x.dtype.kind == "b":
            x = np.flatnonzero(as_mask(x, "np.ix_"))
        out.append(reshape(x, (1,) * k + (x.size,) + (1,) * (len(args) - k - 1)))
    return tuple(out)


@implements(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    ends = trim.lower()
    if ends not in ("fb", "bf", "f", "b"):
        raise ValueError(f"unexpected character(s) in `trim`: {trim!r}")
    mask = as_mask(filt, "np.trim_zeros")
    axes = range(filt.ndim) if axis is None else [normalize_axis(i, filt.ndim) for i in np.atleast_1d(axis)]
    index = [slice(None)] * filt.ndim
    for i in axes:
        taken = np.flatnonzero(mask.any(axis=tuple(j for j in range(filt.ndim) if j != i)))
        if taken.size:
            index[i] = slice(taken[0] if "f" in ends else None, taken[-1] + 1 if "b" in ends else None)
        else:
            index[i] = slice(0, 0)
    return filt[tuple(index)]
