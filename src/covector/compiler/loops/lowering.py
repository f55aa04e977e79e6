"""From equations to definitions: the pass that asks each primitive how its elements come about."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from ...core.graph import Equation, Graph, Var
from ...core.primitive import Expand, Routine
from ...core.values import Aval, Shape, aval_of, is_weak
from . import operations
from .contraction import contraction
from .definitions import Check, Definition, Host, Map, Nested, Reduce, Scan, Update
from .index import Index, Symbol
from .nested import nested
from .nodes import Complex, Node, Nodes, type_of
from .operations import Unsupported, Value
from .scope import Scope, is_progression

__all__ = ["SHORT", "Builder", "Lowered", "Operand", "lower"]

_DIAGONALS = 5  # constant diagonals of a matrix that is not stored for their sake
_EXPENSIVE = {"divide": 6, "sqrt": 6, "reciprocal": 6, "power": 60, "root": 6, "remainder": 30, "floor_divide": 30}
SHORT = 16  # longest reduction that is written out
_FREE = {"positive", "stop_gradient", "real", "imag", "conjugate", "convert", "negative"}


class Lowered:
    """A program as definitions, in order.

    Attributes
    ----------
    definitions : dict
        By index of variable.
    constants : dict
        Arrays that the program reads, by index of the variable that stands for them.
    checks : list of Check
    """

    def __init__(self, graph: Graph, length: int | None = None) -> None:
        self.graph = graph
        self.counter = None if length is None else graph.inputs[0]
        self.length = length or 0
        self.count = graph.count
        self.order: list[Definition] = []
        self.definitions: dict[int, Definition] = {}
        self.constants: dict[int, tuple[Var, Any]] = {}
        self.checks: list[Check] = []
        self.known: dict[Any, Any] = {}
        self.scope: Scope = None  # type: ignore[assignment]
        self.made_by = {v.index: eq for eq in graph.equations for v in eq.outputs}
        self._constant_vars: dict[int, Var] = {}
        self._kinds: dict[Any, Any] = {}
        self._kept: list[Any] = []

    def variable(self, shape: Shape, dtype: Any) -> Var:
        """Make a variable that the graph does not have."""
        var = Var(self.count, Aval(tuple(shape), np.dtype(dtype)))
        self.count += 1
        return var

    def define(self, var: Var, definition: Definition, reads: Sequence[Any]) -> None:
        definition.var = var
        definition.reads = [x for x in reads if type(x) is Var]
        self.definitions[var.index] = definition
        self.order.append(definition)

    def constant(self, array: Any) -> Var:
        """Return the variable that stands for a constant array."""
        array = np.asarray(array)
        var = self._constant_vars.get(id(array))
        if var is None:
            data = np.ascontiguousarray(array).reshape(array.shape)
            var = self.variable(data.shape, data.dtype)
            self._constant_vars[id(array)] = var
            self.constants[var.index] = (var, data)
            self._kept.append(array)
        return var

    def kind_of_constant(self, array: Any) -> Any:
        """What is regular about a constant array: ("all", value), ("steps", start, steps), ("diagonals", …) or None."""
        kind = self._kinds.get(id(array), self)
        if kind is self:
            kind = self._kinds[id(array)] = _regularity(array)
            self._kept.append(array)
        return kind


def _regularity(a: Any) -> Any:
    if not a.size:
        return None
    first = a.flat[0]
    zeros = all(s == 0 or n == 1 for s, n in zip(a.strides, a.shape, strict=True))
    if zeros or a.size == 1 or (a.flat[-1] == first and not first and not a.any()) or (a == first).all():
        return "all", first
    if a.dtype.kind in "iu" and (found := is_progression(a)):
        return "steps", *found
    if a.ndim > 1 and a.dtype.kind in "fciu":
        rows = a.reshape(a.shape[0], -1)
        shifts = range(*_band(rows))
        if len(shifts) <= _DIAGONALS:
            lines = [(rows.diagonal(s)[0], s) for s in shifts if len(rows.diagonal(s)) and rows.diagonal(s)[0]]
            length = sum([len(rows.diagonal(s)) for _, s in lines])
            if np.count_nonzero(rows) == length and all((rows.diagonal(s) == v).all() for v, s in lines):
                return "diagonals", lines
    return None


def _band(rows: Any) -> tuple[int, int]:
    """The first diagonal with elements, and the one after the last, as three rows that are not zero show them."""
    full = np.flatnonzero(rows.any(axis=1))
    edges = []
    for r in (full[0], full[len(full) // 2], full[-1]):
        columns = np.flatnonzero(rows[r])
        edges += [int(columns[0] - r), int(columns[-1] - r)]
    return min(edges), max(edges) + 1


class Operand:
    """An argument of an equation in a lowering rule: calling it with an index gives the value of that element."""

    def __init__(self, lowered: Lowered, x: Any) -> None:
        aval = x.aval if type(x) is Var else aval_of(x)
        self.lowered = lowered
        self.x = x
        self.shape: Shape = aval.shape
        self.dtype: np.dtype[Any] = aval.dtype
        self.ndim = len(self.shape)
        self.size = math.prod(self.shape)
        self.kind: Any = x if is_weak(x) else aval.dtype
        if type_of(self.dtype) is None:
            raise Unsupported(str(self.dtype))

    def __call__(self, *index: Any) -> Value:
        scope = self.lowered.scope
        at = [i if isinstance(i, Index) else Index(int(i)) for i in index]
        if type(self.x) is Var:
            if self.x is self.lowered.counter:
                return scope.counter(self.x, self.lowered.length)
            return scope.read(self.x, at)
        if not self.shape:
            return constant_value(scope.nodes, self.x[()] if isinstance(self.x, np.ndarray) else self.x, self.dtype)
        return self._constant(scope, at)

    def _constant(self, scope: Scope, at: list[Index]) -> Value:
        S = scope.nodes
        kind = self.lowered.kind_of_constant(self.x)
        if kind and kind[0] == "all":
            return constant_value(S, kind[1], self.dtype)
        if kind and kind[0] == "steps":
            _, start, steps = kind
            return S.cast(S.index(sum((i * s for i, s in zip(at, steps, strict=True)), Index(start))), _type(self))
        if not any(i.terms for i in at):
            element = self.x[tuple([i.const for i in at])]
            return (
                constant_value(S, element, self.dtype) if element else operations.convert(S, S.zero("f8"), self.dtype)
            )
        if kind and kind[0] == "diagonals":
            flat = Index(0)
            for i, n in zip(at[1:], self.shape[1:], strict=True):
                flat = flat * n + i
            out: Callable[[], Value] = lambda: operations.convert(S, S.zero("f8"), self.dtype)
            for number, shift in kind[1]:
                place = [at[0] + shift - flat, flat - at[0] - shift]
                out = partial(scope.inside, place, partial(constant_value, S, number, self.dtype), out)
            return out()
        return scope.read(self.lowered.constant(self.x), at)

    def broadcast(self, index: Sequence[Any]) -> Value:
        """Return the element that lines up with `index` by NumPy's rules."""
        tail = index[len(index) - self.ndim :] if self.ndim else ()
        return self(*[Index(0) if n == 1 else i for i, n in zip(tail, self.shape, strict=True)])


