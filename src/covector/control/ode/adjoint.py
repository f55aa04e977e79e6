"""Derivatives of the solution of a differential equation that are themselves solutions of differential equations.

For y' = f(y, t, p) and one direction (v, p') of initial value and parameters, the tangent of y solves the sensitivity
equation ``v' = (df/dy) v + (df/dp) p'``. For cotangents of y(t_i), the adjoint a jumps by them at t_i, solves
``a' = -(df/dy)^T a`` in between, backwards in time, and the cotangent of p is the integral of ``(df/dp)^T a``
(Pontryagin et al. 1962; Chen et al. 2018, Neural Ordinary Differential Equations, appendix B). Both hold up to the
tolerances, as the solution does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.graph import Graph
from ...core.primitive import Expand, Primitive
from ...core.values import Aval, aval_of, dtype_of, shape_of
from ...transforms.jvp import jvp
from ...transforms.vjp import vjp
from ...transforms.vmap import vmap
from ..programs.bodies import record_body
from ..scan import scan
from .dopri import Field, Options
from .fields import Packing
from .integration import integrate

__all__ = ["integrate_continuously"]

Axes = tuple[int | None, ...]
# The arguments of the primitive are the times, the initial value, and what the field depends on besides; the field is a
# program of (y, time, the rest). `maps` are the axes of the arguments under each vmap around it, outermost first.


def integrate_continuously(func: Callable[..., Any], field: Field, y: Any, t: Any, options: Options) -> Any:
    """As `integrate`, with derivatives by sensitivity and adjoint equations; `func` is the user's, for messages."""
    body = record_body(field, [aval_of(y), Aval((), np.dtype(float))], "odeint", function=func)
    (rows,) = odeint_p(t, y, *body.captured, field=body.graph, options=options, maps=())
    return rows


def _lane(args: Sequence[Any], field: Graph, options: Options) -> Any:
    t, y, *rest = args
    return integrate(lambda y, time: field.run(y, time, *rest)[0], y, t, options)


def _mapped(fun: Callable[..., Any], maps: Sequence[Axes], axes: Callable[[Axes], Any]) -> Callable[..., Any]:
    for level in reversed(maps):
        fun = vmap(fun, in_axes=axes(level))
    return fun


def _impl(*args: Any, field: Graph, options: Options, maps: tuple[Axes, ...]) -> tuple[Any]:
    return (_mapped(lambda *xs: _lane(xs, field, options), maps, lambda axes: axes)(*args),)


def _aval(*avals: Aval, field: Graph, options: Options, maps: tuple[Axes, ...]) -> tuple[Aval]:
    lanes: tuple[int, ...] = ()
    for axes in maps:
        lanes += (next(a.shape[0] for a, axis in zip(avals, axes, strict=True) if axis == 0),)
        avals = tuple(a if axis is None else Aval(a.shape[1:], a.dtype) for a, axis in zip(avals, axes, strict=True))
    return (Aval((*lanes, *avals[0].shape, *avals[1].shape), avals[1].dtype),)


def _batch(
    trace: Any, args: Sequence[Any], batched: Sequence[bool], *, field: Graph, options: Options, maps: tuple[Axes, ...]
) -> Any:
    axes = tuple([0 if b else None for b in batched])
    return odeint_p(*args, field=field, options=options, maps=(axes, *maps))


# --- forward mode -----------------------------------------------------------------------------------------------------


def _forward(args: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]) -> tuple[tuple[Any], tuple[Any]]:
    field, options, maps = params["field"], params["options"], params["maps"]
    moving = tuple([i for i, t in enumerate(tangents) if t is not None])

    def lane(args: Sequence[Any], given: Sequence[Any]) -> tuple[Any, Any]:
        return _sensitivity(args, dict(zip(moving, given, strict=True)), field, options)

    mapped = _mapped(lane, maps, lambda axes: (list(axes), [axes[i] for i in moving]))
    out, tangent = mapped(list(args), [tangents[i] for i in moving])
    return (out,), (tangent,)


