"""Tracers as mutable handles: what a handle holds can be replaced, and elements of it can be written to.

What a handle holds is changed in place where nobody else can see it, which reference counts tell, and copied first
where somebody can: a tape that needs the old value, another handle, a view. So the k-th write to an array of n elements
costs a few elements and not n, and what was computed before a write stays as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import OverwrittenError, caller
from .tracer import Trace, Tracer, open_traces
from .views import Root, is_view, layout, positions, take

__all__ = ["adopt", "become", "changed", "copied", "is_alone", "isolate", "mutate", "newest", "owned", "write"]

_ndarray = np.ndarray


def adopt(x: Tracer, new: Tracer) -> None:
    """Make the handle `x` hold what `new` holds, and its views notice."""
    if is_view(x):
        raise AssertionError("a view is written to through its root")
    link = x._link
    take(x, new)
    x._link = link


def become(x: Tracer, new: Tracer) -> None:
    """Make the handle `x` hold the new content `new`."""
    _check(x)
    _before(x)
    adopt(x, new)
    _bump(x)


def _bump(x: Tracer) -> None:
    link = x._link
    if link is None:
        link = x._link = Root()
    link.version += 1


def _count(x: Tracer, name: str) -> int:
    """What `sys.getrefcount` says of an array that only a handle and a local variable refer to."""
    part = getattr(x, name)
    return sys.getrefcount(part)


def _calibrate() -> int:
    handle = Tracer()
    handle.value = np.empty(1)
    return _count(handle, "value")


_ALONE = min(3, _calibrate())


def is_alone(x: Any, references: int) -> bool:
    """Whether nobody else sees the array or tracer `x`, to which there are so many references."""
    if references > _ALONE:
        return False
    return x.base is None and x.flags.writeable if type(x) is _ndarray else not is_view(x)


def isolate(x: Tracer) -> None:
    """Make everything that `x` holds its own, copying what others may see."""
    for name in x._parts:
        part = getattr(x, name)
        references = sys.getrefcount(part)
        alone = is_alone(part, references)
        if type(part) is _ndarray:
            if not alone:
                setattr(x, name, part.copy("K"))
        elif not isinstance(part, Tracer):
            setattr(x, name, np.array(part))  # a number, which cannot be changed
        else:
            if not alone:
                part = part.clone()
                setattr(x, name, part)
            isolate(part)


def mutate(x: Tracer, name: str, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> None:
    """Write to the part `name` of `x`, which is all its own."""
    part = getattr(x, name)
    new = changed(part, primitive, args, params)
    if new is not part:
        setattr(x, name, new)


def newest(args: Sequence[Any]) -> Trace | None:
    """The newest trace among `args`, None where none is traced."""
    top = None
    for a in args:
        if isinstance(a, Tracer) and (top is None or a._trace.level > top.level):
            top = a._trace
    return top


def write(x: Tracer, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> None:
    """Change elements of `x`, which is no view, by a primitive that writes; ``args[0]`` are the values.

    The newest transform among `x` and `args` does it; that may be another one than followed `x` before.
    """
    _check(x)
    _write(x, primitive, args, params)


def _write(x: Tracer, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> None:
    _before(x)
    top = newest((x, *args))
    assert top is not None
    top.write(x, primitive, args, params)
    _bump(x)


def owned(entries: list[Any], slot: int) -> Any:
    """Take ``entries[slot]`` out of the list, copied if anybody else refers to it."""
    entry = entries[slot]
    references = sys.getrefcount(entry)
    alone = isinstance(entry, _ndarray | Tracer) and is_alone(entry, references)
    entries[slot] = None
    return entry if alone else copied(entry)


def copied(x: Any) -> Any:
    """Return a copy of an array, a number (as an array) or a traced value."""
    return x.clone() if isinstance(x, Tracer) else np.array(x)


def changed(x: Any, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> Any:
    """Return `x`, which is ours, written to."""
    if type(x) is _ndarray:
        top = newest(args)
        if top is None:
            primitive.update(x, *args, **params)
            return x
        x = top.lift(x)
    _write(x, primitive, args, params)
    return x


def _check(x: Tracer) -> None:
    """Raise if `x` comes from outside of a function that is being recorded; not asked for what other handles hold."""
    for trace in open_traces():
        if trace.encloses:
            trace.check_write(x)  # type: ignore[attr-defined]


def _before(x: Tracer) -> None:
    link = x._link
    if link is None or not (link.version or link.positions is not None):
        held = layout(x)
        if held is not None and not held.flags.c_contiguous:
            positions(x)  # keeps how the array is laid out in memory, which assigning does not change
    if link is not None and type(link) is Root and any(r() is not None for r in link.exports):
        raise OverwrittenError(
            f"the array assigned to at {caller()} was converted to a plain array (np.asarray) that is still in use and "
            f"would not change with it; convert with np.array(x), which makes a copy"
        )
