"""The array API standard, version 2024.12, as tables: its names and signatures, and one call of each function.

The signatures are those of the standard's specification (data-apis.org/array-api/2024.12).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["CALLS", "CONSTANTS", "CONSTANT_CALLS", "SIGNATURES", "Call"]

CONSTANTS = ("e", "inf", "nan", "newaxis", "pi")

SIGNATURES = """
__array_namespace_info__()
abs(x, /)
acos(x, /)
acosh(x, /)
add(x1, x2, /)
all(x, /, *, axis=None, keepdims=False)
any(x, /, *, axis=None, keepdims=False)
arange(start, /, stop=None, step=1, *, dtype=None, device=None)
argmax(x, /, *, axis=None, keepdims=False)
argmin(x, /, *, axis=None, keepdims=False)
argsort(x, /, *, axis=-1, descending=False, stable=True)
asarray(obj, /, *, dtype=None, device=None, copy=None)
asin(x, /)
asinh(x, /)
astype(x, dtype, /, *, copy=True, device=None)
atan(x, /)
atan2(x1, x2, /)
atanh(x, /)
bitwise_and(x1, x2, /)
bitwise_invert(x, /)
bitwise_left_shift(x1, x2, /)
bitwise_or(x1, x2, /)
bitwise_right_shift(x1, x2, /)
bitwise_xor(x1, x2, /)
broadcast_arrays(*arrays)
broadcast_to(x, /, shape)
can_cast(from_, to, /)
ceil(x, /)
clip(x, /, min=None, max=None)
concat(arrays, /, *, axis=0)
conj(x, /)
copysign(x1, x2, /)
cos(x, /)
cosh(x, /)
count_nonzero(x, /, *, axis=None, keepdims=False)
cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False)
cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False)
diff(x, /, *, axis=-1, n=1, prepend=None, append=None)
divide(x1, x2, /)
empty(shape, *, dtype=None, device=None)
empty_like(x, /, *, dtype=None, device=None)
equal(x1, x2, /)
exp(x, /)
expand_dims(x, /, axis)
expm1(x, /)
eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None)
finfo(type, /)
flip(x, /, *, axis=None)
floor(x, /)
floor_divide(x1, x2, /)
from_dlpack(x, /, *, device=None, copy=None)
full(shape, fill_value, *, dtype=None, device=None)
full_like(x, /, fill_value, *, dtype=None, device=None)
greater(x1, x2, /)
greater_equal(x1, x2, /)
hypot(x1, x2, /)
iinfo(type, /)
imag(x, /)
isdtype(dtype, kind)
isfinite(x, /)
isinf(x, /)
isnan(x, /)
less(x1, x2, /)
less_equal(x1, x2, /)
linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True)
log(x, /)
log10(x, /)
log1p(x, /)
log2(x, /)
logaddexp(x1, x2, /)
logical_and(x1, x2, /)
logical_not(x, /)
logical_or(x1, x2, /)
logical_xor(x1, x2, /)
matmul(x1, x2, /)
matrix_transpose(x, /)
max(x, /, *, axis=None, keepdims=False)
maximum(x1, x2, /)
mean(x, /, *, axis=None, keepdims=False)
meshgrid(*arrays, indexing='xy')
min(x, /, *, axis=None, keepdims=False)
minimum(x1, x2, /)
moveaxis(x, source, destination, /)
multiply(x1, x2, /)
negative(x, /)
nextafter(x1, x2, /)
nonzero(x, /)
not_equal(x1, x2, /)
ones(shape, *, dtype=None, device=None)
ones_like(x, /, *, dtype=None, device=None)
permute_dims(x, /, axes)
positive(x, /)
pow(x1, x2, /)
prod(x, /, *, axis=None, dtype=None, keepdims=False)
real(x, /)
reciprocal(x, /)
remainder(x1, x2, /)
repeat(x, repeats, /, *, axis=None)
reshape(x, /, shape, *, copy=None)
result_type(*arrays_and_dtypes)
roll(x, /, shift, *, axis=None)
round(x, /)
searchsorted(x1, x2, /, *, side='left', sorter=None)
sign(x, /)
signbit(x, /)
sin(x, /)
sinh(x, /)
sort(x, /, *, axis=-1, descending=False, stable=True)
sqrt(x, /)
square(x, /)
squeeze(x, /, axis)
stack(arrays, /, *, axis=0)
std(x, /, *, axis=None, correction=0.0, keepdims=False)
subtract(x1, x2, /)
sum(x, /, *, axis=None, dtype=None, keepdims=False)
take(x, indices, /, *, axis=None)
take_along_axis(x, indices, /, *, axis=-1)
tan(x, /)
tanh(x, /)
tensordot(x1, x2, /, *, axes=2)
tile(x, repetitions, /)
tril(x, /, *, k=0)
triu(x, /, *, k=0)
trunc(x, /)
unique_all(x, /)
unique_counts(x, /)
unique_inverse(x, /)
unique_values(x, /)
unstack(x, /, *, axis=0)
var(x, /, *, axis=None, correction=0.0, keepdims=False)
vecdot(x1, x2, /, *, axis=-1)
where(condition, x1, x2, /)
zeros(shape, *, dtype=None, device=None)
zeros_like(x, /, *, dtype=None, device=None)
linalg.cholesky(x, /, *, upper=False)
linalg.cross(x1, x2, /, *, axis=-1)
linalg.det(x, /)
linalg.diagonal(x, /, *, offset=0)
linalg.eigh(x, /)
linalg.eigvalsh(x, /)
linalg.inv(x, /)
linalg.matmul(x1, x2, /)
linalg.matrix_norm(x, /, *, keepdims=False, ord='fro')
linalg.matrix_power(x, n, /)
linalg.matrix_rank(x, /, *, rtol=None)
linalg.matrix_transpose(x, /)
linalg.outer(x1, x2, /)
linalg.pinv(x, /, *, rtol=None)
linalg.qr(x, /, *, mode='reduced')
linalg.slogdet(x, /)
linalg.solve(x1, x2, /)
linalg.svd(x, /, *, full_matrices=True)
linalg.svdvals(x, /)
linalg.tensordot(x1, x2, /, *, axes=2)
linalg.trace(x, /, *, offset=0, dtype=None)
linalg.vecdot(x1, x2, /, *, axis=-1)
linalg.vector_norm(x, /, *, axis=None, keepdims=False, ord=2)
fft.fft(x, /, *, n=None, axis=-1, norm='backward')
fft.ifft(x, /, *, n=None, axis=-1, norm='backward')
fft.fftn(x, /, *, s=None, axes=None, norm='backward')
fft.ifftn(x, /, *, s=None, axes=None, norm='backward')
fft.rfft(x, /, *, n=None, axis=-1, norm='backward')
fft.irfft(x, /, *, n=None, axis=-1, norm='backward')
fft.rfftn(x, /, *, s=None, axes=None, norm='backward')
fft.irfftn(x, /, *, s=None, axes=None, norm='backward')
fft.hfft(x, /, *, n=None, axis=-1, norm='backward')
fft.ihfft(x, /, *, n=None, axis=-1, norm='backward')
fft.fftfreq(n, /, *, d=1.0, dtype=None, device=None)
fft.rfftfreq(n, /, *, d=1.0, dtype=None, device=None)
fft.fftshift(x, /, *, axes=None)
fft.ifftshift(x, /, *, axes=None)
"""

Call = tuple[str, Callable[..., Any], tuple[Any, ...]]

_X = np.array([[0.3, -0.7, 1.2], [0.9, 0.1, -0.4]])
_P = np.abs(_X) + 0.2
_V = np.array([0.4, -1.1, 0.8])
_W = np.array([1.3, 0.2, -0.6])
_S = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, -0.2], [0.1, -0.2, 1.1]])
_Z = _V + 1j * _W
_SMOOTH = "abs acos acosh asin asinh atan atanh cos cosh exp expm1 log log10 log1p log2 negative positive reciprocal"
_SMOOTH += " sin sinh sqrt square tan tanh"
_SMOOTH_PAIRS = "add atan2 copysign divide hypot logaddexp maximum minimum multiply pow subtract"


def _inside(name: str) -> Any:
    """An argument in the domain of the function."""
    return {"acosh": _P + 1.0, "acos": _P / 2, "asin": _P / 2, "atanh": _P / 2}.get(name, _P)


def _named(name: str) -> Callable[..., Any]:
    return lambda xp, *arrays: getattr(xp, name)(*arrays)


# Differentiable in the arrays given: (what is called, the call, the arrays).
CALLS: list[Call] = [(name, _named(name), (_inside(name),)) for name in _SMOOTH.split()]
CALLS += [(name, _named(name), (_P, _P[::-1] + 0.1)) for name in _SMOOTH_PAIRS.split()]
CALLS += [
    ("clip", lambda xp, x: xp.clip(x, min=-0.5, max=1.0), (_X,)),
    ("conj", lambda xp, z: xp.conj(z), (_Z,)),
    ("real", lambda xp, z: xp.real(z), (_Z,)),
    ("imag", lambda xp, z: xp.imag(z), (_Z,)),
    ("remainder", lambda xp, x: xp.remainder(x, 0.5), (_X,)),
    ("asarray", lambda xp, x: xp.asarray(x, dtype=xp.float64, device="cpu", copy=True), (_X,)),
    ("asarray", lambda xp, x: xp.asarray([x[0, 0], 2.0, x[1, 2]]), (_X,)),
    ("astype", lambda xp, x: xp.astype(x, xp.complex128, copy=True, device="cpu"), (_X,)),
    ("full", lambda xp, x: xp.full((2, 3), x[0, 0], dtype=xp.float64, device="cpu"), (_X,)),
    ("full_like", lambda xp, x: xp.full_like(x, x[1, 1], dtype=None, device="cpu"), (_X,)),
    ("arange", lambda xp, x: xp.arange(x[0, 0], 2.9, x[1, 0], dtype=xp.float64, device="cpu"), (_X,)),
    ("linspace", lambda xp, x: xp.linspace(x[0, 0], x[1, 0], num=4, endpoint=False, device="cpu"), (_X,)),
    ("meshgrid", lambda xp, v, w: list(xp.meshgrid(v, w, indexing="ij")), (_V, _W)),
    ("tril", lambda xp, x: xp.tril(x, k=-1), (_S,)),
    ("triu", lambda xp, x: xp.triu(x, k=1), (_S,)),
    ("broadcast_to", lambda xp, v: xp.broadcast_to(v, shape=(2, 3)), (_V,)),
    ("broadcast_arrays", lambda xp, v, x: list(xp.broadcast_arrays(v, x)), (_V, _X)),
    ("concat", lambda xp, x, y: xp.concat([x, y], axis=1), (_X, _P)),
    ("concat", lambda xp, x, y: xp.concat((x, y), axis=None), (_X, _V)),
    ("expand_dims", lambda xp, x: xp.expand_dims(x, axis=1), (_X,)),
    ("flip", lambda xp, x: xp.flip(x, axis=(0, 1)), (_X,)),
    ("moveaxis", lambda xp, x: xp.moveaxis(x, 0, 1), (_X,)),
    ("permute_dims", lambda xp, x: xp.permute_dims(x, axes=(1, 0)), (_X,)),
    ("matrix_transpose", lambda xp, x: xp.matrix_transpose(x), (_X,)),
    ("repeat", lambda xp, x: xp.repeat(x, 2, axis=1), (_X,)),
    ("reshape", lambda xp, x: xp.reshape(x, shape=(3, 2), copy=True), (_X,)),
    ("roll", lambda xp, x: xp.roll(x, shift=1, axis=1), (_X,)),
    ("squeeze", lambda xp, x: xp.squeeze(x[:, :1], axis=1), (_X,)),
    ("stack", lambda xp, x, y: xp.stack([x, y], axis=-1), (_X, _P)),
    ("tile", lambda xp, x: xp.tile(x, (2, 1)), (_X,)),
    ("unstack", lambda xp, x: list(xp.unstack(x, axis=1)), (_X,)),
    ("take", lambda xp, x: xp.take(x, xp.asarray([2, 0]), axis=1), (_X,)),
    ("take_along_axis", lambda xp, x: xp.take_along_axis(x, xp.argsort(x), axis=-1), (_X,)),
    ("where", lambda xp, x, y: xp.where(x > 0.0, x, y), (_X, _P)),
    ("sort", lambda xp, x: xp.sort(x, axis=0, stable=True), (_X,)),
    ("matmul", lambda xp, x, s: xp.matmul(x, s), (_X, _S)),
    ("tensordot", lambda xp, x, s: xp.tensordot(x, s, axes=([1], [0])), (_X, _S)),
    ("vecdot", lambda xp, z, v: xp.vecdot(z, v, axis=-1), (_Z, _V)),
    ("cumulative_sum", lambda xp, x: xp.cumulative_sum(x, axis=1, include_initial=True), (_X,)),
    ("cumulative_prod", lambda xp, x: xp.cumulative_prod(x, axis=1, include_initial=True), (_X,)),
    ("diff", lambda xp, x: xp.diff(x, axis=1, n=1, prepend=x[:, :1]), (_X,)),
    ("max", lambda xp, x: xp.max(x, axis=1, keepdims=True), (_X,)),
    ("min", lambda xp, x: xp.min(x, axis=1, keepdims=True), (_X,)),
    ("mean", lambda xp, x: xp.mean(x, axis=(0, 1)), (_X,)),
    ("prod", lambda xp, x: xp.prod(x, axis=1, keepdims=True), (_X,)),
    ("sum", lambda xp, x: xp.sum(x, axis=1, dtype=xp.float64), (_X,)),
    ("std", lambda xp, x: xp.std(x, axis=1, correction=1.0), (_X,)),
    ("var", lambda xp, x: xp.var(x, axis=1, correction=0.5, keepdims=True), (_X,)),
    ("linalg.cholesky", lambda xp, s: xp.linalg.cholesky(s, upper=True), (_S,)),
    ("linalg.cross", lambda xp, v, w: xp.linalg.cross(v, w, axis=-1), (_V, _W)),
    ("linalg.det", lambda xp, s: xp.linalg.det(s), (_S,)),
    ("linalg.diagonal", lambda xp, s: xp.linalg.diagonal(s, offset=1), (_S,)),
    ("linalg.eigh", lambda xp, s: xp.linalg.eigh(s).eigenvalues, (_S,)),
    ("linalg.eigvalsh", lambda xp, s: xp.linalg.eigvalsh(s), (_S,)),
    ("linalg.inv", lambda xp, s: xp.linalg.inv(s), (_S,)),
    ("linalg.matmul", lambda xp, s, v: xp.linalg.matmul(s, v), (_S, _V)),
    ("linalg.matrix_norm", lambda xp, x: xp.linalg.matrix_norm(x, keepdims=True, ord="fro"), (_X,)),
    ("linalg.matrix_power", lambda xp, s: xp.linalg.matrix_power(s, 3), (_S,)),
    ("linalg.matrix_transpose", lambda xp, x: xp.linalg.matrix_transpose(x), (_X,)),
    ("linalg.outer", lambda xp, v, w: xp.linalg.outer(v, w), (_V, _W)),
    ("linalg.pinv", lambda xp, x: xp.linalg.pinv(x, rtol=1e-12), (_X,)),
    ("linalg.qr", lambda xp, s: xp.linalg.qr(s, mode="reduced").R, (_S,)),
    ("linalg.slogdet", lambda xp, s: xp.linalg.slogdet(s).logabsdet, (_S,)),
    ("linalg.solve", lambda xp, s, v: xp.linalg.solve(s, v), (_S, _V)),
    ("linalg.svd", lambda xp, x: xp.linalg.svd(x, full_matrices=False).S, (_X,)),
    ("linalg.svdvals", lambda xp, x: xp.linalg.svdvals(x), (_X,)),
    ("linalg.tensordot", lambda xp, x, s: xp.linalg.tensordot(x, s, axes=1), (_X, _S)),
    ("linalg.trace", lambda xp, s: xp.linalg.trace(s, offset=-1, dtype=None), (_S,)),
    ("linalg.vecdot", lambda xp, v, w: xp.linalg.vecdot(v, w, axis=0), (_V, _W)),
    ("linalg.vector_norm", lambda xp, x: xp.linalg.vector_norm(x, axis=1, keepdims=True, ord=3), (_X,)),
    ("fft.fft", lambda xp, v: xp.fft.fft(v, n=4, axis=0, norm="ortho"), (_V,)),
    ("fft.ifft", lambda xp, z: xp.fft.ifft(z, n=None, axis=-1, norm="forward"), (_Z,)),
    ("fft.fftn", lambda xp, x: xp.fft.fftn(x, s=(2, 4), axes=(0, 1), norm="backward"), (_X,)),
    ("fft.ifftn", lambda xp, x: xp.fft.ifftn(x, axes=(0,)), (_X,)),
    ("fft.rfft", lambda xp, v: xp.fft.rfft(v), (_V,)),
    ("fft.irfft", lambda xp, z: xp.fft.irfft(z, n=5), (_Z,)),
    ("fft.rfftn", lambda xp, x: xp.fft.rfftn(x), (_X,)),
    ("fft.irfftn", lambda xp, z: xp.fft.irfftn(z, s=(4,), axes=(0,)), (_Z,)),
    ("fft.hfft", lambda xp, z: xp.fft.hfft(z, n=4), (_Z,)),
    ("fft.ihfft", lambda xp, v: xp.fft.ihfft(v), (_V,)),
    ("fft.fftfreq", lambda xp, v: xp.fft.fftfreq(4, d=v[0], dtype=xp.float64, device="cpu"), (_V,)),
    ("fft.rfftfreq", lambda xp, v: xp.fft.rfftfreq(4, d=v[0], device="cpu"), (_V,)),
    ("fft.fftshift", lambda xp, v: xp.fft.fftshift(v, axes=(0,)), (_V,)),
    ("fft.ifftshift", lambda xp, x: xp.fft.ifftshift(x, axes=(1,)), (_X,)),
]

_I = np.array([[3, 1, 2], [5, 0, 7]])
_B = _X > 0.2
_TESTS = "isfinite isinf isnan signbit sign ceil floor round trunc"
_COMPARISONS = "equal greater greater_equal less less_equal not_equal nextafter floor_divide"
_BITS = "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift"

# Without derivative: what traced and plain arrays give must be the same.
CONSTANT_CALLS: list[Call] = [(name, _named(name), (_X,)) for name in _TESTS.split()]
CONSTANT_CALLS += [(name, _named(name), (_X, _P)) for name in _COMPARISONS.split()]
CONSTANT_CALLS += [(name, _named(name), (_I, _I % 3)) for name in _BITS.split()]
CONSTANT_CALLS += [(name, _named(name), (_B, ~_B)) for name in ("logical_and", "logical_or", "logical_xor")]
CONSTANT_CALLS += [
    ("bitwise_invert", lambda xp, i: xp.bitwise_invert(i), (_I,)),
    ("logical_not", lambda xp, b: xp.logical_not(b), (_B,)),
    ("all", lambda xp, x: xp.all(x > 0.0, axis=1, keepdims=True), (_X,)),
    ("any", lambda xp, x: xp.any(x > 0.0, axis=(0, 1)), (_X,)),
    ("argmax", lambda xp, x: xp.argmax(x, axis=1, keepdims=True), (_X,)),
    ("argmin", lambda xp, x: xp.argmin(x, axis=None), (_X,)),
    ("argsort", lambda xp, x: xp.argsort(x, axis=0, stable=True), (_X,)),
    ("count_nonzero", lambda xp, x: xp.count_nonzero(x, axis=0, keepdims=True), (_X,)),
    ("nonzero", lambda xp, x: list(xp.nonzero(x > 0.0)), (_X,)),
    ("searchsorted", lambda xp, v: xp.searchsorted(v, xp.asarray([0.1]), side="right", sorter=xp.argsort(v)), (_V,)),
    ("unique_all", lambda xp, x: list(xp.unique_all(x)), (_X,)),
    ("unique_counts", lambda xp, x: list(xp.unique_counts(x)), (_X,)),
    ("unique_inverse", lambda xp, x: list(xp.unique_inverse(x)), (_X,)),
    ("unique_values", lambda xp, x: xp.unique_values(x), (_X,)),
    ("can_cast", lambda xp, x: np.asarray(xp.can_cast(x, xp.complex64)), (_X,)),
    ("result_type", lambda xp, x: np.zeros(0, xp.result_type(x, 1.0, xp.float32)), (_X,)),
    ("isdtype", lambda xp, x: np.asarray(xp.isdtype(x.dtype, ("real floating", xp.complex64))), (_X,)),
    ("empty", lambda xp, x: xp.empty(x.shape, dtype=x.dtype, device="cpu") * 0 == 0, (_X,)),
    ("empty_like", lambda xp, x: xp.empty_like(x, dtype=xp.int64, device="cpu") * 0, (_X,)),
    ("eye", lambda xp, x: xp.eye(x.shape[0], 3, k=1, dtype=x.dtype, device="cpu"), (_X,)),
    ("ones", lambda xp, x: xp.ones(x.shape, dtype=xp.float32, device="cpu"), (_X,)),
    ("ones_like", lambda xp, x: xp.ones_like(x, dtype=None, device="cpu"), (_X,)),
    ("zeros", lambda xp, x: xp.zeros(x.shape[0], dtype=xp.int64, device="cpu"), (_X,)),
    ("zeros_like", lambda xp, x: xp.zeros_like(x, device="cpu"), (_X,)),
    ("linalg.matrix_rank", lambda xp, x: xp.linalg.matrix_rank(x, rtol=1e-9), (_X,)),
]
