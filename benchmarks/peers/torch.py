"""torch.func, on the CPU, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.func

from .base import Function, Peer


class Torch(Peer):
    """The functional transforms of PyTorch."""

    name = "torch.func"
    version = torch.__version__
    namespace = torch

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        self.threads = f"torch.get_num_threads()={torch.get_num_threads()}"
        self.remarks = {}

    def array(self, value: np.ndarray[Any, Any]) -> Any:
        return torch.from_numpy(value.copy())

    def grad(self, function: Function) -> Function:
        return torch.func.grad(function)

    def hvp(self, function: Function) -> Function:
        gradient = torch.func.grad(function)

        def product(x: Any, v: Any) -> Any:
            return torch.func.jvp(gradient, (x,), (v,))[1]

        return product

    def jacrev(self, function: Function) -> Function:
        return torch.func.jacrev(function)

    def jacfwd(self, function: Function) -> Function:
        return torch.func.jacfwd(function)

    def hessian(self, function: Function) -> Function:
        return torch.func.hessian(function)

    def example_grads(self, function: Function) -> Function:
        gradient = torch.func.grad(function)

        def batched(first: Any, *rows: Any) -> Any:
            return torch.func.vmap(gradient, in_dims=(None, *(0 for _ in rows)))(first, *rows)

        return batched


def connect(threads: int) -> Peer:
    """The library, told to use `threads` threads."""
    return Torch(threads)
