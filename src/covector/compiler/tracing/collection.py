"""Python's garbage collector, kept from walking through a program again and again while it grows."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["rare_collection"]

_SELDOM = 200_000
"""Objects made between two collections. A program of a thousand operations needs no more."""

_lock = threading.Lock()
_running = 0
_before = (0, 0, 0)


@contextmanager
def rare_collection() -> Iterator[None]:
    """Let the collector start seldom during a block.

    Recording and compiling make many objects that all stay, through which the collector would walk every few hundred
    new ones. Threads may be in such blocks at the same time: the last one to leave restores what the first one found,
    unless somebody has set other thresholds meanwhile.
    """
    global _running, _before
    with _lock:
        if not _running:
            _before = gc.get_threshold()
            if 0 < _before[0] < _SELDOM:
                gc.set_threshold(_SELDOM, *_before[1:])
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if not _running and gc.get_threshold()[0] == _SELDOM:
                gc.set_threshold(*_before)
