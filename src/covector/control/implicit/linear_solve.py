"""`linear_solve`: linear systems whose matrix is a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core import tree
from ...core.tracer import open_traces
from ...core.values import Aval, aval_of, dtype_of
from ...transforms.arguments import check_leaf, fun_name
from ..carries import as_strong
from ..programs.bodies import Body, record_body
from .callables import GivenSolver, check_like, detached
from .recording import check_lanes, recorded_solvers
from .system import Method, Parts, solve_here, solve_system

__all__ = ["linear_solve"]

_NAMES = ("dense", "cg", "gmres", "bicgstab")


def linear_solve(
    matvec: Callable[[Any], Any],
    b: Any,
    *,
    solve: Any = None,
    transpose_solve: Callable[..., Any] | None = None,
    symmetric: bool = False,
    x0: Any = None,
    tol: float | None = None,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Callable[[Any], Any] | None = None,
) -> Any:
    """Solve a linear system given by its product with a vector; differentiable in all that it depends on.

    Parameters
    ----------
    matvec : callable
        ``matvec(x)`` is the product of the matrix with `x`, of the structure, shapes and dtypes of `b`. It may close
        over traced values: derivatives flow to them.
    b : pytree
        The right-hand side.
    solve : {None, "dense", "cg", "gmres", "bicgstab"} or callable, optional
        The method. None: the matrix and its LU factorisation for up to 256 real unknowns; beyond, or with `x0` or `M`,
        conjugate gradients if `symmetric`, else GMRES. Or your own, ``solve(matvec, b) -> x``.
    transpose_solve : callable, optional
        With a `solve` of your own: ``transpose_solve(vecmat, ct)``, which solves the transposed system, for reverse
        mode.
    symmetric : bool, default False
        Whether the matrix equals its conjugate transpose. Conjugate gradients also need it to be positive definite.
    x0 : pytree, optional
        Where an iteration begins; default zeros. The solution does not depend on it.
    tol, atol : float, optional
        An iteration ends when the norm of the residual is at most ``max(tol * norm(b), atol)``. By default `tol` is
        1e-10, in single precision 1e-5.
    maxiter : int, optional
        At most about so many products; default ten times the number of unknowns.
    M : callable, optional
        A preconditioner: ``M(r)`` is an approximate solution for the right-hand side `r`, linear in it.

    Returns
    -------
    pytree
        The solution, like `b`; promoted where `matvec` of such arrays returns a wider dtype.

    Raises
    ------
    numpy.linalg.LinAlgError
        The matrix is singular, or an iteration did not arrive. Under `vmap` and in compiled functions the solution is
        NaN where an iteration did not arrive.
    TypeError
        What a function returns is not like `b`.
    NotDifferentiableError
        In reverse mode: `solve` was given and `transpose_solve` was not, or `matvec` is not linear.

    Notes
    -----
    A derivative in either mode solves one system more, with the same matrix or its transpose, by the same method; how
    the solution was found is not differentiated. Complex unknowns count as two real ones, so `matvec` need only be
    linear over the real numbers.

    Your own `solve` may be any Python code. Under transforms it is called with traced values first; where that fails
    (SciPy), it gets plain arrays: `vmap` calls it for one example after the other, and compiled functions call it from
    outside of the native code.

    References
    ----------
    M. R. Hestenes, E. Stiefel, Methods of conjugate gradients for solving linear systems, 1952.
    Y. Saad, M. H. Schultz, GMRES: a generalized minimal residual algorithm for solving nonsymmetric linear systems,
    1986.
    H. A. van der Vorst, Bi-CGSTAB: a fast and smoothly converging variant of Bi-CG, 1992.

    Examples
    --------
    >>> import numpy as np, covector
    >>> def solution(k):  # a chain of springs of stiffness k, pulled at its end
    ...     def force(x):
    ...         stretch = np.diff(x, prepend=0.0)
    ...         return k * (stretch - np.append(stretch[1:], 0.0))
    ...     return covector.linear_solve(force, np.array([0.0, 0.0, 6.0]), symmetric=True)
    >>> solution(2.0)
    array([3., 6., 9.])
    >>> covector.jacfwd(solution)(2.0)
    array([-1.5, -3. , -4.5])
    """
    leaves, treedef = _right_side(b)
    _check(matvec, solve, transpose_solve, symmetric, x0, tol, atol, maxiter, M)
    name = "given" if callable(solve) else solve or "auto"
    method = Method("linear_solve", name, bool(symmetric), tol, atol, maxiter)
    if not open_traces():
        return _plainly(matvec, leaves, treedef, solve, x0, M, method)
    body, leaves = _recorded(matvec, leaves, treedef)
    operands = [*body.captured]
    guess = () if x0 is None else _guess(x0, treedef, body.avals)
    if callable(solve):
        method, parts = _given(solve, transpose_solve, body, treedef, bool(symmetric))
    elif M is None:
        parts = Parts(guess)
    else:
        approximate = _map(M, "M", treedef, body.avals)
        parts = Parts(guess, preconditioner=approximate.graph, values=detached(approximate.captured))
    return tree.unflatten(treedef, solve_system(body.graph, leaves, operands, method, parts))


def _check(
    matvec: Any, solve: Any, transpose_solve: Any, symmetric: Any, x0: Any, tol: Any, atol: Any, maxiter: Any, M: Any
) -> None:
    if not callable(matvec):
        raise TypeError(
            f"linear_solve: matvec must be a function, got {type(matvec).__name__}; for an array A, lambda x: A @ x"
        )
    if not (solve is None or solve in _NAMES if isinstance(solve, str | None) else callable(solve)):
        raise ValueError(f"linear_solve: solve must be None, one of {', '.join(_NAMES)}, or a function, got {solve!r}")
    if transpose_solve is not None and not callable(solve):
        raise TypeError("linear_solve: transpose_solve goes with a solve of your own; the methods here need none")
    if callable(solve) and (x0 is not None or M is not None or maxiter is not None or tol is not None or atol):
        raise TypeError("linear_solve: x0, tol, atol, maxiter and M are for the methods here, not for your own solve")
    if solve == "dense" and (x0 is not None or M is not None):
        raise TypeError("linear_solve: solve='dense' does not iterate, so it takes neither x0 nor M")
    if solve == "cg" and not symmetric:
        raise ValueError("linear_solve: solve='cg' is for symmetric positive definite maps; say so by symmetric=True")
    if M is not None and not callable(M):
        raise TypeError(f"linear_solve: M must be a function of the residual, got {type(M).__name__}")
    if maxiter is not None and (not isinstance(maxiter, int | np.integer) or maxiter < 0):
        raise ValueError(f"linear_solve: maxiter must be an integer of 0 or more, got {maxiter!r}")


def _right_side(b: Any) -> tuple[list[Any], tree.TreeDef]:
    leaves, treedef = tree.flatten(b)
    for i, x in enumerate(leaves):
        check_leaf(x, f"linear_solve: b{tree.paths(treedef)[i]}")
    leaves = [as_strong(x) for x in leaves]
    return [x if dtype_of(x).kind in "fc" else x.astype(float) for x in leaves], treedef


def _map(fun: Any, name: str, treedef: tree.TreeDef, avals: Sequence[Aval]) -> Body:
    """Record a function of one tree like `b`, which returns such a tree."""

    def flat(*xs: Any) -> Any:
        return fun(tree.unflatten(treedef, xs))

    body = record_body(flat, avals, "linear_solve", function=fun)
    check_lanes(body.graph, "linear_solve", f"{name} {fun_name(fun)}")
    if body.treedef != treedef:
        raise TypeError(
            f"linear_solve: {name} {fun_name(fun)} returns the structure {body.treedef}, expected {treedef}, that of b"
        )
    for i, (got, want) in enumerate(zip(body.avals, avals, strict=True)):
        if got.shape != want.shape:
            path = tree.paths(treedef)[i]
            raise TypeError(
                f"linear_solve: {name} {fun_name(fun)} returns shape {got.shape}{f' at {path}' if path else ''} for "
                f"{want.shape}; it must map arrays like b to arrays like b"
            )
    return body


def _promoted(leaves: Sequence[Any], avals: Sequence[Aval]) -> list[Any]:
    return [
        x if np.result_type(dtype_of(x), a.dtype) == dtype_of(x) else x.astype(np.result_type(dtype_of(x), a.dtype))
        for x, a in zip(leaves, avals, strict=True)
    ]


def _recorded(matvec: Any, leaves: list[Any], treedef: tree.TreeDef) -> tuple[Body, list[Any]]:
    """Record the map; return it with the right-hand side in the dtype that it returns."""
    body = _map(matvec, "matvec", treedef, _avals(leaves))
    promoted = _promoted(leaves, body.avals)
    if any(x is not y for x, y in zip(leaves, promoted, strict=True)):
        body, leaves = _map(matvec, "matvec", treedef, _avals(promoted)), promoted
    for i, (x, a) in enumerate(zip(leaves, body.avals, strict=True)):
        if dtype_of(x) != a.dtype:
            raise TypeError(
                f"linear_solve: matvec {fun_name(matvec)} returns dtype {a.dtype} at leaf {tree.paths(treedef)[i]} "
                f"for an x of dtype {dtype_of(x)}; it must map arrays like b to arrays like b"
            )
    return body, leaves


def _avals(leaves: Sequence[Any]) -> list[Aval]:
    return [aval_of(x)._replace(weak=False) for x in leaves]


def _guess(x0: Any, treedef: tree.TreeDef, avals: Sequence[Aval]) -> list[Any]:
    leaves, have = tree.flatten(x0)
    if have == treedef:
        leaves = [as_strong(x) for x in leaves]
        leaves = [x if dtype_of(x) == a.dtype else x.astype(a.dtype) for x, a in zip(leaves, avals, strict=True)]
    return detached(check_like(tree.unflatten(have, leaves), treedef, avals, "linear_solve: x0", "b"))


def _given(
    solve: Any, transpose_solve: Any, body: Body, treedef: tree.TreeDef, symmetric: bool
) -> tuple[Method, Parts]:
    """The user's functions: recorded together with what they close over, or as they are if they cannot be traced."""
    direct = GivenSolver("linear_solve", solve, treedef)
    back = None if transpose_solve is None else GivenSolver("linear_solve", transpose_solve, treedef)
    parts = recorded_solvers(direct, back, body)
    return (
        Method(
            "linear_solve",
            "given",
            symmetric,
            solve=direct if parts.solver is None else None,
            transpose_solve=back if parts.transposed_solver is None else None,
        ),
        parts,
    )


def _plainly(matvec: Any, leaves: list[Any], treedef: tree.TreeDef, solve: Any, x0: Any, M: Any, method: Method) -> Any:
    """Solve without any transform about: the functions are called as they are, on plain arrays."""

    def on_leaves(fun: Any, name: str) -> Any:
        def function(xs: Sequence[Any]) -> list[Any]:
            out = fun(tree.unflatten(treedef, xs))
            return check_like(out, treedef, _avals(xs), f"linear_solve: what {name} {fun_name(fun)} returned", "b")

        return function

    out = tree.leaves(matvec(tree.unflatten(treedef, leaves)))
    if len(out) == len(leaves):
        leaves = _promoted(leaves, _avals(out))
    product = on_leaves(matvec, "matvec")
    if callable(solve):
        return tree.unflatten(treedef, GivenSolver("linear_solve", solve, treedef)(product, leaves))
    guess = () if x0 is None else _guess(x0, treedef, _avals(leaves))
    approximate = None if M is None else on_leaves(M, "M")
    columns = lambda f, basis: np.stack([f(v) for v in basis], axis=1) if len(basis) else basis
    return tree.unflatten(treedef, solve_here(product, leaves, method, guess, approximate, columns))
