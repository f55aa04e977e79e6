"""The ways in which a traced value can slip through NumPy, SciPy and Python, one line each, by what becomes of it."""

from __future__ import annotations

import array
import copy
import ctypes
import decimal
import fractions
import io
import json
import math
import operator
import pickle
import statistics
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import fft as scipy_fft
from scipy import integrate, interpolate, linalg, ndimage, optimize, signal, sparse, stats

__all__ = ["FORMATS", "HELPERS", "HIDDEN", "PLAIN", "REFUSED", "STEERS", "TRACED", "Slip"]

A = np.arange(1.0, 4.0)
M = np.eye(3) + 1.0
KEPT = np.zeros(3)
CSR = sparse.csr_array(M)
RNG = np.random.default_rng(0)

Slip = Callable[[Any], Any]


def grown(a: Any, t: Any) -> Any:
    a += t
    return a


def scaled(a: Any, t: Any) -> Any:
    a *= t
    return a


def with_item(a: Any, index: Any, t: Any) -> Any:
    a[index] = t
    return a


def with_more(a: Any, index: Any, t: Any) -> Any:
    a[index] += t
    return a


def math_function(name: str) -> Slip:
    function = getattr(math, name)
    return lambda t: function(t)


def is_concrete(t: Any) -> bool:
    """Whether a value of `t` could be used as an index, which under vmap it cannot."""
    return not repr(t).startswith("Traced(one of")


HELPERS = frozenset(f.__code__.co_firstlineno + 1 for f in (grown, scaled, with_item, with_more))
"""Lines of the helpers at which the value slips."""

# --- traced, with value and derivative --------------------------------------------------------------------------------

TRACED: dict[str, Slip] = {
    "a + t": lambda t: A + t,
    "a * t": lambda t: A * t,
    "a @ t": lambda t: M @ (t * A),
    "t @ a": lambda t: (t * A) @ M,
    "ndarray.__add__": lambda t: np.ndarray.__add__(A, t),
    "a.clip(t)": lambda t: A.clip(t),
    "list of numbers and t": lambda t: np.stack([t, 2 * t]),
    "rebound by +=": lambda t: grown(0.0, t),
    "a += t": lambda t: grown(np.zeros(3), t),
    "a *= t": lambda t: scaled(np.ones(3), t),
    "NumPy scalar +=": lambda t: grown(np.float64(1), t),
    "list[0] = t": lambda t: np.stack(with_item([t, 2 * t], 0, t**2)),
    "np.linspace": lambda t: np.linspace(0.0, t, 3),
    "np.geomspace": lambda t: np.geomspace(1.0, t, 3),
    "np.full_like": lambda t: np.full_like(t, 2.0) * t,
    "np.block": lambda t: np.block([t, 2 * t]),
    "np.insert": lambda t: np.insert(A, 0, t),
    "np.append": lambda t: np.append(A, t),
    "np.where": lambda t: np.where(A > 1, t, A),
    "np.select": lambda t: np.select([A > 1], [t], 0.0),
    "np.choose": lambda t: np.choose([0, 1, 0], [A, t * A]),
    "np.interp": lambda t: np.interp(t, [0.0, 1.0, 3.0], [0.0, 2.0, 1.0]),
    "np.percentile of a plain array": lambda t: np.percentile(A, 7 * t),
    "np.fromfunction": lambda t: np.fromfunction(lambda i: i * t, (3,)),
    "np.nan_to_num": lambda t: np.nan_to_num(t),
    "np.multiply.outer": lambda t: np.multiply.outer(A, t),
    "np.piecewise": lambda t: np.piecewise(t, [t > 1], [lambda v: v**2, 0.5]),
    "np.apply_along_axis": lambda t: np.apply_along_axis(np.sum, 0, t * A),
    "round trip of poly1d": lambda t: np.polyval([1.0, 2.0], t),
    "abs": abs,
    "array of objects": lambda t: np.sum(with_item(np.ones(3, object), 0, t)),
    "pow": lambda t: pow(t, 2),
    "divmod": lambda t: divmod(t, 3.0)[1],
    "math.prod": lambda t: math.prod([t, t]),
    "sum of a list": lambda t: sum([t, t**2]),
    "list(t)": lambda t: list(t * A)[1],
    "unpacking": lambda t: (lambda a, b, c: a * b + c)(*(t * A)),
    "copy.copy": copy.copy,
    "copy.deepcopy": lambda t: copy.deepcopy([t])[0] ** 2,
    "t.item()": lambda t: (t * A)[:1].item(),
    "np.float64 + t": lambda t: np.float64(2) + t,
    "0-d array * t": lambda t: np.array(2.0) * t,
}

