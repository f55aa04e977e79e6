"""The primitives, one family per file; importing this package declares them all."""

from . import (
    arithmetic,
    complex_parts,
    contraction,
    convolution,
    cumulative,
    exponential,
    indexing,
    logic,
    power,
    reductions,
    rounding,
    sorting,
    structural,
    trigonometric,
)

__all__ = [
    "arithmetic",
    "complex_parts",
    "contraction",
    "convolution",
    "cumulative",
    "exponential",
    "indexing",
    "logic",
    "power",
    "reductions",
    "rounding",
    "sorting",
    "structural",
    "trigonometric",
]
