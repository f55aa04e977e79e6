"""Recorded programs: what `make_graph`, `eval_shape`, `linearize` and the transposition of a jvp rule build.

A `GraphTrace` follows values of which only shape and dtype are known and writes down each primitive it meets.
Operations on plain arrays never reach it: they are computed at once and enter the program as constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .buffer import constant_of
from .cotangents import add_cotangent, settled
from .errors import ConcretizationError, CovectorError, NotDifferentiableError, caller
from .mutation import adopt, changed, owned
from .primitive import PRIMITIVES, Primitive, bind
from .protect import fixed
from .surface import TracedArray, TracedNumber, TracedValue
from .tracer import Trace, Tracer, snapshot
from .values import Aval, Shape, aval_of

__all__ = ["Equation", "Graph", "GraphTrace", "GraphTracer", "Var", "abstract", "record"]


class Var:
    """A variable of a graph; it has a shape and a dtype but no value."""

    __slots__ = ("aval", "index")

    def __init__(self, index: int, aval: Aval) -> None:
        self.index = index
        self.aval = aval

    @property
    def shape(self) -> Shape:
        return self.aval.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        return self.aval.ndim

    @property
    def size(self) -> int:
        return self.aval.size

    def __repr__(self) -> str:
        letters, i = "", self.index
        while True:
            letters = "abcdefghijklmnopqrstuvwxyz"[i % 26] + letters
            i = i // 26 - 1
            if i < 0:
                return letters


class Equation:
    """``outputs = primitive(*inputs, **params)``; an input is a `Var` or a constant."""

    __slots__ = ("inputs", "outputs", "params", "primitive")

    def __init__(
        self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any], outputs: Sequence[Var]
    ) -> None:
        self.primitive = primitive
        self.inputs = inputs
        self.params = params
        self.outputs = outputs

    def __repr__(self) -> str:
        left = ", ".join(f"{v}:{v.aval}" for v in self.outputs)
        right = ", ".join(_show(x) for x in self.inputs)
        params = ", ".join(f"{k}={v!r}" for k, v in self.params.items())
        return f"{left} = {self.primitive}({right}{'; ' if params else ''}{params})"


def _show(x: Any) -> str:
    if isinstance(x, Var) or np.shape(x) == ():
        return repr(x)
    return f"{x.dtype}[{','.join(map(str, x.shape))}]"


class Graph:
    """A straight-line program: equations in order, input variables, and outputs (variables or constants)."""

    __slots__ = ("count", "equations", "inputs", "outputs")

    def __init__(self) -> None:
        self.equations: list[Equation] = []
        self.inputs: list[Var] = []
        self.outputs: list[Any] = []
        self.count = 0

    def variable(self, aval: Aval) -> Var:
        """Make a fresh variable."""
        var = Var(self.count, aval)
        self.count += 1
        return var

    def run(self, *args: Any) -> list[Any]:
        """Evaluate the program; the arguments may be traced."""
        values: list[Any] = [None] * self.count
        for var, arg in zip(self.inputs, args, strict=True):
            values[var.index] = arg
        for eq, dying in zip(self.equations, self.last_uses(), strict=True):
            xs = [values[x.index] if type(x) is Var else x for x in eq.inputs]
            if eq.primitive.writes and dying and dying[0] is eq.inputs[0]:
                # Nobody reads the old array any more, so it becomes the new one.
                xs[0] = None
                out = changed(owned(values, dying[0].index), eq.primitive, xs[1:], eq.params)
            else:
                out = bind(eq.primitive, xs, eq.params)
            for var in dying:
                values[var.index] = None
            if eq.primitive.multiple:
                for var, x in zip(eq.outputs, out, strict=True):
                    values[var.index] = x
            else:
                values[eq.outputs[0].index] = out
        return [values[x.index] if type(x) is Var else x for x in self.outputs]

    def last_uses(self) -> list[list[Var]]:
        """For each equation the variables that nothing later reads, in the order of its inputs."""
        seen = {x.index for x in self.outputs if type(x) is Var}
        uses: list[list[Var]] = []
        for eq in reversed(self.equations):
            dying = []
            for x in eq.inputs:
                if type(x) is Var and x.index not in seen:
                    seen.add(x.index)
                    dying.append(x)
            uses.append(dying)
        return uses[::-1]

    def transpose(self, seeds: Sequence[Any]) -> list[Any]:
        """Apply the transpose of this program, which must be linear, to the cotangents of its outputs.

        Entries of `seeds` and of the result are None where zero.
        """
        totals: list[Any] = [None] * self.count
        for x, ct in zip(self.outputs, seeds, strict=True):
            if type(x) is Var and ct is not None:
                add_cotangent(totals, x.index, ct, x)
        for eq in reversed(self.equations):
            cts = [settled(totals, v.index) for v in eq.outputs]
            ct = cts if eq.primitive.multiple else cts[0]
            if ct is None or (eq.primitive.multiple and all(c is None for c in ct)):
                continue
            wanted = [type(x) is Var for x in eq.inputs]
            for x, c in zip(eq.inputs, _transpose_equation(eq, ct, wanted), strict=True):
                if c is not None and type(x) is Var:
                    add_cotangent(totals, x.index, c, x)
        return [settled(totals, v.index) for v in self.inputs]

    def __repr__(self) -> str:
        head = ", ".join(f"{v}:{v.aval}" for v in self.inputs)
        body = "".join(f"\n    {eq}" for eq in self.equations)
        return f"graph({head}):{body}\n    return {', '.join(_show(x) for x in self.outputs)}"

    def __iter__(self) -> Iterator[Equation]:
        return iter(self.equations)

    def __len__(self) -> int:
        return len(self.equations)


_ABSTRACT: dict[Any, Any] = {}
_MOST = 20_000
_PLAIN = frozenset({int, bool, str, type(None)})


def abstract(primitive: Primitive, avals: Sequence[Aval], params: dict[str, Any]) -> Any:
    """Shape and dtype of what `primitive` makes of such arguments; a tuple of them if it makes several.

    A long program consists of few different operations, so what was found is remembered.
    """
    key: tuple[Any, ...] | None = (primitive, *avals)
    if params:
        key = _with_params(key, params)
    if key is None or primitive.family == "collective":  # what these make depends on the axes bound
        return primitive.aval(*avals, **params)
    found = _ABSTRACT.get(key)
    if found is None:
        found = primitive.aval(*avals, **params)
        if len(_ABSTRACT) >= _MOST:
            _ABSTRACT.clear()
        _ABSTRACT[key] = found
    return found


def _with_params(key: Any, params: dict[str, Any]) -> Any:
    """`key` and `params`; None where equal parameters might differ in type, as 1 and True do, or cannot be hashed."""
    parts: list[Any] = []
    for name, value in params.items():
        kind = type(value)
        if kind is tuple:
            for x in value:
                if type(x) is not int:
                    return None
        elif kind not in _PLAIN and not isinstance(value, np.dtype):
            return None
        parts += (name, kind, value)
    return (*key, *parts)


def _transpose_equation(eq: Equation, ct: Any, wanted: list[bool]) -> Sequence[Any]:
    if any(type(x) is Var and x.dtype.kind not in "fc" for x in eq.inputs):
        raise NotDifferentiableError(f"a mask or index that depends on the traced argument is not linear in it: {eq}")
    try:
        out = eq.outputs if eq.primitive.multiple else eq.outputs[0]
        return eq.primitive.vjp(ct, wanted, out, eq.inputs, **eq.params)  # type: ignore[no-any-return]
    except (TypeError, AttributeError, LookupError, np.linalg.LinAlgError) as error:
        # A rule found a `Var` where only a function that is not linear needs a value.
        if isinstance(error, CovectorError):
            raise
        raise NotDifferentiableError(f"{eq.primitive} is not linear in its traced argument: {eq}") from error


class GraphTracer(TracedValue):
    """A value known by shape and dtype only."""

    # `lanes` are the maps over which the variable differs from lane to lane although the value that it was recorded
    # with does not: its tangent does.
    __slots__ = ()
    _parts: tuple[str, ...] = ()
    _state: tuple[str, ...] = ("value", "_var", "lanes")
    _var: Var
    lanes: frozenset[Trace]

    def __init__(self, trace: GraphTrace, var: Var) -> None:
        self._trace = trace
        self._link = None
        self._var = var
        self.value = None
        self.lanes = frozenset()

    @property
    def shape(self) -> Shape:
        return self._var.aval.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._var.aval.dtype

    def clone(self) -> Tracer:
        trace: Any = self._trace
        return trace.tracer(self._var)  # type: ignore[no-any-return]

    def _number(self, purpose: str) -> Any:
        raise ConcretizationError(
            f"{purpose} at {caller()} needs the value of a {self._var.aval} of which {self._trace.name} knows only "
            f"shape and dtype; use np.where, covector.cond or covector.while_loop, or keep the decision outside the "
            f"traced function"
        )

    def _show(self) -> str:
        return repr(self._var)


class GraphNumber(TracedNumber, GraphTracer):
    """A `GraphTracer` of no dimensions."""

    __slots__ = ()


class GraphArray(TracedArray, GraphTracer):
    """A `GraphTracer` of one or more dimensions."""

    __slots__ = ()


class GraphTrace(Trace):
    """Records primitives into a `Graph`."""

    __slots__ = ("graph",)
    knows_lanes = False
    """Whether the `lanes` of its tracers are known."""
    knows_values = False
    """Whether its tracers hold values, at which Python may look."""

    def __init__(self, name: str = "make_graph") -> None:
        super().__init__(name)
        self.graph = Graph()

    def input(self, aval: Aval) -> GraphTracer:
        """Make an input variable and a tracer of it."""
        var = self.graph.variable(aval)
        self.graph.inputs.append(var)
        return self.tracer(var)

    def tracer(self, var: Var) -> GraphTracer:
        """Make a tracer of `var`."""
        return (GraphArray if var.aval.shape else GraphNumber)(self, var)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        self.check_alive(primitive)
        if primitive.inline is not None:
            return primitive.inline(*args, **params)
        inputs = [self.lower(x) for x in args]
        avals = abstract(primitive, [x.aval if type(x) is Var else aval_of(x) for x in inputs], params)
        outputs = [self.graph.variable(a) for a in (avals if primitive.multiple else (avals,))]
        self.graph.equations.append(Equation(primitive, inputs, params, outputs))
        tracers = tuple(self.tracer(v) for v in outputs)
        return tracers if primitive.multiple else tracers[0]

    def lift(self, value: Any) -> Tracer:
        return self.process(PRIMITIVES["convert"], (value,), {"dtype": value.dtype})  # type: ignore[no-any-return]

    def write(self, x: Tracer, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> None:
        """Record the write as a function of the old array, and let `x` be its result."""
        adopt(x, constant_of(self, self.process(primitive, (x, *args), params)))

    def lower(self, x: Any) -> Any:
        """The variable of a tracer of ours; anything else is a constant, safe from later writes."""
        if type(x) is Var:
            raise TypeError("a variable of a program has no value that another program could use")
        return x._var if isinstance(x, GraphTracer) and x._trace is self else fixed(snapshot(x))


def record(function: Callable[..., Any], avals: Sequence[Aval], name: str) -> Graph:
    """Record ``function(*tracers)``, which returns a flat sequence of outputs, on inputs of the given shapes.

    An output of None becomes a constant None.
    """
    trace = GraphTrace(name)
    try:
        outputs = function(*[trace.input(a) for a in avals])
        trace.graph.outputs = [trace.lower(x) for x in outputs]
    finally:
        trace.close()
    return trace.graph
