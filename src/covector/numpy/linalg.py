"""`numpy.linalg`: its functions also take traced values, and lists of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .forwarding import names, of_numpy

__all__ = list(np.linalg.__all__)


def __getattr__(name: str) -> Any:
    value = globals()[name] = of_numpy(np.linalg, name, __name__)
    return value


def __dir__() -> list[str]:
    return names(np.linalg, ())
