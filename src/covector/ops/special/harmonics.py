"""Spherical harmonics. Formulas: DLMF 14.30.1, 14.10.1 and 14.10.2, the last two as ladder of the orders."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from ...core.dispatch import UFUNCS
from ..families import elementwise
from ..samples import draw, sample
from .common import parameter
from .ufuncs import sc

__all__ = ["sph_harm_y"]


def _value(n: Any, m: Any, theta: Any, phi: Any) -> Any:
    # Until SciPy 1.14 there was a ufunc with the arguments in another order.
    return special.sph_harm_y(n, m, theta, phi) if hasattr(special, "sph_harm_y") else sc.sph_harm(m, n, phi, theta)


def _step(n: Any, m: Any, sign: int, theta: Any, phi: Any) -> Any:
    """One rung of the ladder: √((n ∓ m)(n ± m + 1)) e^{∓iφ} Y with the order m ± 1; there is none above n."""
    factor = np.sqrt(np.maximum(np.multiply(n - sign * m, n + sign * m + 1), 0).astype(theta.dtype))
    return factor * np.exp(-1j * sign * phi) * sph_harm_y(n, m + sign, theta, phi)


def _polar_slope(out: Any, n: Any, m: Any, theta: Any, phi: Any) -> Any:
    n, m, theta = np.asarray(n), np.asarray(m), theta + 0 * phi
    return 0.5 * (_step(n, m, 1, theta, phi) - _step(n, m, -1, theta, phi))


def _samples() -> list[Any]:
    angles = [
        (draw(s, t, 0.2, 2.8), draw(s, t, -2.0, 2.0))
        for s, t in (((), float), ((3,), float), ((3,), np.float32), ((0,), float))
    ]
    out = [sample(3, 1, *pair, label=f"{list(np.shape(pair[0]))}") for pair in angles]
    orders = np.array([[0], [-2], [2]])
    return [*out, sample(2, orders, draw((3,), float, 0.2, 2.8), draw((3,), float, -2.0, 2.0), label="broadcast")]


sph_harm_y = elementwise(
    "sph_harm_y",
    None,
    (
        parameter("sph_harm_y", "n"),
        parameter("sph_harm_y", "m"),
        _polar_slope,
        lambda out, n, m, theta, phi: 1j * np.asarray(m) * out,
    ),
    impl=_value,
    singular=False,
    samples=_samples(),
    source="DLMF 14.30.1, 14.10.1, 14.10.2",
)
if hasattr(special, "sph_harm"):
    UFUNCS[sc.sph_harm] = lambda m, n, theta, phi: sph_harm_y(n, m, phi, theta)
