"""``np.piecewise``: functions applied to the parts of an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.tracer import Tracer
from ..core.values import shape_of
from ..ops.complex_parts import astype
from .joining import concatenate
from .register import implements
from .structural import as_array, broadcast_to, ravel, reshape

__all__ = ["piecewise"]


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """``np.piecewise``.

    Notes
    -----
    Each function is called with the part of the array where its condition holds. Where conditions differ from lane to
    lane of a `vmap`, parts have no common size: the function is then called with the whole array, and must be one that
    acts on each element by itself.
    """
    x = as_array(x, "np.piecewise")
    masks = _masks(x, condlist)
    functions = list(funclist)
    if len(functions) == len(masks) + 1:
        functions, otherwise = functions[:-1], functions[-1]
    elif len(functions) == len(masks):
        otherwise = 0
    else:
        n = len(masks)
        raise ValueError(f"with {n} condition(s), either {n} or {n + 1} functions are expected")

    def value(function: Any, part: Any) -> Any:
        out = function(part, *args, **kw) if callable(function) else function
        out = as_array(out, "np.piecewise")
        return out if out.dtype == x.dtype else astype(out, x.dtype)

    if any(isinstance(m, Tracer) for m in masks):
        return _by_where(x, masks, [otherwise, *functions], value)
    return _by_parts(x, masks, [otherwise, *functions], value)


def _masks(x: Any, condlist: Any) -> list[Any]:
    """The conditions as bool arrays of the shape of `x`; one condition may stand without its list."""
    if np.isscalar(condlist) or not np.ndim(condlist[0] if _is_list(condlist) else condlist):
        single = np.isscalar(condlist) or x.ndim != 0 or not _is_list(condlist)
    else:
        single = not _is_list(condlist) and np.ndim(condlist) == 1 and x.ndim != 0
    return [_mask(c, x.shape) for c in ([condlist] if single else condlist)]


def _is_list(condlist: Any) -> bool:
    return isinstance(condlist, list | tuple)


def _mask(condition: Any, shape: tuple[int, ...]) -> Any:
    condition = as_array(condition, "np.piecewise")
    condition = np.not_equal(condition, 0) if condition.dtype.kind != "b" else condition
    return condition if shape_of(condition) == shape else np.broadcast_to(condition, shape)


def _by_parts(x: Any, masks: list[Any], functions: list[Any], value: Any) -> Any:
    """Call each function on its part, and bring the results of all parts into order."""
    owner = np.zeros(x.shape, int)
    for k, mask in enumerate(masks, 1):
        owner[mask] = k  # where conditions overlap, the last one counts
    flat, owner = ravel(x), owner.ravel()
    claimed = [~np.any(masks, axis=0).ravel() if masks else owner == 0, *[m.ravel() for m in masks]]
    parts, places = [], []
    for k, function in enumerate(functions):
        taken = np.flatnonzero(claimed[k])
        if not taken.size:
            continue
        part = value(function, flat[taken])
        part = part if shape_of(part) == taken.shape else broadcast_to(part, taken.shape)
        wins = np.flatnonzero(owner[taken] == k)
        parts.append(part[wins])
        places.append(taken[wins])
    if not parts:
        return np.zeros(x.shape, x.dtype)
    order = np.argsort(np.concatenate(places))
    return reshape(concatenate(parts)[order], x.shape)


def _by_where(x: Any, masks: list[Any], functions: list[Any], value: Any) -> Any:
    # The functions meet elements that are not theirs; what they say there is not used.
    with np.errstate(all="ignore"):
        out = broadcast_to(value(functions[0], x), x.shape)
        for mask, function in zip(masks, functions[1:], strict=True):
            out = np.where(mask, value(function, x), out)
    return out
