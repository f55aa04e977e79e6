"""The functions of `numpy.polynomial` that ask for ``__array_function__``, which a few do since NumPy 2.4."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ..core.primitive import LATE_RULES
from .register import implements

__all__: list[str] = []

_MODULES = ("polynomial", "chebyshev", "legendre", "laguerre", "hermite", "hermite_e")


def _deferred(module: str, name: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(f"covector.numpy.polynomial.{module}"), name)(*args, **kwargs)

    return call


def _register() -> None:
    for module in _MODULES:
        for name, value in vars(import_module(f"numpy.polynomial.{module}")).items():
            if type(value) is type(np.sum) and value.__module__.startswith("numpy.polynomial"):
                implements(value)(_deferred(module, name))


LATE_RULES.append(_register)
