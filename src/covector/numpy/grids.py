"""Objects that make arrays by being indexed: ``r_``, ``c_``, ``mgrid``, ``ogrid``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.tracer import Tracer
from .conversion import array, asarray
from .creation import arange, linspace
from .uniform import made

__all__ = ["c_", "mgrid", "ogrid", "r_"]


def _is_traced(key: Any) -> bool:
    if isinstance(key, slice):
        return any(isinstance(x, Tracer) for x in (key.start, key.stop, key.step))
    return isinstance(key, Tracer) or (isinstance(key, tuple | list) and any(map(_is_traced, key)))


def _range(key: Any) -> Any:
    """The values of ``start:stop:step``; an imaginary step counts elements."""
    start = 0 if key.start is None else key.start
    step = 1 if key.step is None else key.step
    if isinstance(step, complex | np.complexfloating):
        return linspace(start, key.stop, num=int(np.abs(step)))
    return arange(start, key.stop, step)


class _Concatenator:
    """``r_`` and ``c_``: the objects in the brackets, put together along an axis."""

    def __init__(self, plain: Any, axis: int, ndmin: int, trans1d: int) -> None:
        self._plain = plain
        self._options = (axis, ndmin, trans1d)
        self.__doc__ = plain.__doc__

    def __len__(self) -> int:
        return 0

    def __getitem__(self, key: Any) -> Any:
        if not _is_traced(key):
            return made(self._plain[key])
        axis, ndmin, trans1d = self._options
        keys = list(key) if isinstance(key, tuple) else [key]
        if isinstance(keys[0], str):
            axis, ndmin, trans1d = self._directive(keys.pop(0))
        parts: list[Any] = []
        scalars = []
        for k in keys:
            if isinstance(k, str):
                raise ValueError("special directives must be the first entry.")
            part = _range(k) if isinstance(k, slice) else asarray(k)
            if np.isscalar(k):
                scalars.append(len(parts))
            parts.append(_raised(part, ndmin, trans1d))
        # Python numbers give way to arrays here, as in NumPy's operators.
        dtype = np.result_type(*[keys[i] if i in scalars else part.dtype for i, part in enumerate(parts)])
        return np.concatenate([p if p.dtype == dtype else p.astype(dtype) for p in parts], axis=axis)

    def _directive(self, text: str) -> tuple[int, int, int]:
        if text in ("r", "c"):
            raise ValueError(f"the directive {text!r} makes a np.matrix, which cannot hold traced values; leave it out")
        try:
            numbers = [int(x) for x in text.split(",")]
        except ValueError:
            raise ValueError(f"unknown special directive {text!r}") from None
        if not 1 <= len(numbers) <= 3:
            raise ValueError(f"unknown special directive {text!r}")
        return tuple(numbers + list(self._options[len(numbers) :]))  # type: ignore[return-value]


def _raised(part: Any, ndmin: int, trans1d: int) -> Any:
    """`part` with at least `ndmin` dimensions; `trans1d` says where its own ones go."""
    rank = part.ndim
    if rank >= ndmin:
        return part
    part = array(part, copy=None, ndmin=ndmin)
    missing = ndmin - rank
    first = trans1d if trans1d >= 0 else trans1d + missing + 1
    axes = list(range(ndmin))
    return part if trans1d == -1 else part.transpose(axes[:first] + axes[missing:] + axes[first:missing])


class _Grid:
    """``mgrid`` and ``ogrid``: arrays of the coordinates of a grid."""

    def __init__(self, plain: Any, sparse: bool) -> None:
        self._plain = plain
        self._sparse = sparse
        self.__doc__ = plain.__doc__

    def __getitem__(self, key: Any) -> Any:
        if not _is_traced(key):
            new = self._plain[key]
            return tuple(map(made, new)) if isinstance(new, tuple) else made(new)
        if isinstance(key, slice):
            return _range(key)
        axes = [_range(k) for k in key]
        dtype = np.result_type(*[x.dtype for x in axes])
        grids = np.meshgrid(*[x.astype(dtype) for x in axes], sparse=self._sparse, indexing="ij")
        return tuple(grids) if self._sparse else np.stack(grids)


r_ = _Concatenator(np.r_, 0, 1, -1)
c_ = _Concatenator(np.c_, -1, 2, 0)
mgrid = _Grid(np.mgrid, sparse=False)
ogrid = _Grid(np.ogrid, sparse=True)
