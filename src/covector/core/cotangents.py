"""Cotangent arithmetic shared by the tape's pullback and the transposition of recorded programs."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from .mutation import is_alone, write
from .primitive import PRIMITIVES
from .tracer import Tracer
from .values import Shape, dtype_of, shape_of

__all__ = ["Pending", "Scatter", "add_cotangent", "narrow", "settled", "unbroadcast", "unshared", "zeros"]

_ndarray = np.ndarray


class Scatter:
    """The cotangent of an indexing: `values` at `index` of an array of zeros, not yet written out.

    Adding it to a buffer that is ours touches only the indexed elements, so that reading n elements one by one
    costs O(n) backwards and not O(n²). `index` is plain; where an index is traced, the rule writes out at once.
    """

    __slots__ = ("dense", "dtype", "index", "shape", "unique", "values")

    def __init__(self, index: Any, values: Any, shape: tuple[int, ...], unique: bool, dense: Any) -> None:
        self.index = index
        self.values = values
        self.shape = shape
        self.dtype = dtype_of(values)
        self.unique = unique
        self.dense = dense

    def add_into(self, total: np.ndarray[Any, Any]) -> None:
        """Add to `total`, a buffer nobody else sees."""
        if self.unique:
            total[self.index] += self.values
        else:
            np.add.at(total, self.index, self.values)

    def basic(self) -> bool:
        """Whether the index consists of integers and slices."""
        return all(i is None or i is Ellipsis or isinstance(i, int | slice) for i in self.index)

    def places(self) -> Any:
        """The positions written to, in the array laid out flat; one per element of `values`."""
        out = np.zeros(1, int)
        if self.basic():
            items = [i for i in self.index if i is not None]
            k = items.index(Ellipsis) if Ellipsis in items else len(items)
            items[k : k + 1] = [slice(None)] * (len(self.shape) - len(items) + (k < len(items)))
            for i, n in zip(items, self.shape, strict=True):
                at = np.arange(*i.indices(n)) if isinstance(i, slice) else np.array([i % n])
                out = (out[:, None] * n + at).reshape(-1)
            return out
        for i, n in zip(np.broadcast_arrays(*self.index), self.shape, strict=False):
            out = out * n + i.reshape(-1) % n
        rest = math.prod(self.shape[len(self.index) :])
        return (out[:, None] * rest + np.arange(rest)).reshape(-1)


_FEW = 4
"""Up to how many traced scatters are cheaper to write out one by one than to merge."""


class Pending:
    """Traced scatters into one array, kept apart until the sum is needed and then written as a single scatter.

    A traced value cannot be added to in place, so each on its own would cost a pass over the whole array.
    """

    __slots__ = ("dense", "scatters", "shape")

    def __init__(self, shape: Shape, dense: Any) -> None:
        self.shape = shape
        self.dense = dense
        self.scatters: list[Scatter] = []

    def total(self) -> Any:
        """Return the sum."""
        if len(self.scatters) <= _FEW:
            written = self.scatters[0].dense()
            for s in self.scatters[1:]:
                written = written + s.dense()
        else:
            values = np.concatenate([np.reshape(s.values, -1) for s in self.scatters])
            places = np.concatenate([s.places() for s in self.scatters])
            flat = PRIMITIVES["scatter"](values, places, shape=(math.prod(self.shape),), unique=False)
            written = np.reshape(flat, self.shape)
        return written if self.dense is None else self.dense + written


def settled(totals: list[Any], slot: int) -> Any:
    """Return ``totals[slot]``, in which nothing is pending any more."""
    ct = totals[slot]
    if type(ct) is Pending:
        ct = totals[slot] = ct.total()
    return ct


def zeros(x: Any) -> Any:
    """Zeros of the shape, dtype and kind (NumPy scalar or array) of `x`."""
    shape = shape_of(x)
    dtype = dtype_of(x)
    return np.zeros(shape, dtype) if shape or isinstance(x, _ndarray) else dtype.type(0)


def narrow(ct: Any, dtype: np.dtype[Any]) -> Any:
    """Return `ct` in `dtype`: the transpose of NumPy's widening; of real into complex it is the real part."""
    if ct.dtype.kind == "c" and dtype.kind != "c":
        ct = np.real(ct)
        if ct.dtype == dtype:
            return ct
    return ct.astype(dtype)


