"""The error classes, and the caller's place in the source for their messages."""

from __future__ import annotations

import os
import sys

import numpy as np

__all__ = [
    "ConcretizationError",
    "CovectorError",
    "CustomRuleError",
    "DegenerateWarning",
    "LeakedTracerError",
    "NotDifferentiableError",
    "OverwrittenError",
    "TracerConversionError",
    "caller",
]


def _folder(file: str, levels: int) -> str:
    path = os.path.realpath(file)
    for _ in range(levels):
        path = os.path.dirname(path)
    return path


_OURS = _folder(__file__, 2)
_STANDARD = os.path.dirname(os.path.realpath(os.__file__)) + os.sep
# SciPy lies beside NumPy; it is not imported for this.
_LIBRARIES = tuple(os.path.join(_folder(np.__file__, 2), name) for name in ("numpy", "scipy", "optree"))


class CovectorError(Exception):
    """Base class of the errors that covector raises itself."""


class NotDifferentiableError(CovectorError, TypeError):
    """A traced value met a function without derivative rule, or an output or input that cannot be differentiated."""


class TracerConversionError(CovectorError, TypeError):
    """A traced value was about to become a plain number or array, which would drop its derivative."""


class LeakedTracerError(CovectorError, RuntimeError):
    """A traced value was used after the transform that made it had ended."""


class ConcretizationError(CovectorError, TypeError):
    """Python asked for one concrete value where there is a batch of values, or none yet."""


class OverwrittenError(CovectorError, RuntimeError):
    """An array that a derivative needs was overwritten while the differentiated function ran."""


class CustomRuleError(CovectorError, TypeError):
    """A custom derivative rule is missing, or returned something of the wrong structure."""


class DegenerateWarning(UserWarning):
    """Eigenvectors or singular vectors of equal values were differentiated; they are not determined one by one."""


def _is_standard(name: str) -> bool:
    return name.startswith(_STANDARD) and "site-packages" not in name and "dist-packages" not in name


def caller() -> str:
    """Return ``"file:line"`` of the innermost frame that is neither ours nor NumPy's.

    Frames of the test and example files that live beside the package count as the user's.
    """
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((_OURS, *_LIBRARIES, "<frozen")) and not _is_standard(name):
            return f"{name}:{frame.f_lineno}"
        if frame.f_back is None:
            break
        frame = frame.f_back
    return "<unknown>"
