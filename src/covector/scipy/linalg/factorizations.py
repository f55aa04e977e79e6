"""Factorizations of matrices: Cholesky, LU, QR."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import NotDifferentiableError, caller
from ...core.values import dtype_of
from ...ops.cholesky import cholesky_p
from ...ops.decompositions import qr_p
from ...ops.lapack.lu import lu_p, pivoted_order_p, unpacked
from ...ops.linalg import mH, real_dtype
from ..adapter import adapts, operand
from .common import matrices

__all__ = ["cho_factor", "cholesky", "lu", "lu_factor", "qr"]


def _factor(a: Any, lower: bool) -> Any:
    # The upper factor of what stands in the upper triangle is the adjoint of the lower factor of the adjoint.
    return cholesky_p(a) if lower else mH(cholesky_p(mH(a)))


@adapts("scipy.linalg")
def cholesky(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Return the Cholesky factor of Hermitian positive definite matrices, as `scipy.linalg.cholesky`.

    Parameters
    ----------
    a : array
        Matrices, of which one triangle is read.
    lower : bool, default False
        Return l with ``a = l @ l^H``, reading the lower triangle, instead of u with ``a = u^H @ u``.
    overwrite_a, check_finite : bool
        As in SciPy.

    Returns
    -------
    array
        The factor.

    Notes
    -----
    dl = l Φ(l⁻¹ da l⁻ᴴ), where Φ takes the lower triangle and half the diagonal [1]_.

    References
    ----------
    .. [1] I. Murray, Differentiation of the Cholesky decomposition, 2016, eq. 8.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> a = np.array([[4.0, 2.0], [2.0, 5.0]])
    >>> cv.grad(lambda a: linalg.cholesky(a, lower=True)[1, 1])(a)
    array([[ 0.0625,  0.    ],
           [-0.25  ,  0.25  ]])
    """
    a = matrices(np.atleast_2d(operand(a, "scipy.linalg.cholesky")), "cholesky", check_finite)
    return _factor(a, bool(lower))


@adapts("scipy.linalg")
def cho_factor(a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Return the Cholesky factor in the form that `cho_solve` takes, as `scipy.linalg.cho_factor`.

    Parameters
    ----------
    a : array
        Matrices, of which one triangle is read.
    lower : bool, default False
        Which triangle to read and to put the factor in.
    overwrite_a, check_finite : bool
        As in SciPy.

    Returns
    -------
    c : array
        The factor; its other triangle holds that of `a`.
    lower : bool
        As given; for a stack of matrices an array.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: linalg.cho_solve(linalg.cho_factor(a), np.ones(1))[0])(np.array([[2.0]]))
    array([[-0.25]])
    """
    a = matrices(np.atleast_2d(operand(a, "scipy.linalg.cho_factor")), "cho_factor", check_finite)
    rest = np.triu(a, 1) if lower else np.tril(a, -1)
    return _factor(a, bool(lower)) + rest, np.full(a.shape[:-2], lower) if a.ndim > 2 else lower


@adapts("scipy.linalg")
def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Return the LU factors in the form that `lu_solve` takes, as `scipy.linalg.lu_factor`.

    Parameters
    ----------
    a : array
        Matrices.
    overwrite_a, check_finite : bool
        As in SciPy.

    Returns
    -------
    lu : array
        The upper factor, and below its diagonal the lower one, whose diagonal is one.
    piv : array of int
        The exchanges of rows, which are constant.

    Notes
    -----
    With f = l⁻¹ p da u⁻¹: dl = l tril(f, -1) and du = triu(f) u [1]_.

    References
    ----------
    .. [1] F. R. de Hoog, R. S. Anderssen and M. A. Lukas, Differentiation of matrix functionals using triangular
       factorization, 2011.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: linalg.lu_factor(a)[0][1, 1])(np.array([[4.0, 1.0], [2.0, 3.0]]))
    array([[ 0.125, -0.5  ],
           [-0.25 ,  1.   ]])
    """
    packed, pivots, _ = lu_p(matrices(a, "lu_factor", check_finite, square=False))
    return packed, pivots


@adapts("scipy.linalg")
def lu(
    a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True, p_indices: bool = False
) -> Any:
    """Return the LU factors with partial pivoting, as `scipy.linalg.lu`.

    Parameters
    ----------
    a : array
        Matrices.
    permute_l : bool, default False
        Return ``p @ l`` in place of `p` and `l`.
    p_indices : bool, default False
        Return `p` as indices, ``a = l[p] @ u``.
    overwrite_a, check_finite : bool
        As in SciPy.

    Returns
    -------
    p : array
        The permutation, ``a = p @ l @ u``; it is constant. Not with `permute_l`.
    l, u : array
        The factors.

    Notes
    -----
    The derivatives of `lu_factor`.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: linalg.lu(a)[2][1, 1])(np.array([[4.0, 1.0], [2.0, 3.0]]))
    array([[ 0.125, -0.5  ],
           [-0.25 ,  1.   ]])
    """
    packed, _, order = lu_p(matrices(a, "lu", check_finite, square=False))
    lower, upper = unpacked(packed)
    places = np.argsort(order, axis=-1).astype(np.int32)
    if permute_l:
        return np.take_along_axis(lower, places.reshape((*places.shape, 1)), axis=-2), upper
    if p_indices:
        return places, lower, upper
    rows = packed.shape[-2]
    hits = places.reshape((*places.shape, 1)) == np.arange(rows)
    return hits.astype(real_dtype(dtype_of(packed))), lower, upper


@adapts("scipy.linalg")
def qr(
    a: Any,
    overwrite_a: bool = False,
    lwork: int | None = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> Any:
    """Return the QR factors, as `scipy.linalg.qr`.

    Parameters
    ----------
    a : array
        Matrices.
    mode : {"full", "r", "economic"}, default "full"
        Which factors to return. The Householder vectors of ``"raw"`` have no derivative rule.
    pivoting : bool, default False
        Factorize the columns in an order that makes the diagonal of r fall; the order is constant.
    overwrite_a, lwork, check_finite : bool
        As in SciPy.

    Returns
    -------
    tuple
        q (not for ``"r"``), r, and with `pivoting` the order of the columns.

    Notes
    -----
    The further columns of a full q, which are not unique, turn as little as possible [1]_.

    References
    ----------
    .. [1] S. F. Walter and L. Lehmann, Algorithmic differentiation of linear algebra functions, 2010, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: np.abs(linalg.qr(a, mode="r")[0][0, 0]))(np.array([[3.0, 0.0], [4.0, 1.0]]))
    array([[0.6, 0. ],
           [0.8, 0. ]])
    """
    if mode == "raw":
        raise NotDifferentiableError(
            f"scipy.linalg.qr with mode='raw' of a traced value at {caller()} is not supported: Householder vectors "
            f"have no derivative rule; use mode='full', 'economic' or 'r'"
        )
    if mode not in ("full", "qr", "r", "economic"):
        raise ValueError("Mode argument should be one of ['full', 'r', 'economic', 'raw']")
    a = matrices(a, "qr", check_finite, square=False)
    last: tuple[Any, ...] = ()
    if pivoting:
        order = pivoted_order_p(a)
        a = np.take_along_axis(a, order.reshape((*order.shape[:-1], 1, order.shape[-1])), axis=-1)
        last = (order,)
    m, n = a.shape[-2:]
    q, r = qr_p(a, complete=mode in ("full", "qr") and m > n)
    if mode != "r":
        return (q, r, *last)
    if m > n:
        r = np.concatenate([r, np.zeros((*r.shape[:-2], m - n, n), r.dtype)], axis=-2)
    return (r, *last)
