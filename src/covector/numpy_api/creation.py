"""NumPy's functions that make arrays: shaped like a traced value, or ranging between traced end points."""

from __future__ import annotations

from typing import Any

import numpy as np

from .register import implements
from .structural import as_shape, broadcast_to

__all__ = ["empty_like", "full_like", "ones_like", "zeros_like"]


# --- shaped like a traced value: constants ----------------------------------------------------------------------------


def _shape_and_dtype(a: Any, dtype: Any, shape: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    return a.shape if shape is None else as_shape(shape), a.dtype if dtype is None else np.dtype(dtype)


@implements(np.zeros_like)
def zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    return np.zeros(*_shape_and_dtype(a, dtype, shape), device=device)


@implements(np.ones_like)
def ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    return np.ones(*_shape_and_dtype(a, dtype, shape), device=device)


@implements(np.empty_like)
def empty_like(
    prototype: Any, /, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Any:
    return np.empty(*_shape_and_dtype(prototype, dtype, shape), device=device)
