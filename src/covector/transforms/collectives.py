"""Collectives over the named axes of `vmap`, for pytrees; every lane gets a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.values import shape_of
from .batching import BatchTrace
from .collective_primitives import all_gather_p, bound_trace, ppermute_p, psum_p, varies, vary

__all__ = ["all_gather", "axis_index", "axis_size", "pmax", "pmean", "pmin", "ppermute", "psum"]

AxisName = Any


def _over(axis_name: AxisName, function: str, x: Any, one: Callable[[Any, BatchTrace], Any]) -> Any:
    """Apply a collective to every leaf of `x` and over each of the named axes."""
    names = axis_name if isinstance(axis_name, tuple | list) else (axis_name,)
    for name in names:
        trace = bound_trace(name, function)
        x = tree.map(lambda leaf, trace=trace: one(leaf, trace), x)
    return x


# --- psum -------------------------------------------------------------------------------------------------------------


def _psum(x: Any, trace: BatchTrace) -> Any:
    return psum_p(x, axis=trace) if varies(x, trace) else x * trace.size


def psum(x: Any, axis_name: AxisName) -> Any:
    """Sum over a named axis; every lane gets the same result.

    Parameters
    ----------
    x : pytree
        Arrays; a value that all lanes share counts once per lane.
    axis_name : hashable or tuple of hashable
        Name(s) from an enclosing ``vmap(axis_name=...)``.

    Returns
    -------
    pytree
        The sums.

    Raises
    ------
    NameError
        No enclosing `vmap` binds the name.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.vmap(lambda x: x / covector.psum(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
    array([0.25, 0.75])
    """
    return _over(axis_name, "psum", x, _psum)


def pmean(x: Any, axis_name: AxisName) -> Any:
    """Average over a named axis; every lane gets the same result.

    Parameters
    ----------
    x, axis_name
        As in `psum`.

    Returns
    -------
    pytree
        The means.

    Raises
    ------
    NameError
        No enclosing `vmap` binds the name.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.vmap(lambda x: x - covector.pmean(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
    array([-1.,  1.])
    """
    return _over(axis_name, "pmean", x, lambda leaf, trace: _psum(leaf, trace) / trace.size)


def pmax(x: Any, axis_name: AxisName) -> Any:
    """Take the maximum over a named axis; every lane gets the same result. Ties share the derivative.

    Parameters
    ----------
    x, axis_name
        As in `psum`.

    Returns
    -------
    pytree
        The maxima.

    Raises
    ------
    NameError
        No enclosing `vmap` binds the name.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.vmap(lambda x: covector.pmax(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
    array([3., 3.])
    """
    return _over(axis_name, "pmax", x, lambda leaf, trace: np.max(_gather(leaf, trace), axis=0))


def pmin(x: Any, axis_name: AxisName) -> Any:
    """Take the minimum over a named axis; every lane gets the same result. Ties share the derivative.

    Parameters
    ----------
    x, axis_name
        As in `psum`.

    Returns
    -------
    pytree
        The minima.

    Raises
    ------
    NameError
        No enclosing `vmap` binds the name.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.vmap(lambda x: covector.pmin(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
    array([1., 1.])
    """
    return _over(axis_name, "pmin", x, lambda leaf, trace: np.min(_gather(leaf, trace), axis=0))


# --- all_gather -------------------------------------------------------------------------------------------------------


def _gather(x: Any, trace: BatchTrace) -> Any:
    if varies(x, trace):
        return all_gather_p(x, axis=trace)
    return np.broadcast_to(x, (trace.size, *shape_of(x)))


def all_gather(x: Any, axis_name: AxisName, *, axis: int = 0, tiled: bool = False) -> Any:
    """Stack the values of all lanes; every lane gets the same array.

    Parameters
    ----------
    x : pytree
        Arrays.
    axis_name : hashable
        Name from an enclosing ``vmap(axis_name=...)``.
    axis : int, default 0
        Where the lanes go in the result.
    tiled : bool, default False
        Join along the existing axis instead of adding one.

    Returns
    -------
    pytree
        The stacked values.

    Raises
    ------
    NameError
        No enclosing `vmap` binds the name.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.vmap(lambda x: covector.all_gather(x, "i"), axis_name="i")(np.array([1.0, 3.0]))
    array([[1., 3.],
           [1., 3.]])
    """

    def one(leaf: Any, trace: BatchTrace) -> Any:
        out = np.moveaxis(_gather(leaf, trace), 0, axis)
        if not tiled:
            return out
        place = axis % (out.ndim - 1)
        shape = out.shape
        return out.reshape((*shape[:place], shape[place] * shape[place + 1], *shape[place + 2 :]))

    return _over(axis_name, "all_gather", x, one)


# --- ppermute ---------------------------------------------------------------------------------------------------------


def ppermute(x: Any, axis_name: AxisName, perm: Sequence[tuple[int, int]]) -> Any:
    """Send values between lanes.

    Parameters
    ----------
    x : pytree
        Arrays.
    axis_name : hashable
        Name from an enclosing ``vmap(axis_name=...)``.
    perm : sequence of (source, destination)
        Each lane at most once as source and once as destination; lanes that receive nothing get zeros.

    Returns
    -------
    pytree
        The received values.

    Raises
    ------
    NameError
        No enclosing `vmap` binds the name.
    ValueError
        `perm` names a lane twice, or one that does not exist.

    Examples
    --------
    >>> import numpy as np, covector
    >>> shift = [(0, 1), (1, 2), (2, 0)]
    >>> covector.vmap(lambda x: covector.ppermute(x, "i", shift), axis_name="i")(np.array([1.0, 2.0, 3.0]))
    array([3., 1., 2.])
    """
    pairs = tuple((int(s), int(d)) for s, d in perm)

    def one(leaf: Any, trace: BatchTrace) -> Any:
        for what, lanes in (("source", [s for s, _ in pairs]), ("destination", [d for _, d in pairs])):
            if len(set(lanes)) != len(lanes) or any(not 0 <= i < trace.size for i in lanes):
                raise ValueError(
                    f"ppermute: perm={list(pairs)} must name each {what} at most once, in 0…{trace.size - 1}"
                )
        return ppermute_p(vary(leaf, trace), axis=trace, perm=pairs)

    return _over(axis_name, "ppermute", x, one)


# --- axis_index, axis_size --------------------------------------------------------------------------------------------


def axis_index(axis_name: AxisName) -> Any:
    """Return the number of this lane along a named axis.

    Parameters
    ----------
    axis_name : hashable
        Name from an enclosing ``vmap(axis_name=...)``.

    Returns
    -------
    traced integer
        0 … size − 1.

    Raises
    ------
    NameError
        No enclosing `vmap` binds the name.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.vmap(lambda x: x * covector.axis_index("i"), axis_name="i")(np.ones(3))
    array([0., 1., 2.])
    """
    trace = bound_trace(axis_name, "axis_index")
    return trace.tracer(np.arange(trace.size))


def axis_size(axis_name: AxisName) -> int:
    """Return the size of a named axis.

    Parameters
    ----------
    axis_name : hashable
        Name from an enclosing ``vmap(axis_name=...)``.

    Returns
    -------
    int
        The number of lanes.

    Raises
    ------
    NameError
        No enclosing `vmap` binds the name.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.vmap(lambda x: x / covector.axis_size("i"), axis_name="i")(np.ones(4))
    array([0.25, 0.25, 0.25, 0.25])
    """
    return bound_trace(axis_name, "axis_size").size
