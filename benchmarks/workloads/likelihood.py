"""Hessian of the log-likelihood of a logistic regression with 20 parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Workload

_OBSERVATIONS, _PARAMETERS = 200, 20


def model(np: Any) -> Callable[..., Any]:
    """−Σ log p(sᵢ | xᵢ) for signs sᵢ = ±1."""

    def negative_log_likelihood(parameters: Any, design: Any, sign: Any) -> Any:
        return np.sum(np.log1p(np.exp(-sign * (design @ parameters))))

    return negative_log_likelihood


def information(parameters: Any, design: Any, sign: Any) -> Any:
    """Xᵀ diag(p (1 − p)) X."""
    probability = 1.0 / (1.0 + np.exp(-sign * (design @ parameters)))
    return (design.T * (probability * (1.0 - probability))) @ design


def _inputs(random: np.random.Generator) -> tuple[Any, ...]:
    design = random.normal(size=(_OBSERVATIONS, _PARAMETERS))
    return random.normal(size=_PARAMETERS) / 4.0, design, random.choice([-1.0, 1.0], size=_OBSERVATIONS)


def workloads() -> list[Workload]:
    """A single row; its size is the number of parameters."""
    return [Workload("Hessian of a 20-parameter likelihood", _PARAMETERS, "hessian", model, _inputs, information)]
