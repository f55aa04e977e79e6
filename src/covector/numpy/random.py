"""`numpy.random`, unchanged: what it draws are plain arrays."""

from __future__ import annotations

from typing import Any

import numpy.random as theirs

from .forwarding import names, of_numpy

__all__ = list(theirs.__all__)


def __getattr__(name: str) -> Any:
    value = globals()[name] = of_numpy(theirs, name, __name__)
    return value


def __dir__() -> list[str]:
    return names(theirs, ())
