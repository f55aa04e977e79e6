"""What custom rules and `checkpoint` share: functions of flat leaves, and calls of them that no trace may leak from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.errors import CustomRuleError
from ..core.graph import record
from ..core.primitive import Primitive, bind
from ..core.tracer import Tracer
from ..core.values import Aval, aval_of, dtype_of, is_weak, shape_of
from .arguments import fun_name, output_leaves
from .batching import BatchTrace, BatchTracer
from .vmap import vmap

__all__ = ["Axes", "FlatFunction", "as_numpy", "call", "flat_avals", "over_lanes", "positional", "zeros_for"]

Axes = tuple[int | None, ...]


class FlatFunction:
    """`fun` as a function from a list of leaves to a tuple of leaves; `out_treedef` is known after the first call."""

    def __init__(self, fun: Callable[..., Any], in_treedef: Any, transform: str) -> None:
        self.fun = fun
        self.in_treedef = in_treedef
        self.transform = transform
        self.out_treedef: Any = None

    def __call__(self, *leaves: Any) -> tuple[Any, ...]:
        out = self.fun(*tree.unflatten(self.in_treedef, leaves))
        flat, self.out_treedef = output_leaves(out, self.transform, self.fun)
        return tuple(map(as_numpy, flat))


def as_numpy(x: Any) -> Any:
    """Return a Python number as NumPy scalar; anything else as it is."""
    return dtype_of(x).type(x) if is_weak(x) else x


def flat_avals(fun: Callable[..., Any], avals: Sequence[Aval]) -> tuple[Aval, ...]:
    """The abstract outputs of a flat function."""
    graph = record(fun, avals, "eval_shape")
    return tuple(x.aval if hasattr(x, "aval") else aval_of(x) for x in graph.outputs)


def call(primitive: Primitive, leaves: Sequence[Any], fun: Any, params: dict[str, Any]) -> tuple[Any, ...]:
    """Bind a call primitive; `CustomRuleError` if `fun` closes over a value of a transform that differentiates it."""
    out = bind(primitive, leaves, params)
    for x in out:
        while isinstance(x, Tracer) and isinstance(x.value, Tracer):
            if x.value._trace.level >= x._trace.level:
                raise CustomRuleError(
                    f"{fun_name(fun)} has a custom derivative rule and closes over a value traced by {x._trace.name}, "
                    f"of which the rule does not know; pass that value as an argument"
                )
            x = x.value
    return out  # type: ignore[no-any-return]


def positional(fun: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Return `args` followed by keyword arguments in the order of the signature of `fun`, defaults filled in."""
    import inspect

    try:
        signature = inspect.signature(fun)
    except (TypeError, ValueError):
        if kwargs:
            raise TypeError(f"{fun_name(fun)} has no signature; pass its arguments by position") from None
        return args
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(f"{fun_name(fun)} has a custom derivative rule; its arguments must be positional")
    return bound.args


def zeros_for(x: Any) -> Any:
    """A zero tangent for `x`; None for an integer."""
    if dtype_of(x).kind not in "fc":
        return None
    shape = shape_of(x)
    return np.zeros(shape, dtype_of(x)) if shape else dtype_of(x).type(0)


def over_lanes(trace: BatchTrace, fun: Callable[..., Any], axes: Axes) -> Callable[..., Any]:
    """Map `fun` over its arguments; while `trace` runs, as part of it, so that `fun` may close over its values."""
    mapped = vmap(fun, in_axes=axes, axis_name=trace.axis_name)

    def lane(y: Any) -> Any:
        mine = isinstance(y, BatchTracer) and y._trace is trace
        return y.value if mine else np.broadcast_to(y, (trace.size, *shape_of(y)))

    def run(*xs: Any) -> Any:
        # A tracer of `trace` may hold older tracers only.
        if not trace.alive or any(isinstance(x, Tracer) and x._trace.level > trace.level for x in xs):
            return mapped(*xs)
        out = fun(*[x if a is None else trace.tracer(x) for x, a in zip(xs, axes, strict=True)])
        leaves, treedef = output_leaves(out, "vmap", fun)
        return tree.unflatten(treedef, map(lane, leaves))

    return run
