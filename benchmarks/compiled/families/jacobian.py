"""Jacobians of a dense map from 50 to 50 and of a tridiagonal map from 2,000 to 2,000."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..limit import call
from .base import Case, Compiler, Function, compiled_by_torch

DENSE = 50
BAND = 2_000


def dense(x: Any, weights: Any) -> Any:
    """tanh(W x)."""
    return np.tanh(weights @ x)


def tridiagonal(x: Any) -> Any:
    """Broyden's system: (3 − 2 xᵢ) xᵢ − xᵢ₋₁ − 2 xᵢ₊₁ + 1."""
    result = (3.0 - 2.0 * x) * x + 1.0
    result[1:] -= x[:-1]
    result[:-1] -= 2.0 * x[1:]
    return result


def _dense_in(namespace: Any) -> Function:
    return lambda x, weights: namespace.tanh(weights @ x)


def _tridiagonal_in(namespace: Any) -> Function:
    def function(x: Any) -> Any:
        end = namespace.zeros_like(x[:1])
        before, after = namespace.concatenate((end, x[:-1])), namespace.concatenate((x[1:], end))
        return (3.0 - 2.0 * x) * x - before - 2.0 * after + 1.0

    return function


def _covector(function: Function, mode: str) -> Callable[[Compiler], Function]:
    def build(jit: Compiler) -> Function:
        import covector

        return jit(getattr(covector, mode)(function))

    return build


def _jax(make: Callable[[Any], Function], mode: str) -> Callable[[], Function]:
    def build() -> Function:
        import jax

        return jax.jit(getattr(jax, mode)(make(jax.numpy)))

    return build


def _torch(make: Callable[[Any], Function], mode: str) -> Callable[[], Function]:
    def build() -> Function:
        import torch

        function: Function = getattr(torch.func, mode)(make(torch))
        return function

    return build


def _autograd(make: Callable[[Any], Function]) -> Callable[[], Function]:
    def build() -> Function:
        import autograd
        import autograd.numpy

        jacobian: Function = autograd.jacobian(make(autograd.numpy))
        return jacobian

    return build


def limit_dense(library: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
    """(1 − tanh²) W in C."""
    x, weights = inputs
    out = np.empty_like(weights)
    run = call(library.dense_jacobian, x, weights, x.size, out)

    def invoke() -> Any:
        run()
        return out

    return invoke


def limit_tridiagonal(library: Any, inputs: tuple[Any, ...]) -> Callable[[], Any]:
    """Zeros and three diagonals in C."""
    (x,) = inputs
    out = np.empty((x.size, x.size))
    run = call(library.tridiagonal_jacobian, x, x.size, out)

    def invoke() -> Any:
        run()
        return out

    return invoke


def _dense_inputs(size: int) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    return lambda random: (random.normal(size=size), random.normal(size=(size, size)) / np.sqrt(size))


def _case(kind: str, size: int, mode: str, **marks: Any) -> Case:
    function, make = (dense, _dense_in) if kind == "dense" else (tridiagonal, _tridiagonal_in)
    torch_version = _torch(make, mode)
    peers = {
        "jax": _jax(make, mode),
        "torch": torch_version,
        "torch.compile": compiled_by_torch(torch_version),
    }
    left_out = {}
    if mode == "jacrev" and kind == "dense":
        peers["autograd"] = _autograd(make)
    else:
        left_out["autograd"] = "it has no jacfwd, and its jacobian is a Python loop over the rows"
    return Case(
        family="jacobian",
        size=f"{kind}-{mode}-{size}",
        inputs=_dense_inputs(size) if kind == "dense" else lambda random: (random.normal(size=size),),
        covector=_covector(function, mode),
        peers=peers,
        limit=limit_dense if kind == "dense" else limit_tridiagonal,
        left_out=left_out,
        **marks,
    )


def cases() -> list[Case]:
    """Either map in either mode."""
    modes = ("jacrev", "jacfwd")
    return [
        *(_case(kind, 7, mode, small=True) for kind in ("dense", "tridiagonal") for mode in modes),
        *(_case("dense", DENSE, mode) for mode in modes),
        *(_case("tridiagonal", BAND, mode) for mode in modes),
    ]
