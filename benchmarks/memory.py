"""Resident memory over many random calls of nested transforms: it must not grow."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import os
import random
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

_INTERVALS = 20
_WARM_UP = 4  # intervals before growth counts: caches fill, the allocator settles
_LIMIT = 1 << 20  # bytes
_DEPTH = 3
_FAILURES = 50  # one call in so many raises inside its innermost function

Map = Callable[[Any], Any]


class Planned(Exception):
    """Raised inside a differentiated function, to see that nothing stays behind."""


def resident() -> int:
    """Resident memory of this process in bytes; where the system does not tell, the highest so far."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _bases() -> list[Map]:
    """Vector to vector of the same length, in plain NumPy."""

    def fails(x: Any) -> Any:
        np.exp(x)
        raise Planned

    return [
        lambda x: np.sin(x) * x,
        lambda x: np.exp(-(x**2)) + np.sum(x),
        lambda x: np.tanh(np.outer(x, x) @ x),
        lambda x: np.cumsum(x) / (1.0 + x * x),
        lambda x: np.where(x > 0, np.log1p(x * x), x),
        lambda x: np.concatenate([x[1:], x[:1]]) * x,
        lambda x: x / np.sqrt(1.0 + x @ x),
        lambda x: np.sin(x[::-1]) * x[-1] + x[np.arange(len(x)) // 2],
        fails,
    ]


def _wrappers() -> list[Callable[[Map], Map]]:
    """Each turns a map from vectors to vectors into another one by way of a transform."""
    import covector

    def ones(x: Any) -> Any:
        return np.ones(x.shape)

    return [
        lambda f: covector.grad(lambda x: np.sum(f(x))),
        lambda f: lambda x: covector.vjp(f, x)[1](ones(x))[0],
        lambda f: lambda x: covector.jvp(f, (x,), (ones(x),))[1],
        lambda f: lambda x: np.sum(covector.jacrev(f)(x), axis=0),
        lambda f: lambda x: np.sum(covector.jacfwd(f)(x), axis=1),
        lambda f: lambda x: np.sum(covector.vmap(f)(np.stack([x, x * 2.0])), axis=0),
        lambda f: lambda x: covector.hvp(lambda y: np.sum(f(y)), (x,), (ones(x),))[1][0],
    ]


def main(calls: int, seed: int) -> int:
    """Run random programs and print the memory at intervals.

    Parameters
    ----------
    calls
        Number of calls of nested transforms.
    seed
        Seed of the random choice of functions, transforms, depths and sizes.

    Returns
    -------
    int
        Exit status: 1 if memory grows or covector cannot be imported.
    """
    if importlib.util.find_spec("covector") is None:
        print("covector: not installed", file=sys.stderr)
        return 1
    choose = random.Random(seed)
    *bases, fails = _bases()
    wrappers = _wrappers()
    values = [np.linspace(-0.9, 0.8, size) for size in (1, 2, 3, 5)]
    step = max(1, calls // _INTERVALS)
    print(f"{calls:,} random calls, up to {_DEPTH} nested transforms, seed {seed}")
    print(f"{'calls':>10}{'resident MiB':>14}{'objects':>10}{'in cycles':>11}{'seconds':>9}")
    history: list[tuple[int, int]] = []
    start = time.perf_counter()
    for call in range(1, calls + 1):
        function = fails if choose.randrange(_FAILURES) == 0 else choose.choice(bases)
        for _ in range(choose.randint(1, _DEPTH)):
            function = choose.choice(wrappers)(function)
        with contextlib.suppress(Planned):
            function(choose.choice(values))
        if call % step == 0:
            del function
            garbage = gc.collect()
            history.append((resident(), len(gc.get_objects())))
            memory, objects = history[-1]
            elapsed = time.perf_counter() - start
            print(f"{call:>10,}{memory / 2**20:>14.2f}{objects:>10,}{garbage:>11,}{elapsed:>9.1f}", flush=True)
    settled = history[min(_WARM_UP, len(history)) - 1]
    growth = history[-1][0] - settled[0]
    flat = growth <= _LIMIT
    print(
        f"{'yes' if flat else 'no'}  flat: {growth / 1024:+,.0f} KiB and {history[-1][1] - settled[1]:+,} objects "
        f"since call {min(_WARM_UP, len(history)) * step:,} (limit {_LIMIT / 1024:,.0f} KiB)"
    )
    return 0 if flat else 1
