"""Spherical harmonics, which SciPy keeps in an object that converts its arguments to arrays."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..core.errors import NotDifferentiableError, caller
from .adapter import adapts

__all__ = ["sph_harm_y"]


@adapts("scipy.special")
def sph_harm_y(n: Any, m: Any, theta: Any, phi: Any, *, diff_n: int = 0) -> Any:
    """Spherical harmonics, differentiable in both angles.

    Parameters
    ----------
    n, m : array_like of int
        Degree and order.
    theta, phi : array_like
        Polar and azimuthal angle.
    diff_n : int, default 0
        Only for angles that are not traced: how many derivatives to return.

    Returns
    -------
    y : ndarray or scalar
        Complex.

    Raises
    ------
    NotDifferentiableError
        With `diff_n` of a traced angle.

    Examples
    --------
    >>> import numpy as np, covector as cv
    >>> from covector.scipy.special import sph_harm_y
    >>> cv.grad(lambda theta: np.real(sph_harm_y(1, 0, theta, 0.0)))(np.pi / 2).round(4)
    np.float64(-0.4886)
    """
    if diff_n:
        raise NotDifferentiableError(
            f"scipy.special.sph_harm_y(..., diff_n={diff_n}) of a traced angle at {caller()} is not supported; "
            f"differentiate sph_harm_y(n, m, theta, phi) instead"
        )
    return import_module("covector.ops.special.harmonics").sph_harm_y(n, m, theta, phi)
