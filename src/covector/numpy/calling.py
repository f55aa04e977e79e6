"""Functions that call a function of the user's and put its results together."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.dispatch import call_function
from ..core.errors import ConcretizationError
from ..core.tracer import Tracer, running
from ..numpy_api.plain import plain
from .conversion import array, asanyarray, asarray
from .creation import zeros_like
from .forwarding import documented, holds_traced

__all__ = ["apply_along_axis", "piecewise", "vectorize"]


@documented(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """Apply a function to one-dimensional slices; the slices and what the function uses may be traced."""
    if running() is None and not holds_traced(arr):
        return np.apply_along_axis(func1d, axis, arr, *args, **kwargs)
    return call_function(np.apply_along_axis, (func1d, axis, asanyarray(arr), *args), kwargs)


# --- piecewise --------------------------------------------------------------------------------------------------------


def _conditions(x: Any, condlist: Any, count: int) -> list[Any]:
    """The conditions as a list, with "none of them" at the end where there is a function for that."""
    first = condlist[0] if isinstance(condlist, list | tuple) else condlist
    single = not isinstance(first, list | np.ndarray | Tracer) and x.ndim != 0
    if single or (isinstance(condlist, np.ndarray | Tracer) and condlist.ndim == x.ndim):
        condlist = [condlist]
    conditions = [asarray(c).astype(bool) for c in condlist]
    if count == len(conditions) + 1:
        none = ~conditions[0]
        for c in conditions[1:]:
            none = none & ~c
        conditions.append(none)
    elif count != len(conditions):
        raise ValueError(
            f"with {len(conditions)} condition(s), either {len(conditions)} or {len(conditions) + 1} functions are "
            "expected"
        )
    return conditions


@documented(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Evaluate each function where its condition holds; the array, conditions and functions may be traced.

    Under `vmap` each function is called on the whole array, because the elements at which a condition holds differ
    from lane to lane, and the results are chosen from.
    """
    if running() is None and not holds_traced([x, condlist, *funclist]):
        return np.piecewise(x, condlist, funclist, *args, **kw)
    x = asanyarray(x)
    conditions = _conditions(x, condlist, len(funclist))
    try:
        masks = [plain(c, "np.piecewise") for c in conditions]
    except ConcretizationError:
        return _chosen(x, conditions, funclist, args, kw)
    if x.ndim == 0:
        y = zeros_like(x)
        for mask, function in zip(masks, funclist, strict=True):
            if mask.any():
                y = function(x, *args, **kw) if callable(function) else function
        return asarray(y).astype(x.dtype).reshape(())
    y = zeros_like(x)
    for mask, function in zip(masks, funclist, strict=True):
        if not callable(function):
            y[mask] = function
        elif mask.any():
            y[mask] = function(x[mask], *args, **kw)
    return y


def _chosen(x: Any, conditions: list[Any], functions: Any, args: Any, kw: Any) -> Any:
    y = np.zeros_like(x)
    for condition, function in zip(conditions, functions, strict=True):
        value = function(x, *args, **kw) if callable(function) else function
        y = np.where(condition, asarray(value).astype(x.dtype), y)
    return y


# --- vectorize --------------------------------------------------------------------------------------------------------

_NAMES = r"\(\s*(?:\w+(?:\s*,\s*\w+)*)?\s*,?\s*\)"
_SIGNATURE = re.compile(rf"^\s*{_NAMES}(?:\s*,\s*{_NAMES})*\s*->\s*{_NAMES}(?:\s*,\s*{_NAMES})*\s*$")


def _parsed(signature: str) -> tuple[list[list[str]], list[list[str]]]:
    """Return the names of core dimensions of the inputs and of the outputs of ``"(m,n),(n)->(m)"``."""
    if not _SIGNATURE.match(signature):
        raise ValueError(f"not a valid gufunc signature: {signature}")
    inputs, outputs = (
        [re.findall(r"\w+", part) for part in re.findall(_NAMES, side)] for side in signature.split("->")
    )
    return inputs, outputs


