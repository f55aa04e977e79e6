"""What compiled derivatives are meant to reach, and whether a measurement shows it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .measure import Row

# covector's time as a multiple of JAX's: what is ahead of the best of ten tools, see the documentation
_AHEAD = {
    "lse 2500": 0.4,
    "lse 40000": 0.9,
    "lse 1280000": 0.5,
    "gmm 2x5": 0.6,
    "gmm 10x25": 0.7,
    "gmm 20x50": 0.4,
    "gmm 64x100": 0.4,
    "bundle 31843": 0.2,
    "bundle 225911": 0.2,
    "bundle 1255268": 0.25,
}


@dataclass(frozen=True)
class Goal:
    """A bound on figures of the rows.

    Attributes
    ----------
    wording
        The goal as a phrase.
    figures
        Row to its figure and the largest one allowed; None where the goal is not about the row or it lacks the figure.
    unit
        How a figure is printed.
    """

    wording: str
    figures: Callable[[Row], tuple[float, float] | None]
    unit: str = "{:.2f}x"

    def judge(self, rows: Iterable[Row]) -> tuple[bool | None, list[str]]:
        """Whether every figure is within its bound (None: nothing measured), and those that are not, in words."""
        found = [(row.label, *pair) for row in rows if (pair := self.figures(row)) is not None]
        if not found:
            return None, []
        missed = sorted((entry for entry in found if not entry[1] <= entry[2]), key=lambda entry: -entry[1] / entry[2])
        words = [
            f"{label}: {self.unit.format(value)}, allowed {self.unit.format(bound)}" for label, value, bound in missed
        ]
        return not missed, words


def _bounded(value: float | None, bound: float) -> tuple[float, float] | None:
    return None if value is None else (value, bound)


def _ahead(row: Row) -> tuple[float, float] | None:
    return _bounded(row.ratio("jax"), _AHEAD[row.label]) if row.label in _AHEAD else None


def _large_lse(row: Row) -> tuple[float, float] | None:
    return _bounded(row.ratio("jax"), 0.2) if row.label == "lse 1280000" else None


def _overhead(row: Row) -> tuple[float, float] | None:
    if row.family != "small" or "covector" not in row.timings:
        return None
    return row.timings["covector"]["median"] * 1e6, 8.0 if "x" in row.size else 3.0


def _cached(row: Row) -> tuple[float, float] | None:
    return _bounded(row.first.get("covector (cached)", {}).get("process"), 0.25)


def _memory(row: Row) -> tuple[float, float] | None:
    figures = row.memory.get("covector")
    return None if figures is None else (figures["bytes"] / figures["arrays"], 1.2)


GOALS = (
    Goal("no workload slower than jax.jit", lambda row: _bounded(row.ratio("jax"), 1.0)),
    Goal("gradient of log-sum-exp, n >= 1e5: at most a fifth of jax.jit's time", _large_lse),
    Goal("ahead of the best known tool on LSE, GMM and bundle adjustment, relative to jax.jit", _ahead),
    Goal("no workload slower than 1.3 times C written by hand", lambda row: _bounded(row.ratio("c"), 1.3)),
    Goal("a call on a small array takes at most 3 µs, on ten arrays at most 8 µs", _overhead, "{:.1f} µs"),
    Goal("first call: at most half of jax.jit's", lambda row: _bounded(row.first_ratio("first_call"), 0.5)),
    Goal("fresh process to first result: at most 0.4 of JAX's", lambda row: _bounded(row.first_ratio("process"), 0.4)),
    Goal("fresh process to first result with a filled disk cache: at most 0.25 s", _cached, "{:.2f} s"),
    Goal("memory of one call: at most 1.2 times inputs and outputs", _memory),
)
FASTER_THAN_JAX = 3.0


def geometric_mean(values: Sequence[float]) -> float | None:
    """The geometric mean, None of nothing."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def speedup(rows: Iterable[Row], rival: str) -> float | None:
    """How many times faster than the rival covector is, geometric mean over the rows of full size."""
    ratios = [row.ratio(rival) for row in rows if not row.small]
    mean = geometric_mean([ratio for ratio in ratios if ratio is not None])
    return None if mean is None else 1.0 / mean


def verdicts(rows: Sequence[Row]) -> list[tuple[bool | None, str, list[str]]]:
    """Each goal with the answer and what misses it; rows of small size do not count."""
    full = [row for row in rows if not row.small]
    mean = speedup(full, "jax")
    words = f"geometric mean over all workloads: at least {FASTER_THAN_JAX:.0f} times as fast as jax.jit"
    head = (None if mean is None else mean >= FASTER_THAN_JAX, words, [] if mean is None else [f"it is {mean:.2f}x"])
    judged = [(goal.wording, *goal.judge(full)) for goal in GOALS]
    return [head, *((reached, wording, missed) for wording, reached, missed in judged)]