def _sensitivity(args: Sequence[Any], given: dict[int, Any], field: Graph, options: Options) -> tuple[Any, Any]:
    """The solution and its tangent, for tangents of the arguments by their number."""
    t, y, *rest = args
    moving = [i for i in given if i > 1]
    t_moved = given.get(0)
    v = given.get(1, np.zeros(shape_of(y), dtype_of(y)))
    if 0 in shape_of(t) or 0 in shape_of(y):
        empty = integrate(lambda y, _: y, y, t, options)
        return empty, np.zeros(shape_of(empty), dtype_of(empty))

    def slope(y: Any, time: Any) -> Any:
        return field.run(y, time, *rest)[0]

    def both(state: Any, time: Any) -> Any:
        def of_moving(y: Any, *xs: Any) -> Any:
            full = list(args)
            for i, x in zip(moving, xs, strict=True):
                full[i] = x
            return field.run(y, time, *full[2:])[0]

        primals = (state[0], *[args[i] for i in moving])
        return np.stack(jvp(of_moving, primals, (state[1], *[given[i] for i in moving])))

    if t_moved is not None:
        v = v - slope(y, t[0].astype(float)) * t_moved[0]
    rows = integrate(both, np.stack([y, v]), t, options)
    out, tangent = rows[:, 0], rows[:, 1]
    if t_moved is not None:
        slopes = vmap(slope)(out, t.astype(float))
        tangent = tangent + slopes * np.reshape(t_moved, (-1, *(1,) * len(shape_of(y))))
    return out, tangent.astype(dtype_of(y))


def _jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, **params: Any) -> tuple[Any]:
    return _forward(args, tangents, params)[1]


# --- reverse mode -----------------------------------------------------------------------------------------------------


def _vjp(
    ct: Sequence[Any],
    wanted: Sequence[bool],
    out: Sequence[Any],
    args: Sequence[Any],
    *,
    field: Graph,
    options: Options,
    maps: tuple[Axes, ...],
) -> list[Any]:
    places = [i for i, w in enumerate(wanted) if w]

    def lane(ct: Any, out: Any, args: Sequence[Any]) -> list[Any]:
        found = _adjoint(ct, out, args, [i for i in places if i > 1], 0 in places, field, options)
        return [found[i] for i in places]

    fun = lane
    for axes in reversed(maps):
        fun = _summed(vmap(fun, in_axes=(0, 0, list(axes))), [axes[i] for i in places])
    cts: list[Any] = [None] * len(args)
    for i, c in zip(places, fun(ct[0], out[0], list(args)), strict=True):
        cts[i] = c
    return cts


def _summed(fun: Callable[..., Any], axes: Sequence[int | None]) -> Callable[..., Any]:
    """What lanes share gets the sum of their cotangents."""

    def summed(*args: Any) -> list[Any]:
        return [np.sum(c, axis=0) if axis is None else c for c, axis in zip(fun(*args), axes, strict=True)]

    return summed


def _adjoint(
    ct: Any, out: Any, args: Sequence[Any], moving: Sequence[int], times: bool, field: Graph, options: Options
) -> dict[int, Any]:
    """The cotangents of the times (if asked for), the initial value and the `moving` arguments, by their number."""
    t, y, *rest = args
    t64 = t.astype(float)
    zero = [np.zeros(shape_of(args[i]), dtype_of(args[i])) for i in moving]
    if shape_of(t)[0] < 2 or 0 in shape_of(y):
        return {0: np.zeros(shape_of(t), dtype_of(t)), 1: np.sum(ct, axis=0), **dict(zip(moving, zero, strict=True))}
    packing = Packing([y, y, *[args[i] for i in moving]])

    def slope(y: Any, time: Any) -> Any:
        return field.run(y, time, *rest)[0]

    def backwards(state: Any, time: Any) -> Any:
        def of_moving(y: Any, *xs: Any) -> Any:
            full = list(args)
            for i, x in zip(moving, xs, strict=True):
                full[i] = x
            return field.run(y, time, *full[2:])[0]

        y, a, *_ = packing.split(state)
        f, pull = vjp(of_moving, y, *[args[i] for i in moving])
        return packing.join([f, *[-c for c in pull(a)]])

    def interval(carry: list[Any], given: tuple[Any, ...]) -> tuple[list[Any], None]:
        y_end, ct_end, end, begin = given
        a, *sums = carry
        state = packing.join([y_end, a + ct_end, *sums])
        rows = integrate(backwards, state, np.stack([end, begin]), options, "odeint (adjoint)")
        return packing.split(rows[-1])[1:], None

    (a, *sums), _ = scan(interval, [np.zeros_like(ct[0]), *zero], (out[1:], ct[1:], t64[1:], t64[:-1]), reverse=True)
    found = {1: a + ct[0], **dict(zip(moving, sums, strict=True))}
    if times:
        rest_of = np.sum(np.reshape(vmap(slope)(out[1:], t64[1:]) * ct[1:], (shape_of(t)[0] - 1, -1)), axis=1)
        first = -np.sum(slope(y, t64[0]) * a)
        found[0] = np.concatenate([np.reshape(first, (1,)), rest_of])
    return found


odeint_p = Primitive(
    "odeint",
    _impl,
    _aval,
    _jvp,
    _vjp,
    _batch,
    lower=Expand(_impl),
    forward=_forward,
    family="call",
    multiple=True,
    source="Pontryagin et al. 1962; Chen et al. 2018",
)
