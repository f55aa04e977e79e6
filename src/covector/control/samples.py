"""Samples of loops and branches for the generic tests: small programs of every kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..core.graph import Graph, record
from ..core.primitive import Sample
from ..core.values import Aval, aval_of
from ..ops.samples import draw

__all__ = ["branch_samples", "loop_samples"]

_INDEX = Aval((), np.dtype(np.int64))


def _program(function: Callable[..., Sequence[Any]], *given: Any) -> Graph:
    """Record ``function(index, *arrays)`` for arrays like those given."""
    return record(function, [_INDEX, *[aval_of(x)._replace(weak=False) for x in given]], "loop")


def _loop(
    label: str,
    body: Callable[..., Sequence[Any]],
    constants: Sequence[partial[Any]] = (),
    carries: Sequence[partial[Any]] = (),
    sequences: Sequence[partial[Any]] = (),
    *,
    length: int | None,
    count: int | None = None,
    cond: Callable[..., Any] | None = None,
    reverse: bool = False,
) -> Sample:
    def params() -> dict[str, Any]:
        fixed, state = [x() for x in constants], [x() for x in carries]
        elements = [x()[0] if x().shape[0] else np.zeros(x().shape[1:], x().dtype) for x in sequences]
        found = {
            "body": _program(body, *fixed, *state, *elements),
            "constants": len(constants),
            "carries": len(carries),
            "length": length,
            "reverse": reverse,
        }
        if cond is not None:
            found["cond"] = _program(lambda *xs: [cond(*xs)], *fixed, *state)
        if count is not None:
            found["counted"] = True
        return found

    first = [] if count is None else [np.int64(count)]
    return Sample((*first, *constants, *carries, *sequences), params, label)


def _recurrence(i: Any, w: Any, c: Any, x: Any) -> list[Any]:
    c = np.sin(c) * w + x
    return [c, c * x]


def _written(i: Any, w: Any, c: Any) -> list[Any]:
    c[i + 1] = np.sin(c[i]) * w[i]
    return [c]


def loop_samples() -> list[Sample]:
    """Counted and conditional loops with constants, carries, sequences and stacks, or without them."""
    w, c, xs = draw((3,), key="w"), draw((3,), key="c"), draw((4, 3), key="xs")
    long = draw((4,), key="long")
    single = [draw((2,), np.float32, key="w"), draw((2,), np.float32, key="c"), draw((3, 2), np.float32, key="xs")]
    double = [draw((), complex, key="w"), draw((), complex, key="c"), draw((3,), complex, key="xs")]
    number, numbers = draw((), key="number"), draw((3,), key="numbers")
    return [
        _loop("recurrence", _recurrence, [w], [c], [xs], length=4),
        _loop("reversed", _recurrence, [w], [c], [xs], length=4, reverse=True),
        _loop("one iteration", _recurrence, [w], [c], [draw((1, 3), key="one")], length=1),
        _loop("no iteration", _recurrence, [w], [c], [draw((0, 3))], length=0),
        _loop("float32", _recurrence, single[:1], single[1:2], single[2:], length=3),
        _loop("complex", _recurrence, double[:1], double[1:2], double[2:], length=3),
        _loop("numbers", _recurrence, [number], [number], [numbers], length=3),
        _loop("no carries", lambda i, a, x: [np.exp(a) * x], [number], [], [numbers], length=3),
        _loop("no stacks", lambda i, a, b: [a * np.tanh(b)], [w], [c], length=3),
        _loop("two carries", lambda i, a, b: [b, np.sin(a) * b], [], [number, draw((), key="b")], length=4),
        _loop(
            "integer carry",
            lambda i, a, n, b: [n + 2, a * b / n],
            [number],
            [partial(np.int64, 1), draw((), key="b")],
            length=3,
        ),
        _loop("indexed constant", lambda i, a, b: [b * a[i] + i], [long], [number], length=4),
        _loop("written in place", _written, [long], [long], length=3),
        _loop("empty arrays", _recurrence, [draw((0,))], [draw((0,))], [draw((2, 0))], length=2),
        _loop("counted", lambda i, a, b, x: [np.sin(b) * a + x], [number], [number], [numbers], length=3, count=2),
        _loop("not counted on", lambda i, a, b: [np.sin(b) * a], [number], [number], length=3, count=0),
        _loop(
            "conditional",
            lambda i, a, b: [b * 0.7 + np.sin(a) * 0.01],
            [number],
            [draw((3,), low=2.0, high=4.0, key="while")],
            length=None,
            cond=lambda i, a, b: np.sum(b) > 2.0 + 0.01 * a,
        ),
        _loop("never true", lambda i, b: [b * b], [], [w], length=None, cond=lambda i, b: i < 0),
        _loop("up to a number", lambda i, b: [np.cos(b) + i], [], [w], length=None, cond=lambda i, b: i < 3),
    ]


def _branch(
    label: str, index: int, branches: Sequence[Callable[..., Sequence[Any]]], *operands: partial[Any]
) -> Sample:
    def params() -> dict[str, Any]:
        avals = [aval_of(x())._replace(weak=False) for x in operands]
        return {"branches": tuple([record(f, avals, "cond") for f in branches]), "how": "auto"}

    return Sample((np.int64(index), *operands), params, label)


def branch_samples() -> list[Sample]:
    """Branches that use all of the operands, some, or none."""
    a, b = draw((3,), key="a"), draw((), key="b")
    three = [lambda x, y: [np.sin(x) * y], lambda x, y: [x * x], lambda x, y: [np.ones(3)]]
    two = [lambda x, y: [x, np.int64(3), np.exp(y)], lambda x, y: [x * y, np.int64(4), y]]
    single = [lambda x: [x * x], lambda x: [np.cos(x)]]
    return [
        *[_branch(f"branch {k}", k, three, a, b) for k in range(3)],
        _branch("beyond the last", 7, three, a, b),
        _branch("before the first", -2, three, a, b),
        *[_branch(f"several results {k}", k, two, a, b) for k in range(2)],
        _branch("float32", 0, single, draw((2,), np.float32)),
        _branch("complex", 1, single, draw((2,), complex)),
        _branch("empty", 1, single, draw((0,))),
    ]
