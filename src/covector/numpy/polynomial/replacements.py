"""The few functions of `numpy.polynomial` that decide by values which form their result takes.

NumPy drops coefficients of the highest powers where they are zero. A coefficient that is traced stays, because its
derivative is not zero with it: of ``polymul([1, t], [2, 3])`` at ``t = 0`` the last coefficient, ``3 t``, has the
derivative 3. Where the number of roots or the course of a division depends on the degree, values decide, as in NumPy.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import numpy.polynomial.polyutils as theirs

from ...core.buffer import BufferValue
from ...core.tracer import Tracer, concrete
from ...numpy_api.fitting import leading_zeros
from ..conversion import array, asarray
from ..creation import empty, zeros
from ..forwarding import holds_traced

__all__ = ["UTILITIES", "fixed", "vanishes", "widened_domain"]

UTILITIES = ("_div", "_fit", "as_series", "getdomain", "trimcoef", "trimseq")
"""The functions of `numpy.polynomial.polyutils` that are replaced."""


def _is_traced(x: Any) -> bool:
    """Whether `x` may carry a derivative or differ from lane to lane; an array that can only be written to does not."""
    return isinstance(x, Tracer) and not isinstance(x, BufferValue)


def vanishes(x: Any) -> Any:
    """``np.all`` of ``c == 0``, which is not asked of what is traced."""
    return not _is_traced(x) and np.all(x)


# --- series -----------------------------------------------------------------------------------------------------------


def trimseq(seq: Any) -> Any:
    return seq if _is_traced(seq) else theirs.trimseq(seq)


def _without_plain_zeros(a: Any) -> Any:
    """`a` without the zeros at the end of a list with traced values inside."""
    if isinstance(a, list | tuple) and holds_traced(a):
        while len(a) > 1 and not isinstance(a[-1], Tracer) and np.ndim(a[-1]) == 0 and a[-1] == 0:
            a = a[:-1]
    return a


def as_series(alist: Any, trim: bool = True) -> list[Any]:
    arrays = [array(_without_plain_zeros(a) if trim else a, ndmin=1, copy=None) for a in alist]
    for a in arrays:
        if a.size == 0:
            raise ValueError("Coefficient array is empty")
        if a.ndim != 1:
            raise ValueError("Coefficient array is not 1-d")
    if trim:
        arrays = [trimseq(a) for a in arrays]
    try:
        dtype = np.common_type(*arrays)
    except TypeError as error:
        raise ValueError("Coefficient arrays have no common type") from error
    return [array(a, copy=True, dtype=dtype) for a in arrays]


def _of_highest_degree(c: Any, function: str) -> Any:
    """`c` without zeros at its end, also where it is traced: the degree is that of the values."""
    [c] = as_series([c])
    n = c.shape[0]
    return c[: n - min(leading_zeros(c[::-1], function, exactly=True), n - 1)]


def trimcoef(c: Any, tol: Any = 0) -> Any:
    if tol < 0:
        raise ValueError("tol must be non-negative")
    [c] = as_series([c])
    n = c.shape[0]
    kept = n - leading_zeros(np.abs(c)[::-1] > tol, "a function that trims coefficients", exactly=True)
    return c[:kept] if kept else c[:1] * 0


def getdomain(x: Any) -> Any:
    [x] = as_series([x], trim=False)
    if x.dtype.kind != "c":
        return array([x.min(), x.max()])
    return array([x.real.min() + 1j * x.imag.min(), x.real.max() + 1j * x.imag.max()])


def widened_domain(x: Any) -> Any:
    """The domain of a fit to points `x`, one to each side of the only point there is."""
    domain = getdomain(x)
    return domain + np.array([-1, 1], domain.dtype) * (domain[0] == domain[1])


# --- division and fits ------------------------------------------------------------------------------------------------


def _div(mul_f: Callable[..., Any], c1: Any, c2: Any) -> tuple[Any, Any]:
    """Divide by the basis: from the highest power down, subtract the multiple of `c2` that removes it."""
    c1, c2 = as_series([c1, _of_highest_degree(c2, "a division of polynomials")])
    n = c2.shape[0]
    last = concrete(c2[-1])
    if n == 1 and last is not None and np.all(last == 0):
        raise ZeroDivisionError
    if c1.shape[0] < n:
        return c1[:1] * 0, c1
    if n == 1:
        return c1 / c2[-1], c1[:1] * 0
    terms = c1.shape[0] - n + 1
    quotient, rest = empty(terms, dtype=c1.dtype), c1
    for i in range(terms - 1, -1, -1):
        p = mul_f([0] * i + [1], c2)
        q = rest[-1] / p[-1]
        rest = rest[:-1] - q * p[:-1]
        quotient[i] = q
    return quotient, trimseq(rest)


def _degrees(deg: Any) -> Any:
    deg = np.asarray(deg)
    if deg.ndim > 1 or deg.dtype.kind not in "iu" or deg.size == 0:
        raise TypeError("deg must be an int or non-empty 1-D array of int")
    if deg.min() < 0:
        raise ValueError("expected deg >= 0")
    return np.sort(deg) if deg.ndim else deg


def _check_points(x: Any, y: Any, w: Any) -> None:
    if x.ndim != 1:
        raise TypeError("expected 1D vector for x")
    if x.size == 0:
        raise TypeError("expected non-empty vector for x")
    if not 1 <= y.ndim <= 2:
        raise TypeError("expected 1D or 2D array for y")
    if len(x) != len(y):
        raise TypeError("expected x and y to have same length")
    if w is not None and w.ndim != 1:
        raise TypeError("expected 1D vector for w")
    if w is not None and len(x) != len(w):
        raise TypeError("expected x and w to have same length")


def _fit(
    vander_f: Callable[..., Any], x: Any, y: Any, deg: Any, rcond: Any = None, full: bool = False, w: Any = None
) -> Any:
    x, y, deg = asarray(x) + 0.0, asarray(y) + 0.0, _degrees(deg)
    w = None if w is None else asarray(w) + 0.0
    _check_points(x, y, w)
    highest = int(deg.max())
    left, right = vander_f(x, highest), y
    if deg.ndim:
        left = left[:, deg]
    if w is not None:
        left = left * w[:, None]
        right = right * (w[:, None] if y.ndim == 2 else w)
    rcond = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    scale = np.sqrt((np.square(left.real) + np.square(left.imag) if left.dtype.kind == "c" else left * left).sum(0))
    scale = np.where(scale == 0, 1, scale)
    c, residuals, rank, s = np.linalg.lstsq(left / scale, right, rcond)
    c = (c.T / scale).T
    if deg.ndim:
        at_powers = zeros((highest + 1, *c.shape[1:]), dtype=c.dtype)
        at_powers[deg] = c
        c = at_powers
    if full:
        return c, [residuals, rank, s, rcond]
    found = concrete(rank)
    if found is not None and np.any(found != left.shape[1]):
        warnings.warn("The fit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=3)
    return c


# --- functions that test a coefficient --------------------------------------------------------------------------------


def fixed(name: str, function: FunctionType, namespace: dict[str, Any]) -> Callable[..., Any]:
    """Return one of the functions of a kind of series with the tests for zero it needs for traced coefficients."""
    if name.endswith("div") and not name.startswith("_"):
        multiply = namespace[name.replace("div", "mul")]
        return functools.wraps(function)(lambda c1, c2: _div(multiply, c1, c2))
    if name.endswith(("companion", "roots")) and not name.endswith("fromroots"):
        return functools.wraps(function)(lambda c: function(_of_highest_degree(c, name)))
    if name.endswith("line"):
        return functools.wraps(function)(functools.partial(_line, function))
    if name.endswith("mulx"):
        return functools.wraps(function)(functools.partial(_times_x, function))
    return function


def _line(function: Callable[..., Any], off: Any, scl: Any) -> Any:
    """The series of ``off + scl*x``, which is linear in both and shorter only for a plain zero."""
    if not _is_traced(scl):
        return function(off, scl)
    first, second = function(0.0, 1.0)
    return array([off + first * scl, second * scl])


def _times_x(function: Callable[..., Any], c: Any) -> Any:
    """The series times x; of a constant, as if it had one more coefficient, because zero times x would be shorter."""
    [c] = as_series([c])
    if c.shape[0] > 1 or not _is_traced(c):
        return function(c)
    longer = zeros(2, dtype=c.dtype)
    longer[:1] = c
    return function(longer)[:2]
