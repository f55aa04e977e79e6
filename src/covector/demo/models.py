"""The models, as a scientist would write them: plain NumPy, nothing of covector."""

from collections.abc import Callable
from typing import Any

import numpy as np


def misra1a(b: Any, x: Any) -> Any:
    """Saturating exponential of an adsorption experiment."""
    b1, b2 = b
    return b1 * (1 - np.exp(-b2 * x))


def thurber(b: Any, x: Any) -> Any:
    """Ratio of two cubics."""
    b1, b2, b3, b4, b5, b6, b7 = b
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def mgh09(b: Any, x: Any) -> Any:
    """Ratio of two quadratics, hard to fit from far away."""
    b1, b2, b3, b4 = b
    return b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4)


def danwood(b: Any, x: Any) -> Any:
    """Power law of a radiating filament."""
    b1, b2 = b
    return b1 * x**b2


MODELS: dict[str, Callable[[Any, Any], Any]] = {
    "Misra1a": misra1a,
    "Thurber": thurber,
    "MGH09": mgh09,
    "DanWood": danwood,
}
