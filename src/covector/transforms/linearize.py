"""`linearize`, `linear_transpose` and `hvp`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core import tree
from ..core.errors import NotDifferentiableError
from ..core.graph import Graph
from .abstract import traced_graph
from .arguments import check_callable, fun_name, show_tree
from .jvp import check_tangent, finish_tangents, jvp
from .linearization import Linearization, escaped, run_on_tape
from .vjp import Pullback, value_and_gradient

__all__ = ["Pushforward", "hvp", "linear_transpose", "linearize"]


class Pushforward(Linearization):
    """The function that `linearize` returns: from tangents of the primals to the tangent of the output."""

    __slots__ = ()

    def __call__(self, *tangents: Any) -> Any:
        if len(tangents) != len(self.in_treedefs):
            raise TypeError(
                f"f_jvp: expected one tangent per primal, {len(self.in_treedefs)} in all, got {len(tangents)}"
            )
        ts: list[Any] = []
        for i, (t, treedef) in enumerate(zip(tangents, self.in_treedefs, strict=True)):
            leaves, slots = self.in_leaves[i], self.in_slots[i]
            try:
                given = treedef.flatten_up_to(t)
            except ValueError:
                raise TypeError(
                    f"f_jvp: tangent {i} is of another tree than its primal.\n"
                    f"  primal:  {show_tree(leaves, treedef)}\n  tangent: {show_tree(*tree.flatten(t))}"
                ) from None
            checked = [
                check_tangent(x, u, s > 0, f"f_jvp: tangent {i}") for x, u, s in zip(leaves, given, slots, strict=True)
            ]
            ts += [u for u, s in zip(checked, slots, strict=True) if s]
        return tree.unflatten(self.out_treedef, finish_tangents(self.push(ts), self.out_avals))


def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Compute a function's value and its derivative at a point as a linear function.

    Parameters
    ----------
    fun : callable
        Takes the primals as positional arguments; returns a pytree of arrays, or with `has_aux` ``(out, aux)``.
    *primals : pytree
        Where to linearize.
    has_aux : bool, default False
        Whether `fun` returns auxiliary data as well.

    Returns
    -------
    out : pytree
        ``fun(*primals)``.
    f_jvp : callable
        ``f_jvp(*tangents)`` is the Jacobian times the tangents, without evaluating `fun` again; picklable.
    aux : pytree
        Only with `has_aux`.

    Raises
    ------
    TypeError
        A primal has no derivative, or (from `f_jvp`) a tangent is of another tree or dtype than its primal.
    ValueError
        From `f_jvp`: a tangent has another shape than its primal.

    Notes
    -----
    Cost: one evaluation of `fun` and the memory of its intermediate values; each call of `f_jvp` about one more.

    Examples
    --------
    >>> import numpy as np, covector
    >>> out, f_jvp = covector.linearize(np.square, 3.0)
    >>> f_jvp(1.0), f_jvp(2.0)
    (np.float64(6.0), np.float64(12.0))
    """
    check_callable(fun, "linearize")
    out, push, aux = run_on_tape(
        Pushforward,
        "linearize",
        fun,
        primals,
        place=lambda i: f"linearize: primal {i} of {fun_name(fun)}",
        has_aux=has_aux,
        escapes=True,
    )
    value = tree.unflatten(push.out_treedef, [escaped(x) for x in out])
    return (value, push, aux) if has_aux else (value, push)


def linear_transpose(fun: Callable[..., Any], *primals: Any) -> Callable[..., tuple[Any, ...]]:
    """Transpose a linear function.

    Parameters
    ----------
    fun : callable
        Linear in all its arguments; it is traced on shapes and dtypes only.
    *primals : pytree
        Arrays or `ShapeDtypeStruct`; only shapes and dtypes matter.

    Returns
    -------
    callable
        ``transpose(ct)`` returns a tuple with one cotangent per primal.

    Raises
    ------
    NotDifferentiableError
        `fun` is not linear.
    TypeError
        A primal is of integer dtype.

    Examples
    --------
    >>> import numpy as np, covector
    >>> A = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> covector.linear_transpose(lambda x: A @ x, np.zeros(2))(np.array([1.0, 0.0]))
    (array([1., 2.]),)
    """
    check_callable(fun, "linear_transpose")
    graph, in_trees, out_treedef, in_avals = traced_graph("linear_transpose", fun, primals, {})
    treedef, _ = in_trees
    for a in in_avals:
        if a.dtype.kind not in "fc":
            raise TypeError(f"linear_transpose: a primal of {fun_name(fun)} has dtype {a.dtype}; expected floats")
    transposed = _Transposed()
    transposed.graph = graph
    transposed.in_leaves = [list(in_avals)]
    transposed.in_treedefs = [treedef]
    transposed.in_slots = [list(range(1, len(in_avals) + 1))]
    transposed.out_treedef = out_treedef
    transposed.out_avals = [x.aval if hasattr(x, "aval") else _constant(fun, x) for x in graph.outputs]
    return transposed


def _constant(fun: Any, x: Any) -> Any:
    raise NotDifferentiableError(f"linear_transpose: {fun_name(fun)} has an output that does not depend on its input")


class _Transposed(Pullback):
    """The transpose of a recorded linear program."""

    __slots__ = ("graph",)
    graph: Graph

    def __call__(self, ct: Any, /) -> tuple[Any, ...]:
        cts = self.check(ct)
        args, _ = self.cotangents([None, *self.graph.transpose(cts)])[0]
        return args  # type: ignore[no-any-return]


def hvp(fun: Callable[..., Any], primals: Any, tangents: Any, *, has_aux: bool = False) -> Any:
    """Compute the gradient of a scalar function and its Hessian times a vector (forward over reverse mode).

    Parameters
    ----------
    fun : callable
        Returns a real scalar, or with `has_aux` a pair ``(scalar, aux)``.
    primals : tuple or list of pytree
        Where to evaluate, one entry per argument.
    tangents : tuple or list of pytree
        The vector, with the structure, shapes and dtypes of `primals`.
    has_aux : bool, default False
        Whether `fun` returns auxiliary data as well.

    Returns
    -------
    gradient : tuple
        One entry per primal.
    hvp : tuple
        The Hessian times `tangents`, likewise.
    aux : pytree
        Only with `has_aux`.

    Raises
    ------
    TypeError, ValueError
        As in `jvp` and `grad`.

    Notes
    -----
    Cost: a small multiple of one gradient; the Hessian is never formed.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.hvp(lambda x: np.sum(x ** 3), (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),))
    ((array([ 3., 12.]),), (array([6., 0.]),))
    """
    check_callable(fun, "hvp")
    if not isinstance(primals, tuple | list):
        raise TypeError(
            f"hvp: primals must be a tuple or a list, got {type(primals).__name__}; write hvp(fun, (x,), (v,))"
        )
    argnums = tuple(range(len(primals)))

    def gradient(*xs: Any) -> Any:
        _, cts, aux = value_and_gradient("hvp", fun, argnums, has_aux, False, xs, {})
        return (cts, aux) if has_aux else cts

    return jvp(gradient, primals, tangents, has_aux=has_aux)
