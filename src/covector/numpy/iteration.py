"""Iterators over arrays, and questions about array-likes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.errors import NotDifferentiableError, caller
from ..core.tracer import Tracer, concrete
from .conversion import asarray
from .forwarding import documented, holds_traced

__all__ = ["broadcast", "isscalar", "ndenumerate", "ndim", "nditer", "shape", "size"]


def _array(x: Any) -> Any:
    """Lists with traced values inside as arrays, everything else as it is."""
    return asarray(x) if isinstance(x, list | tuple) and holds_traced(x) else x


@documented(np.ndim)
def ndim(a: Any) -> int:
    """Return the number of dimensions of an array or a nested list, traced values included."""
    return np.ndim(_array(a))


@documented(np.shape)
def shape(a: Any) -> tuple[int, ...]:
    """Return the shape of an array or a nested list, traced values included."""
    return np.shape(_array(a))


@documented(np.size)
def size(a: Any, axis: Any = None) -> int:
    """Return the number of elements of an array or a nested list, traced values included."""
    return np.size(_array(a), axis)


@documented(np.isscalar)
def isscalar(element: Any) -> bool:
    """Whether `element` is a scalar; a traced value is one if what it stands for is."""
    if isinstance(element, Tracer):
        value = concrete(element)
        return element.ndim == 0 and not isinstance(value, np.ndarray)
    return np.isscalar(element)


class ndenumerate(np.ndenumerate):
    """Iterate over the indices and elements of an array, which may be traced."""

    def __new__(cls, arr: Any) -> Any:
        return _Enumerated(asarray(arr)) if holds_traced(arr) else np.ndenumerate(arr)


class _Enumerated:
    def __init__(self, x: Any) -> None:
        self._pairs = ((i, x[i] if i else x) for i in np.ndindex(x.shape))

    def __next__(self) -> tuple[tuple[int, ...], Any]:
        return next(self._pairs)

    def __iter__(self) -> _Enumerated:
        return self


@documented(np.nditer)
def nditer(op: Any, *args: Any, **options: Any) -> Any:
    """Make NumPy's iterator over plain arrays; with traced ones it says what to write instead."""
    if holds_traced(op):
        raise NotDifferentiableError(
            f"nditer at {caller()} walks through the memory of plain arrays and cannot follow traced values; "
            f"use ndenumerate(x), or `for i in ndindex(x.shape): x[i]`"
        )
    return np.nditer(op, *args, **options)


@documented(np.broadcast)
def broadcast(*args: Any) -> Any:
    """Return the result of broadcasting arrays against each other, some of which may be traced."""
    return _Broadcast([asarray(x) for x in args]) if any(map(holds_traced, args)) else np.broadcast(*args)


class _Broadcast:
    """What `numpy.broadcast` tells, of traced arrays."""

    def __init__(self, arrays: list[Any]) -> None:
        self.shape = np.broadcast_shapes(*[x.shape for x in arrays])
        self._arrays = [np.broadcast_to(x, self.shape) for x in arrays]
        self.numiter = len(arrays)
        self.ndim = self.nd = len(self.shape)
        self.size = int(np.prod(self.shape, dtype=int))
        self.reset()

    def reset(self) -> None:
        """Start again from the first element."""
        self.index = 0
        self._places = np.ndindex(self.shape)

    @property
    def iters(self) -> tuple[Iterator[Any], ...]:
        """One iterator per array."""
        return tuple((x[i] if i else x for i in np.ndindex(self.shape)) for x in self._arrays)

    def __iter__(self) -> _Broadcast:
        return self

    def __next__(self) -> tuple[Any, ...]:
        place = next(self._places)
        self.index += 1
        return tuple(x[place] if place else x for x in self._arrays)
