"""What ufuncs can do besides being called: keyword arguments, reduce, accumulate, outer, reduceat, at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from ..core.dispatch import FUNCTIONS, UFUNC_METHODS, UFUNCS, as_operand
from ..core.errors import NotDifferentiableError, caller
from ..core.tracer import Tracer
from ..core.values import dtype_of, shape_of, strong
from ..ops.complex_parts import astype
from .axes import all_axes, is_default, normalize_axis
from .contraction import generalized

__all__ = ["accumulate", "call", "outer", "reduce", "reduceat"]

# The ufuncs whose reductions are functions of their own.
_REDUCTIONS: dict[np.ufunc, Any] = {
    np.add: np.sum,
    np.multiply: np.prod,
    np.maximum: np.max,
    np.minimum: np.min,
    np.logical_and: np.all,
    np.logical_or: np.any,
}
_CUMULATIVE: dict[np.ufunc, Any] = {np.add: np.cumsum, np.multiply: np.cumprod}

# f(f(a, b), c) = f(a, f(b, c)), so that halves can be combined: n elements in log₂ n steps instead of n.
_ASSOCIATIVE = frozenset(
    (
        np.add,
        np.multiply,
        np.maximum,
        np.minimum,
        np.fmax,
        np.fmin,
        np.logaddexp,
        np.logaddexp2,
        np.hypot,
        np.logical_and,
        np.logical_or,
        np.logical_xor,
        np.bitwise_and,
        np.bitwise_or,
        np.bitwise_xor,
        np.gcd,
        np.lcm,
    )
)


def _method(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(ours: Callable[..., Any]) -> Callable[..., Any]:
        UFUNC_METHODS[name] = ours
        return ours

    return decorate


def _stored(ours: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method write its result to ``out=``, which comes as a keyword from NumPy."""

    def method(ufunc: np.ufunc, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        result = ours(ufunc, *args, **kwargs)
        if type(out) is tuple and len(out) == 1:
            out = out[0]
        return result if out is None else FUNCTIONS["out"](ufunc, out, result)

    return method


def _binary(ufunc: np.ufunc, method: str) -> Callable[[Any, Any], Any]:
    if ufunc.nin != 2 or ufunc.nout != 1 or ufunc.signature is not None:
        raise ValueError(f"{method} only supported for binary functions")
    return UFUNCS[ufunc]


def _operand(ufunc: np.ufunc, method: str, x: Any, dtype: Any = None) -> Any:
    x = as_operand(x, f"np.{ufunc.__name__}.{method}")
    return x if is_default(dtype) else astype(x, dtype)


# --- calls with keyword arguments -------------------------------------------------------------------------------------


@_method("__call__")
def call(
    ufunc: np.ufunc,
    *inputs: Any,
    out: Any = None,
    where: Any = True,
    dtype: Any = None,
    casting: str = "same_kind",
    order: str = "K",
    subok: bool = True,
    signature: Any = None,
    **other: Any,
) -> Any:
    name = f"np.{ufunc.__name__}"
    if out is not None:
        options = {"dtype": dtype, "casting": casting, "order": order, "subok": subok, "signature": signature}
        with np.errstate(all="ignore") if where is not True else nullcontext():
            result = call(ufunc, *inputs, **options, **other)
        return FUNCTIONS["out"](ufunc, out, result, where)
    if where is not True:
        raise NotDifferentiableError(
            f"{name}(..., where=...) with a traced value at {caller()} leaves the other elements undefined; "
            f"write np.where(mask, {name}(...), default), or give out="
        )
    if signature is not None or order not in ("K", "A") or not subok:
        option = "signature" if signature is not None else "order" if order not in ("K", "A") else "subok"
        raise NotDifferentiableError(
            f"{name}(..., {option}=...) with a traced value at {caller()} is not supported; leave it out, or use dtype="
        )
    inputs = tuple(as_operand(x, name) for x in inputs)
    if dtype is not None or casting != "same_kind":
        inputs = _cast(ufunc, inputs, dtype, casting)
    return generalized(ufunc, *inputs, **other) if other and ufunc.signature else UFUNCS[ufunc](*inputs, **other)


def _cast(ufunc: np.ufunc, inputs: tuple[Any, ...], dtype: Any, casting: str) -> tuple[Any, ...]:
    """Convert the inputs to those of the loop that NumPy would select."""
    kinds = tuple(type(x) if type(x) in (int, float, complex) else dtype_of(x) for x in inputs)
    wanted = {} if dtype is None else {"signature": (None,) * ufunc.nin + (np.dtype(dtype),) * ufunc.nout}
    loop = ufunc.resolve_dtypes(kinds + (None,) * ufunc.nout, casting=casting, **wanted)  # type: ignore[arg-type]
    return tuple(astype(x, d) for x, d in zip(inputs, loop, strict=False))


# --- reduce -----------------------------------------------------------------------------------------------------------


@_method("reduce")
@_stored
def reduce(
    ufunc: np.ufunc,
    array: Any,
    axis: Any = 0,
    dtype: Any = None,
    out: Any = None,
    keepdims: bool = False,
    initial: Any = np._NoValue,
    where: Any = True,
) -> Any:
    f = _binary(ufunc, "reduce")
    array = _operand(ufunc, "reduce", array)
    if ufunc in _REDUCTIONS:
        options = {"axis": axis, "keepdims": keepdims}
        if not is_default(dtype):
            array = astype(array, dtype)
        if initial is not np._NoValue and initial is not None:
            options["initial"] = initial
        if where is not True:
            options["where"] = where
        if ufunc in (np.logical_and, np.logical_or) and "initial" in options:
            return f(options.pop("initial"), _REDUCTIONS[ufunc](array, **options))
        return _REDUCTIONS[ufunc](array, **options)
    return _reduce(ufunc, f, _operand(ufunc, "reduce", array, dtype), axis, keepdims, initial, where)


def _reduce(ufunc: np.ufunc, f: Any, x: Any, axis: Any, keepdims: bool, initial: Any, where: Any) -> Any:
    axes = all_axes(axis, len(shape_of(x)))
    associative = ufunc in _ASSOCIATIVE
    if len(axes) > 1 and not associative:
        raise ValueError(
            f"reduction operation '{ufunc.__name__}' is not reorderable, so at most one axis may be specified"
        )
    start = ufunc.identity if initial is np._NoValue else initial
    shape = shape_of(x)
    if where is not True:
        if start is None:
            raise ValueError(
                f"reduction operation '{ufunc.__name__}' does not have an identity, so to use a where mask one has to "
                f"specify 'initial'"
            )
        if not associative:
            raise NotDifferentiableError(
                f"np.{ufunc.__name__}.reduce(..., where=...) with a traced value at {caller()} is not supported"
            )
        x = np.where(where, x, dtype_of(x).type(start))
    rest = [i for i in range(len(shape)) if i not in axes]
    count = 1
    for i in axes:
        count *= shape[i]
    # One leading axis to reduce, whatever the axes were.
    x = np.transpose(x, [*axes, *rest]).reshape((count, *[shape[i] for i in rest]))
    if initial is not np._NoValue and initial is not None:
        x = np.concatenate([np.full((1, *shape_of(x)[1:]), initial, dtype_of(x)), x])
        count += 1
    if count == 0:
        if start is None:
            raise ValueError(f"zero-size array to reduction operation {ufunc.__name__} which has no identity")
        empty = np.full(shape_of(x)[1:], start, dtype_of(x))
        result: Any = f(empty, empty)
    elif count == 1 and initial is np._NoValue and start is not None:
        result = f(dtype_of(x).type(start), x[0])
    else:
        result = _tree(f, x, count) if associative else _chain(f, x, count)[-1]
    return result.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape))) if keepdims else result


