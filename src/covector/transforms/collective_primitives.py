"""What the collectives are made of: the primitives `psum`, `all_gather` and `ppermute`, and who varies over an axis.

A value *varies* over an axis if it is batched over it, else it is one value shared by all lanes. `psum` takes a varying
value to a shared one. Its transpose follows from that: a shared cotangent goes to every lane as it is, a varying one
(one per lane's use of the shared value) is summed first. So for ``f = vmap(lambda x: psum(x, "i"), axis_name="i")`` the
identity ⟨u, Jt⟩ = ⟨Jᵀu, t⟩ holds whether derivatives are taken inside or outside the map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.errors import caller
from ..core.graph import GraphTracer
from ..core.primitive import Primitive, bind
from ..core.tracer import Tracer
from ..core.values import Aval, dtype_of, shape_of
from ..ops.families import linear
from ..ops.indexing import gather_p
from .batching import BatchTrace, BatchTracer, Unmapped
from .forward import ForwardTracer
from .vmap import axis_environment

__all__ = ["all_gather_p", "bound_trace", "ppermute_p", "psum_p", "psum_transpose_p", "varies", "vary"]

AxisName = Any


def bound_trace(name: AxisName, function: str) -> BatchTrace:
    """The trace of the named axis; NameError if no enclosing vmap binds it."""
    axes = axis_environment()
    if name not in axes:
        known = ", ".join(map(repr, axes)) or "none"
        raise NameError(
            f"{function} at {caller()}: the axis name {name!r} is not bound by an enclosing vmap(axis_name=...); "
            f"bound here: {known}"
        )
    return axes[name]


def varies(x: Any, trace: BatchTrace, unknown: bool = True) -> bool:
    """Whether `x`, or a tangent it carries, differs between the lanes of `trace`; `unknown` where nobody knows yet.

    What is not known before a recorded program runs may be taken as varying: a shared value gives the same sums.
    """
    while isinstance(x, Tracer):
        if isinstance(x, BatchTracer) and x._trace is trace:
            return True
        if isinstance(x, ForwardTracer) and varies(x.tangent, trace, unknown):
            return True
        if isinstance(x, GraphTracer):
            if trace in x.lanes:
                return True
            if x.value is None:
                recording: Any = x._trace
                return unknown and not recording.knows_lanes
        x = x.value
    return False


def vary(x: Any, trace: BatchTrace) -> Any:
    """Return the shared value `x` as one value per lane."""
    return x if varies(x, trace, unknown=False) else x * trace.tracer(np.ones(trace.size, dtype_of(x)))


# --- psum -------------------------------------------------------------------------------------------------------------


def _batch_sum(primitive: Callable[[], Primitive]) -> Callable[..., Any]:
    def batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, axis: BatchTrace) -> Any:
        return Unmapped(args[0].sum(axis=0)) if axis is trace else bind(primitive(), args, {"axis": axis})

    return batch


psum_p = linear(
    "psum",
    lambda x, *, axis: x * dtype_of(x).type(axis.size),
    transpose=lambda ct, x, *, axis: vary(psum_transpose_p(ct, axis=axis), axis),
    aval=lambda x, *, axis: Aval(x.shape, x.dtype),
    batch=_batch_sum(lambda: psum_p),
)
psum_p.family = "collective"

psum_transpose_p = linear(
    "psum_transpose",
    lambda ct, *, axis: ct,
    transpose=lambda ct, x, *, axis: psum_transpose_p(ct, axis=axis),
    aval=lambda x, *, axis: Aval(x.shape, x.dtype),
    batch=_batch_sum(lambda: psum_transpose_p),
)
psum_transpose_p.family = "collective"


# --- all_gather -------------------------------------------------------------------------------------------------------


def _gather_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, axis: BatchTrace) -> Any:
    if axis is trace:
        return Unmapped(args[0])
    return np.moveaxis(all_gather_p(args[0], axis=axis), 0, 1)


def _own_lane(ct: Any, x: Any, *, axis: BatchTrace) -> Any:
    return gather_p(psum_transpose_p(ct, axis=axis), axis.tracer(np.arange(axis.size)), unique=False)


all_gather_p = linear(
    "all_gather",
    lambda x, *, axis: np.broadcast_to(x, (axis.size, *shape_of(x))),
    transpose=_own_lane,
    aval=lambda x, *, axis: Aval((axis.size, *x.shape), x.dtype),
    batch=_gather_batch,
)
all_gather_p.family = "collective"


# --- ppermute ---------------------------------------------------------------------------------------------------------


def _permute_batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, axis: BatchTrace, perm: Any) -> Any:
    (x,) = args
    if axis is not trace:
        return ppermute_p(x, axis=axis, perm=perm)
    source = np.zeros(trace.size, dtype=int)
    given = np.zeros((trace.size,) + (1,) * (len(shape_of(x)) - 1), dtype=bool)
    for s, d in perm:
        source[d] = s
        given[d] = True
    return np.where(given, x[source], dtype_of(x).type(0))


def _permute_shared(x: Any, *, axis: BatchTrace, perm: Any) -> Any:
    lanes = np.broadcast_to(x, (axis.size, *shape_of(x)))
    return axis.tracer(_permute_batch(axis, [lanes], [True], axis=axis, perm=perm))


ppermute_p = linear(
    "ppermute",
    _permute_shared,
    transpose=lambda ct, x, *, axis, perm: ppermute_p(vary(ct, axis), axis=axis, perm=tuple((d, s) for s, d in perm)),
    aval=lambda x, *, axis, perm: Aval(x.shape, x.dtype),
    batch=_permute_batch,
)
ppermute_p.family = "collective"
