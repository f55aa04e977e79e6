"""How many threads compiled code may use, and the pool that runs them.

The pool is native code of our own (see `pool`): workers never touch Python, start when the first large loop runs,
and sleep when there is nothing to do. A process that forks leaves its workers behind; the child makes its own.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token
from functools import cache
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, TypeVar

__all__ = ["available", "install", "limit", "threads"]

F = TypeVar("F", bound=Callable[..., Any])

VARIABLE = "COVECTOR_NUM_THREADS"
# How long somebody with nothing to do stays awake. Waking a sleeper takes about as long.
PATIENCE = 70e-6

# Settings outside of any with block; the last one counts. Few are kept: older ones matter only if younger ones turn
# out to belong to a with block or a function.
_SETTINGS: deque[threads] = deque(maxlen=64)
_INSIDE: ContextVar[int | None] = ContextVar("threads", default=None)


def available() -> int:
    """Return how many threads can run at once in this process.

    The environment variable ``COVECTOR_NUM_THREADS`` decides; without it, the processors that the process may use, or
    fewer where a container is entitled to less time than that.
    """
    asked = os.environ.get(VARIABLE, "").strip()
    if asked:
        if not asked.isdecimal() or int(asked) < 1:
            raise ValueError(f"{VARIABLE} must be a positive whole number, got {asked!r}")
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
    else:
        usable = os.cpu_count() or 1
    return min(usable, _quota() or usable)


def limit() -> int:
    """Return how many threads a call made here and now may use."""
    inside = _INSIDE.get()
    if inside is not None:
        return inside
    try:
        return _SETTINGS[-1].count
    except IndexError:
        return _recently_available()


class threads:
    """Set how many threads compiled functions use.

    As a statement it holds for the process, in a ``with`` block or as a decorator for what runs inside. A function
    compiled with ``jit(f, threads=n)`` keeps its own number. Without a setting, as many threads are used as
    processors are available to the process, or ``COVECTOR_NUM_THREADS`` of them.

    Parameters
    ----------
    count : int
        The number of threads, the caller included: 1 means no other threads. It is used as given, also when it is
        larger than the number of processors.

    Raises
    ------
    TypeError, ValueError
        If `count` is not a positive int.

    Examples
    --------
    >>> import covector as cv
    >>> with cv.threads(1):
    ...     pass  # compiled functions called here run in the calling thread alone
    >>> @cv.threads(2)
    ... def work():
    ...     pass
    """

    def __init__(self, count: int) -> None:
        if isinstance(count, bool) or not isinstance(count, int):
            raise TypeError(f"threads: the number of threads must be an int, got {count!r}")
        if count < 1:
            raise ValueError(f"threads: the number of threads must be at least 1, got {count}")
        self.count = count
        self._tokens: list[Token[int | None]] = []
        _SETTINGS.append(self)

    def _withdraw(self) -> None:
        """Stop being a statement: it was the head of a block or of a function."""
        # By identity, and it may have been dropped.
        for k, setting in enumerate(_SETTINGS):
            if setting is self:
                del _SETTINGS[k]
                return

    def __enter__(self) -> threads:
        self._withdraw()
        self._tokens.append(_INSIDE.set(self.count))
        return self

    def __exit__(self, *error: object) -> None:
        _INSIDE.reset(self._tokens.pop())

    def __call__(self, function: F) -> F:
        self._withdraw()

        @functools.wraps(function)
        def with_threads(*args: Any, **kwargs: Any) -> Any:
            token = _INSIDE.set(self.count)
            try:
                return function(*args, **kwargs)
            finally:
                _INSIDE.reset(token)

        return with_threads  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"threads({self.count})"


# When the system was last asked, and what it said: asking takes longer than a call of a small compiled function.
_ASKED: tuple[float, int] = (-1.0, 0)


def _recently_available() -> int:
    """Return what `available` said within the last second."""
    global _ASKED
    when, count = _ASKED
    now = monotonic()
    if count == 0 or now - when > 1.0:
        count = available()
        _ASKED = (now, count)
    return count


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


@cache
def _quota() -> int | None:
    """Return how many processors' worth of time the control groups of this process allow, rounded down."""
    return _group_quota(_read(Path("/proc/self/cgroup")), Path("/sys/fs/cgroup"))


def _group_quota(groups: str, root: Path) -> int | None:
    """Return the smallest limit in the groups listed as in ``/proc/self/cgroup``, or None.

    Both versions of control groups have them: ``cpu.max`` holds time and period ("max" for no limit), or these stand
    in ``cpu.cfs_quota_us`` (-1 for no limit) and ``cpu.cfs_period_us``. A group is also bound by those around it.
    """
    found: list[float] = []
    for line in groups.splitlines():
        _, controllers, name = (line.split(":", 2) + ["", ""])[:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / controllers if controllers else root
        for folder in _upwards(top, name):
            words = _read(folder / "cpu.max").split() if not controllers else []
            if controllers:
                words = [_read(folder / f"cpu.cfs_{part}_us").strip() for part in ("quota", "period")]
            if len(words) == 2 and all(word.isdecimal() for word in words) and int(words[1]) > 0:
                found.append(int(words[0]) / int(words[1]))
    return max(1, int(min(found))) if found else None


def _upwards(top: Path, name: str) -> Iterator[Path]:
    """Yield the folder of group `name`, then those around it up to `top`; inside a container only `top` may exist."""
    folder = top / name.strip("/")
    yield folder
    while folder != top and top in folder.parents:
        folder = folder.parent
        yield folder


class _Pool:
    """The pool's functions, and the code that they are."""

    def __init__(self) -> None:
        from ..disk.cache import compiled
        from . import llvm
        from .pool import pool, serial

        native = llvm.has_symbol("pthread_create")
        text = pool(llvm.target().triple) if native else serial()
        names = ("cv_parallel_for", "cv_pool_reset", "cv_pool_rest", "cv_pool_patience", "cv_pool_workers")
        self.code = compiled(text, names)
        integer = ctypes.c_int64
        self.address = self.code.address("cv_parallel_for")
        self.reset = ctypes.CFUNCTYPE(None)(self.code.address("cv_pool_reset"))
        self.rest = ctypes.CFUNCTYPE(None, integer)(self.code.address("cv_pool_rest"))
        self.patience = ctypes.CFUNCTYPE(None, integer)(self.code.address("cv_pool_patience"))
        self.workers = ctypes.CFUNCTYPE(integer)(self.code.address("cv_pool_workers"))
        self.reset()
        self.patience(self._rounds())
        llvm.add_symbol("cv_parallel_for", self.address)

    def _rounds(self) -> int:
        """Measure how often one can look at the gate while patience lasts."""
        rounds, seconds = 256, float("inf")
        for _ in range(4):  # the shortest: others may have been interrupted
            start = perf_counter()
            self.rest(rounds)
            seconds = min(seconds, perf_counter() - start)
        return max(1, round(rounds * PATIENCE / seconds))


_POOL: _Pool | None = None
_LOCK = threading.Lock()


def install() -> int:
    """Make the pool known to compiled code as ``cv_parallel_for`` and return its address. Threads start later."""
    global _POOL
    if _POOL is None:
        with _LOCK:
            if _POOL is None:
                _POOL = _Pool()
    return _POOL.address


def workers() -> int:
    """Return how many workers the pool has; they are never more than one less than the threads asked for."""
    return _POOL.workers() if _POOL is not None else 0


def _after_fork() -> None:
    """Forget the parent's workers, and whoever was about to install the pool."""
    global _LOCK
    _LOCK = threading.Lock()
    if _POOL is not None:
        _POOL.reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
