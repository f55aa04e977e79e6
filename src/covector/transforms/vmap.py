"""`vmap`: a function of one example becomes a function of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import numpy as np
import optree

from ..core import tree
from ..core.buffer import as_buffer
from ..core.protect import Holds
from ..core.values import shape_of
from .arguments import check_callable, check_leaf, fun_name, output_leaves, own_each
from .batching import BatchTrace, BatchTracer

__all__ = ["axis_environment", "named_axes", "vmap"]

# Named axes of the maps that are running in this thread or task, innermost last.
_axes: ContextVar[tuple[tuple[Any, BatchTrace], ...]] = ContextVar("covector_axes", default=())
named_axes = _axes.get


def axis_environment() -> dict[Any, BatchTrace]:
    """The traces of the named axes bound here."""
    return dict(_axes.get())


@contextmanager
def bound_axis(name: Any, trace: BatchTrace) -> Iterator[None]:
    """Bind the axis name (None binds nothing) for the duration of a block."""
    if name is None:
        yield
        return
    token = _axes.set((*_axes.get(), (name, trace)))
    try:
        yield
    finally:
        _axes.reset(token)


def vmap(
    fun: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    *,
    axis_name: Any = None,
    axis_size: int | None = None,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Make a function of one example into a function of a batch of them.

    Parameters
    ----------
    fun : callable
        Takes and returns pytrees of arrays.
    in_axes : int, None or pytree prefix of these, default 0
        For each positional argument the axis to map over; None for an argument that every example shares. A tuple or
        list has one entry per argument, and each entry may be a prefix of the argument's tree. Keyword arguments are
        mapped over axis 0.
    out_axes : int, None or pytree prefix, default 0
        Where the batch axis goes in the outputs; None for an output that is the same for all examples.
    axis_name : hashable, optional
        A name for the axis, for collectives such as `psum`.
    axis_size : int, optional
        The batch size; needed when nothing is mapped.
    chunk_size : int, optional
        Map this many examples at a time, which bounds memory.

    Returns
    -------
    callable
        Takes batched arguments, returns batched results.

    Raises
    ------
    ValueError
        The sizes of the mapped axes disagree, an axis is out of range, `in_axes` or `out_axes` does not fit, or an
        output with out_axes None depends on the example.
    ConcretizationError
        `fun` needs the value of a mapped number (``if x > 0``).

    Notes
    -----
    Every primitive acts on the whole batch at once; nothing loops over the examples.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.vmap(np.dot, in_axes=(0, None))(np.eye(3), np.array([1.0, 2.0, 3.0]))
    array([1., 2., 3.])
    """
    check_callable(fun, "vmap")
    if chunk_size is not None and (not isinstance(chunk_size, int) or isinstance(chunk_size, bool) or chunk_size < 1):
        raise ValueError(f"vmap: chunk_size must be None or a positive int, got {chunk_size!r}")

    @wraps(fun)
    def vmap_fun(*args: Any, **kwargs: Any) -> Any:
        leaves, axes, treedef = _mapped_leaves(fun, in_axes, args, kwargs)
        size = _batch_size(fun, leaves, axes, treedef, axis_size, len(args))
        leaves = [np.moveaxis(x, a, 0) if a else x for x, a in zip(leaves, axes, strict=True)]
        mapped = [a is not None for a in axes]
        if chunk_size is None or chunk_size >= size:
            return _run(fun, leaves, mapped, treedef, size, axis_name, out_axes)
        if axis_name is not None:
            raise ValueError("vmap: chunk_size and axis_name exclude each other, because a chunk is not the whole axis")
        parts = []
        for start in range(0, size, chunk_size):
            stop = min(start + chunk_size, size)
            part = [x[start:stop] if m else x for x, m in zip(leaves, mapped, strict=True)]
            parts.append(_run(fun, part, mapped, treedef, stop - start, None, out_axes))
        return _join(parts, out_axes)

    return vmap_fun


def _run(
    fun: Any, leaves: list[Any], mapped: list[bool], treedef: Any, size: int, axis_name: Any, out_axes: Any
) -> Any:
    trace = BatchTrace("vmap", size, axis_name)
    holds = Holds()
    try:
        with bound_axis(axis_name, trace):
            values = [
                trace.tracer(holds.argument(x)) if m else as_buffer(trace, holds.argument(x), any_dtype=True)
                for x, m in zip(leaves, mapped, strict=True)
            ]
            args, kwargs = tree.unflatten(treedef, values)
            out, out_treedef = output_leaves(fun(*args, **kwargs), "vmap", fun)
        trace.close()
        axes = prefix_axes(out_axes, tree.unflatten(out_treedef, out), "out_axes", fun)
        results = []
        for i, (x, axis) in enumerate(zip(out, axes, strict=True)):
            rank = len(shape_of(x)) + 1
            mine = isinstance(x, BatchTracer) and x._trace is trace
            if mine if axis is None else not -rank <= axis < rank:
                raise ValueError(
                    _misplaced(f"vmap: output leaf {tree.paths(out_treedef)[i]} of {fun_name(fun)}", x, axis)
                )
            if axis is None:
                results.append(x)
            else:
                value = x.value if mine else np.broadcast_to(x, (size, *shape_of(x)))
                results.append(np.moveaxis(value, 0, axis) if axis % rank else value)
        return tree.unflatten(out_treedef, own_each(results))
    finally:
        trace.close()
        holds.release()


