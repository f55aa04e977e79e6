"""`checkpoint`: recompute intermediate values in the backward pass instead of storing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import wraps
from typing import Any

from ..core import tree
from ..core.buffer import as_buffer, plain_of
from ..core.graph import Equation, Graph, GraphTrace, GraphTracer, Var, record
from ..core.mutation import isolate, mutate
from ..core.primitive import Primitive, bind
from ..core.programs import with_programs
from ..core.protect import fixed
from ..core.surface import TracedArray, TracedNumber
from ..core.tracer import Trace, Tracer, snapshot
from ..core.values import Aval, Shape, aval_of, is_plain, shape_of
from ..core.views import is_written, version_of
from .arguments import check_callable, output_leaves
from .batching import Unmapped
from .call import as_numpy
from .collective_primitives import all_gather_p, bound_trace, psum_p, varies
from .forward import ForwardTrace, ForwardTracer
from .grad_mode import blocked_level
from .reverse import ReverseTrace, ReverseTracer, pull_back
from .stop_gradient import stop_gradient
from .vmap import named_axes, vmap

__all__ = ["RecordTrace", "RecordTracer", "checkpoint"]


class RecordTracer(GraphTracer):
    """A variable together with its value, which carries no derivative."""

    __slots__ = ()
    _parts: tuple[str, ...] = ("value",)

    def __init__(self, trace: RecordTrace, var: Var, value: Any) -> None:
        super().__init__(trace, var)
        self.value = value

    @property
    def shape(self) -> Shape:
        return self._var.aval.shape

    def clone(self) -> Tracer:
        return self._trace.make(self._var, self.value, self.lanes)  # type: ignore[attr-defined,no-any-return]

    def _number(self, purpose: str) -> Any:
        return self.value._number(purpose) if isinstance(self.value, Tracer) else self.value

    def _show(self) -> str:
        return repr(self.value)


class RecordNumber(TracedNumber, RecordTracer):
    __slots__ = ()


class RecordArray(TracedArray, RecordTracer):
    __slots__ = ()


class RecordTrace(GraphTrace):
    """Records a program while computing its values, so that Python may look at them.

    Values traced by other transforms that the function closes over become inputs of the program.
    """

    knows_values = True
    __slots__ = ("captured",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.captured: list[tuple[Tracer, Any, int, RecordTracer]] = []

    def wrap(self, x: Any) -> RecordTracer:
        """Make an input of the value `x`."""
        var = self.graph.variable(aval_of(x)._replace(weak=False) if isinstance(x, Tracer) else aval_of(x))
        self.graph.inputs.append(var)
        value = stop_gradient(x)
        tracer = self.make(var, value)
        tracer.lanes = frozenset(t for _, t in named_axes() if varies(x, t) and not varies(value, t))
        return tracer

    def make(self, var: Var, value: Any, lanes: frozenset[Trace] = frozenset()) -> RecordTracer:
        """Make a tracer of a variable and its value."""
        tracer = (RecordArray if shape_of(value) else RecordNumber)(self, var, value)
        tracer.lanes = lanes
        return tracer

    def capture(self, x: Any) -> Any:
        """Return `x` as a tracer of this trace if it is traced at all."""
        x = plain_of(x)
        if not isinstance(x, Tracer) or x._trace is self:
            return x
        version = version_of(x)
        for tracer, _, seen, known in self.captured:
            if tracer is x and seen == version:
                return known
        known = self.wrap(x)
        self.captured.append((x, snapshot(x), version, known))
        return known

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        self.check_alive(primitive)
        xs = [self.capture(x) for x in args]
        inputs = [x._var if isinstance(x, RecordTracer) else fixed(x) for x in xs]
        out = bind(primitive, [x.value if isinstance(x, RecordTracer) else x for x in xs], params)
        if blocked_level() >= self.level:
            return as_buffer(self, out)
        values = out if primitive.multiple else (out,)
        outputs = [self.graph.variable(aval_of(y)) for y in values]
        self.graph.equations.append(Equation(primitive, inputs, params, outputs))
        lanes = frozenset().union(*[x.lanes for x in xs if isinstance(x, RecordTracer)])
        if primitive in (psum_p, all_gather_p):
            lanes -= {params["axis"]}
        tracers = tuple(self.make(v, y, lanes) for v, y in zip(outputs, values, strict=True))
        return tracers if primitive.multiple else tracers[0]

    def write(self, x: Tracer, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> None:
        """Record the write, and write to the value in place."""
        if blocked_level() >= self.level or not isinstance(x, RecordTracer):
            super().write(x, primitive, args, params)
            return
        self.check_alive(primitive)
        xs = [self.capture(a) for a in args]
        inputs = [x._var, *[a._var if isinstance(a, RecordTracer) else fixed(a) for a in xs]]
        isolate(x)
        mutate(x, "value", primitive, [a.value if isinstance(a, RecordTracer) else a for a in xs], params)
        x.lanes = x.lanes.union(*[a.lanes for a in xs if isinstance(a, RecordTracer)])
        x._var = self.graph.variable(x._var.aval)
        self.graph.equations.append(Equation(primitive, inputs, params, [x._var]))


def _impl(*args: Any, graph: Graph, known: tuple[Any, ...] | None = None) -> tuple[Any, ...]:
    return tuple(map(as_numpy, graph.run(*args))) if known is None else known


def _aval(*avals: Aval, graph: Graph, known: Any = None) -> tuple[Aval, ...]:
    return tuple(x.aval if type(x) is Var else aval_of(x) for x in graph.outputs)


def _forward(args: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]) -> tuple[Any, Any]:
    """Values and tangents in one go."""
    trace = ForwardTrace("checkpoint")
    try:
        results = params["graph"].run(*[trace.tracer(x, t) for x, t in zip(args, tangents, strict=True)])
    finally:
        trace.close()
    mine = [isinstance(x, ForwardTracer) and x._trace is trace for x in results]
    out = [as_numpy(x.value if m else x) for x, m in zip(results, mine, strict=True)]
    return out, [x.tangent if m else None for x, m in zip(results, mine, strict=True)]


def _jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, **params: Any) -> Any:
    return _forward(args, tangents, params)[1]


def _vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any], *, graph: Graph, **_: Any) -> list[Any]:
    if any(type(x) is Var for x in args):
        return _transpose(ct, args, graph)
    trace = ReverseTrace("checkpoint", escapes=False)
    try:
        inputs = [trace.input(x) if w else x for x, w in zip(args, wanted, strict=True)]
        results = graph.run(*inputs)
    finally:
        trace.close()
    totals: list[Any] = [None] * len(trace.tape)
    for x, c in zip(results, ct, strict=True):
        if c is not None and isinstance(x, ReverseTracer) and x._trace is trace:
            totals[x.slot] = c if totals[x.slot] is None else totals[x.slot] + c
    pull_back(trace.tape, totals, consume=True)
    return [totals[x.slot] if w else None for x, w in zip(inputs, wanted, strict=True)]


def _transpose(ct: Sequence[Any], args: Sequence[Any], graph: Graph) -> list[Any]:
    """Transpose a program that is linear in those arguments of which only shape and dtype are known."""
    places = [i for i, x in enumerate(args) if type(x) is Var]

    def linear(*xs: Any) -> list[Any]:
        full = list(args)
        for i, x in zip(places, xs, strict=True):
            full[i] = x
        return graph.run(*full)

    cts: list[Any] = [None] * len(args)
    for i, c in zip(places, record(linear, [args[i].aval for i in places], "checkpoint").transpose(ct), strict=True):
        cts[i] = c
    return cts


def _batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, graph: Graph, **_: Any) -> Any:
    axes = tuple(0 if b else None for b in batched)
    name = trace.axis_name
    shared: list[bool] = []

    def lane(*xs: Any) -> tuple[Any, ...]:
        if name is None:
            return tuple(graph.run(*xs))
        # The recorded collectives name the trace of the map that has come to its end; this one takes its place.
        axis = bound_trace(name, "checkpoint")
        out = tuple(_renamed(graph, trace, axis).run(*xs))
        shared[:] = [not varies(y, axis, unknown=False) for y in out]
        return out

    mapped = vmap(lane, in_axes=axes, axis_size=trace.size, axis_name=name)
    out = _checkpointed(mapped, args)[0]
    if trace.size and any(shared):
        return tuple(Unmapped(y[0]) if s else y for y, s in zip(out, shared, strict=True))
    return tuple(out)


def _renamed(graph: Graph, old: Any, new: Any) -> Graph:
    """The program, with the programs inside it, with one axis in place of another."""

    def params(of: dict[str, Any]) -> dict[str, Any]:
        inner = with_programs(of, lambda program: _renamed(program, old, new))
        return {k: new if v is old else v for k, v in inner.items()}

    out = copy(graph)
    out.equations = [Equation(eq.primitive, eq.inputs, params(eq.params), eq.outputs) for eq in graph.equations]
    return out


checkpoint_p = Primitive(
    "checkpoint",
    _impl,
    _aval,
    _jvp,
    _vjp,
    _batch,
    forward=_forward,
    family="call",
    multiple=True,
    keeps=True,
)


def _checkpointed(fun: Callable[..., Any], leaves: Sequence[Any]) -> tuple[list[Any], Any]:
    """Call ``fun(*leaves)`` as one primitive; return output leaves and structure."""
    trace = RecordTrace("checkpoint")
    try:
        inputs = [trace.wrap(x) for x in leaves]
        out, treedef = output_leaves(fun(*inputs), "checkpoint", fun)
        # What the function assigned to elements of its arguments, its caller shall see.
        written = [i for i, (x, leaf) in enumerate(zip(inputs, leaves)) if isinstance(leaf, Tracer) and is_written(x)]
        out = [trace.capture(as_numpy(x)) for x in [*out, *[inputs[i].clone() for i in written]]]
    finally:
        trace.close()
    graph = trace.graph
    graph.outputs = [x._var if isinstance(x, RecordTracer) else x for x in out]
    values = tuple(as_numpy(x.value) if isinstance(x, RecordTracer) else x for x in out)
    known = values if all(is_plain(x) for x in values) else None
    inputs = [*map(snapshot, leaves), *[x for _, x, _, _ in trace.captured]]
    results = list(bind(checkpoint_p, inputs, {"graph": graph, "known": known}))
    count = len(results) - len(written)
    for i, x in zip(written, results[count:], strict=True):
        leaves[i][...] = x
    return results[:count], treedef


def checkpoint(fun: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function whose intermediate values are recomputed in the backward pass instead of stored.

    Parameters
    ----------
    fun : callable
        Takes and returns pytrees of arrays. It may close over traced values.

    Returns
    -------
    callable
        The same function with the same derivatives; reverse mode stores its inputs and outputs only.

    Raises
    ------
    TypeError
        `fun` is not callable, or returns something that is not an array.

    Notes
    -----
    Cost: one more evaluation of `fun` per backward pass, and memory for one such function at a time. What is evaluated
    again is the recorded sequence of operations: Python branches are taken as they were the first time.

    Examples
    --------
    >>> import numpy as np, covector
    >>> round(covector.grad(covector.checkpoint(lambda x: np.sin(np.sin(x))))(1.0), 6)
    np.float64(0.360039)
    """
    check_callable(fun, "checkpoint")

    @wraps(fun)
    def checkpoint_fun(*args: Any, **kwargs: Any) -> Any:
        leaves, treedef = tree.flatten((args, kwargs))
        places = [i for i, x in enumerate(leaves) if isinstance(x, Tracer) or is_plain(x)]

        def of_arrays(*xs: Any) -> Any:
            full = list(leaves)
            for i, x in zip(places, xs, strict=True):
                full[i] = x
            args, kwargs = tree.unflatten(treedef, full)
            return fun(*args, **kwargs)

        out, out_treedef = _checkpointed(of_arrays, [leaves[i] for i in places])
        return tree.unflatten(out_treedef, out)

    return checkpoint_fun
