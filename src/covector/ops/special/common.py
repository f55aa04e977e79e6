"""What the files of this folder share: samples and the messages for arguments without derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import NotDifferentiableError, caller
from ...core.primitive import Refuse, Sample
from ...core.values import dtype_of
from ..samples import draw, sample

__all__ = ["exp_square", "parameter", "product_error", "real_only", "sum_error", "with_parameters"]


def parameter(function: str, name: str) -> Refuse:
    """Stands for the derivative with respect to a parameter that has no closed form."""
    return Refuse(
        f"scipy.special.{function} has no derivative with respect to `{name}` here, because it has no closed form in "
        f"functions that SciPy offers; keep `{name}` constant (covector.stop_gradient, or argnums), "
        f"or give {function} a rule of your own with covector.custom_jvp"
    )


def with_parameters(*parameters: Any, low: float, high: float, complex_: bool = False) -> list[Sample]:
    """Samples of a function of constant parameters and one variable, its last argument."""
    out = [sample(*parameters, draw(s, float, low, high), label=f"{list(s)}") for s in ((), (3,), (0,))]
    out.append(sample(*parameters, draw((2, 3), np.float32, low, high), label="float32"))
    first = np.reshape(np.asarray(parameters[0]), -1)[0]
    out.append(
        sample(np.array([[first], [first + 1]]), *parameters[1:], draw((3,), float, low, high), label="broadcast")
    )
    if complex_:
        out.append(sample(*parameters, draw((3,), complex, low, high), label="complex"))
    return out


def real_only(function: str, x: Any) -> None:
    """Raise `NotDifferentiableError` if `x` is complex."""
    if dtype_of(x).kind == "c":
        raise NotDifferentiableError(
            f"scipy.special.{function} of a complex argument has no derivative rule (at {caller()}); "
            f"only that of a real argument is supported"
        )


def exp_square(x: Any, factor: float) -> Any:
    """Return exp(factor · x²), for a real x and |factor| ≤ 1 without the rounding error of x², which exp would magnify.

    x² = h² + (x - h)(x + h) with h so short that its square is exact (as in fdlibm's erfc).
    """
    if dtype_of(x).kind == "c":
        return np.exp(factor * x * x)
    x = np.clip(x, -64, 64)  # exp overflows, or underflows, before
    h = np.rint(16 * x) / 16
    return np.exp(factor * (h * h)) * np.exp(factor * ((x - h) * (x + h)))


def product_error(a: Any, b: Any, product: Any) -> Any:
    """Return a·b - product exactly, for ``product = a * b`` in double precision (Dekker 1971)."""
    a_high, b_high = _upper_half(a), _upper_half(b)
    a_low, b_low = a - a_high, b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def sum_error(a: Any, b: Any, total: Any) -> Any:
    """Return a + b - total exactly, for ``total = a + b`` (Knuth 1969)."""
    part = total - a
    return (a - (total - part)) + (b - part)


def _upper_half(x: Any) -> Any:
    scaled = x * (4097.0 if dtype_of(x).itemsize == 4 else 134217729.0)
    return scaled - (scaled - x)
