"""From recorded functions to the primitive `loop`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.buffer import plain_of
from ..core.graph import Graph
from ..core.primitive import bind
from ..core.values import Aval, aval_of
from .loops.loop import loop_p
from .programs.bodies import Body

__all__ = ["INDEX", "bind_steps"]

INDEX = Aval((), np.dtype(np.int64))
"""Of the number of the step, which the program of a loop is given first."""


def bind_steps(
    body: Body,
    carries: Sequence[Any],
    sequences: Sequence[Any],
    checkpoint: Any,
    *,
    length: int | None,
    reverse: bool = False,
    cond: Body | None = None,
) -> Sequence[Any]:
    """Bind the loop of the recorded functions; return the last carries and the stacked results.

    The functions take the number of the step and the carries, the body one element of each sequence besides.
    """
    constants = list(body.captured)
    asked: list[int] = []
    if cond is not None:
        for x, handle in zip(cond.captured, cond.handles, strict=True):
            asked.append(_find(body.handles, handle))
            if asked[-1] < 0:
                asked[-1] = len(constants)
                constants.append(x)
    params: dict[str, Any] = {
        "body": _ordered(body, range(len(body.captured)), constants),
        "constants": len(constants),
        "carries": len(carries),
        "length": length,
        "reverse": reverse,
    }
    if cond is not None:
        params["cond"] = _ordered(cond, asked, constants)
    if checkpoint is not None:
        params["checkpoint"] = checkpoint
    return bind(loop_p, [*constants, *[plain_of(x) for x in (*carries, *sequences)]], params)


def _find(handles: Sequence[tuple[Any, int]], wanted: tuple[Any, int]) -> int:
    """The place of a handle in the same version, -1 if it is not there."""
    return next((i for i, (x, version) in enumerate(handles) if x is wanted[0] and version == wanted[1]), -1)


def _ordered(recorded: Body, places: Sequence[int], constants: Sequence[Any]) -> Graph:
    """The program with all constants behind the number of the step; its captured values are at the given places."""
    graph = recorded.graph
    own = len(graph.inputs) - len(places)
    captured = dict(zip(places, graph.inputs[own:], strict=True))
    given = [
        captured[i] if i in captured else graph.variable(aval_of(x)._replace(weak=False))
        for i, x in enumerate(constants)
    ]
    graph.inputs = [graph.inputs[0], *given, *graph.inputs[1:own]]
    return graph