STEERS: dict[str, Slip] = {
    "min": lambda t: min([t, t * 2]),
    "max": lambda t: max(t, t * 2),
    "sorted": lambda t: sorted([t * 2, t])[1],
    "if": lambda t: t**2 if t > 1 else t,
    "optimize.newton": lambda t: optimize.newton(lambda v: v * v - t, 1.0),
    "int(t) as index": lambda t: A[int(t)] * t,
    "while": lambda t: next(t**k for k in range(9) if t**k > 3),
}
"""Comparisons of concrete values decide."""

# --- plain answers ----------------------------------------------------------------------------------------------------

PLAIN: dict[str, Slip] = {
    "a[int(t)]": lambda t: A[int(t)],
    "a[bool]": lambda t: A[t > 1],
    "a[integers]": lambda t: A[t.astype(int)],
    "np.take(a, integers)": lambda t: np.take(A, t.astype(int)),
    "a into integers": lambda t: with_item(np.zeros(3, int), 0, np.sum(t)),
    "np.isclose": lambda t: np.isclose(t, A),
    "np.allclose": lambda t: np.allclose(t, t),
    "np.array_equal": lambda t: np.array_equal(t, A),
    "np.digitize": lambda t: np.digitize(t, A),
    "np.histogram": lambda t: np.histogram(t, [0.0, 1.0, 3.0])[0],
    "np.iscomplexobj": np.iscomplexobj,
    "np.isscalar": lambda t: np.isscalar([t]),
    "np.iterable": np.iterable,
    "np.ndim": np.ndim,
    "np.shape": np.shape,
    "np.size": np.size,
    "isinstance float": lambda t: isinstance(t, int),
    "len": lambda t: len(t),
    "int": lambda t: int(t),
    "bool": lambda t: bool(np.all(t > 0)),
    "math.floor": lambda t: math.floor(t),
    "math.ceil": lambda t: math.ceil(t),
    "round": lambda t: round(np.sum(t)),
    "round to digits": lambda t: round(np.sum(t), 1),
    "range of round": lambda t: list(range(round(np.sum(t)))),
    "math.trunc": lambda t: math.trunc(t),
    "operator.index": lambda t: operator.index(np.sum(t).astype(int)),
    "range": lambda t: list(range(np.argmax(t), 3)),
    "t in list": lambda t: np.sum(t) in [1.0, np.sum(t)],
    "list.index": lambda t: [1.0, np.sum(t)].index(np.sum(t)),
    "f-string with format": lambda t: f"{np.sum(t):.3f}",
    "format": lambda t: format(np.sum(t), ".2e"),
    "print": lambda t: print(t, file=io.StringIO()),
}
"""Without derivative by nature."""

FORMATS: dict[str, Slip] = {
    "f-string": lambda t: f"{t}",
    "str": str,
    "repr": repr,
    "str.format": lambda t: "{}".format(t),  # noqa: UP032
    "%s": lambda t: "%s" % t,  # noqa: UP031
    "str of a list": lambda t: str([t]),
}

# --- refused: our error, and what it must point to --------------------------------------------------------------------

