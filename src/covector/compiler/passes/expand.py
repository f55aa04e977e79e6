"""The first pass: replaces calls by what they call, and primitives by their definition in other primitives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.errors import ConcretizationError
from ...core.graph import Equation, Graph, Var, record
from ...core.primitive import PRIMITIVES, Expand, Routine
from ...core.programs import has_programs, with_programs
from ...core.tracer import Tracer
from ...core.values import Aval, aval_of
from .keys import frozen, scalar_key

__all__ = ["expand"]

_LIMIT = 100
"""Definitions within definitions; more than this is one that contains itself."""


def expand(graph: Graph) -> Graph:
    """Return `graph` with calls and expandable primitives replaced by the equations they stand for.

    Parameters
    ----------
    graph : Graph
        A recorded program; it is left as it is.

    Returns
    -------
    Graph
        Computes the same. It contains no `checkpoint`, custom rule or call of a compiled function, and no primitive
        whose `lower` is an `Expand`, except for calls of functions that look at values: they are left to Python.
        Programs inside of loops are expanded as well.

    Raises
    ------
    RecursionError
        A primitive is defined by itself.
    """
    return _Expansion(graph).finished(graph)


class _Expansion:
    """Copies equations into one program."""

    def __init__(self, graph: Graph) -> None:
        self.out = Graph()
        self.out.count = graph.count
        self.out.inputs = list(graph.inputs)
        # Expanded programs by the identity of the original, which is kept alive so that it stays its own.
        self.bodies: dict[int, tuple[Graph, Graph]] = {}
        self.recorded: dict[Any, Graph] = {}
        self.alive: list[Any] = []

    def finished(self, graph: Graph) -> Graph:
        """Copy the equations of `graph`, whose variables are also ours."""
        values: dict[int, Any] = {}
        for eq in graph.equations:
            if _stays(eq) and (not values or not any(type(x) is Var and x.index in values for x in eq.inputs)):
                self.out.equations.append(eq)
            else:
                self._copy(eq, values, fresh=False, depth=0)
        self.out.outputs = [_look_up(x, values) for x in graph.outputs]
        return self.out

    def _copy(self, eq: Equation, values: dict[int, Any], fresh: bool, depth: int) -> None:
        inputs = [_look_up(x, values) for x in eq.inputs]
        called = self._called(eq, inputs)
        if called is not None:
            if depth > _LIMIT:
                raise RecursionError(f"the definition of {eq.primitive} contains itself")
            for var, value in zip(eq.outputs, self._spliced(*called, depth + 1), strict=True):
                values[var.index] = self._in_form(value, var.aval, eq)
            return
        params = with_programs(eq.params, self._body)
        outputs = eq.outputs
        if fresh:
            outputs = [self.out.variable(v.aval) for v in eq.outputs]
            for old, new in zip(eq.outputs, outputs, strict=True):
                values[old.index] = new
        self.out.equations.append(Equation(eq.primitive, inputs, params, outputs))

    def _spliced(self, body: Graph, inputs: Sequence[Any], depth: int) -> list[Any]:
        """Copy the equations of `body` for the values `inputs` of its inputs; return the values of its outputs."""
        values = {v.index: x for v, x in zip(body.inputs, inputs, strict=True)}
        for eq in body.equations:
            self._copy(eq, values, fresh=True, depth=depth)
        return [_look_up(x, values) for x in body.outputs]

    def _in_form(self, value: Any, aval: Aval, eq: Equation) -> Any:
        """Return `value`, of the definition of `eq`, in the dtype that `eq` says it has."""
        have = _aval(value)
        if have == aval:
            return value
        if have.shape != aval.shape:
            raise AssertionError(f"the definition of {eq.primitive} gives {have}, but it returns {aval}: {eq}")
        out = self.out.variable(aval)
        self.out.equations.append(Equation(PRIMITIVES["convert"], [value], {"dtype": aval.dtype}, [out]))
        return out

    def _called(self, eq: Equation, inputs: Sequence[Any]) -> tuple[Graph, Sequence[Any]] | None:
        """The program that the equation stands for, and the inputs of it; None for an operation of its own."""
        primitive, params = eq.primitive, eq.params
        definition = _definition(eq)
        if definition is None:
            if primitive.family != "call":
                return None
            graph = params.get("graph")
            if isinstance(graph, Graph) and len(graph.inputs) == len(inputs):
                return graph, inputs
            rule = params.get("rule")
            # What a user's function closes over may differ from call to call, so every call is recorded.
            return None if rule is None else self._recorded(rule.fun, inputs)

        def function(*xs: Any) -> Any:
            out = definition(*xs, **params)
            return out if primitive.multiple else (out,)

        if any(isinstance(x, np.ndarray | Tracer) for x in inputs):
            return self._recorded(function, inputs)
        parts = tuple([x.aval if type(x) is Var else scalar_key(x) for x in inputs])
        key = (primitive, parts, frozen(params, self.alive))
        known = self.recorded.get(key)
        if known is None:
            found = self._recorded(function, inputs)
            if found is None:
                return None
            known = self.recorded[key] = found[0]
        return known, [x for x in inputs if type(x) is Var]

    def _recorded(self, function: Any, inputs: Sequence[Any]) -> tuple[Graph, Sequence[Any]] | None:
        """Record `function` on the variables among `inputs`; None if it needs to know their values."""
        places = [i for i, x in enumerate(inputs) if type(x) is Var]

        def on_variables(*xs: Any) -> Any:
            full = list(inputs)
            for i, x in zip(places, xs, strict=True):
                full[i] = x
            return function(*full)

        variables = [inputs[i] for i in places]
        try:
            return record(on_variables, [v.aval for v in variables], "expand"), variables
        except ConcretizationError:
            return None

    def _body(self, body: Graph) -> Graph:
        known = self.bodies.get(id(body))
        if known is None:
            known = self.bodies[id(body)] = (expand(body), body)
        return known[0]


def _definition(eq: Equation) -> Any:
    """The function that the primitive of the equation stands for, with these arguments."""
    lower = eq.primitive.lower
    if isinstance(lower, Expand):
        return lower.function
    if isinstance(lower, Routine) and lower.small is not None and lower.fits is not None:
        return lower.small if lower.fits(*[_aval(x) for x in eq.inputs], **eq.params) else None
    return None


def _stays(eq: Equation) -> bool:
    """Whether it is clear at a glance that `eq` stands for itself, as most equations do."""
    if eq.primitive.family == "call" or _definition(eq) is not None:
        return False
    return not has_programs(eq.params)


def _look_up(x: Any, values: dict[int, Any]) -> Any:
    return values.get(x.index, x) if type(x) is Var else x


def _aval(x: Any) -> Aval:
    return x.aval if type(x) is Var else aval_of(x)
