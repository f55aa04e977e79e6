"""Gradient through a Runge-Kutta integration of the cascade y₀' = x₀, yᵢ' = xᵢ yᵢ₋₁."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..limit import call
from .base import Case, Compiler, Function, compiled_by_torch

SIZES = (1_000, 10_000, 100_000)
STEPS = 100
END = 2.0


def rate(x: Any, y: Any) -> Any:
    """The right-hand side."""
    change = x.copy()
    change[1:] *= y[:-1]
    return change


def integrate(x: Any, steps: int) -> Any:
    """The state at the end, by `steps` classical Runge-Kutta steps from zero."""
    h = END / steps
    y = np.zeros_like(x)
    for _ in range(steps):
        k1 = rate(x, y)
        k2 = rate(x, y + 0.5 * h * k1)
        k3 = rate(x, y + 0.5 * h * k2)
        k4 = rate(x, y + h * k3)
        y = y + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return y


def _covector(steps: int, last: bool) -> Callable[[Compiler], Function]:
    def build(jit: Compiler) -> Function:
        import covector

        def function(x: Any) -> Any:
            y = integrate(x, steps)
            return y[-1] if last else np.sum(y)

        return jit(covector.grad(function))

    return build


def _shifted(concatenate: Callable[[Any], Any], ones: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda x, y: x * concatenate((ones(y[:1]), y[:-1]))


def _step(change: Callable[[Any, Any], Any], x: Any, y: Any, h: float) -> Any:
    k1 = change(x, y)
    k2 = change(x, y + 0.5 * h * k1)
    k3 = change(x, y + 0.5 * h * k2)
    k4 = change(x, y + h * k3)
    return y + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)


def _jax(steps: int, last: bool) -> Callable[[], Function]:
    def build() -> Function:
        import jax
        import jax.numpy as jnp

        change = _shifted(jnp.concatenate, jnp.ones_like)

        def function(x: Any) -> Any:
            def advance(y: Any, _: Any) -> Any:
                return _step(change, x, y, END / steps), None

            y, _ = jax.lax.scan(advance, jnp.zeros_like(x), length=steps)
            return y[-1] if last else jnp.sum(y)

        return jax.jit(jax.grad(function))

    return build


def _torch(steps: int, last: bool) -> Callable[[], Function]:
    def build() -> Function:
        import torch

        change = _shifted(torch.cat, torch.ones_like)

        def gradient(x: Any) -> Any:
            x = x.detach().requires_grad_()
            y = torch.zeros_like(x)
            for _ in range(steps):
                y = _step(change, x, y, END / steps)
            return torch.autograd.grad(y[-1] if last else torch.sum(y), x)[0]

        return gradient

    return build


def _torch_functional(steps: int, last: bool) -> Callable[[], Function]:
    def build() -> Function:
        import torch

        change = _shifted(torch.cat, torch.ones_like)

        def function(x: Any) -> Any:
            y = torch.zeros_like(x)
            for _ in range(steps):
                y = _step(change, x, y, END / steps)
            return y[-1] if last else torch.sum(y)

        return torch.func.grad(function)

    return build


def _autograd(steps: int, last: bool) -> Callable[[], Function]:
    def build() -> Function:
        import autograd
        import autograd.numpy as anp

        change = _shifted(anp.concatenate, lambda head: np.ones(head.shape))

        def function(x: Any) -> Any:
            y = np.zeros(x.shape)
            for _ in range(steps):
                y = _step(change, x, y, END / steps)
            return y[-1] if last else anp.sum(y)

        gradient: Function = autograd.grad(function)
        return gradient

    return build


def _limit(steps: int, last: bool) -> Callable[[Any, tuple[Any, ...]], Callable[[], Any]]:
    def prepare(library: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
        (x,) = inputs
        out = np.empty_like(x)
        states, scratch = np.empty((steps + 1, x.size)), np.empty((10, x.size))
        run = call(library.cascade_gradient, x, x.size, steps, END / steps, int(last), states, scratch, out)

        def invoke() -> Any:
            run()
            return out

        return invoke

    return prepare


def _case(size: int, steps: int, last: bool, **marks: Any) -> Case:
    peers = {"jax": _jax(steps, last), "torch": _torch(steps, last), "autograd": _autograd(steps, last)}
    left_out = {}
    if steps < STEPS:
        peers["torch.compile"] = compiled_by_torch(_torch_functional(steps, last))
    else:
        left_out["torch.compile"] = "it unrolls the loop and compiles for minutes"
    return Case(
        family="ode",
        size=("last-" if last else "") + (str(size) if steps == STEPS else f"{size}x{steps}"),
        inputs=lambda random: (random.uniform(0.5, 1.5, size=size),),
        covector=_covector(steps, last),
        peers=peers,
        limit=_limit(steps, last),
        left_out=left_out,
        **marks,
    )


def cases() -> list[Case]:
    """Three sizes of the gradient of the state's sum; the gradient of the last entry, which mostly underflows."""
    return [
        _case(6, 5, False, small=True),
        _case(6, 5, True, small=True),
        *(_case(size, STEPS, False) for size in SIZES),
        *(_case(size, STEPS, True) for size in SIZES),
    ]
