"""From a recorded program to a callable."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.graph import Graph, Var
from .disk.cache import compiled, object_key
from .disk.contents import Contents, contents_of
from .disk.programs import load, program_key, store
from .native.entry import layout
from .native.runtime import Native
from .tracing.collection import rare_collection

if TYPE_CHECKING:
    from .native.emit import Module

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
        """The program after each pass: ``graph``, ``rolled``, ``simplified``, ``kernels``, ``llvm``."""
        if "llvm" not in self._passes.stages:
            self._passes.run({})
        return self._passes.stages

    @property
    def count(self) -> int:
        """The number of outputs."""
        return len(self.results)

    def direct(self) -> tuple[Any, list[Any]] | None:
        """The builtin function to call with inputs and outputs, and what makes each output; None if that is not all.

        It returns something true, and has done nothing, if the inputs are not laid out as it wants them.
        """
        native = self.native
        ready = self.plain and native.plain and native.fast is not None and not native.reused
        return (native.fast, native.outputs) if ready else None

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

    def __init__(self, graph: Graph, threads: int | None, donate: Sequence[int]) -> None:
        self.graph = graph
        self.threads = threads
        self.donate = donate
        self.stages: dict[str, Any] = {"graph": graph}
        self.seconds: dict[str, float] = {}
        self.level = 3

    def run(self, seconds: dict[str, float]) -> Module:
        """Run all of them, which are imported only now: a program that is found on disk does not need them."""
        from .loops.fuse import fuse
        from .loops.plan import plan
        from .native.effort import level_of
        from .native.emit import emit
        from .passes.check import run_passes
        from .passes.expand import expand
        from .passes.shorten import shorten

        program = timed(seconds, "expand", run_passes, self.graph, [expand])
        program = self.stages["simplified"] = timed(seconds, "simplify and roll", shorten, program).graph
        fused = self.stages["kernels"] = timed(seconds, "fuse", fuse, program)
        planned = timed(seconds, "plan", plan, fused, self.pairs(program))
        module: Module = timed(seconds, "emit", emit, planned, self.threads)
        self.stages["llvm"] = module.text
        self.level = level_of(planned, module.text)
        return module

    def pairs(self, program: Graph) -> dict[int, int]:
        """Outputs that may take the memory of inputs which the caller gives away: of the same shape and dtype."""
        found: dict[int, int] = {}
        for i in self.donate:
            aval = program.inputs[i].aval
            for o, x in enumerate(program.outputs):
                if o not in found and type(x) is Var and x.aval[:2] == aval[:2] and x is not program.inputs[i]:
                    found[o] = i
                    break
        return found


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
    passes = _Passes(graph, threads, donate)
    seconds = passes.seconds
    names = ["cv.main", *(["cv.call"] if layout() else [])]
    name = timed(seconds, "key", program_key, graph, threads, donate)
    if name is not None:
        found = timed(seconds, "load", load, name, graph, names)
        if found is not None:
            return Executable(passes, *found)
    module = passes.run(seconds)
    if module.parallel:
        from .native.threads import install

        install()
    code = timed(seconds, "llvm", partial(compiled, level=passes.level), module.text, names)
    contents = contents_of(module)
    if name is not None:
        made = object_key(module.text, names, level=passes.level)
        timed(seconds, "store", store, name, graph, contents, made)
    return Executable(passes, contents, code)
