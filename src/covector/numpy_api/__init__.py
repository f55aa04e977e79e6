"""How NumPy's functions reach the primitives; importing this package fills the tables of `covector.core.dispatch`."""

from . import (
    contraction,
    creation,
    diagonals,
    elementwise,
    fft,
    indexing,
    joining,
    padding,
    reductions,
    refusals,
    repeating,
    selecting,
    structural,
)

__all__ = [
    "contraction",
    "creation",
    "diagonals",
    "elementwise",
    "fft",
    "indexing",
    "joining",
    "padding",
    "reductions",
    "refusals",
    "repeating",
    "selecting",
    "structural",
]
