"""Checkpoints: the gradient of a million steps of x ← tanh(W x + b u), state 8, with and without ``checkpoint="sqrt"``.

Without, every step leaves its residuals: 64 MB per eight numbers kept. The mean of x² is differentiated in W and b.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...compiled.families.base import Case, Function
from ...compiled.limit import call
from .base import answers, filling, with_covector, with_jax

STEPS = 1_000_000
STATE = 8


def _step(namespace: Any, weights: Any, drive: Any) -> Function:
    def step(carry: Any, u: Any) -> Any:
        x, total = carry
        x = namespace.tanh(weights @ x + drive * u)
        return (x, total + x @ x), None

    return step


def _covector(checkpoint: str | None) -> Function:
    import covector

    def function(weights: Any, drive: Any, start: Any, inputs: Any) -> Any:
        step = _step(np, weights, drive)
        return covector.scan(step, (start, 0.0), inputs, checkpoint=checkpoint)[0][1] / len(inputs)

    return function


def _jax(block: int) -> Function:
    """A scan over blocks of steps, each of which is computed again: how JAX's documentation saves memory."""
    import jax

    def function(weights: Any, drive: Any, start: Any, inputs: Any) -> Any:
        step = _step(jax.numpy, weights, drive)
        outer = jax.checkpoint(lambda carry, some: (jax.lax.scan(step, carry, some)[0], None))
        return jax.lax.scan(outer, (start, 0.0), inputs.reshape(-1, block))[0][1] / len(inputs)

    return function


def _limit(block: int) -> Callable[[Any, tuple[Any, ...]], Callable[[], Any]]:
    def prepare(library: Any, arguments: tuple[Any, ...]) -> Callable[[], Any]:
        weights, drive, _, inputs = arguments
        out = answers("gradient", (weights, drive))
        kept = (np.empty((len(inputs) // block, STATE)), np.empty((block + 1, STATE)))
        return filling(call(library.network_gradient, *arguments, len(inputs), block, *kept, *out), out)

    return prepare


def _case(steps: int, **marks: Any) -> Case:
    block = math.isqrt(steps)

    def inputs(random: np.random.Generator) -> tuple[Any, ...]:
        weights = random.normal(size=(STATE, STATE)) * 0.8 / math.sqrt(STATE)
        return weights, random.normal(size=STATE), random.normal(size=STATE), random.uniform(-1.0, 1.0, size=steps)

    def stored() -> Function:
        import covector

        return with_covector(_covector(None), "gradient", 2, covector.jit)

    return Case(
        family="network",
        size=f"{steps}-gradient",
        inputs=inputs,
        covector=lambda jit: with_covector(_covector("sqrt"), "gradient", 2, jit),
        peers={"covector-stored": stored, "jax": lambda: with_jax(_jax(block), "gradient", 2)},
        limit=_limit(block),
        left_out={"torch": "a call takes many seconds"},
        memory=not marks.get("small", False),
        suite="loops",
        **marks,
    )


def cases() -> list[Case]:
    """A million steps."""
    return [_case(16, small=True), _case(STEPS)]
