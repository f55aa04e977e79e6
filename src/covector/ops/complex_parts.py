"""Real and imaginary part, conjugate, absolute value, sign, and changes of dtype.

The pairing of cotangents with tangents is Re(ct·t), without conjugation; under it the transposes are
``real → ct``, ``imag → -i ct``, ``conj → conj(ct)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.dispatch import UFUNCS
from ..core.values import Aval, dtype_of
from .families import constant, elementwise, linear
from .samples import binary, draw, sample, unary

__all__ = ["absolute", "astype", "conjugate", "convert_p", "copysign", "fabs", "imag_p", "join_p", "real_p", "sign"]


def _real_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.zeros((), dtype).real.dtype


def _part_aval(x: Aval) -> Aval:
    return Aval(x.shape, _real_dtype(x.dtype))


_COMPLEX = [sample(draw(s, complex)) for s in ((), (3,), (2, 3), (0,))] + [sample(draw((3,), np.complex64))]


def _own(part: Any) -> Any:
    """A new contiguous array of what is a strided view into the complex one."""
    return np.array(part) if type(part) is np.ndarray and not part.ndim else np.positive(part)


real_p = linear(
    "real",
    lambda x: _own(x.real),
    transpose=lambda ct, x: ct,
    lower="real",
    aval=_part_aval,
    batch=lambda trace, args, batched: real_p(args[0]),
    samples=_COMPLEX,
    sparsity="union",
    numpy=(np.real,),
)
imag_p = linear(
    "imag",
    lambda x: _own(x.imag),
    transpose=lambda ct, x: ct * -1j,
    lower="imag",
    aval=_part_aval,
    batch=lambda trace, args, batched: imag_p(args[0]),
    samples=_COMPLEX,
    sparsity="union",
    numpy=(np.imag,),
)


def _join(re: Any, im: Any) -> Any:
    out = np.empty(np.broadcast_shapes(np.shape(re), np.shape(im)), np.result_type(re, im, np.complex64))
    out.real, out.imag = re, im
    return out if out.shape else out[()]


# Not re + 1j * im, in which an infinite imaginary part makes the real part nan.
join_p = elementwise("join", _join, (1, lambda out, re, im: 1j), keeps_out=False, samples=binary(complex_=False))

conjugate = linear(
    "conjugate",
    np.conjugate,
    transpose=lambda ct, x: np.conjugate(ct),
    lower="conjugate",
    aval=lambda x: Aval(x.shape, x.dtype),
    batch=lambda trace, args, batched: conjugate(args[0]),
    samples=unary(),
    sparsity="union",
    numpy=(np.conjugate,),
)
UFUNCS[np.conjugate] = conjugate


# --- dtype ------------------------------------------------------------------------------------------------------------


def _convert(x: Any, *, dtype: np.dtype[Any]) -> Any:
    return x.astype(dtype) if isinstance(x, np.ndarray | np.generic) else dtype.type(x)


# The cotangent returns in the primal's dtype because every cotangent is narrowed to it.
convert_p = linear(
    "convert",
    _convert,
    transpose=lambda ct, x, *, dtype: ct,
    lower=lambda b, x, *, dtype: b.map(lambda *i: b.convert(x(*i)), 0, True, False),
    aval=lambda x, *, dtype: Aval(x.shape, dtype),
    batch=lambda trace, args, batched, *, dtype: convert_p(args[0], dtype=dtype),
    samples=[
        sample(draw(()), dtype=np.dtype(complex)),
        sample(draw((3,), np.float32), dtype=np.dtype(float)),
        sample(draw((2, 3)), dtype=np.dtype(complex)),
        sample(draw((3,), np.complex64), dtype=np.dtype(complex)),
        sample(draw((0,)), dtype=np.dtype(np.float32)),
    ],
    sparsity="union",
    numpy=(np.astype,),
)


def astype(x: Any, dtype: Any) -> Any:
    """Return `x`, traced or not, in `dtype`; of a complex value to be made real, the real part."""
    dtype = np.dtype(dtype)
    own = dtype_of(x)
    if own == dtype:
        return x
    if own.kind == "c" and dtype.kind in "fiu":
        x = real_p(x)
    return convert_p(x, dtype=dtype)


# --- absolute value and sign ------------------------------------------------------------------------------------------

absolute = elementwise(
    "absolute",
    np.absolute,
    (lambda out, x: np.conjugate(np.sign(x)),),
    keeps_out=False,
    samples=unary(),
    source="d|z| = Re(conj(z)/|z| dz); 0 at 0 because sign(0) = 0",
)
fabs = elementwise("fabs", np.fabs, (lambda out, x: np.sign(x),), keeps_out=False, samples=unary(complex_=False))
real_sign = constant("sign", np.sign, samples=unary(complex_=False))


def sign(x: Any) -> Any:
    """Return x/|x|, 0 at 0: constant for real numbers, the direction of complex ones."""
    if dtype_of(x).kind != "c":
        return real_sign(x)
    size = absolute(x)
    zero = np.equal(size, 0)
    return np.where(zero, 0, x / np.where(zero, 1, size))


UFUNCS[np.sign] = sign

copysign = elementwise(
    "copysign",
    np.copysign,
    (lambda out, x, y: np.sign(x) * np.copysign(dtype_of(out).type(1), y), None),
    samples=binary(complex_=False),
    source="copysign(x, y) = |x| sign(y)",
)
