"""What the coverage table is about: the public callables of NumPy, array methods, and the ufuncs of scipy.special."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

__all__ = ["SECTIONS", "Entry", "entries"]

_SERIES = ("polynomial", "chebyshev", "legendre", "laguerre", "hermite", "hermite_e")

SECTIONS = (
    "numpy",
    "numpy.linalg",
    "numpy.fft",
    "numpy.emath",
    "numpy.lib.stride_tricks",
    "numpy.polynomial",
    *[f"numpy.polynomial.{name}" for name in _SERIES],
    "numpy.ndarray",
    "scipy.special",
)


class Entry(NamedTuple):
    """One public name: where users find it, and what it is (for arrays, the attribute of `numpy.ndarray`)."""

    section: str
    name: str
    function: Any

    @property
    def full(self) -> str:
        return f"{self.section}.{self.name}"


def entries(section: str) -> Iterator[Entry]:
    """Yield the public callables of a section, in alphabetical order; of arrays also attributes and operators."""
    if section == "numpy.ndarray":
        for name in dir(np.ndarray):
            if not name.startswith("_") or (name.startswith("__") and name not in dir(object)):
                yield Entry(section, name, getattr(np.ndarray, name))
        return
    module = import_module("numpy.lib.scimath" if section == "numpy.emath" else section)
    for name in sorted(dir(module)):
        value = getattr(module, name)
        if name.startswith("_") or not callable(value) or _foreign(section, value):
            continue
        yield Entry(section, name, value)


def _foreign(section: str, value: Any) -> bool:
    """Whether a public name is only a helper that the module imports, or not part of the section's promise."""
    if section == "scipy.special":
        return not isinstance(value, np.ufunc)
    home = getattr(value, "__module__", None) or section
    if section.startswith("numpy.polynomial."):
        return isinstance(value, type) or not home.startswith("numpy.polynomial")
    return not home.startswith("numpy") and home != "builtins"
