"""Python frames per operation, and the functions in which covector's own time goes."""

from __future__ import annotations

import cProfile
import importlib.util
import pstats
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from .workloads import all_workloads

_REPEATS = 300


def frames(call: Callable[[], object]) -> int:
    """Python frames entered by a call, the call's own included."""
    count = 0

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    call()
    previous = sys.getprofile()
    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(previous)
    return count


def per_call(call: Callable[[], object]) -> float:
    """Seconds per call: the fastest of a few blocks, because this compares versions of covector with each other."""
    call()
    best = float("inf")
    for _ in range(7):
        start = time.perf_counter()
        for _ in range(_REPEATS // 10):
            call()
        best = min(best, (time.perf_counter() - start) / (_REPEATS // 10))
    return best


def _cases() -> dict[str, Callable[[], object]]:
    """Name to a call: the single steps first, then the workloads that are small."""
    import covector

    from .peers.covector import connect

    x = np.linspace(0.1, 1.0, 10)
    pull = covector.vjp(np.sin, x)[1]
    cases: dict[str, Callable[[], object]] = {
        "np.sin, not traced": lambda: np.sin(x),
        "vjp(np.sin), forward": lambda: covector.vjp(np.sin, x),
        "vjp(np.sin), pullback": lambda: pull(x),
        "jvp(np.sin)": lambda: covector.jvp(np.sin, (x,), (x,)),
        "vmap(np.sin)": lambda: covector.vmap(np.sin)(x),
    }
    peer = connect(1)
    random = np.random.default_rng(2024)
    for workload in all_workloads():
        if workload.size <= 1_000:
            values = workload.inputs(random)
            derivative = getattr(peer, workload.operator)(workload.model(np))
            name = f"{workload.name}, n = {workload.size:,}"
            cases[name] = lambda derivative=derivative, values=values: derivative(*values)  # type: ignore[misc]
    return cases


def _place(function: tuple[str, int, str]) -> str:
    path, number, name = function
    return f"{'/'.join(Path(path).parts[-2:])}:{number} {name}" if number else name


def hot_spots(call: Callable[[], object], lines: int) -> list[str]:
    """The functions with the largest own time: microseconds and calls per call of the case."""
    recorder = cProfile.Profile()
    recorder.enable()
    for _ in range(_REPEATS):
        call()
    recorder.disable()
    statistics = pstats.Stats(recorder).stats  # type: ignore[attr-defined]
    ranked = sorted(statistics.items(), key=lambda item: item[1][2], reverse=True)[:lines]
    return [
        f"  {own / _REPEATS * 1e6:9.2f} µs {count / _REPEATS:8.1f} calls  {_place(function)}"
        for function, (_, count, own, _, _) in ranked
    ]


def main(only: str, lines: int) -> int:
    """Profile and print.

    Parameters
    ----------
    only
        Part of the names of the cases to show; empty for all.
    lines
        Functions listed per case.

    Returns
    -------
    int
        Exit status: 1 if covector cannot be imported or a case fails, 2 if no case has that name.
    """
    if importlib.util.find_spec("covector") is None:
        print("covector: not installed", file=sys.stderr)
        return 1
    cases = {name: call for name, call in _cases().items() if only in name}
    if not cases:
        print(f"error: no case has {only!r} in its name", file=sys.stderr)
        return 2
    print(f"{'':52}{'frames':>8}{'time':>12}")
    failed = []
    for name, call in cases.items():
        try:
            print(f"{name:52}{frames(call):>8}{per_call(call) * 1e6:>9.1f} µs")
        except Exception as error:  # one case that does not work must not hide the others
            print(f"{name:52}  failed: {type(error).__name__}: {error}")
            failed.append(name)
    print("\nOwn time by function, with the profiler's own cost in it:")
    for name, call in cases.items():
        if name not in failed:
            print(f"\n{name}", *hot_spots(call, lines), sep="\n")
    return 1 if failed else 0
