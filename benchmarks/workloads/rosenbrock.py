"""Hessian-vector product of the Rosenbrock function in 100 dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Workload

_SIZE = 100


def model(np: Any) -> Callable[[Any], Any]:
    """Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²."""

    def rosenbrock(x: Any) -> Any:
        return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    return rosenbrock


def tridiagonal(x: Any, v: Any) -> Any:
    """The product with the tridiagonal Hessian: diagonal 1200 xᵢ² − 400 xᵢ₊₁ + 2 and 200, off-diagonal −400 xᵢ."""
    head, tail, head_v, tail_v = x[:-1], x[1:], v[:-1], v[1:]
    beside = -400.0 * head
    result = np.zeros_like(x)
    result[:-1] = (1200.0 * head * head - 400.0 * tail + 2.0) * head_v + beside * tail_v
    result[1:] += 200.0 * tail_v + beside * head_v
    return result


def workloads() -> list[Workload]:
    """A single row."""

    def inputs(random: np.random.Generator) -> tuple[Any, ...]:
        return random.normal(size=_SIZE), random.normal(size=_SIZE)

    return [Workload("Hessian-vector product of Rosenbrock", _SIZE, "hvp", model, inputs, tridiagonal)]
