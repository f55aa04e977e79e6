"""What counts as an array, and the abstract value (shape and dtype) of one."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "SCALAR_TYPES",
    "WEAK_FAMILIES",
    "Aval",
    "aval_of",
    "dtype_of",
    "is_differentiable",
    "is_plain",
    "is_weak",
    "shape_of",
    "strong",
]

Shape = tuple[int, ...]

SCALAR_TYPES = (float, int, complex, bool)
_WEAK = frozenset(SCALAR_TYPES)
_DTYPES = {
    float: np.dtype(float),
    int: np.dtype(int),
    complex: np.dtype(complex),
    bool: np.dtype(bool),
}


class Aval(NamedTuple):
    """The shape and dtype of an array; `weak` marks a Python scalar, which never decides a result's dtype."""

    shape: Shape
    dtype: np.dtype[Any]
    weak: bool = False

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def __repr__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


def is_plain(x: object) -> bool:
    """Whether `x` is an array in the sense of the contract, and not a traced one."""
    return isinstance(x, (np.ndarray, np.generic, *SCALAR_TYPES))


WEAK_FAMILIES = frozenset({"elementwise", "choice"})
"""Families of primitives in which a Python number gives way to arrays (NEP 50): the ufuncs and `where`."""


def strong(x: Any) -> Any:
    """Return `x` with a Python number made a NumPy scalar, as all other functions do."""
    return dtype_of(x).type(x) if is_weak(x) else x


def is_weak(x: object) -> bool:
    """Whether `x` is a Python scalar, whose dtype gives way to any array's (NEP 50)."""
    return type(x) in _WEAK


def shape_of(x: Any) -> Shape:
    """The shape of an array, traced value, abstract value or Python scalar."""
    try:
        return x.shape  # type: ignore[no-any-return]
    except AttributeError:
        return ()


def dtype_of(x: Any) -> np.dtype[Any]:
    """The dtype of an array, traced value, abstract value or Python scalar."""
    try:
        return x.dtype  # type: ignore[no-any-return]
    except AttributeError:
        return _DTYPES[type(x)]


def aval_of(x: Any) -> Aval:
    """The abstract value of an array, traced value or Python scalar."""
    try:
        return Aval(x.shape, x.dtype)
    except AttributeError:
        return Aval((), _DTYPES[type(x)], True)


def is_differentiable(dtype: np.dtype[Any]) -> bool:
    """Whether values of `dtype` are real or complex numbers; integers and bools are constants."""
    return dtype.kind in "fc"
