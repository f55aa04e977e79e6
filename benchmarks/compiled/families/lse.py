"""Gradient of log-sum-exp: three passes over one array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..limit import call
from .base import Case, Compiler, Function, compiled_by_torch

SIZES = (2_500, 40_000, 1_280_000)


def logsumexp(x: Any) -> Any:
    """log Σ exp(x), shifted by the largest element so that it cannot overflow."""
    top = np.max(x)
    return top + np.log(np.sum(np.exp(x - top)))


def covector_version(jit: Compiler) -> Function:
    """The gradient."""
    import covector

    return jit(covector.grad(logsumexp))


def jax_version() -> Function:
    """The same in jax.numpy."""
    import jax
    import jax.numpy as jnp

    def function(x: Any) -> Any:
        top = jnp.max(x)
        return top + jnp.log(jnp.sum(jnp.exp(x - top)))

    return jax.jit(jax.grad(function))


def torch_version() -> Function:
    """The same in torch."""
    import torch

    def function(x: Any) -> Any:
        top = torch.max(x)
        return top + torch.log(torch.sum(torch.exp(x - top)))

    return torch.func.grad(function)


def autograd_version() -> Function:
    """The same in autograd.numpy."""
    import autograd
    import autograd.numpy as anp

    def function(x: Any) -> Any:
        top = anp.max(x)
        return top + anp.log(anp.sum(anp.exp(x - top)))

    gradient: Function = autograd.grad(function)
    return gradient


def limit(library: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
    """The softmax in C."""
    (x,) = inputs
    out = np.empty_like(x)
    run = call(library.lse_gradient, x, x.size, out)

    def invoke() -> Any:
        run()
        return out

    return invoke


def _case(size: int, **marks: Any) -> Case:
    return Case(
        family="lse",
        size=str(size),
        inputs=lambda random: (random.uniform(size=size),),
        covector=covector_version,
        peers={
            "jax": jax_version,
            "torch": torch_version,
            "torch.compile": compiled_by_torch(torch_version),
            "autograd": autograd_version,
        },
        limit=limit,
        **marks,
    )


def cases() -> list[Case]:
    """Three sizes, and one on which memory is measured."""
    return [
        _case(100, small=True),
        *(_case(size) for size in SIZES),
        _case(4_000_000, timed=False, memory=True),
    ]
