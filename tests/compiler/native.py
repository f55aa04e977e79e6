"""Loops and branches bound by hand, and compiled programs against their interpretation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from covector.compiler.backend import executable
from covector.control.branches.branch import branch_p
from covector.control.loops.loop import loop_p
from covector.core.graph import Graph, record
from covector.core.values import Aval

__all__ = ["INDEX", "SIZES", "aval", "branch", "check", "draw", "loop", "program"]

INDEX = Aval((), np.dtype(np.int64))
SIZES = [1, 3, 70, 2000]
"""A number of elements that is kept in registers, and so on up to one that is not."""


def aval(*shape: int, dtype: Any = float) -> Aval:
    return Aval(shape, np.dtype(dtype))


def avals_of(xs: Sequence[Any]) -> list[Aval]:
    return [Aval(np.shape(x), x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype) for x in xs]


def program(function: Callable[..., Any], *args: Any) -> Graph:
    return record(function, avals_of(args), "test")


def loop(
    step: Callable[..., Any],
    constants: Sequence[Any],
    carries: Sequence[Any],
    sequences: Sequence[Any] = (),
    *,
    count: Any = None,
    cond: Callable[..., Any] | None = None,
    length: int | None = None,
    reverse: bool = False,
    tag: int | None = None,
) -> Any:
    """Bind a loop with the body ``step(index, constants…, carries…, elements…)``."""
    fixed = [*avals_of(constants), *avals_of(carries)]
    elements = [Aval(a.shape[1:], a.dtype) for a in avals_of(sequences)]
    params: dict[str, Any] = {"body": record(step, [INDEX, *fixed, *elements], "loop")}
    if cond is not None:
        params["cond"] = record(lambda *xs: (cond(*xs),), [INDEX, *fixed], "loop")
    if count is not None:
        params["counted"] = True
    if tag is not None:
        params["tag"] = tag
    first = [] if count is None else [count]
    params |= {"constants": len(constants), "carries": len(carries), "length": length, "reverse": reverse}
    return loop_p(*first, *constants, *carries, *sequences, **params)


def branch(index: Any, operands: Sequence[Any], *functions: Callable[..., Any]) -> Any:
    graphs = tuple([record(f, avals_of(operands), "branch") for f in functions])
    return branch_p(index, *operands, branches=graphs, how="auto")


def check(graph: Graph, *args: Any, rows: int | None = None, tolerance: float = 1e-13) -> list[Any]:
    """Compare the compiled program with its interpretation; of stacks the first `rows`."""
    copies = [np.array(a) for a in args]
    with np.errstate(all="ignore"):
        want = graph.run(*[np.array(a) for a in args])
    run = executable(graph)
    for _ in range(2):
        got = run(*copies)
        for a, b in zip(copies, args, strict=True):
            np.testing.assert_array_equal(a, b)
        for x, y in zip(got, want, strict=True):
            assert x.dtype == np.asarray(y).dtype
            assert x.shape == np.shape(y)
            if rows is not None and x.ndim > 1:
                x, y = x[:rows], y[:rows]
            np.testing.assert_allclose(x, y, tolerance, tolerance)
    return got


def draw(*shape: int, key: int = 0) -> Any:
    return np.random.default_rng([key, *shape]).uniform(-1.0, 1.0, shape)
