"""covector on plain NumPy functions."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

import covector

from .base import Function, Peer


class Covector(Peer):
    """The library under test; its namespace is NumPy itself."""

    name = "covector"
    version = covector.__version__
    namespace = np

    def __init__(self) -> None:
        self.threads = f"OPENBLAS_NUM_THREADS={os.environ.get('OPENBLAS_NUM_THREADS', 'unset')}"
        self.remarks = {}

    def array(self, value: np.ndarray[Any, Any]) -> Any:
        return value.copy()

    def grad(self, function: Function) -> Function:
        return covector.grad(function)

    def hvp(self, function: Function) -> Function:
        def product(x: Any, v: Any) -> Any:
            return covector.hvp(function, (x,), (v,))[1][0]

        return product

    def jacrev(self, function: Function) -> Function:
        return covector.jacrev(function)

    def jacfwd(self, function: Function) -> Function:
        return covector.jacfwd(function)

    def hessian(self, function: Function) -> Function:
        return covector.hessian(function)

    def example_grads(self, function: Function) -> Function:
        gradient = covector.grad(function)

        def batched(first: Any, *rows: Any) -> Any:
            return covector.vmap(gradient, in_axes=(None, *(0 for _ in rows)))(first, *rows)

        return batched


def connect(threads: int) -> Peer:
    """The library; `threads` reaches it through the environment, by way of NumPy's BLAS."""
    return Covector()
