"""Traces and tracers: one trace per running transform, one tracer per value it follows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .errors import LeakedTracerError, caller

if TYPE_CHECKING:
    from .primitive import Primitive

__all__ = ["Trace", "Tracer", "concrete", "newest_level", "snapshot"]

# Levels come from one ever-growing counter: a transform that starts later has the higher level, in every thread
# and task. Nothing needs restoring when a transform ends or raises, and two transforms never share a level.
_levels = itertools.count(1)


newest_level = _levels.__next__
"""Return a level above that of every transform running now."""


class Trace:
    """One application of a transform: it decides what a primitive does to the values it follows.

    Invariant: ``trace.level`` exceeds the level of every tracer that its tracers hold.
    """

    __slots__ = ("alive", "level", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.level = next(_levels)
        self.alive = True

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Apply `primitive` to `args`, of which at least one is a tracer of this trace and none is of a newer one."""
        raise NotImplementedError

    def check_alive(self, function: object) -> None:
        """Raise `LeakedTracerError` if the transform has ended."""
        if not self.alive:
            raise LeakedTracerError(
                f"a value traced by {self.name} reached {function} at {caller()} after that {self.name} had ended; "
                f"return it from the differentiated function (or through has_aux=True) instead of storing it"
            )


class Tracer:
    """A value followed by a trace; `value` is what the trace below sees: an array or an older tracer."""

    # `_trace`, because ndarrays have a method `trace`.
    __slots__ = ("_trace", "value")
    _trace: Trace
    value: Any

    if TYPE_CHECKING:
        # What an array has, every tracer in use has: they all derive from `TracedValue`.
        def __getattr__(self, name: str) -> Any: ...

    def clone(self) -> Tracer:
        """Return another handle onto the same value, unaffected by later changes of this one."""
        raise NotImplementedError


def snapshot(x: Any) -> Any:
    """Return `x` such that changing the caller's handle onto a traced value does not change it."""
    return x.clone() if isinstance(x, Tracer) else x


def concrete(x: Any) -> Any:
    """Return the plain array under all transforms (a batch for mapped values), or None when there is none yet."""
    while isinstance(x, Tracer):
        x = x.value
    return x
