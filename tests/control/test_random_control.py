"""Random programs of nested loops and branches compute, under every transform, what plain Python loops compute.

A failure prints a program with as few lines as it takes, ready to be run by itself with `control.plain_loops`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector.numpy as cnp
from control.plain_loops import PLAIN
from control.random_checks import MODES, difference
from control.random_programs import Program, random_program
from control.smaller_programs import smaller

FULL = os.environ.get("COVECTOR_FULL") == "1"
COUNT = 3000 if FULL else 120
COUNT_COMPILED = 600 if FULL else 12
EAGER = [name for name, mode in MODES.items() if not mode.compiled]
COMPILED = [name for name, mode in MODES.items() if mode.compiled]


def assert_same(program: Program, mode: str) -> None:
    """Check the program; if it fails, raise what its smallest failing part raises, with that part as text."""
    wrong = difference(program, mode)
    if wrong is None:
        return
    kind = wrong.split("\n")[0][:40]
    small = smaller(program, lambda p: (difference(p, mode) or "").startswith(kind))
    raise AssertionError(f"{small}\n{difference(small, mode)}")


@pytest.mark.parametrize("mode", EAGER)
def test_random_programs(mode: str) -> None:
    for seed in range(EAGER.index(mode), COUNT, len(EAGER)):
        assert_same(random_program(seed), mode)


@pytest.mark.parametrize("mode", COMPILED)
def test_random_programs_compiled(mode: str) -> None:
    for seed in range(COMPILED.index(mode), COUNT_COMPILED, len(COMPILED)):
        assert_same(random_program(100_000 + seed), mode)


def test_the_generator_reaches_every_kind_of_statement() -> None:
    text = "\n".join(random_program(seed).source for seed in range(200))
    assert not [form for form in FORMS if form not in text]


FORMS = [
    *["L.scan(", "L.fori_loop(", "L.while_loop(", "L.cond(", "L.switch(", "L.map(", "L.associative_scan("],
    *["L.checkpoint(", "L.jit(", "L.vmap(", "L.grad(", "reverse=True", "length=4", "[:0]", "None", "checkpoint='sqrt'"],
    *["checkpoint=2", "branch='select'", "branch='loop'", "batch_size=2", "{'b': ", "k % 4", "] *= ", "[1:] += "],
    *["% 3, 1:] = ", "linalg.solve", "linalg.inv", "np.concatenate", "np.stack", "np.cumsum", " @ ", "astype", "~c"],
]


def test_the_programs_are_bounded() -> None:
    for seed in range(100):
        program = random_program(seed)
        args, k = program.arguments()
        assert all(np.all(np.abs(y) < 100.0) for y in program.function(PLAIN, *args, k))


# --- what such programs have found ------------------------------------------------------------------------------------


def hoisted_conversion(L: Any, x: Any, s: Any, m: Any, v: Any, k: Any) -> Any:
    """The derivative of what the body computes from outside alone converts and copies."""
    return (L.fori_loop(0, 2, lambda i, c: np.abs(x) * c + x.astype(x.dtype), x, checkpoint="sqrt"),)


def copied_outside(L: Any, x: Any, s: Any, m: Any, v: Any, k: Any) -> Any:
    def step(i: Any, c: Any) -> Any:
        w = np.copy(x)
        w[0] = s
        w[1:] += c[1:]
        return w

    return (L.fori_loop(0, k, step, x),)


def filled_from_outside(L: Any, x: Any, s: Any, m: Any, v: Any, k: Any) -> Any:
    """An array of the body holds values from outside and is written to again."""

    def step(i: Any, c: Any) -> Any:
        w = cnp.zeros(3)
        w[0] = s
        w[1] = c[0]
        w[2] = v[1]
        return np.sin(w)

    return (L.fori_loop(0, k, step, x),)


def operand_of_the_only_function(L: Any, x: Any, s: Any, m: Any, v: Any, k: Any) -> Any:
    def written(a: Any) -> Any:
        a[0] = s
        return np.sin(a)

    return (L.cond(k > 1, lambda: L.switch(k, [written], x), lambda: x),)


def copied_in_the_inner_loop(L: Any, x: Any, s: Any, m: Any, v: Any, k: Any) -> Any:
    def inner(j: Any, c: Any) -> Any:
        w = L.array(x)
        w[...] = np.sin(w)
        w[0] *= c[1]
        return w

    return (L.fori_loop(0, k, lambda i, c: L.fori_loop(0, k % 3, inner, c), x),)


def reached_by_two_handles(L: Any, x: Any, s: Any, m: Any, v: Any, k: Any) -> Any:
    a = x.copy()
    b = a.copy()
    return (L.cond(k > 1, lambda: L.scan(lambda c, e: (c * e + a, c * b), x, v)[0], lambda: a - b),)


def branches_that_make_constants(L: Any, x: Any, s: Any, m: Any, v: Any, k: Any) -> Any:
    def build(c: Any) -> Any:
        return L.fori_loop(1, 2, lambda i, y: np.stack([s, y[0], c]), np.stack([s, s, s]))

    out = L.switch(k, [build, lambda c: x], s)
    return (np.where(out > 0.1, out, out * s),)


def written_from_products(L: Any, x: Any, s: Any, m: Any, v: Any, k: Any) -> Any:
    """What is written to part of an array in place is made of all of it."""

    def step(i: Any, c: Any) -> Any:
        c[i % 3, 1:] = np.tanh(c @ x)[:2]
        return c

    return (L.fori_loop(3, 5, step, m),)


def stack_of_a_repeated_constant(L: Any, x: Any, s: Any, m: Any, v: Any, k: Any) -> Any:
    """The tangent of `x` is a constant, which the loop over segments stacks."""
    total = np.sum(L.scan(lambda c, e: (c, x), v, v, checkpoint="sqrt")[1], axis=0)
    return (total @ total,)


FOUND: list[Callable[..., Any]] = [
    *(hoisted_conversion, copied_outside, filled_from_outside, operand_of_the_only_function),
    *(copied_in_the_inner_loop, reached_by_two_handles, branches_that_make_constants),
    *(written_from_products, stack_of_a_repeated_constant),
]
FOUND_IN = ["vmap", "vmap of jvp", "grad of vmap", "vmap of jvp of grad", "jit", "jit of jvp", "jit of jvp of grad"]


class Found(Program):
    """A program that is a function."""

    function = property(lambda self: self.lines)


@pytest.mark.parametrize("mode", [*FOUND_IN, "jit of vmap of grad"])
@pytest.mark.parametrize("f", FOUND)
def test_found(f: Any, mode: str) -> None:
    for seed in range(3):
        assert difference(Found(f, "float64", seed), mode, strict=True) is None
