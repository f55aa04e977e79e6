"""Comparisons, logic, bits, and the choice between two arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.cotangents import unbroadcast
from ..core.dispatch import UFUNCS
from ..core.primitive import Primitive
from ..core.values import Aval, dtype_of
from .families import batch_elementwise, constant, elementwise, elementwise_aval, like
from .samples import binary, draw, sample, unary

__all__ = [
    "at_least",
    "at_most",
    "check_choice",
    "fmax",
    "fmin",
    "heaviside",
    "isclose_p",
    "maximum",
    "minimum",
    "where_p",
]


# --- constants --------------------------------------------------------------------------------------------------------

_ufunc: Any
_REAL = binary(complex_=False) + [sample(np.array([1, 2, 3]), 2)]

for _ufunc in (
    np.equal,
    np.not_equal,
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
    np.logical_and,
    np.logical_or,
    np.logical_xor,
):
    constant(_ufunc.__name__, _ufunc, ufunc=_ufunc, samples=_REAL)
for _ufunc in (np.logical_not, np.isfinite, np.isinf, np.isnan):
    constant(_ufunc.__name__, _ufunc, ufunc=_ufunc, samples=unary())
constant("signbit", np.signbit, ufunc=np.signbit, samples=unary(complex_=False))

_BITS = [
    sample(draw((3,), int, 0, 9, key="a"), draw((3,), int, 0, 9, key="b")),
    sample(draw((2, 1), int, 0, 9), 3),
    sample(draw((3,), np.uint8, 0, 9), draw((3,), np.uint8, 0, 9, key="b")),
]
for _ufunc in (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift):
    constant(_ufunc.__name__, _ufunc, ufunc=_ufunc, samples=_BITS)
for _ufunc in (np.invert, np.bitwise_count):
    constant(_ufunc.__name__, _ufunc, ufunc=_ufunc, samples=[sample(draw((3,), int, 0, 9))])
# Only dates can be NaT; numbers get NumPy's own TypeError.
UFUNCS[np.isnat] = lambda x: np.isnat(np.zeros((), dtype_of(x)))


def _isclose_aval(*avals: Aval, equal_nan: bool) -> Aval:
    return Aval(np.broadcast_shapes(*[a.shape for a in avals]), np.dtype(bool))


isclose_p = constant(
    "isclose",
    lambda a, b, rtol, atol, *, equal_nan: np.isclose(a, b, rtol, atol, equal_nan),
    aval=_isclose_aval,
    samples=[
        sample(draw((3,)), draw((2, 3)), 0.1, 0.1, equal_nan=False),
        sample(np.array([1.0, np.nan]), np.array([1.0 + 1e-9, np.nan]), 1e-5, 1e-8, equal_nan=True),
    ],
    numpy=(np.isclose,),
)


def _check_choice(a: Any, *, count: int) -> Any:
    if np.any(np.less(a, 0)) or np.any(np.greater_equal(a, count)):
        raise ValueError("invalid entry in choice array")
    return a


check_choice = constant(
    "check_choice",
    _check_choice,
    aval=lambda a, *, count: Aval(a.shape, a.dtype),
    samples=[sample(np.array([0, 2, 1]), count=3)],
)


# --- the larger, the smaller ------------------------------------------------------------------------------------------


def _share(out: Any, taken: Any, tie: Any) -> Any:
    """1 where taken, 0 where not, one half each on ties; in the dtype of `out`."""
    return np.where(tie, dtype_of(out).type(0.5), taken)


def _isnan(x: Any) -> Any:
    return np.not_equal(x, x)


_PAIRS = binary()

maximum = elementwise(
    "maximum",
    np.maximum,
    (
        lambda out, x, y: _share(out, np.logical_or(np.greater(x, y), _isnan(x)), np.equal(x, y)),
        lambda out, x, y: _share(out, np.logical_or(np.greater(y, x), _isnan(y)), np.equal(x, y)),
    ),
    singular=False,
    keeps_out=False,
    samples=_PAIRS,
)
minimum = elementwise(
    "minimum",
    np.minimum,
    (
        lambda out, x, y: _share(out, np.logical_or(np.less(x, y), _isnan(x)), np.equal(x, y)),
        lambda out, x, y: _share(out, np.logical_or(np.less(y, x), _isnan(y)), np.equal(x, y)),
    ),
    singular=False,
    keeps_out=False,
    samples=_PAIRS,
)
fmax = elementwise(
    "fmax",
    np.fmax,
    (
        lambda out, x, y: _share(out, np.logical_or(np.greater(x, y), _isnan(y)), np.equal(x, y)),
        lambda out, x, y: _share(out, np.logical_or(np.greater(y, x), _isnan(x)), np.equal(x, y)),
    ),
    singular=False,
    keeps_out=False,
    samples=_PAIRS,
)
fmin = elementwise(
    "fmin",
    np.fmin,
    (
        lambda out, x, y: _share(out, np.logical_or(np.less(x, y), _isnan(y)), np.equal(x, y)),
        lambda out, x, y: _share(out, np.logical_or(np.less(y, x), _isnan(x)), np.equal(x, y)),
    ),
    singular=False,
    keeps_out=False,
    samples=_PAIRS,
)

# clip(x, low, high) = at_most(at_least(x, low), high): unlike `maximum`, the whole derivative stays with x on a tie.
at_least = elementwise(
    "at_least",
    None,
    (
        lambda out, x, low: np.logical_not(np.less(x, low)),
        lambda out, x, low: np.less(x, low),
    ),
    impl=np.maximum,
    singular=False,
    keeps_out=False,
    samples=_PAIRS,
)
at_most = elementwise(
    "at_most",
    None,
    (
        lambda out, x, high: np.logical_not(np.greater(x, high)),
        lambda out, x, high: np.greater(x, high),
    ),
    impl=np.minimum,
    singular=False,
    keeps_out=False,
    samples=_PAIRS,
)
heaviside = elementwise(
    "heaviside",
    np.heaviside,
    (None, lambda out, x, h: np.equal(x, 0)),
    singular=False,
    keeps_out=False,
    samples=binary(complex_=False),
)


# --- where ------------------------------------------------------------------------------------------------------------


def _where_jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
    _, tx, ty = tangents
    if tx is None and ty is None:
        return None
    return like(where_p(args[0], 0 if tx is None else tx, 0 if ty is None else ty), out)


def _where_vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any]) -> list[Any]:
    condition, x, y = args
    return [
        None,
        unbroadcast(where_p(condition, ct, 0), x) if wanted[1] else None,
        unbroadcast(where_p(condition, 0, ct), y) if wanted[2] else None,
    ]


_MASK = np.array([True, False, True])

where_p = Primitive(
    "where",
    np.where,
    elementwise_aval(np.where),
    _where_jvp,
    _where_vjp,
    batch_elementwise(lambda: where_p),
    sparsity="union",
    lower="where",
    family="choice",
    keeps=False,
    keeps_out=False,
    samples=[
        sample(_MASK, draw((3,), key="x"), draw((3,), key="y")),
        sample(True, draw((), key="x"), draw((), key="y")),
        sample(_MASK, draw((2, 3)), 0.5),
        sample(_MASK, 0.0, draw((2, 1))),
        sample(_MASK[:, None], draw((3,), np.float32), draw((3, 1), np.float32)),
        sample(_MASK, draw((3,), complex), draw(())),
        sample(np.zeros((0,), bool), draw((0,)), draw((1,))),
    ],
    numpy=(np.where,),
)
