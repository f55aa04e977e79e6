"""One specialisation of a compiled function: the program for one structure, one set of dtypes and shapes, one set of
answers to what Python asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...control.loops.capacity import CapacityError
from ...control.programs.axes import lane_names
from ...core import tree
from ...core.graph import Graph
from ...core.tracer import Trace
from ...core.values import Aval
from ...core.views import is_written
from ...transforms.arguments import output_leaves
from .collection import rare_collection
from .guards import Guard, conjunction
from .results import ARRAY, PYTHON, kinds_of
from .trace import JitTrace

__all__ = ["MISMATCH", "ForeignValueError", "Input", "Specialisation", "specialise"]

_ndarray = np.ndarray


class _Mismatch:
    def __repr__(self) -> str:
        return "MISMATCH"


MISMATCH = _Mismatch()
"""What a specialisation returns for arguments that its guards do not admit."""


class ForeignValueError(Exception):
    """The function closes over a value that another transform traces, and nobody could find out where it comes from."""


class Input:
    """One input of a program: its abstract value, what the caller gives, and an example of it."""

    __slots__ = ("aval", "example", "is_array", "lanes", "weak")

    def __init__(
        self, aval: Aval, example: Any, *, weak: bool, is_array: bool, lanes: frozenset[Trace] = frozenset()
    ) -> None:
        self.aval = aval
        self.example = example
        self.weak = weak
        self.is_array = is_array
        self.lanes = lanes


class Specialisation:
    """A recorded program, what it returns, and what it takes for granted.

    Attributes
    ----------
    graph : Graph
        Computes the output leaves, then the new values of the `written` hidden inputs. Its inputs are the argument
        leaves, then the hidden ones.
    guards : list of Guard
        What the program takes for granted.
    guarded : Graph or None
        The program with one more output, which tells whether the guards hold; None where there are none.
    treedef : PyTreeSpec
        Structure of the output.
    kinds : list of str
        What each output leaf is returned as.
    written : list of int
        Numbers of the hidden inputs that the function assigns to.
    watched : list of bytes or None
        Contents of the hidden arrays, where they are constants of the program and not inputs.
    program : object
        For whoever makes other programs of this one, to keep them.
    """

    __slots__ = (
        "_executable",
        "_lock",
        "_others",
        "_plain",
        "count",
        "donate",
        "graph",
        "guarded",
        "guards",
        "kinds",
        "lanes",
        "program",
        "seconds",
        "threads",
        "treedef",
        "watched",
        "written",
    )

    def __init__(
        self, graph: Graph, guarded: Graph | None, guards: list[Guard], treedef: Any, kinds: list[str]
    ) -> None:
        self.graph = graph
        self.guards = guards
        self.treedef = treedef
        self.kinds = kinds
        self.count = len(kinds)
        self.written: list[int] = []
        self.watched: list[bytes] | None = None
        self.lanes: list[frozenset[Any]] = []
        self.threads: int | None = None
        self.donate: tuple[int, ...] = ()
        self.seconds: dict[str, float] = {}
        self.program: Any = None
        self.guarded = guarded
        self._executable: Any = None
        self._lock = threading.Lock()
        self._others = [(i, k == PYTHON) for i, k in enumerate(kinds) if k != ARRAY]
        # One array out, in no structure: the case to be fast in.
        self._plain = treedef == tree.LEAF and kinds == [ARRAY] and guarded is None

    def __repr__(self) -> str:
        avals = ", ".join(repr(v.aval) for v in self.graph.inputs)
        return f"Specialisation({avals}; {len(self.graph)} operations, {len(self.guards)} guards)"

    def __reduce__(self) -> Any:
        from ..calls.pickling import reduce_specialisation

        return reduce_specialisation(self)

    @property
    def executable(self) -> Any:
        """The machine code; its last output tells whether the guards hold, if there are any."""
        if self._executable is None:
            with self._lock:
                if self._executable is None:
                    from ..backend import executable

                    start = time.perf_counter()
                    graph = self.graph if self.guarded is None else self.guarded
                    self._executable = executable(graph, threads=self.threads, donate=self.donate)
                    self.seconds["compile"] = time.perf_counter() - start
        return self._executable

    def run(self, arrays: Sequence[Any], hidden: Sequence[Any] = ()) -> Any:
        """Run on plain arrays; return the output, or `MISMATCH`."""
        code = self._executable
        if code is None:
            code = self.executable
        if self.watched is not None:
            hidden = ()
        if self.guarded is None:
            out = code(*arrays, *hidden)
            if self._plain and not self.written:
                return out[0]
        else:
            try:
                out = code(*arrays, *hidden)
            except CapacityError:
                raise
            except Exception:
                return MISMATCH  # what was not meant for these values may fail on them
            if not out.pop():
                return MISMATCH
        return self._finished(out, hidden)

    def _finished(self, out: list[Any], hidden: Sequence[Any]) -> Any:
        if self.written:
            for i, new in zip(self.written, out[self.count :], strict=True):
                hidden[i][...] = new
            del out[self.count :]
        for i, python in self._others:
            out[i] = out[i].item() if python else out[i][()]
        return out[0] if self.treedef is tree.LEAF else tree.unflatten(self.treedef, out)

    def force(self, arrays: Sequence[Any], hidden: Sequence[Any] = ()) -> Any:
        """Run on plain arrays, whether the guards hold or not."""
        out = self.executable(*arrays, *(() if self.watched is not None else hidden))
        if self.guarded is not None:
            out.pop()
        return self._finished(out, hidden)

    @property
    def reads_numbers(self) -> int:
        """How often the function made a plain number of a value, as ``a[0] = t`` of a plain array `a` does."""
        return sum(g.purpose in ("float", "complex", "tolist") for g in self.guards)

    def code_seconds(self) -> dict[str, float]:
        """The seconds that each stage of the compilation took, if there was one."""
        return {} if self._executable is None else self._executable.seconds

    def same_guards(self, other: Specialisation) -> bool:
        """Whether `other` takes the same for granted."""
        return (
            self.watched == other.watched
            and self.lanes == other.lanes
            and len(self.guards) == len(other.guards)
            and all(a.same_question(b) and a.same_answer(b) for a, b in zip(self.guards, other.guards, strict=True))
        )

    def watch(self, hidden: Sequence[Any]) -> None:
        """Take the contents of the hidden arrays, which are constants of the program, for granted."""
        self.watched = [x.tobytes() for x in hidden]

    def is_current(self, hidden: Sequence[Any]) -> bool:
        """Whether the hidden arrays that are constants have not changed."""
        return self.watched is None or all(x.tobytes() == y for x, y in zip(hidden, self.watched, strict=True))

    def finish(self, leaves: Sequence[Any]) -> Any:
        """Put output leaves, traced or not, into the structure of the output."""
        return tree.unflatten(self.treedef, list(leaves)[: self.count])


@rare_collection()
def specialise(
    call: Callable[[list[Any], list[Any]], Any],
    inputs: Sequence[Input],
    hidden: Sequence[Input],
    fun: Any,
    integers: bool = False,
) -> Specialisation:
    """Record ``call(arguments, hidden)``.

    Parameters
    ----------
    call : callable
        Takes one tracer per input, and calls the user's function.
    inputs, hidden : sequence of Input
        The argument leaves, and what the function closes over.
    fun : callable
        The user's function, for messages.
    integers : bool
        Whether arrays of integers and bools may become plain ones, under a guard for every element.
    """
    start = time.perf_counter()
    trace = JitTrace("jit", integers)
    try:
        given = [trace.example(i.aval, i.example, i.weak, i.lanes) for i in inputs]
        closed = [trace.example(i.aval, i.example, i.weak, i.lanes) for i in hidden]
        arrays = [t._var for t, i in zip(given + closed, [*inputs, *hidden], strict=True) if i.is_array]
        # The function gets handles of its own: what it assigns to arguments, its caller does not see.
        leaves, treedef = output_leaves(call([t.clone() for t in given], closed), "jit", fun)
        trace.graph.outputs = [trace.lower(x) for x in leaves]
        kinds = kinds_of(leaves, trace.graph, arrays)
        written = [i for i, t in enumerate(closed) if is_written(t)]
        trace.graph.outputs += [trace.lower(closed[i]) for i in written]
        guarded = _with_guard(trace)
    except Exception as error:
        if trace.foreign:
            raise ForeignValueError from error
        raise
    finally:
        trace.close()
    if trace.foreign:
        raise ForeignValueError
    made = Specialisation(trace.graph, guarded, trace.guards, tree.LEAF if treedef == tree.LEAF else treedef, kinds)
    made.written = written
    made.lanes = lane_names([i.lanes for i in [*inputs, *hidden]])
    made.seconds["trace"] = time.perf_counter() - start
    return made


def _with_guard(trace: JitTrace) -> Graph | None:
    """The program with one more output, which tells whether all guards hold; None where there are none."""
    if not trace.guards:
        return None
    graph, count = trace.graph, len(trace.graph.equations)
    total = conjunction([trace.make(g.var, None) for g in trace.guards], trace.guards)
    if total is None:
        return None
    guarded = Graph()
    guarded.inputs, guarded.equations = graph.inputs, list(graph.equations)
    guarded.outputs = [*graph.outputs, trace.lower(total)]
    guarded.count = graph.count
    del graph.equations[count:]
    return guarded
