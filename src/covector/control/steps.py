"""From recorded functions to the primitive `loop`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.buffer import plain_of
from ..core.graph import Graph
from ..core.primitive import bind
from ..core.values import Aval, aval_of
from .bodies import Body
from .loop import loop_p

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
    asked = [] if cond is None else cond.captured
    params: dict[str, Any] = {
        "body": _ordered(body, len(carries), [], asked),
        "constants": len(body.captured) + len(asked),
        "carries": len(carries),
        "length": length,
        "reverse": reverse,
    }
    if cond is not None:
        params["cond"] = _ordered(cond, len(carries), body.captured, [])
    if checkpoint is not None:
        params["checkpoint"] = checkpoint
    return bind(loop_p, [*body.captured, *asked, *[plain_of(x) for x in (*carries, *sequences)]], params)


def _ordered(recorded: Body, carries: int, before: Sequence[Any], after: Sequence[Any]) -> Graph:
    """The program with its captured values behind the number of the step, among those that it does not use."""
    graph = recorded.graph
    own = len(graph.inputs) - len(recorded.captured)
    given, captured = graph.inputs[1:own], graph.inputs[own:]
    unused = [[graph.variable(aval_of(x)._replace(weak=False)) for x in values] for values in (before, after)]
    graph.inputs = [graph.inputs[0], *unused[0], *captured, *unused[1], *given]
    return graph
