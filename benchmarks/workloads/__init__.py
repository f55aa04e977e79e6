"""The models that are differentiated, one per file."""

from __future__ import annotations

from . import likelihood, logsumexp, mapping, network, per_example, rosenbrock
from .base import Workload


def all_workloads() -> list[Workload]:
    """Every workload, in the order of the table."""
    modules = (logsumexp, network, rosenbrock, mapping, per_example, likelihood)
    return [workload for module in modules for workload in module.workloads()]


__all__ = ["Workload", "all_workloads"]
