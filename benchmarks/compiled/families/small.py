"""A small function: what a call costs when there is next to nothing to compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .base import Case, Compiler, Function, compiled_by_torch

SIZES = (3, 30)
LEAVES = 10


def bump(x: Any) -> Any:
    """Σ sin(x) exp(−x²)."""
    return np.sum(np.sin(x) * np.exp(-(x**2)))


def bumps(parameters: Any) -> Any:
    """The same, summed over the arrays of a dict."""
    return sum(bump(x) for x in parameters.values())


def _in(namespace: Any) -> tuple[Function, Function]:
    def one(x: Any) -> Any:
        return namespace.sum(namespace.sin(x) * namespace.exp(-(x**2)))

    def many(parameters: Any) -> Any:
        return sum(one(x) for x in parameters.values())

    return one, many


def _covector(tree: bool, derivative: bool) -> Callable[[Compiler], Function]:
    def build(jit: Compiler) -> Function:
        import covector

        function = bumps if tree else bump
        return jit(covector.grad(function) if derivative else function)

    return build


def _jax(tree: bool, derivative: bool) -> Callable[[], Function]:
    def build() -> Function:
        import jax

        function = _in(jax.numpy)[tree]
        return jax.jit(jax.grad(function) if derivative else function)

    return build


def _torch(tree: bool, derivative: bool) -> Callable[[], Function]:
    def build() -> Function:
        import torch

        function = _in(torch)[tree]
        return torch.func.grad(function) if derivative else function

    return build


def _autograd(tree: bool, derivative: bool) -> Callable[[], Function]:
    def build() -> Function:
        import autograd
        import autograd.numpy

        function = _in(autograd.numpy)[tree]
        gradient: Function = autograd.grad(function) if derivative else function
        return gradient

    return build


def _inputs(size: int, tree: bool) -> Callable[[np.random.Generator], tuple[Any, ...]]:
    def make(random: np.random.Generator) -> tuple[Any, ...]:
        if tree:
            return ({f"p{index}": random.normal(size=size) for index in range(LEAVES)},)
        return (random.normal(size=size),)

    return make


def _case(size: int, tree: bool, derivative: bool) -> Case:
    words = ("grad " if derivative else "value ") + (f"{LEAVES}x{size}" if tree else str(size))
    torch_version = _torch(tree, derivative)
    return Case(
        family="small",
        size=words.replace(" ", "-"),
        inputs=_inputs(size, tree),
        covector=_covector(tree, derivative),
        peers={
            "jax": _jax(tree, derivative),
            "torch": torch_version,
            "torch.compile": compiled_by_torch(torch_version),
            "autograd": _autograd(tree, derivative),
        },
        left_out={"c": "there is nothing to compute"},
    )


def cases() -> list[Case]:
    """Value and gradient, of an array and of a dict of ten."""
    return [_case(size, tree, derivative) for tree in (False, True) for size in SIZES for derivative in (False, True)]
