"""Sylvester's and Lyapunov's equations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ops.lapack.sylvester import sylvester_p
from ...ops.linalg import inv_p, mH, solve_p
from ..adapter import adapts, together
from .common import matrices

__all__ = ["solve_continuous_lyapunov", "solve_discrete_lyapunov", "solve_lyapunov", "solve_sylvester"]


@adapts("scipy.linalg")
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """Solve ``a @ x + x @ b = q``, as `scipy.linalg.solve_sylvester`.

    Parameters
    ----------
    a, b, q : array
        Matrices of shapes (m, m), (n, n) and (m, n); leading axes broadcast.

    Returns
    -------
    array
        The solution, of the shape of `q`.

    Notes
    -----
    dx solves the same equation with ``dq - da @ x - x @ db``.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> a, b = np.diag([1.0, 2.0]), np.diag([3.0, 4.0])
    >>> cv.grad(lambda q: np.sum(linalg.solve_sylvester(a, b, q)))(np.ones((2, 2)))
    array([[0.25      , 0.2       ],
           [0.2       , 0.16666667]])
    """
    a, b = matrices(a, "solve_sylvester"), matrices(b, "solve_sylvester")
    q = matrices(q, "solve_sylvester", square=False)
    if q.shape[-2:] != (a.shape[-1], b.shape[-1]):
        raise ValueError(f"solve_sylvester: q must be {a.shape[-1]} x {b.shape[-1]}, got shape {q.shape}")
    return sylvester_p(*together(a, b, q))


@adapts("scipy.linalg")
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """Solve ``a @ x + x @ a^H = q``, as `scipy.linalg.solve_continuous_lyapunov`.

    Parameters
    ----------
    a, q : array
        Square matrices; leading axes broadcast.

    Returns
    -------
    array
        The solution.

    Notes
    -----
    A Sylvester equation with ``b = a^H``.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda q: np.sum(linalg.solve_continuous_lyapunov(np.diag([1.0, 2.0]), q)))(np.eye(2))
    array([[0.5       , 0.33333333],
           [0.33333333, 0.25      ]])
    """
    a, q = _alike(a, q, "solve_continuous_lyapunov")
    return sylvester_p(a, mH(a), q)


def _alike(a: Any, q: Any, function: str) -> tuple[Any, Any]:
    a, q = matrices(a, function, True), matrices(q, function, True)
    if a.shape[-1] != q.shape[-1]:
        raise ValueError("Matrix a and q should have the same shape.")
    a, q = together(a, q)
    return a, q


@adapts("scipy.linalg")
def solve_lyapunov(a: Any, q: Any) -> Any:
    """Solve ``a @ x + x @ a^H = q``: another name of `solve_continuous_lyapunov`.

    Parameters
    ----------
    a, q : array
        Square matrices; leading axes broadcast.

    Returns
    -------
    array
        The solution.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: linalg.solve_lyapunov(a, np.eye(1))[0, 0])(np.array([[2.0]]))
    array([[-0.125]])
    """
    return solve_continuous_lyapunov(a, q)


@adapts("scipy.linalg")
def solve_discrete_lyapunov(a: Any, q: Any, method: str | None = None) -> Any:
    """Solve ``a @ x @ a^H - x + q = 0``, as `scipy.linalg.solve_discrete_lyapunov`.

    Parameters
    ----------
    a, q : array
        Square matrices; leading axes broadcast.
    method : {"direct", "bilinear"}, optional
        One equation of order n² for all elements, or a continuous equation; by default the former up to n = 9.

    Returns
    -------
    array
        The solution.

    Examples
    --------
    >>> import numpy as np
    >>> import covector as cv
    >>> from covector.scipy import linalg
    >>> cv.grad(lambda a: linalg.solve_discrete_lyapunov(a, np.eye(1))[0, 0])(np.array([[0.5]]))
    array([[1.77777778]])
    """
    a, q = _alike(a, q, "solve_discrete_lyapunov")
    n = a.shape[-1]
    chosen = ("bilinear" if n >= 10 else "direct") if method is None else method.lower()
    if chosen not in ("direct", "bilinear"):
        raise ValueError(f"Unknown solver {chosen}")
    eye = np.eye(n, dtype=a.dtype)
    if chosen == "direct":
        stack = a.shape[:-2]
        both = a.reshape((*stack, n, 1, n, 1)) * np.conj(a).reshape((*stack, 1, n, 1, n))
        left = np.eye(n * n, dtype=a.dtype) - both.reshape((*stack, n * n, n * n))
        x = solve_p(left, q.reshape((*q.shape[:-2], n * n, 1)))
        return x.reshape((*x.shape[:-2], n, n))
    adjoint = mH(a)
    inverse = inv_p(adjoint + eye)
    b = mH((adjoint - eye) @ inverse)
    return sylvester_p(b, mH(b), -2 * (inv_p(a + eye) @ q @ inverse))
