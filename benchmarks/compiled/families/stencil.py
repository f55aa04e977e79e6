"""Explicit steps of the heat equation on a grid, written in place: gradient in the field and in the conductivity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..limit import call
from .base import Case, Compiler, Function, compiled_by_torch

STEP = 0.1


def energy(field: Any, conductivity: Any, steps: int) -> Any:
    """Sum of squares of the field after `steps` explicit steps; the boundary stays as it is."""
    u = field.copy()
    for _ in range(steps):
        curvature = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4.0 * u[1:-1, 1:-1]
        u[1:-1, 1:-1] += STEP * conductivity[1:-1, 1:-1] * curvature
    return np.sum(u**2)


def _covector(steps: int) -> Callable[[Compiler], Function]:
    def build(jit: Compiler) -> Function:
        import covector

        def function(field: Any, conductivity: Any) -> Any:
            return energy(field, conductivity, steps)

        return jit(covector.grad(function, argnums=(0, 1)))

    return build


def _jax(steps: int) -> Callable[[], Function]:
    def build() -> Function:
        import jax
        import jax.numpy as jnp

        def function(field: Any, conductivity: Any) -> Any:
            def advance(u: Any, _: Any) -> Any:
                curvature = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4.0 * u[1:-1, 1:-1]
                return u.at[1:-1, 1:-1].add(STEP * conductivity[1:-1, 1:-1] * curvature), None

            final = advance(field, None)[0] if steps == 1 else jax.lax.scan(advance, field, length=steps)[0]
            return jnp.sum(final**2)

        return jax.jit(jax.grad(function, argnums=(0, 1)))

    return build


def _torch(steps: int) -> Callable[[], Function]:
    def build() -> Function:
        import torch

        def gradient(field: Any, conductivity: Any) -> Any:
            field, conductivity = field.detach().requires_grad_(), conductivity.detach().requires_grad_()
            u = field.clone()
            for _ in range(steps):
                curvature = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4.0 * u[1:-1, 1:-1]
                u[1:-1, 1:-1] += STEP * conductivity[1:-1, 1:-1] * curvature
            return torch.autograd.grad(torch.sum(u**2), (field, conductivity))

        return gradient

    return build


def _torch_functional(steps: int) -> Callable[[], Function]:
    """Without writing in place: compiled in-place code gives wrong gradients here (torch 2.13)."""

    def build() -> Function:
        import torch

        def function(field: Any, conductivity: Any) -> Any:
            u = field
            for _ in range(steps):
                curvature = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4.0 * u[1:-1, 1:-1]
                change = STEP * conductivity[1:-1, 1:-1] * curvature
                u = u + torch.nn.functional.pad(change, (1, 1, 1, 1))
            return torch.sum(u**2)

        return torch.func.grad(function, argnums=(0, 1))

    return build


def _autograd(steps: int) -> Callable[[], Function]:
    def build() -> Function:
        import autograd
        import autograd.numpy as anp

        def function(field: Any, conductivity: Any) -> Any:
            u = field
            for _ in range(steps):
                curvature = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - 4.0 * u[1:-1, 1:-1]
                inner = u[1:-1, 1:-1] + STEP * conductivity[1:-1, 1:-1] * curvature
                middle = anp.concatenate((u[1:-1, :1], inner, u[1:-1, -1:]), axis=1)
                u = anp.concatenate((u[:1], middle, u[-1:]), axis=0)
            return anp.sum(u**2)

        gradient: Function = autograd.grad(function, argnum=(0, 1))
        return gradient

    return build


def _limit(steps: int) -> Callable[[Any, tuple[Any, ...]], Callable[[], Any]]:
    def prepare(library: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
        field, conductivity = inputs
        rows, columns = field.shape
        history = np.empty((steps + 1, rows, columns))
        scratch = np.empty((rows, columns))
        by_field, by_conductivity = np.empty_like(field), np.empty_like(field)
        run = call(
            library.heat_gradient,
            *(field, conductivity, rows, columns, steps, STEP, history, scratch, by_field, by_conductivity),
        )

        def invoke() -> Any:
            run()
            return by_field, by_conductivity

        return invoke

    return prepare


def _case(side: int, steps: int, **marks: Any) -> Case:
    def inputs(random: np.random.Generator) -> tuple[Any, ...]:
        return random.normal(size=(side, side)), random.uniform(0.5, 1.5, size=(side, side))

    return Case(
        family="stencil",
        size=f"{side}x{steps}",
        inputs=inputs,
        covector=_covector(steps),
        peers={
            "jax": _jax(steps),
            "torch": _torch(steps),
            "torch.compile": compiled_by_torch(_torch_functional(steps)),
            "autograd": _autograd(steps),
        },
        limit=_limit(steps),
        **marks,
    )


def cases() -> list[Case]:
    """Twenty steps on a grid that fits the cache, one step on a large one."""
    return [_case(9, 3, small=True), _case(512, 20), _case(2048, 1, memory=True)]
