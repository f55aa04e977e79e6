"""Jacobians and Hessians: one pullback (or pushforward) batched over a basis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from ..core import tree
from ..core.errors import NotDifferentiableError
from ..core.tracer import Tracer
from ..core.values import dtype_of, shape_of
from .arguments import bind_arguments, check_argnums, check_callable, differentiated_leaves, fun_name, own, restore_kind
from .batching import BatchTrace, BatchTracer
from .jvp import forward
from .vjp import check_holomorphic, reverse

__all__ = ["hessian", "jacfwd", "jacobian", "jacrev", "value_and_jacobian"]

AUTO_BYTES = 256 * 2**20
"""What ``chunk_size="auto"`` allows for the cotangents (tangents) of one chunk at one place of the tape."""


def _check_chunk(transform: str, chunk_size: Any) -> None:
    if chunk_size is None or chunk_size == "auto":
        return
    if not isinstance(chunk_size, int) or isinstance(chunk_size, bool) or chunk_size < 1:
        raise ValueError(f"{transform}: chunk_size must be None, 'auto' or a positive int, got {chunk_size!r}")


def _rows(total: int, chunk_size: Any, row_bytes: int) -> list[tuple[int, int]]:
    """Split ``range(total)`` into chunks."""
    if chunk_size is None:
        step = total
    elif chunk_size == "auto":
        step = max(1, AUTO_BYTES // max(1, row_bytes))
    else:
        step = chunk_size
    return [(i, min(i + step, total)) for i in range(0, total, max(1, step))]


def _basis(leaves: Sequence[Any], start: int, stop: int) -> list[Any]:
    """Rows start…stop of the identity over all elements of `leaves`, one array ``(rows, *shape)`` per leaf."""
    out: list[Any] = []
    offset = 0
    for x in leaves:
        shape, dtype = shape_of(x), dtype_of(x)
        size = math.prod(shape)
        block = np.zeros((stop - start, size), dtype)
        rows = np.arange(max(start, offset), min(stop, offset + size))
        block[rows - start, rows - offset] = 1
        out.append(block.reshape((stop - start, *shape)) if len(rows) else None)
        offset += size
    return out


def _batched(trace: BatchTrace, x: Any, like: Any) -> Any:
    """Return the chunk's result ``(rows, *shape)`` of a leaf with the shape and dtype of `like`."""
    shape = (trace.size, *shape_of(like))
    if x is None:
        return np.zeros(shape, dtype_of(like))
    if isinstance(x, BatchTracer) and x._trace is trace:
        return x.value
    return np.broadcast_to(x, shape)


def _pull_rows(pullback: Any, seeds: list[Any], rows: int, row_by_row: bool) -> list[Any]:
    """Pull a chunk of cotangents back; one array ``(rows, *in_shape)`` per active input leaf."""
    slots = [(x, s) for xs, ss in zip(pullback.in_leaves, pullback.in_slots, strict=True) for x, s in zip(xs, ss, strict=True) if s >= 0]
    if row_by_row:
        totals = pullback.apply([None if s is None else s[0] for s in seeds], consume=False)
        return [np.expand_dims(_or_zeros(totals[s], x), 0) for x, s in slots]
    trace = BatchTrace("jacrev", rows)
    try:
        totals = pullback.apply([None if s is None else trace.tracer(s) for s in seeds], consume=False)
    finally:
        trace.alive = False
    return [_batched(trace, totals[s], x) for x, s in slots]


def _or_zeros(x: Any, like: Any) -> Any:
    return np.zeros(shape_of(like), dtype_of(like)) if x is None else x


def _jacobian_rev(
    transform: str, fun: Any, argnums: Any, chunk_size: Any, holomorphic: bool, has_aux: bool, preallocate: bool,
    args: Any, kwargs: Any,
) -> tuple[Any, Any, Any]:
    bound, primals, positions = bind_arguments(transform, fun, argnums, args, kwargs)
    places = [f"{transform}: argument {i} of {fun_name(fun)}" for i in positions]
    out, pullback, aux = reverse(transform, bound, primals, places=places, has_aux=has_aux)
    _check_outputs(transform, fun, out)
    active = [x for xs, ss in zip(pullback.in_leaves, pullback.in_slots, strict=True) for x, s in zip(xs, ss, strict=True) if s >= 0]
    if holomorphic:
        check_holomorphic(transform, [active])
    elif any(dtype_of(x).kind == "c" for x in active) and any(dtype_of(y).kind == "c" for y in out):
        raise TypeError(
            f"{transform}: {fun_name(fun)} maps complex to complex; pass holomorphic=True if it is holomorphic, "
            f"or differentiate real and imaginary parts apart"
        )
    total = sum(math.prod(shape_of(x)) for x in out)
    chunks = _rows(total, chunk_size, _row_bytes([*active, *out]))
    # For real input and complex output the pullback of 1 gives Re J and that of -i gives Im J.
    split = not holomorphic and any(dtype_of(y).kind == "c" for y in out)
    jac = _Collector(out, active, preallocate)
    for start, stop in chunks:
        seeds = _basis(out, start, stop)
        single = chunk_size == 1
        rows = _pull_rows(pullback, seeds, stop - start, single)
        if split:
            turned = [None if s is None or s.dtype.kind != "c" else -1j * s for s in seeds]
            imag = _pull_rows(pullback, [None if t is None else t.astype(s.dtype) for t, s in zip(turned, seeds, strict=True)], stop - start, single)
            rows = [r + 1j * i if np.any(i) else r for r, i in zip(rows, imag, strict=True)]
        jac.add(rows, start, stop)
    blocks = jac.blocks(rows_first=True)
    return _assemble(pullback.out_treedef, out, pullback.in_treedefs, pullback.in_leaves, blocks, argnums), (out, pullback.out_treedef), aux


