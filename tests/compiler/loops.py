"""Programs with Python loops, which leave repeated blocks of equations behind; `steps` is how often they loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import covector

__all__ = ["LOOPS", "Case", "transformed"]


class Case(NamedTuple):
    """A function made for a number of steps, and arguments for it."""

    make: Callable[[int], Callable[..., Any]]
    args: Callable[[int], tuple[Any, ...]]


def _draw(*shape: int, key: int = 0) -> Any:
    return np.random.default_rng([key, *shape]).uniform(-1.0, 1.0, shape)


def logistic(steps: int) -> Callable[..., Any]:
    """The logistic map: a scalar."""

    def f(x: Any) -> Any:
        for _ in range(steps):
            x = 3.7 * x * (1 - x)
        return x

    return f


def _runge_kutta(rate: Callable[[Any], Any], y: Any, steps: int) -> Any:
    h = 2.0 / steps
    for _ in range(steps):
        k1 = rate(y)
        k2 = rate(y + h / 2 * k1)
        k3 = rate(y + h / 2 * k2)
        k4 = rate(y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y


def cascade(steps: int) -> Callable[..., Any]:
    """A cascade of ordinary differential equations, the shifted state made by concatenation."""

    def f(x: Any) -> Any:
        rate = lambda y: x * np.concatenate([np.ones(1), y[:-1]])
        return np.sum(_runge_kutta(rate, np.zeros(len(x)), steps))

    return f


def cascade_in_place(steps: int) -> Callable[..., Any]:
    """The same with the rates written in place."""

    def f(x: Any) -> Any:
        def rate(y: Any) -> Any:
            d = np.empty_like(x)
            d[0] = x[0]
            d[1:] = x[1:] * y[:-1]
            return d

        return np.sum(_runge_kutta(rate, np.zeros_like(x), steps))

    return f


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def lstm(steps: int) -> Callable[..., Any]:
    """Two layers of elementwise LSTM cells over a constant sequence."""
    sequence = _draw(steps + 1, 14, key=7)

    def f(w: Any, b: Any, h: Any, c: Any, e: Any) -> Any:
        h, c = list(h), list(c)
        total = 0.0
        for t in range(steps):
            x = sequence[t] * e[0]
            for k in range(2):
                forget = _sigmoid(x * w[k][0] + b[k][0])
                given = _sigmoid(h[k] * w[k][1] + b[k][1])
                out = _sigmoid(x * w[k][2] + b[k][2])
                change = np.tanh(h[k] * w[k][3] + b[k][3])
                c[k] = c[k] * forget + given * change
                x = h[k] = out * np.tanh(c[k])
            y = x * e[1] + e[2]
            y = y - np.log(2 + np.sum(np.exp(y)))
            total = total + np.sum(sequence[t + 1] * y)
        return -total / (14 * steps)

    return f


def recurrence(steps: int) -> Callable[..., Any]:
    """Each element of an array computed from the one before."""

    def f(first: Any) -> Any:
        x = np.zeros_like(first, shape=steps + 1)
        x[0] = first
        for i in range(1, steps + 1):
            x[i] = np.sin(x[i - 1]) + 0.1 * i
        return np.sum(x)

    return f


def heat(steps: int) -> Callable[..., Any]:
    """The heat equation with explicit steps, in place."""

    def f(u: Any, conductivity: Any) -> Any:
        u = u.copy()
        k = conductivity[1:-1, 1:-1]
        for _ in range(steps):
            around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
            u[1:-1, 1:-1] += 0.1 * k * (around - 4 * u[1:-1, 1:-1])
        return np.sum(u**2)

    return f


def neighbours(steps: int) -> Callable[..., Any]:
    """A sum over elements and those before them, the first of which is the last."""

    def f(x: Any) -> Any:
        total = 0.0
        for i in range(steps):
            total = total + np.sin(x[i]) * x[i - 1]
        return total

    return f


def recurrent(steps: int) -> Callable[..., Any]:
    """A recurrent network over an argument, its states collected."""

    def f(w: Any, xs: Any, h: Any) -> Any:
        states = []
        for t in range(steps):
            h = np.tanh(w @ h + xs[t])
            states.append(h)
        return np.sum(np.stack(states) ** 2)

    return f


def two_back(steps: int) -> Callable[..., Any]:
    """Values that depend on the last two."""

    def f(a: Any, b: Any) -> Any:
        x = [a, b]
        for t in range(steps):
            x.append(np.sin(x[t + 1]) * 0.9 + 0.1 * x[t])
        return x[-1] * x[3]

    return f


def single_precision(steps: int) -> Callable[..., Any]:
    """Python numbers that differ from step to step and must not widen the arrays."""

    def f(x: Any) -> Any:
        x = x.astype(np.float32)
        for t in range(steps):
            x = np.sin(x) * 0.001 * t + np.where(x > 0.001 * t, x, 0.25) * 0.5
        return np.sum(x)

    return f


def nested(steps: int) -> Callable[..., Any]:
    """A loop in a loop."""

    def f(x: Any) -> Any:
        for _ in range(steps // 2):
            y = x
            for j in range(steps):
                y = np.sin(y) * x * 0.5 + 0.01 * j
            x = 0.5 * x + y
        return np.sum(x)

    return f


def permuted(steps: int) -> Callable[..., Any]:
    """Elements read in an order that follows no rule."""
    order = np.random.default_rng(1).permutation(steps)

    def f(x: Any) -> Any:
        total = 0.0
        for t in range(steps):
            total = np.sin(total + x[order[t]]) * x[order[t - 1]]
        return total

    return f


def columns(steps: int) -> Callable[..., Any]:
    """Columns read and written."""

    def f(x: Any) -> Any:
        state, out = np.zeros(3), np.zeros_like(x)
        for t in range(steps):
            state = np.sin(state + x[:, t])
            out[:, t] = state * x[:, t - 1]
        return np.sum(out * x)

    return f


def windows(steps: int) -> Callable[..., Any]:
    """Overlapping windows."""

    def f(x: Any) -> Any:
        total = 0.0
        for t in range(steps):
            total = total * 0.5 + np.sum(np.sin(x[t : t + 5]) * total) + x[t]
        return total

    return f


def backwards(steps: int) -> Callable[..., Any]:
    """A loop that counts down."""

    def f(xs: Any, h: Any) -> Any:
        for t in reversed(range(steps)):
            h = np.tanh(h * xs[t]) + xs[t, 0]
        return np.sum(h)

    return f


def complex_map(steps: int) -> Callable[..., Any]:
    """A complex iteration with a constant that differs from step to step."""

    def f(x: Any, y: Any) -> Any:
        z = x + 1j * y
        for t in range(steps):
            z = z * z * 0.3 + np.exp(0.1j * t) * 0.5
        return np.sum(np.abs(z) ** 2)

    return f


def descent(steps: int) -> Callable[..., Any]:
    """Gradient descent with momentum: a derivative in every step."""

    def f(rows: Any, w: Any) -> Any:
        velocity = np.zeros(len(w))
        for t in range(steps):
            slope = covector.grad(lambda w, t=t: (rows[t] @ w - 1.0) ** 2)(w)
            velocity = 0.9 * velocity + slope / (1 - 0.9 ** (t + 1))
            w = w - 0.01 * velocity
        return np.sum(w)

    return f


LOOPS: dict[str, Case] = {
    "logistic": Case(logistic, lambda s: (0.3,)),
    "cascade": Case(cascade, lambda s: (_draw(50),)),
    "cascade_in_place": Case(cascade_in_place, lambda s: (_draw(50),)),
    "lstm": Case(lstm, lambda s: (_draw(2, 4, 14), _draw(2, 4, 14, key=1), _draw(2, 14), _draw(2, 14), _draw(3, 14))),
    "recurrence": Case(recurrence, lambda s: (0.3,)),
    "heat": Case(heat, lambda s: (_draw(8, 9), _draw(8, 9, key=1))),
    "neighbours": Case(neighbours, lambda s: (_draw(s),)),
    "recurrent": Case(recurrent, lambda s: (_draw(5, 5), _draw(s, 5), _draw(5))),
    "two_back": Case(two_back, lambda s: (0.3, 0.4)),
    "single_precision": Case(single_precision, lambda s: (_draw(3),)),
    "nested": Case(nested, lambda s: (_draw(4),)),
    "permuted": Case(permuted, lambda s: (_draw(s),)),
    "columns": Case(columns, lambda s: (_draw(3, s),)),
    "windows": Case(windows, lambda s: (_draw(s + 4),)),
    "backwards": Case(backwards, lambda s: (_draw(s, 3), _draw(3))),
    "complex_map": Case(complex_map, lambda s: (_draw(3), _draw(3, key=1))),
    "descent": Case(descent, lambda s: (_draw(s, 4), _draw(4))),
}


def _leaves(tree: Any) -> list[Any]:
    return [x for part in tree for x in _leaves(part)] if isinstance(tree, tuple | list) else [tree]


def transformed(mode: str, f: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return a transform of `f`, with respect to all arguments, and arguments for it."""
    gradient = covector.grad(f, argnums=tuple(range(len(args))))
    if mode == "value":
        return f, args
    if mode == "grad":
        return gradient, args
    if mode == "jvp":
        tangents = tuple(np.ones_like(x) if np.ndim(x) else 1.0 for x in args)
        return lambda *xs: covector.jvp(f, xs[: len(args)], xs[len(args) :]), args + tangents
    if mode == "vmap of grad":
        return covector.vmap(gradient), tuple(np.stack([x, x * 0.5]) for x in args)
    squares = lambda *xs: sum((np.sum(y * y) for y in _leaves(gradient(*xs))), 0.0)
    return covector.grad(squares, argnums=tuple(range(len(args)))), args
