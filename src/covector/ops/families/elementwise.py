"""Builder of elementwise functions from their partial derivatives, and the products that these enter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ...core.cotangents import unbroadcast
from ...core.dispatch import UFUNCS
from ...core.primitive import Primitive, Refuse, Rule, bind
from ...core.protect import read_only
from ...core.tracer import Tracer
from ...core.values import Aval, dtype_of, shape_of
from ..samples import binary

__all__ = ["batch_elementwise", "elementwise", "elementwise_aval", "like", "masked_product", "product"]

Partial = Callable[..., Any] | int | Refuse | None

_ndarray = np.ndarray


# --- products ---------------------------------------------------------------------------------------------------------


def _references(p: Any) -> int:
    return sys.getrefcount(p)


# What `sys.getrefcount` says of an argument that nobody else refers to: measured, because Python versions differ, and
# at most the 2 of those that count most, so that a debugger at import cannot make it too large. From Python 3.14 on a
# function may borrow its caller's reference, which then does not count, and nothing can be told from the number.
_TEMPORARY = min(2, _references(np.empty(1))) if sys.version_info < (3, 14) else 0
_LARGE = 32768


def product(t: Any, p: Any) -> Any:
    """Return the tangent or cotangent `t` times the partial derivative `p`, where zero times anything is zero.

    This is what keeps the untaken side of a `where`, and directions that do not move, free of inf and NaN.
    A large `p` that nobody else refers to is overwritten with the result, as fresh pages cost more than the product.
    """
    if isinstance(t, Tracer) or isinstance(p, Tracer):
        return bind(product_p, (t, p), {})
    array = type(p) is _ndarray
    if (
        array
        and type(t) is _ndarray
        and t.base is not None
        and t.shape == p.shape
        and t.size > 1
        and not any(t.strides)
    ):
        # A broadcast number, as from the transpose of a sum: a view with zero strides.
        t = t[(0,) * t.ndim]
        if t == 1 and t.dtype == p.dtype:
            # Else a tape or the user holds it; who hands out results copies views.
            return p if sys.getrefcount(p) <= _TEMPORARY else read_only(p)
        if t != 0:
            return _times(t, p) if sys.getrefcount(p) <= _TEMPORARY else t * p
    if array and p.nbytes > _LARGE and sys.getrefcount(p) <= _TEMPORARY:
        r = _times(t, p)
    else:
        r = t * p
    return r if _clean(r) else np.where(np.equal(t, 0), r.dtype.type(0), r)[()]


def _clean(r: Any) -> bool:
    """Whether `r` is free of NaN: one cheap reduction tells, so that only then it is worth looking for zeros."""
    if not isinstance(r, _ndarray):
        return bool(r == r)
    flat = r if r.ndim == 1 else r.reshape(-1)
    s = flat.dot(flat)
    return bool(s == s)


def _times(t: Any, p: Any) -> Any:
    """Return ``t * p`` in the memory of `p` where it fits."""
    fits = t.dtype == p.dtype and (t.shape == p.shape or not t.shape) and p.base is None and p.flags.writeable
    return np.multiply(t, p, out=p) if fits else t * p


# --- elementwise ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _result_dtype(impl: Rule, dtypes: tuple[Any, ...]) -> Any:
    """The dtype(s) of an elementwise function, found by calling it on ones; Python scalars stand for weak types."""
    with np.errstate(all="ignore"):
        out = impl(*[dt(1) if isinstance(dt, type) else np.ones((), dt)[()] for dt in dtypes])
    return tuple(x.dtype for x in out) if isinstance(out, tuple) else np.asarray(out).dtype


def elementwise_aval(impl: Rule) -> Rule:
    """Shape and dtype rule of an elementwise primitive."""

    def aval(*avals: Aval) -> Any:
        shape = np.broadcast_shapes(*[a.shape for a in avals])
        kinds = tuple(type(a.dtype.type(0).item()) if a.weak else a.dtype for a in avals)
        dtype = _result_dtype(impl, kinds)
        return tuple(Aval(shape, d) for d in dtype) if isinstance(dtype, tuple) else Aval(shape, dtype)

    return aval


def batch_elementwise(primitive: Callable[[], Primitive]) -> Rule:
    """Batching rule of an elementwise primitive: line the ranks up behind the batch axis."""

    def batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], **params: Any) -> Any:
        if len(args) == 1:
            return bind(primitive(), args, params)
        rank = max([len(shape_of(x)) - b for x, b in zip(args, batched, strict=True)])
        return bind(primitive(), [_align(x, rank) if b else x for x, b in zip(args, batched, strict=True)], params)

    return batch


def _align(x: Any, rank: int) -> Any:
    shape = shape_of(x)
    missing = rank + 1 - len(shape)
    return x.reshape(shape[:1] + (1,) * missing + shape[1:]) if missing else x


_PYTHON = {float: np.float64, int: np.int64, complex: np.complex128, bool: np.bool_}


def _numpy_scalar(x: Any, out: Any) -> Any:
    """Return the Python number `x` as NumPy's, for the partials: it divides by zero to inf where Python's raises.

    Beside single precision it is single too, because a NumPy scalar takes part in deciding dtypes.
    """
    dtype = dtype_of(out)
    if dtype.itemsize < _DOUBLE[dtype.kind] and type(x) is not bool:
        return np.result_type(dtype, np.complex64).type(x) if type(x) is complex else real_type(dtype)(x)
    return _PYTHON[type(x)](x)


_DOUBLE = {"f": 8, "c": 16}


def real_type(dtype: np.dtype[Any]) -> Any:
    """The type of real numbers of the precision of `dtype`."""
    return np.empty(0, dtype).real.dtype.type


def _numpy_scalars(args: Sequence[Any], out: Any) -> Sequence[Any]:
    for x in args:
        if type(x) in _PYTHON:
            return [_numpy_scalar(x, out) if type(x) in _PYTHON else x for x in args]
    return args


def like(t: Any, out: Any) -> Any:
    """Return the tangent `t` in the shape and dtype of its primal `out`."""
    dtype = dtype_of(out)
    if t.dtype != dtype:
        t = np.real(t).astype(dtype) if t.dtype.kind == "c" and dtype.kind != "c" else t.astype(dtype)
    shape = shape_of(out)
    return t if t.shape == shape else np.broadcast_to(t, shape)


def _terms(partials: Sequence[Partial], products: Sequence[Rule]) -> list[Any]:
    """Per argument the function ``(t, out, args) -> t · ∂out/∂xᵢ``, or None."""

    def term(partial: Any, times: Rule) -> Any:
        if partial is None:
            return None
        if type(partial) is int:
            return lambda t, out, args: t if partial == 1 else -t
        return lambda t, out, args: times(t, partial(out, *args))

    return [term(*pair) for pair in zip(partials, products, strict=True)]


def _jvp(partials: Sequence[Partial], products: Sequence[Rule]) -> Rule:
    """Forward rule; one argument is spelled out, as below."""
    if len(partials) == 1 and callable(partials[0]):
        return _jvp_unary(partials[0], products[0])
    terms = _terms(partials, products)

    def jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
        args = _numpy_scalars(args, out)
        total = None
        for term, t in zip(terms, tangents, strict=True):
            if t is not None and term is not None:
                total = term(t, out, args) if total is None else total + term(t, out, args)
        if total is None or (total.shape == out.shape and total.dtype == out.dtype):
            return total
        return like(total, out)

    return jvp


def _vjp(partials: Sequence[Partial], products: Sequence[Rule], keeps: bool) -> Rule:
    """Reverse rule; one and two arguments are spelled out, because they are nearly every call there is."""
    if len(partials) == 1 and callable(partials[0]):
        return _vjp_unary(partials[0], products[0])
    if len(partials) == 2 and callable(partials[0]) and callable(partials[1]):
        return _vjp_binary(partials[0], partials[1], products[0], products[1])

    def vjp(ct: Any, wanted: Sequence[int], out: Any, args: Sequence[Any]) -> Sequence[Any]:
        if keeps:
            args = _numpy_scalars(args, out)
        cts: list[Any] = []
        for partial, times, want in zip(partials, products, wanted, strict=True):
            if not want or partial is None:
                cts.append(None)
            elif type(partial) is int:
                # The sum over broadcast axes comes first, so that the negative is taken of fewer elements.
                cts.append(ct if partial == 1 else -unbroadcast(ct, args[len(cts)]))
            else:
                cts.append(times(ct, partial(out, *args)))  # type: ignore[operator]
        return cts

    return vjp


def _jvp_unary(partial: Any, times: Rule) -> Rule:
    def jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
        (x,), (t,) = args, tangents
        if t is None:
            return None
        if type(x) in _PYTHON:
            x = _numpy_scalar(x, out)
        r = times(t, partial(out, x))
        return r if r.shape == out.shape and r.dtype == out.dtype else like(r, out)

    return jvp


def _vjp_unary(partial: Any, times: Rule) -> Rule:
    def vjp(ct: Any, wanted: Sequence[int], out: Any, args: Sequence[Any]) -> Sequence[Any]:
        (x,) = args
        if type(x) in _PYTHON:
            x = _numpy_scalar(x, out)
        return (times(ct, partial(out, x)),)

    return vjp


def _vjp_binary(first: Any, second: Any, times_first: Rule, times_second: Rule) -> Rule:
    def vjp(ct: Any, wanted: Sequence[int], out: Any, args: Sequence[Any]) -> Sequence[Any]:
        x, y = args
        if type(x) in _PYTHON:
            x = _numpy_scalar(x, out)
        if type(y) in _PYTHON:
            y = _numpy_scalar(y, out)
        return (
            times_first(ct, first(out, x, y)) if wanted[0] else None,
            times_second(ct, second(out, x, y)) if wanted[1] else None,
        )

    return vjp


def elementwise(
    name: str,
    ufunc: Any,
    partials: Sequence[Partial] = (),
    *,
    impl: Rule | None = None,
    products: Sequence[Rule] = (),
    singular: bool = True,
    keeps: bool = True,
    keeps_out: bool = True,
    lower: Any = None,
    samples: Sequence[Any] = (),
    source: str = "",
) -> Primitive:
    """Declare an elementwise function.

    Parameters
    ----------
    name : str
        Unique name.
    ufunc : ufunc or None
        The NumPy (or SciPy) ufunc this answers, and its implementation unless `impl` is given.
    partials : sequence
        Per argument ``(out, *xs) -> ∂out/∂xᵢ`` in plain NumPy; 1 or -1 for these constants; None for an argument
        without derivative (an integer order, say); `Refuse` with a reason where there is none to be had.
        For a real result of complex input, p with ``dout = Re(p dx)``.
    products : sequence
        Per argument how a (co)tangent meets its partial; `product` unless given.
    singular : bool
        Whether a partial can be infinite or NaN at finite inputs.
    keeps, keeps_out : bool
        Whether a partial reads the arguments, the output.
    lower : str or Expand, optional
        By default the compiler's scalar operation of the same name, if it has one.
    """
    impl = impl or ufunc
    partials = tuple(partials)
    products = tuple(products) or (product,) * len(partials)
    primitive = Primitive(
        name,
        impl,
        elementwise_aval(impl),
        _jvp(partials, products),
        _vjp(partials, products, keeps),
        batch_elementwise(lambda: primitive),
        lower=lower or name,
        sparsity="union",
        samples=samples,
        source=source,
        family="elementwise",
        keeps=keeps,
        keeps_out=keeps_out,
        singular=singular,
        numpy=(ufunc,) if ufunc is not None else (),
    )
    if ufunc is not None:
        UFUNCS[ufunc] = primitive
    return primitive


def masked_product(t: Any, p: Any) -> Any:
    """Return `t` times `p`, where zero in either of them times anything is zero."""
    if isinstance(t, Tracer) or isinstance(p, Tracer):
        return bind(masked_product_p, (t, p), {})
    r = product(t, p)
    return r if _clean(r) else np.where(np.equal(p, 0), r.dtype.type(0), r)[()]


# A (co)tangent that is zero masks its partial, and then masks the partial's own derivative as well:
# (0 · √x)'' = 0 at 0.
product_p = elementwise(
    "product",
    None,
    (lambda out, t, p: p, lambda out, t, p: t),
    impl=product,
    products=(product, masked_product),
    singular=False,
    samples=binary(),
    source="multiplication with 0·inf = 0·nan = 0 in its first argument",
)
masked_product_p = elementwise(
    "masked_product",
    None,
    (lambda out, t, p: p, lambda out, t, p: t),
    impl=masked_product,
    products=(masked_product, masked_product),
    singular=False,
    samples=binary(),
    source="multiplication with 0·inf = 0·nan = 0 in both arguments",
)
