"""Random programs in NumPy, differentiated here, against the same programs in jax.numpy, differentiated by JAX."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import special

import covector as cv
from oracle.forms import FORMS
from oracle.programs import Program, random_program

# JAX compiles every program anew; optimising it would take longer than all that it computes.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"
jax = pytest.importorskip("jax")
jax.config.update("jax_enable_x64", True)

COUNT = 400 if os.environ.get("COVECTOR_FULL") == "1" else 60
LANES = 3
TOLERANCE = 1e-9


def scalar_of(f: Callable[..., Any], np: ModuleType) -> Callable[..., Any]:
    """A scalar function of the same arguments with curvature in everything that `f` returns."""
    return lambda *xs: sum(np.sum(np.sin(y)) for y in f(*xs))


def draw(seed: int, like: Any) -> Any:
    rng = np.random.default_rng(seed)
    return tuple(rng.uniform(-1, 1, np.shape(x)) for x in like)


def measure(library: Any, f: Callable[..., Any], np: ModuleType, points: tuple[Any, ...]) -> dict[str, Any]:
    """Value and derivatives by covector or by jax, which name and order them alike."""
    xs, tangents, cotangents, lanes = points
    value, pull = library.vjp(f, *xs)
    every = tuple(range(len(xs)))
    scalar = scalar_of(f, np)
    return {
        "value": value,
        "vjp": pull(cotangents),
        "jvp": library.jvp(f, xs, tangents)[1],
        "hessian": library.hessian(scalar, every)(*xs),
        "vmap(grad)": library.vmap(library.grad(scalar, every))(*lanes),
    }


def disagreement(got: dict[str, Any], want: dict[str, Any]) -> str:
    """Describe the first difference, empty where there is none."""
    for quantity in want:
        pairs = zip(cv.tree.leaves(got[quantity]), jax.tree.leaves(want[quantity]), strict=True)
        for k, (a, b) in enumerate(pairs):
            a, b = np.asarray(a), np.asarray(b)
            if a.shape != b.shape:
                return f"{quantity}, leaf {k}: shape {a.shape}, JAX has {b.shape}"
            scale = max(1.0, np.max(np.abs(a), initial=0.0))
            if not np.allclose(a, b, rtol=0, atol=TOLERANCE * scale):
                return f"{quantity}, leaf {k}:\n{a}\nJAX:\n{b}"
    return ""


def compare(program: Program) -> None:
    """Raise AssertionError with the program where the libraries disagree."""
    ours, theirs = program.function(np, special), program.function(jax.numpy, jax.scipy.special)
    lanes = tuple(np.stack([x * (1 + 0.01 * k) for k in range(LANES)]) for x in program.args)
    points = (program.args, draw(1, program.args), draw(2, ours(*program.args)), lanes)
    try:
        got = measure(cv, ours, np, points)
    except Exception as error:
        error.add_note(program.source)
        raise
    try:
        difference = disagreement(got, jax.jit(lambda points: measure(jax, theirs, jax.numpy, points))(points))
    except TypeError:
        difference = "JAX cannot compile it"
    if difference:
        # Compiled, JAX may compute an element twice, with and without a fused multiply-add, so that it no longer
        # equals the maximum that it is; operation by operation, which takes ten times as long, JAX does not.
        difference = disagreement(got, measure(jax, theirs, jax.numpy, points))
    assert not difference, f"{difference}\n{program.source}"


@pytest.mark.parametrize("seed", range(COUNT))
def test_random_program(seed: int) -> None:
    compare(random_program(seed))


def test_every_form_is_used() -> None:
    used = {form for seed in range(2 * len(FORMS)) for form in random_program(seed).forms}
    assert [form.source for form in FORMS if form not in used] == []
