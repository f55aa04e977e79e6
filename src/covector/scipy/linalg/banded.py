"""Equations with band matrices."""

from __future__ import annotations

from typing import Any

from ...ops.lapack.banded import from_half, solve_banded_p
from ..adapter import adapts, together
from .common import as_columns, as_given, matrices

__all__ = ["solve_banded", "solveh_banded"]


@adapts("scipy.linalg")
def solve_banded(
    l_and_u: tuple[int, int],
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solve ``a @ x = b`` for a band matrix `a`, as `scipy.linalg.solve_banded`.

    Parameters
    ----------
    l_and_u : tuple of int
        How many diagonals there are below and above the main one.
    ab : array
        The diagonals of `a`: ``ab[u + i - j, j] == a[i, j]``.
    b : array
        Vectors or matrices.
    overwrite_ab, overwrite_b, check_finite : bool
        As in SciPy.

    Returns
    -------
    array
        The solution, of the shape of `b`.

    Notes
    -----
    dx = a⁻¹ (db − da x), each with a banded matrix. Places of `ab` outside `a` have derivative zero.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> ab = np.array([[0.0, 1.0, 1.0], [4.0, 4.0, 4.0], [1.0, 1.0, 0.0]])
    >>> cv.grad(lambda ab: np.sum(linalg.solve_banded((1, 1), ab, np.ones(3))))(ab).round(3)
    array([[ 0.   , -0.031, -0.031],
           [-0.046, -0.02 , -0.046],
           [-0.031, -0.031,  0.   ]])
    """
    lower, upper = (int(n) for n in l_and_u)
    ab = matrices(ab, "solve_banded", check_finite, square=False)
    columns, vector = as_columns(b, ab.shape[-1], "solve_banded", check_finite)
    if lower + upper + 1 != ab.shape[-2]:
        raise ValueError(
            f"invalid values for the number of lower and upper diagonals: l+u+1 ({lower + upper + 1}) does not equal "
            f"ab.shape[-2] ({ab.shape[-2]})"
        )
    ab, columns = together(ab, columns)
    return as_given(solve_banded_p(ab, columns, lower=lower, upper=upper, definite=False), vector)


@adapts("scipy.linalg")
def solveh_banded(
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    lower: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solve ``a @ x = b`` for a Hermitian positive definite band matrix, as `scipy.linalg.solveh_banded`.

    Parameters
    ----------
    ab : array
        The main diagonal of `a` and those above, or with `lower` those below it.
    b : array
        Vectors or matrices.
    lower : bool, default False
        Which form `ab` has.
    overwrite_ab, overwrite_b, check_finite : bool
        As in SciPy.

    Returns
    -------
    array
        The solution, of the shape of `b`.

    Notes
    -----
    dx = a⁻¹ (db − da x). An element of `ab` stands for two of `a`, which change together.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> ab = np.array([[0.0, 1.0, 1.0], [4.0, 4.0, 4.0]])
    >>> cv.grad(lambda ab: np.sum(linalg.solveh_banded(ab, np.ones(3))))(ab).round(3)
    array([[ 0.   , -0.061, -0.061],
           [-0.046, -0.02 , -0.046]])
    """
    ab = matrices(ab, "solveh_banded", check_finite, square=False)
    columns, vector = as_columns(b, ab.shape[-1], "solveh_banded", check_finite)
    ab, columns = together(ab, columns)
    k = ab.shape[-2] - 1
    return as_given(solve_banded_p(from_half(ab, bool(lower)), columns, lower=k, upper=k, definite=True), vector)
