"""`scipy.special` for traced values.

The array API standard has no such extension yet. Libraries that ask a namespace for one, as SciPy does where
``SCIPY_ARRAY_API=1``, find the ufuncs themselves here, which take traced values; otherwise they would convert to NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import scipy.special

    value = getattr(scipy.special, name)
    # Under SCIPY_ARRAY_API the ufunc is wrapped by a function that looks for a namespace, which brought us here.
    inner = getattr(value, "__wrapped__", value)
    if not isinstance(inner, np.ufunc):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = inner
    return inner
