"""Recorded functions of arrays, and what is made of them: their derivatives at a point, as programs or applied."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from ...core.errors import NotDifferentiableError
from ...core.graph import Equation, Graph, Var, record
from ...core.tracer import Tracer
from ...core.values import Aval, aval_of
from ...transforms.forward import ForwardTrace, ForwardTracer
from ...transforms.reverse import ReverseTrace, ReverseTracer, pull_back

__all__ = ["backward", "forward", "lifted", "linear_part", "result_avals", "transposed", "zeros"]


def zeros(aval: Any) -> Any:
    """Zeros of this shape and dtype."""
    return np.zeros(aval.shape, aval.dtype) if aval.shape else aval.dtype.type(0)


def result_avals(graph: Graph) -> list[Aval]:
    """Shapes and dtypes of what a program returns."""
    found = [x.aval if type(x) is Var else aval_of(x) for x in graph.outputs]
    return [Aval(a.shape, a.dtype) for a in found]


def lifted(graph: Graph) -> tuple[Graph, list[Any]]:
    """The program with the traced values among its constants as further inputs, and these values."""
    out = copy(graph)
    out.inputs = list(graph.inputs)
    known: dict[Any, Var] = {}
    values: list[Any] = []

    def closed(x: Any) -> Any:
        if type(x) is Var or not isinstance(x, Tracer):
            return x
        parts = [getattr(x, name) for name in x._state]
        key = (id(x._trace), *[p if type(p) in (int, frozenset) else id(p) for p in parts])
        var = known.get(key)
        if var is None:
            var = known[key] = out.variable(aval_of(x)._replace(weak=False))
            out.inputs.append(var)
            values.append(x)
        return var

    out.equations = [Equation(eq.primitive, [closed(x) for x in eq.inputs], eq.params, eq.outputs) for eq in graph]
    out.outputs = [closed(x) for x in graph.outputs]
    return out, values


def forward(graph: Graph, args: Sequence[Any], tangents: Sequence[Any], name: str) -> list[Any]:
    """The tangents of the outputs, given those of the arguments; None is zero."""
    trace = ForwardTrace(name)
    try:
        results = graph.run(*[trace.tracer(x, t) for x, t in zip(args, tangents, strict=True)])
    finally:
        trace.close()
    return [x.tangent if isinstance(x, ForwardTracer) and x._trace is trace else None for x in results]


def backward(graph: Graph, args: Sequence[Any], wanted: Sequence[Any], cts: Sequence[Any], name: str) -> list[Any]:
    """The cotangents of the wanted arguments, given those of the outputs; None is zero."""
    trace = ReverseTrace(name, escapes=False)
    try:
        inputs = [trace.input(x) if w else x for x, w in zip(args, wanted, strict=True)]
        results = graph.run(*inputs)
    finally:
        trace.close()
    totals: list[Any] = [None] * len(trace.tape)
    for x, c in zip(results, cts, strict=True):
        if c is not None and isinstance(x, ReverseTracer) and x._trace is trace:
            totals[x.slot] = c if totals[x.slot] is None else totals[x.slot] + c
    pull_back(trace.tape, totals, consume=True)
    return [totals[x.slot] if w else None for x, w in zip(inputs, wanted, strict=True)]


def linear_part(graph: Graph, args: Sequence[Any], count: int, name: str) -> tuple[Graph, list[Any]]:
    """The derivative of a program with respect to its first arguments, at these values of all.

    Parameters
    ----------
    graph : Graph
        The program.
    args : sequence
        Where to take the derivative.
    count : int
        With respect to so many of them.
    name : str
        For messages.

    Returns
    -------
    graph : Graph
        From the tangents of these arguments, and operands, to the tangents of the outputs.
    operands : list
        What the program was traced with, at lower levels.
    """
    avals = [Aval(v.shape, v.dtype) for v in graph.inputs[:count]]

    def push(*ts: Any) -> list[Any]:
        found = forward(graph, args, [*ts, *[None] * (len(args) - count)], name)
        return [zeros(a) if t is None else t for t, a in zip(found, result_avals(graph), strict=True)]

    return lifted(record(push, avals, name))


def transposed(graph: Graph, count: int, name: str) -> Graph:
    """The transpose of a program that is linear in its first arguments; the others, operands, stay what they are.

    Raises
    ------
    NotDifferentiableError
        The program is not linear in them.
    """
    inputs = [Aval(v.shape, v.dtype) for v in graph.inputs[:count]]

    def pull(*args: Any) -> list[Any]:
        cts, operands = args[:count], args[count:]
        try:
            linear = record(lambda *xs: graph.run(*xs, *operands), inputs, name)
            found = linear.transpose(cts)
        except NotDifferentiableError as error:
            raise NotDifferentiableError(f"{name}: the map has to be linear, and {error}") from error
        return [zeros(a) if c is None else c for c, a in zip(found, inputs, strict=True)]

    operands = [Aval(v.shape, v.dtype) for v in graph.inputs[count:]]
    out = record(pull, [*result_avals(graph), *operands], name)
    mine = {id(v) for v in [*out.inputs, *[v for eq in out for v in eq.outputs]]}
    for eq in out:
        if any(type(x) is Var and id(x) not in mine for x in eq.inputs):
            # A rule read the value of an argument in which the map should be linear.
            raise NotDifferentiableError(f"{name}: the map has to be linear, and its transpose would depend on x: {eq}")
    return out