CONVERTED: dict[str, Slip] = {
    "np.array(t)": lambda t: np.array(t),
    "np.array([t, 1])": lambda t: np.array([t, t]),
    "np.array([[t]])": lambda t: np.array([[t]]),
    "np.array of objects": lambda t: np.array([t, t], dtype=object),
    "np.asarray(t)": lambda t: np.asarray(t),
    "np.asarray(t, float32)": lambda t: np.asarray(t, dtype=np.float32),
    "np.asarray([t])": lambda t: np.asarray([t]),
    "np.asanyarray": lambda t: np.asanyarray(t),
    "np.ascontiguousarray": lambda t: np.ascontiguousarray(t),
    "np.asfortranarray": lambda t: np.asfortranarray(t),
    "np.require": lambda t: np.require(t),
    "np.asarray_chkfinite": lambda t: np.asarray_chkfinite(t),
    "np.full": lambda t: np.full(3, t),
    "np.arange": lambda t: np.arange(0.0, t, 0.5),
    "np.r_": lambda t: np.r_[t, 1.0],
    "np.c_": lambda t: np.c_[t, t],
    "np.mgrid": lambda t: np.mgrid[0:t],
    "np.vectorize": lambda t: np.vectorize(lambda v: v * 2)(t),
    "np.piecewise of a plain array": lambda t: np.piecewise(A, [A > 2], [t, 0.0]),
    "np.broadcast": lambda t: np.broadcast(t, A),
    "np.ndenumerate": lambda t: np.ndenumerate(t),
    "np.matrix": lambda t: np.matrix(t),
    "np.ma.array": lambda t: np.ma.array(t),
    "np.sum of a list": lambda t: np.sum([t, t]),
    "np.add.reduce of a list": lambda t: np.add.reduce([t, t]),
    "np.sqrt of a list": lambda t: np.sqrt([t, t]),
    "np.dot of a list": lambda t: np.dot([t, t], [1.0, 2.0]),
    "ndarray.dot": lambda t: A.dot(t),
    "ndarray.searchsorted": lambda t: A.searchsorted(t),
    "ndarray.repeat": lambda t: A.repeat(t),
    "ndarray.sum(initial=t)": lambda t: A.sum(initial=np.sum(t)),
    "np.float64": lambda t: np.float64(t),
    "np.float32": lambda t: np.float32(t),
    "np.int64": lambda t: np.int64(t),
    "np.bool_": lambda t: np.bool_(t),
    "np.complex128": lambda t: np.complex128(t),
    "np.testing": lambda t: np.testing.assert_allclose(t, t),
    "np.format_float_positional": lambda t: np.format_float_positional(t),
    "np.poly1d of a list": lambda t: np.poly1d([t, 1.0]),
    "np.polynomial": lambda t: np.polynomial.Polynomial([t, 1.0]),
    "np.random.normal": lambda t: np.random.normal(t),
    "np.random.uniform": lambda t: np.random.uniform(0.0, t),
    "rng.normal(loc)": lambda t: RNG.normal(loc=t),
    "rng.normal(scale)": lambda t: RNG.normal(scale=t, size=3),
    "rng.exponential": lambda t: RNG.exponential(t),
    "rng.poisson": lambda t: RNG.poisson(t),
    "rng.integers": lambda t: RNG.integers(t),
    "rng.choice": lambda t: RNG.choice(t),
    "rng.permutation": lambda t: RNG.permutation(t),
    "rng.multivariate_normal": lambda t: RNG.multivariate_normal(t * A, np.eye(3)),
    "linalg.solve": lambda t: linalg.solve(t * M, A),
    "linalg.solve right-hand side": lambda t: linalg.solve(M, t * A),
    "linalg.inv": lambda t: linalg.inv(t * M),
    "linalg.cholesky": lambda t: linalg.cholesky(t * M),
    "linalg.expm": lambda t: linalg.expm(t * M),
    "linalg.det": lambda t: linalg.det(t * M),
    "linalg.eigh": lambda t: linalg.eigh(t * M),
    "linalg.norm": lambda t: linalg.norm(t),
    "linalg.toeplitz": lambda t: linalg.toeplitz(t),
    "linalg.lapack": lambda t: linalg.lapack.dpotrf(t * M),
    "linalg.blas": lambda t: linalg.blas.ddot(t * A, A),
    "optimize.minimize from t": lambda t: optimize.minimize(lambda v: np.sum((v - 1) ** 2), t),
    "optimize.least_squares": lambda t: optimize.least_squares(lambda v: v * t, [1.0]),
    "optimize.curve_fit": lambda t: optimize.curve_fit(lambda x, k: k * x, A, t * A),
    "integrate.solve_ivp": lambda t: integrate.solve_ivp(lambda s, y: y * t, (0.0, 1.0), [1.0]),
    "integrate.simpson": lambda t: integrate.simpson(t * A),
    "interpolate.interp1d at t": lambda t: interpolate.interp1d(A, A)(t),
    "interpolate.CubicSpline through t": lambda t: interpolate.CubicSpline(A, t * A),
    "interpolate.BSpline": lambda t: interpolate.BSpline(A, t * A, 1),
    "ndimage.gaussian_filter": lambda t: ndimage.gaussian_filter(t * A, 1.0),
    "signal.lfilter": lambda t: signal.lfilter([1.0], [1.0, 0.5], t * A),
    "scipy.fft": lambda t: scipy_fft.fft(t * A),
    "stats.norm": lambda t: stats.norm.pdf(t),
    "np.fill_diagonal": lambda t: np.fill_diagonal(np.zeros((3, 3)), t),
    "csr @ t": lambda t: CSR @ (t * A),
    "csr * t": lambda t: CSR * t,
    "csr.dot(t)": lambda t: CSR.dot(t),
    "sparse.linalg.spsolve": lambda t: sparse.linalg.spsolve(CSR, t * A),
    "a[:] = t": lambda t: with_item(np.zeros(3), slice(None), t),
    "a[:, 0] = t": lambda t: with_item(np.zeros((3, 2)), (slice(None), 0), t),
    "a[mask] = t": lambda t: with_item(np.zeros(3), A > 0, t),
    "a[...] = t": lambda t: with_item(np.zeros(3), ..., t),
    "a.real = t": lambda t: setattr(np.zeros(3), "real", t),
    "a.flat = t": lambda t: setattr(np.zeros(3), "flat", t),
    "a.put": lambda t: np.zeros(3).put([0], t),
    "plain[t > 0] under vmap": lambda t: A[t.astype(int)] if not is_concrete(t) else np.asarray(t),
}

