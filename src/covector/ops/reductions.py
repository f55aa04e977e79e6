"""Reductions along axes: sums, means, extrema, products, and the positions and truths that have no derivative."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.cotangents import Scatter
from ..core.primitive import Expand, Primitive, bind
from ..core.tracer import Tracer
from ..core.values import Aval, Shape
from .cumulative import exclusive_cumprod_p
from .families import batch_reduction, constant, elementwise, keep_axes, linear, reduced_aval, weighted
from .indexing import gather_p, scatter_p, slice_p, unslice_p
from .logic import where_p
from .samples import draw, sample, unary
from .structural import broadcast_axes

__all__ = [
    "all_p", "any_p", "argmax_p", "argmin_p", "centered_square_p", "count_nonzero_p", "max_p", "mean_p", "min_p",
    "nanmax_p", "nanmin_p", "prod_p", "root_p", "sum_p",
]  # fmt: skip

Axes = tuple[int, ...]

_REDUCTIONS = [
    sample(draw((3,)), axis=(0,), label="[3]"),
    sample(draw((2, 3)), axis=(0,), label="[2,3] axis 0"),
    sample(draw((2, 3)), axis=(1,), label="[2,3] axis 1"),
    sample(draw((2, 3, 2)), axis=(0, 2), label="[2,3,2] axes 0,2"),
    sample(draw((2, 1, 3)), axis=(0,), label="[2,1,3] axis 0"),
    sample(draw((2, 3), np.float32), axis=(0, 1), label="float32 all"),
    sample(draw(()), axis=(), label="[]"),
    sample(draw((0, 2)), axis=(1,), label="[0,2]"),
]
_COMPLEX = [sample(draw((2, 2), complex), axis=(1,), label="complex")]


# --- sums and means ---------------------------------------------------------------------------------------------------


def _reduced(how: str, value: Any = None) -> Any:
    """The lowering rule of a reduction of ``value(b, x[…])`` along axes."""

    def lower(b: Any, x: Any, *, axis: Axes) -> Any:
        kept = [k for k in range(x.ndim) if k not in axis]

        def term(i: Any, r: Any) -> Any:
            at = dict(zip(kept, i, strict=True)) | dict(zip(axis, r, strict=True))
            v = x(*[at[k] for k in range(x.ndim)])
            return value(b, v) if value else b.convert(v)

        return b.reduce(how, [x.shape[k] for k in axis], term)

    return lower


sum_p = linear(
    "sum",
    np.add.reduce,
    transpose=lambda ct, x, *, axis: broadcast_axes(ct, x.shape, axis),
    lower=_reduced("add"),
    aval=reduced_aval(lambda d: np.add.reduce(np.zeros(1, d)).dtype),
    batch=batch_reduction(lambda: sum_p),
    samples=[*_REDUCTIONS, *_COMPLEX, sample(draw((0, 2)), axis=(0,))],
    sparsity="contracted",
    numpy=(np.sum,),
)


def _count(x: Any, axis: Axes) -> int:
    return x.size if len(axis) == len(x.shape) else math.prod([x.shape[i] for i in axis])


def _mean(x: Any, *, axis: Axes) -> Any:
    if x.dtype.kind in "fc" and x.dtype != np.float16:
        return np.add.reduce(x, axis=axis) / _count(x, axis)
    return np.mean(x, axis=axis)


def _sum_over_count(x: Any, *, axis: Axes) -> Any:
    return sum_p(x if x.dtype.kind in "fc" else x.astype(float), axis=axis) / _count(x, axis)


mean_p = linear(
    "mean",
    _mean,
    transpose=lambda ct, x, *, axis: broadcast_axes(ct / _count(x, axis), x.shape, axis),
    lower=Expand(_sum_over_count),
    aval=reduced_aval(lambda d: np.mean(np.zeros(1, d)).dtype),
    batch=batch_reduction(lambda: mean_p),
    samples=[*_REDUCTIONS, *_COMPLEX],
    sparsity="contracted",
    numpy=(np.mean,),
)


# --- extrema ----------------------------------------------------------------------------------------------------------

# An element that attains the extremum, of which there are k in its slice, has the derivative 1/k; all others have 0.
# Usually few attain it, so for plain arrays their positions are looked up and the others never touched.


def _hits(x: Any, out: Any, axis: Axes) -> tuple[Any, Any]:
    """Which elements attain the extremum (NaN attains NaN), and how many do in each slice."""
    out = keep_axes(out, x.shape, axis)
    hit = np.logical_or(x == out, np.logical_and(x != x, out != out))
    return hit, sum_p(where_p(hit, x.dtype.type(1), x.dtype.type(0)), axis=axis)


def _positions(x: Any, out: Any, axis: Axes) -> tuple[tuple[Any, ...], Any] | None:
    """The indices of the elements that attain the extremum, and how many do; None unless plain and few.

    The indices are ints when it is a single element, else index arrays.
    """
    if type(x) is not np.ndarray or x.size < 2 or isinstance(out, Tracer):
        return None
    if not out.shape and x.size < 20_000:
        index = (x == out).nonzero()
        if len(index[0]) == 1:
            return tuple([int(k[0]) for k in index]), 1
    hit = x == keep_axes(out, x.shape, axis)
    count = int(np.count_nonzero(hit))
    if count < out.size:
        hit |= np.logical_and(x != x, keep_axes(out != out, x.shape, axis))
        count = int(np.count_nonzero(hit))
    if count == 1:
        return tuple(int(i) for i in np.unravel_index(hit.argmax(), x.shape)), 1
    if count * 8 > x.size:
        return None
    index = np.unravel_index(np.flatnonzero(hit), x.shape)
    if not out.shape:
        return index, count
    return index, np.count_nonzero(hit, axis=axis).astype(x.dtype)


def _extremum_jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, *, axis: Axes) -> Any:
    (x,), (t,) = args, tangents
    if t is None:
        return None
    found = _positions(x, out, axis)
    if found is None:
        hit, count = _hits(x, out, axis)
        return sum_p(where_p(hit, t, 0), axis=axis) / count
    index, count = found
    if type(count) is int and count == 1:
        return slice_p(t, index=index).reshape(out.shape)
    t = gather_p(t, *index, unique=True)
    if not out.shape:
        return t.sum() / count
    cells = [k for i, k in enumerate(index) if i not in axis]
    return scatter_p(t, *cells, shape=out.shape, unique=False) / count


def _extremum_vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any], *, axis: Axes) -> list[Any]:
    (x,) = args
    found = _positions(x, out, axis)
    if found is None:
        hit, count = _hits(x, out, axis)
        return [where_p(hit, keep_axes(ct / count, x.shape, axis), 0)]
    index, count = found
    shape = x.shape
    if type(count) is int and count == 1:
        value = ct.reshape(())
        return [Scatter(index, value, shape, True, lambda: unslice_p(value, index=index, shape=shape))]
    share = ct / count
    if out.shape:
        share = gather_p(share, *[k for i, k in enumerate(index) if i not in axis], unique=False)
    else:
        share = broadcast_axes(share, (len(index[0]),), (0,))
    return [Scatter(index, share, shape, True, lambda: scatter_p(share, *index, shape=shape, unique=True))]


def _extremum(name: str, how: str, ufunc: Any, numpy: Any, samples: Sequence[Any] = ()) -> Primitive:
    primitive = Primitive(
        name,
        ufunc.reduce,
        reduced_aval(),
        _extremum_jvp,
        _extremum_vjp,
        batch_reduction(lambda: primitive),
        lower=_reduced(how),
        sparsity="contracted",
        samples=[*_REDUCTIONS, *samples],
        source="ties share the derivative evenly: the mean of the directional derivatives into the tied arguments",
        family="extremum",
        numpy=(numpy,),
    )
    return primitive


_LONG = [sample(draw((40,)), axis=(0,), label="[40]"), sample(draw((2, 20)), axis=(1,), label="[2,20]")]

max_p = _extremum("max", "max", np.maximum, np.max, [*_LONG, sample(draw((3,), complex), axis=(0,))])
min_p = _extremum("min", "min", np.minimum, np.min, _LONG)
nanmax_p = _extremum("nanmax", "fmax", np.fmax, np.nanmax)
nanmin_p = _extremum("nanmin", "fmin", np.fmin, np.nanmin)


# --- products ---------------------------------------------------------------------------------------------------------


def _merge_last(x: Any, axis: Axes) -> tuple[Any, Axes, Shape]:
    """Merge the axes `axis` of `x` into one last axis; also the permutation and the shape that lead back."""
    rest = tuple(i for i in range(len(x.shape)) if i not in axis)
    order = rest + axis
    permuted = np.transpose(x, order) if order != tuple(range(len(order))) else x
    shape = permuted.shape
    return permuted.reshape((*shape[: len(rest)], math.prod(shape[len(rest) :]))), order, shape


def _product_of_others(out: Any, x: Any, axis: Axes) -> Any:
    """∂out/∂xᵢ = Π_{j≠i} xⱼ: the product of those before i times the product of those after i, without division."""
    y, order, shape = _merge_last(x, axis)
    backwards = (..., slice(None, None, -1))
    after = exclusive_cumprod_p(y[backwards])[backwards]
    others = (exclusive_cumprod_p(y) * after).reshape(shape)
    if order == tuple(range(len(order))):
        return others
    return np.transpose(others, sorted(range(len(order)), key=order.__getitem__))


prod_p = weighted(
    "prod",
    lambda x, *, axis: np.multiply.reduce(x, axis=axis),
    partial=_product_of_others,
    lower=_reduced("mul"),
    aval=reduced_aval(lambda d: np.multiply.reduce(np.ones(1, d)).dtype),
    samples=[
        *_REDUCTIONS,
        *_COMPLEX,
        sample(np.array([2.0, 0.0, 3.0]), axis=(0,), label="one zero"),
        sample(np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), axis=(1,), label="zeros"),
        sample(draw((0,)), axis=(0,), label="empty"),
    ],
    numpy=(np.prod,),
)


# --- squared deviations -----------------------------------------------------------------------------------------------


def _centered(x: Any, axis: Axes) -> Any:
    return x - keep_axes(mean_p(x, axis=axis), x.shape, axis)


def _centered_square(x: Any, *, axis: Axes) -> Any:
    d = _centered(x, axis)
    d *= d
    return 0.5 * np.add.reduce(d, axis=axis)


centered_square_p = weighted(
    "centered_square",
    _centered_square,
    partial=lambda out, x, axis: _centered(x, axis),
    lower=Expand(lambda x, *, axis: 0.5 * sum_p(np.square(_centered(x, axis)), axis=axis)),
    samples=_REDUCTIONS,
    source="½ Σ (x − mean x)², whose gradient is x − mean x because the deviations sum to zero",
    numpy=(np.var,),
)


def _root_partial(out: Any, x: Any) -> Any:
    zero = out == 0
    return where_p(zero, 0, 0.5 / where_p(zero, 1, out))


root_p = elementwise(
    "root",
    None,
    (_root_partial,),
    impl=np.sqrt,
    singular=False,
    keeps=False,
    samples=unary(0.5, 3.0, complex_=False),
    source="sqrt, but with derivative 0 at 0, as a standard deviation or a norm wants it",
)


# --- positions and truths ---------------------------------------------------------------------------------------------

_BOOL = np.dtype(bool)
_INTP = np.dtype(np.intp)


def _truth(b: Any, v: Any) -> Any:
    return b.convert(b.convert(v, bool))


def _counting(name: str, impl: Callable[..., Any], dtype: Any, numpy: Any, how: str) -> Primitive:
    primitive = constant(
        name,
        impl,
        lower=_reduced(how, _truth),
        aval=reduced_aval(lambda d: dtype),
        batch=batch_reduction(lambda: primitive),
        samples=[*_REDUCTIONS[1:4], *_COMPLEX, sample(np.array([[True, False], [True, True]]), axis=(0,))],
        numpy=(numpy,),
    )
    return primitive


any_p = _counting("any", lambda x, *, axis: np.logical_or.reduce(x, axis=axis), _BOOL, np.any, "or")
all_p = _counting("all", lambda x, *, axis: np.logical_and.reduce(x, axis=axis), _BOOL, np.all, "and")
count_nonzero_p = _counting(
    "count_nonzero",
    lambda x, *, axis: np.add.reduce(np.not_equal(x, 0), axis=axis, dtype=np.intp),
    _INTP,
    np.count_nonzero,
    "add",
)


def _position(name: str, function: Any, extremum: Primitive) -> Primitive:
    def by_comparison(x: Any, *, axis: int) -> Any:
        best = keep_axes(bind(extremum, (x,), {"axis": (axis,)}), x.shape, (axis,))
        places = np.arange(x.shape[axis]).reshape((-1,) + (1,) * (len(x.shape) - axis - 1))
        hit = np.logical_or(np.equal(x, best), np.not_equal(x, x))
        return bind(min_p, (where_p(hit, places, x.shape[axis]),), {"axis": (axis,)})

    def batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, axis: int) -> Any:
        return bind(primitive, args, {"axis": axis + 1})

    primitive = constant(
        name,
        lambda x, *, axis: function(x, axis=axis),
        lower=Expand(by_comparison),
        aval=lambda x, *, axis: Aval(x.shape[:axis] + x.shape[axis + 1 :], _INTP),
        batch=batch,
        samples=[sample(draw((3,)), axis=0), sample(draw((2, 3)), axis=1), sample(draw((2, 3), np.float32), axis=0)],
        numpy=(function,),
    )
    return primitive


argmax_p = _position("argmax", np.argmax, max_p)
argmin_p = _position("argmin", np.argmin, min_p)
