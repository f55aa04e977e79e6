"""From a recorded program to a callable."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from ..core.graph import Graph
from .cache import compiled
from .emit import Module, emit
from .entry import layout
from .expand import expand
from .fuse import fuse
from .plan import plan
from .roll import roll
from .runtime import Native
from .simplify import simplify
from .threads import install

__all__ = ["Executable", "executable"]


class Executable:
    """A program ready to run on arrays of the dtypes and shapes of its inputs.

    Attributes
    ----------
    stages : dict
        The program after each pass: ``graph``, ``simplified``, ``kernels``, ``llvm``.
    seconds : dict of str to float
        What each pass took.
    """

    def __init__(self, graph: Graph, module: Module, native: Native, stages: dict[str, Any], seconds: Any) -> None:
        self.graph = graph
        self.native = native
        self.stages = stages
        self.seconds: dict[str, float] = seconds
        self.outputs = module.plan.outputs
        self.results = module.plan.results
        self.plain = self.results == [("out", k) for k in range(len(self.outputs))]

    def __call__(self, *arrays: Any) -> list[Any]:
        outs = self.native(arrays)
        if self.plain:
            return outs
        return [self._result(kind, at, arrays, outs) for kind, at in self.results]

    def _result(self, kind: str, at: Any, arrays: Sequence[Any], outs: list[Any]) -> Any:
        if kind == "out":
            return outs[at] if self.results.count((kind, at)) == 1 else outs[at].copy()
        return np.array(arrays[at] if kind == "in" else at)


def executable(graph: Graph, *, threads: int | None = None, donate: Sequence[int] = ()) -> Executable:
    """Compile `graph`.

    Parameters
    ----------
    graph : Graph
    threads : int, optional
        How many threads long loops may use.
    donate : sequence of int
        Numbers of inputs whose memory the program may overwrite.
    """
    stages: dict[str, Any] = {"graph": graph}
    seconds: dict[str, float] = {}

    def timed(name: str, function: Any, *args: Any) -> Any:
        start = perf_counter()
        out = function(*args)
        seconds[name] = perf_counter() - start
        return out

    program = timed("expand", expand, graph)
    program = stages["simplified"] = timed("simplify", simplify, program)
    program = stages["rolled"] = timed("roll", roll, program)
    fused = stages["kernels"] = timed("fuse", fuse, program)
    planned = timed("plan", plan, fused)
    module = timed("emit", emit, planned, threads)
    stages["llvm"] = module.text
    if module.parallel:
        install()
    code = timed("llvm", compiled, module.text, ["cv.main", *(["cv.call"] if layout() else [])])
    inputs = [v.aval for v in graph.inputs]
    return Executable(graph, module, Native(module, code, inputs, threads), stages, seconds)