def unbroadcast(ct: Any, x: Any) -> Any:
    """Sum `ct` over the axes along which `x` was broadcast: the transpose of NumPy's broadcasting."""
    shape = shape_of(x)
    return ct if ct.shape == shape else _sum_to(ct, shape)


def _sum_to(ct: Any, shape: Shape) -> Any:
    if not shape:
        return ct.sum()
    extra = len(ct.shape) - len(shape)
    if extra:
        ct = ct.sum(axis=tuple(range(extra)))
    axes = tuple(i for i, (n, m) in enumerate(zip(shape, ct.shape, strict=True)) if n == 1 and m != 1)
    if axes:
        ct = ct.sum(axis=axes, keepdims=True)
    return ct


def _references(totals: list[Any]) -> int:
    """What `sys.getrefcount` says of an array that only the list and a local variable refer to."""
    total = totals[0]
    return sys.getrefcount(total)


# Measured, because Python versions count a call's argument differently, and at most the 3 of those that count most.
_ALONE = min(3, _references([np.empty(1)]))


def unshared(totals: list[Any], slot: int) -> Any:
    """Return ``totals[slot]`` for the user to keep and change: a copy if it is a view or anybody else refers to it."""
    total = totals[slot]
    mine = type(total) is not _ndarray or (sys.getrefcount(total) <= _ALONE and total.base is None)
    return total if mine else total.copy()


def add_cotangent(totals: list[Any], slot: int, ct: Any, x: Any) -> None:
    """Add `ct` to ``totals[slot]``, the cotangent of `x`.

    `ct` is first summed over the axes along which `x` was broadcast, and taken to its dtype. The sum is formed in
    place when nobody else holds the array, which its reference count tells.
    """
    try:
        dtype, shape = x.dtype, x.shape
    except AttributeError:
        dtype, shape = dtype_of(x), ()
    if type(ct) is Scatter:
        if shape:
            _add_scatter(totals, slot, ct, shape, dtype)
            return
        ct = ct.dense()
    total = totals[slot]
    if ct.shape != shape:
        ct = _sum_to(ct, shape)
    if ct.dtype != dtype:
        ct = narrow(ct, dtype)
    if total is None:
        totals[slot] = ct
    elif type(total) is Pending:
        total.dense = ct if total.dense is None else total.dense + ct
    elif (
        type(total) is _ndarray
        and sys.getrefcount(total) <= _ALONE
        and total.base is None
        and total.flags.writeable
        and not isinstance(ct, Tracer)
    ):
        np.add(total, ct, out=total)
    else:
        totals[slot] = total + ct


def _add_scatter(totals: list[Any], slot: int, ct: Scatter, shape: Shape, dtype: np.dtype[Any]) -> None:
    """Write `ct` into the buffer of ``totals[slot]``, made ours first; keep it pending where values are traced."""
    total = totals[slot]
    if ct.dtype != dtype:
        ct.values = narrow(ct.values, dtype)
    if isinstance(total, Tracer) and ct.basic():
        references = sys.getrefcount(total)
        if is_alone(total, references):
            read, store = PRIMITIVES["read"], PRIMITIVES["write"]
            write(total, store, (read(total, index=ct.index) + ct.values,), {"index": ct.index})
            return
    if isinstance(ct.values, Tracer) or isinstance(total, Tracer | Pending):
        if type(total) is not Pending:
            total = totals[slot] = Pending(shape, total)
        total.scatters.append(ct)
        return
    if total is None:
        total = totals[slot] = np.zeros(shape, dtype)
    elif not (sys.getrefcount(total) <= _ALONE and total.base is None and total.flags.writeable):
        total = totals[slot] = np.array(total)
    ct.add_into(total)
