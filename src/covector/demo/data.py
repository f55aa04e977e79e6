"""The observations and certified values of the NIST archive, read from the file beside this module."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .models import MODELS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """One regression problem: a model, its observations, two starting points and the certified answer."""

    name: str
    model: Callable[[Any, Any], Any]
    formula: str
    difficulty: str
    origin: str
    x_label: str
    y_label: str
    x: Floats
    y: Floats
    starts: tuple[Floats, ...]
    certified: Floats
    standard_error: Floats
    residual_sum_of_squares: float

    def residuals(self, b: Any) -> Any:
        """Model minus observations at the parameters `b`."""
        return self.model(b, self.x) - self.y

    def sum_of_squares(self, b: Any) -> Any:
        """What the fit minimises."""
        r = self.residuals(b)
        return r @ r


@dataclass(frozen=True)
class Archive:
    """Where the figures come from, and the problems in the file's order."""

    source: str
    url: str
    problems: dict[str, Problem]


def load_archive() -> Archive:
    """Read the figures and certified values that are shipped with the package."""
    content = json.loads(files(__package__).joinpath("nist_strd.json").read_text(encoding="utf-8"))
    problems = {name: _problem(name, entry) for name, entry in content["datasets"].items()}
    return Archive(content["source"], content["url"], problems)


def _problem(name: str, entry: dict[str, Any]) -> Problem:
    return Problem(
        name=name,
        model=MODELS[name],
        formula=entry["model"],
        difficulty=entry["difficulty"],
        origin=entry["origin"],
        x_label=entry["x_label"],
        y_label=entry["y_label"],
        x=np.array(entry["x"], dtype=float),
        y=np.array(entry["y"], dtype=float),
        starts=tuple(np.array(start, dtype=float) for start in entry["starts"]),
        certified=np.array(entry["certified"], dtype=float),
        standard_error=np.array(entry["standard_error"], dtype=float),
        residual_sum_of_squares=float(entry["residual_sum_of_squares"]),
    )
