"""Linear equations: general, triangular, factorized."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.tracer import concrete
from ...ops.contraction import mT
from ...ops.lapack.lu import row_order_p
from ...ops.lapack.triangular import solve_triangular_p
from ...ops.linalg import mH, solve_p
from ..adapter import adapts, operand, together
from .common import STRUCTURES, as_columns, as_given, as_read, matrices

__all__ = [
    "cho_solve",
    "lu_solve",
    "solve",
    "solve_triangular",
]


@adapts("scipy.linalg")
def solve(
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: str | None = None,
    transposed: bool = False,
) -> Any:
    """Solve ``a @ x = b``, as `scipy.linalg.solve`.

    Parameters
    ----------
    a, b : array
        Square matrices, and vectors or matrices; leading axes broadcast.
    lower : bool, default False
        Which triangle to read where `assume_a` says that one is enough.
    assume_a : str, optional
        What is known about `a`: ``"diagonal"``, ``"sym"``, ``"pos"`` and so on. It decides what is read.
    transposed : bool, default False
        Solve ``a.T @ x = b``, for real `a`.
    overwrite_a, overwrite_b, check_finite : bool
        As in SciPy.

    Returns
    -------
    array
        The solution, of the shape of `b`.

    Notes
    -----
    dx = a⁻¹ (db − da x); what is not read of `a` has derivative zero [1]_.

    References
    ----------
    .. [1] M. B. Giles, An extended collection of matrix derivative results, 2008, section 2.3.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> a = np.array([[4.0, 1.0], [1.0, 2.0]])
    >>> cv.grad(lambda b: np.sum(linalg.solve(a, b, assume_a="pos")))(np.ones(2))
    array([0.14285714, 0.42857143])
    """
    if assume_a not in STRUCTURES:
        raise ValueError(f"{assume_a} is not a recognized matrix structure")
    structure = STRUCTURES[assume_a]
    a = matrices(np.atleast_2d(operand(a, "scipy.linalg.solve", check_finite)), "solve")
    rows = np.shape(b)[-2 if np.ndim(b) > 1 else -1] if np.ndim(b) else 1
    columns, vector = as_columns(b, rows if a.size == 1 else a.shape[-1], "solve", check_finite)
    a, columns = together(a, columns)
    if transposed and a.dtype.kind == "c":
        raise NotImplementedError("scipy.linalg.solve cannot solve a^T x = b or a^H x = b for complex matrices")
    if a.size == 1:
        return as_given(columns / a, vector)
    if structure == "diagonal":
        diagonal = np.diagonal(a, 0, -2, -1)
        return as_given(columns / diagonal.reshape((*diagonal.shape, 1)), vector)
    if structure in ("upper triangular", "lower triangular"):
        lower = structure == "lower triangular"
        a, lower = (mT(a), not lower) if transposed else (a, lower)
        return as_given(solve_triangular_p(a, columns, lower=lower, unit=False), vector)
    a = as_read(a, structure, bool(lower))
    value = concrete(a)
    if structure == "positive definite" and value is not None:
        np.linalg.cholesky(value)  # an error where it is not
    return as_given(solve_p(mT(a) if transposed else a, columns), vector)


@adapts("scipy.linalg")
def solve_triangular(
    a: Any,
    b: Any,
    trans: int | str = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Solve ``a @ x = b`` for triangular `a`, as `scipy.linalg.solve_triangular`.

    Parameters
    ----------
    a, b : array
        Square matrices, of which one triangle is read, and vectors or matrices; leading axes broadcast.
    trans : {0, 1, 2, "N", "T", "C"}, default 0
        Solve with `a`, its transpose, or its conjugate transpose.
    lower, unit_diagonal : bool, default False
        Read the lower triangle; take the diagonal for ones without reading it.
    overwrite_b, check_finite : bool
        As in SciPy.

    Returns
    -------
    array
        The solution, of the shape of `b`.

    Notes
    -----
    dx = a⁻¹ (db − da x) with the part of da that is read; the rest has derivative zero.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> a = np.array([[2.0, 7.0], [1.0, 4.0]])
    >>> cv.grad(lambda a: linalg.solve_triangular(a, np.ones(2), lower=True)[1])(a)
    array([[ 0.0625 ,  0.     ],
           [-0.125  , -0.03125]])
    """
    kinds: dict[Any, int] = {"N": 0, "T": 1, "C": 2, 0: 0, 1: 1, 2: 2}
    if trans not in kinds:
        raise ValueError(f"solve_triangular: trans must be 0, 1, 2, 'N', 'T' or 'C', got {trans!r}")
    a = matrices(a, "solve_triangular", check_finite)
    columns, vector = as_columns(b, a.shape[-1], "solve_triangular", check_finite)
    a, columns = together(a, columns)
    return as_given(_triangular(a, columns, bool(lower), kinds[trans], bool(unit_diagonal)), vector)