def _misplaced(place: str, x: Any, axis: int | None) -> str:
    if axis is None:
        return f"{place} depends on the example, so its out_axes cannot be None; give it an axis"
    return f"{place} has {len(shape_of(x))} dimensions per example, so out_axes={axis} is out of range"


def _join(parts: Sequence[Any], out_axes: Any) -> Any:
    flat = [tree.leaves(p) for p in parts]
    axes = prefix_axes(out_axes, parts[0], "out_axes", None)
    joined = [
        xs[0] if a is None else np.concatenate(xs, axis=a) for xs, a in zip(zip(*flat, strict=True), axes, strict=True)
    ]
    return tree.unflatten(tree.structure(parts[0]), joined)


def prefix_axes(axes: Any, full: Any, what: str, fun: Any) -> list[int | None]:
    """Return one axis per leaf of `full` from the prefix tree `axes`, in which None is a leaf."""
    if axes is None or isinstance(axes, int):
        return [axes] * len(tree.leaves(full))
    prefix, treedef = optree.tree_flatten(axes, none_is_leaf=True, namespace="covector")
    for a in prefix:
        if a is not None and (not isinstance(a, int) or isinstance(a, bool)):
            raise TypeError(f"vmap: {what} must hold ints and None, got {a!r} in {axes!r}")
    leaves, full_treedef = tree.flatten(full)
    # Numbers in place of the leaves, because a dict of axes may have its keys in another order.
    numbers = tree.unflatten(full_treedef, range(len(leaves)))
    try:
        subtrees = treedef.flatten_up_to(numbers)
    except ValueError:
        shown = tree.map(lambda _: "*", full)
        raise ValueError(
            f"vmap: {what}={axes!r} is not a prefix of the {'arguments' if what == 'in_axes' else 'output'} "
            f"of {fun_name(fun)}, whose tree is {shown}"
        ) from None
    out: list[int | None] = [None] * len(leaves)
    for a, sub in zip(prefix, subtrees, strict=True):
        for i in tree.leaves(sub):
            out[i] = a
    return out


def _mapped_leaves(fun: Any, in_axes: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    if isinstance(in_axes, tuple) and len(in_axes) != len(args):
        raise ValueError(
            f"vmap: in_axes={in_axes!r} has {len(in_axes)} entries, but {fun_name(fun)} was called with {len(args)} "
            f"positional arguments"
        )
    axes = prefix_axes(in_axes, args, "in_axes", fun) + [0] * len(tree.leaves(kwargs))
    leaves, treedef = tree.flatten((args, kwargs))
    for i, (x, axis) in enumerate(zip(leaves, axes, strict=True)):
        if axis is None or (type(x) is np.ndarray and -x.ndim <= axis < x.ndim and x.dtype.kind in "biufc"):
            continue
        place = f"vmap: argument {_place_name(tree.paths(treedef)[i])} of {fun_name(fun)}"
        check_leaf(x, place)
        rank = len(shape_of(x))
        if not -rank <= axis < rank:
            raise ValueError(f"{place} has shape {shape_of(x)}, which has no axis {axis} to map; use None to share it")
    return leaves, axes, treedef


def _batch_size(fun: Any, leaves: Any, axes: Any, treedef: Any, axis_size: int | None, count: int) -> int:
    sizes: list[tuple[int, int, int]] = [
        (i, shape_of(x)[a], a) for i, (x, a) in enumerate(zip(leaves, axes, strict=True)) if a is not None
    ]
    found = {n for _, n, _ in sizes}
    if axis_size is not None:
        found.add(axis_size)
    if len(found) == 1:
        return found.pop()
    if not found:
        raise ValueError(f"vmap: no argument of {fun_name(fun)} is mapped; give an axis in in_axes, or axis_size")
    paths = tree.paths(treedef)
    lines = [f"  argument {_place_name(paths[i])}: size {n} along axis {a}" for i, n, a in sizes]
    if axis_size is not None:
        lines.append(f"  axis_size: {axis_size}")
    raise ValueError(f"vmap: the sizes of the mapped axes of {fun_name(fun)} disagree:\n" + "\n".join(lines))


def _place_name(path: str) -> str:
    """``[0][1]['a']`` → ``1['a']`` for positional arguments, ``[1]['scale']`` → ``scale`` for keywords."""
    kind, rest = path[:3], path[3:]
    head, _, tail = rest[1:].partition("]")
    return (head.strip("'") if kind == "[1]" else head) + tail
