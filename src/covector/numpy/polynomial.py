"""`numpy.polynomial`: its functions take traced values where they consist of NumPy functions that do."""

from __future__ import annotations

from typing import Any

import numpy.polynomial as theirs

from .forwarding import names, of_numpy

__all__ = list(theirs.__all__)


def __getattr__(name: str) -> Any:
    value = globals()[name] = of_numpy(theirs, name, __name__)
    return value


def __dir__() -> list[str]:
    return names(theirs, ())