def _row_bytes(leaves: Sequence[Any]) -> int:
    return sum(math.prod(shape_of(x)) * dtype_of(x).itemsize for x in leaves)


def _check_outputs(transform: str, fun: Any, out: Sequence[Any]) -> None:
    for y in out:
        if dtype_of(y).kind not in "fc":
            raise NotDifferentiableError(
                f"{transform}: {fun_name(fun)} returned a leaf of dtype {dtype_of(y)}, which is constant; "
                f"return it through has_aux=True"
            )


class _Collector:
    """Gathers the chunks of a Jacobian of all elements on one side by the leaves of the other."""

    def __init__(self, rows: Sequence[Any], columns: Sequence[Any], preallocate: bool) -> None:
        self.row_leaves = rows
        self.column_leaves = columns
        self.preallocate = preallocate
        self.total = sum(math.prod(shape_of(x)) for x in rows)
        self.chunks: list[list[Any]] = []
        self.buffers: list[Any] | None = None

    def add(self, parts: list[Any], start: int, stop: int) -> None:
        if not self.preallocate or any(isinstance(p, Tracer) for p in parts):
            self.chunks.append(parts)
            return
        if self.buffers is None:
            self.buffers = [np.empty((self.total, *p.shape[1:]), p.dtype) for p in parts]
        for buffer, part in zip(self.buffers, parts, strict=True):
            buffer[start:stop] = part

    def blocks(self, rows_first: bool) -> list[list[Any]]:
        """Return ``blocks[i][j]`` for row leaf i and column leaf j, of shape ``row.shape + column.shape``."""
        if self.buffers is not None:
            full = self.buffers
        elif not self.chunks:
            full = [np.zeros((0, *shape_of(x)), dtype_of(x)) for x in self.column_leaves]
        elif len(self.chunks) == 1:
            full = self.chunks[0]
        else:
            full = [np.concatenate(parts, axis=0) for parts in zip(*self.chunks, strict=True)]
        out, offset = [], 0
        for x in self.row_leaves:
            size = math.prod(shape_of(x))
            out.append([m[offset : offset + size].reshape(shape_of(x) + m.shape[1:]) for m in full])
            offset += size
        return out


def _assemble(
    out_treedef: Any, out: Sequence[Any], in_treedefs: Any, in_leaves: Any, blocks: list[list[Any]], argnums: Any
) -> Any:
    """Build the tree of the output with, in each leaf, the tree(s) of the differentiated argument(s)."""
    results = []
    for i, y in enumerate(out):
        j, per_arg = 0, []
        for treedef, leaves in zip(in_treedefs, in_leaves, strict=True):
            row: list[Any] = []
            for x in leaves:
                if dtype_of(x).kind not in "fc":
                    row.append(None)
                    continue
                row.append(_finish_block(blocks[i][j], x, y))
                j += 1
            per_arg.append(tree.unflatten(treedef, row))
        results.append(per_arg[0] if isinstance(argnums, int) else tuple(per_arg))
    return tree.unflatten(out_treedef, results)


def _finish_block(block: Any, x: Any, y: Any) -> Any:
    dtype = np.result_type(dtype_of(y), dtype_of(x))
    if block.dtype != dtype:
        block = block.astype(dtype)
    return own(restore_kind(block, x))


def jacrev(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | str | None = None,
    holomorphic: bool = False,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """Make the Jacobian function of `fun` by reverse mode.

    Parameters
    ----------
    fun : callable
        Returns a pytree of arrays, or with `has_aux` a pair ``(out, aux)``.
    argnums : int or tuple of int, default 0
        The positional argument(s) to differentiate; each may be a pytree.
    has_aux : bool, default False
        Whether `fun` returns auxiliary data as well.
    chunk_size : int, "auto" or None, default None
        How many rows to compute at a time: all (None), one by one in a loop that does not batch (1), a number (the
        last chunk may be smaller), or as many as fit a memory budget ("auto").
    holomorphic : bool, default False
        Promise that `fun` is holomorphic; inputs and outputs must then be complex.
    _preallocate_and_copy : bool, default False
        Write each chunk straight into the result, which saves the memory of joining chunks.

    Returns
    -------
    callable
        Takes the arguments of `fun` and returns its Jacobian: the tree of the output, in each leaf the tree of the
        argument (a tuple of these for a sequence of argnums), each leaf of shape ``out_leaf.shape + in_leaf.shape``
        and dtype ``np.result_type(out_leaf, in_leaf)``; or ``(jacobian, aux)``.

    Raises
    ------
    ValueError
        `chunk_size` is none of the above, or `argnums` is out of range.
    TypeError
        An argument or output is of integer dtype; complex to complex without `holomorphic`.

    Notes
    -----
    Cost: one call of `fun` and, per output element, a small multiple of it, in batches. Prefer `jacfwd` when there
    are fewer inputs than outputs.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.jacrev(np.sin)(np.zeros(2))
    array([[1., 0.],
           [0., 1.]])
    """
    check_callable(fun, "jacrev")
    check_argnums("jacrev", argnums)
    _check_chunk("jacrev", chunk_size)

    @wraps(fun)
    def jacrev_fun(*args: Any, **kwargs: Any) -> Any:
        jac, _, aux = _jacobian_rev(
            "jacrev", fun, argnums, chunk_size, holomorphic, has_aux, _preallocate_and_copy, args, kwargs
        )
        return (jac, aux) if has_aux else jac

    return jacrev_fun
