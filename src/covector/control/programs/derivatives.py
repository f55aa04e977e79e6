"""Programs made of a program: forward pass and pullback, tangents, the same for a batch.

Each is recorded by running the program under the trace of the transform inside a `GraphTrace`, so what a transform does
to a compiled function is what it does to any function.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ...core.errors import CustomRuleError
from ...core.graph import Equation, Graph, GraphTrace, Var
from ...core.tracer import Tracer, start
from ...core.values import aval_of
from ...transforms.batching import BatchTrace, BatchTracer
from ...transforms.forward import ForwardTrace, ForwardTracer
from ...transforms.reverse import ReverseTrace, ReverseTracer, pull_back, push_forward
from .axes import Axis, on_shared, open_axes, settle_axes
from .residuals import part, residuals, used

__all__ = ["Derived", "ForeignRuleError", "Source", "Tape", "batched", "check_closed", "dual", "tangents"]

Source = tuple[str, int]
"""Where an input comes from: ``("arg", i)``, ``("out", i)``, ``("residual", i)`` or ``("seed", i)``."""


class ForeignRuleError(CustomRuleError):
    """A derivative rule in a compiled function closes over a value of another transform: it is good for one call."""


def check_closed(graph: Graph) -> None:
    """Raise `ForeignRuleError` if the program holds traced values."""
    for eq in graph.equations:
        for x in eq.inputs:
            if isinstance(x, Tracer):
                raise ForeignRuleError(
                    f"a custom derivative rule in a compiled function closes over a value traced by {x._trace.name}, "
                    f"which reached {eq.primitive}; pass it as an argument"
                )


class Derived(NamedTuple):
    """A program made of another.

    Attributes
    ----------
    graph : Graph
        The program.
    sources : list of Source
        Where each of its inputs comes from.
    places : list of int
        The number of each of its outputs among the results; those not named are zero.
    """

    graph: Graph
    sources: list[Source]
    places: list[int]


class _Recorder(GraphTrace):
    """A `GraphTrace` that can be taken up again after it was closed."""

    __slots__ = ()

    def reopen(self) -> None:
        self.alive = True
        start(self)


def _derived(
    given: Sequence[tuple[Source, Var]], equations: Sequence[Equation], results: Sequence[Any], trace: GraphTrace
) -> Derived:
    """The part of a recording that computes `results`, of those of the variables `given` that it needs."""
    places = [i for i, x in enumerate(results) if x is not None]
    outputs = [trace.lower(results[i]) for i in places]
    there: dict[int, tuple[Source, Var]] = {}
    for source, v in given:
        there.setdefault(v.index, (source, v))
    needed = {x.index for x in outputs if type(x) is Var}
    for eq in used(equations, outputs, there):
        needed.update(x.index for x in eq.inputs if type(x) is Var)
    taken = [pair for i, pair in there.items() if i in needed]
    graph = part([v for _, v in taken], equations, outputs)
    return Derived(settle_axes(graph), [source for source, _ in taken], places)


def tangents(graph: Graph, moving: Sequence[bool]) -> Derived:
    """The tangents of the outputs, given arguments, outputs and the tangents of the arguments that move."""
    recorder = _Recorder("jit")
    try:
        xs = [recorder.input(v.aval) for v in graph.inputs]
        ts = {i: recorder.input(v.aval._replace(weak=False)) for i, v in enumerate(graph.inputs) if moving[i]}
        trace = ForwardTrace("jit")
        try:
            with open_axes(graph, recorder) as opened:
                outs = opened.run(*[trace.tracer(x, ts.get(i)) for i, x in enumerate(xs)])
        finally:
            trace.close()
        mine = [isinstance(y, ForwardTracer) and y._trace is trace for y in outs]
        results = [y.tangent if m else None for y, m in zip(outs, mine, strict=True)]
        values = [recorder.lower(y.value if m else y) for y, m in zip(outs, mine, strict=True)]
        given = _named("arg", [x._var for x in xs]) + _named("out", values)
        given += [(("seed", i), t._var) for i, t in ts.items()]
        return _derived(given, recorder.graph.equations, results, recorder)
    finally:
        recorder.close()


def dual(graph: Graph, moving: Sequence[bool]) -> tuple[Graph, list[bool]]:
    """Outputs and their tangents from arguments and the tangents of those that move, and which outputs have one.

    The outputs of the program are the outputs of `graph`, then the tangents that are not zero.
    """
    recorder = _Recorder("jit")
    try:
        xs = [recorder.input(v.aval._replace(weak=False)) for v in graph.inputs]
        ts = {i: recorder.input(v.aval._replace(weak=False)) for i, v in enumerate(graph.inputs) if moving[i]}
        trace = ForwardTrace("jit")
        try:
            with open_axes(graph, recorder) as opened:
                outs = opened.run(*[trace.tracer(x, ts.get(i)) for i, x in enumerate(xs)])
        finally:
            trace.close()
        mine = [isinstance(y, ForwardTracer) and y._trace is trace for y in outs]
        outputs = [y.value if m else y for y, m in zip(outs, mine, strict=True)]
        outputs += [y.tangent for y, m in zip(outs, mine, strict=True) if m]
        lowered = [recorder.lower(y) for y in outputs]
        return settle_axes(part(recorder.graph.inputs, recorder.graph.equations, lowered)), mine
    finally:
        recorder.close()


def _named(kind: str, values: Sequence[Any]) -> list[tuple[Source, Var]]:
    return [((kind, i), v) for i, v in enumerate(values) if type(v) is Var]


def batched(graph: Graph, mapped: Sequence[bool], size: int, axis_name: Any) -> tuple[Graph, list[bool]]:
    """The program for a batch, whose axis is the first of the arguments that are mapped, and which outputs are mapped.

    `axis_name` is the name of the axis if collectives of the program go over it.
    """
    recorder = _Recorder("jit")
    try:
        trace = BatchTrace("jit", size, axis_name)
        lanes = [v.aval._replace(shape=(size, *v.shape), weak=False) for v in graph.inputs]
        xs = [recorder.input(a if m else v.aval) for v, a, m in zip(graph.inputs, lanes, mapped, strict=True)]
        axis = None if axis_name is None else Axis(axis_name, size)
        try:
            with open_axes(graph, recorder, axis, trace) as opened:
                outs = opened.run(*[trace.tracer(x) if m else x for x, m in zip(xs, mapped, strict=True)])
        finally:
            trace.close()
        mine = [isinstance(y, BatchTracer) and y._trace is trace for y in outs]
        outputs = [recorder.lower(y.value if m else y) for y, m in zip(outs, mine, strict=True)]
        made = part(recorder.graph.inputs, recorder.graph.equations, outputs)
        return settle_axes(made if axis is None else on_shared(made, trace)), mine
    finally:
        recorder.close()


class Tape:
    """A program run on a tape: the forward pass, and for each pattern of seeds the passes over the tape.

    Parameters
    ----------
    graph : Graph
        The program.
    wanted : sequence of bool
        Per argument whether a derivative flows to it.
    scarce : set of Source, optional
        Arguments and outputs that the passes over the tape do not have; else they have all.

    Attributes
    ----------
    forward : Graph
        From the arguments to the outputs, followed by the residuals.
    depends : list of bool
        Per output whether a derivative flows from it.
    """

    def __init__(self, graph: Graph, wanted: Sequence[bool], scarce: Collection[Source] = ()) -> None:
        self._recorder = recorder = _Recorder("jit")
        self._source = graph
        try:
            self._xs = [recorder.input(v.aval) for v in graph.inputs]
            trace = ReverseTrace("jit", escapes=False)
            try:
                pairs = zip(self._xs, wanted, strict=True)
                inputs = [trace.input(x) if w else x for x, w in pairs]
                with open_axes(graph, recorder) as opened:
                    outs = opened.run(*inputs)
            finally:
                trace.close()
            self._tape = trace.tape
            self._in_slots = [x.slot if isinstance(x, ReverseTracer) else 0 for x in inputs]
            mine = [isinstance(y, ReverseTracer) and y._trace is trace for y in outs]
            self._out_slots = [y.slot if m else 0 for y, m in zip(outs, mine, strict=True)]
            self._outs = [recorder.lower(y.value if m else y) for y, m in zip(outs, mine, strict=True)]
        finally:
            recorder.close()
        self.depends = [slot > 0 for slot in self._out_slots]
        # From here on the recording goes on from this point, again for each pattern of seeds.
        self._equations = recorder.graph.equations
        self._count = recorder.graph.count
        known = _named("arg", [x._var for x in self._xs]) + _named("out", self._outs)
        self._there = [(source, v) for source, v in known if source not in scarce]
        free = {v.index for _, v in self._there}
        self._scarce = [v for source, v in known if source[0] == "arg" and v.index not in free]
        self._seeds: list[tuple[Source, Var]] = []
        self._kept = self._residuals()
        self.forward = settle_axes(part([x._var for x in self._xs], self._equations, [*self._outs, *self._kept]))

    def _residuals(self) -> list[Var]:
        with self._taken_up() as recorder:
            try:
                results = self._pull([True] * len(self._outs))
            except Exception:
                return []  # a user's rule fails; it is to do so in the backward pass
            backward = recorder.graph.equations[len(self._equations) :]
            read = [recorder.lower(x) for x in results if x is not None]
            for eq in used(backward, read):
                read += eq.inputs
            # Now and not in the backward pass, so that the call can still be made without machine code.
            check_closed(settle_axes(recorder.graph))
        return residuals(self._equations, read, [v.index for _, v in self._there], self._scarce)

    @contextmanager
    def _taken_up(self) -> Iterator[_Recorder]:
        recorder = self._recorder
        recorder.graph.equations = list(self._equations)
        recorder.graph.count = self._count
        recorder.reopen()
        try:
            with open_axes(self._source, recorder):
                yield recorder
        finally:
            recorder.close()
            recorder.graph.equations = self._equations

    def _pull(self, given: Sequence[bool]) -> list[Any]:
        """Record the pullback of the outputs whose cotangent is given; its seeds are the last inputs of the graph."""
        totals: list[Any] = [None] * len(self._tape)
        self._seeds = []
        for i, slot in enumerate(self._out_slots):
            if given[i] and slot:
                ct = self._seed(i, self._outs[i])
                totals[slot] = ct if totals[slot] is None else totals[slot] + ct
        pull_back(self._tape, totals, consume=False)
        return [totals[slot] if slot else None for slot in self._in_slots]

    def _push(self, given: Sequence[bool]) -> list[Any]:
        """Record the pushforward of the arguments whose tangent is given."""
        slots: list[Any] = [None] * len(self._tape)
        self._seeds = []
        for i, slot in enumerate(self._in_slots):
            if given[i] and slot:
                slots[slot] = self._seed(i, self._xs[i])
        push_forward(self._tape, slots)
        return [slots[slot] if slot else None for slot in self._out_slots]

    def _seed(self, i: int, like: Any) -> Any:
        var = self._recorder.graph.variable(aval_of(like))
        self._seeds.append((("seed", i), var))
        return self._recorder.tracer(var)

    def _record(self, walk: Callable[[Sequence[bool]], list[Any]], given: Sequence[bool]) -> Derived:
        with self._taken_up() as recorder:
            results = walk(given)
            there = [*self._there, *_named("residual", self._kept), *self._seeds]
            return _derived(there, recorder.graph.equations, results, recorder)

    def pull(self, given: Sequence[bool]) -> Derived:
        """The cotangents of the arguments from those of the outputs, of which some are `given`."""
        return self._record(self._pull, given)

    def push(self, given: Sequence[bool]) -> Derived:
        """The tangents of the outputs from those of the arguments, of which some are `given`."""
        return self._record(self._push, given)
