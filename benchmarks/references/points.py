"""Where derivatives are compared: half of the points ordinary, half extreme, the same in every run."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ["Domain", "points"]

_ULP = 2.0**-52
_SIZES = (1e-300, 1e-100, 1e-20, 1e-16, 1e-8, 1e-5, 1e-3, 0.1, 1 - _ULP / 2, 1.0, 1 + _ULP, 1.0001, 2.0, 3 - 2 * _ULP)
_SIZES += (9.3, 19.7, 25.6, 36.7, 88.2, 180.1, 354.3, 708.3, 745.2, 1e3, 1e5 + 0.1, 1e8 + 0.3, 1e15 + 0.5, 1e22, 1e100)
_SIZES += (1e154, 1e200, 1e300, 1.7e308)
_NEAR_ONE = (1 - _ULP / 2, 1 - 1e-12, 1 - 1e-8, 1 - 1e-5, 0.999)


@dataclass(frozen=True)
class Domain:
    """Values of one argument.

    Attributes
    ----------
    low, high : float
        Between which the ordinary values lie, evenly distributed.
    extreme : tuple of float
        Tiny and huge values, neighbours of singular points and of whole numbers.
    whole : bool
        Whether only whole numbers make sense, as for orders and counts.
    """

    low: float
    high: float
    extreme: tuple[float, ...]
    whole: bool = False

    def ordinary(self, rng: np.random.Generator) -> float:
        """Draw one ordinary value."""
        return float(
            rng.integers(int(self.low), int(self.high) + 1) if self.whole else rng.uniform(self.low, self.high)
        )


def _both(values: tuple[float, ...]) -> tuple[float, ...]:
    return (*values, *[-x for x in values])


def within(low: float, high: float, *more: float) -> Domain:
    """Return an interval with its extreme values: the sizes that lie in it and neighbours of its finite ends."""
    inside = [x for x in (*_both(_SIZES), *more) if low < x < high]
    ends = [low + abs(low) * e for e in (_ULP, 1e-12, 1e-8, 1e-4)] if np.isfinite(low) and low else []
    ends += [high - abs(high) * e for e in (_ULP, 1e-12, 1e-8, 1e-4)] if np.isfinite(high) and high else []
    return Domain(max(low, -4.0), min(high, max(low, -4.0) + 8.0), tuple(dict.fromkeys(inside + ends)))


REAL = within(-np.inf, np.inf)
POSITIVE = within(0, np.inf)
UNIT = within(0, 1, *_NEAR_ONE)
SIGNED_UNIT = within(-1, 1, *_both(_NEAR_ONE))
ABOVE_ONE = within(1, np.inf)
ABOVE_MINUS_ONE = within(-1, np.inf)
BELOW_ONE = within(-np.inf, 1, *_NEAR_ONE)
NEGATIVE = within(-np.inf, 0)


def whole(low: int, high: int) -> Domain:
    """Return the whole numbers from `low` to `high`."""
    return Domain(low, high, (float(low), float(high)), whole=True)


def points(name: str, domains: tuple[Domain, ...]) -> Iterator[tuple[float, ...]]:
    """Draw argument tuples without end, in turn ordinary and extreme, seeded by the function's name.

    A point of several arguments is extreme if any of them is.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    queues: list[list[float]] = [[] for _ in domains]
    turn = 0
    while True:
        args = [domain.ordinary(rng) for domain in domains]
        if turn % 2:
            chosen = [rng.random() < 0.6 for _ in domains]
            chosen[turn // 2 % len(domains)] = True
            for i, domain in enumerate(domains):
                if chosen[i] and domain.extreme:
                    queues[i] = queues[i] or rng.permutation(domain.extreme).tolist()
                    args[i] = queues[i].pop()
        yield tuple(args)
        turn += 1
