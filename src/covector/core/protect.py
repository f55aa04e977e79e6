"""Keeps plain arrays that a derivative still needs from being changed under it.

Small arrays are copied. Large ones are made read-only for as long as the transform runs, so that a write raises
NumPy's error at the line that writes (a write through a view made before is not caught there, but when the transform
ends, by a sample of the elements); when the derivative outlives the transform they are copied as well.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from .errors import OverwrittenError
from .tracer import snapshot

__all__ = ["COPY_BELOW", "Holds", "fixed", "laid_out_like", "read_only", "same_layout"]

COPY_BELOW = 32768
"""Bytes up to which a copy costs less than it is worth to think about."""

_SAMPLES = 1009

_lock = threading.Lock()
_held: dict[int, tuple[np.ndarray[Any, Any], int]] = {}
_waiting: list[np.ndarray[Any, Any]] = []
"""Views that nobody holds any more, of owners that somebody does."""


def fixed(x: Any) -> Any:
    """Return `x`, copied if it is an array that someone could still write to."""
    if isinstance(x, np.ndarray) and (x.flags.writeable or x.base is not None):
        return same_layout(x)
    return x


def same_layout(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a copy of `x` with the same order of elements in memory, gaps included.

    Whether reshape and ravel make views depends on it.
    """
    if x.flags.forc or not x.size:
        return x.copy("K")
    out = laid_out_like(x, x.dtype)
    out[...] = x
    return out


def laid_out_like(x: np.ndarray[Any, Any], dtype: Any) -> np.ndarray[Any, Any]:
    """Return an array of zeros whose elements lie in memory as those of `x` do."""
    if x.flags.forc:
        return np.zeros_like(x, dtype, subok=False)
    steps = [s // x.itemsize for s in x.strides]
    if 0 in steps or not x.size:
        return np.zeros(x.shape, dtype)
    span = 1 + sum((n - 1) * abs(s) for n, s in zip(x.shape, steps, strict=True))
    whole = np.zeros(span, dtype)
    out = np.lib.stride_tricks.as_strided(whole, x.shape, [abs(s) * whole.itemsize for s in steps])
    return out[tuple(slice(None, None, -1 if s < 0 else 1) for s in steps)]


def read_only(x: Any) -> Any:
    """Return a read-only view of the array `x`, for code that has to leave it alone; of a traced one a new handle."""
    if type(x) is not np.ndarray:
        return snapshot(x)
    view = x.view()
    view.flags.writeable = False
    return view


class Holds:
    """The large arrays that one running transform keeps read-only."""

    __slots__ = ("_arrays", "_samples")

    def __init__(self) -> None:
        self._arrays: list[np.ndarray[Any, Any]] = []
        self._samples: list[tuple[np.ndarray[Any, Any], bytes]] = []

    def argument(self, x: Any) -> Any:
        """Return the leaf `x` of an argument such that neither a later write nor an assignment changes it."""
        return self.protect(x) if type(x) is np.ndarray else snapshot(x)

    def protect(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return `x` or a copy of it, safe from writes until `release`."""
        if x.nbytes <= COPY_BELOW:
            return fixed(x)  # type: ignore[no-any-return]
        owner: Any = x.base
        if isinstance(owner, np.ndarray) and x.flags.writeable and not owner.flags.writeable and id(owner) not in _held:
            return fixed(x)  # type: ignore[no-any-return]  # NumPy would not let us make it writeable again
        owner = x
        while isinstance(owner, np.ndarray):
            self._hold(owner)
            owner = owner.base
        return x if owner is None else fixed(x)

    def _hold(self, x: np.ndarray[Any, Any]) -> None:
        with _lock:
            held = _held.get(id(x))
            if held is not None:
                _held[id(x)] = (x, held[1] + 1)
            elif x.flags.writeable:
                x.flags.writeable = False
                _held[id(x)] = (x, 1)
            else:
                return
        self._arrays.append(x)
        if x.base is None:
            self._samples.append((x, _sample(x)))

    def verify(self) -> None:
        """Raise if an array was changed after all, through a view made before, which no flag reaches."""
        for x, before in self._samples:
            if _sample(x) != before:
                raise OverwrittenError(
                    f"an array of shape {x.shape} and dtype {x.dtype} that the derivative needs was overwritten while "
                    f"the function ran, through a view made before; let the function work on a copy of it"
                )

    def release(self) -> None:
        """Give the arrays back as they were.

        NumPy lets a view become writeable only when its owner is. A view whose owner another transform still holds
        therefore waits until that one releases the owner.
        """
        with _lock:
            for x in self._arrays:
                array, count = _held[id(x)]
                if count > 1:
                    _held[id(x)] = (array, count - 1)
                else:
                    del _held[id(x)]
                    _waiting.append(array)
            _waiting.sort(key=lambda x: x.base is not None)
            _waiting[:] = [x for x in _waiting if not _unlock(x)]
        self._arrays.clear()
        self._samples.clear()


def _unlock(x: np.ndarray[Any, Any]) -> bool:
    """Make `x` writeable unless its owner is not; return whether it is."""
    if isinstance(x.base, np.ndarray) and not x.base.flags.writeable:
        return False
    x.flags.writeable = True
    return True


def _sample(x: np.ndarray[Any, Any]) -> bytes:
    """About a thousand evenly spread elements of a contiguous array: enough to notice that it was overwritten."""
    return x.reshape(-1, order="A")[:: max(1, x.size // _SAMPLES)].tobytes()
