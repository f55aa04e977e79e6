"""``x += v``, ``out=``, and the methods that change an array in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.buffer import BufferTrace, plain_of
from ..core.dispatch import FUNCTIONS, UFUNCS, as_operand
from ..core.tracer import Tracer, own
from ..core.values import dtype_of, is_weak, shape_of
from ..core.views import is_array
from .register import implements
from .storing import cast, fitted, needs_traced, store
from .structural import broadcast_to

__all__ = ["update", "update_plain", "write_out"]


# --- x += v, out= -----------------------------------------------------------------------------------------------------


def _check_casting(ufunc: np.ufunc, operands: Sequence[Any], out: Any) -> None:
    """Raise NumPy's error if the result of `operands` may not be stored in the dtype of `out`."""
    ones = [x if is_weak(x) else np.ones((1,) * max(1, ufunc.signature is not None), dtype_of(x)) for x in operands]
    if ufunc.signature is None:
        with np.errstate(all="ignore"):
            ufunc(*ones, out=np.empty(1, dtype_of(out)))


@implements("in-place")
def update(ufunc: np.ufunc, x: Any, other: Any) -> Any:
    """Answer ``x += other`` and its like: a number is replaced, an array changed."""
    other = as_operand(other, f"np.{ufunc.__name__}")
    result = UFUNCS[ufunc](x, other)
    if not x.shape and not is_array(x):
        return result
    if shape_of(result) != x.shape:
        raise ValueError(
            f"non-broadcastable output operand with shape {x.shape} doesn't match the broadcast shape "
            f"{shape_of(result)}"
        )
    if dtype_of(result) != x.dtype:
        _check_casting(ufunc, (x, other), x)
    store(x, cast(result, x.dtype))
    return x


@implements("augmented")
def update_plain(ufunc: np.ufunc, array: Any, other: Any) -> Any:
    """Answer ``array += other`` for a plain array that nobody else refers to; see `core.augmented`."""
    if not array.flags.writeable:
        raise ValueError("output array is read-only")
    if not isinstance(plain_of(other), Tracer):
        return ufunc(array, plain_of(other), out=array)
    return update(ufunc, BufferTrace(other._trace).lift(array), other)


def _casting_error() -> Any:
    """The class of NumPy's error, which has no public name."""
    return getattr(getattr(getattr(np, "_core", None), "_exceptions", None), "_UFuncOutputCastingError", None)


@implements("out")
def write_out(function: Any, out: Any, result: Any, where: Any = True) -> Any:
    """Store the `result` of `function` in `out`, and return that."""
    if isinstance(out, tuple):
        pairs = zip(out, result if isinstance(result, tuple) else (result,), strict=True)
        done = tuple(r if o is None else write_out(function, o, r, where) for o, r in pairs)
        return done if isinstance(result, tuple) else done[0]
    name = f"np.{function.__name__}(..., out=...)"
    if shape_of(result) != shape_of(out):
        if isinstance(function, np.ufunc) and np.broadcast_shapes(shape_of(result), shape_of(out)) == shape_of(out):
            result = broadcast_to(result, shape_of(out)) if isinstance(result, Tracer) else result
        else:
            raise ValueError(f"{name}: the output has shape {shape_of(out)}, but the result {shape_of(result)}")
    if not np.can_cast(dtype_of(result), dtype_of(out), "same_kind"):
        error = _casting_error()
        if error is not None and isinstance(function, np.ufunc):
            raise error(function, "same_kind", dtype_of(result), dtype_of(out), 0)
        raise TypeError(f"{name}: cannot cast from {dtype_of(result)} to {dtype_of(out)} by the rule 'same_kind'")
    if isinstance(out, Tracer):
        if where is not True:
            result = np.where(where, result, out)
        store(out, cast(result, dtype_of(out)))
        return out
    result, where = plain_of(result), plain_of(where)
    if isinstance(result, Tracer) or isinstance(where, Tracer):
        raise needs_traced(name)
    np.copyto(out, result, casting="same_kind", where=where)
    return out


# --- methods ----------------------------------------------------------------------------------------------------------


@implements("ndarray.fill")
def fill(x: Any, value: Any) -> None:
    v = as_operand(value, "fill")
    if shape_of(v):
        v = fitted(v, ())
    store(x, cast(v, x.dtype))


@implements("ndarray.sort")
def sort(x: Any, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> None:
    store(x, np.sort(x, axis, kind, order, stable=stable))


@implements("ndarray.partition")
def partition(x: Any, kth: Any, axis: int = -1, kind: str = "introselect", order: Any = None) -> None:
    store(x, np.partition(x, kth, axis, kind, order))


@implements("ndarray.flatten")
def flatten(x: Any, order: str = "C") -> Any:
    out = FUNCTIONS[np.ravel](x, order)
    return own(out.clone())
