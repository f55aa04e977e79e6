"""HIPS autograd."""

from __future__ import annotations

import importlib.metadata
import os
from typing import Any

import autograd
import autograd.differential_operators as operators
import autograd.numpy
import numpy as np

from .base import Function, Peer


class Autograd(Peer):
    """autograd, which has no ``vmap`` and no forward-mode Jacobian: those are loops, and say so."""

    name = "autograd"
    version = importlib.metadata.version("autograd")
    namespace = autograd.numpy

    def __init__(self) -> None:
        self.threads = f"OPENBLAS_NUM_THREADS={os.environ.get('OPENBLAS_NUM_THREADS', 'unset')}"
        self.remarks = {
            "jacfwd": "autograd has no jacfwd: a Python loop of make_jvp over the unit vectors",
            "example_grads": "autograd has no vmap: a Python loop of grad over the examples",
        }

    def array(self, value: np.ndarray[Any, Any]) -> Any:
        return value.copy()

    def grad(self, function: Function) -> Function:
        return autograd.grad(function)

    def hvp(self, function: Function) -> Function:
        return operators.hessian_vector_product(function)

    def jacrev(self, function: Function) -> Function:
        return autograd.jacobian(function)

    def jacfwd(self, function: Function) -> Function:
        forward = operators.make_jvp(function)

        def columns(x: Any, *constants: Any) -> Any:
            push = forward(x, *constants)
            return np.stack([push(unit)[1] for unit in np.eye(x.size)], axis=-1)

        return columns

    def hessian(self, function: Function) -> Function:
        return autograd.hessian(function)

    def example_grads(self, function: Function) -> Function:
        gradient = autograd.grad(function)

        def looped(first: Any, *rows: Any) -> Any:
            return np.stack([gradient(first, *row) for row in zip(*rows, strict=True)])

        return looped


def connect(threads: int) -> Peer:
    """The library; `threads` reaches it through the environment, by way of NumPy's BLAS."""
    return Autograd()
