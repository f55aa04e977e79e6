"""The measurements of one case, each in processes of its own."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

from .families import Case
from .processes import Failed, Workshop

# who is measured alone, in the order of the columns
ALONE = ("covector", "covector-stored", "jax", "torch")


@dataclass
class Row:
    """What was measured of one case.

    Attributes
    ----------
    family, size
        The case.
    small
        Whether it is left out of averages and goals.
    timings
        Contestant to ``median``, ``quartiles``, ``busy_cores`` and, paired by round, ``to_jax``, ``to_c``,
        ``to_covector``: its time as a multiple of theirs.
    rounds
        Number of rounds.
    first
        Contestant to its first call in a fresh process; ``"covector (cached)"`` is covector with a filled disk cache.
        Entries: ``first_call`` (trace, compile, run), ``process`` (from the start of the process to the first result),
        ``peak_bytes``.
    memory
        Contestant to ``bytes`` (inputs, outputs and everything between, while it runs) and ``arrays`` (inputs and
        outputs alone).
    failures
        Contestant to what went wrong.
    left_out
        Contestant to why it has no function for the case.
    """

    family: str
    size: str
    small: bool
    timings: dict[str, dict[str, Any]] = field(default_factory=dict)
    rounds: int = 0
    first: dict[str, dict[str, float]] = field(default_factory=dict)
    memory: dict[str, dict[str, float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Family and size."""
        return f"{self.family} {self.size}"

    def ratio(self, rival: str) -> float | None:
        """covector's time as a multiple of the rival's; None if one of them was not measured."""
        timing = self.timings.get("covector", {})
        ratio: float | None = timing.get(f"to_{rival}")
        return ratio

    def first_ratio(self, entry: str) -> float | None:
        """covector's ``first_call`` or ``process`` with an empty cache as a multiple of JAX's."""
        if "covector" not in self.first or "jax" not in self.first:
            return None
        return self.first["covector"][entry] / self.first["jax"][entry]


def compare(row: Row, case: Case, contestants: list[str], workshop: Workshop, budget: float, rounds: int) -> list[str]:
    """Check and time everybody in one process; returns who computed the right result.

    Where that process does not end as it should, the peers are measured without covector.
    """
    cache = workshop.new_cache()
    for names in (contestants, [name for name in contestants if not name.startswith("covector")]):
        try:
            answer = workshop.ask("compare", case, names, cache, budget=budget, rounds=rounds, time=case.timed)
        except Failed as failure:
            row.failures["covector" if names is contestants else "the others"] = str(failure)
            continue
        row.failures |= answer["failures"]
        row.timings = answer["timings"]
        row.rounds = answer.get("rounds", 0)
        right: list[str] = answer["right"]
        return right
    return []


def first_calls(row: Row, case: Case, contestants: list[str], workshop: Workshop, repeats: int) -> None:
    """First calls in fresh processes, alternating; covector with an empty cache and then with the one it filled."""
    found: dict[str, list[dict[str, Any]]] = {}

    def run(name: str, contestant: str, cache: str) -> bool:
        try:
            found.setdefault(name, []).append(workshop.ask("first", case, [contestant], cache))
        except Failed as failure:
            row.failures.setdefault(f"{name}, first call", str(failure))
            return False
        return True

    for repeat in range(repeats):
        for contestant in contestants:
            if repeat and contestant not in ("covector", "jax"):
                continue
            cache = workshop.new_cache()
            if run(contestant, contestant, cache) and contestant == "covector":
                run("covector (cached)", contestant, cache)
    for name, answers in found.items():
        if answers:
            row.first[name] = {
                "first_call": statistics.median(answer["first_call"] for answer in answers),
                "process": statistics.median(answer["outside"] for answer in answers),
                "loading": statistics.median(answer["loading"] for answer in answers),
                "peak_bytes": statistics.median(answer["peak_bytes"] for answer in answers),
            }


def memory(row: Row, case: Case, contestants: list[str], workshop: Workshop) -> None:
    """Memory in a fresh process for each."""
    for contestant in contestants:
        try:
            row.memory[contestant] = workshop.ask("memory", case, [contestant], workshop.new_cache())
        except Failed as failure:
            row.failures[f"{contestant}, memory"] = str(failure)
