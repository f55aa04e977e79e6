"""Eigenvalues of Hermitian matrices and pencils, singular values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import ConcretizationError, caller
from ...numpy_api.plain import decided
from ...ops.cholesky import cholesky_p
from ...ops.decompositions import svd_p, svdvals_p
from ...ops.eigenvalues import eigh_p, eigvalsh_p
from ...ops.lapack.hermitian import driver_eigh_p
from ...ops.lapack.triangular import solve_triangular_p
from ...ops.linalg import mH
from ..adapter import adapts, together
from .common import as_read, matrices

__all__ = ["eigh", "eigvalsh", "svd", "svdvals"]

_DRIVERS = {False: (None, "ev", "evd", "evr", "evx"), True: (None, "gv", "gvd", "gvx")}


@adapts("scipy.linalg")
def eigh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Any:
    """Return eigenvalues and eigenvectors of Hermitian matrices or pencils, as `scipy.linalg.eigh`.

    Parameters
    ----------
    a : array
        Hermitian matrices, of which one triangle is read.
    b : array, optional
        Hermitian positive definite matrices of a generalized problem.
    lower : bool, default True
        Which triangle to read.
    eigvals_only : bool, default False
        Return the eigenvalues alone.
    type : {1, 2, 3}, default 1
        Solve ``a v = w b v``, ``a b v = w v`` or ``b a v = w v``.
    subset_by_index, subset_by_value : pair, optional
        First and last index, or the half-open interval, of the eigenvalues to return.
    overwrite_a, overwrite_b, check_finite, driver : optional
        As in SciPy.

    Returns
    -------
    w : array
        Eigenvalues.
    v : array
        Eigenvectors as columns, unless `eigvals_only`.

    Notes
    -----
    dw = diag(vᴴ da v) and dv = v (f ∘ vᴴ da v) with f[i, j] = 1/(w[j] − w[i]), or 0 where these count as equal [1]_.
    A generalized problem is made an ordinary one by the Cholesky factor of `b`. All eigenvalues are computed even where
    a subset is returned, whose vectors may have other signs than SciPy's.

    References
    ----------
    .. [1] M. B. Giles, An extended collection of matrix derivative results, 2008, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> a, b = np.diag([1.0, 4.0]), np.diag([1.0, 2.0])
    >>> cv.grad(lambda b: linalg.eigh(a, b, eigvals_only=True)[1])(b)
    array([[ 0.,  0.],
           [ 0., -1.]])
    """
    if type not in (1, 2, 3):
        raise ValueError('"type" keyword only accepts 1, 2, and 3.')
    if driver not in _DRIVERS[b is not None]:
        raise ValueError(f"eigh: driver must be one of {_DRIVERS[b is not None]} here, got {driver!r}")
    if subset_by_index is not None and subset_by_value is not None:
        raise ValueError("Either index or value subset can be requested.")
    a, lower = matrices(a, "eigh", check_finite), bool(lower)
    if b is not None:
        b = matrices(b, "eigh", check_finite)
        if b.shape[-1] != a.shape[-1]:
            raise ValueError(f"wrong b dimensions {b.shape}, should be {a.shape}")
        a, b = together(a, b)
        w, v = _pencil(a, b, lower, type, eigvals_only)
    elif eigvals_only:
        w, v = eigvalsh_p(a, lower=lower), None
    else:
        w, v = driver_eigh_p(a, lower=lower, driver=driver or "evr")
    if subset_by_index is not None or subset_by_value is not None:
        first, last = _subset(w, subset_by_index, subset_by_value)
        w, v = w[..., first:last], None if v is None else v[..., first:last]
    return w if eigvals_only else (w, v)


def _pencil(a: Any, b: Any, lower: bool, kind: int, values: bool) -> tuple[Any, Any]:
    """Make the problem an ordinary one, as LAPACK does: with b = l lᴴ the matrix is l⁻¹ a l⁻ᴴ, or lᴴ a l."""
    a = as_read(a, "hermitian", lower)
    factor = cholesky_p(b) if lower else mH(cholesky_p(mH(b)))
    # b = l lᴴ or, from its upper triangle, uᴴ u: l = uᴴ.
    left = factor if lower else mH(factor)

    def solve(x: Any, adjoint: bool) -> Any:
        return solve_triangular_p(mH(left) if adjoint else left, x, lower=not adjoint, unit=False)

    one = solve(mH(solve(a, False)), False) if kind == 1 else mH(left) @ a @ left
    if values:
        return eigvalsh_p(one, lower=lower), None
    w, v = eigh_p(one, lower=lower)
    return w, left @ v if kind == 3 else solve(v, True)


def _subset(w: Any, by_index: Any, by_value: Any) -> tuple[int, int]:
    """Return the first index of the subset and that after the last."""
    n = w.shape[-1]
    if by_index is not None:
        first, last = (int(i) for i in by_index)
        if not 0 <= first <= last < n:
            raise ValueError(
                f"Requested eigenvalue indices are not valid. Valid range is [0, {n - 1}] and start <= end, but "
                f"start={first}, end={last} is given"
            )
        return first, last + 1
    low, high = by_value
    if not low < high:
        raise ValueError(
            f"Requested eigenvalue bounds are not valid. Valid range is (-inf, inf) and low < high, but low={low}, "
            f"high={high} is given"
        )
    below = decided(w, lambda w: np.stack([w <= low, w <= high]))
    counts = [] if below is None else below.reshape(2, -1, n).sum(axis=2).T.tolist()
    ends = set(map(tuple, counts))
    if len(ends) != 1:
        raise ConcretizationError(
            f"scipy.linalg.eigh with subset_by_value at {caller()} must know how many eigenvalues lie in the interval, "
            f"the same number for all matrices; use subset_by_index, or np.where on all eigenvalues"
        )
    return ends.pop()


@adapts("scipy.linalg")
def eigvalsh(
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    type: int = 1,
    check_finite: bool = True,
    subset_by_index: Any = None,
    subset_by_value: Any = None,
    driver: str | None = None,
) -> Any:
    """Return eigenvalues of Hermitian matrices or pencils, as `scipy.linalg.eigvalsh`.

    Parameters
    ----------
    a, b, lower, type, subset_by_index, subset_by_value : optional
        As in `eigh`.
    overwrite_a, overwrite_b, check_finite, driver : optional
        As in SciPy.

    Returns
    -------
    array
        Eigenvalues.

    Notes
    -----
    dw = diag(vᴴ da v), which is exact for equal eigenvalues in sums over all of them.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: linalg.eigvalsh(a)[0])(np.diag([1.0, 4.0]))
    array([[1., 0.],
           [0., 0.]])
    """
    return eigh(
        a,
        b,
        lower=lower,
        eigvals_only=True,
        type=type,
        check_finite=check_finite,
        subset_by_index=subset_by_index,
        subset_by_value=subset_by_value,
        driver=driver,
    )


@adapts("scipy.linalg")
def svd(
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    """Return the singular value decomposition, as `scipy.linalg.svd`.

    Parameters
    ----------
    a : array
        Matrices.
    full_matrices : bool, default True
        Complete the vectors to a basis.
    compute_uv : bool, default True
        Return the vectors too.
    lapack_driver : {"gesdd", "gesvd"}, default "gesdd"
        Traced values are always given to the first, so that vectors may have other signs than the second's.
    overwrite_a, check_finite : bool
        As in SciPy.

    Returns
    -------
    u, s, vh : array
        ``a = u @ diag(s) @ vh``; `s` alone without `compute_uv`.

    Notes
    -----
    As `numpy.linalg.svd`: terms 1/gap between equal values count as 0 [1]_.

    References
    ----------
    .. [1] Z.-Q. Wan and S.-X. Zhang, Automatic differentiation for complex valued SVD, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: linalg.svd(a, compute_uv=False)[0])(np.diag([3.0, 2.0]))
    array([[1., 0.],
           [0., 0.]])
    """
    if lapack_driver not in ("gesdd", "gesvd"):
        raise ValueError(f'lapack_driver must be "gesdd" or "gesvd", not "{lapack_driver}"')
    a = matrices(a, "svd", check_finite, square=False)
    if not compute_uv:
        return svdvals_p(a)
    return tuple(svd_p(a, full=bool(full_matrices) and a.shape[-1] != a.shape[-2]))


@adapts("scipy.linalg")
def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """Return the singular values, as `scipy.linalg.svdvals`.

    Parameters
    ----------
    a : array
        Matrices.
    overwrite_a, check_finite : bool
        As in SciPy.

    Returns
    -------
    array
        Singular values, largest first.

    Notes
    -----
    ds = diag(uᴴ da v); at a value that is exactly 0 the derivative counts as 0.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: linalg.svdvals(a).sum())(np.diag([3.0, 2.0]))
    array([[1., 0.],
           [0., 1.]])
    """
    return svdvals_p(matrices(a, "svdvals", check_finite, square=False))
