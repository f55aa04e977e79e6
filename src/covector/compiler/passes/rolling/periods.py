"""Where a sequence of tokens repeats itself."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .limits import LEAST_COUNT
from .numbers import scrambled

__all__ = ["Stretch", "chosen", "periods", "stretches"]

_LONGEST = 128
_CANDIDATES = 12


class Stretch(NamedTuple):
    """Equations from `start` to `stop` of which each is like the one `period` before."""

    start: int
    stop: int
    period: int


def periods(*sequences: Any, least: int = LEAST_COUNT) -> list[int]:
    """Return the distances at which many tokens are followed by the same, smallest first.

    They are such that there is room for `least` of them.

    In a loop whose body has a token that occurs once, that token is one period from its next occurrence. Where every
    token occurs several times a few of them together do not, so short sequences of tokens are looked at as well.
    """
    found: set[int] = set()
    for tokens in sequences:
        for words in _words(tokens):
            order = np.argsort(words, kind="stable")
            same = words[order[1:]] == words[order[:-1]]
            distances = (order[1:] - order[:-1])[same]
            total = np.bincount(distances[distances <= len(tokens) // least], minlength=1)
            best = np.argsort(-total, kind="stable")[:_CANDIDATES]
            found.update(int(m) for m in best if total[m] >= least)
    return sorted(found)


def _words(tokens: Any) -> Iterator[Any]:
    """Numbers for each 1, 16 and 128 tokens in a row: their sums weighted by powers of an odd number modulo 2^64."""
    words = scrambled(tokens.astype(np.uint64) + np.uint64(1))
    yield words
    factor, k = 0x9E3779B97F4A7C15, 1
    while k < _LONGEST and 4 * k <= len(words):
        with np.errstate(over="ignore"):
            words = words[:-k] * np.uint64(factor) + words[k:]
        factor = factor * factor % 2**64
        k *= 2
        if k in (_LONGEST // 8, _LONGEST):
            yield words


def stretches(tokens: Any, candidates: list[int], least: int = LEAST_COUNT) -> list[Stretch]:
    """Return all stretches of `least` periods or more, each one of the candidates, the shortest periods first."""
    found: list[Stretch] = []
    for m in candidates:
        same = np.concatenate([[False], tokens[m:] == tokens[:-m], [False]])
        edges = np.flatnonzero(same[1:] != same[:-1]).reshape(-1, 2)
        long = edges[:, 1] - edges[:, 0] >= (least - 1) * m
        found += [Stretch(start, end + m, m) for start, end in edges[long].tolist()]
    return found


def chosen(found: list[Stretch], refused: set[Stretch], work: Any, least: int) -> list[Stretch]:
    """Return parts of the stretches `found` that do not overlap, in order, each of as much `work` as `least`.

    Shorter periods come first to their own.
    """
    out: list[Stretch] = []
    for whole in found:
        for part in _free(whole, out):
            enough = part.stop - part.start >= LEAST_COUNT * part.period and work[part.stop] - work[part.start] >= least
            if enough and part not in refused:
                insort(out, part)
    return out


def _free(whole: Stretch, taken: list[Stretch]) -> Iterator[Stretch]:
    """The parts of a stretch outside of those `taken`, which are in order."""
    start = whole.start
    k = max(bisect_left(taken, whole) - 1, 0)
    for other in list(taken[k:]):
        if other.start >= whole.stop:
            break
        if other.stop > start:
            yield Stretch(start, other.start, whole.period)
            start = other.stop
    yield Stretch(start, whole.stop, whole.period)
