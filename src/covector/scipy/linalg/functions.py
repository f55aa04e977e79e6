"""Functions of matrices: exponential, root, logarithm, inverses, determinant, norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import NotDifferentiableError, caller
from ...core.values import dtype_of, shape_of
from ...numpy_api import norms
from ...ops.complex_parts import astype
from ...ops.decompositions import svdvals_p
from ...ops.lapack.matrix_functions import expm_derivative_p, expm_p, logm_p, sqrtm_p
from ...ops.least_squares import matrix_rank_p, pinv_p
from ...ops.linalg import det_p, inv_p
from ..adapter import adapts, is_real, operand, together
from .common import STRUCTURES, as_read, matrices

__all__ = ["det", "expm", "expm_frechet", "inv", "logm", "norm", "pinv", "sqrtm"]

_GIVEN = np._NoValue
"""Stands for SciPy's own default of arguments that are on their way out."""


@adapts("scipy.linalg")
def expm(A: Any) -> Any:
    """Return the exponential of matrices, as `scipy.linalg.expm`.

    Parameters
    ----------
    A : array
        Square matrices.

    Returns
    -------
    array
        exp(A).

    Notes
    -----
    The derivative along E is the Fréchet derivative ∫₀¹ exp(sA) E exp((1−s)A) ds [1]_.

    References
    ----------
    .. [1] A. H. Al-Mohy and N. J. Higham, Computing the Fréchet derivative of the matrix exponential, 2009.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda t: linalg.expm(t * np.array([[0.0, -1.0], [1.0, 0.0]]))[1, 0])(0.0)
    np.float64(1.0)
    """
    A = operand(A, "scipy.linalg.expm")
    if A.size == 1 and A.ndim < 2:
        A = A.reshape((1, 1))
    return expm_p(matrices(A, "expm"))


@adapts("scipy.linalg")
def expm_frechet(
    A: Any, E: Any, method: str | None = None, compute_expm: bool = True, check_finite: bool = True
) -> Any:
    """Return the exponential of a matrix and its Fréchet derivative along another, as `scipy.linalg.expm_frechet`.

    Parameters
    ----------
    A, E : array
        Square matrices.
    method : str, optional
        As in SciPy; both methods compute the same.
    compute_expm : bool, default True
        Return the exponential too.
    check_finite : bool
        As in SciPy.

    Returns
    -------
    expm_A, expm_frechet_AE : array
        The exponential (with `compute_expm`) and the derivative.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: linalg.expm_frechet(a, np.eye(1), compute_expm=False)[0, 0])(np.zeros((1, 1)))
    array([[1.]])
    """
    if method not in (None, "SPS", "blockEnlarge"):
        raise ValueError(f"Unknown implementation {method}")
    A, E = matrices(A, "expm_frechet", check_finite), matrices(E, "expm_frechet", check_finite)
    if A.shape[-1] != E.shape[-1]:
        raise ValueError("expected A and E to be the same shape")
    A, E = together(A, E)
    out = expm_derivative_p(A, E)
    return (expm_p(A), out) if compute_expm else out


def _no_estimate(name: str, disp: Any) -> None:
    if disp is not _GIVEN and not disp:
        raise NotDifferentiableError(
            f"scipy.linalg.{name} with disp=False of a traced value at {caller()} is not supported: the error estimate "
            f"has no derivative rule; leave disp out"
        )


@adapts("scipy.linalg")
def sqrtm(A: Any, disp: Any = _GIVEN, blocksize: Any = _GIVEN) -> Any:
    """Return the principal square root of matrices, as `scipy.linalg.sqrtm`.

    Parameters
    ----------
    A : array
        Square matrices without eigenvalue 0.
    disp, blocksize : optional
        As in SciPy, which is about to drop them.

    Returns
    -------
    array
        S with S @ S = A; complex where SciPy's is, and where the values are not known yet.

    Notes
    -----
    dS solves Sylvester's equation S dS + dS S = dA [1]_.

    References
    ----------
    .. [1] N. J. Higham, Functions of Matrices, 2008, section 6.1.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: np.trace(linalg.sqrtm(a)))(np.diag([4.0, 16.0]))
    array([[0.25 , 0.   ],
           [0.   , 0.125]])
    """
    _no_estimate("sqrtm", disp)
    A = matrices(A, "sqrtm")
    return _real_like_scipy(A, sqrtm_p(A))


