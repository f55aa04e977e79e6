"""Matrices to try things on, and calls with traced arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import covector as cv

__all__ = ["band", "general", "hermitian", "leaves", "traced"]


def general(*shape: int, dtype: Any = float, seed: int = 0) -> Any:
    """Matrices (or vectors) with spread singular values and eigenvalues."""
    rng = np.random.default_rng(seed + sum(shape))
    x = rng.uniform(-0.6, 0.6, shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.uniform(-0.6, 0.6, shape)
    if len(shape) > 1:
        x = x + np.eye(*shape[-2:]) * np.arange(1, shape[-1] + 1)
    return x.astype(dtype)


def hermitian(*shape: int, dtype: Any = float, seed: int = 0) -> Any:
    x = general(*shape, dtype=dtype, seed=seed)
    return (x + np.conj(np.swapaxes(x, -1, -2))) / 2 + np.eye(shape[-1], dtype=dtype)


def band(rows: int, n: int, main: int, dtype: Any = float) -> Any:
    ab = general(rows * n, dtype=dtype).reshape(rows, n)
    ab[main] += np.arange(3, n + 3)
    return ab


def leaves(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, tuple | list) else (x,)


def traced(fun: Callable[..., Any], *args: Any) -> tuple[Any, ...]:
    """Return the values of ``fun(*args)`` computed on traced arguments."""
    return tuple(cv.vjp(lambda *xs: list(leaves(fun(*xs))), *args)[0])