def _type(x: Operand) -> str:
    t = type_of(x.dtype)
    assert t is not None
    return t


def constant_value(S: Nodes, x: Any, dtype: np.dtype[Any]) -> Value:
    """Return the number `x` as a value of `dtype`."""
    t = type_of(dtype)
    if t is None:
        raise Unsupported(str(dtype))
    if t[0] in "iu" and not np.iinfo(dtype).min <= int(x) <= np.iinfo(dtype).max:
        raise Unsupported("a number that its type does not hold")
    if dtype.kind == "c":
        return Complex(S.const(x.real, t), S.const(x.imag, t))
    return S.const(x, t)


class Builder:
    """What a lowering rule works with; `out` is the aval of the result."""

    def __init__(self, lowered: Lowered, out: Any) -> None:
        self.lowered = lowered
        self.out = out

    @property
    def nodes(self) -> Nodes:
        return self.lowered.scope.nodes

    def number(self, x: Any, dtype: Any = None) -> Value:
        """Return a constant in `dtype`, or that of the output."""
        return constant_value(self.nodes, x, np.dtype(dtype or self.out.dtype))

    def zero(self) -> Value:
        """Return a zero that stands for absence: anything times it is zero."""
        return operations.convert(self.nodes, self.nodes.zero("f8"), self.out.dtype)

    def convert(self, value: Value, dtype: Any = None) -> Value:
        return operations.convert(self.nodes, value, np.dtype(dtype or self.out.dtype))

    def apply(self, name: str, *values: Value, dtype: Any = None) -> Value:
        """Apply an elementwise operation to values of one dtype."""
        dtype = np.dtype(dtype or self.out.dtype)
        return operations.apply(self.nodes, name, values, [dtype] * len(values), dtype)

    def inside(self, conditions: Sequence[Any], then: Callable[[], Value], otherwise: Callable[[], Value]) -> Value:
        """Return ``then()`` where all indices in `conditions` are at least zero, else ``otherwise()``."""
        at = [c if isinstance(c, Index) else Index(int(c)) for c in conditions]
        return self.lowered.scope.inside(at, then, otherwise)

    def place(self, value: Value, size: int) -> Index:
        """Return the index that an integer means on an axis."""
        return self.lowered.scope.place(value, size)

    def divide(self, index: Index, n: int) -> tuple[Index, Index]:
        return self.lowered.scope.divide(index, n)

    def reshaped(self, index: Sequence[Any], old: Shape, new: Shape) -> tuple[Index, ...]:
        """Return the index into an array of shape `new` of the element at `index` of one of shape `old`."""
        flat = Index(0)
        for i, n in zip(index, old, strict=True):
            flat = flat * n + i
        return self.lowered.scope.unravel(flat, new)

    def check(self, indices: Operand, size: int, axis: int) -> None:
        """Have the numbers in `indices` checked against an axis of length `size`."""
        if not indices.size:
            return
        if type(indices.x) is not Var:
            a = np.asarray(indices.x)
            bad = a[(a < -size) | (a >= size)]
            if bad.size:
                raise IndexError(f"index {bad.flat[0]} is out of bounds for axis {axis} with size {size}")
            return
        if (indices.x.index, size) in self.lowered._kinds or self._known(indices, size):
            return
        self.lowered._kinds[indices.x.index, size] = True
        least, most = self.lowered.variable((), np.int64), self.lowered.variable((), np.int64)
        for how, var in (("min", least), ("max", most)):
            rule = lambda i, r: self.convert(indices(*r), np.int64)
            self.lowered.define(var, Reduce(how, indices.shape, rule), [indices.x])
        self.lowered.checks.append(Check(least, most, size, axis))

    def _known(self, indices: Operand, size: int) -> bool:
        """Whether the numbers are made of counters such that they cannot be out of range."""
        lowered = self.lowered
        lowered.scope = Scope(lambda var: d.rule if isinstance(d := lowered.definitions.get(var.index), Map) else None)
        value = indices(*[Index(0, ((Symbol(0, n - 1), 1),)) for n in indices.shape])
        lowered.scope = None  # type: ignore[assignment]
        if not isinstance(value, Node) or value.op not in ("index", "const"):
            return False
        low, high = value.data.bounds() if value.op == "index" else (value.data, value.data)
        return bool(-size <= low and high < size)

    # --- definitions --------------------------------------------------------------------------------------------------

    def map(
        self,
        rule: Callable[..., Value],
        cost: int = 1,
        aligned: bool = False,
        mixes: bool = True,
        pieces: Sequence[tuple[Operand, Callable[..., Any]]] = (),
    ) -> Map:
        """Each element is ``rule(*index)``; see `Map`."""
        return Map(rule, cost, aligned, mixes, pieces)

    def reduce(self, how: str, extent: Sequence[int], rule: Callable[..., Value], cost: int = 1) -> Reduce:
        """Each element combines ``rule(index, r)`` over all r in the box `extent`."""
        return Reduce(how, extent, rule, cost)

    def scan(self, axis: int, reverse: bool, first: Any, step: Any) -> Scan:
        """Along `axis`, ``first(index)`` and then ``step(last, index)``."""
        return Scan(axis, reverse, first, step)

    def update(
        self, old: Operand | None, extent: Sequence[int], place: Any, rule: Any, *, adds: bool, distinct: bool
    ) -> Update | None:
        """Write ``rule(r)`` to ``place(r)`` of a copy of `old`, or of zeros, for all r in the box `extent`."""
        if old is not None and type(old.x) is not Var:
            old = Operand(self.lowered, self.lowered.constant(old.x))
        return Update(None if old is None else old.x, extent, place, rule, adds, distinct)

    def contract(self, a: Operand, b: Operand, spec: Any) -> Any:
        """Sums of products, with labels of axes as in the primitive `contract`."""
        return contraction(self, a, b, spec)


