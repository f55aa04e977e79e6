"""Numbers that stand for sequences of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["scrambled"]


def scrambled(x: Any) -> Any:
    """Spread integers over 64 bits (the finalizer of splitmix64; Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))
