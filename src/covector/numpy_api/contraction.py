"""NumPy's products of vectors, matrices and tensors in terms of `matmul` and `contract`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..core.dispatch import UFUNCS, as_operand
from ..core.values import dtype_of, shape_of, strong
from ..ops.contraction import contract_p, matmul_p
from .axes import normalize_axis
from .register import existing, implements
from .structural import as_array

__all__ = ["dot", "generalized", "multi_dot", "tensordot", "without_ones"]


def _operands(function: str, *xs: Any) -> list[Any]:
    return [as_operand(x, function) for x in xs]


def _length_error(function: str, a: Any, b: Any) -> ValueError:
    return ValueError(f"{function}: the summed axes of shapes {a.shape} and {b.shape} have different lengths")


def _sum_product(function: str, a: Any, b: Any, a_axes: Sequence[int], b_axes: Sequence[int]) -> Any:
    """Sum over pairs of axes; what is left of `a` comes before what is left of `b`."""
    if len(a_axes) != len(b_axes) or any(a.shape[i] != b.shape[j] for i, j in zip(a_axes, b_axes, strict=True)):
        raise _length_error(function, a, b)
    i = list(range(a.ndim))
    j = list(range(a.ndim, a.ndim + b.ndim))
    for p, q in zip(a_axes, b_axes, strict=True):
        j[q] = i[p]
    kept = [x for x in i if x not in j] + [x for x in j if x >= a.ndim]
    return contract_p(a, b, spec=(tuple(i), tuple(j), tuple(kept)))


def without_ones(x: Any, labels: Sequence[int], sizes: Any) -> tuple[Any, tuple[int, ...]]:
    """Drop from `x` each axis of length one whose label stands for a greater length: such axes broadcast."""
    keep = [not (n == 1 and sizes[i] != 1) for n, i in zip(x.shape, labels, strict=True)]
    if all(keep):
        return x, tuple(labels)
    x = x.reshape(tuple(n for n, k in zip(x.shape, keep, strict=True) if k))
    return x, tuple(i for i, k in zip(labels, keep, strict=True) if k)


# --- vectors and matrices ---------------------------------------------------------------------------------------------


@implements(np.dot)
def dot(a: Any, b: Any, out: Any = None) -> Any:
    a, b = _operands("np.dot", a, b)
    a_rank, b_rank = len(shape_of(a)), len(shape_of(b))
    if not a_rank or not b_rank:
        return np.multiply(strong(a), strong(b))
    if b_rank > 2:
        return _sum_product("np.dot", a, b, (a_rank - 1,), (b_rank - 2,))
    if a.shape[-1] != b.shape[0]:
        raise ValueError(f"np.dot: shapes {a.shape} and {b.shape} are not aligned")
    return matmul_p(a, b)


@implements(np.vdot)
def vdot(a: Any, b: Any, /) -> Any:
    a, b = (x.reshape((x.size,)) for x in (as_array(a, "np.vdot"), as_array(b, "np.vdot")))
    return matmul_p(_conjugate(a), b)


def _conjugate(x: Any) -> Any:
    return np.conj(x) if dtype_of(x).kind == "c" else x


@implements(np.inner)
def inner(a: Any, b: Any, /) -> Any:
    a, b = _operands("np.inner", a, b)
    if not shape_of(a) or not shape_of(b):
        return np.multiply(strong(a), strong(b))
    if a.shape[-1] != b.shape[-1]:
        raise _length_error("np.inner", a, b)
    if b.ndim <= 2:
        return matmul_p(a, b.T if b.ndim == 2 else b)
    return _sum_product("np.inner", a, b, (a.ndim - 1,), (b.ndim - 1,))


@implements(np.outer)
def outer(a: Any, b: Any, out: Any = None) -> Any:
    a, b = as_array(a, "np.outer"), as_array(b, "np.outer")
    return np.multiply(a.reshape((a.size, 1)), b.reshape((1, b.size)))


@implements(np.linalg.outer)
def linalg_outer(x1: Any, x2: Any, /) -> Any:
    x1, x2 = _operands("np.linalg.outer", x1, x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(
            f"np.linalg.outer: both arguments must be one-dimensional, got shapes {x1.shape} and {x2.shape}"
        )
    return outer(x1, x2)


@implements(np.linalg.matmul)
def linalg_matmul(x1: Any, x2: Any, /) -> Any:
    return matmul_p(*_operands("np.linalg.matmul", x1, x2))


def vecdot(x1: Any, x2: Any, *, axis: int = -1) -> Any:
    """Sum ``conj(x1) * x2`` over one axis, broadcasting the others."""
    x1, x2 = _operands("np.vecdot", x1, x2)
    if not shape_of(x1) or not shape_of(x2):
        raise ValueError("np.vecdot: scalar operands are not allowed, use '*' instead")
    if axis != -1:
        x1, x2 = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
    if x1.shape[-1] != x2.shape[-1]:
        raise _length_error("np.vecdot", x1, x2)
    x1 = _conjugate(x1)
    if x2.ndim == 1:
        return matmul_p(x1, x2)
    if x1.ndim == 1:
        return matmul_p(x2, x1)
    return _broadcast_contract(x1, x2)


def _broadcast_contract(a: Any, b: Any) -> Any:
    """Sum a product over the last axis; axes of length one are dropped from the operand that has them."""
    stack = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    n = len(stack)
    (a, i), (b, j) = (without_ones(x, [*range(n - x.ndim + 1, n), n], (*stack, x.shape[-1])) for x in (a, b))
    kept = tuple(range(n))
    return contract_p(a, b, spec=(i, j, kept))


def matvec(x1: Any, x2: Any) -> Any:
    """Multiply matrices (the last two axes of `x1`) by vectors (the last axis of `x2`)."""
    x1, x2 = _operands("np.matvec", x1, x2)
    if len(shape_of(x1)) < 2 or not shape_of(x2):
        raise ValueError(f"np.matvec needs a matrix and a vector, got shapes {shape_of(x1)} and {shape_of(x2)}")
    if x2.ndim == 1:
        return matmul_p(x1, x2)
    if x1.ndim == 2 and x1.shape[1] == x2.shape[-1]:
        return matmul_p(x2, x1.T)
    out = matmul_p(x1, x2.reshape((*x2.shape, 1)))
    return out.reshape(out.shape[:-1])


def vecmat(x1: Any, x2: Any) -> Any:
    """Multiply conjugated vectors (the last axis of `x1`) by matrices (the last two axes of `x2`)."""
    x1, x2 = _operands("np.vecmat", x1, x2)
    if not shape_of(x1) or len(shape_of(x2)) < 2:
        raise ValueError(f"np.vecmat needs a vector and a matrix, got shapes {shape_of(x1)} and {shape_of(x2)}")
    x1 = _conjugate(x1)
    if x1.ndim == 1 or x2.ndim == 2:
        return matmul_p(x1, x2)
    out = matmul_p(x1.reshape((*x1.shape[:-1], 1, x1.shape[-1])), x2)
    return out.reshape((*out.shape[:-2], out.shape[-1]))


def generalized(
    ufunc: np.ufunc, *inputs: Any, axes: Any = None, axis: int | None = None, keepdims: bool = False
) -> Any:
    """Apply a ufunc of vectors and matrices that lie along the given axes."""
    operands = _operands(f"np.{ufunc.__name__}", *inputs)
    if (axis is not None or keepdims) and ufunc.signature != "(n),(n)->()":
        raise TypeError(f"{ufunc.__name__} does not support axis= and keepdims=, use axes=")
    if axis is not None:
        if axes is not None:
            raise TypeError("cannot specify both 'axis' and 'axes'")
        axes = [axis, axis, axis] if keepdims else [axis, axis, ()]
    if axes is None:
        axes = [-1, -1, -1] if keepdims else None
    if axes is None:
        return UFUNCS[ufunc](*operands)
    *sources, target = [(i,) if isinstance(i, int | np.integer) else tuple(i) for i in (*axes, ())[:3]]
    moved = [np.moveaxis(x, s, range(-len(s), 0)) for x, s in zip(operands, sources, strict=True)]
    out = UFUNCS[ufunc](*moved)
    if keepdims:
        return np.expand_dims(out, target)
    return np.moveaxis(out, range(-len(target), 0), target) if target else out


for _name, _function in (("vecdot", vecdot), ("matvec", matvec), ("vecmat", vecmat)):
    for _ufunc in existing(_name):
        UFUNCS[_ufunc] = _function


@implements(np.linalg.vecdot)
def linalg_vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    return vecdot(x1, x2, axis=axis)


# --- tensors ----------------------------------------------------------------------------------------------------------


@implements(np.tensordot)
def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    a, b = as_array(a, "np.tensordot"), as_array(b, "np.tensordot")
    if hasattr(axes, "__iter__"):
        first, second = axes
        a_axes = list(first) if hasattr(first, "__iter__") else [first]
        b_axes = list(second) if hasattr(second, "__iter__") else [second]
    else:
        a_axes, b_axes = list(range(-axes, 0)), list(range(axes))
    a_axes = [normalize_axis(i, a.ndim) for i in a_axes]
    b_axes = [normalize_axis(i, b.ndim) for i in b_axes]
    if len(set(a_axes)) != len(a_axes) or len(set(b_axes)) != len(b_axes):
        raise ValueError(f"np.tensordot: an axis stands twice in axes={axes!r}")
    return _as_array_0d(_sum_product("np.tensordot", a, b, a_axes, b_axes))


def _as_array_0d(x: Any) -> Any:
    """Return the scalar `x` as an array without axes, as functions do that reshape their result; arrays as they are."""
    return x if shape_of(x) else np.reshape(np.reshape(x, (1,)), ())


@implements(np.linalg.tensordot)
def linalg_tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    return tensordot(x1, x2, axes)


@implements(np.kron)
def kron(a: Any, b: Any) -> Any:
    a, b = as_array(a, "np.kron"), as_array(b, "np.kron")
    n = max(a.ndim, b.ndim)
    a_shape = (1,) * (n - a.ndim) + a.shape
    b_shape = (1,) * (n - b.ndim) + b.shape
    blocks = a.reshape(tuple(m for k in a_shape for m in (k, 1)))
    out = np.multiply(blocks, b.reshape(tuple(m for k in b_shape for m in (1, k))))
    return out.reshape(tuple(p * q for p, q in zip(a_shape, b_shape, strict=True)))


@implements(np.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    if axis is not None:
        axisa = axisb = axisc = axis
    a = np.moveaxis(as_array(a, "np.cross"), axisa, -1)
    b = np.moveaxis(as_array(b, "np.cross"), axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError(
            f"np.cross: vectors must have 2 or 3 components, got shapes {a.shape} and {b.shape} (vectors last)"
        )
    if 2 in (a.shape[-1], b.shape[-1]):
        message = "Arrays of 2-dimensional vectors are deprecated. Use arrays of 3-dimensional vectors instead."
        warnings.warn(message, DeprecationWarning, stacklevel=5)
    if a.shape[-1] == b.shape[-1] == 2:
        return _as_array_0d(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
    a, b = (x if x.shape[-1] == 3 else np.concatenate([x, 0 * x[..., :1]], axis=-1) for x in (a, b))
    out = a[..., _NEXT] * b[..., _AFTER] - a[..., _AFTER] * b[..., _NEXT]
    return np.moveaxis(out, -1, axisc)


_NEXT, _AFTER = np.array([1, 2, 0]), np.array([2, 0, 1])


@implements(np.linalg.cross)
def linalg_cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    x1, x2 = _operands("np.linalg.cross", x1, x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ValueError(f"np.linalg.cross: both vectors need 3 components, got {x1.shape[axis]} and {x2.shape[axis]}")
    return cross(x1, x2, axis=axis)


# --- chains -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _chain(sizes: tuple[int, ...]) -> Any:
    """The cheapest bracketing of a product of matrices ``sizes[i] × sizes[i+1]``, as nested pairs of positions."""
    count = len(sizes) - 1
    best: dict[tuple[int, int], tuple[int, Any]] = {(i, i): (0, i) for i in range(count)}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            best[i, j] = min(
                (
                    (
                        best[i, k][0] + best[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1],
                        (best[i, k][1], best[k + 1, j][1]),
                    )
                    for k in range(i, j)
                ),
                key=lambda entry: entry[0],
            )
    return best[0, count - 1][1]


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: Any = None) -> Any:
    operands = _operands("np.linalg.multi_dot", *arrays)
    if len(operands) < 2:
        raise ValueError("np.linalg.multi_dot expects at least two arrays")
    ranks = [len(shape_of(x)) for x in operands]
    if ranks[0] not in (1, 2) or ranks[-1] not in (1, 2) or any(r != 2 for r in ranks[1:-1]):
        raise np.linalg.LinAlgError(
            f"np.linalg.multi_dot: the first and last arrays must have one or two axes and the others two; got {ranks}"
        )
    sizes = [x.shape[0] if x.ndim == 2 else 1 for x in operands[:1]]
    sizes += [x.shape[0] for x in operands[1:]]
    sizes.append(operands[-1].shape[1] if ranks[-1] == 2 else 1)

    def evaluate(order: Any) -> Any:
        return operands[order] if isinstance(order, int) else dot(evaluate(order[0]), evaluate(order[1]))

    return evaluate(_chain(tuple(sizes)))
