"""Derivatives of code that fills arrays in place: the time must grow with the work, not with work times array size."""

from __future__ import annotations

import importlib.util
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .report import duration, processor
from .timing import Timing, interleave

_FLAT = 2.0  # how much more a step may take in the largest problem (caches, garbage collection) than in the smallest
_AUTOGRAD = 1.5  # how many times autograd's time a recurrence in a buffer may take
_COMPARED = 10_000  # the number of steps at which it is compared; more take autograd long

Function = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """A function that writes in place, at several sizes.

    Attributes
    ----------
    name
        What it shows.
    sizes
        Steps (or writes) per run; the time per step must not depend on them.
    make
        Number of steps to (function of one array or scalar that returns a scalar, argument).
    lists
        The same for autograd: nothing is written to, values are collected in lists. None where that has no counterpart.
    """

    name: str
    sizes: tuple[int, ...]
    make: Callable[[int], tuple[Function, Any]]
    lists: Callable[[Any, int], Function] | None = None


# --- recurrences ------------------------------------------------------------------------------------------------------


def _scalar(steps: int) -> tuple[Function, Any]:
    def f(a: Any) -> Any:
        y = np.zeros(steps, like=a)
        y[0] = 0.3
        for i in range(1, steps):
            y[i] = a * y[i - 1] * (1.0 - y[i - 1])
        return np.sum(y)

    return f, np.array(2.7)


def _scalar_lists(anp: Any, steps: int) -> Function:
    def f(a: Any) -> Any:
        ys = [0.3]
        for _ in range(1, steps):
            ys.append(a * ys[-1] * (1.0 - ys[-1]))
        return anp.sum(anp.array(ys))

    return f


def _driven(steps: int) -> tuple[Function, Any]:
    def f(x: Any) -> Any:
        y = np.empty_like(x)
        y[0] = x[0]
        for i in range(1, steps):
            y[i] = 0.9 * y[i - 1] * (1.0 - y[i - 1]) + x[i]
        return np.sum(y)

    return f, np.random.default_rng(0).uniform(0.1, 0.4, steps)


def _driven_lists(anp: Any, steps: int) -> Function:
    def f(x: Any) -> Any:
        ys = [x[0]]
        for i in range(1, steps):
            ys.append(0.9 * ys[-1] * (1.0 - ys[-1]) + x[i])
        return anp.sum(anp.array(ys))

    return f


def _rows(steps: int) -> tuple[Function, Any]:
    def f(x: Any) -> Any:
        a = np.zeros((steps, 16), like=x)
        a[0] = x
        for i in range(steps - 1):
            a[i + 1] = a[i] * 0.9 + x * a[i, ::-1]
        return np.sum(a)

    return f, np.random.default_rng(0).uniform(0.0, 0.05, 16)


def _rows_lists(anp: Any, steps: int) -> Function:
    def f(x: Any) -> Any:
        rows = [x]
        for _ in range(steps - 1):
            rows.append(rows[-1] * 0.9 + x * rows[-1][::-1])
        return anp.sum(anp.array(rows))

    return f