NUMBERS: dict[str, Slip] = {
    "float": lambda t: float(t),
    "complex": lambda t: complex(t),
    "a[0] = t": lambda t: with_item(np.zeros(3), 0, t),
    "a[0] += t": lambda t: with_item(np.zeros(3), 0, t + 1),
    "a.fill": lambda t: np.zeros(3).fill(t),
    "np.fromiter": lambda t: np.fromiter([t], float),
    "%.3f": lambda t: "%.3f" % t,  # noqa: UP031
    "ctypes": lambda t: ctypes.c_double(np.float64(0) + float(t)),
    **{
        f"math.{name}": math_function(name)
        for name in ("sin", "cos", "tan", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "sinh", "cosh")
        + ("tanh", "atan", "asinh", "erf", "erfc", "gamma", "lgamma", "fabs", "isnan", "isfinite", "frexp", "degrees")
    },
    "math.pow": lambda t: math.pow(t, 2),
    "math.hypot": lambda t: math.hypot(t, 1.0),
    "math.atan2": lambda t: math.atan2(1.0, t),
    "math.fsum": lambda t: math.fsum([t]),
    "math.isclose": lambda t: math.isclose(t, 1.0),
    "math.copysign": lambda t: math.copysign(1.0, t),
    "math.dist": lambda t: math.dist([t], [1.0]),
    "integrate.quad of t": lambda t: integrate.quad(lambda v: v * t, 0.0, 1.0),
    "integrate.quad up to t": lambda t: integrate.quad(np.sin, 0.0, t),
}

WRITES: dict[str, Slip] = {
    "a += t, a of another": lambda t: grown(KEPT, t),
    "a *= t, a of another": lambda t: scaled(KEPT, t),
    "row += t": lambda t: [grown(row, t) for row in np.ones((2, 3))],
    "a.__iadd__(t)": lambda t: np.zeros(3).__iadd__(t),
    "operator.iadd": lambda t: operator.iadd(np.zeros(3), t),
    "a[1:] += t": lambda t: with_more(np.zeros(3), slice(None), t),
    "np.add(out=)": lambda t: np.add(A, t, out=np.zeros(3)),
    "np.sum(out=)": lambda t: np.sum(t, out=np.zeros(())),
    "np.cumsum(out=)": lambda t: np.cumsum(t * A, out=np.zeros(3)),
    "np.add.at": lambda t: np.add.at(np.zeros(3), [0, 1, 2], t),
    "np.copyto": lambda t: np.copyto(np.zeros(3), t),
    "np.put": lambda t: np.put(np.zeros(3), [0], t),
    "np.place": lambda t: np.place(np.zeros(3), A > 1, t),
    "np.putmask": lambda t: np.putmask(np.zeros(3), A > 1, t),
    "np.put_along_axis": lambda t: np.put_along_axis(np.zeros(3), np.array([0, 1, 2]), t, 0),
    "np.full_like(plain, t)": lambda t: np.full_like(A, t),
}

