"""The ufuncs of `scipy.special` themselves.

With ``SCIPY_ARRAY_API`` in the environment SciPy wraps each in a Python function that looks for the namespace of its
arguments; what NumPy meets on traced values, and what the rules call, are the ufuncs inside.
"""

from __future__ import annotations

from typing import Any

from scipy import special

__all__ = ["sc"]


class _Unwrapped:
    def __getattr__(self, name: str) -> Any:
        value = getattr(special, name)
        value = getattr(value, "__wrapped__", value)
        setattr(self, name, value)
        return value


sc: Any = _Unwrapped()
"""Stands for `scipy.special`."""
