"""NumPy's functions that put arrays together and take them apart."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from ..ops.structural import concat_p
from .axes import normalize_axis
from .register import existing, implements
from .structural import as_array, atleast_1d, atleast_2d, atleast_3d, expand_dims, moveaxis, ravel, reshape

__all__ = ["concatenate", "stack"]


# --- putting together -------------------------------------------------------------------------------------------------


def _arrays(arrays: Any, name: str) -> list[Any]:
    """Return the members of a sequence of arrays; a traced array is the sequence of its rows."""
    return [as_array(a, name) for a in arrays]


def _cast(arrays: list[Any], dtype: Any, casting: Any, name: str) -> list[Any]:
    if dtype is None:
        return arrays
    dtype = np.dtype(dtype)
    for a in arrays:
        if not np.can_cast(a.dtype, dtype, casting):
            raise TypeError(f"np.{name}: cannot cast from {a.dtype} to {dtype} according to the rule {casting!r}")
    return [a if a.dtype == dtype else a.astype(dtype) for a in arrays]


def _concat(arrays: list[Any], axis: int, name: str) -> Any:
    if not arrays:
        raise ValueError("need at least one array to concatenate")
    rank = arrays[0].ndim
    if rank == 0:
        raise ValueError("zero-dimensional arrays cannot be concatenated")
    axis = normalize_axis(axis, rank)
    rest = {a.shape[:axis] + a.shape[axis + 1 :] for a in arrays}
    if len(rest) > 1 or any(a.ndim != rank for a in arrays):
        raise ValueError(
            f"np.{name}: the shapes {', '.join(str(a.shape) for a in arrays)} must agree except along axis {axis}"
        )
    return concat_p(*arrays, axis=axis)


@implements(np.concatenate)
def concatenate(
    arrays: Any, /, axis: int | None = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    parts = _cast(_arrays(arrays, "np.concatenate"), dtype, casting, "concatenate")
    if axis is None:
        parts, axis = [ravel(a) for a in parts], 0
    return _concat(parts, axis, "concatenate")


@implements(np.stack)
def stack(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    parts = _cast(_arrays(arrays, "np.stack"), dtype, casting, "stack")
    if not parts:
        raise ValueError("need at least one array to stack")
    if len({a.shape for a in parts}) > 1:
        raise ValueError("all input arrays must have the same shape")
    axis = normalize_axis(axis, parts[0].ndim + 1)
    return concat_p(*[expand_dims(a, axis) for a in parts], axis=axis)


@implements(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    parts = [atleast_2d(a) for a in _cast(_arrays(tup, "np.vstack"), dtype, casting, "vstack")]
    return _concat(parts, 0, "vstack")


@implements(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    parts = [atleast_1d(a) for a in _cast(_arrays(tup, "np.hstack"), dtype, casting, "hstack")]
    return _concat(parts, 0 if parts and parts[0].ndim == 1 else 1, "hstack")


@implements(np.dstack)
def dstack(tup: Any) -> Any:
    return _concat([atleast_3d(a) for a in _arrays(tup, "np.dstack")], 2, "dstack")


@implements(np.column_stack)
def column_stack(tup: Any) -> Any:
    columns = [reshape(a, (a.size, 1)) if a.ndim < 2 else a for a in _arrays(tup, "np.column_stack")]
    return _concat(columns, 1, "column_stack")


@implements(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    arr, values = as_array(arr, "np.append"), as_array(values, "np.append")
    if axis is None:
        arr, values, axis = ravel(arr), ravel(values), 0
    return _concat([arr, values], axis, "append")


@implements(np.block)
def block(arrays: Any) -> Any:
    depth = _block_depth(arrays)
    leaves = list(_block_leaves(arrays))
    rank = max(depth, *[a.ndim for a in leaves])
    raised = iter([reshape(a, (1,) * (rank - a.ndim) + a.shape) for a in leaves])

    def join(node: Any, level: int) -> Any:
        if not isinstance(node, list):
            return next(raised)
        return _concat([join(x, level + 1) for x in node], rank - depth + level, "block")

    return join(arrays, 0)


def _block_depth(node: Any) -> int:
    if isinstance(node, tuple):
        raise TypeError("np.block: only lists can hold the blocks; a tuple was given")
    if not isinstance(node, list):
        return 0
    if not node:
        raise ValueError("np.block: a list of blocks must not be empty")
    depths = {_block_depth(x) for x in node}
    if len(depths) > 1:
        raise ValueError("np.block: the lists must be nested to one depth")
    return 1 + depths.pop()


def _block_leaves(node: Any) -> Iterable[Any]:
    if isinstance(node, list):
        for x in node:
            yield from _block_leaves(x)
    else:
        yield as_array(node, "np.block")


# --- taking apart -----------------------------------------------------------------------------------------------------


def _sections(n: int, indices_or_sections: Any, even: bool) -> list[slice]:
    """The slices into which ``np.split`` (`even`) or ``np.array_split`` cuts an axis of length `n`."""
    if isinstance(indices_or_sections, Iterable):
        return [slice(a, b) for a, b in pairwise([0, *(operator.index(i) for i in indices_or_sections), n])]
    count = int(indices_or_sections)
    if count <= 0:
        raise ValueError("number sections must be larger than 0.")
    if even and n % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    each, extra = divmod(n, count)
    ends = [0]
    for k in range(count):
        ends.append(ends[-1] + each + (k < extra))
    return [slice(a, b) for a, b in pairwise(ends)]


def _split(a: Any, indices_or_sections: Any, axis: int, even: bool) -> list[Any]:
    axis = normalize_axis(axis, a.ndim)
    before = (slice(None),) * axis
    return [a[(*before, s)] for s in _sections(a.shape[axis], indices_or_sections, even)]


@implements(np.split, view=True)
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    return _split(ary, indices_or_sections, axis, even=True)


@implements(np.array_split, view=True)
def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    return _split(ary, indices_or_sections, axis, even=False)


@implements(np.hsplit, view=True)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    if ary.ndim == 0:
        raise ValueError("hsplit only works on arrays of 1 or more dimensions")
    return split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@implements(np.vsplit, view=True)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    if ary.ndim < 2:
        raise ValueError("vsplit only works on arrays of 2 or more dimensions")
    return split(ary, indices_or_sections, 0)


@implements(np.dsplit, view=True)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    if ary.ndim < 3:
        raise ValueError("dsplit only works on arrays of 3 or more dimensions")
    return split(ary, indices_or_sections, 2)


@implements(*existing("unstack"), view=True)
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    if x.ndim == 0:
        raise ValueError("Input array must be at least 1-d.")
    return tuple(moveaxis(x, axis, 0))
