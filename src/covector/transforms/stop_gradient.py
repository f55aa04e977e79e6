"""`stop_gradient`: a value without its derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import tree
from ..core.tracer import Tracer
from ..ops.families import constant
from ..ops.samples import unary

__all__ = ["stop_gradient"]


def _locked(x: Any) -> Any:
    """The array itself may be what a tape keeps, so what the user gets is read-only."""
    if not isinstance(x, np.ndarray):
        return x
    view = x.view()
    view.flags.writeable = False
    return view


stop_gradient_p = constant("stop_gradient", _locked, samples=unary())


def stop_gradient(x: Any) -> Any:
    """Return `x` as a constant: its derivative is zero in both modes and to all orders.

    Parameters
    ----------
    x : pytree
        Arrays, traced or not.

    Returns
    -------
    pytree
        The same values; mapped values stay mapped.

    Examples
    --------
    >>> import covector
    >>> covector.grad(lambda x: x * covector.stop_gradient(x))(3.0)
    np.float64(3.0)
    """
    return tree.map(lambda leaf: stop_gradient_p(leaf) if isinstance(leaf, Tracer) else leaf, x)
