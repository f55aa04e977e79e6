"""From a recorded program to a callable."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.graph import Graph
from .cache import compiled, object_key
from .collection import rare_collection
from .contents import Contents, contents_of
from .entry import layout
from .programs import load, program_key, store
from .runtime import Native

if TYPE_CHECKING:
    from .emit import Module

__all__ = ["Executable", "executable"]


class Executable:
    """A program ready to run on arrays of the dtypes and shapes of its inputs.

    Attributes
    ----------
    seconds : dict of str to float
        What each pass took; of a program that was found on disk, what finding it took.
    """

    def __init__(self, passes: _Passes, contents: Contents, code: Any) -> None:
        self.graph = passes.graph
        self.native = Native(contents, code, [v.aval for v in passes.graph.inputs], passes.threads)
        self.seconds = passes.seconds
        self.results = contents.results
        self.plain = self.results == [("out", k) for k in range(len(contents.outputs))]
        self._passes = passes

    @property
    def stages(self) -> dict[str, Any]:
        """The program after each pass: ``graph``, ``simplified``, ``rolled``, ``kernels``, ``llvm``."""
        if "llvm" not in self._passes.stages:
            self._passes.run({})
        return self._passes.stages

    def __call__(self, *arrays: Any) -> list[Any]:
        outs = self.native(arrays)
        if self.plain:
            return outs
        return [self._result(kind, at, arrays, outs) for kind, at in self.results]

    def _result(self, kind: str, at: Any, arrays: Sequence[Any], outs: list[Any]) -> Any:
        if kind == "out":
            return outs[at] if self.results.count((kind, at)) == 1 else outs[at].copy()
        return np.array(arrays[at] if kind == "in" else at)


class _Passes:
    """The way of one program to LLVM IR."""

    def __init__(self, graph: Graph, threads: int | None) -> None:
        self.graph = graph
        self.threads = threads
        self.stages: dict[str, Any] = {"graph": graph}
        self.seconds: dict[str, float] = {}

    def run(self, seconds: dict[str, float]) -> Module:
        """Run all of them, which are imported only now: a program that is found on disk does not need them."""
        from .emit import emit
        from .expand import expand
        from .fuse import fuse
        from .plan import plan
        from .roll import roll
        from .simplify import simplify

        program = timed(seconds, "expand", expand, self.graph)
        program = self.stages["simplified"] = timed(seconds, "simplify", simplify, program)
        program = self.stages["rolled"] = timed(seconds, "roll", roll, program)
        fused = self.stages["kernels"] = timed(seconds, "fuse", fuse, program)
        planned = timed(seconds, "plan", plan, fused)
        module: Module = timed(seconds, "emit", emit, planned, self.threads)
        self.stages["llvm"] = module.text
        return module


def timed(seconds: dict[str, float], name: str, function: Any, *args: Any) -> Any:
    """Return ``function(*args)`` and note how long it took."""
    start = perf_counter()
    out = function(*args)
    seconds[name] = perf_counter() - start
    return out


@rare_collection()
def executable(graph: Graph, *, threads: int | None = None, donate: Sequence[int] = ()) -> Executable:
    """Compile `graph`, or find it on disk.

    Parameters
    ----------
    graph : Graph
    threads : int, optional
        How many threads long loops may use.
    donate : sequence of int
        Numbers of inputs whose memory the program may overwrite.
    """
    passes = _Passes(graph, threads)
    seconds = passes.seconds
    names = ["cv.main", *(["cv.call"] if layout() else [])]
    name = timed(seconds, "key", program_key, graph, threads, donate)
    if name is not None:
        found = timed(seconds, "load", load, name, graph, names)
        if found is not None:
            return Executable(passes, *found)
    module = passes.run(seconds)
    if module.parallel:
        from .threads import install

        install()
    code = timed(seconds, "llvm", compiled, module.text, names)
    contents = contents_of(module)
    if name is not None:
        timed(seconds, "store", store, name, graph, contents, object_key(module.text, names))
    return Executable(passes, contents, code)
