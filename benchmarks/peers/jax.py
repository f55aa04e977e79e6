"""JAX without ``jit``, on the CPU, in float64."""

from __future__ import annotations

import os
from typing import Any

import jax
import numpy as np

from .base import Function, Peer


class Jax(Peer):
    """JAX as it runs op by op; its own library functions are still compiled inside, as shipped."""

    name = "JAX (no jit)"
    version = jax.__version__

    def __init__(self) -> None:
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        self.namespace = jax.numpy
        self.threads = f"NPROC={os.environ.get('NPROC', 'unset')} XLA_FLAGS={os.environ.get('XLA_FLAGS', 'unset')}"
        self.remarks = {}

    def array(self, value: np.ndarray[Any, Any]) -> Any:
        return jax.numpy.asarray(value)

    def wait(self, result: Any) -> Any:
        return jax.block_until_ready(result)

    def grad(self, function: Function) -> Function:
        return jax.grad(function)

    def hvp(self, function: Function) -> Function:
        gradient = jax.grad(function)

        def product(x: Any, v: Any) -> Any:
            return jax.jvp(gradient, (x,), (v,))[1]

        return product

    def jacrev(self, function: Function) -> Function:
        return jax.jacrev(function)

    def jacfwd(self, function: Function) -> Function:
        return jax.jacfwd(function)

    def hessian(self, function: Function) -> Function:
        return jax.hessian(function)

    def example_grads(self, function: Function) -> Function:
        gradient = jax.grad(function)

        def batched(first: Any, *rows: Any) -> Any:
            return jax.vmap(gradient, in_axes=(None, *(0 for _ in rows)))(first, *rows)

        return batched


def connect(threads: int) -> Peer:
    """The library; `threads` reaches it through the environment."""
    return Jax()
