"""Compiled functions under every other transform give what the functions themselves give.

What the transforms make of a program does not depend on how it is run. So the large tables of cases interpret the
programs, and each kind of nesting is run as machine code on one function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv
from compiler.nestings import ARGUMENTS, FUNCTIONS, NESTINGS, UNFIT, outcome
from compositions.cases import Case, assert_close, cases, differentiable
from covector.compiler.jit import jit

RANDOM = ("vjp", "jvp", "linearize", "grad of grad", "jvp of grad", "grad of jvp", "vmap of grad", "grad of vmap")


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("nesting", sorted(NESTINGS))
@pytest.mark.parametrize("argument", sorted(ARGUMENTS))
@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_nesting(function: str, argument: str, nesting: str) -> None:
    if {(function, argument), (function, argument, nesting)} & UNFIT:
        return
    f, x = FUNCTIONS[function], ARGUMENTS[argument]
    want = outcome(NESTINGS[nesting], f, x)
    compiled = jit(f)
    for _ in range(2):  # recorded, then found
        got = outcome(NESTINGS[nesting], compiled, x)
        single = argument == "matrix32"
        for g, w in zip(got, want, strict=True):
            assert_close(g, w, 1e-4 if single else 1e-10, 1e-5 if single else 1e-11)
    assert compiled.cache_info().specialisations >= ("jit" not in nesting)


@pytest.mark.parametrize("nesting", sorted(NESTINGS))
def test_nesting_as_machine_code(nesting: str) -> None:
    f = lambda x: np.exp(x - np.mean(x)) / np.sum(np.sin(x) * x)
    compiled, x = jit(f), ARGUMENTS["vector"]
    for g, w in zip(outcome(NESTINGS[nesting], compiled, x), outcome(NESTINGS[nesting], f, x), strict=True):
        assert_close(g, w, 1e-11, 1e-12)


# --- every primitive --------------------------------------------------------------------------------------------------


def routes(case: Case, f: Callable[..., Any]) -> list[Callable[[], Any]]:
    xs = tuple(case.args)
    t, u = case.draw("args", "t"), case.draw("out", "u")
    stacked = [np.stack(lane) for lane in zip(*case.lanes(3), strict=True)]

    def pull(*args: Any) -> Any:
        return cv.vjp(f, *args)[1](u)

    return [
        lambda: cv.jvp(f, xs, t),
        lambda: cv.linearize(f, *xs)[1](*t),
        lambda: pull(*xs),
        lambda: cv.jvp(pull, xs, t)[1],
        lambda: cv.vjp(pull, *xs)[1](t),
        lambda: cv.vmap(pull)(*stacked),
        lambda: cv.vjp(cv.vmap(f), *stacked)[1](tuple(np.stack([y] * 3) for y in u)),
    ]


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("case", cases(differentiable))
def test_every_primitive(case: Case) -> None:
    compiled = jit(case.smooth)
    with np.errstate(all="ignore"):
        for eager, route in zip(routes(case, case.smooth), routes(case, compiled), strict=True):
            want = cv.tree.leaves(eager())
            case.close(cv.tree.leaves(route()), want)
    assert compiled.cache_info().specialisations >= 1


# --- random programs --------------------------------------------------------------------------------------------------


def random_function(seed: int) -> Callable[[Any], Any]:
    """A straight-line program that only the seed decides, with broadcasting, indexing, reductions and writes."""

    def f(x: Any) -> Any:
        rng = np.random.default_rng(seed)
        known = [x]
        for _ in range(rng.integers(4, 16)):
            a, b = (known[i] for i in rng.integers(len(known), size=2))
            kind = rng.integers(12)
            if kind < 3:
                new = (np.add, np.multiply, np.subtract)[kind](a, b if b.shape == a.shape else np.mean(b))
            elif kind < 6:
                new = (np.sin, np.tanh, lambda z: np.exp(-z * z))[kind - 3](a)
            elif kind == 6:
                new = np.where(a > 0.1, a * 0.5, -a)
            elif kind == 7:
                new = a / (2 + np.sum(a * a))
            elif kind == 8:
                new = np.roll(a, 1) * rng.standard_normal(a.shape)
            elif kind == 9:
                new = np.copy(a)
                new[..., : a.shape[-1] // 2] *= 0.5 + b.ravel()[0]
            elif kind == 10:
                new = np.stack([a, a * a])[rng.integers(2)] - np.max(a)
            else:
                new = a[..., ::-1] + np.cumsum(a, axis=-1) / 4
            known.append(new)
        return sum(y * 0.5**i for i, y in enumerate(reversed(known)))

    return f


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("seed", range(60))
def test_random_function(seed: int) -> None:
    x = np.random.default_rng(seed).standard_normal((3, 4))[: 1 + seed % 3].astype(float if seed % 4 else np.float32)
    f = random_function(seed)
    compiled = jit(f)
    for name in RANDOM:
        single = x.dtype == np.float32
        for g, w in zip(outcome(NESTINGS[name], compiled, x), outcome(NESTINGS[name], f, x), strict=True):
            assert_close(g, w, 1e-3 if single else 1e-10, 1e-4 if single else 1e-11)
