"""Gradient of logsumexp: a handful of operations, from 10 to a million elements."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Workload

_SIZES = (10, 1_000, 100_000, 1_000_000)


def model(np: Any) -> Callable[[Any], Any]:
    """log Σ exp(x), shifted by the largest element so that it cannot overflow."""

    def logsumexp(x: Any) -> Any:
        top = np.max(x)
        return top + np.log(np.sum(np.exp(x - top)))

    return logsumexp


def softmax(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The gradient, exp(x) / Σ exp(x) with the same shift."""
    weights = np.exp(x - np.max(x))
    return weights / np.sum(weights)


def _torch(torch: Any) -> Callable[[Any], Any]:
    return lambda x: torch.logsumexp(x, 0)


def _jax(_: Any) -> Callable[[Any], Any]:
    function: Callable[[Any], Any] = importlib.import_module("jax.nn").logsumexp
    return function


def _autograd(_: Any) -> Callable[[Any], Any]:
    function: Callable[[Any], Any] = importlib.import_module("autograd.scipy.special").logsumexp
    return function


def _workload(size: int) -> Workload:
    return Workload(
        name="grad of logsumexp",
        size=size,
        operator="grad",
        model=model,
        inputs=lambda random: (random.normal(size=size),),
        handwritten=softmax,
        builtin={
            "torch.func": ("torch.logsumexp", _torch),
            "autograd": ("autograd.scipy.special.logsumexp", _autograd),
            "JAX (no jit)": ("jax.nn.logsumexp", _jax),
        },
    )


def workloads() -> list[Workload]:
    """One row per size."""
    return [_workload(size) for size in _SIZES]
