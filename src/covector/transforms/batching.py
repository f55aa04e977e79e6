"""Batching: a tracer stands for one lane of a batch whose axis is always the first of `value`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.buffer import as_buffer
from ..core.errors import ConcretizationError, caller
from ..core.mutation import adopt, isolate, mutate
from ..core.primitive import Primitive
from ..core.surface import TracedArray, TracedNumber, TracedValue
from ..core.tracer import Trace, Tracer, snapshot
from ..core.values import Shape, shape_of

__all__ = ["BatchTrace", "BatchTracer", "Unmapped"]


class Unmapped:
    """Marks the result of a batching rule that is one value for all lanes (a sum over the named axis)."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class BatchTracer(TracedValue):
    """One lane of `value`."""

    __slots__ = ()

    def __init__(self, trace: BatchTrace, value: Any) -> None:
        self._trace = trace
        self._link = None
        self.value = value

    @property
    def shape(self) -> Shape:
        return self.value.shape[1:]  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype  # type: ignore[no-any-return]

    def clone(self) -> Tracer:
        trace: Any = self._trace
        return trace.tracer(self.value)  # type: ignore[no-any-return]

    def _number(self, purpose: str) -> Any:
        if purpose == "bool":
            instead = "np.where(condition, a, b) or covector.cond, and covector.while_loop in place of a while loop"
        else:
            instead = "np.where(condition, a, b)"
        raise ConcretizationError(
            f"{purpose} at {caller()} needs one value, but vmap follows a batch of {self.value.shape[0]}; "
            f"use {instead}, or loop over the examples instead of vmap"
        )

    def _show(self) -> str:
        return f"one of {self.value!r}"


class BatchNumber(TracedNumber, BatchTracer):
    """A `BatchTracer` of no dimensions."""

    __slots__ = ()


class BatchArray(TracedArray, BatchTracer):
    """A `BatchTracer` of one or more dimensions."""

    __slots__ = ()


class BatchTrace(Trace):
    """Applies each primitive to a whole batch through its batching rule."""

    __slots__ = ("axis_name", "size")

    def __init__(self, name: str, size: int, axis_name: Any = None) -> None:
        super().__init__(name)
        self.size = size
        self.axis_name = axis_name

    def tracer(self, value: Any) -> BatchTracer:
        """Make a tracer of one lane of `value`, whose first axis is the batch."""
        return (BatchArray if len(shape_of(value)) > 1 else BatchNumber)(self, value)

    def lift(self, value: Any) -> Tracer:
        if isinstance(value, Tracer):
            return self.tracer(np.broadcast_to(value, (self.size, *value.shape)))
        # Every lane laid out in memory as `value` is.
        order = sorted(range(value.ndim), key=lambda i: -abs(value.strides[i]))
        lanes = np.empty((self.size, *[value.shape[i] for i in order]), value.dtype)
        lanes = lanes.transpose(0, *[1 + order.index(i) for i in range(value.ndim)])
        lanes[...] = value
        return self.tracer(lanes)

    def write(self, x: Tracer, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> None:
        """Write to all lanes of `x` at once; see `core.mutation.write`."""
        if not self.alive:
            self.check_alive(primitive)
        if x._trace is not self:
            adopt(x, self.lift(snapshot(x)))
        batched = [isinstance(a, BatchTracer) and a._trace is self for a in args]
        values = [a.value if mine else snapshot(a) for a, mine in zip(args, batched, strict=True)]
        isolate(x)
        values, params = primitive.lanes(self, x.shape, values, batched, **params)
        mutate(x, "value", primitive, values, params)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        if not self.alive:
            self.check_alive(primitive)
        batched: list[bool] = []
        values: list[Any] = []
        for x in args:
            mine = isinstance(x, BatchTracer) and x._trace is self
            batched.append(mine)
            values.append(x.value if mine else snapshot(x))
        out = primitive.batch(self, values, batched, **params)
        return tuple(self.wrap(x) for x in out) if primitive.multiple else self.wrap(out)

    def wrap(self, x: Any) -> Any:
        """Make a tracer of a batching rule's result, unless it is the same for all lanes."""
        return as_buffer(self, x.value) if type(x) is Unmapped else self.tracer(x)
