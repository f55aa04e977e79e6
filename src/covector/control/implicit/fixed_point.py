"""`fixed_point`: where a function returns its argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...core import tree
from ...core.buffer import plain_of
from ...core.tracer import Tracer
from ...core.values import Aval, aval_of
from ...transforms.arguments import fun_name
from .callables import check_like
from .custom_root import root
from .iterations import anderson, newton, norm, picard
from .vectors import layout_of

__all__ = ["fixed_point"]

_SOLVERS = {"picard": picard, "anderson": anderson, "newton": newton}


def fixed_point(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    tol: float | None = None,
    maxiter: int = 1000,
    solver: str = "picard",
    tangent_solve: Callable[..., Any] | None = None,
) -> Any:
    """Find ``x = f(x, *args)``; derivatives come from the implicit function theorem.

    Parameters
    ----------
    f : callable
        Returns arrays of the structure, shapes and dtypes of its first argument. It may close over traced values.
    x0 : pytree
        Where the search begins; real or complex arrays, Python numbers become NumPy scalars. The solution does not
        depend on it.
    *args : pytree
        Further arguments of `f`.
    tol : float, optional
        The search ends when ``norm(f(x) - x) <= tol * (1 + norm(x))``; default 1e-10, in single precision 1e-5.
    maxiter : int, default 1000
        The largest number of steps.
    solver : {"picard", "anderson", "newton"}, default "picard"
        ``x = f(x)`` again and again, which needs a contraction; the same, accelerated by what the last five steps say
        about the function; or Newton's method, with exact derivatives.
    tangent_solve : callable, optional
        As in `custom_root`, for the linear systems of the derivatives.

    Returns
    -------
    pytree
        The fixed point, like `x0`.

    Raises
    ------
    RuntimeError
        The search did not arrive. Under `vmap` and in compiled functions the result is NaN where it did not.
    TypeError
        What `f` returns is not like `x0`, or that holds integer arrays.
    numpy.linalg.LinAlgError
        When differentiated: ``∂f/∂x`` has the eigenvalue one at the fixed point.

    Notes
    -----
    The steps are not differentiated and nothing of them is stored: a derivative in either mode evaluates the derivative
    of `f` at the fixed point and solves one linear system with ``1 - ∂f/∂x``.

    References
    ----------
    B. Christianson, Reverse accumulation and attractive fixed points, 1994.
    D. G. Anderson, Iterative procedures for nonlinear integral equations, 1965.
    H. F. Walker, P. Ni, Anderson acceleration for fixed-point iterations, 2011.

    Examples
    --------
    >>> import numpy as np, covector
    >>> half = lambda a: covector.fixed_point(lambda x: 0.5 * (x + a / x), 1.0)  # the square root of a
    >>> half(4.0).round(6), covector.grad(half)(4.0).round(6)
    (np.float64(2.0), np.float64(0.25))
    """
    if not callable(f):
        raise TypeError(f"fixed_point: f must be a function, got {type(f).__name__}: {f!r}")
    if solver not in _SOLVERS:
        raise ValueError(f"fixed_point: solver must be one of {', '.join(_SOLVERS)}, got {solver!r}")
    if not isinstance(maxiter, int | np.integer) or isinstance(maxiter, bool) or maxiter < 0:
        raise ValueError(f"fixed_point: maxiter must be an integer of 0 or more, got {maxiter!r}")
    if tangent_solve is not None and not callable(tangent_solve):
        raise TypeError(f"fixed_point: tangent_solve must be a function, got {type(tangent_solve).__name__}")

    def moved(x: Any) -> Any:
        old, treedef = tree.flatten(x)
        avals = [Aval(a.shape, a.dtype) for a in map(aval_of, old)]
        new = check_like(f(x, *args), treedef, avals, f"fixed_point: what {fun_name(f)} returned", "x0")
        return tree.unflatten(treedef, [a - b for a, b in zip(new, old, strict=True)])

    def solve(residual: Callable[[Any], Any], start: Any) -> Any:
        return _search(residual, start, tol, maxiter, solver, f)

    return root("fixed_point", moved, x0, solve, tangent_solve, False, f)


def _search(residual: Any, start: Any, tol: float | None, maxiter: int, solver: str, f: Any) -> Any:
    leaves, treedef = tree.flatten(start)
    layout = layout_of([Aval(a.shape, a.dtype) for a in map(aval_of, leaves)])
    if tol is None:
        tol = 1e-10 if layout.dtype.itemsize >= 8 else 1e-5

    def g(v: Any) -> Any:
        return v + layout.ravel(tree.leaves(residual(tree.unflatten(treedef, layout.split(v)))))

    x, left = map(plain_of, _SOLVERS[solver](g, layout.ravel(leaves), tol, maxiter))
    distance, limit = norm(left), tol * (1.0 + norm(x))
    arrived = plain_of(distance <= limit)
    if isinstance(arrived, Tracer):
        return tree.unflatten(treedef, layout.split(np.where(arrived, x, np.nan)))
    if not arrived:
        raise RuntimeError(
            f"fixed_point: {solver} did not arrive at a fixed point of {fun_name(f)} in {maxiter} steps: "
            f"norm(f(x) - x) is {distance:.3g}, above tol * (1 + norm(x)) = {limit:.3g}; allow more steps with "
            f"maxiter, begin nearer, or use {'solver=' + repr('anderson') if solver == 'picard' else 'another solver'}"
        )
    return tree.unflatten(treedef, layout.split(x))
