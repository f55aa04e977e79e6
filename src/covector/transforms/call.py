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

__all__ = ["Axes", "OverLanes", "as_numpy", "call", "flat_avals", "positional", "zeros_for"]

Axes = tuple[int | None, ...]


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

    if isinstance(fun, np.ufunc) and not kwargs:
        return args  # its default out=None is no argument to differentiate
    try:
        signature = inspect.signature(fun)
    except (TypeError, ValueError):
        if kwargs:
            raise TypeError(f"{fun_name(fun)} has no signature; pass its arguments by position") from None
        return args
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    if unplaced := [name for name in bound.kwargs if name in kwargs]:
        raise TypeError(
            f"{fun_name(fun)} has a custom derivative rule, so its arguments must be positional; {unplaced[0]!r} has "
            f"no position, bind it with functools.partial first"
        )
    return bound.args


def zeros_for(x: Any) -> Any:
    """A zero tangent for `x`; None for an integer."""
    if dtype_of(x).kind not in "fc":
        return None
    shape = shape_of(x)
    return np.zeros(shape, dtype_of(x)) if shape else dtype_of(x).type(0)


class OverLanes:
    """`fun` mapped over its arguments; while `trace` runs, as part of it, so that `fun` may close over its values."""

    def __init__(self, trace: BatchTrace, fun: Callable[..., Any], axes: Axes) -> None:
        self.trace = trace
        self.fun = fun
        self.axes = axes

    def __call__(self, *xs: Any) -> Any:
        trace = self.trace
        # A tracer of `trace` may hold older tracers only.
        if not trace.alive or any(isinstance(x, Tracer) and x._trace.level > trace.level for x in xs):
            return vmap(self.fun, in_axes=self.axes, axis_name=trace.axis_name)(*xs)
        out = self.fun(*[x if a is None else trace.tracer(x) for x, a in zip(xs, self.axes, strict=True)])
        leaves, treedef = output_leaves(out, "vmap", self.fun)
        return tree.unflatten(treedef, map(self._batch, leaves))

    def _batch(self, y: Any) -> Any:
        mine = isinstance(y, BatchTracer) and y._trace is self.trace
        return y.value if mine else np.broadcast_to(y, (self.trace.size, *shape_of(y)))
