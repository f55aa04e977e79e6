"""The Rosenbrock function: value with gradient, and the product of its Hessian with a vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..limit import call
from .base import Case, Compiler, Function, compiled_by_torch

SIZES = (1_000, 1_000_000)


def rosenbrock(x: Any) -> Any:
    """Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²."""
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def covector_gradient(jit: Compiler) -> Function:
    """``x -> (value, gradient)``."""
    import covector

    return jit(covector.value_and_grad(rosenbrock))


def covector_product(jit: Compiler) -> Function:
    """``x, v -> H(x) v``."""
    import covector

    def product(x: Any, v: Any) -> Any:
        return covector.hvp(rosenbrock, (x,), (v,))[1][0]

    return jit(product)


def _in(namespace: Any) -> Function:
    def function(x: Any) -> Any:
        return namespace.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return function


def jax_gradient() -> Function:
    """The same in jax.numpy."""
    import jax

    return jax.jit(jax.value_and_grad(_in(jax.numpy)))


def jax_product() -> Function:
    """Forward over reverse, as JAX's documentation does it."""
    import jax

    gradient = jax.grad(_in(jax.numpy))
    return jax.jit(lambda x, v: jax.jvp(gradient, (x,), (v,))[1])


def torch_gradient() -> Function:
    """The same in torch, with the value first."""
    import torch

    both = torch.func.grad_and_value(_in(torch))

    def value_first(x: Any) -> Any:
        gradient, value = both(x)
        return value, gradient

    return value_first


def torch_product() -> Function:
    """Forward over reverse."""
    import torch

    gradient = torch.func.grad(_in(torch))
    return lambda x, v: torch.func.jvp(gradient, (x,), (v,))[1]


def autograd_gradient() -> Function:
    """The same in autograd.numpy."""
    import autograd
    import autograd.numpy

    both: Function = autograd.value_and_grad(_in(autograd.numpy))
    return both


def autograd_product() -> Function:
    """autograd's own operator."""
    import autograd.numpy
    from autograd.differential_operators import hessian_vector_product

    product: Function = hessian_vector_product(_in(autograd.numpy))
    return product


def limit_gradient(library: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
    """One pass in C."""
    (x,) = inputs
    value, gradient = np.empty(()), np.empty_like(x)
    run = call(library.rosenbrock_gradient, x, x.size, value, gradient)

    def invoke() -> Any:
        run()
        return value, gradient

    return invoke


def limit_product(library: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
    """The tridiagonal product in C."""
    x, v = inputs
    out = np.empty_like(x)
    run = call(library.rosenbrock_product, x, v, x.size, out)

    def invoke() -> Any:
        run()
        return out

    return invoke


def _cases(size: int, **marks: Any) -> list[Case]:
    return [
        Case(
            family="rosenbrock",
            size=f"gradient-{size}",
            inputs=lambda random: (random.normal(size=size),),
            covector=covector_gradient,
            peers={
                "jax": jax_gradient,
                "torch": torch_gradient,
                "torch.compile": compiled_by_torch(torch_gradient),
                "autograd": autograd_gradient,
            },
            limit=limit_gradient,
            **marks,
        ),
        Case(
            family="rosenbrock",
            size=f"hvp-{size}",
            inputs=lambda random: (random.normal(size=size), random.normal(size=size)),
            covector=covector_product,
            peers={
                "jax": jax_product,
                "torch": torch_product,
                "torch.compile": compiled_by_torch(torch_product),
                "autograd": autograd_product,
            },
            limit=limit_product,
            **marks,
        ),
    ]


def cases() -> list[Case]:
    """Two sizes of either."""
    return [*_cases(40, small=True), *(case for size in SIZES for case in _cases(size))]
