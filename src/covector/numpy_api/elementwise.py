"""NumPy's elementwise functions that are not ufuncs, in terms of primitives."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..core.dispatch import FUNCTIONS, as_operand
from ..core.errors import NotDifferentiableError, caller
from ..core.tracer import Tracer
from ..core.values import dtype_of, shape_of
from ..core.views import layout, link_view
from ..ops.complex_parts import conjugate, convert_p, imag_p, real_p
from ..ops.exponential import i0_p
from ..ops.logic import at_least, at_most, check_choice, isclose_p, where_p
from ..ops.rounding import fix_p, round_p, unwrap_shift
from ..ops.trigonometric import sinc as sinc_p
from .axes import as_scalar, normalize_axis
from .register import implements, refuse
from .storing import relaid

_WEAK = (int, float, complex)


def _result_type(*xs: Any) -> np.dtype[Any]:
    return np.result_type(*[x if type(x) in _WEAK else dtype_of(x) for x in xs])


# --- choosing ---------------------------------------------------------------------------------------------------------


@implements(np.where)
def where(condition: Any, x: Any = np._NoValue, y: Any = np._NoValue, /) -> Any:
    condition = as_operand(condition, "np.where")
    if x is np._NoValue and y is np._NoValue:
        return FUNCTIONS[np.nonzero](condition)
    if x is np._NoValue or y is np._NoValue:
        raise ValueError("either both or neither of x and y should be given")
    if dtype_of(condition).kind != "b":
        condition = np.not_equal(condition, 0)
    return where_p(condition, as_operand(x, "np.where"), as_operand(y, "np.where"))


@implements(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if len(condlist) == 0:
        raise ValueError("select with an empty condition list is not possible")
    conditions = [as_operand(c, "np.select") for c in condlist]
    for i, c in enumerate(conditions):
        if dtype_of(c).kind != "b":
            raise TypeError(f"invalid entry {i} in condlist: should be boolean ndarray")
    values = [as_operand(x, "np.select") for x in (*choicelist, default)]
    dtype = _result_type(*values)
    out = astype(values.pop(), dtype)
    for c, x in zip(reversed(conditions), reversed(values), strict=True):
        out = where_p(c, astype(x, dtype), out)
    return out


@implements(np.choose)
def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    a = as_operand(a, "np.choose")
    if dtype_of(a).kind not in "iub":
        raise TypeError(f"np.choose: the first argument must hold integers, got dtype {dtype_of(a)}")
    values = [as_operand(x, "np.choose") for x in choices]
    count = len(values)
    if mode == "wrap":
        a = np.remainder(a, count)
    elif mode == "clip":
        a = at_most(at_least(a, 0), count - 1)
    elif mode == "raise":
        a = check_choice(a, count=count)
    else:
        raise ValueError(f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})")
    dtype = _result_type(*values)
    result = astype(values[0], dtype)
    for i, x in enumerate(values[1:], 1):
        result = where_p(np.equal(a, i), astype(x, dtype), result)
    shape = np.broadcast_shapes(shape_of(a), *[shape_of(x) for x in values])
    return as_scalar(result) if shape_of(result) == shape else np.broadcast_to(result, shape)


refuse(
    np.piecewise,
    "it writes the pieces into an array that cannot hold traced values; "
    "write np.where(condition, f(x), g(x)) or np.select([c1, c2], [f(x), g(x)], default)",
)


def _bound(new: Any, old: Any, name: str) -> Any:
    """Merge ``a_min`` with ``min``, ``a_max`` with ``max``; None for no bound."""
    if new is np._NoValue:
        return None if old is np._NoValue else old
    if old is not np._NoValue:
        raise ValueError(f"Passing `{name}` keyword argument when `a_{name}` is provided is forbidden.")
    return new


@implements(np.clip)
def clip(
    a: Any,
    a_min: Any = np._NoValue,
    a_max: Any = np._NoValue,
    out: Any = None,
    *,
    min: Any = np._NoValue,
    max: Any = np._NoValue,
    **kwargs: Any,
) -> Any:
    if (a_min is np._NoValue) != (a_max is np._NoValue):
        raise TypeError("clip() missing 1 required positional argument: 'a_min' or 'a_max'")
    low, high = _bound(min, a_min, "min"), _bound(max, a_max, "max")
    _no_ufunc_options("clip", kwargs)
    a = as_operand(a, "np.clip")
    if low is None and high is None:
        return copy(a)
    if low is not None:
        a = at_least(a, as_operand(low, "np.clip"))
    return a if high is None else at_most(a, as_operand(high, "np.clip"))


def _no_ufunc_options(name: str, options: dict[str, Any]) -> None:
    for key, value in options.items():
        if not ((key == "where" and value is True) or (key == "dtype" and value is None)):
            raise NotDifferentiableError(
                f"np.{name}(..., {key}=...) with a traced value at {caller()} is not supported; "
                f"apply np.where or .astype to the result"
            )


# --- dtype and parts --------------------------------------------------------------------------------------------------


@implements(np.astype, view=True)
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: str | None = None) -> Any:
    if device not in (None, "cpu"):
        raise ValueError(f"Device not understood. Only 'cpu' is allowed, but received: {device}")
    dtype = np.dtype(dtype)
    own = dtype_of(x)
    if not isinstance(x, Tracer):
        return convert_p(x, dtype=dtype)
    if own == dtype:
        return relaid(x, "K") if copy else x
    if dtype.kind not in "biufc":
        raise NotDifferentiableError(f"astype({dtype}) of a traced value at {caller()}: only numbers can be traced")
    if own.kind == "c" and dtype.kind in "fiu":
        warnings.warn(
            "Casting complex values to real discards the imaginary part", np.exceptions.ComplexWarning, stacklevel=4
        )
        x = real_p(x)
    return convert_p(x, dtype=dtype)


def _real_part(x: Any) -> Any:
    return x.real


def _imaginary_part(x: Any) -> Any:
    return x.imag


@implements(np.copy)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    if order == "A":
        held = layout(a)
        order = "F" if held is not None and held.flags.fnc else "C"
    return relaid(a, order)


@implements(np.real, view=True)
def real(val: Any) -> Any:
    if dtype_of(val).kind != "c":
        return val
    return link_view(real_p(val), val, _real_part, part="real", copied=True)


@implements(np.imag, view=True)
def imag(val: Any) -> Any:
    if dtype_of(val).kind == "c":
        return link_view(imag_p(val), val, _imaginary_part, part="imag", copied=True)
    zero = np.zeros(shape_of(val), dtype_of(val))
    zero.flags.writeable = False
    return zero if zero.shape else zero[()]


@implements(np.conjugate)
def conj(x: Any, /) -> Any:
    return conjugate(x)


@implements(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    result = np.arctan2(imag(z), real(z))
    return result * (180 / math.pi) if deg else result


@implements(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    if dtype_of(a).kind != "c":
        return a
    if tol > 1:
        tol = float(np.finfo(dtype_of(a)).eps) * tol
    return real_p(a) if np.all(np.less(np.absolute(imag_p(a)), tol)) else a


@implements(np.iscomplexobj)
def iscomplexobj(x: Any) -> bool:
    return dtype_of(x).kind == "c"


@implements(np.isrealobj)
def isrealobj(x: Any) -> bool:
    return dtype_of(x).kind != "c"


@implements(np.iscomplex)
def iscomplex(x: Any) -> Any:
    return np.not_equal(imag(x), 0) if iscomplexobj(x) else np.zeros(shape_of(x), bool)[()]


@implements(np.isreal)
def isreal(x: Any) -> Any:
    return np.equal(imag(x), 0) if iscomplexobj(x) else np.ones(shape_of(x), bool)[()]


@implements(np.isposinf)
def isposinf(x: Any, out: Any = None) -> Any:
    return np.equal(x, np.inf)


@implements(np.isneginf)
def isneginf(x: Any, out: Any = None) -> Any:
    return np.equal(x, -np.inf)


def _dtypes(xs: Any) -> list[Any]:
    return [dtype_of(x) if isinstance(x, Tracer) else x for x in xs]


@implements(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    return np.result_type(*_dtypes(arrays_and_dtypes))


@implements(np.can_cast)
def can_cast(from_: Any, to: Any, casting: str = "safe") -> bool:
    return np.can_cast(from_.dtype, to, casting)  # type: ignore[arg-type]


@implements(np.min_scalar_type)
def min_scalar_type(a: Any, /) -> np.dtype[Any]:
    return a.dtype


@implements(np.common_type)
def common_type(*arrays: Any) -> Any:
    return np.common_type(*[np.empty(0, dtype_of(x)) for x in arrays])


# --- comparisons ------------------------------------------------------------------------------------------------------


@implements(np.isclose)
def isclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    a, b, rtol, atol = (as_operand(x, "np.isclose") for x in (a, b, rtol, atol))
    return isclose_p(a, b, rtol, atol, equal_nan=bool(equal_nan))


def _truth(x: Any) -> Any:
    """A Python bool, or one per example under vmap."""
    return x if isinstance(x, Tracer) else bool(x)


@implements(np.allclose)
def allclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    return _truth(np.all(isclose(a, b, rtol, atol, equal_nan)))


@implements(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    a1, a2 = as_operand(a1, "np.array_equal"), as_operand(a2, "np.array_equal")
    if shape_of(a1) != shape_of(a2):
        return False
    same = np.equal(a1, a2)
    if equal_nan:
        same = np.logical_or(same, np.logical_and(np.not_equal(a1, a1), np.not_equal(a2, a2)))
    return _truth(np.all(same))


@implements(np.array_equiv)
def array_equiv(a1: Any, a2: Any) -> Any:
    a1, a2 = as_operand(a1, "np.array_equiv"), as_operand(a2, "np.array_equiv")
    try:
        np.broadcast_shapes(shape_of(a1), shape_of(a2))
    except ValueError:
        return False
    return _truth(np.all(np.equal(a1, a2)))


# --- rounding ---------------------------------------------------------------------------------------------------------


@implements(np.round, np.around)
def round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    return round_p(a, decimals=int(decimals))


@implements(np.fix)
def fix(x: Any, out: Any = None) -> Any:
    return fix_p(x)


@implements(np.unwrap)
def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: float = 2 * math.pi) -> Any:
    if isinstance(period, Tracer) or isinstance(discont, Tracer):
        raise NotDifferentiableError(
            f"np.unwrap at {caller()}: period and discont must be plain numbers, not traced ones"
        )
    jump = period / 2 if discont is None else discont
    return p + unwrap_shift(p, discont=jump, axis=normalize_axis(axis, p.ndim), period=period)


# --- special values ---------------------------------------------------------------------------------------------------


@implements(np.nan_to_num, view=True)
def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    if not copy and isinstance(x, Tracer):
        x[...] = nan_to_num(x, True, nan, posinf, neginf)
        return x
    x = as_operand(x, "np.nan_to_num")
    dtype = dtype_of(x)
    if dtype.kind == "c":
        return nan_to_num(real_p(x), True, nan, posinf, neginf) + 1j * nan_to_num(imag_p(x), True, nan, posinf, neginf)
    if dtype.kind != "f":
        return x
    limits = np.finfo(dtype)
    high = limits.max if posinf is None else posinf
    low = limits.min if neginf is None else neginf
    for mask, value in ((np.isnan(x), nan), (np.equal(x, np.inf), high), (np.equal(x, -np.inf), low)):
        x = where_p(mask, astype(as_operand(value, "np.nan_to_num"), dtype), x)
    return as_scalar(x)


@implements(np.sinc)
def sinc(x: Any) -> Any:
    return sinc_p(x)


@implements(np.i0)
def i0(x: Any) -> Any:
    if dtype_of(x).kind == "c":
        raise TypeError("i0 not supported for complex values")
    return i0_p(x)
