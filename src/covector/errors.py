"""The error classes of covector, which are at the top level too."""

from .core.errors import (
    ConcretizationError,
    CovectorError,
    CustomRuleError,
    DegenerateWarning,
    LeakedTracerError,
    NotDifferentiableError,
    OverwrittenError,
    TracerConversionError,
)

__all__ = [
    "ConcretizationError",
    "CovectorError",
    "CustomRuleError",
    "DegenerateWarning",
    "LeakedTracerError",
    "NotDifferentiableError",
    "OverwrittenError",
    "TracerConversionError",
]