def _elementwise(lowered: Lowered, eq: Equation, name: str) -> Map:
    out = eq.outputs[0].aval
    if type_of(out.dtype) is None or not operations.has_operation(name):
        raise Unsupported(name)
    operands = [Operand(lowered, x) for x in eq.inputs]
    kinds = [x.kind for x in operands]

    def rule(*index: Index) -> Value:
        values = [x.broadcast(index) for x in operands]
        return operations.apply(lowered.scope.nodes, name, values, kinds, out.dtype)

    cost = 0 if name in _FREE else _EXPENSIVE.get(name, 1 if name in operations.TABLE else 20)
    definition = Map(rule, cost, aligned=True, mixes=False)
    _try(lowered, definition, out)
    return definition


def _try(lowered: Lowered, definition: Definition, out: Any) -> None:
    """Evaluate the rule once, so that what it cannot do shows before anything depends on it."""
    lowered.scope = Scope(lambda var: None)
    try:
        origin = [Index(0)] * len(out.shape)
        if isinstance(definition, Map):
            definition.rule(*origin)
        elif isinstance(definition, Reduce) and 0 not in definition.extent:
            value = definition.rule(origin, [Index(0)] * len(definition.extent))
            short = definition.how == "mul" and math.prod(definition.extent) <= SHORT
            if isinstance(value, Complex) and definition.how != "add" and not short:
                raise Unsupported("an order of complex numbers, or a long product")
        elif isinstance(definition, Update):
            counters = [Index(0, ((Symbol(0, max(n - 1, 1)), 1),)) for n in definition.extent]
            definition.rule(*counters)
            definition.place(*counters)
    finally:
        lowered.scope = None  # type: ignore[assignment]


