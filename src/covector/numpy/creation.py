"""New arrays: constants, ranges, and arrays filled by a function.

While a transform runs they are *buffers*: plain arrays behind a handle, to which traced values can be assigned later.
Outside of transforms they are plain arrays.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..core.dispatch import call_function
from ..core.errors import TracerConversionError, caller
from ..core.tracer import Tracer
from ..numpy_api.plain import plain
from .conversion import array, asarray
from .forwarding import documented, fresh, holds_traced, without_traced_like
from .uniform import made

__all__ = [
    "arange",
    "copy",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "fromfunction",
    "fromiter",
    "full",
    "full_like",
    "geomspace",
    "identity",
    "indices",
    "kaiser",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "tri",
    "vander",
    "zeros",
    "zeros_like",
]

zeros, ones, empty, eye, identity, tri, indices = (
    fresh(f) for f in (np.zeros, np.ones, np.empty, np.eye, np.identity, np.tri, np.indices)
)
zeros_like, ones_like, empty_like, full_like = (
    fresh(f) for f in (np.zeros_like, np.ones_like, np.empty_like, np.full_like)
)
linspace, logspace, geomspace, vander, copy = (
    fresh(f) for f in (np.linspace, np.logspace, np.geomspace, np.vander, np.copy)
)


@documented(np.full)
def full(
    shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, device: Any = None, like: Any = None
) -> Any:
    """Return a new array filled with `fill_value`, which may be traced."""
    if holds_traced(fill_value):
        return call_function(np.full, (shape, asarray(fill_value), dtype, order), {"device": device})
    options = without_traced_like({"like": like})
    return made(np.full(shape, fill_value, dtype, order, device=device, **options))  # type: ignore[call-overload]


def _arange_arguments(args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, Any, Any, Any]:
    """Sort out ``arange(stop)``, ``arange(start, stop, step, dtype)`` and their forms with keywords."""
    given = dict(zip(("start", "stop", "step", "dtype"), args))
    twice = set(given) & set(options)
    unknown = set(options) - {"start", "stop", "step", "dtype", "device", "like"}
    if len(args) > 4 or twice or unknown or not (args or "stop" in options):
        raise TypeError(f"arange() got unexpected or missing arguments ({len(args)} positional and {sorted(options)})")
    if options.get("device") not in (None, "cpu"):
        raise ValueError(f'Device not understood. Only "cpu" is allowed, but received: {options["device"]}')
    given |= options
    start, stop, step = given.get("start", 0), given.get("stop"), given.get("step", 1)
    if stop is None:
        start, stop = 0, start
    return start, stop, 1 if step is None else step, given.get("dtype")


@documented(np.arange)
def arange(*args: Any, **options: Any) -> Any:
    """Return evenly spaced values. Start and step may be traced: the number of elements is that of their values."""
    if not any(isinstance(x, Tracer) for x in (*args, *options.values())):
        return made(np.arange(*args, **options))
    start, stop, step, dtype = _arange_arguments(args, options)
    values = [plain(x, "np.arange")[()] if isinstance(x, Tracer) else x for x in (start, stop, step)]
    known = np.arange(*values, dtype=dtype)
    if known.dtype.kind not in "fc" or not (isinstance(start, Tracer) or isinstance(step, Tracer)):
        return made(known)
    # As NumPy does: the first two elements, and from then on multiples of their difference.
    first = asarray(start).astype(known.dtype)
    delta = asarray(start + step).astype(known.dtype) - first
    return first + np.arange(len(known), dtype=known.dtype) * delta


@documented(np.fromfunction)
def fromfunction(
    function: Callable[..., Any], shape: Any, *, dtype: Any = float, like: Any = None, **kwargs: Any
) -> Any:
    """Call `function` on arrays of indices; it may use traced values."""
    return function(*indices(shape, dtype=dtype), **kwargs)


@documented(np.fromiter)
def fromiter(iter: Iterable[Any], dtype: Any, count: int = -1, *, like: Any = None) -> Any:
    """Make a one-dimensional array of the values of an iterable, which may be traced."""
    values: list[Any] = []
    for value in iter:
        if len(values) == count:
            break
        values.append(value)
    if len(values) < count:
        raise ValueError(f"iterator too short: Expected {count} but iterator had only {len(values)} items.")
    return array(values, dtype) if holds_traced(values) else made(np.fromiter(values, dtype, operator.index(count)))


@documented(np.from_dlpack)
def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """Take over an array of another library; a traced one cannot leave through DLPack."""
    if isinstance(x, Tracer):
        raise TracerConversionError(
            f"from_dlpack at {caller()} would drop the derivative of a value traced by {x._trace.name}; use it as it is"
        )
    options: dict[str, Any] = {name: value for name, value in (("device", device), ("copy", copy)) if value is not None}
    return np.from_dlpack(x, **options)


@documented(np.kaiser)
def kaiser(M: int, beta: Any) -> Any:
    """Return the Kaiser window; `beta` may be traced."""
    if not holds_traced(beta):
        return made(np.kaiser(M, beta))
    if M < 2:
        return np.ones(max(int(M), 0), beta.dtype) + 0 * beta
    half = (M - 1) / 2.0
    return np.i0(beta * np.sqrt(1 - ((np.arange(M) - half) / half) ** 2.0)) / np.i0(beta)
