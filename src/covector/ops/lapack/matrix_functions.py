"""Functions of matrices: exponential, square root, logarithm; stacked over leading axes.

With L(A, E) the Fréchet derivative of f at A along E, f([[A, E], [0, A]]) = [[f(A), L(A, E)], [0, f(A)]]. The
derivatives of L follow from L at a block matrix, so that two primitives give all orders (Higham 2008, Functions of
Matrices, sections 3.1 and 3.2; Al-Mohy & Higham 2009 for the exponential).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.cotangents import unbroadcast
from ...core.primitive import Primitive, Sample
from ...core.values import Aval
from ..contraction import mT
from ..families import batch_elementwise, like
from ..linalg import leading_axes, real_dtype
from ..samples import draw, sample
from .common import blocks, each_matrix, spread
from .sylvester import sylvester_one

__all__ = ["expm_derivative_p", "expm_p", "logm_derivative_p", "logm_p", "sqrtm_derivative_p", "sqrtm_p"]

Function = Callable[..., Any]


# --- the two primitives of a function ---------------------------------------------------------------------------------


def _second(derivative: Primitive, a: Any, x: Any, y: Any) -> Any:
    """Return the second derivative of the function at `a` along `x` and `y`: that of L(·, x) along `y`."""
    n = a.shape[-1]
    return derivative(blocks(a, x), blocks(y, np.zeros((n, n), np.float32)))[..., :n, n:]


def _one(dtype: Any = float, shape: tuple[int, ...] = (3, 3)) -> Any:
    return spread(shape, dtype, "function")


def _samples(single: bool) -> list[Sample]:
    out = [
        sample(_one(), label="3x3"),
        sample(_one(shape=(2, 2, 2)), label="stack"),
        sample(_one(complex, (2, 2)), label="complex"),
        sample(draw((1, 1), float, 0.5, 2.0), label="1x1"),
        sample(draw((0, 0)), label="empty"),
    ]
    return [*out, sample(_one(np.float32, (2, 2)), label="float32")] if single else out


def _pairs(single: bool) -> list[Sample]:
    return [
        Sample((*s._args, draw(np.shape(s.args[0]), s.args[0].dtype, -1.0, 1.0, key="along")), {}, s.label)
        for s in _samples(single)
    ]


def matrix_function(
    name: str, impl: Function, frechet: Function, *, dtype: Function = lambda d: d, source: str = ""
) -> tuple[Primitive, Primitive]:
    """Declare f and its Fréchet derivative L from ``impl(a)`` and ``frechet(a, e)``, both for stacks of matrices."""

    def jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
        (a,), (t,) = args, tangents
        return None if t is None else like(derivative(a, t), out)

    def derivative_jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any) -> Any:
        (a, e), (da, de) = args, tangents
        terms = [] if de is None else [derivative(a, de)]
        if da is not None:
            terms.append(_second(derivative, a, e, da))
        return like(sum(terms[1:], terms[0]), out)

    # With the pairing Σ x·y the transpose of L(A, ·) is L(Aᵀ, ·): f(A)ᵀ = f(Aᵀ).
    def derivative_vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any]) -> list[Any]:
        a, e = args
        return [
            unbroadcast(_second(derivative, mT(a), ct, mT(e)), a) if wanted[0] else None,
            unbroadcast(derivative(mT(a), ct), e) if wanted[1] else None,
        ]

    function = Primitive(
        name,
        impl,
        lambda a: Aval(a.shape, np.dtype(dtype(a.dtype))),
        jvp,
        lambda ct, wanted, out, args: [derivative(mT(args[0]), ct)],
        leading_axes(lambda: function),
        keeps_out=False,
        samples=_samples(True),
        source=source,
        family="general",
    )
    derivative = Primitive(
        f"{name}_derivative",
        frechet,
        lambda a, e: Aval(np.broadcast_shapes(a.shape, e.shape), np.dtype(dtype(np.result_type(a.dtype, e.dtype)))),
        derivative_jvp,
        derivative_vjp,
        batch_elementwise(lambda: derivative),
        keeps_out=False,
        samples=_pairs(True),
        source=source,
        family="general",
    )
    return function, derivative


def _corner(function: Function, a: Any, e: Any) -> Any:
    """Return L(a, e) from the function of a block matrix, in which `e` is made about as large as `a`."""
    n = a.shape[-1]
    size = np.abs(e).max(axis=(-2, -1), keepdims=True, initial=0)
    scale = np.abs(a).max(axis=(-2, -1), keepdims=True, initial=0) / np.where(size == 0, 1, size)
    scale = np.where((scale == 0) | ~np.isfinite(scale), size.dtype.type(1), scale)
    return function(blocks(a, e * scale))[..., :n, n:] / scale


# --- exponential ------------------------------------------------------------------------------------------------------

_PADE: tuple[int, ...] = (
    64764752532480000,
    32382376266240000,
    7771770303897600,
    1187353796428800,
    129060195264000,
    10559470521600,
)
_PADE += (670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1)
_PADE_RADIUS = 5.371920351148152
"""Up to which 1-norm the approximant of order 13 is exact to double precision (Higham 2005, table 2.3)."""


def _expm(a: Any) -> Any:
    if not a.size:
        return np.zeros(a.shape, a.dtype)
    if a.ndim > 2:
        return _expm_stack(a)
    from scipy.linalg import expm

    return expm(a)


def _expm_stack(a: Any) -> Any:
    """Scaling and squaring for a whole stack; every matrix has its own scale (Higham 2005, algorithm 2.3)."""
    norm = np.abs(a).sum(axis=-2, keepdims=True).max(axis=-1, keepdims=True)
    ratio = np.where(np.isfinite(norm) & (norm > _PADE_RADIUS), norm / _PADE_RADIUS, 1)
    squarings = np.ceil(np.log2(ratio)).astype(int)
    a = np.ldexp(1.0, -squarings).astype(real_dtype(a.dtype)) * a
    b = [real_dtype(a.dtype).type(x) for x in _PADE]
    eye = np.eye(a.shape[-1], dtype=a.dtype)
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    odd = a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * eye
    even = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * eye
    odd = a @ odd
    out = np.linalg.solve(even - odd, even + odd)
    for i in range(int(squarings.max())):
        out = np.where(i < squarings, out @ out, out)
    return out


def _expm_frechet(a: Any, e: Any) -> Any:
    dtype = np.result_type(a, e)
    shape = np.broadcast_shapes(a.shape, e.shape)
    if 0 in shape:
        return np.zeros(shape, dtype)
    if len(shape) > 2:
        return _corner(_expm_stack, a, e)
    from scipy.linalg import expm_frechet

    return expm_frechet(a, e, compute_expm=False, check_finite=False).astype(dtype, copy=False)


expm_p, expm_derivative_p = matrix_function(
    "expm",
    _expm,
    _expm_frechet,
    source="Al-Mohy & Higham 2009, Computing the Fréchet derivative of the matrix exponential",
)


# --- square root and logarithm ----------------------------------------------------------------------------------------
# They are complex where a real matrix has negative eigenvalues. An abstract value cannot tell, so the primitives always
# return complex numbers.


def _complex(dtype: Any) -> Any:
    return np.result_type(dtype, np.complex64)


def _sqrtm(a: Any) -> Any:
    dtype = _complex(a.dtype)
    if not a.size:
        return np.zeros(a.shape, dtype)
    return _principal_root(a).astype(dtype, copy=False)


def _principal_root(a: Any) -> Any:
    import scipy
    from scipy.linalg import sqrtm

    stacked = np.lib.NumpyVersion(scipy.__version__) >= "1.17.0"
    return sqrtm(a) if stacked or a.ndim == 2 else each_matrix(sqrtm, a)


def _sqrtm_frechet(a: Any, e: Any) -> Any:
    dtype = _complex(np.result_type(a, e))
    shape = np.broadcast_shapes(a.shape, e.shape)
    if 0 in shape:
        return np.zeros(shape, dtype)
    if len(shape) > 2:
        return _corner(_sqrtm, a, e).astype(dtype, copy=False)
    root = _principal_root(a)
    common = np.result_type(root, e)
    root = root.astype(common, copy=False)
    # S² = A, hence S dS + dS S = dA.
    return sylvester_one(root, root, e.astype(common, copy=False)).astype(dtype, copy=False)


def _logm(a: Any) -> Any:
    if not a.size:
        return np.zeros(a.shape, complex)
    from scipy.linalg import logm

    return each_matrix(logm, a.astype(np.result_type(a, float), copy=False)).astype(complex, copy=False)


def _logm_frechet(a: Any, e: Any) -> Any:
    shape = np.broadcast_shapes(a.shape, e.shape)
    if 0 in shape:
        return np.zeros(shape, complex)
    return _corner(_logm, a, e)


sqrtm_p, sqrtm_derivative_p = matrix_function(
    "sqrtm",
    _sqrtm,
    _sqrtm_frechet,
    dtype=_complex,
    source="Higham 2008, Functions of Matrices, section 6.1: S dS + dS S = dA",
)
logm_p, logm_derivative_p = matrix_function(
    "logm",
    _logm,
    _logm_frechet,
    dtype=lambda d: complex,
    source="Al-Mohy, Higham & Relton 2013, Computing the Fréchet derivative of the matrix logarithm, eq. 1.3",
)
