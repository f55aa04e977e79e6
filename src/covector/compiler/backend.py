"""From a recorded program to a callable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.graph import Graph

__all__ = ["Executable", "executable"]


class Executable:
    """A program ready to run on arrays of the dtypes and shapes of its inputs."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.stages: dict[str, Any] = {"graph": graph}
        self.seconds: dict[str, float] = {}

    def __call__(self, *arrays: Any) -> list[Any]:
        return [np.array(x) for x in self.graph.run(*arrays)]


def executable(graph: Graph, *, threads: int | None = None, donate: Sequence[int] = ()) -> Executable:
    """Compile `graph`."""
    return Executable(graph)
