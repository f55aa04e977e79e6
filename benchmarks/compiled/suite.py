"""What one benchmark of compiled programs has of its own; the runner, the contestants and the tables are shared."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .families import Case
from .measure import Row

# whether a goal is reached (None: not measured), its wording, what misses it
Verdict = tuple[bool | None, str, list[str]]


@dataclass(frozen=True)
class Suite:
    """A benchmark.

    Attributes
    ----------
    name
        Its folder, which holds the families and the derivatives by hand in C.
    families
        Names of the families, as ``--only`` takes them.
    always
        Families whose sizes are all small enough for every run.
    peers
        Who takes part without ``--peers``.
    verdicts
        Judges rows.
    write
        Writes the page of the documentation: from rows, facts, contestants and the folder to the files.
    """

    name: str
    families: tuple[str, ...]
    always: tuple[str, ...]
    peers: tuple[str, ...]
    verdicts: Callable[[Sequence[Row]], list[Verdict]]
    write: Callable[[Sequence[Row], dict[str, Any], Sequence[str], Path], list[Path]]

    def cases(self, family: str) -> list[Case]:
        """The cases of one family, smallest first."""
        found: list[Case] = importlib.import_module(f"benchmarks.{self.name}.families").cases(family)
        return found