OTHERS: dict[str, tuple[Slip, str]] = {
    "np.frompyfunc": (
        lambda t: np.frompyfunc(lambda v: v * 2, 1, 1)(t),
        r"^the ufunc <lambda>.*covector\.numpy\.vectorize",
    ),
    "np.frompyfunc, named": (lambda t: np.frompyfunc(scaled, 2, 1)(t, t), r"^the ufunc scaled.*np\.frompyfunc"),
    "t @ csr": (lambda t: (t * A) @ CSR, "toarray"),
    "csr + t": (lambda t: CSR + t * M, "toarray"),
    "csr.multiply(t)": (lambda t: CSR.multiply(t), r"toarray|np\."),
    "np.savetxt": (lambda t: np.savetxt(io.StringIO(), t * A), "has_aux"),
    "np.save": (lambda t: np.save(io.BytesIO(), t), "has_aux"),
    "np.array2string": (lambda t: np.array2string(t), "repr"),
    "pickle": (lambda t: pickle.dumps(t), "return it"),
    "t.tolist()": (lambda t: t.tolist(), "iterate|item"),
    "t.tobytes()": (lambda t: t.tobytes(), "has_aux"),
    "t.view(int)": (lambda t: t.view(np.int64), "astype"),
    "np.shares_memory": (lambda t: np.shares_memory(t, A), "leave"),
    "hash": (lambda t: hash(np.sum(t)), r"id\(t\)"),
    "dict key": (lambda t: {np.sum(t): 1}, r"id\(t\)"),
    "dict.get": (lambda t: {}.get(np.sum(t)), r"id\(t\)"),
    "set": (lambda t: {np.sum(t)}, r"id\(t\)"),
    "statistics.mean": (lambda t: statistics.mean([np.sum(t), 1.0]), r"np\.mean\(np\.stack"),
    "statistics.stdev": (lambda t: statistics.stdev([np.sum(t), 1.0]), r"np\.mean\(np\.stack"),
    "statistics.fmean": (lambda t: statistics.fmean([np.sum(t), 1.0]), r"np\.stack"),
    "bytes": (lambda t: bytes(t), "has_aux"),
}

REFUSED: dict[str, tuple[Slip, str]] = {
    **{name: (slip, r"np\.stack|np\.take|np\.where") for name, slip in CONVERTED.items()},
    **{name: (slip, r"np\.sin.*np\.stack|t \+ 0j") for name, slip in NUMBERS.items()},
    **{name: (slip, r"covector\.numpy|np\.zeros_like") for name, slip in WRITES.items()},
    **OTHERS,
}

HIDDEN: dict[str, Slip] = {
    "Decimal": lambda t: decimal.Decimal(np.sum(t)),
    "Fraction": lambda t: fractions.Fraction(np.sum(t)),
    "json": lambda t: json.dumps([np.sum(t)]),
    "struct": lambda t: struct.pack("d", np.sum(t)),
    "memoryview": lambda t: memoryview(t),
    "memoryview item": lambda t: with_item(memoryview(bytearray(8)).cast("d"), 0, np.sum(t)),
    "array.array item": lambda t: with_item(array.array("d", [0.0]), 0, np.sum(t)),
    "bytearray": lambda t: bytearray(t),
    "np.nditer": lambda t: np.nditer(t),
    "np.rec.array": lambda t: np.rec.array(t),
    "a.flat[0] = t": lambda t: with_item(np.zeros(3).flat, 0, np.sum(t)),
    "optimize.fsolve": lambda t: optimize.fsolve(lambda v: v - t, np.ones(np.shape(t))),
    "csr_array(t)": lambda t: sparse.csr_array(t * M),
    "rng.shuffle": lambda t: RNG.shuffle(t * A),
}
"""What is not ours to answer: these ask a value for its memory or its type, or replace the error they get."""
