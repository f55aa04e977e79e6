"""Gradient of a 784-256-128-10 tanh network with softmax cross-entropy in all weights and biases, batch 256."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from .base import TOLERANCE, Case, Compiler, Function, compiled_by_torch

WIDTHS = (784, 256, 128, 10)
BATCH = 256


def loss(parameters: Any, images: Any, labels: Any) -> Any:
    """Mean cross-entropy."""
    hidden = images
    for weights, bias in parameters[:-1]:
        hidden = np.tanh(hidden @ weights + bias)
    weights, bias = parameters[-1]
    scores = hidden @ weights + bias
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    chances = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.mean(chances[np.arange(len(labels)), labels])


def covector_version(jit: Compiler) -> Function:
    """The gradient."""
    import covector

    return jit(covector.grad(loss))


def jax_version() -> Function:
    """With JAX's own log-softmax."""
    import jax
    import jax.numpy as jnp

    def function(parameters: Any, images: Any, labels: Any) -> Any:
        hidden = images
        for weights, bias in parameters[:-1]:
            hidden = jnp.tanh(hidden @ weights + bias)
        weights, bias = parameters[-1]
        chances = jax.nn.log_softmax(hidden @ weights + bias, axis=1)
        return -jnp.mean(chances[jnp.arange(labels.shape[0]), labels])

    return jax.jit(jax.grad(function))


def torch_version() -> Function:
    """With torch's own cross-entropy, differentiated by ``torch.autograd``."""
    import torch

    def gradient(parameters: Any, images: Any, labels: Any) -> Any:
        flat = [value.detach().requires_grad_() for layer in parameters for value in layer]
        hidden = images
        for weights, bias in zip(flat[:-2:2], flat[1:-2:2], strict=True):
            hidden = torch.tanh(hidden @ weights + bias)
        value = torch.nn.functional.cross_entropy(hidden @ flat[-2] + flat[-1], labels)
        return torch.autograd.grad(value, flat)

    return gradient


def torch_functional() -> Function:
    """The same through ``torch.func``, which ``torch.compile`` takes whole."""
    import torch

    def function(parameters: Any, images: Any, labels: Any) -> Any:
        hidden = images
        for weights, bias in parameters[:-1]:
            hidden = torch.tanh(hidden @ weights + bias)
        weights, bias = parameters[-1]
        return torch.nn.functional.cross_entropy(hidden @ weights + bias, labels)

    return torch.func.grad(function)


def autograd_version() -> Function:
    """The same in autograd.numpy."""
    import autograd
    import autograd.numpy as anp

    def function(parameters: Any, images: Any, labels: Any) -> Any:
        hidden = images
        for weights, bias in parameters[:-1]:
            hidden = anp.tanh(anp.dot(hidden, weights) + bias)
        weights, bias = parameters[-1]
        scores = anp.dot(hidden, weights) + bias
        shifted = scores - anp.max(scores, axis=1, keepdims=True)
        chances = shifted - anp.log(anp.sum(anp.exp(shifted), axis=1, keepdims=True))
        return -anp.mean(chances[np.arange(len(labels)), labels])

    gradient: Function = autograd.grad(function)
    return gradient


def _inputs(widths: tuple[int, ...], batch: int, dtype: str) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    def make(random: np.random.Generator) -> tuple[Any, ...]:
        parameters = [
            (
                (random.normal(size=(rows, columns)) / np.sqrt(rows)).astype(dtype),
                (0.1 * random.normal(size=columns)).astype(dtype),
            )
            for rows, columns in pairwise(widths)
        ]
        images = random.uniform(size=(batch, widths[0])).astype(dtype)
        return parameters, images, random.integers(0, widths[-1], size=batch)

    return make


def _case(dtype: str, widths: tuple[int, ...], batch: int, size: str, **marks: Any) -> Case:
    single = dtype == "float32"
    return Case(
        family="mlp",
        size=size,
        inputs=_inputs(widths, batch, dtype),
        covector=covector_version,
        peers={
            "jax": jax_version,
            "torch": torch_version,
            "torch.compile": compiled_by_torch(torch_functional),
            "autograd": autograd_version,
        },
        left_out={"c": "the time is that of matrix products, which nobody writes by hand"},
        tolerance=2e-5 if single else TOLERANCE,
        reason="sums of up to 784 products in single precision, in different orders" if single else "",
        **marks,
    )


def cases() -> list[Case]:
    """The network in both precisions."""
    return [
        _case("float64", (9, 5, 4, 3), 6, "small-float64", small=True),
        _case("float32", (9, 5, 4, 3), 6, "small-float32", small=True),
        _case("float64", WIDTHS, BATCH, "float64"),
        _case("float32", WIDTHS, BATCH, "float32"),
    ]
