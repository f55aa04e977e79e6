"""Memory for large results: that of results which nobody refers to any more; fresh pages cost more than sums."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import numpy as np

__all__ = ["new_array"]

_LARGE = 1 << 20  # bytes from which memory is kept for the next result
_KEPT = 1 << 28  # bytes kept at most
_ALIGN = 64

_free: dict[int, deque[Any]] = {}
_lock = threading.Lock()
_held = 0


class _Block:
    """Memory behind one result; gives it back when the result and all of its views are gone."""

    __slots__ = ("__array_interface__", "_memory")

    def __init__(self, memory: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._memory = memory
        self.__array_interface__ = {
            "version": 3,
            "shape": shape,
            "typestr": dtype.str,
            "data": (memory.ctypes.data, False),
        }

    def __del__(self) -> None:
        _give_back(self._memory)


def _give_back(memory: Any) -> None:
    global _held
    if _held + memory.nbytes <= _KEPT and _lock.acquire(blocking=False):
        # Not blocking: the garbage collector may run this while the same thread holds the lock.
        try:
            _held += memory.nbytes
            _free.setdefault(memory.nbytes, deque()).append(memory)
        finally:
            _lock.release()


def _take(nbytes: int) -> Any:
    global _held
    with _lock:
        waiting = _free.get(nbytes)
        if waiting:
            _held -= nbytes
            return waiting.pop()
    raw = np.empty(nbytes + _ALIGN, np.uint8)
    start = -raw.ctypes.data % _ALIGN
    return raw[start : start + nbytes]


def new_array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """Return an array whose elements are arbitrary."""
    nbytes = dtype.itemsize
    for n in shape:
        nbytes *= n
    if nbytes < _LARGE:
        return np.empty(shape, dtype)
    return np.asarray(_Block(_take(nbytes), shape, dtype))
