"""Gradient of the loss of a two-layer tanh network over a batch of 32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Workload

_BATCH, _INPUTS, _HIDDEN, _OUTPUTS = 32, 16, 24, 4


def model(np: Any) -> Callable[..., Any]:
    """Mean squared error of tanh(tanh(x W₁ + b₁) W₂ + b₂)."""

    def loss(parameters: Any, x: Any, target: Any) -> Any:
        first, first_bias, second, second_bias = parameters
        hidden = np.tanh(x @ first + first_bias)
        output = np.tanh(hidden @ second + second_bias)
        return np.mean((output - target) ** 2)

    return loss


def backpropagation(parameters: Any, x: Any, target: Any) -> tuple[Any, ...]:
    """The chain rule, layer by layer."""
    first, first_bias, second, second_bias = parameters
    hidden = np.tanh(x @ first + first_bias)
    output = np.tanh(hidden @ second + second_bias)
    outer = (2.0 / output.size) * (output - target) * (1.0 - output * output)
    inner = (outer @ second.T) * (1.0 - hidden * hidden)
    return x.T @ inner, inner.sum(axis=0), hidden.T @ outer, outer.sum(axis=0)


def _inputs(random: np.random.Generator) -> tuple[Any, ...]:
    parameters = (
        random.normal(size=(_INPUTS, _HIDDEN)) / np.sqrt(_INPUTS),
        random.normal(size=_HIDDEN),
        random.normal(size=(_HIDDEN, _OUTPUTS)) / np.sqrt(_HIDDEN),
        random.normal(size=_OUTPUTS),
    )
    return parameters, random.normal(size=(_BATCH, _INPUTS)), random.normal(size=(_BATCH, _OUTPUTS))


def workloads() -> list[Workload]:
    """A single row; its size is the number of parameters."""
    size = _INPUTS * _HIDDEN + _HIDDEN + _HIDDEN * _OUTPUTS + _OUTPUTS
    return [Workload("grad of a tanh network, batch 32", size, "grad", model, _inputs, backpropagation)]
