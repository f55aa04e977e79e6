"""Recording the functions that loops and branches are given: once, on values known by shape and dtype only.

What such a function reaches besides its arguments, values traced by other transforms, become further inputs of the
recorded program. What a loop computes from those alone is computed outside of the program, once. What a branch computes
from them stays in the branch: it may be costly, fail or never end where the branch is not taken.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...core import tree
from ...core.buffer import BufferTrace, BufferValue, plain_of
from ...core.errors import ConcretizationError, CovectorError, TracerConversionError, caller
from ...core.graph import Equation, Graph, GraphTrace, GraphTracer, Var, abstract
from ...core.mutation import adopt
from ...core.primitive import PRIMITIVES, Primitive
from ...core.protect import same_layout
from ...core.surface import TracedArray, TracedNumber
from ...core.tracer import Trace, Tracer, open_traces, snapshot
from ...core.values import Aval, aval_of
from ...core.views import version_of
from ...transforms.arguments import fun_name, output_leaves
from ...transforms.batching import BatchTrace
from ...transforms.call import as_numpy
from ...transforms.forward import ForwardTrace
from ...transforms.grad_mode import blocked_level
from ...transforms.reverse import ReverseTrace
from ...transforms.vmap import named_axes
from .axes import lanes_of

__all__ = ["Body", "BodyTrace", "BodyTracer", "WrittenOutsideError", "record_body", "structured"]


def structured() -> bool:
    """Whether a program is recorded in this thread whose values are not known: loops then become parts of it."""
    return any(isinstance(t, GraphTrace) and not t.knows_values for t in open_traces())


_OF_BRANCHES = (
    "np.where(condition, a, b) or covector.cond(condition, f, g, *operands), and covector.while_loop for a loop that "
    "depends on values"
)
_INSTEAD = {
    "index": "covector.numpy.take(a, i, axis=0) in place of a[i] where a is a plain array, and " + _OF_BRANCHES,
    "float, or a function of math,": "the value as it is, and functions of NumPy; for decisions " + _OF_BRANCHES,
}


class BodyTracer(GraphTracer):
    """A value of which the recorded function knows shape and dtype."""

    __slots__ = ()

    def _number(self, purpose: str) -> Any:
        trace: Any = self._trace
        trace.check_alive(purpose)
        raise ConcretizationError(
            f"{purpose} at {caller()} needs the value of a {self._var.aval}, but {trace.name} records {trace.function} "
            f"once, for all its values, and knows only shape and dtype; use {_INSTEAD.get(purpose, _OF_BRANCHES)}"
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        trace: Any = self._trace
        if self.dtype.kind not in "iub" or not trace.alive:
            return super().__array__(dtype, copy)
        raise TracerConversionError(
            f"np.asarray(t), or a[t] of a plain array a, at {caller()} needs the value of a {self._var.aval}, of which "
            f"{trace.name}, which records {trace.function} once, knows only shape and dtype; covector.numpy.take(a, t, "
            f"axis=0) picks from a plain array"
        )


class BodyNumber(TracedNumber, BodyTracer):
    """A `BodyTracer` of no dimensions."""

    __slots__ = ()

    def __float__(self) -> float:  # type: ignore[override]
        return float(self._number("float, or a function of math,"))

    def __complex__(self) -> complex:  # type: ignore[override]
        return complex(self._number("complex"))


class BodyArray(TracedArray, BodyTracer):
    """A `BodyTracer` of one or more dimensions."""

    __slots__ = ()


class BodyTrace(GraphTrace):
    """Records one function of a loop or branch.

    Parameters
    ----------
    name : str
        What the function was given to, for messages.
    function : str
        What messages call the function.
    apart : bool
        Whether what the function makes of values from outside alone is part of the program too.

    Attributes
    ----------
    captured : list
        The values from outside that became inputs of the program, in their order: a handle, the value that it had, its
        version, and the tracer that stands for it.
    """

    encloses = True
    __slots__ = ("_classes", "_made", "_marks", "apart", "captured", "function")

    def __init__(self, name: str, function: str, apart: bool = False) -> None:
        # Two ways to know what the function makes of values from outside alone, and may write to: how far the programs
        # and tapes had come that are being written, and, of the other transforms, a list of what they make.
        self._marks = {id(t): _progress(t) for t in open_traces()}
        self._made: dict[int, Any] = {}
        self._classes: list[tuple[Trace, Any]] = [(t, type(t)) for t in open_traces()]
        for t, cls in self._classes:
            if apart:
                t.__class__ = _handing(_NOTING.get(cls, cls))
            elif cls in _NOTING:
                t.__class__ = _NOTING[cls]
        super().__init__(name)
        self.apart = apart
        self.function = function
        self.captured: list[tuple[Tracer, Any, int, GraphTracer]] = []

    def close(self) -> None:
        for t, cls in self._classes:
            t.__class__ = cls
        self._classes = []
        self._made = {}
        super().close()

    def note(self, made: Any) -> None:
        """Note what another transform has made while the function runs."""
        self._made[id(made)] = made

    def tracer(self, var: Var) -> GraphTracer:
        return (BodyArray if var.aval.shape else BodyNumber)(self, var)

    def capture(self, x: Any) -> Any:
        """Return the traced value `x` as a tracer of this trace; anything else as it is."""
        x = plain_of(x)
        if not isinstance(x, Tracer) or x._trace is self:
            return x
        x._trace.check_alive(self.function)
        version = version_of(x)
        for tracer, _, seen, known in self.captured:
            if tracer is x and seen == version:
                return known
        apart, self.apart = self.apart, False  # what the snapshot takes happens outside
        try:
            value = snapshot(x)
        finally:
            self.apart = apart
        known = self.input(aval_of(value)._replace(weak=False))
        if named_axes():
            known.lanes = lanes_of(value)
        self.captured.append((x, value, version, known))
        return known

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        self.check_alive(primitive)
        if primitive.inline is not None:
            return primitive.inline(*args, **params)
        for x in args:
            if isinstance(x, Tracer) and x._weak:
                recording: Any = x._trace
                args = recording.settled(primitive, args, params)
                break
        inputs = [self.lower(x) for x in args]
        avals = abstract(primitive, [x.aval if type(x) is Var else aval_of(x) for x in inputs], params)
        outputs = [self.graph.variable(a) for a in (avals if primitive.multiple else (avals,))]
        self.graph.equations.append(Equation(primitive, inputs, params, outputs))
        made: list[Any] = [self.tracer(v) for v in outputs]
        if blocked_level() >= self.level and primitive.name != "stop_gradient":
            made = [PRIMITIVES["stop_gradient"](x) if x.dtype.kind in "fc" else x for x in made]
        return tuple(made) if primitive.multiple else made[0]

    def lower(self, x: Any) -> Any:
        """The variable of a traced value, which is captured if it comes from outside; anything else is a constant."""
        return super().lower(self.capture(x))

    def write(self, x: Tracer, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> None:
        if x._trace is not self and x._trace.level:
            adopt(x, self.inside(x))  # made by the function, of values from outside alone
        super().write(x, primitive, args, params)

    def inside(self, x: Tracer) -> Tracer:
        """What stands for `x` in the recorded function, if it comes from outside."""
        owner: Any = x._trace
        if isinstance(x, BufferValue):
            outside = owner.owner.level < self.level
            return BufferTrace(self).lift(same_layout(x.constant())) if outside else x
        return self.capture(x) if owner.level < self.level else x

    def own(self, x: Tracer) -> Tracer:
        """The copy `x`, made by the function."""
        return self.inside(x) if isinstance(x, BufferValue) else x

    def check_write(self, x: Tracer) -> None:
        """Raise if `x`, which is about to be assigned to, comes from outside of the function."""
        if self.alive and self._is_outside(x):
            advice = (
                "pass it as an operand, assign to that, and return it"
                if self.name in ("cond", "switch")
                else "make it a carry: pass it in the initial value, assign to the carry, and return it"
            )
            raise WrittenOutsideError(
                f"{self.name}: {self.function} assigns at {caller()} to an array of shape {x.shape} and dtype "
                f"{x.dtype} that comes from outside of it, which would happen once and not in each call; {advice}, or "
                f"assign to a copy"
            )
        self.note(x)  # what is assigned may come from outside, and `x` then looks as if it did

    def _is_outside(self, x: Any) -> bool:
        if id(x) in self._made:
            return False
        while isinstance(x, Tracer):
            trace: Any = x._trace
            if isinstance(x, BufferValue):
                return trace.owner.level < self.level
            if trace.level >= self.level:
                return False
            place = x.slot if isinstance(trace, ReverseTrace) else x._var.index if isinstance(x, GraphTracer) else 0
            if place:
                return place < self._marks.get(id(trace), 0)
            x = x.value
        return True


def _noting(cls: type[Trace]) -> type[Trace]:
    """The class of those traces of `cls` of which functions that are being recorded note what they make."""

    class Noting(cls):  # type: ignore[misc, valid-type]
        __slots__ = ()

        def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
            out = cls.process(self, primitive, args, params)
            for trace in open_traces():
                if isinstance(trace, BodyTrace):
                    for y in out if primitive.multiple else (out,):
                        trace.note(y)
            return out

    return Noting


_NOTING: dict[type[Trace], type[Trace]] = {cls: _noting(cls) for cls in (ForwardTrace, BatchTrace)}


@functools.cache
def _handing(cls: Any) -> type[Trace]:
    """The class of those traces of `cls` that leave to branches what the functions of branches compute.

    Conditions stay outside: they are cheap and cannot fail, and Python may ask for their value there.
    """

    class Handing(cls):
        __slots__ = ()

        def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
            body = None if primitive.constant else _recording(self)
            if body is None:
                return cls.process(self, primitive, args, params)
            return body.process(primitive, args, params)

        def write(self, x: Tracer, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> None:
            body = _recording(self)
            if body is None:
                cls.write(self, x, primitive, args, params)
            else:
                body.write(x, primitive, args, params)

        def ask(self, *question: Any) -> None:
            """Let a program that knows its values note what Python asked; it does so outside of the branch."""
            handing = type(self)
            self.__class__ = cls
            try:
                cls.ask(self, *question)
            finally:
                self.__class__ = handing

    return Handing


def _recording(outside: Trace) -> BodyTrace | None:
    """The function of a branch, inside of `outside`, that is being recorded innermost."""
    for trace in reversed(open_traces()):
        if trace.level <= outside.level:
            return None
        if isinstance(trace, BodyTrace) and trace.apart:
            return trace
    return None


def _progress(trace: Any) -> int:
    """The number of the next value that is put down by a trace that writes a program or a tape."""
    if isinstance(trace, GraphTrace):
        return trace.graph.count
    return len(trace.tape) if isinstance(trace, ReverseTrace) else 0


class WrittenOutsideError(CovectorError, TypeError):
    """The function of a loop or branch assigned to an array from outside of it."""


class Body(NamedTuple):
    """A recorded function.

    Attributes
    ----------
    graph : Graph
        The program; its inputs are those of the function, then the captured values.
    captured : list
        The values that the function reached besides its arguments.
    treedef : PyTreeSpec
        The structure of its result.
    avals : list of Aval
        Shape and dtype of its results, never weak.
    handles : list of (Tracer, int)
        What the captured values were reached by, and in which version, to find those that two functions share.
    """

    graph: Graph
    captured: list[Any]
    treedef: tree.TreeDef
    avals: list[Aval]
    handles: list[tuple[Tracer, int]]


def record_body(
    fun: Callable[..., Any], avals: Sequence[Aval], name: str, *, function: Any = None, apart: bool = False
) -> Body:
    """Record ``fun(*tracers)``.

    Parameters
    ----------
    fun : callable
        Takes one traced value per entry of `avals` and returns a pytree.
    avals : sequence of Aval
        Shape and dtype of the arguments.
    name : str
        What the function was given to, for messages: "scan", "cond".
    function : callable, optional
        The user's function, for messages, where `fun` only wraps it.
    apart : bool, default False
        Whether what it computes from values from outside alone is computed in the program too, not before it.

    Returns
    -------
    Body
        The program; no trace is left open, whether the function returns or raises.

    Raises
    ------
    ConcretizationError
        The function asks for the value of what it was given.
    TypeError
        It returns something that is not an array, or assigns to an array from outside.
    """
    user = fun if function is None else function
    trace = BodyTrace(name, fun_name(user), apart)
    try:
        inputs = [trace.input(a._replace(weak=False)) for a in avals]
        leaves, treedef = output_leaves(fun(*inputs), name, user)
        trace.graph.outputs = [trace.lower(as_numpy(x)) for x in leaves]
    finally:
        trace.close()
    out = [x.aval if type(x) is Var else aval_of(x) for x in trace.graph.outputs]
    values = [x for _, x, _, _ in trace.captured]
    handles = [(handle, version) for handle, _, version, _ in trace.captured]
    return Body(trace.graph, values, treedef, [Aval(a.shape, a.dtype) for a in out], handles)
