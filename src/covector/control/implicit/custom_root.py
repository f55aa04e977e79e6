"""`custom_root`: the solution of an equation, found by any code, differentiated by the implicit function theorem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...core import tree
from ...core.errors import ConcretizationError
from ...core.graph import Graph
from ...core.primitive import bind
from ...core.tracer import Tracer, open_traces
from ...core.values import Aval, aval_of, dtype_of
from ...transforms.arguments import check_leaf, fun_name, split_aux
from ...transforms.grad_mode import no_grad
from ..carries import as_strong
from ..programs.bodies import Body, record_body
from .callables import GivenSolver, check_like, detached
from .equation import search_p, solution_p
from .recording import check_lanes, recorded, recorded_at
from .system import Method

__all__ = ["custom_root", "root"]


def custom_root(
    f: Callable[[Any], Any],
    initial_guess: Any,
    solve: Callable[..., Any],
    tangent_solve: Callable[..., Any] | None = None,
    has_aux: bool = False,
) -> Any:
    """Solve an equation with a solver of your own; derivatives come from the implicit function theorem.

    Parameters
    ----------
    f : callable
        The equation is ``f(x) = 0``; `f` returns arrays of the structure, shapes and dtypes of `x`. It may close over
        traced values: the derivatives of the solution with respect to them are what this function is for.
    initial_guess : pytree
        Where the search begins; real or complex arrays, Python numbers become NumPy scalars. The solution does not
        depend on it.
    solve : callable
        ``solve(f, initial_guess)`` returns the solution, like `initial_guess`. Any Python code, on plain arrays where
        no `vmap` or `jit` is involved; it is not differentiated.
    tangent_solve : callable, optional
        ``tangent_solve(g, y)`` solves ``g(x) = y`` for a linear `g`, the derivative of `f` or its transpose. Default:
        its matrix and LU for up to 256 real unknowns, GMRES for more.
    has_aux : bool, default False
        Whether `solve` returns ``(solution, aux)``.

    Returns
    -------
    solution : pytree
        What `solve` found.
    aux : pytree
        Only with `has_aux`: without derivatives.

    Raises
    ------
    TypeError
        What `f` or `solve` returns is not like `initial_guess`, or that holds integer arrays.
    numpy.linalg.LinAlgError
        When differentiated: the derivative of `f` is singular at the solution, so there is no implicit function.

    Notes
    -----
    A derivative in either mode evaluates the derivative of `f` at the solution and solves one linear system. It is
    that of an exact solution, and as accurate as the solution is. Where `f` looks at values (``if x > 0``), it is that
    of the branch taken at the solution.

    What `solve` takes from elsewhere than `f` and `initial_guess` may be traced; pass it through `stop_gradient` if
    SciPy is to see it. Under `vmap` and `jit` it is called with traced values first; where that fails, `vmap` calls it
    for one example after the other, and compiled functions call it from outside of the native code.

    References
    ----------
    B. Christianson, Reverse accumulation and attractive fixed points, 1994.
    M. Blondel et al., Efficient and modular implicit differentiation, 2022.

    Examples
    --------
    >>> import numpy as np, scipy.optimize, covector
    >>> def kepler(e, m):  # the eccentric anomaly x of an orbit: x - e sin(x) = m
    ...     return covector.custom_root(lambda x: x - e * np.sin(x) - m, m, scipy.optimize.newton)
    >>> round(kepler(0.5, 1.0), 6)
    np.float64(1.498701)
    >>> round(covector.grad(kepler)(0.5, 1.0), 6)
    np.float64(1.034667)
    """
    for name, fun in (("f", f), ("solve", solve), ("tangent_solve", tangent_solve)):
        if not callable(fun) and (name != "tangent_solve" or fun is not None):
            raise TypeError(f"custom_root: {name} must be a function, got {type(fun).__name__}: {fun!r}")
    return root("custom_root", f, initial_guess, solve, tangent_solve, has_aux)


def root(
    caller: str, f: Any, initial_guess: Any, solve: Any, tangent_solve: Any, has_aux: bool, user: Any = None
) -> Any:
    """As `custom_root`; `caller` and the function `user` are what messages talk of."""
    user = f if user is None else user
    start, treedef = _start(caller, initial_guess)
    avals = [Aval(a.shape, a.dtype) for a in map(aval_of, start)]
    search = _Search(caller, solve, treedef, avals, has_aux)

    def equation(*xs: Any) -> list[Any]:
        place = f"{caller}: what {fun_name(user)} returned"
        return check_like(f(tree.unflatten(treedef, xs)), treedef, avals, place, "the initial guess")

    if not open_traces():
        return search.result(search.found(search.of_trees(lambda xs: equation(*xs)), start))
    try:
        body = record_body(equation, avals, caller, function=user)
    except ConcretizationError:
        found = search.found(search.of_trees(lambda xs: detached(equation(*xs))), start)
        graph, captured = recorded_at(equation, found[: len(start)], caller)
    else:
        check_lanes(body.graph, caller, fun_name(user))
        found = search.run(body, start)
        graph, captured = body.graph, body.captured
    if captured:
        method = Method(caller)
        if tangent_solve is not None:
            given = GivenSolver(caller, tangent_solve, treedef)
            method = Method(caller, "given", solve=given, transpose_solve=given)
        params = {"equation": graph, "count": len(start), "method": method}
        found[: len(start)] = bind(solution_p, [*found[: len(start)], *captured], params)
    return search.result(found)


def _start(caller: str, initial_guess: Any) -> tuple[list[Any], tree.TreeDef]:
    """The leaves of the initial guess, without derivatives."""
    leaves, treedef = tree.flatten(initial_guess)
    out = []
    for i, x in enumerate(leaves):
        path = tree.paths(treedef)[i]
        place = f"{caller}: the initial guess{f', leaf {path},' if path else ''}"
        check_leaf(x, place)
        if type(x) is int:
            x = float(x)
        x = as_strong(x)
        if dtype_of(x).kind not in "fc":
            raise TypeError(
                f"{place} has dtype {dtype_of(x)}; an unknown has to be real or complex, use .astype(float)"
            )
        out.append(detached(x))
    return out, treedef


class _Search:
    """How a solution is found.

    Parameters
    ----------
    caller : str
        The public function, for messages.
    solve : callable
        The user's.
    treedef, avals
        Structure, shapes and dtypes of the solution.
    has_aux : bool
        Whether `solve` returns more than that.
    """

    def __init__(self, caller: str, solve: Any, treedef: tree.TreeDef, avals: Sequence[Aval], has_aux: bool) -> None:
        self.caller = caller
        self.solve = solve
        self.treedef = treedef
        self.avals = avals
        self.has_aux = has_aux
        self.aux_treedef: Any = None

    def found(self, f: Callable[[Any], Any], start: Sequence[Any]) -> list[Any]:
        """Solve ``f(x) = 0``; return the leaves of the solution, then those of aux."""
        with no_grad():
            x = self.solve(f, tree.unflatten(self.treedef, start))
        aux: list[Any] = []
        if self.has_aux:
            x, more = split_aux(x, self.caller, self.solve)
            aux, self.aux_treedef = tree.flatten(more)
        place = f"{self.caller}: what {fun_name(self.solve)} returned"
        return [
            *check_like(detached(x), self.treedef, self.avals, place, "the initial guess", widen=True),
            *detached(aux),
        ]

    def result(self, found: Sequence[Any]) -> Any:
        """What the public function returns."""
        count = len(self.avals)
        x = tree.unflatten(self.treedef, found[:count])
        return (x, tree.unflatten(self.aux_treedef, found[count:])) if self.has_aux else x

    def run(self, body: Body, start: Sequence[Any]) -> list[Any]:
        """Find a solution for the values that the equation closes over, whatever transforms follow them."""
        graph, operands = body.graph, detached(body.captured)
        if not any(isinstance(x, Tracer) for x in [*start, *operands]):
            return self.found(self._function(graph, operands), start)
        program = recorded(lambda *xs: self.found(self._function(graph, operands), xs), self.avals, self.caller, None)
        if program is not None:
            return program.graph.run(*start, *detached(program.captured))
        params = {"equation": graph, "count": len(start), "solver": self}
        return list(bind(search_p, [*start, *operands], params))

    def __call__(self, product: Callable[[Sequence[Any]], Sequence[Any]], start: Sequence[Any]) -> list[Any]:
        return self.found(self.of_trees(product), start)

    def _function(self, graph: Graph, operands: Sequence[Any]) -> Callable[[Any], Any]:
        return self.of_trees(lambda xs: graph.run(*xs, *operands))

    def of_trees(self, function: Callable[[Sequence[Any]], Sequence[Any]]) -> Callable[[Any], Any]:
        """What `solve` gets, made of a function of lists of arrays."""

        def f(x: Any) -> Any:
            xs = check_like(
                x, self.treedef, self.avals, f"{self.caller}: the argument of f", "the initial guess", widen=True
            )
            return tree.unflatten(self.treedef, function(xs))

        return f

    def check_abstract(self) -> None:
        """Raise TypeError if it cannot be told beforehand what is returned."""
        if self.has_aux:
            raise TypeError(
                f"{self.caller}: {fun_name(self.solve)} cannot be traced, so a compiled function calls it as it is and "
                f"has to know beforehand what it returns; use has_aux=False, or write it with covector.while_loop"
            )