@adapts("scipy.linalg")
def logm(A: Any, disp: Any = _GIVEN) -> Any:
    """Return the principal logarithm of matrices, as `scipy.linalg.logm`.

    Parameters
    ----------
    A : array
        Square matrices without eigenvalue 0.
    disp : optional
        As in SciPy, which is about to drop it.

    Returns
    -------
    array
        The logarithm; complex where SciPy's is, and where the values are not known yet.

    Notes
    -----
    The derivative along E is the upper right block of the logarithm of [[A, E], [0, A]] [1]_.

    References
    ----------
    .. [1] A. H. Al-Mohy, N. J. Higham and S. D. Relton, Computing the Fréchet derivative of the matrix logarithm and
       estimating the condition number, 2013, eq. 1.3.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: np.trace(linalg.logm(a)))(np.diag([2.0, 4.0])).round(12)
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    _no_estimate("logm", disp)
    A = matrices(A, "logm")
    return _real_like_scipy(A, logm_p(A))


def _real_like_scipy(a: Any, out: Any) -> Any:
    return np.real(out) if dtype_of(a).kind != "c" and is_real(out) else out


@adapts("scipy.linalg")
def inv(
    a: Any,
    overwrite_a: bool = False,
    check_finite: bool = True,
    *,
    assume_a: str | None = None,
    lower: bool = False,
) -> Any:
    """Return the inverse of matrices, as `scipy.linalg.inv`.

    Parameters
    ----------
    a : array
        Square matrices.
    assume_a : str, optional
        What is known about `a`, which decides what is read; see `solve`.
    lower : bool, default False
        Which triangle to read where one is enough.
    overwrite_a, check_finite : bool
        As in SciPy.

    Returns
    -------
    array
        The inverse.

    Notes
    -----
    d(a⁻¹) = −a⁻¹ da a⁻¹.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: linalg.inv(a)[0, 0])(np.diag([2.0, 4.0]))
    array([[-0.25, -0.  ],
           [-0.  , -0.  ]])
    """
    if assume_a not in STRUCTURES or assume_a in ("banded", "tridiagonal"):
        raise ValueError(f"{assume_a} is not a matrix structure that scipy.linalg.inv knows")
    a = matrices(a, "inv", check_finite)
    return inv_p(as_read(a, STRUCTURES[assume_a], bool(lower)))


@adapts("scipy.linalg")
def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Return the determinant of matrices, as `scipy.linalg.det`: in double precision.

    Parameters
    ----------
    a : array
        Square matrices.
    overwrite_a, check_finite : bool
        As in SciPy.

    Returns
    -------
    array
        The determinants.

    Notes
    -----
    d det = Σ c ∘ da with the matrix c of cofactors, which is finite at singular matrices too.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(linalg.det)(np.array([[1.0, 2.0], [2.0, 4.0]])).round(12)
    array([[ 4., -2.],
           [-2.,  1.]])
    """
    a = matrices(a, "det", check_finite)
    return det_p(astype(a, complex if dtype_of(a).kind == "c" else float))


@adapts("scipy.linalg")
def pinv(
    a: Any,
    *,
    atol: float | None = None,
    rtol: float | None = None,
    return_rank: bool = False,
    check_finite: bool = True,
) -> Any:
    """Return the pseudo-inverse of matrices, as `scipy.linalg.pinv`.

    Parameters
    ----------
    a : array
        Matrices.
    atol, rtol : float, optional
        Singular values up to ``atol + rtol * s.max()`` count as zero.
    return_rank : bool, default False
        Return the rank too.
    check_finite : bool
        As in SciPy.

    Returns
    -------
    array
        The pseudo-inverse; with `return_rank` a pair.

    Notes
    -----
    The rank is taken as constant [1]_.

    References
    ----------
    .. [1] G. H. Golub and V. Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems,
       1973, eq. 4.12.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: linalg.pinv(a)[0, 0])(np.array([[2.0], [0.0]]))
    array([[-0.25],
           [ 0.  ]])
    """
    a = matrices(a, "pinv", check_finite, square=False)
    rtol = max(a.shape[-2:], default=0) * np.finfo(a.dtype).eps if rtol is None else rtol
    if (atol or 0.0) < 0 or rtol < 0:
        raise ValueError("atol and rtol values must be positive.")
    cutoff: Any = rtol
    if atol and a.size:
        largest = svdvals_p(a)[..., 0]
        cutoff = rtol + atol / np.where(largest > 0, largest, 1)
    if not a.size:
        out = np.zeros((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)
    else:
        out = pinv_p(a, cutoff)
    return (out, matrix_rank_p(a, cutoff, relative=True, hermitian=False)) if return_rank else out


@adapts("scipy.linalg")
def norm(a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True) -> Any:
    """Return the norm of a vector or matrix, as `scipy.linalg.norm`.

    Parameters
    ----------
    a : array
        Vectors or matrices.
    ord, axis, keepdims : optional
        As in `numpy.linalg.norm`.
    check_finite : bool
        As in SciPy.

    Returns
    -------
    array
        The norms.

    Notes
    -----
    The derivative counts as 0 at 0.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(linalg.norm)(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    """
    a = operand(a, "scipy.linalg.norm", check_finite)
    if not shape_of(a):
        a = a.reshape((1,))
        return norms.norm(a, ord, axis)
    return norms.norm(a, ord, axis, keepdims)
