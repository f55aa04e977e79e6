"""What the files of this folder share: matrices and columns as operands, and the part of a matrix that SciPy reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.values import shape_of
from ...ops.contraction import mT
from ...ops.linalg import mH, real_dtype
from ..adapter import operand

__all__ = ["STRUCTURES", "as_columns", "as_given", "as_read", "matrices"]


def matrices(x: Any, function: str, check_finite: bool = False, square: bool = True) -> Any:
    """Return `x` as a stack of matrices."""
    x = operand(x, f"scipy.linalg.{function}", check_finite)
    shape = shape_of(x)
    if len(shape) < 2:
        raise ValueError(f"scipy.linalg.{function} expects matrices along the last two axes, got shape {shape}")
    if square and shape[-1] != shape[-2]:
        raise ValueError(f"scipy.linalg.{function} expects square matrices, got shape {shape}")
    return x


def as_columns(b: Any, rows: int, function: str, check_finite: bool = False) -> tuple[Any, bool]:
    """Return right-hand sides as matrices, and whether `b` was a vector."""
    b = np.atleast_1d(operand(b, f"scipy.linalg.{function}", check_finite))
    vector = b.ndim == 1
    b = b.reshape((*b.shape, 1)) if vector else b
    if b.shape[-2] != rows:
        raise ValueError(f"scipy.linalg.{function}: the matrices have {rows} rows, but b has shape {b.shape}")
    return b, vector


def as_given(x: Any, vector: bool) -> Any:
    """Return the solution `x` in the form of its right-hand side."""
    return x.reshape(x.shape[:-1]) if vector else x


STRUCTURES: dict[str | None, str] = {
    None: "general",
    "gen": "general",
    "sym": "symmetric",
    "her": "hermitian",
    "pos": "positive definite",
    **{name: name for name in ("general", "symmetric", "hermitian", "positive definite", "diagonal", "tridiagonal")},
    **{name: name for name in ("upper triangular", "lower triangular", "banded")},
}
"""The values of ``assume_a`` and what they mean."""


def as_read(a: Any, structure: str, lower: bool) -> Any:
    """Return the matrix that SciPy takes `a` for: it reads only what `structure` leaves open."""
    if structure == "diagonal":
        return np.where(np.eye(a.shape[-1], dtype=bool), a, 0)
    if structure == "tridiagonal":
        return np.triu(np.tril(a, 1), -1)
    if structure == "upper triangular":
        return np.triu(a)
    if structure == "lower triangular":
        return np.tril(a)
    if structure in ("symmetric", "hermitian", "positive definite"):
        strict = np.tril(a, -1) if lower else np.triu(a, 1)
        if structure == "symmetric" or a.dtype.kind != "c":
            return (np.tril(a) if lower else np.triu(a)) + mT(strict)
        return strict + mH(strict) + np.real(a) * np.eye(a.shape[-1], dtype=real_dtype(a.dtype))
    return a
