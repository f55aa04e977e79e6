"""Arrays made from arrays and from nested lists: ``array``, ``asarray`` and their relatives."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from ..core.buffer import buffer
from ..core.dispatch import FUNCTIONS
from ..core.errors import TracerConversionError, caller
from ..core.tracer import Tracer, own
from ..core.values import SCALAR_TYPES
from ..core.views import Root, layout, link_view
from .forwarding import documented, holds_traced, without_traced_like
from .uniform import is_uniform, made

__all__ = ["array", "asanyarray", "asarray", "asarray_chkfinite", "ascontiguousarray", "asfortranarray", "require"]

_COPIES = "Unable to avoid copy while creating an array as requested."


def _assembled(x: Any) -> Any:
    """The array that a nested sequence with traced values inside stands for."""
    if isinstance(x, Tracer):
        return x
    if not isinstance(x, list | tuple) or not holds_traced(x):
        plain = np.asarray(x)
        if plain.dtype.kind not in "biufc":
            raise TracerConversionError(
                f"a list that holds traced values and a {type(x).__name__} (at {caller()}) would make an array of "
                f"objects or strings and drop the derivatives; keep other things out of it"
            )
        return plain
    parts = [_assembled(y) for y in x]
    shapes = {part.shape for part in parts}
    if len(shapes) > 1:
        raise ValueError(
            "setting an array element with a sequence. The requested array has an inhomogeneous shape: the elements of "
            f"a {type(x).__name__} have the shapes {', '.join(map(str, sorted(shapes)))} (at {caller()})"
        )
    return FUNCTIONS[np.stack](parts)


def _has_layout(x: Any, order: str | None) -> bool:
    if order not in ("C", "F"):
        return True
    known = layout(x)
    return known is None or bool(known.flags.c_contiguous if order == "C" else known.flags.f_contiguous)


def _laid_out(x: Any, order: Any) -> Any:
    """A copy of `x` that reshape and ravel find in the given memory order, in whichever its value is kept."""
    out = own(x.clone())
    out._link = Root()
    out._link.positions = np.asarray(np.arange(x.size).reshape(x.shape), order=order)
    return out


def _converted(x: Any, dtype: Any, copy: Any, order: Any, fresh: bool) -> Any:
    """The traced array `x` in another dtype, copied where NumPy copies."""
    casts = dtype is not None and np.dtype(dtype) != x.dtype
    moves = not _has_layout(x, order)
    if copy is False and (casts or moves or fresh):
        raise ValueError(_COPIES)
    if casts:
        x = x.astype(dtype)
    if moves:
        return _laid_out(x, order)
    return FUNCTIONS[np.copy](x) if copy and not (casts or fresh) else x


def _no_objects(dtype: Any) -> None:
    if dtype is not None and np.dtype(dtype) == np.dtype(object):
        raise TracerConversionError(
            f"an array of objects made at {caller()} of traced values would drop their derivatives; "
            f"keep them in a list, or leave out dtype=object"
        )


def _device(device: Any) -> None:
    if device not in (None, "cpu"):
        raise ValueError(f'Device not understood. Only "cpu" is allowed, but received: {device}')


def _is_new(array: Any, source: Any) -> bool:
    """Whether an array made from `source` has memory of its own."""
    if isinstance(source, np.ndarray):
        return array is not source and array.base is None
    return isinstance(source, (Sequence, np.generic, *SCALAR_TYPES)) and array.base is None


def _read_only(plain: Any) -> Any:
    """What ``asarray`` of a plain array is inside a transform: traced indices pick from it, and nobody writes to it."""
    whole = buffer(plain)
    if whole is plain or not plain.ndim:
        return plain
    return link_view(whole.clone(), whole, itemgetter(...), writeable=False)


def _make(x: Any, dtype: Any, copy: Any, order: str | None, **options: Any) -> Any:
    if isinstance(x, Tracer):
        _no_objects(dtype)
        out = _converted(x, dtype, copy, order, fresh=False)
        return out if out.ndim else out._as_array()
    try:
        new = np.array(x, dtype, copy=copy, order=order, **options)  # type: ignore[arg-type]
    except TracerConversionError:
        if not holds_traced(x):
            raise
    else:
        if new.dtype != object or not holds_traced(x):
            return made(new) if _is_new(new, x) or is_uniform() else _read_only(new)
    _no_objects(dtype)
    return _converted(_assembled(x), dtype, copy, order, fresh=True)


@documented(np.array)
def array(
    object: Any,
    dtype: Any = None,
    *,
    copy: bool | None = True,
    order: str | None = "K",
    subok: bool = False,
    ndmin: int = 0,
    like: Any = None,
    **newer: Any,
) -> Any:
    """Make an array; traced values may be anywhere in a nested list, and ``array(t)`` is a traced copy of `t`."""
    options = without_traced_like({"like": like} | newer)
    out = _make(object, dtype, copy, order, subok=subok, ndmin=ndmin, **options)
    if isinstance(out, Tracer) and out.ndim < ndmin:
        out = out.reshape((1,) * (ndmin - out.ndim) + out.shape)
    return out


@documented(np.asarray)
def asarray(
    a: Any,
    dtype: Any = None,
    order: str | None = None,
    *,
    device: Any = None,
    copy: bool | None = None,
    like: Any = None,
) -> Any:
    """Convert to an array; ``asarray(t)`` is the traced `t` itself, and an array that need not change is returned."""
    _device(device)
    return _make(a, dtype, copy, order, **without_traced_like({"like": like}))


@documented(np.asanyarray)
def asanyarray(
    a: Any,
    dtype: Any = None,
    order: str | None = None,
    *,
    device: Any = None,
    copy: bool | None = None,
    like: Any = None,
) -> Any:
    """Convert to an array, letting subclasses pass; ``asanyarray(t)`` is the traced `t` itself."""
    _device(device)
    return _make(a, dtype, copy, order, subok=True, **without_traced_like({"like": like}))


@documented(np.ascontiguousarray)
def ascontiguousarray(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
    """Return a C-contiguous array of at least one dimension; a traced one is copied where NumPy would copy it."""
    return array(a, dtype, copy=None, order="C", ndmin=1, like=like)


@documented(np.asfortranarray)
def asfortranarray(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
    """Return a Fortran-contiguous array of at least one dimension; a traced one is copied where NumPy would."""
    return array(a, dtype, copy=None, order="F", ndmin=1, like=like)


@documented(np.asarray_chkfinite)
def asarray_chkfinite(a: Any, dtype: Any = None, order: str | None = None) -> Any:
    """Convert to an array and raise if an element is infinite or NaN; of a traced array, the values are looked at."""
    out = asarray(a, dtype, order)
    if out.dtype.kind in "fc" and not np.all(np.isfinite(out)):
        raise ValueError("array must not contain infs or NaNs")
    return out


@documented(np.require)
def require(a: Any, dtype: Any = None, requirements: Any = None, *, like: Any = None) -> Any:
    """Convert to an array that meets requirements; a traced array has all but a memory layout of its own."""
    if not holds_traced(a):
        return np.require(a, dtype, requirements, **without_traced_like({"like": like}))
    wanted = {str(flag).upper() for flag in ([requirements] if isinstance(requirements, str) else requirements or ())}
    fortran = bool(wanted & {"F", "F_CONTIGUOUS", "FORTRAN"})
    if fortran and wanted & {"C", "C_CONTIGUOUS", "CONTIGUOUS"}:
        raise ValueError("Cannot specify both 'C' and 'F' order")
    order = "F" if fortran else "C" if wanted & {"C", "C_CONTIGUOUS", "CONTIGUOUS"} else None
    return array(a, dtype, copy=True if wanted & {"O", "OWNDATA"} else None, order=order)
