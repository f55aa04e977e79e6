"""Named axes in programs that outlive the maps that bound them.

A collective is recorded with the trace of the map whose lanes it joins, and that trace ends with its map. In a program
that is kept, an `Axis` with the same name and size stands for it. Whoever runs the program, or records another from it,
puts in its place the axis of that name that is bound then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Any

import numpy as np

from ...core.graph import Equation, Graph, GraphTrace, Var, record
from ...core.primitive import PRIMITIVES, Primitive
from ...core.programs import with_programs
from ...core.tracer import Trace, Tracer
from ...core.values import Aval, aval_of, dtype_of
from ...ops.families import constant
from ...transforms.batching import BatchTrace, BatchTracer
from ...transforms.collective_primitives import all_gather_p, ppermute_p, psum_p, psum_transpose_p, varies, vary
from ...transforms.vmap import axis_environment, bound_axis, named_axes

__all__ = [
    "Axis",
    "axes_key",
    "axes_of",
    "bound_axes",
    "is_lane",
    "lane_names",
    "lane_p",
    "lanes_after",
    "lanes_of",
    "mapped_over",
    "on_shared",
    "open_axes",
    "recorded",
    "settle_axes",
]


class Axis:
    """A named axis of a certain size, whichever map binds it.

    Parameters
    ----------
    name : hashable
        As in ``vmap(axis_name=...)``.
    size : int
        The number of lanes.
    """

    __slots__ = ("name", "size")

    def __init__(self, name: Any, size: int) -> None:
        self.name = name
        self.size = size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Axis) and (self.name, self.size) == (other.name, other.size)

    def __hash__(self) -> int:
        return hash((self.name, self.size))

    def __repr__(self) -> str:
        return f"{self.name!r}:{self.size}"

    def tracer(self, lanes: Any) -> Any:
        """One lane of `lanes`, which only a bound axis can tell."""
        raise NameError(f"the axis {self.name!r} is not bound by an enclosing vmap(axis_name=...)")


class _OpenAxis(Axis):
    """An `Axis` while a program is recorded."""

    __slots__ = ("trace",)

    def __init__(self, name: Any, size: int, trace: GraphTrace) -> None:
        super().__init__(name, size)
        self.trace = trace

    def tracer(self, lanes: Any) -> Any:
        return self.trace.process(lane_p, (lanes,), {"axis": self})


lane_p = constant(
    "lane",
    lambda lanes, *, axis: axis.tracer(lanes),
    aval=lambda lanes, *, axis: aval_of(lanes)._replace(shape=lanes.shape[1:]),
)
lane_p.family = "collective"
"""What belongs to this lane of a plain array that has one entry per lane."""


def with_axes(graph: Graph, replace: Callable[[Any], Any]) -> Graph:
    """The program, with the programs inside it, with ``replace(axis)`` in place of each axis."""
    equations = [_with_axes(eq, replace) for eq in graph.equations]
    if all(new is old for new, old in zip(equations, graph.equations, strict=True)):
        return graph
    out = copy(graph)
    out.equations = equations
    return out


def _with_axes(eq: Equation, replace: Callable[[Any], Any]) -> Equation:
    def param(v: Any) -> Any:
        if isinstance(v, BatchTrace | Axis):
            return replace(v)
        return v

    params = with_programs(eq.params, lambda graph: with_axes(graph, replace))
    params = {name: param(v) for name, v in params.items()}
    if all(params[name] is v for name, v in eq.params.items()):
        return eq
    return Equation(eq.primitive, eq.inputs, params, eq.outputs)


def is_lane(x: Any) -> bool:
    """Whether `x` is one entry per lane of an axis bound here, of a plain array."""
    return (
        isinstance(x, BatchTracer)
        and isinstance(x.value, np.ndarray)
        and any(trace is x._trace for _, trace in named_axes())
    )


def settle_axes(graph: Graph) -> Graph:
    """The program with an `Axis` in place of each trace, and of each constant that differs from lane to lane."""
    graph = with_axes(graph, lambda a: Axis(a.axis_name if isinstance(a, BatchTrace) else a.name, a.size))
    lanes: list[Equation] = []

    def settled(x: Any) -> Any:
        if not is_lane(x):
            return x
        trace: Any = x._trace
        var = graph.variable(aval_of(x))
        lanes.append(Equation(lane_p, [x.value], {"axis": Axis(trace.axis_name, trace.size)}, [var]))
        return var

    if not any(_is_tracer(x) for eq in graph.equations for x in eq.inputs) and not any(map(_is_tracer, graph.outputs)):
        return graph
    graph = copy(graph)
    equations = [
        Equation(eq.primitive, [settled(x) for x in eq.inputs], eq.params, eq.outputs) for eq in graph.equations
    ]
    graph.outputs = [settled(x) for x in graph.outputs]
    graph.equations = lanes + equations
    return graph


def _is_tracer(x: Any) -> bool:
    return type(x) is not Var and isinstance(x, Tracer)


def axes_of(graph: Graph) -> tuple[Axis, ...]:
    """The axes over which the collectives of the program go."""
    found: dict[Axis, None] = {}

    def note(a: Any) -> Any:
        found[a] = None
        return a

    with_axes(graph, note)
    return tuple(found)


def axes_key() -> tuple[Any, ...]:
    """What a kept program that may hold collectives depends on: names and sizes of the axes bound here."""
    return tuple([(name, trace.size) for name, trace in named_axes()])


def bound_axes(graph: Graph) -> Graph:
    """The program with the axes that are bound here; what goes over another one has met shared values only."""
    bound = axis_environment()
    return with_axes(graph, lambda a: bound.get(a.name, a))


# --- which values differ from lane to lane ----------------------------------------------------------------------------


Lanes = frozenset[Trace]
"""The maps over whose named axes a value varies."""


def lanes_of(x: Any) -> Lanes:
    """The maps over whose named axes `x` varies."""
    named = named_axes()
    return frozenset([t for _, t in named if varies(x, t)]) if named else frozenset()


def lane_names(lanes: Sequence[Lanes]) -> list[frozenset[Any]]:
    """The names of the axes in place of the maps; nothing where nothing varies."""
    if not any(lanes):
        return []
    return [frozenset([t.axis_name for t in traces]) for traces in lanes]  # type: ignore[attr-defined]


def lanes_after(primitive: Primitive, args: Sequence[Any], params: dict[str, Any], count: int) -> list[Lanes]:
    """The maps over whose named axes each of the results of a primitive varies."""
    given = [lanes_of(x) for x in args]
    lanes: Lanes = frozenset().union(*given)
    inner = params.get("graph") or getattr(params.get("rule"), "fun", None)
    if lanes and inner is not None:
        return _lanes_through(inner.run if isinstance(inner, Graph) else inner, args, given)
    if primitive.family == "collective":
        axis = {params["axis"]}
        lanes = lanes - axis if primitive in (psum_p, psum_transpose_p, all_gather_p) else lanes | axis
    return [lanes] * count


class _LaneTrace(GraphTrace):
    """Follows only who varies."""

    __slots__ = ()
    knows_lanes = True

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        out = super().process(primitive, args, params)
        made = out if primitive.multiple else (out,)
        for t, lanes in zip(made, lanes_after(primitive, args, params, len(made)), strict=True):
            t.lanes = lanes
        return out


def _lanes_through(function: Callable[..., Any], args: Sequence[Any], given: Sequence[Lanes]) -> list[Lanes]:
    trace = _LaneTrace("jit")
    try:
        tracers = [trace.input(aval_of(x)) for x in args]
        for t, lanes in zip(tracers, given, strict=True):
            t.lanes = lanes
        return [lanes_of(y) for y in function(*tracers)]
    finally:
        trace.close()


# --- running and recording --------------------------------------------------------------------------------------------


class _OnShared:
    """A collective over lanes that all have the same value, in place of its primitive."""

    writes = multiple = False

    def __init__(self, primitive: Primitive) -> None:
        self.impl = self.inline = primitive.impl


def on_shared(graph: Graph, axis: Any) -> Graph:
    """The program recorded for the lanes of `axis`, in which what is left of the axis meets shared values only."""
    found: list[Any] = []

    def note(a: Any) -> Any:
        found.append(a)
        return a

    with_axes(graph, note)
    if not any(a is axis for a in found):
        return graph
    plain = copy(graph)
    plain.equations = []
    for eq in graph.equations:
        params = with_programs(eq.params, lambda inner: on_shared(inner, axis))
        primitive: Any = _OnShared(eq.primitive) if any(v is axis for v in eq.params.values()) else eq.primitive
        plain.equations.append(Equation(primitive, eq.inputs, params, eq.outputs))
    return record(plain.run, [v.aval for v in graph.inputs], "jit")


def _spread(graph: Graph, axis: BatchTrace) -> Graph:
    """The program in which what is sent between the lanes of `axis` varies, even if it is the same in all of them."""
    out = copy(graph)
    out.equations = []
    for eq in graph.equations:
        params = with_programs(eq.params, lambda inner: _spread(inner, axis))
        inputs = eq.inputs
        if eq.primitive is ppermute_p and eq.params["axis"] is axis:
            (x,) = inputs
            one, inputs = out.variable(Aval((), dtype_of(x))), [out.variable(aval_of(x))]
            out.equations.append(Equation(lane_p, [np.ones(axis.size, one.dtype)], {"axis": axis}, [one]))
            out.equations.append(Equation(PRIMITIVES["multiply"], [x, one], {}, inputs))
        out.equations.append(Equation(eq.primitive, inputs, params, eq.outputs))
    return out


@contextmanager
def open_axes(graph: Graph, trace: GraphTrace, bound: Axis | None = None, by: Any = None) -> Iterator[Graph]:
    """Yield the program with axes that `trace` can record; `bound` is the one that the map `by` binds."""
    known: dict[Axis, Any] = {} if bound is None else {bound: by}

    def opened(a: Axis) -> Any:
        if a not in known:
            known[a] = _OpenAxis(a.name, a.size, trace)
        return known[a]

    graph = with_axes(graph, opened)
    if bound is not None:
        graph = _spread(graph, by)
    with ExitStack() as stack:
        for axis, entry in known.items():
            stack.enter_context(bound_axis(axis.name, entry))
        yield graph


def recorded(step: Callable[..., Sequence[Any]], graphs: Sequence[Graph], avals: Sequence[Aval]) -> Graph:
    """Record ``step(*programs, *tracers)``, which runs the programs `graphs`; what comes out has settled axes."""
    trace = GraphTrace("loop")
    try:
        with ExitStack() as stack:
            opened = [stack.enter_context(open_axes(graph, trace)) for graph in graphs]
            outputs = step(*opened, *[trace.input(a) for a in avals])
            trace.graph.outputs = [trace.lower(x) for x in outputs]
    finally:
        trace.close()
    return settle_axes(trace.graph)


def mapped_over(axes: Sequence[Axis], leaves: Sequence[Any]) -> list[Any]:
    """Return the leaves, at least one of which varies over each of the axes, so that its map sees the call."""
    leaves = list(leaves)
    bound = axis_environment()
    for trace in [bound[a.name] for a in axes if a.name in bound]:
        if leaves and not any(varies(x, trace) for x in leaves):
            leaves[0] = vary(leaves[0], trace)
    return leaves
