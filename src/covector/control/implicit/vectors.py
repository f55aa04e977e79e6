"""Lists of arrays as one real vector.

A complex number counts as two real ones. A map that is linear over the real numbers, as the derivative of any complex
function is, is then a matrix like every other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core.values import Aval

__all__ = ["Layout", "layout_of"]


class Layout(NamedTuple):
    """How a list of arrays lies in a vector.

    Attributes
    ----------
    avals : tuple of Aval
        Shapes and dtypes of the arrays.
    dtype : dtype
        Of the vector.
    size : int
        The number of its elements.
    """

    avals: tuple[Aval, ...]
    dtype: np.dtype[Any]
    size: int

    def ravel(self, arrays: Sequence[Any]) -> Any:
        """The vector made of `arrays`."""
        parts: list[Any] = []
        for x, a in zip(arrays, self.avals, strict=True):
            flat = np.reshape(x, (a.size,))
            parts += [np.real(flat), np.imag(flat)] if a.dtype.kind == "c" else [flat]
        if not parts:
            return np.zeros(0, self.dtype)
        return np.concatenate([p if p.dtype == self.dtype else p.astype(self.dtype) for p in parts])

    def split(self, vector: Any) -> list[Any]:
        """The arrays that `vector` is made of."""
        out, start = [], 0
        for a in self.avals:
            flat = vector[start : start + a.size]
            start += a.size
            if a.dtype.kind == "c":
                flat = flat + 1j * vector[start : start + a.size]
                start += a.size
            flat = flat if flat.dtype == a.dtype else flat.astype(a.dtype)
            out.append(np.reshape(flat, a.shape) if a.shape else flat[0])
        return out

    def on_vectors(self, function: Callable[[Sequence[Any]], Sequence[Any]]) -> Callable[[Any], Any]:
        """`function`, which maps such lists of arrays to such lists, as a function of vectors."""
        return lambda v: self.ravel(function(self.split(v)))


def layout_of(avals: Sequence[Aval]) -> Layout:
    """The layout of arrays of these shapes and dtypes, all real or complex."""
    kinds = [np.empty(0, a.dtype).real.dtype for a in avals]
    size = sum(a.size * (2 if a.dtype.kind == "c" else 1) for a in avals)
    return Layout(tuple(avals), np.result_type(*kinds) if kinds else np.dtype(float), size)
