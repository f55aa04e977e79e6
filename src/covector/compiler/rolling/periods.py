"""Where a sequence of tokens repeats itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .table import scrambled

__all__ = ["LEAST_COUNT", "LEAST_LENGTH", "Stretch", "periods", "stretches"]

LEAST_COUNT = 8
"""Repetitions from which on a loop is worth it."""

LEAST_LENGTH = 64
"""Equations from which on a loop is worth it."""

_LONGEST = 128
_CANDIDATES = 24


class Stretch(NamedTuple):
    """Equations from `start` to `stop` of which each is like the one `period` before."""

    start: int
    stop: int
    period: int


def periods(tokens: Any) -> list[int]:
    """Return the distances at which many tokens are followed by the same, smallest first.

    In a loop whose body has a token that occurs once, that token is one period from its next occurrence. Where every
    token occurs several times a few of them together do not, so short sequences of tokens are looked at as well.
    """
    n = len(tokens)
    total = np.zeros(n // LEAST_COUNT + 1, np.int64)
    for words in _words(tokens):
        order = np.argsort(words, kind="stable")
        same = words[order[1:]] == words[order[:-1]]
        distances = (order[1:] - order[:-1])[same]
        distances = distances[distances < len(total)]
        total = np.maximum(total, np.bincount(distances, minlength=len(total)))
    best = np.argsort(-total, kind="stable")[:_CANDIDATES]
    return sorted(int(m) for m in best if m and total[m] >= LEAST_LENGTH // 2)


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


def stretches(tokens: Any, candidates: list[int], refused: set[Stretch]) -> list[Stretch]:
    """Return stretches that do not overlap, in order; where several do the one of shortest period is taken."""
    taken = np.zeros(len(tokens) + 1, bool)
    found: list[Stretch] = []
    for m in candidates:
        same = np.concatenate([[False], (tokens[m:] == tokens[:-m]) & ~taken[m:-1] & ~taken[: -m - 1], [False]])
        edges = np.flatnonzero(same[1:] != same[:-1])
        for start, end in edges.reshape(-1, 2).tolist():
            stop = end + m
            if end - start < max((LEAST_COUNT - 1) * m, LEAST_LENGTH - m) or taken[start:stop].any():
                continue
            stretch = Stretch(start, stop, m)
            if stretch not in refused:
                taken[start:stop] = True
                found.append(stretch)
    return sorted(found)