class vectorize(np.vectorize):
    """A function that calls `pyfunc` for each element, or with `signature` for each subarray, also of traced arrays.

    Inside a transform the function is called in a loop and the results are stacked, so that they may be traced.
    """

    def __init__(self, pyfunc: Any = np._NoValue, *args: Any, **options: Any) -> None:
        super().__init__(pyfunc, *args, **options)
        if isinstance(self.signature, str):
            _parsed(self.signature)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        undecorated: Any = np._NoValue
        if self.pyfunc is undecorated or (running() is None and not holds_traced([*args, *kwargs.values()])):
            return super().__call__(*args, **kwargs)
        positions = [i for i in range(len(args)) if i not in self.excluded]
        names = [name for name in kwargs if name not in self.excluded]
        mapped = [asanyarray(args[i]) for i in positions] + [asanyarray(kwargs[name]) for name in names]

        def call(*values: Any) -> Any:
            own = list(args)
            for i, value in zip(positions, values):
                own[i] = value
            return self.pyfunc(*own, **(kwargs | dict(zip(names, values[len(positions) :]))))

        inputs, outputs = _parsed(self.signature) if self.signature is not None else ([[] for _ in mapped], None)
        if len(inputs) != len(mapped):
            raise TypeError(f"wrong number of positional arguments: expected {len(inputs)}, got {len(mapped)}")
        return self._looped(call, mapped, inputs, outputs)

    def _looped(self, call: Any, mapped: list[Any], inputs: list[list[str]], outputs: Any) -> Any:
        sizes: dict[str, int] = {}
        for x, core in zip(mapped, inputs, strict=True):
            if x.ndim < len(core):
                raise ValueError(f"{x.ndim}-dimensional argument does not have enough dimensions for {tuple(core)}")
            for name, size in zip(core, x.shape[x.ndim - len(core) :]):
                if sizes.setdefault(name, size) != size:
                    raise ValueError(f"inconsistent size for core dimension {name!r}: {size} vs {sizes[name]}")
        shape = np.broadcast_shapes(*[x.shape[: x.ndim - len(core)] for x, core in zip(mapped, inputs)])
        spread = [np.broadcast_to(x, shape + x.shape[x.ndim - len(c) :]) for x, c in zip(mapped, inputs)]
        results = [call(*[x[i] for x in spread]) for i in np.ndindex(shape)]
        if not results:
            return self._empty(shape, outputs, sizes)
        several = isinstance(results[0], tuple) if outputs is None else len(outputs) > 1
        columns = list(zip(*results, strict=True)) if several else [tuple(results)]
        if outputs is not None and len(columns) != len(outputs):
            raise ValueError(f"wrong number of outputs: expected {len(outputs)}, got {len(columns)}")
        types = list(self.otypes) if self.otypes is not None else [None] * len(columns)
        out = [self._stacked(column, shape, dtype) for column, dtype in zip(columns, types, strict=True)]
        for y, core in zip(out, outputs or ()):
            got = y.shape[len(shape) :]
            if len(got) != len(core) or any(sizes.setdefault(n, s) != s for n, s in zip(core, got)):
                raise ValueError(f"the function returned an output of shape {got} for the core dimensions {core}")
        return tuple(out) if several else out[0]

    def _stacked(self, column: tuple[Any, ...], shape: tuple[int, ...], dtype: Any) -> Any:
        # Without otypes, the first result decides the dtype, as in NumPy.
        y = array(list(column), dtype or (None if self.signature else asarray(column[0]).dtype))
        return y.reshape(shape + y.shape[1:])

    def _empty(self, shape: tuple[int, ...], outputs: Any, sizes: dict[str, int]) -> Any:
        if self.otypes is None:
            raise ValueError("cannot call `vectorize` on size 0 inputs unless `otypes` is set")
        if any(name not in sizes for core in outputs or () for name in core):
            raise ValueError(
                "cannot call `vectorize` with a signature including new output dimensions on size 0 inputs"
            )
        cores = outputs if outputs is not None else [[]] * len(self.otypes)
        out = [
            np.empty(shape + tuple(sizes[name] for name in core), dtype)
            for core, dtype in zip(cores, self.otypes, strict=True)
        ]
        return out[0] if len(out) == 1 else tuple(out)
