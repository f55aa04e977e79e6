"""NumPy's shape functions in terms of primitives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops.structural import broadcast_p, reshape_p, transpose_p
from .axes import normalize_axis
from .register import implements


@implements(np.reshape)
def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    wanted = tuple(shape) if hasattr(shape, "__iter__") else (shape,)
    wanted = tuple(int(n) for n in wanted)
    if -1 in wanted:
        known = math.prod(n for n in wanted if n != -1)
        if wanted.count(-1) > 1 or known == 0 or a.size % known:
            raise ValueError(f"cannot reshape array of size {a.size} into shape {wanted}")
        wanted = tuple(a.size // known if n == -1 else n for n in wanted)
    if math.prod(wanted) != a.size:
        raise ValueError(f"cannot reshape array of size {a.size} into shape {wanted}")
    if wanted == a.shape:
        return a
    if order == "F":
        flipped = reshape_p(transpose(a), shape=wanted[::-1])
        return transpose(flipped)
    return reshape_p(a, shape=wanted)


@implements(np.transpose)
def transpose(a: Any, axes: Any = None) -> Any:
    order = tuple(range(a.ndim))[::-1] if axes is None else tuple(normalize_axis(i, a.ndim) for i in axes)
    if sorted(order) != list(range(a.ndim)):
        raise ValueError("axes don't match array")
    return a if order == tuple(range(a.ndim)) else transpose_p(a, axes=order)


@implements(np.broadcast_to)
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    wanted = tuple(shape) if hasattr(shape, "__iter__") else (shape,)
    if np.broadcast_shapes(array.shape, wanted) != wanted:
        raise ValueError(f"cannot broadcast an array of shape {array.shape} to shape {wanted}")
    offset = len(wanted) - array.ndim
    return broadcast_p(array, shape=wanted, axes=tuple(range(offset, len(wanted))))


@implements(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    sources = [normalize_axis(i, a.ndim) for i in (source if hasattr(source, "__iter__") else (source,))]
    targets = [normalize_axis(i, a.ndim) for i in (destination if hasattr(destination, "__iter__") else (destination,))]
    order = [i for i in range(a.ndim) if i not in sources]
    for target, origin in sorted(zip(targets, sources, strict=True)):
        order.insert(target, origin)
    return transpose(a, order)
