"""Runge-Kutta integration of the cascade y₀' = x₀, yᵢ' = xᵢ yᵢ₋₁ with `scan` over the steps: the sum of y(2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...compiled.families.base import Case, Function
from ...compiled.families.ode import END, STEPS, _shifted, _step, integrate, rate
from ...compiled.limit import call
from .base import Loop, answers, filling

SIZES = (10, 1_000, 100_000)
FEW = 64  # components, up to which C goes stage by stage over all of them


def _covector(steps: int) -> Callable[[], Function]:
    def build() -> Function:
        import covector

        def function(x: Any) -> Any:
            def advance(y: Any, _: Any) -> Any:
                return _step(rate, x, y, END / steps), None

            y, _ = covector.scan(advance, np.zeros_like(x), None, length=steps)
            return np.sum(y)

        return function

    return build


def _python(steps: int) -> Callable[[], Function]:
    return lambda: lambda x: np.sum(integrate(x, steps))


def _jax(steps: int) -> Callable[[], Function]:
    def build() -> Function:
        import jax
        import jax.numpy as jnp

        change = _shifted(jnp.concatenate, jnp.ones_like)

        def function(x: Any) -> Any:
            def advance(y: Any, _: Any) -> Any:
                return _step(change, x, y, END / steps), None

            return jnp.sum(jax.lax.scan(advance, jnp.zeros_like(x), length=steps)[0])

        return function

    return build


def _torch(steps: int) -> Callable[[], Function]:
    def build() -> Function:
        import torch

        change = _shifted(torch.cat, torch.ones_like)

        def function(x: Any) -> Any:
            y = torch.zeros_like(x)
            for _ in range(steps):
                y = _step(change, x, y, END / steps)
            return torch.sum(y)

        return function

    return build


def _limit(steps: int) -> Callable[..., Callable[[], Any]]:
    def prepare(quantity: str, library: Any, primals: Any, data: Any, tangents: Any) -> Callable[[], Any]:
        (x,) = primals
        n, h = x.size, END / steps
        out = answers(quantity, primals)
        many = "_blocked" if n > FEW else ""
        function = getattr(library, f"cascade{many}_{quantity}")
        if quantity == "gradient":
            # the other benchmark's is told that it is the gradient of the sum, not of the last entry
            of_sum = [] if many else [0]
            room = (np.empty((steps + 1, n)), np.empty((1 if many else 10, n)))
            return filling(call(function, x, n, steps, h, *of_sum, *room, *out), out)
        width = {"value": 6, "forward": 10}[quantity]
        return filling(call(function, x, *tangents, n, steps, h, np.empty((width, n)), *out), out)

    return prepare


def _loop(size: int, steps: int = STEPS, python: bool = False, **marks: Any) -> Loop:
    return Loop(
        family="cascade",
        size=("python-" if python else "") + (str(size) if steps == STEPS else f"{size}x{steps}"),
        parameters=lambda random: (random.uniform(0.5, 1.5, size=size),),
        covector=_python(steps) if python else _covector(steps),
        jax=_jax(steps),
        torch=_torch(steps),
        limit=_limit(steps),
        marks=marks,
    )


def cases() -> list[Case]:
    """Three sizes, and a loop in Python that `jit` has to roll."""
    loops = [_loop(6, 5, small=True), *(_loop(size) for size in SIZES), _loop(SIZES[0], python=True)]
    return [case for loop in loops for case in loop.cases()]
