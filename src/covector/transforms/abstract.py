"""`eval_shape` and `make_graph`: what a function does, from shapes and dtypes alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ..core import tree
from ..core.graph import Graph, GraphTrace
from ..core.tracer import Tracer
from ..core.values import Aval, aval_of, is_plain
from .arguments import check_callable, output_leaves

__all__ = ["ShapeDtypeStruct", "eval_shape", "make_graph", "traced_graph"]


class ShapeDtypeStruct:
    """The shape and dtype of an array without its values.

    Parameters
    ----------
    shape : tuple of int
        The shape.
    dtype : dtype-like
        The dtype.

    Examples
    --------
    >>> import covector
    >>> covector.ShapeDtypeStruct((2, 3), float)
    ShapeDtypeStruct(shape=(2, 3), dtype=float64)
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Any, dtype: Any) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape))

    def __repr__(self) -> str:
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ShapeDtypeStruct):
            return NotImplemented
        return (self.shape, self.dtype) == (other.shape, other.dtype)

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))


def _is_array(x: Any) -> bool:
    return isinstance(x, ShapeDtypeStruct | Tracer) or is_plain(x)


def traced_graph(
    transform: str, fun: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Graph, Any, Any, list[Aval]]:
    """Record `fun` on the shapes of its arguments; leaves that are no arrays are passed as they are.

    Returns
    -------
    graph : Graph
        The program.
    in_trees : tuple
        Structure of ``(args, kwargs)``, and the positions of its array leaves.
    out_treedef : PyTreeSpec
        Structure of the output.
    in_avals : list of Aval
        One per array leaf.
    """
    leaves, treedef = tree.flatten((args, kwargs))
    places = [i for i, x in enumerate(leaves) if _is_array(x)]
    avals = [
        Aval(x.shape, x.dtype) if isinstance(x, ShapeDtypeStruct) else aval_of(x) for x in (leaves[i] for i in places)
    ]
    trace = GraphTrace(transform)
    try:
        full = list(leaves)
        for i, aval in zip(places, avals, strict=True):
            full[i] = trace.input(aval)
        traced_args, traced_kwargs = tree.unflatten(treedef, full)
        out, out_treedef = output_leaves(fun(*traced_args, **traced_kwargs), transform, fun)
        trace.graph.outputs = [trace.lower(x) for x in out]
    finally:
        trace.close()
    return trace.graph, (treedef, places), out_treedef, avals


def eval_shape(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Compute the shapes and dtypes of a function's outputs without computing their values.

    Parameters
    ----------
    fun : callable
        Takes and returns pytrees of arrays.
    *args, **kwargs : pytree
        Arrays or `ShapeDtypeStruct`.

    Returns
    -------
    pytree of ShapeDtypeStruct
        In the structure of the output.

    Raises
    ------
    ConcretizationError
        `fun` needs the value of an array (``if x > 0``).

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.eval_shape(np.matmul, covector.ShapeDtypeStruct((1000, 3), float), np.zeros((3, 7)))
    ShapeDtypeStruct(shape=(1000, 7), dtype=float64)
    """
    check_callable(fun, "eval_shape")
    graph, _, treedef, _ = traced_graph("eval_shape", fun, args, kwargs)
    avals = [aval_of(x) if not hasattr(x, "aval") else x.aval for x in graph.outputs]
    return tree.unflatten(treedef, [ShapeDtypeStruct(a.shape, a.dtype) for a in avals])


def make_graph(fun: Callable[..., Any]) -> Callable[..., Graph]:
    """Make a function that returns the recorded program of `fun`; print it to read it.

    Parameters
    ----------
    fun : callable
        Takes and returns pytrees of arrays; may itself be the result of a transform.

    Returns
    -------
    callable
        Takes the arguments of `fun` and returns a graph: an iterable of equations with `inputs` and `outputs`.

    Raises
    ------
    ConcretizationError
        `fun` needs the value of an array.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.make_graph(lambda x: np.sin(x) * 2.0)(1.0)
    graph(a:float64[]):
        b:float64[] = sin(a)
        c:float64[] = multiply(b, 2.0)
        return c
    """
    check_callable(fun, "make_graph")

    @wraps(fun)
    def make_graph_fun(*args: Any, **kwargs: Any) -> Graph:
        return traced_graph("make_graph", fun, args, kwargs)[0]

    return make_graph_fun
