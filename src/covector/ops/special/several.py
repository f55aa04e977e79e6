"""Builders for ufuncs with several outputs, and for those without any derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.dispatch import REFUSED, UFUNCS
from ...core.primitive import Primitive
from ..families import elementwise

__all__ = ["in_double", "no_derivative", "several"]


def in_double(ufunc: Callable[..., Any], whole: int | None = None) -> Callable[..., Any]:
    """`ufunc` computed in double precision and rounded to the precision of its arguments; `whole` is an integer one.

    For ufuncs whose loops in single precision give NaN, complain or do not end.
    """

    def compute(*args: Any) -> Any:
        arrays = [x for x in args if hasattr(x, "dtype") and x.dtype.kind == "f"]
        dtype = np.result_type(*[x.dtype for x in arrays]) if arrays else np.dtype(float)
        wide = [np.asarray(x, np.int64 if i == whole else float) for i, x in enumerate(args)]
        out = ufunc(*wide)
        return tuple(y.astype(dtype)[()] for y in out) if isinstance(out, tuple) else out.astype(dtype)[()]

    return compute


def _output(ufunc: Callable[..., Any], i: int) -> Callable[..., Any]:
    return lambda *args: ufunc(*args)[i]


def several(
    ufunc: np.ufunc,
    partials: Sequence[Sequence[Any]],
    *,
    samples: Sequence[Any],
    source: str = "",
    double: bool = False,
) -> tuple[Primitive, ...]:
    """Declare one elementwise primitive per output of `ufunc`, each with its own partial derivatives.

    The partials may call the primitives that this returns, because they run later. `double`: see `in_double`.
    """
    name = ufunc.__name__
    compute = in_double(ufunc) if double else ufunc
    found = tuple(
        elementwise(f"{name}_{i}", None, own, impl=_output(compute, i), samples=samples, source=source)
        for i, own in enumerate(partials)
    )
    UFUNCS[ufunc] = lambda *args: tuple(p(*args) for p in found)
    return found


def no_derivative(reason: str, *ufuncs: np.ufunc) -> None:
    """Refuse `ufuncs`, each with the reason, which names what works instead."""
    for ufunc in ufuncs:
        REFUSED[ufunc] = reason
