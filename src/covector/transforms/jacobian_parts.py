"""What both Jacobian modes share: chunks, basis vectors, and the assembly of blocks into trees."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.cotangents import narrow
from ..core.errors import NotDifferentiableError
from ..core.tracer import Tracer
from ..core.values import dtype_of, shape_of
from .arguments import fun_name, own, restore_kind

__all__ = ["assemble", "basis", "check_chunk", "check_outputs", "chunks", "gather_rows", "row_bytes", "size_of"]

AUTO_BYTES = 256 * 2**20
"""What ``chunk_size="auto"`` allows for the cotangents (tangents) of one chunk at one place of the tape."""


def check_chunk(transform: str, chunk_size: Any) -> None:
    """Raise ValueError unless `chunk_size` is None, "auto" or a positive int."""
    if chunk_size is None or chunk_size == "auto":
        return
    if not isinstance(chunk_size, int) or isinstance(chunk_size, bool) or chunk_size < 1:
        raise ValueError(f"{transform}: chunk_size must be None, 'auto' or a positive int, got {chunk_size!r}")


def chunks(total: int, chunk_size: Any, row_bytes: int) -> list[tuple[int, int]]:
    """Split ``range(total)`` into chunks."""
    if chunk_size is None:
        step = total
    elif chunk_size == "auto":
        step = max(1, AUTO_BYTES // max(1, row_bytes))
    else:
        step = chunk_size
    return [(i, min(i + step, total)) for i in range(0, total, max(1, step))]


def basis(leaves: Sequence[Any], start: int, stop: int) -> list[Any]:
    """Rows start…stop of the identity over all elements of `leaves`, one array ``(rows, *shape)`` per leaf."""
    out: list[Any] = []
    offset = 0
    for x in leaves:
        shape, dtype = shape_of(x), dtype_of(x)
        size = math.prod(shape)
        first, last = max(start, offset), min(stop, offset + size)
        if first < last:
            block = np.zeros((stop - start, *shape), dtype)
            # The ones lie one row and one column apart.
            at = (first - start) * size + first - offset
            block.reshape(-1)[at : at + (last - first - 1) * (size + 1) + 1 : size + 1] = 1
            out.append(block)
        else:
            out.append(None)
        offset += size
    return out


def row_bytes(leaves: Sequence[Any]) -> int:
    """The bytes that one seed of a chunk takes at the ends of the tape."""
    return sum(math.prod(shape_of(x)) * dtype_of(x).itemsize for x in leaves)


def check_outputs(transform: str, fun: Any, out: Sequence[Any]) -> None:
    """Raise `NotDifferentiableError` if an output leaf is of integer or bool dtype."""
    for y in out:
        if dtype_of(y).kind not in "fc":
            raise NotDifferentiableError(
                f"{transform}: {fun_name(fun)} returned a leaf of dtype {dtype_of(y)}, which is constant; "
                f"return it through has_aux=True"
            )


def gather_rows(
    rows: Callable[[int, int], list[Any]],
    row_leaves: Sequence[Any],
    column_leaves: Sequence[Any],
    parts: Sequence[tuple[int, int]],
    preallocate: bool,
) -> list[list[Any]]:
    """Compute a matrix of all elements of `row_leaves` by those of `column_leaves`, chunk by chunk.

    Returns
    -------
    list of list
        ``blocks[i][j]`` of shape ``row_leaves[i].shape + column_leaves[j].shape``.
    """
    done: list[list[Any]] = []
    buffers: list[Any] = []
    for start, stop in parts:
        new = rows(start, stop)
        if not preallocate or any(isinstance(x, Tracer) for x in new):
            done.append(new)
            continue
        if not buffers:
            buffers = [np.empty((parts[-1][1], *x.shape[1:]), x.dtype) for x in new]
        for buffer, x in zip(buffers, new, strict=True):
            buffer[start:stop] = x
    if not parts:
        full = [np.zeros((0, *shape_of(x)), dtype_of(x)) for x in column_leaves]
    elif len(done) == 1:
        full = done[0]
    else:
        full = buffers or [np.concatenate(xs, axis=0) for xs in zip(*done, strict=True)]
    full = _separate(full)
    blocks, offset = [], 0
    for x in row_leaves:
        size = math.prod(shape_of(x))
        whole = len(row_leaves) == 1
        blocks.append([(m if whole else m[offset : offset + size]).reshape(shape_of(x) + m.shape[1:]) for m in full])
        offset += size
    return blocks


def _separate(arrays: Sequence[Any]) -> list[Any]:
    """Copy where arrays share memory: a seed that passes through unchanged comes back for several leaves."""
    out: list[Any] = []
    for x in arrays:
        shared = type(x) is np.ndarray and any(type(y) is np.ndarray and np.may_share_memory(x, y) for y in out)
        out.append(x.copy() if shared else x)
    return out


def size_of(leaves: Sequence[Any]) -> int:
    """The number of elements of all leaves together."""
    return sum(math.prod(shape_of(x)) for x in leaves)


def assemble(
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
        block = narrow(block, dtype)
    return own(restore_kind(block, x))