def _triangular(a: Any, b: Any, lower: bool, trans: Any = 0, unit: bool = False) -> Any:
    if trans:
        a, lower = (mH(a) if trans == 2 else mT(a)), not lower
    return solve_triangular_p(a, b, lower=lower, unit=unit)


@adapts("scipy.linalg")
def cho_solve(c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """Solve ``a @ x = b`` given the Cholesky factor of `a`, as `scipy.linalg.cho_solve`.

    Parameters
    ----------
    c_and_lower : tuple
        What `cho_factor` returns; one triangle is read.
    b : array
        Vectors or matrices.
    overwrite_b, check_finite : bool
        As in SciPy.

    Returns
    -------
    array
        The solution, of the shape of `b`.

    Notes
    -----
    Two triangular equations, with the derivatives of `solve_triangular`.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> a = np.array([[4.0, 1.0], [1.0, 2.0]])
    >>> cv.grad(lambda b: np.sum(linalg.cho_solve(linalg.cho_factor(a), b)))(np.ones(2))
    array([0.14285714, 0.42857143])
    """
    c, given = c_and_lower
    lower = bool(np.all(given))
    if lower != bool(np.any(given)):
        raise ValueError("cho_solve: all factors of a stack must be lower, or all upper")
    c = matrices(c, "cho_solve", check_finite)
    columns, vector = as_columns(b, c.shape[-1], "cho_solve", check_finite)
    c, columns = together(c, columns)
    inner = _triangular(c, columns, lower, 0 if lower else 2)
    return as_given(_triangular(c, inner, lower, 2 if lower else 0), vector)


@adapts("scipy.linalg")
def lu_solve(lu_and_piv: Any, b: Any, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    """Solve ``a @ x = b`` given the LU factors of `a`, as `scipy.linalg.lu_solve`.

    Parameters
    ----------
    lu_and_piv : tuple
        What `lu_factor` returns.
    b : array
        Vectors or matrices.
    trans : {0, 1, 2}, default 0
        Solve with `a`, its transpose, or its conjugate transpose.
    overwrite_b, check_finite : bool
        As in SciPy.

    Returns
    -------
    array
        The solution, of the shape of `b`.

    Notes
    -----
    Two triangular equations, with the derivatives of `solve_triangular`; the exchanges of rows are constant.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> a = np.array([[4.0, 1.0], [1.0, 2.0]])
    >>> cv.grad(lambda a: linalg.lu_solve(linalg.lu_factor(a), np.ones(2))[0])(a).round(4)
    array([[-0.0408, -0.1224],
           [ 0.0204,  0.0612]])
    """
    if trans not in (0, 1, 2):
        raise ValueError(f"lu_solve: trans must be 0, 1 or 2, got {trans!r}")
    lu, piv = lu_and_piv
    lu = matrices(lu, "lu_solve")
    columns, vector = as_columns(b, lu.shape[-1], "lu_solve", check_finite)
    lu, columns = together(lu, columns)
    order = row_order_p(np.asarray(piv) if isinstance(piv, list) else piv, rows=lu.shape[-1])
    if trans == 0:
        inner = solve_triangular_p(lu, _rows(columns, order), lower=True, unit=True)
        return as_given(solve_triangular_p(lu, inner, lower=False, unit=False), vector)
    inner = _triangular(lu, columns, False, trans)
    return as_given(_rows(_triangular(lu, inner, True, trans, True), np.argsort(order, axis=-1)), vector)


def _rows(x: Any, order: Any) -> Any:
    """Return the rows of the matrices `x` in the given order."""
    ndim = max(x.ndim, order.ndim + 1)
    x = x.reshape((1,) * (ndim - x.ndim) + x.shape)
    order = order.reshape((1,) * (ndim - 1 - order.ndim) + order.shape + (1,))
    return np.take_along_axis(x, order, axis=-2)
