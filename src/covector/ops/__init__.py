"""The primitives, one family per file; importing this package declares them all."""

from . import (
    arithmetic,
    complex_parts,
    contraction,
    exponential,
    indexing,
    logic,
    power,
    reductions,
    rounding,
    structural,
    trigonometric,
)

__all__ = [
    "arithmetic",
    "complex_parts",
    "contraction",
    "exponential",
    "indexing",
    "logic",
    "power",
    "reductions",
    "rounding",
    "structural",
    "trigonometric",
]
