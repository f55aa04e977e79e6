"""Jacobians of a map from 50 numbers to 50 numbers, in both modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Workload

_SIZE = 50


def model(np: Any) -> Callable[..., Any]:
    """tanh(A x) + sin(x)·x: a dense part and an elementwise part."""

    def mapping(x: Any, matrix: Any) -> Any:
        return np.tanh(matrix @ x) + np.sin(x) * x

    return mapping


def jacobian(x: Any, matrix: Any) -> Any:
    """diag(1 − tanh²(A x)) A + diag(x cos x + sin x)."""
    level = np.tanh(matrix @ x)
    result = (1.0 - level * level)[:, None] * matrix
    result[np.diag_indices(x.size)] += x * np.cos(x) + np.sin(x)
    return result


def workloads() -> list[Workload]:
    """One row per mode."""

    def inputs(random: np.random.Generator) -> tuple[Any, ...]:
        return random.normal(size=_SIZE), random.normal(size=(_SIZE, _SIZE)) / np.sqrt(_SIZE)

    return [
        Workload(f"{mode} of a {_SIZE} to {_SIZE} map", _SIZE, mode, model, inputs, jacobian)
        for mode in ("jacrev", "jacfwd")
    ]
