"""Loops for the tests of the primitive `loop`: each as one operation, and as a Python loop over the same function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import covector
from covector.control.carries import fresh
from covector.control.loops.loop import Operands, bind_loop
from covector.core.graph import Graph, record
from covector.core.values import Aval, aval_of

INDEX = Aval((), np.dtype(np.int64))


@dataclass(frozen=True)
class Example:
    """A loop.

    Attributes
    ----------
    body : callable
        ``body(index, *constants, *carries, *elements) -> [*carries, *elements]``.
    args : tuple
        Count if counted, constants, initial carries, sequences.
    constants, carries : int
        How many there are.
    length : int or None
        As the parameter of the loop.
    cond : callable, optional
        ``cond(index, *constants, *carries) -> bool``.
    """

    name: str
    body: Callable[..., Sequence[Any]]
    args: tuple[Any, ...]
    constants: int
    carries: int
    length: int | None = None
    reverse: bool = False
    cond: Callable[..., Any] | None = None
    counted: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "args", tuple([np.asarray(x)[()] for x in self.args]))

    def __repr__(self) -> str:
        return self.name

    @property
    def params(self) -> dict[str, Any]:
        return {"constants": self.constants, "carries": self.carries, "counted": self.counted}

    def graphs(self) -> tuple[Graph, Graph | None]:
        """The programs of body and condition."""
        operands = Operands.of(self.args, self.params)
        avals = [INDEX, *[_strong(x) for x in operands.constants + operands.carries]]
        cond = self.cond
        elements = [Aval(a.shape[1:], a.dtype) for a in map(_strong, operands.sequences)]
        body = record(lambda *xs: list(self.body(*xs)), avals + elements, "loop")
        return body, None if cond is None else record(lambda *xs: [cond(*xs)], avals, "loop")

    def loop(self, *args: Any) -> tuple[Any, ...]:
        """The loop as one operation."""
        body, cond = self.graphs()
        return bind_loop(Operands.of(args, self.params), body, length=self.length, reverse=self.reverse, cond=cond)

    def plain(self, *args: Any) -> tuple[Any, ...]:
        """The loop as Python."""
        count, constants, state, sequences = Operands.of(args, self.params)
        rows: list[list[Any]] = []
        indices: Any = range(10**6)
        if self.cond is None:
            n = int(count[0]) if count else self.length
            indices = range(n if self.length is None else min(n, self.length))
        for i in reversed(indices) if self.reverse else indices:
            if self.cond is not None and not self.cond(np.int64(i), *constants, *state):
                break
            out = list(self.body(np.int64(i), *constants, *map(fresh, state), *[s[i] for s in sequences]))
            state = out[: self.carries]
            rows.append(out[self.carries :])
        if not rows:
            body, _ = self.graphs()
            empty = [np.zeros((0, *x.aval.shape), x.aval.dtype) for x in body.outputs[self.carries :]]
            return (*state, *empty)
        return (*state, *[np.stack(ys[::-1] if self.reverse else ys) for ys in zip(*rows, strict=True)])

    @property
    def places(self) -> tuple[int, ...]:
        """The arguments that have a derivative."""
        return tuple(i for i, x in enumerate(self.args) if _strong(x).dtype.kind in "fc")

    def of_places(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        """`fun` as a function of those arguments, with those results that have a derivative."""

        def partial(*xs: Any) -> list[Any]:
            full = list(self.args)
            for i, x in zip(self.places, xs, strict=True):
                full[i] = x
            return [y for y in fun(*full) if np.dtype(y.dtype).kind in "fc"]

        return partial

    @property
    def point(self) -> list[Any]:
        """The arguments that have a derivative."""
        return [self.args[i] for i in self.places]


def _strong(x: Any) -> Aval:
    return aval_of(x)._replace(weak=False)


def draw(*shape: int, seed: int = 0, dtype: Any = float) -> Any:
    """Random numbers."""
    rng = np.random.default_rng([seed, *shape])
    x = rng.standard_normal(shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.standard_normal(shape)
    return x.astype(dtype)[()]


def _sine(i: Any, a: Any, c: Any, x: Any) -> list[Any]:
    return [np.sin(a * c) + x, c * x]


def _turn(i: Any, a: Any, p: Any, q: Any, k: Any, x: Any) -> list[Any]:
    return [q, np.tanh(a * p) + k * x, k + 2, p + q * x]


def _rnn(i: Any, w: Any, h: Any, x: Any) -> list[Any]:
    h = np.tanh(w @ h + x)
    return [h, h]


def _fill(i: Any, w: Any, x: Any, b: Any) -> list[Any]:
    b[i + 1] = np.sin(w * b[i]) + np.take(x, i)
    b[0] += b[i + 1] * 0.1
    return [b]


def _pick(i: Any, x: Any, c: Any, k: Any) -> list[Any]:
    return [np.tanh(c * np.take(x, k, axis=0)), c]


def _grow(i: Any, a: Any, c: Any, n: Any) -> list[Any]:
    return [c * a + 0.1 * np.sin(c), n + 1]


def _below(i: Any, a: Any, c: Any, n: Any) -> Any:
    return c < 9.0


def _power(i: Any, a: Any, c: Any) -> list[Any]:
    return [c * a + 0.01 * i]


def _newton(i: Any, a: Any, x: Any) -> list[Any]:
    return [0.5 * (x + a / x)]


def _not_root(i: Any, a: Any, x: Any) -> Any:
    return np.abs(x * x - a) > 1e-9


def _inner_scan(i: Any, w: Any, xs: Any, c: Any) -> list[Any]:
    return [covector.scan(lambda c, x: (np.sin(w * c + x * i), c * x), c, xs)[0]]


def _inner_while(i: Any, w: Any, c: Any, x: Any) -> list[Any]:
    y = covector.while_loop(lambda y: y < 4.0, lambda y: y * w + 0.3, np.square(x))
    return [np.cos(c * y), y]


def _inner_count(i: Any, w: Any, c: Any, n: Any) -> list[Any]:
    return [covector.fori_loop(0, n, lambda k, c: np.sin(w * c) + k, c), c]


EXAMPLES = [
    Example("scan", _sine, (0.7, 0.4, draw(5)), 1, 1, 5),
    Example("scan reversed", _sine, (0.7, 0.4, draw(5)), 1, 1, 5, reverse=True),
    Example("no iteration", _sine, (0.7, 0.4, draw(0)), 1, 1, 0),
    Example("one iteration", _sine, (0.7, 0.4, draw(1)), 1, 1, 1),
    Example("float32", _sine, tuple(draw(*s, dtype=np.float32) for s in [(), (), (4,)]), 1, 1, 4),
    Example("complex", _sine, tuple(0.3 * draw(*s, dtype=complex) for s in [(), (2,), (3, 2)]), 1, 1, 3),
    Example("no carries", lambda i, a, x: [a * np.exp(x)], (0.3, draw(4, 2)), 1, 0, 4),
    Example("nothing but the index", lambda i, c: [np.sin(c) + i], (0.3,), 0, 1, 4),
    Example("carries that change places", _turn, (0.4, 0.2, -0.3, np.int64(1), draw(4)), 1, 3, 4, reverse=True),
    Example("matrix", _rnn, (draw(3, 3), draw(3), draw(4, 3)), 1, 1, 4),
    Example("carry as it was", lambda i, c, x: [c, c * x], (0.3, draw(4)), 0, 1, 4),
    Example("carry replaced", lambda i, c, x: [x * x, c * x], (0.3, draw(4)), 0, 1, 4),
    Example("array written to", _fill, (0.8, draw(4), draw(5)), 2, 1, 4),
    Example("constant read by index", _pick, (draw(6, 2), draw(2), np.array([4, 0, 4, 5])), 1, 1, 4),
    Example("counted", _power, (np.int64(3), 0.9, 0.4), 1, 1, None, counted=True),
    Example("counted and bounded", _sine, (np.int64(4), 0.9, 0.4, draw(4)), 1, 1, 4, counted=True, reverse=True),
    Example("counted, none", _power, (np.int64(0), 0.9, 0.4), 1, 1, None, counted=True),
    Example("while", _grow, (1.4, 0.5, np.int64(0)), 1, 2, None, cond=_below),
    Example("while, none", _grow, (1.4, 10.5, np.int64(0)), 1, 2, None, cond=_below),
    Example("while, many", _power, (1.0005, 1.0), 1, 1, None, cond=lambda i, a, c: c < 2.0),
    Example("newton", _newton, (3.0, 1.0), 1, 1, None, cond=_not_root),
    Example("scan in loop", _inner_scan, (0.6, draw(3), 0.2), 2, 1, 4),
    Example("while in loop", _inner_while, (1.5, 0.4, draw(4)), 1, 1, 4),
    Example("count in loop", _inner_count, (1.5, 0.4, np.array([2, 0, 3])), 1, 1, 3),
    Example("scan in while", _inner_scan, (0.6, draw(3), 0.2), 2, 1, None, cond=lambda i, w, xs, c: i < 3),
]
