"""The pass that leaves out what need not be computed: constants, common subexpressions, algebra, dead code.

The program is built anew, equation by equation. Each is first offered to the rules of `algebra.RULES`, which look at it
and at the equations that made its inputs, all of them simplified already; what a rule puts in its place is built the
same way. So one walk through the program reaches what no rule can improve any more, in time linear in its length: a
rule looks back a bounded number of equations.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...control.loops.loop import loop_p
from ...core.graph import Equation, Graph, Var
from ...core.primitive import PRIMITIVES, Primitive
from ...core.programs import has_programs, with_programs
from ...core.tracer import Tracer
from ...core.values import Aval, aval_of
from .algebra import rules_of
from .constants import Constants
from .control.choosing import branch_values
from .control.joining import joined
from .control.pruning import pruned
from .control.tidying import loop_values
from .keys import frozen, scalar_key
from .order import live, scheduled, use_counts

__all__ = ["Builder", "simplify"]

_FOLDED = 4096
"""Elements up to which a result known at compile time is stored with the program."""

_DEEPEST = 40
"""Rules within rules: how far back a slice of a slice of … is followed."""

_KNOWN = frozenset({"constant", "broadcast"})
"""What all inputs are made of where the result may be known."""

_NEVER_FOLDED = frozenset({"broadcast"})
"""A broadcast constant says more than its elements do."""

_COMMUTATIVE = frozenset(
    {
        *("add", "multiply", "equal", "not_equal", "logical_and", "logical_or", "logical_xor"),
        *("bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm"),
    }
)
_IN_ONE_DTYPE = frozenset(
    {
        *("add", "subtract", "multiply", "divide", "product", "masked_product", "maximum", "minimum", "where"),
        *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "at_least", "at_most"),
    }
)
"""Functions that compute in the dtype to which NumPy promotes all of their inputs."""

_INDEXED = {"gather": 1, "scatter": 1, "put": 2, "add_at": 2}
"""Where the index arrays begin among the inputs."""


def simplify(graph: Graph, fired: Counter[str] | None = None) -> Graph:
    """Return a program that computes the same with less.

    Parameters
    ----------
    graph : Graph
        A recorded program; it is left as it is.
    fired : Counter, optional
        Counts how often each rule of `algebra.RULES` was used, by its text; under ``"tried"`` how often any was tried.

    Returns
    -------
    Graph
        Its outputs have the shapes and dtypes that they had, and their values up to what the rules used say of
        themselves. Basic indices name every axis, with positions counted from zero.
    """
    return _simplified(graph, Counter() if fired is None else fired, {})


def _simplified(graph: Graph, fired: Counter[str], bodies: dict[int, tuple[Graph, Graph]]) -> Graph:
    out = Builder(pruned(graph), fired, bodies).finished()
    # What became known may have left more that nobody reads.
    out = pruned(out)
    other = joined(out)
    return out if other is out else _simplified(other, fired, bodies)


class Builder:
    """A program under construction, and what rules may ask about it.

    A *value* is a variable or a constant. Where a value is constant everywhere it is the broadcast of a number.
    """

    def __init__(self, graph: Graph, fired: Counter[str], bodies: dict[int, tuple[Graph, Graph]]) -> None:
        self.source = graph
        self.fired = fired
        self.tried = 0
        self.depth = 0
        self.equations: list[Equation] = []
        self.out = Graph()
        self.out.count = graph.count
        self.out.inputs = list(graph.inputs)
        self.makers: dict[int, Equation] = {}
        self.uses: dict[int, int] = {}
        self.notes: dict[Any, Any] = {}
        self._known: dict[Any, Any] = {}
        self._alive: list[Any] = []
        self._constants = Constants()
        self._early: set[int] = set()
        # By identity, with the program that has it so that it stays its own; what is simple already is among them.
        self._bodies = bodies

    # --- the pass -----------------------------------------------------------------------------------------------------

    def finished(self) -> Graph:
        """Walk through the source once, then drop what nobody reads."""
        values: list[Any] = [None] * self.source.count
        counts = use_counts(self.source)
        for v in self.source.inputs:
            values[v.index] = v
        for eq in self.source.equations:
            if len(eq.outputs) == 1 and not counts[eq.outputs[0].index]:
                continue
            first = _INDEXED.get(eq.primitive.name, 1 << 30)
            inputs = [
                values[x.index] if type(x) is Var else self.constant(x, i >= first) for i, x in enumerate(eq.inputs)
            ]
            if eq.primitive.multiple:
                for v, value in zip(eq.outputs, self._several(eq, inputs), strict=True):
                    values[v.index] = value
                continue
            (var,) = eq.outputs
            value = self._one(eq.primitive, inputs, eq.params, var.aval, var)
            values[var.index] = value
            if type(value) is Var:
                self.uses[value.index] = self.uses.get(value.index, 0) + counts[var.index]
        self.fired["tried"] += self.tried
        self.out.outputs = [values[x.index] if type(x) is Var else x for x in self.source.outputs]
        self.out.equations = live(scheduled(self.equations, self._early), self.out.outputs)
        return self.out

    def constant(self, x: Any, index: bool = False) -> Any:
        """Bring a constant into its one form: equal ones are the same object, uniform ones a broadcast number.

        Index arrays stay arrays.
        """
        if type(x) is not np.ndarray:
            return x
        if not x.ndim:
            return x[()]
        number = None if index else self._constants.number(x)
        if number is None:
            return self._constants.representative(x)
        return self.emit("broadcast", number, shape=x.shape, axes=())

    def _several(self, eq: Equation, inputs: Sequence[Any]) -> Sequence[Any]:
        if eq.primitive is loop_p:
            return loop_values(self, eq, inputs)
        if eq.primitive.name == "branch":
            return branch_values(self, eq, inputs)
        params = with_programs(eq.params, self.body) if has_programs(eq.params) else eq.params
        return self.store(eq.primitive, inputs, params, eq.outputs)

    # --- programs inside of this one ----------------------------------------------------------------------------------

    def body(self, body: Graph) -> Graph:
        """Return a program inside of this one simplified."""
        known = self._bodies.get(id(body))
        if known is None:
            made = _simplified(body, self.fired, self._bodies)
            known = self._bodies[id(body)] = (made, body)
            self._bodies[id(made)] = (made, made)
        return known[0]

    def splice(self, graph: Graph, inputs: Sequence[Any]) -> list[Any]:
        """Return the values of the outputs of `graph` for the values of its inputs, computed in this program."""
        values = {v.index: x for v, x in zip(graph.inputs, inputs, strict=True)}
        use = lambda x: values[x.index] if type(x) is Var else x
        for eq in graph:
            for v, x in zip(eq.outputs, self.replay(eq, [use(x) for x in eq.inputs]), strict=True):
                values[v.index] = x
        return [use(x) for x in graph.outputs]

    def replay(self, eq: Equation, inputs: Sequence[Any]) -> Sequence[Any]:
        """Return the values of the outputs of an equation of another program, for values of its inputs."""
        first = _INDEXED.get(eq.primitive.name, 1 << 30)
        inputs = [x if type(x) is Var else self.constant(x, i >= first) for i, x in enumerate(inputs)]
        if not eq.primitive.multiple:
            return [self._one(eq.primitive, inputs, eq.params, eq.outputs[0].aval, None)]
        outputs = [self.out.variable(v.aval) for v in eq.outputs]
        return self._several(Equation(eq.primitive, inputs, eq.params, outputs), inputs)

    def variable(self, aval: Aval) -> Var:
        """Make a fresh variable."""
        return self.out.variable(aval)

    def store(
        self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any], outputs: Sequence[Var]
    ) -> Sequence[Var]:
        """Return the outputs of the equation, or those of an equal one."""
        return self._stored(primitive, inputs, params, [v.aval for v in outputs], outputs)

    # --- what rules use -----------------------------------------------------------------------------------------------

    def emit(self, name: str, *inputs: Any, **params: Any) -> Any:
        """Return the value of a primitive applied to values, simplified."""
        primitive = PRIMITIVES[name]
        aval = primitive.aval(*[self.aval(x) for x in inputs], **params)
        return self._one(primitive, inputs, params, aval, None)

    def bind(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        """`emit` of a primitive at hand."""
        aval = primitive.aval(*[self.aval(x) for x in inputs], **params)
        return self._one(primitive, inputs, params, aval, None)

    def early(self, name: str, *inputs: Any, **params: Any) -> Any:
        """`emit`, of something to compute as soon as its inputs are known: what adds up should not wait."""
        before = len(self.equations)
        x = self.emit(name, *inputs, **params)
        self._early.update([eq.outputs[0].index for eq in self.equations[before:]])
        return x

    def find(self, name: str, *inputs: Any, **params: Any) -> Any:
        """Return the value of a primitive applied to values if it was computed before, else None."""
        found = self._known.get(self._key(PRIMITIVES[name], inputs, params))
        return None if found is None else found[0]

    def maker(self, x: Any, name: str | None = None) -> Equation | None:
        """The equation that made `x`, if any and if it is one of the primitive `name`."""
        if type(x) is not Var:
            return None
        eq = self.makers.get(x.index)
        return eq if eq is None or name is None or eq.primitive.name == name else None

    def aval(self, x: Any) -> Aval:
        """Shape and dtype of a value."""
        return x.aval if type(x) is Var else aval_of(x)

    def number(self, x: Any) -> Any:
        """Return the number that all elements of `x` are known to be, else None."""
        if type(x) is Var:
            eq = self.makers.get(x.index)
            if eq is None or eq.primitive.name != "broadcast":
                return None
            x = eq.inputs[0]
        return None if type(x) is Var or isinstance(x, Tracer | np.ndarray) else x

    def array(self, x: Any) -> Any:
        """Return the value of `x` if it is known and small, else None."""
        if type(x) is not Var:
            return None if isinstance(x, Tracer) else x
        number = self.number(x)
        return None if number is None or x.size > _FOLDED else np.full(x.shape, number, x.dtype)

    def full(self, number: Any, out: Aval) -> Any:
        """Return the value with the shape and dtype `out` all of whose elements are `number`."""
        scalar = out.dtype.type(number)
        return self.emit("broadcast", scalar, shape=out.shape, axes=()) if out.shape else scalar

    def like(self, x: Any, out: Aval) -> Any:
        """Return `x` converted and broadcast, as an elementwise function would, to the shape and dtype `out`."""
        aval = self.aval(x)
        if aval.dtype != out.dtype or aval.weak:
            x = self.emit("convert", x, dtype=out.dtype)
        rank = len(out.shape)
        axes = tuple(range(rank - len(aval.shape), rank))
        return x if aval.shape == out.shape else self.emit("broadcast", x, shape=out.shape, axes=axes)

    # --- one equation -------------------------------------------------------------------------------------------------

    def _one(
        self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any], aval: Aval, var: Var | None
    ) -> Any:
        tags = []
        for x in inputs:
            if type(x) is Var:
                eq = self.makers.get(x.index)
                tags.append("" if eq is None else eq.primitive.name)
            else:
                tags.append("constant")
        if "constant" in tags and primitive.name in _IN_ONE_DTYPE:
            inputs = self._in_one_dtype(inputs, tags)
        if self.depth < _DEEPEST:
            self.depth += 1
            try:
                for when, rule in rules_of(primitive):
                    if when is not None and when.isdisjoint(tags):
                        continue
                    self.tried += 1
                    value = rule.apply(self, aval, inputs, params)
                    if value is not None and self.aval(value) == aval:
                        self.fired[rule.text] += 1
                        return value
            finally:
                self.depth -= 1
        if _KNOWN.issuperset(tags) and self._foldable(primitive, inputs):
            value = self._folded(primitive, inputs, params, aval)
            if value is not None:
                self.fired["constant"] += 1
                return value
        return self._stored(primitive, inputs, params, [aval], None if var is None else [var])[0]

    def _in_one_dtype(self, inputs: Sequence[Any], tags: Sequence[str]) -> Sequence[Any]:
        """Bring numbers to the floating-point dtype that the other inputs have: 2, 2.0 and np.float64(2) are one."""
        dtypes = {x.dtype for x in inputs if type(x) is Var and not x.aval.weak and x.dtype.kind != "b"}
        if len(dtypes) != 1:
            return inputs
        (dtype,) = dtypes
        if dtype.kind != "f":
            return inputs
        number = dtype.type
        return [
            number(x) if tag == "constant" and type(x) is not number and _fits(x, dtype) else x
            for x, tag in zip(inputs, tags, strict=True)
        ]

    def _stored(
        self,
        primitive: Primitive,
        inputs: Sequence[Any],
        params: dict[str, Any],
        avals: Sequence[Aval],
        outputs: Sequence[Var] | None,
    ) -> Sequence[Var]:
        """Return the outputs of the equation, which is added unless the same was computed before."""
        key = self._key(primitive, inputs, params)
        known: Sequence[Var] | None = self._known.get(key)
        if known is not None:
            self.fired["common"] += 1
            return known
        if outputs is None:
            outputs = [self.out.variable(a) for a in avals]
        eq = Equation(primitive, inputs, params, outputs)
        self.equations.append(eq)
        for v in outputs:
            self.makers[v.index] = eq
        self._known[key] = outputs
        return outputs

    def _key(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any]) -> Any:
        parts: list[Any] = [
            x.index if type(x) is Var else (id(x),) if isinstance(x, np.ndarray | Tracer) else scalar_key(x)
            for x in inputs
        ]
        if primitive.name in _COMMUTATIVE:
            x, y = parts
            if type(y) is int and (type(x) is not int or y < x):
                parts = [y, x]
        return (primitive.name, *parts, frozen(params, self._alive)) if params else (primitive.name, *parts)

    def _foldable(self, primitive: Primitive, inputs: Sequence[Any]) -> bool:
        """Whether nothing but constants enters."""
        if primitive.name in _NEVER_FOLDED or primitive.family in ("call", "collective", "control"):
            return False
        return all(type(x) is not Var or self.number(x) is not None for x in inputs)

    def _folded(self, primitive: Primitive, inputs: Sequence[Any], params: dict[str, Any], aval: Aval) -> Any:
        """The result as a constant; None if it is large or an error, which is left to the time of the call."""
        if math.prod(aval.shape) > _FOLDED:
            return None
        args = [self.array(x) for x in inputs]
        if any(x is None for x in args):
            return None
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                out = primitive.impl(*args, **params)
        except (ArithmeticError, ValueError, TypeError, LookupError, np.linalg.LinAlgError):
            return None
        found = aval_of(out)
        if found.shape != aval.shape or found.dtype != aval.dtype:
            return None
        if not aval.shape:
            return aval.dtype.type(np.asarray(out)[()])
        out = np.array(out)
        out.flags.writeable = False
        return self.constant(out)


def _fits(x: Any, dtype: np.dtype[Any]) -> bool:
    """Whether a function of `x` and of an array of `dtype` computes with `x` as a number of that dtype."""
    if type(x) is int:
        return abs(x) < 2**11
    if type(x) is float:
        return not math.isfinite(x) or abs(x) <= np.finfo(dtype).max
    return isinstance(x, np.generic) and x.dtype.kind in "iuf" and np.result_type(x.dtype, dtype) == dtype