def _through_a_view(steps: int) -> tuple[Function, Any]:
    """The buffer is two-dimensional; what is written to is its flat view."""

    def f(a: Any) -> Any:
        y = np.zeros((steps // 10, 10), like=a)
        flat = y.ravel()
        flat[0] = 0.3
        for i in range(1, steps):
            flat[i] = a * flat[i - 1] * (1.0 - flat[i - 1])
        return np.sum(y)

    return f, np.array(2.7)


def _accumulated(steps: int) -> tuple[Function, Any]:
    """``y[j] += …`` at repeated places."""

    def f(a: Any) -> Any:
        y = np.zeros(steps, like=a)
        for i in range(steps):
            y[i * 7 % steps] += a * 0.5
        return np.sum(y * y)

    return f, np.array(0.7)


CASES = (
    Case("y[i] = a*y[i-1]*(1 - y[i-1])", (1_000, 10_000, 100_000), _scalar, _scalar_lists),
    Case("y[i] = … + x[i]", (1_000, 10_000, 100_000), _driven, _driven_lists),
    Case("rows A[i+1] = f(A[i])", (300, 3_000, 30_000), _rows, _rows_lists),
    Case("through flat = y.ravel()", (1_000, 10_000, 100_000), _through_a_view),
    Case("y[j] += a", (1_000, 10_000, 100_000), _accumulated),
)


# --- few writes into long vectors -------------------------------------------------------------------------------------


def _writes(length: int, count: int, read_back: bool) -> tuple[Function, Any]:
    places = [int(i) for i in np.random.default_rng(1).permutation(length)[:count]]

    def f(x: Any) -> Any:
        y = np.zeros_like(x)
        for i in places:
            y[i] = x[i] * 2.0
            if read_back:
                y[i] = y[i] * x[i]
        return np.sum(y)

    return f, np.random.default_rng(0).uniform(0.1, 0.4, length)


_GRID = ((1_000, 100), (1_000, 1_000), (100_000, 1_000), (1_000_000, 1_000), (1_000_000, 10_000))


# --- measuring --------------------------------------------------------------------------------------------------------


def _peer() -> tuple[Any, Any] | None:
    """autograd's ``grad`` and NumPy namespace, where it is installed."""
    if importlib.util.find_spec("autograd") is None:
        return None
    import autograd
    import autograd.numpy

    return autograd.grad, autograd.numpy


def _directional(f: Function, x: Any) -> float:
    """The derivative along ones by complex step, for buffers that know the type of `x`."""
    step = np.ones_like(x) * 1e-30j

    class Wide:
        def __getattr__(self, name: str) -> Any:
            return getattr(np, name)

        def zeros(self, shape: Any, like: Any) -> Any:
            return np.zeros(shape, like.dtype)

    code = type(f)(f.__code__, {"np": Wide()}, f.__name__, f.__defaults__, f.__closure__)
    return float(np.imag(code(x + step))) / 1e-30


def _right(f: Function, x: Any, derivatives: Sequence[Any]) -> bool:
    """Whether all agree with complex step along the direction of ones."""
    want = _directional(f, x)
    return all(abs(float(np.sum(d)) - want) <= 1e-9 * max(1.0, abs(want)) for d in derivatives)


def _contestants(case: Case, steps: int, peer: tuple[Any, Any] | None) -> tuple[dict[str, Callable[[], Any]], bool]:
    import covector as cv

    f, x = case.make(steps)
    ones = np.ones_like(x)
    runs: dict[str, Callable[[], Any]] = {
        "value": lambda: f(x),
        "jvp": lambda: cv.jvp(f, (x,), (ones,))[1],
        "grad": lambda: cv.grad(f)(x),
    }
    if peer is not None and case.lists is not None and steps <= _COMPARED:
        gradient, listed = peer[0](case.lists(peer[1], steps)), x
        runs["autograd"] = lambda: gradient(listed)
    # A deep tape is walked, not recursed into; results are compared before anything is timed.
    return runs, _right(f, x, [run() for name, run in runs.items() if name != "value"])


def _line(name: str, steps: int, times: dict[str, Timing]) -> str:
    cells = [f"{duration(times[c].median):>10}" if c in times else f"{'—':>10}" for c in _COLUMNS]
    ratio = f"{times['grad'].ratio_to(times['autograd']):.2f}" if "autograd" in times else "—"
    per_step = [f"{duration(times[c].median / steps):>10}" for c in ("jvp", "grad")]
    return f"{name:<32}{steps:>9,}" + "".join(cells) + "".join(per_step) + f"{ratio:>8}"


_COLUMNS = ("value", "jvp", "grad", "autograd")


def _recurrences(rounds: int, largest: int, peer: tuple[Any, Any] | None) -> list[tuple[bool, str]] | None:
    """Measure and print the recurrences; the verdicts, or None if a derivative is wrong."""
    head = "".join(f"{c:>10}" for c in _COLUMNS)
    print(f"{'recurrence':<32}{'steps':>9}{head}{'jvp/step':>10}{'grad/step':>10}{'ratio':>8}")
    verdicts = []
    for case in CASES:
        per_step: dict[str, list[float]] = {"jvp": [], "grad": []}
        sizes = [n for n in case.sizes if n <= largest]
        for steps in sizes:
            runs, right = _contestants(case, steps, peer)
            if not right:
                print(f"error: a derivative of {case.name!r} with {steps:,} steps is wrong", file=sys.stderr)
                return None
            times = interleave(runs, rounds=rounds if steps <= _COMPARED else 3, seconds=0.02)
            print(_line(case.name, steps, times), flush=True)
            for mode, values in per_step.items():
                values.append(times[mode].median / steps)
            if "autograd" in times and steps == _COMPARED and case.lists is _scalar_lists:
                ratio = times["grad"].ratio_to(times["autograd"])
                text = f"grad, {steps:,} steps: {ratio:.2f} times autograd with lists (at most {_AUTOGRAD})"
                verdicts.append((ratio <= _AUTOGRAD, text))
        for mode, values in per_step.items():
            growth = values[-1] / values[0]
            text = f"{case.name}: {mode} per step {growth:.2f} times from {sizes[0]:,} to {sizes[-1]:,} steps"
            verdicts.append((growth <= _FLAT, f"{text} (at most {_FLAT})"))
    return verdicts


def _few_writes(rounds: int, largest: int) -> list[tuple[bool, str]] | None:
    """Measure and print k writes into n elements: the time must follow a + b·n + c·k with no term n·k."""
    print(f"\n{'writes into a vector':<32}{'n':>9}{'k':>8}{'value':>10}{'jvp':>10}{'grad':>10}")
    verdicts = []
    for read_back in (False, True):
        name = "y[i] = x[i]*2" + ("; y[i] = y[i]*x[i]" if read_back else "")
        seen: dict[tuple[int, int], dict[str, Timing]] = {}
        for length, count in _GRID:
            if length > 10 * largest:
                continue
            runs, right = _contestants(
                Case(name, (), lambda k, n=length, again=read_back: _writes(n, k, again)), count, None
            )
            if not right:
                print(f"error: a derivative of {name!r} with n={length:,}, k={count:,} is wrong", file=sys.stderr)
                return None
            seen[length, count] = interleave(runs, rounds=rounds, seconds=0.02)
            cells = "".join(f"{duration(seen[length, count][c].median):>10}" for c in _COLUMNS[:3])
            print(f"{name:<32}{length:>9,}{count:>8,}{cells}", flush=True)
        if (1_000_000, 10_000) in seen:
            for mode in ("jvp", "grad"):
                many, few = (seen[1_000_000, k][mode].median for k in (10_000, 1_000))
                short = seen[1_000, 1_000][mode].median - seen[1_000, 100][mode].median
                slope = (many - few) / 9_000 / (short / 900)
                text = f"{name}: {mode} of one more write {slope:.2f} times from n = 1,000 to 1,000,000"
                verdicts.append((slope <= 2.0, f"{text} (at most 2)"))
    return verdicts


def main(rounds: int, largest: int) -> int:
    """Measure and print everything.

    Parameters
    ----------
    rounds
        Interleaved rounds per row (three where a single call takes long).
    largest
        The largest number of steps.

    Returns
    -------
    int
        Exit status: 1 if a derivative is wrong, covector cannot be imported, or a time misses its target.
    """
    if importlib.util.find_spec("covector") is None:
        print("covector: not installed", file=sys.stderr)
        return 1
    peer = _peer()
    print(f"{processor()}; Python {platform.python_version()}, NumPy {np.__version__}; one thread")
    if peer is None:
        print("autograd: not installed; `pip install -e .[bench]` brings it")
    print()
    recurrences = _recurrences(rounds, largest, peer)
    writes = None if recurrences is None else _few_writes(rounds, largest)
    if recurrences is None or writes is None:
        return 1
    print("\nTargets")
    for met, text in recurrences + writes:
        print(f"{'yes' if met else 'no':<4}{text}")
    return 0 if all(met for met, _ in recurrences + writes) else 1