def _tree(f: Any, x: Any, count: int) -> Any:
    """Combine the elements along the first axis by halves."""
    while count > 1:
        half = count // 2
        combined = f(x[:half], x[half : 2 * half])
        x = np.concatenate([combined, x[2 * half :]]) if count % 2 else combined
        count -= half
    return x[0]


def _chain(f: Any, x: Any, count: int) -> list[Any]:
    """The elements along the first axis combined one by one."""
    results = [x[0]]
    for i in range(1, count):
        results.append(f(results[-1], x[i]))
    return results


# --- accumulate, reduceat, outer --------------------------------------------------------------------------------------


@_method("accumulate")
@_stored
def accumulate(ufunc: np.ufunc, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    f = _binary(ufunc, "accumulate")
    x = _operand(ufunc, "accumulate", array, dtype)
    if not shape_of(x):
        raise TypeError("cannot accumulate on a scalar")
    axis = normalize_axis(axis, len(shape_of(x)))
    if ufunc in _CUMULATIVE:
        return _CUMULATIVE[ufunc](x, axis=axis)
    x = np.moveaxis(x, axis, 0)
    count = shape_of(x)[0]
    if not count:
        return np.moveaxis(x, 0, axis)
    result = _doubling(f, x, count) if ufunc in _ASSOCIATIVE else np.stack(_chain(f, x, count))
    return np.moveaxis(result, 0, axis)


def _doubling(f: Any, x: Any, count: int) -> Any:
    """All prefixes in log₂ n steps: after the step d, element i combines the 2d elements up to i."""
    step = 1
    while step < count:
        x = np.concatenate([x[:step], f(x[:-step], x[step:])])
        step *= 2
    return x


@_method("reduceat")
@_stored
def reduceat(ufunc: np.ufunc, array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
    f = _binary(ufunc, "reduceat")
    if isinstance(indices, Tracer):
        raise NotDifferentiableError(f"np.{ufunc.__name__}.reduceat at {caller()} needs plain integers as indices")
    x = _operand(ufunc, "reduceat", array, dtype)
    axis = normalize_axis(axis, len(shape_of(x)))
    x = np.moveaxis(x, axis, 0)
    count = shape_of(x)[0]
    starts = [int(i) for i in np.asarray(indices)]
    for i in starts:
        if not 0 <= i < count:
            raise IndexError(f"index {i} out-of-bounds in {ufunc.__name__}.reduceat [0, {count})")
    segments = []
    for start, stop in zip(starts, [*starts[1:], count], strict=True):
        segment = x[start : max(stop, start + 1)]
        segments.append(_segment(ufunc, f, segment))
    if not segments:
        return np.moveaxis(x[:0], 0, axis)
    return np.moveaxis(np.stack(segments), 0, axis)


def _segment(ufunc: np.ufunc, f: Any, x: Any) -> Any:
    if ufunc in _REDUCTIONS:
        return _REDUCTIONS[ufunc](x, axis=0)
    return _reduce(ufunc, f, x, 0, False, np._NoValue, True)


@_method("outer")
def outer(ufunc: np.ufunc, a: Any, b: Any, /, **kwargs: Any) -> Any:
    if ufunc.nin != 2 or ufunc.signature is not None:
        raise ValueError("outer product only supported for binary functions")
    a, b = (strong(_operand(ufunc, "outer", x)) for x in (a, b))
    if shape_of(b):
        a = np.reshape(a, shape_of(a) + (1,) * len(shape_of(b)))
    return call(ufunc, a, b, **kwargs)
