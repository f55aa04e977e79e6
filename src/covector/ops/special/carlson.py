"""Carlson's symmetric elliptic integrals and the arithmetic-geometric mean. Formulas: DLMF 19.16, 19.18, 19.8.5."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..families import elementwise
from ..samples import binary, draw, sample
from .elliptic import ellipkm1_slope
from .ufuncs import sc

__all__ = ["carlson_integral"]

# --- the integral behind all of them ----------------------------------------------------------------------------------
# ∫₀^∞ (t+x)^(-a/2) (t+y)^(-b/2) (t+z)^(-c/2) (t+p)^(-d/2) dt: its derivatives are integrals of the same kind, without
# the differences of nearly equal terms that the formulas by R_F and R_D have for nearly equal arguments. With
# t = exp(v) the integrand is analytic for |Im v| < π and decays exponentially, so the trapezoidal rule is exact to
# rounding with few nodes (Trefethen & Weideman, SIAM Review 56, 2014).

_FIRST, _LAST = -80.0, 40.0
_BLOCK = 100_000


def _integral(x: Any, y: Any, z: Any, p: Any, *halves: Any) -> Any:
    """By the trapezoidal rule, for the arguments divided by their mean magnitude."""
    dtype = np.result_type(x, y, z, p)
    # Complex arguments come nearer to the singularities, where the integrand's strip ends.
    step = 0.25 if dtype.kind == "c" else 0.5
    nodes = np.exp(np.arange(_FIRST, _LAST, step, np.finfo(dtype).dtype))
    scale = (np.abs(x) + np.abs(y) + np.abs(z) + np.abs(p)) / 4
    args = [np.divide(u, scale)[..., None] for u in (x, y, z, p)]
    total: Any = 0
    for t in np.array_split(nodes, 1 + np.size(scale) * nodes.size // _BLOCK):
        factors = [np.power(t + u, -0.5 * np.asarray(h)[..., None]) for u, h in zip(args, halves, strict=True)]
        total = total + (t * math.prod(factors)).sum(axis=-1)
    return np.asarray(step * total * np.power(scale, 1 - 0.5 * sum(halves))).astype(dtype)[()]


def _raised(i: int) -> Any:
    def partial(out: Any, x: Any, y: Any, z: Any, p: Any, *halves: Any) -> Any:
        more = [h + 2 * (k == i) for k, h in enumerate(halves)]
        return -0.5 * halves[i] * carlson_integral(x, y, z, p, *more)

    return partial


def _four(*exponents: int) -> list[Any]:
    shapes: Sequence[Any] = (((), float), ((3,), float), ((2,), np.float32), ((2,), complex), ((0,), float))
    return [sample(*[draw(s, d, 0.5, 2.0, key=k) for k in range(4)], *exponents) for s, d in shapes]


def _real(x: Any) -> Any:
    return np.asarray(x, float) if np.asarray(x).dtype.kind in "iu" else np.asarray(x)


carlson_integral = elementwise(
    "carlson_integral",
    None,
    (*[_raised(i) for i in range(4)], None, None, None, None),
    impl=lambda x, y, z, p, *halves: _integral(*map(_real, (x, y, z, p)), *halves),
    keeps_out=False,
    samples=_four(3, 1, 1, 2),
    source="DLMF 19.16.1 to 19.16.5, differentiated under the integral",
)

# --- the integrals of SciPy -------------------------------------------------------------------------------------------


def _three(count: int) -> list[Any]:
    return [sample(*s.args[:count], label=s.label) for s in _four()] + [
        sample(*[np.array([[0.7], [1.2]]), np.array([1.0, 1.0, 2.0]), 1.0, 0.9][:count], label="equal, broadcast")
    ]


def _rc_by_y(out: Any, x: Any, y: Any) -> Any:
    """-R_D(x, y, y)/3; for a principal value (y < 0) by the elementary form (√x/y - R_C) / (2(y - x))."""
    principal = np.logical_and(np.less(np.real(y), 0), np.equal(np.imag(y), 0))
    safe = np.where(principal, 1, y)
    apart = np.where(principal, y - x, 1)
    return np.where(principal, (np.sqrt(x) / y - out) / (2 * apart), -sc.elliprd(x, safe, safe) / 3)


def _rc_by_x(out: Any, x: Any, y: Any) -> Any:
    principal = np.logical_and(np.less(np.real(y), 0), np.equal(np.imag(y), 0))
    safe = np.where(principal, 1, y)
    apart = np.where(principal, y - x, 1)
    return np.where(principal, (out - 1 / np.sqrt(x)) / (2 * apart), -sc.elliprd(safe, safe, x) / 6)


elementwise(
    "elliprc",
    sc.elliprc,
    (_rc_by_x, _rc_by_y),
    samples=[*_three(2), sample(1.3, -0.7, label="principal value")],
    source="DLMF 19.18.1, 19.2.17",
)
elementwise(
    "elliprf",
    sc.elliprf,
    (
        lambda out, x, y, z: -sc.elliprd(y, z, x) / 6,
        lambda out, x, y, z: -sc.elliprd(z, x, y) / 6,
        lambda out, x, y, z: -sc.elliprd(x, y, z) / 6,
    ),
    keeps_out=False,
    samples=_three(3),
    source="DLMF 19.18.1",
)
elementwise(
    "elliprd",
    sc.elliprd,
    (
        lambda out, x, y, z: -0.75 * carlson_integral(x, y, z, z, 3, 1, 3, 0),
        lambda out, x, y, z: -0.75 * carlson_integral(x, y, z, z, 1, 3, 3, 0),
        lambda out, x, y, z: -2.25 * carlson_integral(x, y, z, z, 1, 1, 5, 0),
    ),
    keeps_out=False,
    samples=_three(3),
    source="DLMF 19.16.5",
)
elementwise(
    "elliprg",
    sc.elliprg,
    (
        lambda out, x, y, z: (y * sc.elliprd(z, x, y) + z * sc.elliprd(x, y, z)) / 12,
        lambda out, x, y, z: (z * sc.elliprd(x, y, z) + x * sc.elliprd(y, z, x)) / 12,
        lambda out, x, y, z: (x * sc.elliprd(y, z, x) + y * sc.elliprd(z, x, y)) / 12,
    ),
    keeps_out=False,
    samples=_three(3),
    source="of DLMF 19.21.11; Euler's relation for degree 1/2 gives 19.21.11 back",
)
elementwise(
    "elliprj",
    sc.elliprj,
    (
        lambda out, x, y, z, p: -0.75 * carlson_integral(x, y, z, p, 3, 1, 1, 2),
        lambda out, x, y, z, p: -0.75 * carlson_integral(x, y, z, p, 1, 3, 1, 2),
        lambda out, x, y, z, p: -0.75 * carlson_integral(x, y, z, p, 1, 1, 3, 2),
        lambda out, x, y, z, p: -1.5 * carlson_integral(x, y, z, p, 1, 1, 1, 4),
    ),
    keeps_out=False,
    samples=_three(4),
    source="DLMF 19.16.2",
)

# --- arithmetic-geometric mean ----------------------------------------------------------------------------------------


def _agm_slope(out: Any, a: Any, b: Any) -> Any:
    """∂/∂a of π/4 (a + b) / K(1 - q) with q = 4ab/(a + b)² (DLMF 19.8.5)."""
    s = a + b
    q = 4 * a * b / (s * s)
    return out / s * (1 - ellipkm1_slope(q) / sc.ellipkm1(q) * (4 * b / s - 2 * q))


elementwise(
    "agm",
    sc.agm,
    (lambda out, a, b: _agm_slope(out, a, b), lambda out, a, b: _agm_slope(out, b, a)),
    samples=binary((0.3, 2.0), (0.3, 2.0), complex_=False),
    source="DLMF 19.8.5",
)
