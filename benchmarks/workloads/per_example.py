"""Per-example gradients: ``vmap(grad(loss))`` over a thousand examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Workload

_EXAMPLES, _FEATURES, _INPUTS, _HIDDEN = 1_000, 4, 10, 8


def logistic(np: Any) -> Callable[..., Any]:
    """Logistic loss of one example under a linear score."""

    def loss(weights: Any, x: Any, label: Any) -> Any:
        return np.log1p(np.exp(-label * (x @ weights)))

    return loss


def logistic_gradients(weights: Any, x: Any, label: Any) -> Any:
    """The chain rule for all examples at once: shape (examples, features)."""
    return x * (-label / (1.0 + np.exp(label * (x @ weights))))[:, None]


def network(np: Any) -> Callable[..., Any]:
    """Logistic loss of one example under a sum of tanh units."""

    def loss(weights: Any, x: Any, label: Any) -> Any:
        score = np.sum(np.tanh(x @ weights))
        return np.log1p(np.exp(-label * score))

    return loss


def network_gradients(weights: Any, x: Any, label: Any) -> Any:
    """The chain rule for all examples at once: shape (examples, inputs, units)."""
    hidden = np.tanh(x @ weights)
    factor = -label / (1.0 + np.exp(label * hidden.sum(axis=1)))
    return x[:, :, None] * (factor[:, None] * (1.0 - hidden * hidden))[:, None, :]


def _inputs(random: np.random.Generator, *shape: int) -> tuple[Any, ...]:
    weights = random.normal(size=shape) / np.sqrt(shape[0])
    return weights, random.normal(size=(_EXAMPLES, shape[0])), random.choice([-1.0, 1.0], size=_EXAMPLES)


def workloads() -> list[Workload]:
    """A loss of a few scalar operations, and one whose result is large enough for arithmetic to decide."""
    return [
        Workload(
            "vmap(grad) of a logistic loss",
            _EXAMPLES,
            "example_grads",
            logistic,
            lambda random: _inputs(random, _FEATURES),
            logistic_gradients,
        ),
        Workload(
            "vmap(grad) of a tanh network",
            _EXAMPLES * _INPUTS * _HIDDEN,
            "example_grads",
            network,
            lambda random: _inputs(random, _INPUTS, _HIDDEN),
            network_gradients,
        ),
    ]
