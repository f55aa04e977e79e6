"""Buffers: arrays made inside a transform that carry no derivative yet, but can be written to with traced values."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import TracerConversionError, caller
from .mutation import isolate
from .primitive import Primitive
from .surface import TracedArray, TracedNumber, TracedValue
from .tracer import Trace, Tracer, running
from .values import shape_of
from .views import Root

__all__ = ["Buffer", "BufferTrace", "BufferValue", "as_buffer", "buffer", "constant_of", "plain_of"]


class BufferTrace(Trace):
    """Computes with the plain values of buffers; it is below every transform and lives as long as `owner`."""

    __slots__ = ("owner",)

    def __init__(self, owner: Trace) -> None:
        self.owner = owner
        self.name = owner.name
        self.level = 0

    @property
    def alive(self) -> bool:  # type: ignore[override]
        return self.owner.alive

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        if not self.alive:
            self.check_alive(primitive)
        out = primitive.impl(*[x.value if isinstance(x, Tracer) else x for x in args], **params)
        if primitive.multiple:
            return tuple(self.wrap(x) for x in out)
        # Integers and masks are for indexing plain arrays; a view of a buffer of integers is a buffer all the same.
        return self.wrap(out, any_dtype=primitive.sparsity == "moves")

    def wrap(self, out: Any, any_dtype: bool = False) -> Any:
        """Return a result as a buffer if it is an array that one may want to write to."""
        # Arrays of no dimensions only come from views: functions return numbers.
        if type(out) is np.ndarray and (any_dtype or out.dtype.kind in "fc"):
            return self.lift(out)
        return out

    def lift(self, value: Any) -> Tracer:
        return (Buffer if shape_of(value) else BufferNumber)(self, value)

    def write(self, x: Tracer, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> None:
        if not self.alive:
            self.check_alive(primitive)
        isolate(x)
        primitive.update(x.value, *[a.value if isinstance(a, Tracer) else a for a in args], **params)


class BufferValue(TracedValue):
    """A plain array of no dimensions behind a handle, and the base of `Buffer`."""

    __slots__ = ()

    def __init__(self, trace: BufferTrace, value: Any) -> None:
        self._trace = trace
        self._link = None
        self.value = value

    def clone(self) -> Tracer:
        trace: Any = self._trace
        return trace.lift(self.value)  # type: ignore[no-any-return]

    def constant(self) -> Any:
        self._trace.check_alive("a transform")
        return self.value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._trace.check_alive("np.asarray")
        if copy is False:
            raise TracerConversionError(
                f"np.asarray(x, copy=False) at {caller()} of an array made inside {self._trace.name} is not supported; "
                f"convert with np.array(x), which makes a copy"
            )
        out = self.value.astype(self.dtype if dtype is None else dtype)
        if not copy and out.dtype == self.dtype:
            # Not the copy that np.asarray promises; we make sure that nobody can see the difference.
            out.flags.writeable = False
            root = self._link.root if hasattr(self._link, "root") else self
            if root._link is None:
                root._link = Root()
            root._link.exports = [r for r in root._link.exports if r() is not None]
            root._link.exports.append(weakref.ref(out))
        return out

    def tolist(self) -> Any:
        return self.value.tolist()

    def tobytes(self, order: Any = "C") -> Any:
        return self.value.tobytes(order)

    def __float__(self) -> float:  # type: ignore[override]
        return float(self.constant())

    def __complex__(self) -> complex:  # type: ignore[override]
        return complex(self.constant())


class BufferNumber(TracedNumber, BufferValue):
    """A `BufferValue` that can be indexed."""

    __slots__ = ()
    __float__ = BufferValue.__float__


class Buffer(TracedArray, BufferValue):
    """A plain array behind a handle, because plain arrays cannot be made to hold traced values."""

    __slots__ = ()


def buffer(array: Any) -> Any:
    """Return the fresh `array` as a buffer while a transform runs in this thread, else as it is."""
    owner = running()
    if owner is None or type(array) is not np.ndarray or array.dtype.kind not in "biufc":
        return array
    return BufferTrace(owner).lift(array)


def constant_of(owner: Trace, value: Any) -> Tracer:
    """Return what a handle that `owner` followed holds once it is a constant: `value`, whatever its shape."""
    return value if isinstance(value, Tracer) else BufferTrace(owner).lift(value)


def as_buffer(owner: Trace, out: Any, any_dtype: bool = False) -> Any:
    """Return `out`, which is the same for all that `owner` follows, as a buffer if one may want to write to it."""
    if type(out) is np.ndarray and out.ndim and out.dtype.kind in ("biufc" if any_dtype else "fc"):
        return Buffer(BufferTrace(owner), out)
    return out


def plain_of(x: Any) -> Any:
    """Return the plain array of a buffer that holds no traced value; anything else as it is."""
    return x.constant() if isinstance(x, BufferValue) else x
