"""The solution of an equation as one operation: its value is given, its derivative is that of the implicit function.

With ``f(x, p) = 0``: ``∂f/∂x dx = -∂f/∂p dp``. The operation returns its first arguments, the solution, which somebody
found in whatever way; only its derivative makes it one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.graph import Graph
from ...core.primitive import Expand, Primitive, Refuse
from ...core.values import Aval, aval_of
from .lanes import Lanes, batched, each, lane_aval, outputs, pulled, pushed, spread
from .programs import backward, forward, linear_part, zeros
from .system import Method, solve_system, solve_transposed

__all__ = ["search_p", "solution_p"]


def _impl(*args: Any, equation: Graph, count: int, method: Method, lanes: Lanes = ()) -> tuple[Any, ...]:
    found = [spread(x, i, lanes) for i, x in enumerate(args[:count])]
    return tuple([np.array(x) if isinstance(x, np.ndarray) else x for x in found])


def _aval(*avals: Aval, count: int, lanes: Lanes = (), **_: Any) -> tuple[Aval, ...]:
    return outputs([lane_aval(a, i, lanes) for i, a in enumerate(avals[:count])], lanes)


def _jvp(
    args: Sequence[Any],
    tangents: Sequence[Any],
    out: Any,
    *,
    equation: Graph,
    count: int,
    method: Method,
    lanes: Lanes = (),
) -> Sequence[Any]:
    def one(args: Sequence[Any], tangents: Sequence[Any], out: Sequence[Any]) -> Sequence[Any]:
        at = [*out, *args[count:]]
        change = forward(equation, at, [*[None] * count, *tangents[count:]], method.caller)
        if all(t is None for t in change):
            return [None] * count
        right = [zeros(v) if t is None else -t for t, v in zip(change, equation.inputs, strict=False)]
        matvec, operands = linear_part(equation, at, count, method.caller)
        return solve_system(matvec, right, operands, method)

    return pushed(lanes, one, args, tangents, out)


def _vjp(
    ct: Sequence[Any],
    wanted: Sequence[Any],
    out: Any,
    args: Sequence[Any],
    *,
    equation: Graph,
    count: int,
    method: Method,
    lanes: Lanes = (),
) -> Sequence[Any]:
    def one(ct: Sequence[Any], wanted: Sequence[Any], out: Sequence[Any], args: Sequence[Any]) -> Sequence[Any]:
        at = [*out, *args[count:]]
        flags = [*[False] * count, *wanted[count:]]
        if not any(flags):
            return [None] * len(args)
        matvec, operands = linear_part(equation, at, count, method.caller)
        full = [zeros(v) if c is None else c for c, v in zip(ct, equation.inputs, strict=False)]
        w = solve_transposed(matvec, full, operands, method)
        return backward(equation, at, flags, [-c for c in w], method.caller)

    return pulled(lanes, one, ct, wanted, out, args)


solution_p = Primitive(
    "implicit_solution",
    _impl,
    _aval,
    _jvp,
    _vjp,
    batched(lambda: solution_p),
    lower=Expand(_impl),
    source="Christianson 1994; Blondel et al. 2022",
    family="call",
    multiple=True,
)


# --- finding the solution ---------------------------------------------------------------------------------------------


def _search(*args: Any, equation: Graph, count: int, solver: Any, lanes: Lanes = ()) -> tuple[Any, ...]:
    def one(*xs: Any) -> Sequence[Any]:
        operands = xs[count:]
        return solver(lambda ys: equation.run(*ys, *operands), xs[:count])

    return each(lanes, one, args, [lane_aval(aval_of(x), i, lanes) for i, x in enumerate(args[:count])])


def _search_aval(*avals: Aval, solver: Any, **params: Any) -> tuple[Aval, ...]:
    solver.check_abstract()
    return _aval(*avals, **params)


_refuse = Refuse("the search for a solution is not differentiated")

search_p = Primitive(
    "implicit_search",
    _search,
    _search_aval,
    _refuse,
    _refuse,
    batched(lambda: search_p),
    family="call",
    multiple=True,
    constant=True,
)
"""A user's solver that looks at values: under `vmap` it is called for one lane after the other."""
