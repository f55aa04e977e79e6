"""Reading and writing at places that move from iteration to iteration."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.graph import Equation, Graph, Var
from ...core.primitive import PRIMITIVES, Primitive
from ...core.values import aval_of
from .table import entries, indexed_shape

__all__ = ["emit", "moving", "swept"]

_ALL = slice(None)


def emit(graph: Graph, name: str | Primitive, *inputs: Any, **params: Any) -> Any:
    """Append an equation to `graph`; return its output, or the list of them."""
    primitive = PRIMITIVES[name] if isinstance(name, str) else name
    avals = primitive.aval(*[x.aval if type(x) is Var else aval_of(x) for x in inputs], **params)
    outputs = [graph.variable(a) for a in (avals if primitive.multiple else (avals,))]
    graph.equations.append(Equation(primitive, list(inputs), params, outputs))
    return outputs if primitive.multiple else outputs[0]


def moving(graph: Graph, eq: Equation, inputs: list[Any], places: list[Any]) -> Any:
    """Append to `graph` what `eq` does to `inputs` if the places in its index are `places`: integers or variables."""
    indices, rest, rank = _indices(graph, eq, places)
    name, shape = eq.primitive.name, eq.outputs[0].shape
    if name == "write":
        return emit(graph, "put", *inputs, *indices, unique=True)
    if name == "unslice":
        return emit(graph, "scatter", *inputs, *indices, shape=eq.params["shape"], unique=True)
    out = emit(graph, "gather", *inputs, *indices, unique=True)
    if any(e != _ALL for e in rest):
        out = emit(graph, "slice", out, index=(_ALL,) * rank + tuple(rest))
    return out if out.shape == shape else emit(graph, "reshape", out, shape=shape)


def _indices(graph: Graph, eq: Equation, places: list[Any]) -> tuple[list[Any], list[Any], int]:
    """Index arrays for the leading axes, the entries of the index behind them, and the rank of the arrays."""
    full, shape = entries(eq), indexed_shape(eq)
    moved = iter(places)
    head: list[tuple[Any, Any, int]] = []
    spots = [next(moved) if e is not None else None for e, _ in full]
    # Writing has no index behind the arrays, so there the arrays go on to the last entry that is not everything.
    through = eq.primitive.name in ("write", "unslice")
    last = max(
        k
        for k, (e, axis) in enumerate(full)
        if type(spots[k]) is Var or (through and not _everything(e, shape[axis]))
    )
    for (e, axis), spot in zip(full[: last + 1], spots, strict=False):
        if e is not None:
            head.append((e, spot, axis))
    rank = sum(type(e) is slice for e, _, _ in head)
    indices: list[Any] = []
    before = 0
    for e, spot, axis in head:
        if type(e) is not slice:
            indices.append(spot if type(spot) is Var else np.int64(spot))
            continue
        start, stop, step = e.indices(shape[axis])
        offsets = np.arange(len(range(start, stop, step)), dtype=np.int64) * step
        offsets = offsets.reshape((-1,) + (1,) * (rank - 1 - before))
        indices.append(emit(graph, "add", spot, offsets) if type(spot) is Var else offsets + spot)
        before += 1
    return indices, [e for e, _ in full[last + 1 :]], rank


def _everything(e: Any, n: int) -> bool:
    return type(e) is slice and e.indices(n) == (0, n, 1)


def swept(graph: Graph, eq: Equation, x: Any, entry: int, first: int, step: int, count: int) -> Any:
    """Append to `graph` the array of what `eq` reads of `x` at ``first + step * i`` of one entry of its index.

    None if the places lie on both sides of zero.
    """
    full = entries(eq)
    n = indexed_shape(eq)[full[entry][1]]
    last = first + step * (count - 1)
    if min(first, last) < 0:
        if max(first, last) >= 0:
            return None
        first, last = first + n, last + n
    stop = last + (1 if step > 0 else -1)
    index = list(eq.params["index"])
    index[entry] = slice(first, stop if stop >= 0 else None, step)
    axis = sum(e is None or type(e) is slice for e in index[:entry])
    out = emit(graph, "slice", x, index=tuple(index))
    if axis:
        order = (axis, *[i for i in range(len(out.shape)) if i != axis])
        out = emit(graph, "transpose", out, axes=order)
    return out
