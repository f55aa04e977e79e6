"""Matrices of a pattern: block diagonal, Toeplitz, circulant, Hankel."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import NotDifferentiableError, caller
from ...core.values import dtype_of
from ...numpy_api.structural import as_array
from ...ops.complex_parts import astype
from ..adapter import adapts

__all__ = ["block_diag", "circulant", "hankel", "toeplitz"]


@adapts("scipy.linalg")
def block_diag(*arrs: Any) -> Any:
    """Return a matrix with the given ones on its diagonal, as `scipy.linalg.block_diag`.

    Parameters
    ----------
    *arrs : array
        Matrices, or vectors that count as rows; leading axes broadcast.

    Returns
    -------
    array
        The block diagonal matrix.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: np.sum(linalg.block_diag(a, np.eye(2)) ** 2))(np.array([[1.0, 2.0]]))
    array([[2., 4.]])
    """
    blocks = [np.atleast_2d(as_array(x, "scipy.linalg.block_diag")) for x in arrs]
    stack = np.broadcast_shapes(*(x.shape[:-2] for x in blocks))
    dtype = np.result_type(*(dtype_of(x) for x in blocks))
    width = sum(x.shape[-1] for x in blocks)
    rows, at = [], 0
    for x in blocks:
        m, n = x.shape[-2:]
        before, after = np.zeros((*stack, m, at), dtype), np.zeros((*stack, m, width - at - n), dtype)
        rows.append(np.concatenate([before, astype(np.broadcast_to(x, (*stack, m, n)), dtype), after], axis=-1))
        at += n
    return np.concatenate(rows, axis=-2)


def _vectors(x: Any, function: str) -> Any:
    return np.atleast_1d(as_array(x, f"scipy.linalg.{function}"))


@adapts("scipy.linalg")
def toeplitz(c: Any, r: Any = None) -> Any:
    """Return the matrix with constant diagonals, as `scipy.linalg.toeplitz`.

    Parameters
    ----------
    c : array
        The first column; leading axes make a stack.
    r : array, optional
        The first row, whose first element is not read; by default that of a Hermitian matrix.

    Returns
    -------
    array
        The Toeplitz matrix.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda c: np.sum(linalg.toeplitz(c)))(np.ones(3))
    array([3., 4., 2.])
    """
    c = _vectors(c, "toeplitz")
    r = np.conj(c) if r is None else _vectors(r, "toeplitz")
    stack = np.broadcast_shapes(c.shape[:-1], r.shape[:-1])
    m, n = c.shape[-1], r.shape[-1]
    c, r = np.broadcast_to(c, (*stack, m)), np.broadcast_to(r, (*stack, n))
    diagonals = np.concatenate([c[..., ::-1], r[..., 1:]], axis=-1)
    return diagonals[..., m - 1 - np.arange(m).reshape((m, 1)) + np.arange(n)]


@adapts("scipy.linalg")
def circulant(c: Any) -> Any:
    """Return the matrix whose columns are rotations of a vector, as `scipy.linalg.circulant`.

    Parameters
    ----------
    c : array
        The first column; leading axes make a stack.

    Returns
    -------
    array
        The circulant matrix.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda c: linalg.circulant(c)[0, 1] ** 2)(np.array([1.0, 2.0, 3.0]))
    array([0., 0., 6.])
    """
    c = _vectors(c, "circulant")
    n = c.shape[-1]
    return c[..., (np.arange(n).reshape((n, 1)) - np.arange(n)) % max(n, 1)]


@adapts("scipy.linalg")
def hankel(c: Any, r: Any = None) -> Any:
    """Return the matrix with constant anti-diagonals, as `scipy.linalg.hankel`.

    Parameters
    ----------
    c : array
        The first column, a vector.
    r : array, optional
        The last row, whose first element is not read; zeros by default.

    Returns
    -------
    array
        The Hankel matrix.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda c: np.sum(linalg.hankel(c)))(np.ones(3))
    array([1., 2., 3.])
    """
    c = as_array(c, "scipy.linalg.hankel")
    r = np.zeros(c.shape, dtype_of(c)) if r is None else as_array(r, "scipy.linalg.hankel")
    if c.ndim != 1 or r.ndim != 1:
        raise NotDifferentiableError(
            f"scipy.linalg.hankel of traced values takes vectors, got shapes {c.shape} and {r.shape} (at {caller()}); "
            f"what SciPy makes of more axes changes with version 1.19: call np.ravel first, or use vmap for a batch"
        )
    values = np.concatenate([c, r[1:]])
    return values[np.arange(c.size).reshape((c.size, 1)) + np.arange(r.size)]
