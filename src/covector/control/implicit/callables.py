"""Solvers that users give: functions of a map and a right-hand side, on their trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core import tree
from ...core.buffer import plain_of
from ...core.tracer import Tracer
from ...core.values import Aval, aval_of, dtype_of, is_plain, shape_of
from ...transforms.arguments import fun_name
from ...transforms.call import as_numpy
from ...transforms.grad_mode import no_grad
from ...transforms.stop_gradient import stop_gradient

__all__ = ["GivenSolver", "check_like", "detached"]


def detached(x: Any) -> Any:
    """The pytree `x` without derivatives; plain arrays where no other transform follows them."""
    return tree.map(lambda leaf: plain_of(stop_gradient(leaf)), x)


def check_like(
    got: Any, treedef: tree.TreeDef, avals: Sequence[Aval], place: str, like: str, *, widen: bool = False
) -> list[Any]:
    """Return the leaves of `got`; TypeError unless structure, shapes and dtypes are those of `like`.

    With `widen`, narrower dtypes will do.
    """
    leaves, have = tree.flatten(got)
    if have != treedef:
        raise TypeError(f"{place} has the structure {have}, expected {treedef}, that of {like}")
    out = []
    for i, (x, a) in enumerate(zip(leaves, avals, strict=True)):
        path = tree.paths(treedef)[i]
        where = f"{place}, leaf {path}," if path else place
        if not (isinstance(x, Tracer) or is_plain(x)):
            raise TypeError(f"{where} is a {type(x).__name__}; expected an array of {a}")
        x = as_numpy(x)
        if widen and dtype_of(x) != a.dtype and np.can_cast(dtype_of(x), a.dtype):
            x = x.astype(a.dtype)
        if shape_of(x) != a.shape or dtype_of(x) != a.dtype:
            raise TypeError(f"{where} is {aval_of(x)}, expected {a}, as in {like}")
        out.append(x)
    return out


class GivenSolver:
    """``solve(product, b)`` on lists of arrays, made of the user's, which sees trees.

    Parameters
    ----------
    caller : str
        The public function, for messages.
    solve : callable
        ``solve(matvec, b) -> x`` on trees.
    treedef : PyTreeSpec
        Their structure.
    """

    def __init__(self, caller: str, solve: Callable[..., Any], treedef: tree.TreeDef) -> None:
        self.caller = caller
        self.solve = solve
        self.treedef = treedef

    def __call__(self, product: Callable[[Sequence[Any]], Sequence[Any]], b: Sequence[Any]) -> list[Any]:
        avals = [Aval(a.shape, a.dtype) for a in map(aval_of, b)]

        def matvec(x: Any) -> Any:
            xs = check_like(x, self.treedef, avals, f"{self.caller}: the argument of the linear map", "b", widen=True)
            return tree.unflatten(self.treedef, product(xs))

        with no_grad():
            x = self.solve(matvec, tree.unflatten(self.treedef, b))
        return check_like(
            detached(x), self.treedef, avals, f"{self.caller}: what {fun_name(self.solve)} returned", "b", widen=True
        )
