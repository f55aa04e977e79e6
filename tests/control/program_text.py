"""A random program: its text, and arguments for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Program"]


class Program(NamedTuple):
    """The text of a program, and the dtype of its arguments."""

    lines: tuple[str, ...]
    dtype: str
    seed: int

    @property
    def source(self) -> str:
        return "def f(L, x, s, m, v, k):\n" + "".join(f"    {line}\n" for line in self.lines)

    @property
    def function(self) -> Callable[..., Any]:
        names: dict[str, Any] = {"np": np}
        exec(compile(self.source, f"<random {self.seed}>", "exec"), names)
        return names["f"]  # type: ignore[no-any-return]

    def arguments(self, lane: int = 0) -> tuple[list[Any], Any]:
        """The arguments `x, s, m, v`, and `k`."""
        rng = np.random.default_rng([self.seed, lane])
        numbers = [rng.uniform(-1.0, 1.0, shape) for shape in ((3,), (), (3, 3), (5,))]
        if self.dtype == "complex128":
            numbers = [z + 0.5j * rng.uniform(-1.0, 1.0, z.shape) for z in map(np.asarray, numbers)]
        return [np.asarray(z).astype(self.dtype)[()] for z in numbers], np.int64(rng.integers(0, 6))

    def __repr__(self) -> str:
        return f"{self.source}# {self.dtype}, seed {self.seed}"
