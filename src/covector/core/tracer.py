"""Traces and tracers: one trace per running transform, one tracer per value it follows."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .errors import LeakedTracerError, caller

if TYPE_CHECKING:
    from .primitive import Primitive

__all__ = ["Trace", "Tracer", "concrete", "newest_level", "open_traces", "own", "running", "snapshot", "start"]

# Levels come from one ever-growing counter: a transform that starts later has the higher level, in every thread
# and task. Nothing needs restoring when a transform ends or raises, and two transforms never share a level.
_levels = itertools.count(1)


newest_level = _levels.__next__
"""Return a level above that of every transform running now."""

_local = threading.local()


def start(trace: Trace) -> None:
    """Note that `trace` runs in this thread, until its `close`."""
    try:
        _local.traces.append(trace)
    except AttributeError:
        _local.traces = [trace]


def running() -> Trace | None:
    """The transform that runs innermost in this thread: the one that started last."""
    traces = getattr(_local, "traces", None)
    return traces[-1] if traces else None


def open_traces() -> Sequence[Trace]:
    """The transforms that run in this thread, in the order in which they started."""
    return getattr(_local, "traces", ())


def own(x: Tracer) -> Tracer:
    """Return the copy `x`, just made, as one to which the functions that are being recorded may write."""
    recording: list[Any] = [trace for trace in open_traces() if trace.encloses]
    for trace in recording:
        x = trace.own(x)
    for trace in recording:
        trace.note(x)
    return x


class Trace:
    """One application of a transform: it decides what a primitive does to the values it follows.

    Invariant: ``trace.level`` exceeds the level of every tracer that its tracers hold.
    """

    __slots__ = ("alive", "level", "name")
    encloses = False
    """Whether it records a function that must not change what comes from outside, as the body of a loop is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.level = next(_levels)
        self.alive = True
        start(self)

    def close(self) -> None:
        """End the transform: its tracers are of no use any more."""
        if self.alive:
            self.alive = False
            traces: list[Trace] = getattr(_local, "traces", [])
            if traces and traces[-1] is self:
                traces.pop()
            elif self in traces:
                traces.remove(self)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        """Apply `primitive` to `args`, of which at least one is a tracer of this trace and none is of a newer one."""
        raise NotImplementedError

    def write(self, x: Tracer, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> None:
        """Change elements of `x`, which this trace or an older one follows; see `mutation.write`."""
        raise NotImplementedError

    def lift(self, value: Any) -> Tracer:
        """Return a tracer of the constant `value`, an array of its own, which is about to be written to."""
        raise NotImplementedError

    def check_alive(self, function: object) -> None:
        """Raise `LeakedTracerError` if the transform has ended."""
        if not self.alive:
            raise LeakedTracerError(
                f"a value traced by {self.name} reached {function} at {caller()} after that {self.name} had ended; "
                f"return it from the differentiated function (or through has_aux=True) instead of storing it"
            )


class Tracer:
    """A value followed by a trace; `value` is what the trace below sees: an array or an older tracer.

    A tracer is a handle: assigning to elements of it changes what it holds, even which trace follows it. All classes
    of tracers therefore have the same layout. What each kind of trace needs is declared here.
    """

    # `_trace`, `_var`, `_link`: ndarrays have methods `trace` and `var`, and may get more.
    # value     what the trace below sees (all but abstract traces)
    # slot      the number of the value on the tape (reverse mode)
    # tangent   (forward mode)
    # _var      the variable of the recorded program; lanes: maps over which its tangent differs (recording)
    # _link     which array this is a view of, and what was written (`mutation`), None when nothing is known
    __slots__ = ("_link", "_trace", "_var", "lanes", "slot", "tangent", "value")
    _trace: Trace
    _link: Any
    value: Any
    slot: int

    _parts: tuple[str, ...] = ("value",)
    """The slots that hold arrays or older tracers."""

    _state: tuple[str, ...] = ("value",)
    """The slots that, with `_trace`, say everything about the value."""

    _answers: bool = False
    """Whether an abstract value tells what it is on example arguments, if asked for its number."""

    _weak: bool = False
    """Whether it stands for a Python number, whose dtype gives way to that of any array (NEP 50)."""

    if TYPE_CHECKING:
        # What an array has, every tracer in use has: they all derive from `TracedValue`.
        def __getattr__(self, name: str) -> Any: ...

    def clone(self) -> Tracer:
        """Return another handle onto the same value, unaffected by later changes of this one."""
        raise NotImplementedError

    def _as_array(self) -> Tracer:
        """Return a value of no dimensions as an array, where number and array are told apart."""
        return self

    def constant(self) -> Any:
        """Return the value as other traces shall keep it."""
        return self.clone()


def snapshot(x: Any) -> Any:
    """Return `x` such that changing the caller's handle onto a traced value does not change it."""
    return x.constant() if isinstance(x, Tracer) else x


def concrete(x: Any) -> Any:
    """Return the plain array under all transforms (a batch for mapped values), or None when there is none yet."""
    while isinstance(x, Tracer):
        x._trace  # noqa: B018  # brings a view up to date
        x = x.value
    return x
