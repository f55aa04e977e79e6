"""Rules of one problem applied to a batch of them.

Under `vmap` a call stays one call, of which the parameter `lanes` says how it is batched: one entry per map, the
outermost first, each with the arguments that have an axis in front for it. Every result has all these axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core.primitive import Primitive, bind
from ...core.values import Aval, shape_of
from ...transforms.vmap import vmap

__all__ = ["Lane", "Lanes", "batched", "each", "lane_aval", "outermost", "outputs", "pulled", "pushed", "spread"]

Rule = Callable[..., Sequence[Any]]


class Lane(NamedTuple):
    """One map over a call.

    Attributes
    ----------
    mapped : tuple of bool
        Which arguments have an axis for it.
    size : int
        The number of lanes.
    """

    mapped: tuple[bool, ...]
    size: int


Lanes = tuple[Lane, ...]


def batched(primitive: Callable[[], Primitive]) -> Callable[..., Any]:
    """The batching rule of a primitive with the parameter `lanes`."""

    def batch(trace: Any, args: Sequence[Any], mapped: Sequence[bool], *, lanes: Lanes = (), **params: Any) -> Any:
        lane = Lane(tuple(mapped), trace.size)
        return bind(primitive(), args, {**params, "lanes": (lane, *lanes)})

    return batch


def lane_aval(aval: Aval, i: int, lanes: Lanes) -> Aval:
    """Shape and dtype of argument `i` in one lane."""
    axes = sum(lane.mapped[i] for lane in lanes)
    return Aval(aval.shape[axes:], aval.dtype)


def outputs(avals: Sequence[Aval], lanes: Lanes) -> tuple[Aval, ...]:
    """Shapes and dtypes of results over all lanes, given those in one lane."""
    sizes = tuple(lane.size for lane in lanes)
    return tuple(Aval((*sizes, *a.shape), a.dtype) for a in avals)


def spread(x: Any, i: int, lanes: Lanes) -> Any:
    """Argument `i` with an axis for every map."""
    shape, axis = list(shape_of(x)), 0
    for lane in lanes:
        if not lane.mapped[i]:
            x = np.expand_dims(x, axis)
            shape.insert(axis, lane.size)
        axis += 1
    return np.broadcast_to(x, shape) if lanes else x


def _axes(flags: Sequence[bool]) -> tuple[int | None, ...]:
    return tuple(0 if f else None for f in flags)


def outermost(lanes: Lanes, rule: Rule, args: Sequence[Any]) -> tuple[Any, ...]:
    """Call ``rule(*args)`` in each lane, all at once."""
    if not lanes:
        return tuple(rule(*args))
    lane, rest = lanes[0], lanes[1:]
    return vmap(lambda *xs: outermost(rest, rule, xs), in_axes=_axes(lane.mapped), axis_size=lane.size)(*args)


def each(lanes: Lanes, rule: Rule, args: Sequence[Any], avals: Sequence[Aval]) -> tuple[Any, ...]:
    """Call ``rule(*args)`` for one lane after the other; `avals` are the results of one lane."""
    if not lanes:
        return tuple(rule(*args))
    lane, rest = lanes[0], lanes[1:]
    found = [
        each(rest, rule, [x[k] if m else x for x, m in zip(args, lane.mapped, strict=True)], avals)
        for k in range(lane.size)
    ]
    if not found:
        return tuple(np.zeros(a.shape, a.dtype) for a in outputs(avals, lanes))
    return tuple(np.stack(xs) for xs in zip(*found, strict=True))


def pushed(lanes: Lanes, rule: Rule, args: Sequence[Any], tangents: Sequence[Any], out: Sequence[Any]) -> Sequence[Any]:
    """Call ``rule(args, tangents, out)`` in each lane, all at once; tangents of None are zero."""
    if not lanes:
        return rule(args, tangents, out)
    lane, rest = lanes[0], lanes[1:]
    axes = _axes(lane.mapped)
    t_axes = tuple(None if t is None else a for t, a in zip(tangents, axes, strict=True))

    def inner(args: Any, tangents: Any, out: Any) -> Any:
        return tuple(pushed(rest, rule, args, tangents, out))

    mapped = vmap(inner, in_axes=(axes, t_axes, 0), axis_size=lane.size)
    return mapped(tuple(args), tuple(tangents), tuple(out))


def pulled(
    lanes: Lanes, rule: Rule, ct: Sequence[Any], wanted: Sequence[Any], out: Sequence[Any], args: Sequence[Any]
) -> Sequence[Any]:
    """Call ``rule(ct, wanted, out, args)`` in each lane, all at once.

    Cotangents of None are zero, arguments and outputs of None unknown. The cotangents of an argument that all lanes
    share are added up.
    """
    if not lanes:
        return rule(ct, wanted, out, args)
    lane, rest = lanes[0], lanes[1:]
    axes = tuple(None if x is None else a for x, a in zip(args, _axes(lane.mapped), strict=True))

    def inner(ct: Any, out: Any, args: Any) -> Any:
        return tuple(pulled(rest, rule, ct, wanted, out, args))

    found = vmap(inner, in_axes=(0, 0, axes), axis_size=lane.size)(tuple(ct), tuple(out), tuple(args))
    return [c if c is None or m else c.sum(axis=0) for c, m in zip(found, lane.mapped, strict=True)]
