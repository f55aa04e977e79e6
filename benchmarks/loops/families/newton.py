"""Kepler's equation E − e sin E = M by Newton's method with `while_loop`, for many (e, M) at once by `vmap`.

The derivatives go through the iteration, as they do for whoever differentiates a solver without saying that it is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...compiled.families.base import Case, Function
from ...compiled.limit import call
from .base import Loop, answers, filling

PROBLEMS = 10_000
ACCURACY = 1e-10
MOST = 50  # iterations
REFUSAL = "refuses reverse mode through a while_loop whose number of iterations is not known"


def _iterated(namespace: Any, while_loop: Function, vmap: Function) -> Function:
    """The mean of E²."""

    def solve(e: Any, mean: Any) -> Any:
        def going(carry: Any) -> Any:
            _, step, count = carry
            return (namespace.abs(step) > ACCURACY) & (count < MOST)

        def newton(carry: Any) -> Any:
            guess, _, count = carry
            step = (guess - e * namespace.sin(guess) - mean) / (1.0 - e * namespace.cos(guess))
            return guess - step, step, count + 1

        return while_loop(going, newton, (mean + e * namespace.sin(mean), mean * 0.0 + 1.0, 0))[0]

    def function(e: Any, mean: Any) -> Any:
        return namespace.mean(vmap(solve)(e, mean) ** 2)

    return function


def _covector() -> Function:
    import covector

    return _iterated(np, covector.while_loop, covector.vmap)


def _jax() -> Function:
    import jax

    return _iterated(jax.numpy, jax.lax.while_loop, jax.vmap)


def _torch() -> Function:
    import torch

    def function(e: Any, mean: Any) -> Any:
        guess = mean + e * torch.sin(mean)
        active = torch.ones_like(mean, dtype=torch.bool)
        for _ in range(MOST):
            step = (guess - e * torch.sin(guess) - mean) / (1.0 - e * torch.cos(guess))
            guess = torch.where(active, guess - step, guess)
            active = active & (step.abs() > ACCURACY)
            if not active.any():
                break
        return torch.mean(guess**2)

    return function


def _limit(quantity: str, library: Any, primals: Any, data: Any, tangents: Any) -> Callable[[], Any]:
    out = answers(quantity, primals)
    function = getattr(library, f"newton_{quantity}")
    return filling(call(function, *primals, *tangents, primals[0].size, ACCURACY, MOST, *out), out)


def _loop(problems: int, **marks: Any) -> Loop:
    return Loop(
        family="newton",
        size=str(problems),
        parameters=lambda random: (
            random.uniform(0.0, 0.9, size=problems),
            random.uniform(0.1, 3.0, size=problems),
        ),
        covector=_covector,
        jax=_jax,
        torch=_torch,
        limit=_limit,
        left_out={"jax gradient": REFUSAL},
        marks=marks,
    )


def cases() -> list[Case]:
    """10,000 problems."""
    return [case for loop in (_loop(5, small=True), _loop(PROBLEMS)) for case in loop.cases()]
