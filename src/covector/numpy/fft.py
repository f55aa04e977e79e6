"""`numpy.fft`: its functions also take traced values, and lists of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .forwarding import documented, names, of_numpy
from .uniform import made

__all__ = list(np.fft.__all__)


def _frequencies(function: Any, n: int, d: Any, dtype: Any, device: Any) -> Any:
    out = function(n, d=d, **({} if device is None else {"device": device}))
    return made(out) if dtype is None else out.astype(dtype)


@documented(np.fft.fftfreq)
def fftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Any:
    """Return the sample frequencies of `fft`; the spacing `d` may be traced."""
    return _frequencies(np.fft.fftfreq, n, d, dtype, device)


@documented(np.fft.rfftfreq)
def rfftfreq(n: int, d: Any = 1.0, *, dtype: Any = None, device: Any = None) -> Any:
    """Return the sample frequencies of `rfft`; the spacing `d` may be traced."""
    return _frequencies(np.fft.rfftfreq, n, d, dtype, device)


def __getattr__(name: str) -> Any:
    value = globals()[name] = of_numpy(np.fft, name, __name__)
    return value


def __dir__() -> list[str]:
    return names(np.fft, ())
