"""Matrix products by BLAS."""

from __future__ import annotations

from typing import Any

from .definitions import Dot

__all__ = ["dot_call"]


def dot_call(b: Any, x: Any, y: Any, spec: Any, sizes: dict[int, int]) -> Dot | None:
    """Return the step that computes a contraction by BLAS; None where BLAS does not have it."""
    return None
