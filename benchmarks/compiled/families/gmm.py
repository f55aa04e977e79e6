"""Gradient of the log-likelihood of a Gaussian mixture with full covariances and a Wishart prior.

The objective is that of Šrajer, Kukelova, Fitzgibbon, "A benchmark of selected algorithmic differentiation tools on
some problems in computer vision and machine learning" (2018), without the prior's constant.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from ..limit import call
from .base import Case, Compiler, Function, compiled_by_torch

SIZES = ((2, 5), (10, 25), (20, 50), (64, 100))
POINTS = 1_000


def logsumexp(x: Any) -> Any:
    """log Σ exp along the last axis."""
    top = np.max(x, axis=-1, keepdims=True)
    return top[..., 0] + np.log(np.sum(np.exp(x - top), axis=-1))


def below_diagonal(d: int) -> tuple[Any, Any]:
    """Rows and columns of the strict lower triangle, column by column."""
    columns, rows = np.triu_indices(d, 1)
    return rows, columns


def log_likelihood(alphas: Any, means: Any, diagonals: Any, lower: Any, x: Any) -> Any:
    """The likelihood of the rows of `x`, with the prior."""
    n, d = x.shape
    factors = np.zeros_like(lower, shape=(len(alphas), d, d))
    rows, columns = below_diagonal(d)
    factors[:, rows, columns] = lower
    factors[:, np.arange(d), np.arange(d)] = np.exp(diagonals)
    centred = x[:, None, :] - means
    whitened = np.einsum("kij,nkj->nki", factors, centred)
    scores = alphas + np.sum(diagonals, axis=1) - 0.5 * np.sum(whitened**2, axis=2)
    prior = -0.5 * (np.sum(np.exp(2.0 * diagonals)) + np.sum(lower**2))
    return -0.5 * n * d * np.log(2.0 * np.pi) - n * logsumexp(alphas) + np.sum(logsumexp(scores)) + prior


def covector_version(jit: Compiler) -> Function:
    """The gradient in the four parameters."""
    import covector

    return jit(covector.grad(log_likelihood, argnums=(0, 1, 2, 3)))


def jax_version() -> Function:
    """The same in jax.numpy."""
    import jax
    import jax.numpy as jnp

    def function(alphas: Any, means: Any, diagonals: Any, lower: Any, x: Any) -> Any:
        n, d = x.shape
        rows, columns = below_diagonal(d)
        factors = jnp.zeros((alphas.shape[0], d, d)).at[:, rows, columns].set(lower)
        factors = factors.at[:, jnp.arange(d), jnp.arange(d)].set(jnp.exp(diagonals))
        centred = x[:, None, :] - means
        whitened = jnp.einsum("kij,nkj->nki", factors, centred)
        scores = alphas + jnp.sum(diagonals, axis=1) - 0.5 * jnp.sum(whitened**2, axis=2)
        prior = -0.5 * (jnp.sum(jnp.exp(2.0 * diagonals)) + jnp.sum(lower**2))
        mixture = jnp.sum(jax.nn.logsumexp(scores, axis=1)) - n * jax.nn.logsumexp(alphas)
        return -0.5 * n * d * np.log(2.0 * np.pi) + mixture + prior

    return jax.jit(jax.grad(function, argnums=(0, 1, 2, 3)))


def _torch_objective() -> Function:
    import torch

    def function(alphas: Any, means: Any, diagonals: Any, lower: Any, x: Any) -> Any:
        n, d = x.shape
        rows, columns = map(torch.from_numpy, below_diagonal(d))
        factors = torch.diag_embed(torch.exp(diagonals))
        factors = factors.index_put((torch.arange(len(alphas))[:, None], rows, columns), lower)
        centred = x[:, None, :] - means
        whitened = torch.einsum("kij,nkj->nki", factors, centred)
        scores = alphas + torch.sum(diagonals, 1) - 0.5 * torch.sum(whitened**2, 2)
        prior = -0.5 * (torch.sum(torch.exp(2.0 * diagonals)) + torch.sum(lower**2))
        mixture = torch.sum(torch.logsumexp(scores, 1)) - n * torch.logsumexp(alphas, 0)
        return -0.5 * n * d * np.log(2.0 * np.pi) + mixture + prior

    return function


def torch_version() -> Function:
    """The same in torch."""
    import torch

    return torch.func.grad(_torch_objective(), argnums=(0, 1, 2, 3))


def autograd_version() -> Function:
    """The same in autograd.numpy, which cannot write into arrays: the factors are gathered."""
    import autograd
    import autograd.numpy as anp

    def lse(x: Any) -> Any:
        top = anp.max(x, axis=-1, keepdims=True)
        return top[..., 0] + anp.log(anp.sum(anp.exp(x - top), axis=-1))

    def function(alphas: Any, means: Any, diagonals: Any, lower: Any, x: Any) -> Any:
        n, d = x.shape
        places = np.zeros((d, d), dtype=int)
        places[below_diagonal(d)] = 1 + np.arange(lower.shape[1])
        padded = anp.concatenate((np.zeros((len(alphas), 1)), lower), axis=1)
        factors = padded[:, places] + anp.exp(diagonals)[:, :, None] * np.eye(d)
        centred = x[:, None, :] - means
        whitened = anp.einsum("kij,nkj->nki", factors, centred)
        scores = alphas + anp.sum(diagonals, axis=1) - 0.5 * anp.sum(whitened**2, axis=2)
        prior = -0.5 * (anp.sum(anp.exp(2.0 * diagonals)) + anp.sum(lower**2))
        return -0.5 * n * d * np.log(2.0 * np.pi) - n * lse(alphas) + anp.sum(lse(scores)) + prior

    gradient: Function = autograd.grad(function, argnum=(0, 1, 2, 3))
    return gradient


def limit(library: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
    """Two passes over the components for each point, in C."""
    alphas, means, diagonals, lower, x = inputs
    (n, d), k = x.shape, len(alphas)
    out = tuple(np.empty_like(value) for value in (alphas, means, diagonals, lower))
    scratch = np.empty(k + k * d + (os.cpu_count() or 1) * 2 * k * (d + 1))
    run = call(library.gmm_gradient, n, d, k, alphas, means, diagonals, lower, x, *out, scratch)

    def invoke() -> Any:
        run()
        return out

    return invoke


def _case(d: int, k: int, n: int, **marks: Any) -> Case:
    def inputs(random: np.random.Generator) -> tuple[Any, ...]:
        return (
            random.normal(size=k),
            random.uniform(size=(k, d)),
            random.normal(size=(k, d)),
            random.normal(size=(k, d * (d - 1) // 2)),
            random.normal(size=(n, d)),
        )

    return Case(
        family="gmm",
        size=f"{d}x{k}" if n == POINTS else f"{d}x{k}x{n}",
        inputs=inputs,
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
    """Four sizes (dimensions x components) with 1,000 points."""
    return [_case(3, 4, 7, small=True), *(_case(d, k, POINTS) for d, k in SIZES)]
