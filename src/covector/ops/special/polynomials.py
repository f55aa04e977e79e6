"""Orthogonal polynomials and Legendre functions in their argument. Formulas: DLMF 18.9.15 to 18.9.25, 14.10.5."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..families import elementwise
from .common import parameter, with_parameters
from .ufuncs import sc

__all__: list[str] = []


def _lower(n: Any) -> Any:
    """The degree n - 1 of the derivative; the constant polynomial, whose factor is then 0, keeps its degree."""
    return np.where(np.equal(n, 0), 0, np.subtract(n, 1))


def _some(n: Any, slope: Any) -> Any:
    """`slope`, and zero for the constant polynomial."""
    return np.where(np.equal(n, 0), 0, slope)


def _recurrence(n: Any, alpha: Any, x: Any) -> Any:
    """C⁽ᵅ⁾ₙ of whole degrees n by recurrence (DLMF 18.9.1), which keeps the digits of tiny x."""
    n, alpha, x = np.broadcast_arrays(n, alpha, x)
    dtype = np.result_type(alpha, x)
    before, now = np.zeros(x.shape, dtype), np.ones(x.shape, dtype)
    out = now.copy()
    for k in range(1, int(np.max(n, initial=0)) + 1):
        before, now = now, (2 * (k + alpha - 1) * x * now - (k + 2 * alpha - 2) * before) / k
        out = np.where(np.equal(n, k), now, out)
    return out.astype(dtype)[()]


def _gegenbauer_value(n: Any, alpha: Any, x: Any) -> Any:
    """SciPy's polynomials of whole degree lose the digits of |x| < 1e-5 and those of high degree."""
    if np.asarray(n).dtype.kind in "iu" and np.max(n, initial=0) <= _LONGEST and np.min(n, initial=0) >= 0:
        return _recurrence(n, alpha, x)
    return sc.eval_gegenbauer(n, alpha, x)


_LONGEST = 200

gegenbauer = elementwise(
    "gegenbauer",
    None,
    (None, None, lambda out, n, alpha, x: _some(n, 2 * alpha * gegenbauer(_lower(n), alpha + 1.0, x))),
    impl=_gegenbauer_value,
    keeps_out=False,
    samples=with_parameters(3, 2, low=0.1, high=0.9, complex_=True),
    source="DLMF 18.9.1",
)

# ufunc → derivative in its last argument
_SLOPES: dict[np.ufunc, Callable[..., Any]] = {
    sc.eval_jacobi: lambda n, a, b, x: _some(n, 0.5 * (n + a + b + 1) * sc.eval_jacobi(_lower(n), a + 1.0, b + 1.0, x)),
    sc.eval_sh_jacobi: lambda n, p, q, x: n * sc.eval_sh_jacobi(_lower(n), p + 2.0, q + 1.0, x),
    sc.eval_gegenbauer: lambda n, alpha, x: _some(n, 2 * alpha * gegenbauer(_lower(n), alpha + 1.0, x)),
    sc.eval_genlaguerre: lambda n, alpha, x: -_some(n, sc.eval_genlaguerre(_lower(n), alpha + 1.0, x)),
    sc.eval_laguerre: lambda n, x: -_some(n, sc.eval_genlaguerre(_lower(n), 1.0, x)),
    sc.eval_legendre: lambda n, x: _some(n, gegenbauer(_lower(n), 1.5, x)),
    sc.eval_sh_legendre: lambda n, x: _some(n, 2 * gegenbauer(_lower(n), 1.5, 2 * x - 1)),
    sc.eval_chebyt: lambda n, x: n * sc.eval_chebyu(_lower(n), x),
    sc.eval_chebyu: lambda n, x: _some(n, 2 * gegenbauer(_lower(n), 2.0, x)),
    sc.eval_chebyc: lambda n, x: n * sc.eval_chebyu(_lower(n), 0.5 * x),
    sc.eval_chebys: lambda n, x: _some(n, gegenbauer(_lower(n), 2.0, 0.5 * x)),
    sc.eval_sh_chebyt: lambda n, x: 2 * n * sc.eval_chebyu(_lower(n), 2 * x - 1),
    sc.eval_sh_chebyu: lambda n, x: _some(n, 4 * gegenbauer(_lower(n), 2.0, 2 * x - 1)),
    sc.eval_hermite: lambda n, x: 2 * n * sc.eval_hermite(_lower(n), x),
    sc.eval_hermitenorm: lambda n, x: n * sc.eval_hermitenorm(_lower(n), x),
}

_NAMES = {4: ("n", "alpha", "beta"), 3: ("n", "alpha"), 2: ("n",)}
_HERMITE = (sc.eval_hermite, sc.eval_hermitenorm)  # real only


def _declare(ufunc: np.ufunc, slope: Callable[..., Any]) -> None:
    name = ufunc.__name__
    elementwise(
        name,
        ufunc,
        (*[parameter(name, p) for p in _NAMES[ufunc.nin]], lambda out, *args: slope(*args)),
        keeps_out=False,
        samples=with_parameters(*(3, 2, 1)[: ufunc.nin - 1], low=0.1, high=0.9, complex_=ufunc not in _HERMITE),
    )


for _ufunc, _slope in _SLOPES.items():
    _declare(_ufunc, _slope)


def _legendre_slope(out: Any, m: Any, v: Any, x: Any) -> Any:
    """(1 - x²) P' = (v + m) P_{v-1} - v x P (DLMF 14.10.5)."""
    return ((v + m) * sc.lpmv(m, np.subtract(v, 1.0), x) - v * x * out) / ((1 - x) * (1 + x))


elementwise(
    "lpmv",
    sc.lpmv,
    (parameter("lpmv", "m"), parameter("lpmv", "v"), _legendre_slope),
    samples=with_parameters(1, 3, low=-0.8, high=0.8),
    source="DLMF 14.10.5",
)
