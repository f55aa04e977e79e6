"""Interleaved timing: every contestant in every round, so that a busy machine disturbs all of them alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """What one contestant took, in seconds per call.

    Attributes
    ----------
    rounds
        Seconds per call, one entry per round.
    calls
        Calls per round.
    busy_cores
        Processor seconds per wall-clock second over all rounds: the threads it really used.
    """

    rounds: tuple[float, ...]
    calls: int
    busy_cores: float

    @property
    def median(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.rounds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Lower and upper quartile of the rounds."""
        lower, _, upper = statistics.quantiles(self.rounds, n=4)
        return lower, upper

    def ratio_to(self, other: Timing) -> float:
        """Median over the rounds of this time divided by the other's in the *same* round.

        Pairing within a round cancels what slowed the machine down in that round; the quotient of the medians does not.
        """
        return statistics.median(mine / theirs for mine, theirs in zip(self.rounds, other.rounds, strict=True))


def _calls_per_round(call: Callable[[], object], seconds: float) -> int:
    """How many calls fill `seconds`; doubles as the warm-up."""
    call()
    calls = 1
    while True:
        start = time.perf_counter()
        for _ in range(calls):
            call()
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return max(1, round(calls * seconds / elapsed))
        calls *= 2


def interleave(contestants: Mapping[str, Callable[[], object]], *, rounds: int, seconds: float) -> dict[str, Timing]:
    """Time the contestants against each other.

    Parameters
    ----------
    contestants
        Name to a call without arguments, which returns when its result is complete.
    rounds
        How often each of them is timed.
    seconds
        Roughly how long one round of one contestant lasts; at least one call is made.

    Returns
    -------
    dict
        Name to `Timing`.

    Notes
    -----
    The order rotates from round to round. Garbage collection stays on, as it is for users; what was alive before the
    measurement is frozen, so nobody pays for traversing the objects of another library.
    """
    names = list(contestants)
    calls = {name: _calls_per_round(contestants[name], seconds) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    wall = dict.fromkeys(names, 0.0)
    processor = dict.fromkeys(names, 0.0)
    gc.collect()
    gc.freeze()
    try:
        for index in range(rounds):
            shift = index % len(names)
            for name in names[shift:] + names[:shift]:
                call, repeat = contestants[name], range(calls[name])
                gc.collect()
                processor_start = time.process_time()
                start = time.perf_counter()
                for _ in repeat:
                    call()
                elapsed = time.perf_counter() - start
                processor[name] += time.process_time() - processor_start
                wall[name] += elapsed
                times[name].append(elapsed / calls[name])
    finally:
        gc.unfreeze()
    return {name: Timing(tuple(times[name]), calls[name], processor[name] / wall[name]) for name in names}
