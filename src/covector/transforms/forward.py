"""Forward mode: a tracer carries its tangent along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.buffer import as_buffer, constant_of
from ..core.mutation import adopt, isolate, mutate
from ..core.primitive import Primitive, bind
from ..core.surface import TracedArray, TracedNumber, TracedValue
from ..core.tracer import Trace, Tracer, snapshot
from ..core.values import WEAK_FAMILIES, Shape, dtype_of, shape_of, strong
from .grad_mode import blocked_level

__all__ = ["ForwardTrace", "ForwardTracer"]


_ndarray = np.ndarray


class ForwardTracer(TracedValue):
    """A value and its tangent, of the same shape and dtype."""

    __slots__ = ()
    _parts = _state = ("value", "tangent")

    def __init__(self, trace: ForwardTrace, value: Any, tangent: Any) -> None:
        self._trace = trace
        self._link = None
        self.value = value
        self.tangent = tangent

    def clone(self) -> Tracer:
        trace: Any = self._trace
        return trace.tracer(self.value, self.tangent)  # type: ignore[no-any-return]


class ForwardNumber(TracedNumber, ForwardTracer):
    """A `ForwardTracer` of no dimensions."""

    __slots__ = ()


class ForwardArray(TracedArray, ForwardTracer):
    """A `ForwardTracer` of one or more dimensions."""

    __slots__ = ()

    # Straight from the value, which is an array or a tracer: these are asked for in every rule.
    @property
    def shape(self) -> Shape:
        return self.value.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype  # type: ignore[no-any-return]


class ForwardTrace(Trace):
    """Computes each primitive's tangent beside its value; a zero tangent is a plain lower value."""

    __slots__ = ()

    def tracer(self, value: Any, tangent: Any) -> Any:
        """Make a tracer, unless the tangent is None."""
        if tangent is None:
            return value
        return (ForwardArray if shape_of(value) else ForwardNumber)(self, value, tangent)

    def lift(self, value: Any) -> Tracer:
        return self.tracer(value, np.zeros(shape_of(value), dtype_of(value)))  # type: ignore[no-any-return]

    def write(self, x: Tracer, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> None:
        """Write to `x` and to its tangent; see `core.mutation.write`."""
        if not self.alive:
            self.check_alive(primitive)
        if x._trace is not self:
            adopt(x, self.lift(snapshot(x)))
        values = [a.value if isinstance(a, Tracer) and a._trace is self else snapshot(a) for a in args]
        v = args[0]
        t = v.tangent if isinstance(v, Tracer) and v._trace is self else None
        isolate(x)
        mutate(x, "value", primitive, values, params)
        if blocked_level() >= self.level:
            adopt(x, constant_of(self, x.value))
        elif t is not None or not primitive.adds:
            mutate(x, "tangent", primitive, [x.dtype.type(0) if t is None else t, *values[1:]], params)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        if not self.alive:
            self.check_alive(primitive)
        values: list[Any] = []
        tangents: list[Any] = []
        plain = True
        for x in args:
            t = None
            if isinstance(x, Tracer):
                if x._trace is self:
                    t = x.tangent
                    x = x.value
                    if isinstance(x, Tracer):
                        plain = False
                    elif type(x) is not _ndarray and primitive.family not in WEAK_FAMILIES:
                        x = strong(x)
                else:
                    x = x.constant()
                    if isinstance(x, Tracer):
                        plain = False
            values.append(x)
            tangents.append(t)
        if primitive.forward is not None and blocked_level() < self.level:
            out, tangent = primitive.forward(values, tangents, params)
            return tuple([self.tracer(x, t) for x, t in zip(out, tangent, strict=True)])
        out = primitive.impl(*values, **params) if plain else bind(primitive, values, params)
        if primitive.constant or blocked_level() >= self.level:
            return as_buffer(self, out)
        if not primitive.multiple and out.dtype.kind not in "fc":
            return out
        if primitive.singular:
            with np.errstate(all="ignore"):
                tangent = primitive.jvp(values, tangents, out, **params)
        else:
            tangent = primitive.jvp(values, tangents, out, **params)
        if primitive.multiple:
            return tuple(self.tracer(x, t) for x, t in zip(out, tangent, strict=True))
        if tangent is None:
            return as_buffer(self, out)
        return (ForwardArray if out.shape else ForwardNumber)(self, out, tangent)
