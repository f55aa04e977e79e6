"""Elliptic integrals and functions. Formulas: DLMF 19.4, 19.25, 22.13."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.dispatch import UFUNCS
from ...core.primitive import Rule
from ...core.values import dtype_of
from ..families import elementwise
from ..samples import draw, sample, unary
from .common import parameter
from .ufuncs import sc

_MODULUS = unary(-1.0, 0.9, complex_=False)

# --- complete ---------------------------------------------------------------------------------------------------------
# K and E are π/2 ₂F₁(±1/2, 1/2; 1; m) (DLMF 19.5.1). Their first derivatives, in the textbook 0/0 at m = 0, are
# Carlson integrals (DLMF 19.25.1): K' = R_D(0, 1, 1-m)/6, E' = -R_D(0, 1-m, 1)/6.


def _higher(m: Any, n: Any, a: float) -> Any:
    """Derivative of order n of π/2 ₂F₁(a, 1/2; 1; m) (DLMF 15.5.2)."""
    n = np.asarray(n, dtype_of(m))
    return math.pi / 2 * sc.poch(a, n) * sc.poch(0.5, n) / sc.gamma(n + 1) * sc.hyp2f1(a + n, 0.5 + n, 1 + n, m)


def _ordered(first: Rule, a: float) -> Rule:
    def derivative(m: Any, n: Any) -> Any:
        dtype = dtype_of(m)
        return np.where(np.equal(n, 1), first(m), _higher(m, n, a)).astype(dtype)[()]

    return derivative


_ORDERS = [sample(draw((3,), low=-1.0, high=0.9), 1), sample(np.array([0.0, 0.5]), 2), sample(0.25, 1)]
_ORDERS += [sample(draw((3,), np.float32, -1.0, 0.9), 1), sample(draw((0,)), 1)]

ellipk_derivative = elementwise(
    "ellipk_derivative",
    None,
    (lambda out, m, n: ellipk_derivative(m, n + 1), None),
    impl=_ordered(lambda m: sc.elliprd(0, 1, 1 - m) / 6, 0.5),
    keeps_out=False,
    samples=_ORDERS,
    source="DLMF 19.25.1, 15.5.2",
)
ellipe_derivative = elementwise(
    "ellipe_derivative",
    None,
    (lambda out, m, n: ellipe_derivative(m, n + 1), None),
    impl=_ordered(lambda m: -sc.elliprd(0, 1 - m, 1) / 6, -0.5),
    keeps_out=False,
    samples=_ORDERS,
    source="DLMF 19.25.1, 15.5.2",
)
ellipk = elementwise(
    "ellipk", sc.ellipk, (lambda out, m: ellipk_derivative(m, 1),), keeps_out=False, samples=[*_MODULUS, sample(0.0)]
)
ellipe = elementwise(
    "ellipe", sc.ellipe, (lambda out, m: ellipe_derivative(m, 1),), keeps_out=False, samples=[*_MODULUS, sample(0.0)]
)


def _ellipkm1_second(out: Any, p: Any) -> Any:
    """From Legendre's equation (DLMF 19.4.8) for small p, whose digits 1 - p would lose."""
    small = np.less(p, 0.5)
    q = np.where(small, p, 0.25)
    by_equation = (0.25 * sc.ellipkm1(q) - (1 - 2 * q) * out) / (q * (1 - q))
    return np.where(small, by_equation, ellipk_derivative(1 - p, 2))


ellipkm1_slope = elementwise(
    "ellipkm1_slope",
    None,
    (_ellipkm1_second,),
    impl=lambda p: -sc.elliprd(0, 1, p) / 6,
    samples=unary(0.2, 1.5, complex_=False),
    source="d/dp K(1-p) = -R_D(0, 1, p)/6, exact for tiny p",
)
ellipkm1 = elementwise(
    "ellipkm1",
    sc.ellipkm1,
    (lambda out, p: ellipkm1_slope(p),),
    keeps_out=False,
    samples=unary(0.2, 1.5, complex_=False),
)

# --- incomplete -------------------------------------------------------------------------------------------------------


def _amplitude_samples() -> list[Any]:
    # The parameter is an integer, because there is no derivative with respect to it.
    kinds = (((), float), ((3,), np.float32), ((0,), float))
    return [sample(draw(s, d, -1.2, 1.2), 0) for s, d in kinds] + [
        sample(draw((3,), low=-1.2, high=1.2), np.array([[0], [-1]]))
    ]


def _delta_square(phi: Any, m: Any) -> Any:
    """1 - m sin²φ = cos²φ + (1 - m) sin²φ, of which the second form does not cancel for m near 1."""
    sine = np.square(np.sin(phi))
    return np.where(np.greater(m, 0.5), np.square(np.cos(phi)) + (1 - m) * sine, 1 - m * sine)


ellipkinc = elementwise(
    "ellipkinc",
    sc.ellipkinc,
    (lambda out, phi, m: 1 / np.sqrt(_delta_square(phi, m)), parameter("ellipkinc", "m")),
    keeps_out=False,
    samples=_amplitude_samples(),
    source="DLMF 19.2.4",
)
ellipeinc = elementwise(
    "ellipeinc",
    sc.ellipeinc,
    (lambda out, phi, m: np.sqrt(_delta_square(phi, m)), parameter("ellipeinc", "m")),
    keeps_out=False,
    samples=_amplitude_samples(),
    source="DLMF 19.2.5",
)

# --- Jacobi's functions -----------------------------------------------------------------------------------------------


def _jacobi(i: int) -> Any:
    return lambda u, m: sc.ellipj(u, m)[i]


_NO_MODULUS = parameter("ellipj", "m")
_ARGUMENT = [sample(draw(s, d), 0) for s, d in (((), float), ((3,), np.float32), ((0,), float))]
_ARGUMENT += [sample(draw((3,)), np.array([[0], [1]]))]

jacobi_sn = elementwise(
    "jacobi_sn",
    None,
    (lambda out, u, m: jacobi_cn(u, m) * jacobi_dn(u, m), _NO_MODULUS),
    impl=_jacobi(0),
    singular=False,
    keeps_out=False,
    samples=_ARGUMENT,
    source="DLMF 22.13.1",
)
jacobi_cn = elementwise(
    "jacobi_cn",
    None,
    (lambda out, u, m: -jacobi_sn(u, m) * jacobi_dn(u, m), _NO_MODULUS),
    impl=_jacobi(1),
    singular=False,
    keeps_out=False,
    samples=_ARGUMENT,
    source="DLMF 22.13.2",
)
jacobi_dn = elementwise(
    "jacobi_dn",
    None,
    (lambda out, u, m: -m * jacobi_sn(u, m) * jacobi_cn(u, m), _NO_MODULUS),
    impl=_jacobi(2),
    singular=False,
    keeps_out=False,
    samples=_ARGUMENT,
    source="DLMF 22.13.3",
)
jacobi_am = elementwise(
    "jacobi_am",
    None,
    (lambda out, u, m: jacobi_dn(u, m), _NO_MODULUS),
    impl=_jacobi(3),
    singular=False,
    keeps_out=False,
    samples=_ARGUMENT,
    source="DLMF 22.16.3",
)
UFUNCS[sc.ellipj] = lambda u, m: (jacobi_sn(u, m), jacobi_cn(u, m), jacobi_dn(u, m), jacobi_am(u, m))
