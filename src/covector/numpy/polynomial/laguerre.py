"""`numpy.polynomial.laguerre` for traced values."""

from __future__ import annotations

from typing import Any

import numpy.polynomial.laguerre as theirs

from .rebinding import public

__all__ = list(theirs.__all__)


def __getattr__(name: str) -> Any:
    value = globals()[name] = public(theirs, name)
    return value


def __dir__() -> list[str]:
    return sorted({*dir(theirs)})
