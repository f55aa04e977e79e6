"""Negative log marginal likelihood of a Gaussian process with its gradient in three hyper-parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Case, Compiler, Function, compiled_by_torch

SIZE = 500
DIMENSIONS = 3


def covariance(theta: Any, x: Any) -> Any:
    """Squared exponentials of the distances, and noise; `theta` holds logarithms."""
    length, scale, noise = np.exp(theta)
    squares = np.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=-1)
    return scale**2 * np.exp(-0.5 * squares / length**2) + noise**2 * np.eye(len(x))


def likelihood(theta: Any, x: Any, y: Any) -> Any:
    """With ``numpy.linalg``."""
    factor = np.linalg.cholesky(covariance(theta, x))
    white = np.linalg.solve(factor, y)
    return 0.5 * white @ white + np.sum(np.log(np.diagonal(factor))) + 0.5 * len(y) * np.log(2.0 * np.pi)


def covector_numpy(jit: Compiler) -> Function:
    """Value and gradient of `likelihood`."""
    import covector

    return jit(covector.value_and_grad(likelihood))


def covector_scipy(jit: Compiler) -> Function:
    """The same with SciPy's Cholesky solver."""
    import covector
    from covector.scipy import linalg

    def function(theta: Any, x: Any, y: Any) -> Any:
        factor, lower = linalg.cho_factor(covariance(theta, x), lower=True)
        fit = 0.5 * y @ linalg.cho_solve((factor, lower), y)
        return fit + np.sum(np.log(np.diagonal(factor))) + 0.5 * len(y) * np.log(2.0 * np.pi)

    return jit(covector.value_and_grad(function))


def jax_version() -> Function:
    """With JAX's Cholesky solver."""
    import jax
    import jax.numpy as jnp

    def function(theta: Any, x: Any, y: Any) -> Any:
        length, scale, noise = jnp.exp(theta)
        squares = jnp.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=-1)
        matrix = scale**2 * jnp.exp(-0.5 * squares / length**2) + noise**2 * jnp.eye(x.shape[0])
        factor = jnp.linalg.cholesky(matrix)
        fit = 0.5 * y @ jax.scipy.linalg.cho_solve((factor, True), y)
        return fit + jnp.sum(jnp.log(jnp.diagonal(factor))) + 0.5 * y.shape[0] * jnp.log(2.0 * jnp.pi)

    return jax.jit(jax.value_and_grad(function))


def torch_version() -> Function:
    """With torch's Cholesky solver."""
    import torch

    def function(theta: Any, x: Any, y: Any) -> Any:
        length, scale, noise = torch.exp(theta)
        squares = torch.sum((x[:, None, :] - x[None, :, :]) ** 2, -1)
        eye = torch.eye(len(x), dtype=x.dtype)
        factor = torch.linalg.cholesky(scale**2 * torch.exp(-0.5 * squares / length**2) + noise**2 * eye)
        fit = 0.5 * torch.dot(y, torch.cholesky_solve(y[:, None], factor)[:, 0])
        return fit + torch.sum(torch.log(torch.diagonal(factor))) + 0.5 * len(y) * np.log(2.0 * np.pi)

    both = torch.func.grad_and_value(function)

    def value_first(theta: Any, x: Any, y: Any) -> Any:
        gradient, value = both(theta, x, y)
        return value, gradient

    return value_first


def autograd_version() -> Function:
    """With ``autograd.numpy.linalg``."""
    import autograd
    import autograd.numpy as anp

    def function(theta: Any, x: Any, y: Any) -> Any:
        length, scale, noise = anp.exp(theta)
        squares = anp.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=-1)
        matrix = scale**2 * anp.exp(-0.5 * squares / length**2) + noise**2 * anp.eye(len(x))
        factor = anp.linalg.cholesky(matrix)
        white = anp.linalg.solve(factor, y)
        fit = 0.5 * anp.dot(white, white)
        return fit + anp.sum(anp.log(anp.diag(factor))) + 0.5 * len(y) * np.log(2.0 * np.pi)

    both: Function = autograd.value_and_grad(function)
    return both


def _case(size: int, version: Callable[[Compiler], Function], words: str, **marks: Any) -> Case:
    def inputs(random: np.random.Generator) -> tuple[Any, ...]:
        x = random.normal(size=(size, DIMENSIONS))
        return np.log(np.array([0.8, 1.5, 0.3])), x, np.sin(x[:, 0]) + 0.3 * random.normal(size=size)

    return Case(
        family="gp",
        size=f"{words}{size}",
        inputs=inputs,
        covector=version,
        peers={
            "jax": jax_version,
            "torch": torch_version,
            "torch.compile": compiled_by_torch(torch_version),
            "autograd": autograd_version,
        },
        left_out={"c": "the time is that of LAPACK, which nobody writes by hand"},
        **marks,
    )


def cases() -> list[Case]:
    """500 points, with the functions of NumPy and with those of SciPy."""
    return [
        _case(12, covector_numpy, "", small=True),
        _case(12, covector_scipy, "scipy-", small=True),
        _case(SIZE, covector_numpy, ""),
        _case(SIZE, covector_scipy, "scipy-"),
    ]
