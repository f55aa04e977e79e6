"""When to save and when to compute again: reversing n steps with room for k states.

To reverse a chain of steps one needs the states in reverse order. With room for few of them, states are saved on the
way, the last steps are reversed from the last saved state, its room is used again, and so on. Griewank and Walther
(2000), Algorithm 799: revolve, ACM Trans. Math. Softw. 26, show what is best. With s places (one of them taken by the
first state), and no step evaluated more than r times, no more than β(s, r) = C(s + r, s) steps can be reversed. So with
r the least for which n ≤ β(s, r), reversing takes r·n - C(s + r, r - 1) evaluations besides those of the backward
steps themselves.

The next state is saved d steps ahead, where β(s, r - 2) ≤ d ≤ β(s, r - 1) and β(s - 1, r - 1) ≤ n - d ≤ β(s - 1, r):
the steps after it have one place less, those before it are evaluated once more. There is such a d because
β(s, r) = β(s, r - 1) + β(s - 1, r).
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from math import comb
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Schedule", "evaluations", "schedule"]


class Schedule(NamedTuple):
    """What to do, in tables of integers.

    Attributes
    ----------
    rows : ndarray
        Per step of the forward pass the place where the state before it is saved; if it is not to be kept, `places`,
        which is one more place.
    places : int
        How many states are kept at a time.
    slot, start : ndarray
        Per step the place from which the state before it is computed in the backward pass, and before which step that
        state was.
    first, count : ndarray
        Per step which states are saved just before, numbers among the following:
    source, begin, steps, target : ndarray
        The place of a state, before which step it was, how many steps to go from there, and where to save the result.
    """

    rows: Any
    places: int
    slot: Any
    start: Any
    first: Any
    count: Any
    source: Any
    begin: Any
    steps: Any
    target: Any


def _repetitions(n: int, s: int) -> int:
    """The least r for which n ≤ β(s, r)."""
    r, most = 0, 1
    while most < n:
        r += 1
        most = most * (s + r) // r
    return r


def evaluations(n: int, k: int) -> int:
    """How many steps are evaluated when n steps are reversed with k places, the backward steps not counted."""
    if n < 2:
        return 0
    r = _repetitions(n, k)
    return r * n - comb(k + r, r - 1)


@lru_cache(maxsize=1 << 16)
def _ahead(n: int, s: int) -> int:
    """How many steps ahead to save the next state, of n steps with s places."""
    r = _repetitions(n, s)
    return max(1, min(comb(s + r - 1, s), n - comb(s + r - 2, s - 1)))


@lru_cache(maxsize=16)
def schedule(n: int, k: int) -> Schedule:
    """The best schedule for n steps and k places.

    Parameters
    ----------
    n : int
        The number of steps.
    k : int
        At least 1.

    Returns
    -------
    Schedule
        Its tables are not to be changed.
    """
    places = min(k, max(n, 1))
    rows = np.full(n, places, np.int32)
    slot, start, first, count = (np.zeros(n, np.int32) for _ in range(4))
    saves = [array("i") for _ in range(4)]
    held = [0]  # before which steps the saved states were, by place
    for t in reversed(range(n)):
        while held[-1] > t:
            held.pop()
        first[t] = len(saves[0])
        while t + 1 - held[-1] > 1 and len(held) < places:
            at, place = held[-1], len(held)
            steps = _ahead(t + 1 - at, places - place + 1)
            if t < n - 1:
                for table, entry in zip(saves, (place - 1, at, steps, place), strict=True):
                    table.append(entry)
            held.append(at + steps)
        if t == n - 1:
            rows[held] = range(len(held))
        count[t] = len(saves[0]) - first[t]
        slot[t], start[t] = len(held) - 1, held[-1]
    if n:
        # The forward pass has just been there: it is the last state that was not to be kept.
        slot[-1], start[-1] = rows[-1], n - 1
    # At least one row, so that there is something to read from a table that nobody reads.
    tables = [np.array(table or [0], np.int32) for table in saves]
    return Schedule(rows, places, slot, start, first, count, *tables)