def _definition(lowered: Lowered, eq: Equation) -> Definition | None:
    """What the primitive's `lower` makes of an equation; None for a call of NumPy."""
    rule = eq.primitive.lower
    if isinstance(rule, Expand | Routine | None) or len(eq.outputs) != 1 or 0 in eq.outputs[0].shape:
        return None
    try:
        if isinstance(rule, str):
            return _elementwise(lowered, eq, rule)
        builder = Builder(lowered, eq.outputs[0].aval)
        if type_of(builder.out.dtype) is None:
            return None
        definition = rule(builder, *[Operand(lowered, x) for x in eq.inputs], **eq.params)
        if isinstance(definition, Reduce) and 0 in definition.extent:
            return None
        if isinstance(definition, Map | Reduce | Update):
            _try(lowered, definition, builder.out)
        return cast(Definition, definition)
    except Unsupported:
        return None


def lower(graph: Graph, length: int | None = None) -> Lowered:
    """Turn the equations of `graph` into definitions; with `length`, its first input counts to that number."""
    from ..linalg.lapack import define_routine

    lowered = Lowered(graph, length)
    for eq in graph.equations:
        if eq.primitive.name in ("loop", "branch"):
            made: Any = nested(lowered, eq)
            eq = made.equation
        elif isinstance(eq.primitive.lower, Routine) and define_routine(lowered, eq):
            continue
        else:
            made = _definition(lowered, eq) or Host(eq)
        if isinstance(made, Host | Nested):
            for x in eq.outputs:
                lowered.definitions[x.index] = made
            made.var = eq.outputs[0]
            made.reads = [x for x in eq.inputs if type(x) is Var]
            lowered.order.append(made)
        else:
            lowered.define(eq.outputs[0], made, getattr(made, "reads", eq.inputs))
    return lowered
