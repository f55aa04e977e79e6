"""The primitives, one family per file; importing this package declares them all."""

from importlib import import_module

from ..core.primitive import LATE_RULES
from . import (
    arithmetic,
    cholesky,
    complex_parts,
    contraction,
    convolution,
    cumulative,
    decompositions,
    eigenvalues,
    exponential,
    indexing,
    least_squares,
    linalg,
    logic,
    power,
    reductions,
    rounding,
    sorting,
    structural,
    trigonometric,
    writing,
)

__all__ = [
    "arithmetic",
    "cholesky",
    "complex_parts",
    "contraction",
    "convolution",
    "cumulative",
    "decompositions",
    "eigenvalues",
    "exponential",
    "indexing",
    "least_squares",
    "linalg",
    "logic",
    "power",
    "reductions",
    "rounding",
    "sorting",
    "structural",
    "trigonometric",
    "writing",
]

# They need SciPy, which costs more to import than all the rest.
LATE_RULES.append(lambda: import_module(".special", __name__))
# They serve covector.scipy alone.
LATE_RULES.append(lambda: import_module(".lapack", __name__))
LATE_RULES.append(lambda: import_module(".filtering", __name__))
