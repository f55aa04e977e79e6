"""How fast eager derivatives are meant to be, and whether a measurement reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

SMALL = 1_000  # up to this size Python's own work decides
LARGE = 100_000  # from this size NumPy's work decides


class Measured(Protocol):
    """The part of a table row a target looks at."""

    @property
    def label(self) -> str:
        """What was measured."""

    @property
    def size(self) -> int:
        """Number of elements."""

    def speedup(self, rival: str) -> float | None:
        """The rival's time divided by covector's; None if one of them was not measured."""


@dataclass(frozen=True)
class Target:
    """covector must be at least `factor` times as fast as `rival` in every row of the given sizes."""

    rival: str
    factor: float
    smallest: int
    largest: float

    @property
    def wording(self) -> str:
        """The target as a phrase."""
        sizes = f"n <= {SMALL:,}" if self.largest == SMALL else f"n >= {LARGE:,}"
        if self.factor < 1:
            return f"{sizes}: at most {1 / self.factor:.3g}x the time of {self.rival}"
        return f"{sizes}: at least {self.factor:.3g}x as fast as {self.rival}"

    def judge(self, rows: Sequence[Measured]) -> Verdict:
        """Compare with the rows this target is about."""
        found: list[tuple[float, str]] = []
        unmeasured: list[str] = []
        for row in rows:
            if self.smallest <= row.size <= self.largest:
                speedup = row.speedup(self.rival)
                if speedup is None:
                    unmeasured.append(row.label)
                else:
                    found.append((speedup, row.label))
        return Verdict(self, tuple(sorted(found)), tuple(unmeasured))


@dataclass(frozen=True)
class Verdict:
    """A target and what was measured for it.

    Attributes
    ----------
    target
        The target.
    speedups
        Factor and row, the worst first.
    unmeasured
        Rows the target is about that one of the two did not complete.
    """

    target: Target
    speedups: tuple[tuple[float, str], ...]
    unmeasured: tuple[str, ...]

    @property
    def reached(self) -> bool | None:
        """Whether every row reaches the target; None if nothing was measured."""
        if not self.speedups:
            return None
        return not self.unmeasured and self.speedups[0][0] >= self.target.factor

    def _figure(self, speedup: float) -> str:
        return f"{1 / speedup:.2f}x the time" if self.target.factor < 1 else f"{speedup:.2f}x as fast"

    def lines(self) -> list[str]:
        """The verdict in words: yes or no with the worst figure, then every row that misses."""
        if self.reached is None:
            return [f"not measured  {self.target.wording}"]
        worst, label = self.speedups[0]
        total = len(self.speedups) + len(self.unmeasured)
        passed = sum(speedup >= self.target.factor for speedup, _ in self.speedups)
        head = (
            f"{'yes' if self.reached else 'no':3}  {self.target.wording}: "
            f"{passed} of {total} rows; worst {self._figure(worst)} ({label})"
        )
        misses = [
            f"       misses: {self._figure(speedup)}  {label}"
            for speedup, label in self.speedups
            if speedup < self.target.factor
        ]
        return [head, *misses, *(f"       not measured: {label}" for label in self.unmeasured)]


TARGETS = (
    Target("torch.func", 8.0, 0, SMALL),
    Target("autograd", 2.5, 0, SMALL),
    Target("JAX (no jit)", 40.0, 0, SMALL),
    Target("autograd", 1.0, LARGE, float("inf")),
    Target("hand-written", 1 / 1.1, LARGE, float("inf")),
)
