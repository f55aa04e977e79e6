"""Traced arguments of a compiled function: what is known of them, and traced values that it closes over."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from ..core.errors import ConcretizationError, caller
from ..core.graph import Equation, Graph, Var
from ..core.tracer import Tracer, concrete, snapshot
from ..core.values import Aval, aval_of, is_weak
from ..transforms.batching import BatchTracer

__all__ = ["agreed", "captured_values", "example", "is_abstract", "leaf_aval"]


def is_abstract(leaves: Sequence[Any]) -> bool:
    """Whether a value among the leaves is not known: the call is recorded into a larger program."""
    return any(isinstance(x, Tracer) and concrete(x) is None for x in leaves)


def leaf_aval(x: Any) -> Aval:
    """The abstract value of a leaf; weak if it is a Python number under the transforms that follow it."""
    return aval_of(x)._replace(weak=is_weak(concrete(x)))


def example(x: Any) -> Any:
    """The leaf without derivatives: a plain array, or lanes of one."""
    if not isinstance(x, Tracer):
        return x
    x = snapshot(x)
    if not isinstance(x, Tracer):
        return x
    value = example(x.value)
    return x._trace.tracer(value) if isinstance(x, BatchTracer) else value  # type: ignore[attr-defined]


def agreed(x: Any, purpose: str) -> Any:
    """The one plain value of `x`, on which all lanes must agree.

    Parameters
    ----------
    x : array or traced value
        Of no dimensions, as computed from examples.
    purpose : str
        What needs the value, for the message.
    """
    value = example(x)
    sizes = []
    while isinstance(value, BatchTracer):
        sizes.append(value._trace.size)  # type: ignore[attr-defined]
        value = value.value
    values = np.asarray(value)
    flat = values.reshape(-1, *values.shape[len(sizes) :]) if sizes else values[None]
    if not len(flat) or not _all_same(flat):
        raise ConcretizationError(
            f"{purpose} at {caller()} needs one value, but vmap follows a batch of {'×'.join(map(str, sizes))}, whose "
            f"examples {'are none' if not len(flat) else 'differ in it'}; use np.where(condition, a, b), or loop over "
            f"the examples instead of vmap"
        )
    return flat[0]


def _all_same(values: np.ndarray[Any, Any]) -> bool:
    first = values[:1]
    return bool(np.all((values == first) | ((values != values) & (first != first))))


def captured_values(graph: Graph) -> tuple[Graph, list[Any]]:
    """Return the program with further inputs in place of the traced values that it holds, and these values."""
    found: dict[Any, tuple[Any, Var]] = {}
    out = graph

    def lifted(x: Any) -> Any:
        nonlocal out
        if type(x) is Var or not isinstance(x, Tracer):
            return x
        if out is graph:
            out = copy(graph)
            out.inputs = list(graph.inputs)
        key = _identity(x)
        if key not in found:
            var = out.variable(leaf_aval(x))
            out.inputs.append(var)
            found[key] = (x, var)
        return found[key][1]

    equations = [
        Equation(eq.primitive, xs, eq.params, eq.outputs) if any(a is not b for a, b in zip(xs, eq.inputs)) else eq
        for eq in graph.equations
        for xs in [[lifted(x) for x in eq.inputs]]
    ]
    outputs = [lifted(x) for x in graph.outputs]
    if out is not graph:
        out.equations = equations
        out.outputs = outputs
    return out, [x for x, _ in found.values()]


def _identity(x: Any) -> Any:
    """What two handles onto one traced value share."""
    parts = [getattr(x, name) for name in x._state]
    return (id(x._trace), *[v if isinstance(v, int) else id(v) for v in parts])
