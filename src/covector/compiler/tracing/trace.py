"""Recording a function for `jit`: abstract values that answer questions about their values on demand.

Operations are recorded and not computed. When Python asks for a value (``if x > 0``, ``int(n)``, a mask as an index),
what it depends on is computed on the example arguments, once, and the answer becomes a *guard*: the recorded program is
the right one for all arguments that give the same answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ...control.programs.axes import is_lane, lanes_after
from ...core.buffer import constant_of
from ...core.dispatch import UFUNCS
from ...core.errors import caller
from ...core.graph import Equation, GraphTrace, Var, abstract
from ...core.mutation import adopt
from ...core.primitive import PRIMITIVES, Primitive
from ...core.protect import same_layout
from ...core.tracer import Trace, Tracer, snapshot
from ...core.values import WEAK_FAMILIES, Aval, aval_of, dtype_of, is_weak
from ...transforms.grad_mode import blocked_level
from ...transforms.vmap import named_axes
from .answers import Lazy, Step, given
from .guards import Guard, question
from .tracers import JitArray, JitNumber, JitPoint, JitScalar, JitTracer

__all__ = ["JitScalar", "JitTrace", "JitTracer"]

_ndarray = np.ndarray


def _gives_way(primitive: Primitive) -> bool:
    """Whether Python numbers among the arguments of `primitive` give way to arrays, as in ufuncs and `where`."""
    if primitive.family in WEAK_FAMILIES:
        return True
    return bool(primitive.numpy) and UFUNCS.get(primitive.numpy[0]) is primitive


class JitTrace(GraphTrace):
    """Records the program of one specialisation of a compiled function.

    Attributes
    ----------
    guards : list of Guard
        What the recorded program takes for granted.
    integers : bool
        Whether arrays of integers and bools may become plain ones.
    foreign : bool
        Whether values of other transforms are among its constants; it is good for one call only.
    """

    knows_lanes = True
    __slots__ = ("_asked", "_fixed", "_settling", "foreign", "guards", "integers")

    def __init__(self, name: str = "jit", integers: bool = False) -> None:
        super().__init__(name)
        self.integers = integers
        self.guards: list[Guard] = []
        self.foreign = False
        self._asked: set[tuple[int, str]] = set()
        self._fixed: dict[int, tuple[Any, Any]] = {}
        self._settling = False

    def example(self, aval: Aval, value: Any, weak: bool = False, lanes: frozenset[Trace] = frozenset()) -> JitTracer:
        """Make an input variable; `value` is what questions are answered with, None if they cannot be."""
        var = self.graph.variable(aval._replace(weak=False))
        self.graph.inputs.append(var)
        tracer = self.make(var, None if value is None else given(value), weak)
        if type(value) is _ndarray and not aval.shape:
            tracer.__class__ = JitPoint
        tracer.lanes = lanes
        return tracer

    def make(self, var: Var, lazy: Lazy | None, weak: bool = False) -> JitTracer:
        """Make a tracer of `var`."""
        return (JitArray if var.aval.shape else JitScalar if weak else JitNumber)(self, var, lazy)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        if not self.alive:
            self.check_alive(primitive)
        if primitive.inline is not None:
            return primitive.inline(*args, **params)
        if len(args) > 1 and JitScalar in map(type, args):
            args = self.settled(primitive, args, params)
        # One loop, and few helpers: this runs for every operation of a program.
        inputs: list[Any] = []
        lazies: list[Any] = []
        avals: list[Aval] = []
        answers = True
        for x in args:
            if isinstance(x, JitTracer) and x._trace is self:
                var = x._var
                inputs.append(var)
                avals.append(var.aval)
                x = x._lazy
                if x is None:
                    answers = False
            else:
                x = self.lower(x)
                inputs.append(x)
                avals.append(aval_of(x))
                if isinstance(x, Tracer):
                    answers = False
                elif type(x) is int and not 0 <= x <= 127:
                    _check_fits(primitive, args)
            lazies.append(x)
        found = abstract(primitive, avals, params)
        graph = self.graph
        outputs = [graph.variable(a) for a in (found if primitive.multiple else (found,))]
        graph.equations.append(Equation(primitive, inputs, params, outputs))
        step = Step(primitive, lazies, params) if answers else None
        if not primitive.multiple and not named_axes() and blocked_level() < self.level:
            return (JitArray if found.shape else JitNumber)(self, outputs[0], None if step is None else Lazy(step))
        made: list[JitTracer] = []
        for v in outputs:
            lazy = None if step is None else Lazy(step, len(made) if primitive.multiple else None)
            made.append((JitArray if v.aval.shape else JitNumber)(self, v, lazy))
        if named_axes():
            for t, lanes in zip(made, lanes_after(primitive, args, params, len(made)), strict=True):
                t.lanes = lanes
        if blocked_level() >= self.level and primitive.name != "stop_gradient":
            made = [PRIMITIVES["stop_gradient"](x) if x.dtype.kind in "fc" else x for x in made]
        return tuple(made) if primitive.multiple else made[0]

    def settled(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Sequence[Any]:
        """Give Python numbers among `args` the dtype that NumPy would; so that programs need no rule for them."""
        if not _gives_way(primitive):
            return args
        kinds = [_kind(x) for x in args]
        if all(isinstance(kind, type) for kind in kinds):
            return list(args)
        function, wanted = primitive.numpy[0] if primitive.numpy else None, [cast(Any, None)] * len(args)
        if isinstance(function, np.ufunc):
            wanted = list(function.resolve_dtypes((*kinds, *[None] * function.nout)))
        elif self._depends(primitive, args, params):
            first = 1 if primitive.family == "choice" else 0
            common: Any = np.result_type(*[kind(0) if isinstance(kind, type) else kind for kind in kinds[first:]])
            wanted[first:] = [common] * (len(args) - first)
        return [_given_way(x, to) if type(x) is JitScalar else x for x, to in zip(args, wanted, strict=False)]

    @staticmethod
    def _depends(primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> bool:
        """Whether the dtype of the result would be another one if the Python numbers were NumPy's."""
        strong = [aval_of(x) for x in args]
        weak = [a._replace(weak=type(x) is JitScalar or a.weak) for a, x in zip(strong, args, strict=True)]
        return bool(primitive.aval(*strong, **params) != primitive.aval(*weak, **params))

    def write(self, x: Tracer, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> None:
        kind = type(x)
        adopt(x, constant_of(self, self.process(primitive, (x, *args), params)))
        if kind is JitPoint and type(x) is JitNumber:
            x.__class__ = kind

    def lower(self, x: Any) -> Any:
        """The variable of a tracer of ours; anything else is a constant, safe from later writes."""
        if isinstance(x, Tracer):
            if isinstance(x, JitTracer) and x._trace is self:
                return x._var
            x = snapshot(x)
            self.foreign |= isinstance(x, Tracer) and not is_lane(x)
        if not isinstance(x, _ndarray):
            return super().lower(x) if type(x) is Var else x
        if not (x.flags.writeable or x.base is not None):
            return x
        # One copy for all uses of an array, as long as nobody writes to it in between.
        known = self._fixed.get(id(x))
        if known is not None and known[1].tobytes() == x.tobytes():
            return known[1]
        copy = same_layout(x)
        copy.flags.writeable = False
        self._fixed[id(x)] = (x, copy)
        return copy

    def ask(self, tracer: JitTracer, value: Any, purpose: str) -> None:
        """Note that the program depends on `value` being what it is."""
        var = tracer._var
        if self._settling or (var.index, purpose) in self._asked:
            return
        self._asked.add((var.index, purpose))
        self._settling = True
        try:
            asked, expected, match = question(tracer.clone(), value, purpose)
        finally:
            self._settling = False
        var = asked._var
        if match == "near" and any(v is var for v in self.graph.inputs):
            match = "bits"
        self.guards.append(Guard(var, expected, caller(), purpose, match))


def _kind(x: Any) -> Any:
    """The dtype of an array, the type of a Python number; bools never decide a dtype anyway."""
    dtype = dtype_of(x)
    weak = (is_weak(x) or type(x) is JitScalar) and dtype.kind != "b"
    return type(dtype.type(0).item()) if weak else dtype


def _check_fits(primitive: Primitive, args: Sequence[Any]) -> None:
    """Raise NumPy's error if a Python integer does not fit into the dtype of the arrays that it meets."""
    function = primitive.numpy[0] if primitive.numpy else None
    if not isinstance(function, np.ufunc) or function.signature is not None or len(args) != function.nin:
        return
    if all(dtype_of(x).kind in "iub" for x in args):
        with np.errstate(all="ignore"):
            function(*[x if is_weak(x) else np.ones((), dtype_of(x)) for x in args])


def _given_way(x: Any, dtype: np.dtype[Any] | None) -> Any:
    """Return the Python number `x` in `dtype`; NumPy's error, under a guard, if an integer does not fit."""
    if dtype is None or x.dtype == dtype:
        return x
    if dtype.kind in "iu" and x.dtype.kind != "b" and x._lazy is not None:
        limits = np.iinfo(dtype)
        if not (x >= limits.min and x <= limits.max):
            dtype.type(int(x))
    return PRIMITIVES["convert"](x, dtype=dtype)
