"""Sample calls: how to call each function on small arrays, so that its verdict can be found by calling it.

Most functions take one of the generic argument lists; a table adds what others need. A function that changes its
argument and returns None stands for the changed argument.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .catalog import Entry
from .method_calls import methods

__all__ = ["Call", "call_of", "candidates"]


class Call(NamedTuple):
    """A function of arrays, and arrays to call it with."""

    fun: Callable[..., Any]
    arrays: Sequence[Any]


# Distinct, inside (0, 1), and the matrices symmetric and positive definite with eigenvalues well apart.
V = np.array([0.3, 0.7, 0.55])
W = np.array([0.8, 0.4, 0.65])
M = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 0.5]])
N = np.array([[1.5, 0.2, 0.4], [0.2, 0.8, 0.1], [0.4, 0.1, 2.5]])
LONG = np.array([0.9, 0.1, 0.7, 0.3, 0.6, 0.2, 0.8])
COUNTS = np.array([2, 0, 1])
MASK = np.array([True, False, True])
CUBE = np.linspace(0.2, 0.9, 8).reshape(2, 2, 2) ** 2 + 0.1

GENERIC: tuple[tuple[Any, ...], ...] = ((V,), (V, W), (M,), (M, N), (COUNTS,), (COUNTS, COUNTS), (MASK,))

_Sample = tuple[Callable[..., Any], tuple[Any, ...]]

SPECIAL: dict[str, _Sample] = {
    # shapes
    "reshape": (lambda f, x: f(x, (3, 1)), (V,)),
    "resize": (lambda f, x: f(x, (2, 2)), (V,)),
    "expand_dims": (lambda f, x: f(x, 0), (V,)),
    "broadcast_to": (lambda f, x: f(x, (2, 3)), (V,)),
    "swapaxes": (lambda f, x: f(x, 0, 1), (M,)),
    "moveaxis": (lambda f, x: f(x, 0, 1), (M,)),
    "rollaxis": (lambda f, x: f(x, 1), (M,)),
    "roll": (lambda f, x: f(x, 1), (V,)),
    "repeat": (lambda f, x: f(x, 2), (V,)),
    "tile": (lambda f, x: f(x, 2), (V,)),
    "astype": (lambda f, x: f(x, np.float32), (V,)),
    "array_split": (lambda f, x: f(x, 2), (V,)),
    "split": (lambda f, x: f(x, 3), (V,)),
    "hsplit": (lambda f, x: f(x, 3), (V,)),
    "vsplit": (lambda f, x: f(x, 3), (M,)),
    "dsplit": (lambda f, x: f(x, 2), (CUBE,)),
    # joining
    **{
        name: (lambda f, x, y: f([x, y]), (V, W))
        for name in (
            "concatenate",
            "concat",
            "stack",
            "vstack",
            "row_stack",
            "hstack",
            "dstack",
            "column_stack",
            "block",
        )
    },
    "append": (lambda f, x, y: f(x, y), (V, W)),
    "insert": (lambda f, x, y: f(x, 1, y), (V, W)),
    "delete": (lambda f, x: f(x, 1), (V,)),
    "pad": (lambda f, x: f(x, 1), (V,)),
    # choosing
    "take": (lambda f, x: f(x, [2, 0]), (V,)),
    "take_along_axis": (lambda f, x: f(x, COUNTS, 0), (V,)),
    "put_along_axis": (lambda f, x, y: f(x, COUNTS[:1], y[:1], 0), (V, W)),
    "choose": (lambda f, x, y: f(COUNTS % 2, [x, y]), (V, W)),
    "compress": (lambda f, x: f(MASK, x), (V,)),
    "extract": (lambda f, x: f(MASK, x), (V,)),
    "select": (lambda f, x, y: f([MASK], [x], y), (V, W)),
    "where": (lambda f, x, y: f(MASK, x, y), (V, W)),
    "piecewise": (lambda f, x: f(x, [x < 0.5], [np.sin, np.cos]), (V,)),
    "diag_indices_from": (lambda f, x: f(x), (M,)),
    "apply_along_axis": (lambda f, x: f(np.sum, 0, x), (M,)),
    "apply_over_axes": (lambda f, x: f(np.sum, x, 0), (M,)),
    "partition": (lambda f, x: f(x, 1), (V,)),
    "argpartition": (lambda f, x: f(x, 1), (V,)),
    "searchsorted": (lambda f, x, y: f(x, y), (np.sort(V), W)),
    "digitize": (lambda f, x, y: f(x, y), (V, np.sort(W))),
    "ix_": (lambda f, x: f(x), (COUNTS,)),
    "put": (lambda f, x, y: f(x, [0, 2], y[:2]), (V, W)),
    "place": (lambda f, x, y: f(x, MASK, y[:2]), (V, W)),
    "putmask": (lambda f, x, y: f(x, MASK, y), (V, W)),
    "copyto": (lambda f, x, y: f(x, y), (V, W)),
    "fill_diagonal": (lambda f, x: f(x, 1.0), (M,)),
    "einsum": (lambda f, x, y: f("i,ij->j", x, y), (V, M)),
    "einsum_path": (lambda f, x, y: f("i,ij->j", x, y), (V, M)),
    "tensordot": (lambda f, x, y: f(x, y, 1), (M, N)),
    "numpy.linalg.tensordot": (lambda f, x, y: f(x, y, axes=1), (M, N)),
    "multi_dot": (lambda f, x, y: f([x, y, x]), (M, N)),
    "matvec": (lambda f, x, y: f(x, y), (M, V)),
    "vecmat": (lambda f, x, y: f(x, y), (V, M)),
    "kaiser": (lambda f, x: f(4, x), (np.array(2.0),)),
    # statistics
    "percentile": (lambda f, x: f(x, 30.0), (V,)),
    "quantile": (lambda f, x: f(x, 0.3), (V,)),
    "nanpercentile": (lambda f, x: f(x, 30.0), (V,)),
    "nanquantile": (lambda f, x: f(x, 0.3), (V,)),
    "average": (lambda f, x, y: f(x, weights=y), (V, W)),
    "histogram": (lambda f, x, y: f(x, 3, (0.0, 1.0), weights=y), (V, W)),
    "histogram2d": (lambda f, x, y: f(x, x, 2, [[0.0, 1.0]] * 2, weights=y), (V, W)),
    "histogramdd": (lambda f, x, y: f([x], 2, [[0.0, 1.0]], weights=y), (V, W)),
    "bincount": (lambda f, x: f(COUNTS, x), (V,)),
    "interp": (lambda f, x, y: f(x, [0.0, 0.5, 1.0], y), (V, W)),
    "clip": (lambda f, x, y: f(x, 0.4, y), (V, np.array([0.9, 0.6, 0.5]))),
    "gradient": (lambda f, x: f(x), (V,)),
    "corrcoef": (lambda f, x, y: f(x, y), (V, W)),
    # ranges and new arrays
    "linspace": (lambda f, x, y: f(x, y, 4), (V, W)),
    "logspace": (lambda f, x, y: f(x, y, 4), (V, W)),
    "geomspace": (lambda f, x, y: f(x, y, 4), (V, W)),
    "full": (lambda f, x: f((2, 3), x, like=x), (V,)),
    "full_like": (lambda f, x, y: f(x, y), (V, W)),
    **{
        name: (lambda f, x: f(3, like=x), (V,))
        for name in ("zeros", "ones", "empty", "eye", "identity", "tri", "arange")
    },
    "vander": (lambda f, x: f(x, 3), (V,)),
    "meshgrid": (lambda f, x, y: f(x, y), (V, W)),
    # domains and dtypes
    "imag": (lambda f, x: f(x * 1j), (V,)),
    "arccosh": (lambda f, x: f(x), (1 + V,)),
    "float_power": (lambda f, x, y: f(x, y), (V, W)),
    "ldexp": (lambda f, x: f(x, COUNTS), (V,)),
    "isnat": (lambda f: f(np.array(["2020-01-01"], "M8[D]")), ()),
    "can_cast": (lambda f, x: f(x.dtype, float), (V,)),
    "unravel_index": (lambda f, x: f(x, (2, 2)), (COUNTS,)),
    "ravel_multi_index": (lambda f, x, y: f((x, y), (3, 3)), (COUNTS, COUNTS)),
    "tril_indices_from": (lambda f, x: f(x), (M,)),
    "triu_indices_from": (lambda f, x: f(x), (M,)),
    "lexsort": (lambda f, x, y: f((x, y)), (V, W)),
    "require": (lambda f, x: f(x), (V,)),
    "fromiter": (lambda f, x: f(list(x), float), (V,)),
    "vectorize": (lambda f, x: f(lambda t: t * t)(x), (V,)),
    "frompyfunc": (lambda f, x: f(lambda t: t * t, 1, 1)(x), (V,)),
    "poly1d": (lambda f, x: f(x)(0.5), (V,)),
    "bmat": (lambda f, x: f([[x, x]]), (M,)),
    "nditer": (lambda f, x: list(f(x)), (V,)),
    "ndenumerate": (lambda f, x: list(f(x)), (V,)),
    "as_strided": (lambda f, x: f(x, (2, 2), (8, 8)), (V,)),
    "sliding_window_view": (lambda f, x: f(x, 2), (V,)),
    "sph_harm": (lambda f, x, y: f(1, 2, x, y), (V, W)),  # until SciPy 1.16
    "logn": (lambda f, x, y: f(x, y), (V, W)),
    # polynomials
    "polyfit": (lambda f, x, y: f(x, y, 1), (V, W)),
    "roots": (lambda f, x: f(x), (np.array([1.0, -0.9, -0.7, 0.1]),)),
    # linear algebra
    "matrix_power": (lambda f, x: f(x, 3), (M,)),
    "tensorsolve": (lambda f, x, y: f(x, y), (M, V)),
    "tensorinv": (lambda f, x: f(x, 1), (M,)),
    "lstsq": (lambda f, x, y: f(x, y), (M[:, :2], V)),
    "solve": (lambda f, x, y: f(x, y), (M, V)),
    "cond": (lambda f, x: f(x), (M,)),
    "norm": (lambda f, x: f(x), (V,)),
    "cross": (lambda f, x, y: f(x, y), (V, W)),
}
"""Name of a function → how to call it, and the arrays."""

_SERIES: tuple[tuple[str, _Sample], ...] = (
    # Points are single: of arrays of points see `LIMITED` in `declared`.
    ("val2d", (lambda f, x, y, c: f(x, y, c), (V[0], W[0], M))),
    ("val3d", (lambda f, x, y, z, c: f(x, y, z, c), (V[0], W[0], V[2], CUBE))),
    ("grid2d", (lambda f, x, y, c: f(x, y, c), (V[0], W[0], M))),
    ("grid3d", (lambda f, x, y, z, c: f(x, y, z, c), (V[0], W[0], V[2], CUBE))),
    ("valfromroots", (lambda f, x, r: f(x, r), (V[0], W))),
    ("val", (lambda f, x, c: f(x, c), (V, W))),
    ("vander2d", (lambda f, x, y: f(x, y, [2, 2]), (V, W))),
    ("vander3d", (lambda f, x, y: f(x, y, x, [1, 1, 1]), (V, W))),
    ("vander", (lambda f, x: f(x, 3), (V,))),
    ("fit", (lambda f, x, y: f(x, y, 1), (V, W))),
    ("pow", (lambda f, c: f(c, 2), (V,))),
    ("line", (lambda f, a, b: f(a, b), (np.array(0.5), np.array(0.7)))),
    ("interpolate", (lambda f, x: f(lambda t: np.sin(x[0] * t), 2), (V,))),
    ("fromroots", (lambda f, r: f(r), (V,))),
    ("weight", (lambda f, x: f(x), (V,))),
    *[
        (name, (lambda f, c: f(c)(0.5), (V,)))
        for name in ("Polynomial", "Chebyshev", "Legendre", "Laguerre", "Hermite", "HermiteE")
    ],
)
"""Ending of the name of a function of `numpy.polynomial` → how to call it; the first that fits counts."""

_TRANSFORMS = {"irfft2": M, "irfftn": M, "fft2": M, "ifft2": M, "rfft2": M}


def call_of(entry: Entry) -> Call | None:
    """Return a call that NumPy accepts on plain arrays, or None if none of those known does."""
    for fun, arrays in candidates(entry):
        call = Call(_changed(fun, entry.function), arrays)
        if _accepted(call):
            return call
    return None


def candidates(entry: Entry) -> Sequence[_Sample]:
    if entry.section == "numpy.ndarray":
        return methods(entry.name)
    if entry.section.startswith("numpy.polynomial"):
        found = [sample for ending, sample in _SERIES if entry.name.endswith(ending)][:1]
        if found:
            return found
    elif entry.full in SPECIAL or entry.name in SPECIAL:
        return [SPECIAL.get(entry.full) or SPECIAL[entry.name]]
    if entry.name in _TRANSFORMS:
        return [(lambda f, x: f(x), (_TRANSFORMS[entry.name],))]
    if isinstance(entry.function, np.ufunc) and entry.section == "scipy.special":
        return [(lambda f, *xs: f(*xs), tuple(np.array([0.5, 0.8]) for _ in range(entry.function.nin)))]
    return [(lambda f, *xs: f(*xs), arrays) for arrays in GENERIC]


def _changed(fun: Callable[..., Any], function: Any) -> Callable[..., Any]:
    """`fun` with its function filled in; what changes its first argument in place returns that argument."""

    def call(*xs: Any) -> Any:
        # Plain arrays belong to this module, and traced ones to a transform: what is changed is a copy.
        xs = (np.copy(xs[0]), *xs[1:]) if xs and isinstance(xs[0], np.ndarray) else xs
        out = fun(function, *xs)
        return xs[0] if out is None and xs else out

    return call


def _accepted(call: Call) -> bool:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            call.fun(*call.arrays)
        except (TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError):
            return False
    return True
