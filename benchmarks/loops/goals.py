"""What loops are meant to reach, and whether a measurement shows it."""

from __future__ import annotations

from collections.abc import Sequence

from ..compiled.goals import Goal
from ..compiled.measure import Row

# families whose step works on at most 16 numbers; of the cascade it is one size
_SMALL_STATES = ("kalman", "recurrence", "bounce", "network")
_SMALL_CASCADES = ("10", "python-10")


def small_state(row: Row) -> bool:
    """Whether one step works on at most 16 numbers, so that what counts is the cost of a step as such."""
    if row.family == "cascade":
        return row.size.rsplit("-", 1)[0] in _SMALL_CASCADES
    return row.family in _SMALL_STATES


def _bounded(value: float | None, bound: float) -> tuple[float, float] | None:
    return None if value is None else (value, bound)


def _small(row: Row) -> tuple[float, float] | None:
    return _bounded(row.ratio("jax"), 1.0 / 10.0) if small_state(row) else None


def _large(row: Row) -> tuple[float, float] | None:
    return None if small_state(row) else _bounded(row.ratio("jax"), 1.0 / 1.5)


def _memory(row: Row) -> tuple[float, float] | None:
    figures = row.memory.get("covector")
    if row.family != "network" or figures is None:
        return None
    return (figures["bytes"] - figures["arrays"]) / 1e6, 50.0


def _again(row: Row) -> tuple[float, float] | None:
    stored = row.timings.get("covector", {}).get("to_covector-stored")
    return _bounded(stored, 1.8)


GOALS = (
    Goal("where the state has at most 16 entries: at most a tenth of jax.jit's time", _small, "{:.3f}x"),
    Goal("elsewhere: at most 1/1.5 of jax.jit's time", _large),
    Goal("at most 1.5 times C written by hand", lambda row: _bounded(row.ratio("c"), 1.5)),
    Goal("gradient of a million steps with checkpoints: at most 50 MB beyond inputs and outputs", _memory, "{:.1f} MB"),
    Goal("the same: at most 1.8 times the time without checkpoints", _again),
)


def _beside_c(text: str, rows: Sequence[Row]) -> str:
    """What misses a bound on JAX's time, with what C reaches: nothing that computes the same is far below it."""
    for row in rows:
        by_hand = row.timings.get("c", {}).get("to_jax")
        if by_hand is not None and text.startswith(f"{row.label}:"):
            return f"{text} (C by hand: {by_hand:.3f}x)"
    return text


def verdicts(rows: Sequence[Row]) -> list[tuple[bool | None, str, list[str]]]:
    """Each goal with the answer and what misses it; rows of small size do not count."""
    full = [row for row in rows if not row.small]
    found = []
    for goal in GOALS:
        reached, missed = goal.judge(full)
        if goal.figures in (_small, _large):
            missed = [_beside_c(text, full) for text in missed]
        found.append((reached, goal.wording, missed))
    return found
