"""Random NumPy functions, compiled, compute what they compute; so do their derivatives and batches.

A failure prints a function with as few lines as it takes, ready to be run by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from compiler.random_numpy import Written, random_function, smaller
from compositions.cases import assert_close

FULL = bool(os.environ.get("COVECTOR_FULL"))
COUNT = 2000 if FULL else 56
COUNT_LONG = 150 if FULL else 8

FLOATS = "fc"


def real_total(f: Callable[..., Any]) -> Callable[..., Any]:
    """The sum of bounded functions of all outputs that have a derivative."""
    return lambda x, y: sum([np.sum(np.tanh(0.5 * z)) for z in f(x, y) if z.dtype.kind == "f"], 0.0 * np.sum(x))


def smooth(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: tuple([z for z in f(x, y) if z.dtype.kind in FLOATS])


def lanes(*xs: Any) -> list[Any]:
    return [np.stack([x, x * x.dtype.type(0.9375), x]) for x in xs]


def directions(*xs: Any) -> list[Any]:
    return [np.cos(np.arange(x.size)).reshape(x.shape).astype(x.dtype) for x in xs]


Wrap = Callable[[Any], Any]
MODES: dict[str, Callable[[Wrap, Any, Any, Any], Any]] = {
    "value": lambda w, f, x, y: w(f)(x, y),
    "grad": lambda w, f, x, y: w(cv.grad(real_total(f), (0, 1)))(x, y),
    "jvp": lambda w, f, x, y: w(lambda *a: cv.jvp(smooth(f), a[:2], a[2:]))(x, y, *directions(x, y)),
    "vmap": lambda w, f, x, y: w(cv.vmap(f))(*lanes(x, y)),
    "vmap of grad": lambda w, f, x, y: w(cv.vmap(cv.grad(real_total(f), (0, 1))))(*lanes(x, y)),
    "grad of jit": lambda w, f, x, y: cv.grad(w(real_total(f)), (0, 1))(x, y),
    "jvp of grad": lambda w, f, x, y: w(lambda *a: cv.jvp(cv.grad(real_total(f), (0, 1)), a[:2], a[2:])[1])(
        x, y, *directions(x, y)
    ),
}
SLACK = {"value": 1.0, "jvp": 10.0, "vmap": 1.0, "jvp of grad": 1000.0}


def difference(f: Written, mode: str, threads: int | None = None) -> str | None:
    """What is wrong with the compiled function, if anything."""
    args = [x.copy() for x in f.inputs.values()]
    with np.errstate(all="ignore"):
        try:
            want = MODES[mode](lambda g: g, f.function, *args)
        except Exception:
            return None  # such as a branch that lanes cannot take together
        made: list[Any] = []

        def wrap(g: Any) -> Any:
            made.append(made[0] if made else cv.jit(g, threads=threads))
            return made[0]

        try:
            for _ in range(2):
                close(MODES[mode](wrap, f.function, *args), want, f.single, SLACK.get(mode, 100.0))
        except Exception as error:
            return f"{mode}: {type(error).__name__}: {error}"
    changed = [k for k, a in zip(f.inputs, args, strict=True) if a.tobytes() != f.inputs[k].tobytes()]
    return f"{mode}: it changed {changed}" if changed else None


def close(got: Any, want: Any, single: bool, slack: float) -> None:
    rtol = (1e-4 if single else 1e-12) * slack
    for g, w in zip(cv.tree.leaves(got), cv.tree.leaves(want), strict=True):
        assert_close(g, w, rtol, rtol)


def assert_same(f: Written, mode: str, threads: int | None = None) -> None:
    if difference(f, mode, threads) is None:
        return
    small = smaller(f, lambda g: difference(g, mode, threads) is not None)
    raise AssertionError(f"{small}\n{difference(small, mode, threads)}")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(COUNT))
def test_random_functions(seed: int) -> None:
    f = random_function(seed)
    modes = list(MODES)
    for mode in modes if FULL else ["value", modes[1 + seed % (len(modes) - 1)]]:
        assert_same(f, mode)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(COUNT_LONG))
def test_random_functions_of_long_arrays(seed: int) -> None:
    f = random_function(10_000 + seed, 6, long=True)
    for mode in ("value", "grad"):
        assert_same(f, mode, threads=3)


# --- what such functions have found -----------------------------------------------------------------------------------


def gathered_repeatedly(x: Any, y: Any) -> Any:
    return (x[0, np.array([0, 0, 0])] * 2,)


def gathered_by_constants(x: Any, y: Any) -> Any:
    return (x[:, np.array([-3, 2, 1]), None],)


def added_at_constants(x: Any, y: Any) -> Any:
    v = x * 1.0
    np.add.at(v, [0, 0, -1], 0.5)
    return (v,)


def carried_from_a_constant(x: Any, y: Any) -> Any:
    """The loop starts with an array that each of its iterations reads, too."""
    v = w = np.log1p(np.abs(x))
    for _ in range(40):
        v = np.sin(v) * 0.9 + w
    return (v,)


FOUND = [gathered_repeatedly, gathered_by_constants, added_at_constants, carried_from_a_constant]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("f", FOUND)
def test_found(f: Callable[..., Any], mode: str) -> None:
    x, y = np.linspace(-1.0, 1.0, 12).reshape(4, 3), np.linspace(0.5, 1.0, 3)
    want = MODES[mode](lambda g: g, f, x, y)
    for _ in range(2):
        close(MODES[mode](cv.jit, f, x, y), want, False, SLACK.get(mode, 100.0))


def test_the_functions_reach_every_kind_of_line() -> None:
    text = "".join(random_function(seed).source for seed in range(150))
    forms = [
        *("np.exp(", "np.where(", "[::-1]", "::2", "dtype=int)", "None", "...", ".reshape(", "order='F'", "transpose("),
        *(
            "broadcast_to",
            "concatenate",
            "np.stack",
            "np.roll",
            "np.pad",
            "np.repeat",
            "np.sum(",
            "keepdims",
            "np.max(",
        ),
        *("np.prod(", "np.var(", "cumsum", "np.sort", "@ ", "einsum", "+=", "*=", "np.add.at", "out=", "int8", "uint8"),
        *("float32", "1j", "for i in range(40)", "zeros_like", "np.argmax", "> 0.3]"),
    ]
    assert not [form for form in forms if form not in text]
