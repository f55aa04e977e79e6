"""Reading and writing at places that move from iteration to iteration."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ....core.graph import Equation, Graph, Var
from ....core.primitive import PRIMITIVES, Primitive
from ....core.values import aval_of
from .table import entries, indexed_shape

__all__ = ["Spot", "emit", "moving", "swept"]

_ALL = slice(None)


def emit(graph: Graph, name: str | Primitive, *inputs: Any, **params: Any) -> Any:
    """Append an equation to `graph`; return its output, or the list of them."""
    primitive = PRIMITIVES[name] if isinstance(name, str) else name
    avals = primitive.aval(*[x.aval if type(x) is Var else aval_of(x) for x in inputs], **params)
    outputs = [graph.variable(a) for a in (avals if primitive.multiple else (avals,))]
    graph.equations.append(Equation(primitive, list(inputs), params, outputs))
    return outputs if primitive.multiple else outputs[0]


class Spot(NamedTuple):
    """A place that moves: ``var + offset``."""

    var: Var
    offset: int


def moving(graph: Graph, eq: Equation, inputs: list[Any], places: list[Any]) -> Any:
    """Append to `graph` what `eq` does to `inputs` if the places in its index are `places`: integers or spots."""
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
    spots: list[Any] = [next(moved) if e is not None else None for e, _ in full]
    # Writing has no index behind the arrays, so there the arrays go on to the last entry that is not everything.
    through = eq.primitive.name in ("write", "unslice")
    last = max(
        k for k, (e, axis) in enumerate(full) if type(spots[k]) is Spot or (through and not _everything(e, shape[axis]))
    )
    head = [(e, spot, axis) for (e, axis), spot in zip(full[: last + 1], spots, strict=False) if e is not None]
    rank = sum(type(e) is slice for e, _, _ in head)
    indices: list[Any] = []
    before = 0
    for e, spot, axis in head:
        offsets: Any = np.int64(0)
        if type(e) is slice:
            start, stop, step = e.indices(shape[axis])
            offsets = np.arange(len(range(start, stop, step)), dtype=np.int64) * step
            offsets = offsets.reshape((-1,) + (1,) * (rank - 1 - before))
            before += 1
        if type(spot) is not Spot:
            indices.append(offsets + np.int64(spot))
        elif type(e) is not slice and not spot.offset:
            indices.append(spot.var)
        else:
            indices.append(emit(graph, "add", spot.var, offsets + np.int64(spot.offset)))
    return indices, [e for e, _ in full[last + 1 :]], rank


def _everything(e: Any, n: int) -> bool:
    return type(e) is slice and e.indices(n) == (0, n, 1)


def swept(graph: Graph, eq: Equation, x: Any, entry: int, first: int, step: int, count: int) -> Any:
    """Append to `graph` the array of what `eq` reads of `x` at ``first + step * i`` of one entry of its index.

    None where that is not a regular part of `x`.
    """
    index, (e, axis) = list(eq.params["index"]), entries(eq)[entry]
    n = indexed_shape(eq)[axis]
    before = sum(other is None or type(other) is slice for other in index[:entry])
    if type(e) is slice:
        length = eq.outputs[0].shape[before]
        start = min(first, first + step * (count - 1))
        if e.indices(n)[2] != 1 or abs(step) < length:
            return None
        # Windows as the beginnings, or if there is nothing behind the last one the ends, of rows of one matrix.
        lead = 0 if start + abs(step) * count <= n else abs(step) - length
        if start < lead:
            return None
        index[entry] = slice(start - lead, start - lead + abs(step) * count)
        out = emit(graph, "slice", x, index=tuple(index))
        shape = out.shape
        out = emit(graph, "reshape", out, shape=(*shape[:before], count, abs(step), *shape[before + 1 :]))
        order = slice(None, None, -1) if step < 0 else _ALL
        if length < abs(step) or step < 0:
            out = emit(graph, "slice", out, index=(*[_ALL] * before, order, slice(lead, lead + length)))
    else:
        last = first + step * (count - 1)
        if min(first, last) < 0:
            if max(first, last) >= 0:
                return None
            first, last = first + n, last + n
        stop = last + (1 if step > 0 else -1)
        index[entry] = slice(first, stop if stop >= 0 else None, step)
        out = emit(graph, "slice", x, index=tuple(index))
    if before:
        out = emit(graph, "transpose", out, axes=(before, *[i for i in range(len(out.shape)) if i != before]))
    return out
