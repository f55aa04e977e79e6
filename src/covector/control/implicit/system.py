"""The solution of a linear system as one operation, differentiated by solving systems with the same map.

With ``A(p) x = b``: ``A dx = db - dA x``, and for a cotangent ``c`` of `x` those of `b` and `p` are the solution `w` of
``Aᵀ w = c`` and ``-wᵀ ∂(A(p) x)/∂p``. Neither looks at how the system was solved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.buffer import plain_of
from ...core.errors import ConcretizationError, NotDifferentiableError, TracerConversionError
from ...core.graph import Graph, GraphTracer, Var
from ...core.primitive import Expand, Primitive, bind
from ...core.tracer import Tracer
from ...core.values import Aval, aval_of
from ...transforms.vmap import vmap
from .krylov import bicgstab, cg, gmres
from .lanes import Lanes, batched, each, lane_aval, outermost, outputs, pulled, pushed
from .programs import backward, forward, transposed, zeros
from .vectors import layout_of

__all__ = ["DENSE", "Method", "Parts", "solve_here", "solve_system", "solve_transposed", "system_p"]

DENSE = 256
"""Systems of up to so many real unknowns are solved by LU factorisation, unless an iteration is asked for."""

Product = Callable[[Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True)
class Method:
    """How to solve a system.

    Attributes
    ----------
    caller : str
        The public function, for messages.
    name : str
        ``"auto"``, ``"dense"``, ``"cg"``, ``"gmres"``, ``"bicgstab"`` or ``"given"``.
    symmetric : bool
        Whether the map equals its conjugate transpose.
    tol, atol : float or None
        An iteration ends when the norm of the residual is at most ``max(tol * norm(b), atol)``.
    maxiter : int, optional
        The largest number of products.
    solve, transpose_solve : callable, optional
        ``solve(product, b)`` on lists of arrays: the user's, in place of all of these, for the map and its transpose.
    """

    caller: str
    name: str = "auto"
    symmetric: bool = False
    tol: float | None = None
    atol: float = 0.0
    maxiter: int | None = None
    solve: Callable[[Product, Sequence[Any]], Sequence[Any]] | None = None
    transpose_solve: Callable[[Product, Sequence[Any]], Sequence[Any]] | None = None

    def chosen(self, size: int, special: bool) -> str:
        """The name of the method for so many unknowns; `special` if there is a guess or a preconditioner."""
        if self.name != "auto":
            return self.name
        if size <= DENSE and not special:
            return "dense"
        return "cg" if self.symmetric else "gmres"


@dataclass(frozen=True)
class Parts:
    """Further programs of a system, and the values that they take at the end of their inputs.

    Attributes
    ----------
    guess : sequence
        Where an iteration begins, or nothing.
    preconditioner, solver, transposed_solver : Graph, optional
        Recorded functions of a right-hand side: an approximate inverse, and what the user solves with.
    values : sequence
        What the programs take after the right-hand side.
    """

    guess: Sequence[Any] = ()
    preconditioner: Graph | None = None
    solver: Graph | None = None
    transposed_solver: Graph | None = None
    values: Sequence[Any] = ()


def solve_system(
    matvec: Graph, b: Sequence[Any], operands: Sequence[Any], method: Method, parts: Parts | None = None
) -> tuple[Any, ...]:
    """Solve ``matvec(x, operands) = b``.

    Parameters
    ----------
    matvec : Graph
        Linear in its first inputs, of which it returns as many.
    b : sequence
        The right-hand sides, of the shapes and dtypes of these.
    operands : sequence
        The other inputs; derivatives flow to them.
    method : Method
        How to solve it.
    parts : Parts, optional
        Where to begin, and with what.
    """
    parts = Parts() if parts is None else parts
    return bind(system_p, [*b, *operands, *parts.guess, *parts.values], _params(matvec, len(b), method, parts))


def solve_transposed(matvec: Graph, ct: Sequence[Any], operands: Sequence[Any], method: Method) -> Sequence[Any]:
    """Solve the system with the transpose of `matvec`, see `solve_system`."""
    return _solve_transposed(_params(matvec, len(ct), method, Parts()), ct, operands, ())


def _params(matvec: Graph, count: int, method: Method, parts: Parts) -> dict[str, Any]:
    return {
        "matvec": matvec,
        "count": count,
        "method": method,
        "guess": bool(parts.guess),
        "preconditioner": parts.preconditioner,
        "solver": parts.solver,
        "transposed_solver": parts.transposed_solver,
    }


# --- values -----------------------------------------------------------------------------------------------------------


def _impl(*args: Any, lanes: Lanes = (), **params: Any) -> tuple[Any, ...]:
    def one(*xs: Any) -> tuple[Any, ...]:
        return tuple(_solve(xs, **params))

    method = params["method"]
    if method.solve is None or params["solver"] is not None or not (lanes or _abstract(args)):
        return outermost(lanes, one, args)
    try:
        return outermost(lanes, one, args)
    except (ConcretizationError, TracerConversionError, NotDifferentiableError) as error:
        # The user's function wants plain arrays. A program that is being compiled calls it as it is then.
        if _abstract(args):
            raise ConcretizationError(str(error)) from error
    return each(lanes, one, args, [lane_aval(aval_of(x), i, lanes) for i, x in enumerate(args[: params["count"]])])


def _abstract(args: Sequence[Any]) -> bool:
    """Whether there is a value among `args` of which only shape and dtype are known."""
    for x in args:
        while isinstance(x, Tracer):
            if isinstance(x, GraphTracer):
                return True
            x = x.value
    return False


def _solve(
    args: Sequence[Any],
    *,
    matvec: Graph,
    count: int,
    method: Method,
    guess: bool,
    preconditioner: Graph | None,
    solver: Graph | None,
    transposed_solver: Graph | None,
) -> Sequence[Any]:
    """Solve one system."""
    total = len(matvec.inputs)
    b, operands = args[:count], args[count:total]
    start, values = (args[total : total + count], args[total + count :]) if guess else ((), args[total:])
    if solver is not None:
        return solver.run(*b, *values)

    def product(xs: Sequence[Any]) -> Sequence[Any]:
        return matvec.run(*xs, *operands)

    if method.solve is not None:
        return method.solve(product, b)
    approximate = None
    if preconditioner is not None:
        program = preconditioner
        approximate = lambda xs: program.run(*xs, *values)
    return solve_here(product, b, method, start, approximate, lambda f, basis: vmap(f, out_axes=1)(basis))


def solve_here(
    product: Product, b: Sequence[Any], method: Method, start: Sequence[Any], approximate: Product | None, columns: Any
) -> Sequence[Any]:
    """Solve ``product(x) = b`` by one of our methods.

    Parameters
    ----------
    product, approximate : callable
        The map, and maybe an approximate inverse of it, on lists of arrays like `b`.
    b, start : sequence
        The right-hand side; where an iteration begins, or nothing.
    method : Method
        How to solve it.
    columns : callable
        ``columns(f, basis)`` is the matrix whose columns are what `f` makes of the rows of `basis`.
    """
    layout = layout_of([Aval(a.shape, a.dtype) for a in map(aval_of, b)])
    on_vectors, vector = layout.on_vectors(product), layout.ravel(b)
    chosen = method.chosen(layout.size, bool(start) or approximate is not None)
    if chosen == "dense":
        matrix = columns(on_vectors, np.eye(layout.size, dtype=layout.dtype))
        return layout.split(_direct(matrix, vector, method))
    x = layout.ravel(start) if start else np.zeros(layout.size, layout.dtype)
    inverse = None if approximate is None else layout.on_vectors(approximate)
    return layout.split(_iterated(chosen, on_vectors, vector, x, method, inverse))


def _direct(matrix: Any, b: Any, method: Method) -> Any:
    try:
        return np.linalg.solve(matrix, b)
    except np.linalg.LinAlgError as error:
        about = "the matrix is singular, so the system has no solution, or more than one"
        if method.caller in ("custom_root", "fixed_point"):
            about = "the derivative of the equation at its solution is singular, so it defines no implicit function"
        raise np.linalg.LinAlgError(f"{method.caller}: {about} ({b.shape[0]} real unknowns)") from error


def _iterated(name: str, product: Any, b: Any, x: Any, method: Method, approximate: Any) -> Any:
    tol = method.tol
    if tol is None:
        tol = 1e-10 if b.dtype.itemsize >= 8 else 1e-5
    maxiter = 10 * b.shape[0] if method.maxiter is None else method.maxiter
    length = np.sqrt(np.dot(b, b))
    threshold = np.maximum(tol * length, method.atol).astype(b.dtype)
    run = {"cg": cg, "gmres": gmres, "bicgstab": bicgstab}[name]
    x, left = run(product, b, x, threshold=threshold, maxiter=maxiter, precondition=approximate)
    x, arrived = plain_of(x), plain_of(left <= threshold)
    if isinstance(arrived, Tracer):
        return np.where(arrived, x, np.nan)
    if arrived:
        return x
    if not np.isfinite(length):
        return np.full_like(x, np.nan)
    advice = "use symmetric=False if the matrix is not symmetric positive definite" if name == "cg" else ""
    raise np.linalg.LinAlgError(
        f"{method.caller}: {name} ended with a residual of norm {left:.3g}, above max(tol * norm(b), atol) = "
        f"{threshold:.3g}, for {b.shape[0]} real unknowns and maxiter={maxiter}; allow more products with maxiter, "
        f"precondition with M, {advice or 'try another method'}, or use solve='dense'"
    )


# --- rules ------------------------------------------------------------------------------------------------------------


def _aval(*avals: Aval, count: int, lanes: Lanes = (), **params: Any) -> tuple[Aval, ...]:
    return outputs([lane_aval(a, i, lanes) for i, a in enumerate(avals[:count])], lanes)


def _again(params: dict[str, Any], b: Sequence[Any], operands: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
    """Solve with the same map for another right-hand side."""
    return bind(system_p, [*b, *operands, *values], {**params, "guess": False})


def _divided(args: Sequence[Any], params: dict[str, Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """The operands, and what the further programs take."""
    count, total = params["count"], len(params["matvec"].inputs)
    return args[count:total], args[total + count if params["guess"] else total :]


def _jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, *, lanes: Lanes = (), **params: Any) -> Sequence[Any]:
    def one(args: Sequence[Any], tangents: Sequence[Any], out: Sequence[Any]) -> Sequence[Any]:
        matvec, count, caller = params["matvec"], params["count"], params["method"].caller
        operands, values = _divided(args, params)
        moves = tangents[count : len(matvec.inputs)]
        right = list(tangents[:count])
        if any(t is not None for t in moves):
            change = forward(matvec, [*out, *operands], [*[None] * count, *moves], caller)
            right = [_minus(t, c) for t, c in zip(right, change, strict=True)]
        if all(t is None for t in right):
            return [None] * count
        right = [zeros(v) if t is None else t for t, v in zip(right, matvec.inputs, strict=False)]
        return _again(params, right, operands, values)

    return pushed(lanes, one, args, tangents, out)


def _minus(x: Any, y: Any) -> Any:
    return x if y is None else -y if x is None else x - y


def _vjp(
    ct: Sequence[Any], wanted: Sequence[Any], out: Any, args: Sequence[Any], *, lanes: Lanes = (), **params: Any
) -> Sequence[Any]:
    total = len(params["matvec"].inputs)
    if any(type(x) is Var for x in args[params["count"] :]):
        raise NotDifferentiableError(
            f"{params['method'].caller}: the solution is not linear in what its map depends on, only in b"
        )

    def one(ct: Sequence[Any], wanted: Sequence[Any], out: Sequence[Any], args: Sequence[Any]) -> Sequence[Any]:
        matvec, count, caller = params["matvec"], params["count"], params["method"].caller
        operands, values = _divided(args, params)
        full = [zeros(v) if c is None else c for c, v in zip(ct, matvec.inputs, strict=False)]
        w = _solve_transposed(params, full, operands, values)
        cts: list[Any] = [*[c if f else None for c, f in zip(w, wanted, strict=False)], *[None] * (len(args) - count)]
        if any(wanted[count:total]):
            flags = [*[False] * count, *wanted[count:total]]
            cts[count:total] = backward(matvec, [*out, *operands], flags, [-c for c in w], caller)[count:]
        return cts

    known = [None if type(x) is Var else x for x in args]
    return pulled(lanes, one, ct, wanted, [None if type(x) is Var else x for x in out], known)


def _solve_transposed(
    params: dict[str, Any], ct: Sequence[Any], operands: Sequence[Any], values: Sequence[Any]
) -> Sequence[Any]:
    method = params["method"]
    if method.symmetric:
        # A = A* means that the transpose is conj∘A∘conj.
        return [np.conj(c) for c in _again(params, [np.conj(c) for c in ct], operands, values)]
    if method.name == "given" and method.transpose_solve is None and params["transposed_solver"] is None:
        raise NotDifferentiableError(
            f"{method.caller}: reverse mode solves a system with the transposed map, for which the given solve need "
            f"not be good; give transpose_solve=, or symmetric=True if the map is symmetric, or leave solve= out"
        )
    count, caller, preconditioner = params["count"], method.caller, params["preconditioner"]
    turned = {
        **params,
        "matvec": transposed(params["matvec"], count, caller),
        "method": replace(method, solve=method.transpose_solve, transpose_solve=method.solve),
        "preconditioner": None if preconditioner is None else transposed(preconditioner, count, caller),
        "solver": params["transposed_solver"],
        "transposed_solver": params["solver"],
    }
    return _again(turned, ct, operands, values)


system_p = Primitive(
    "linear_system",
    _impl,
    _aval,
    _jvp,
    _vjp,
    batched(lambda: system_p),
    lower=Expand(_impl),
    source="Christianson 1994; Blondel et al. 2022",
    family="call",
    multiple=True,
)
