"""``np.einsum`` with any subscripts, evaluated two operands at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from ..core.dispatch import as_operand
from ..core.values import dtype_of, shape_of
from ..core.views import link_view
from ..ops.complex_parts import astype
from ..ops.contraction import contract_p
from ..ops.reductions import sum_p
from .contraction import without_ones
from .register import implements
from .structural import transpose

__all__ = ["einsum", "einsum_path"]

Labels = tuple[int, ...]

# The order of NumPy's integer labels; sorting by it gives the axes of an implicit output.
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class _Program(NamedTuple):
    """Labels of each operand and of the output, the length of each label, and which operands meet, in order."""

    inputs: tuple[Labels, ...]
    output: Labels
    sizes: dict[int, int]
    path: tuple[tuple[int, ...], ...]


# --- subscripts -------------------------------------------------------------------------------------------------------


def _letters(labels: Sequence[Any]) -> str:
    return "".join("..." if i is Ellipsis else _LETTERS[i] for i in labels)


def _split(operands: Sequence[Any]) -> tuple[str, list[Any]]:
    """Return subscripts and arrays; ``einsum(x, [0, 1], y, [1, 2], [0, 2])`` becomes the form with letters."""
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), list(operands[1:])
    pairs = len(operands) // 2
    subscripts = ",".join(_letters(operands[2 * i + 1]) for i in range(pairs))
    if len(operands) % 2:
        subscripts += "->" + _letters(operands[-1])
    return subscripts, [operands[2 * i] for i in range(pairs)]


def _labels(term: str, rank: int, widest: int) -> Labels:
    """Labels of one operand: letters by their code, axes under the ellipsis by negative numbers from the right."""
    if "..." not in term:
        return tuple(map(ord, term))
    before, after = term.split("...")
    width = widest if rank < 0 else rank - len(before) - len(after)
    return (*map(ord, before), *range(-width, 0), *map(ord, after))


@lru_cache(maxsize=1024)
def _program(subscripts: str, shapes: tuple[tuple[int, ...], ...], optimize: Any) -> _Program:
    # NumPy checks the subscripts against stand-ins without memory, and finds the order of contraction.
    stand_ins = [np.broadcast_to(np.empty(()), shape) for shape in shapes]
    strategy = list(optimize) if isinstance(optimize, tuple) else optimize
    path = tuple(np.einsum_path(subscripts, *stand_ins, optimize=strategy)[0][1:])
    left, arrow, right = subscripts.partition("->")
    terms = left.split(",")
    inputs = tuple(_labels(t, len(s), 0) for t, s in zip(terms, shapes, strict=True))
    hidden = sorted({i for labels in inputs for i in labels if i < 0})
    if arrow and hidden and "..." not in right:
        raise ValueError(f"np.einsum: the output of {subscripts!r} needs '...' for the axes that '...' stands for")
    if arrow:
        output = _labels(right, -1, len(hidden))
    else:
        counts = Counter(i for labels in inputs for i in labels)
        output = (*hidden, *sorted(i for i, n in counts.items() if i > 0 and n == 1))
    sizes: dict[int, int] = {}
    for labels, shape in zip(inputs, shapes, strict=True):
        for i, n in zip(labels, shape, strict=True):
            sizes[i] = n if sizes.get(i, 1) == 1 else sizes[i]
    return _Program(inputs, output, sizes, path)


# --- steps ------------------------------------------------------------------------------------------------------------


def _without_repeats(x: Any, labels: Labels) -> tuple[Any, Labels]:
    """Replace axes that share a label by their diagonal: steps of n + 1 through the two axes laid end to end."""
    while len(set(labels)) < len(labels):
        label = next(i for i in labels if labels.count(i) > 1)
        p, q = [k for k, i in enumerate(labels) if i == label][:2]
        rest = [k for k in range(len(labels)) if k not in (p, q)]
        n = x.shape[p]
        moved = transpose(x, [*rest, p, q])
        flat = moved.reshape((*moved.shape[:-2], n * n))
        x = flat[(slice(None),) * len(rest) + (slice(None, None, n + 1),)]
        labels = (*(labels[k] for k in rest), label)
    return x, labels


def _sum_over(x: Any, labels: Labels, kept: set[int]) -> tuple[Any, Labels]:
    """Sum over the axes whose label is not in `kept`."""
    axis = tuple(k for k, i in enumerate(labels) if i not in kept)
    if not axis:
        return x, labels
    # einsum adds in the operands' dtype, where sum would widen small integers.
    if dtype_of(x).kind in "iub":
        return np.add.reduce(x, axis=axis, dtype=dtype_of(x)), tuple(i for i in labels if i in kept)
    return sum_p(x, axis=axis), tuple(i for i in labels if i in kept)


def _arranged(x: Any, labels: Labels, output: Labels, sizes: dict[int, int]) -> Any:
    """Order the axes as in `output`; a label that lost its only long axis cannot occur, NumPy has checked."""
    x = transpose(x, [labels.index(i) for i in output if i in labels])
    missing = [i for i in output if i not in labels]
    if not missing:
        return x
    shape = tuple(sizes[i] for i in output)
    return np.broadcast_to(x.reshape(tuple(1 if i in missing else sizes[i] for i in output)), shape)


def _contract(a: Any, i: Labels, b: Any, j: Labels, kept: set[int], order: Labels | None) -> tuple[Any, Labels]:
    """Multiply two operands and sum over the labels not in `kept`."""
    a, i = _sum_over(a, i, kept | set(j))
    b, j = _sum_over(b, j, kept | set(i))
    if not i and not j:
        return np.multiply(a, b), ()
    union = dict.fromkeys(i + j)
    out = tuple(x for x in union if x in kept) if order is None else tuple(x for x in order if x in union)
    return contract_p(a, b, spec=(i, j, out)), out


@implements(np.einsum, view=True)
def einsum(
    *operands: Any, out: Any = None, dtype: Any = None, order: str = "K", casting: Any = "safe", optimize: Any = False
) -> Any:
    subscripts, arrays = _split(operands)
    arrays = [as_operand(x, "np.einsum") for x in arrays]
    arrays = [x if hasattr(x, "reshape") else np.asarray(x) for x in arrays]
    common = np.result_type(*[dtype_of(x) for x in arrays]) if dtype is None else np.dtype(dtype)
    for x in arrays:
        if dtype is not None and not np.can_cast(dtype_of(x), common, casting):
            raise TypeError(f"np.einsum: cannot cast an operand from {dtype_of(x)} to {common} by the rule {casting!r}")
    arrays = [x if dtype_of(x) == common else astype(x, common) for x in arrays]
    strategy = "greedy" if optimize in (False, True) else tuple(optimize) if isinstance(optimize, list) else optimize
    program = _program(subscripts, tuple(shape_of(x) for x in arrays), strategy)
    result = _evaluate(program, arrays)
    if len(arrays) == 1 and set(program.inputs[0]) == set(program.output):
        # Nothing is summed: a transpose or a diagonal, which is a view.
        return link_view(result, arrays[0], partial(np.einsum, _subscripts(program)), copied=True)
    return result


def _subscripts(program: _Program) -> str:
    """The subscripts of a single operand, spelled out."""
    names = {i: chr(ord("a") + k) for k, i in enumerate(dict.fromkeys(program.inputs[0]))}
    return f"{''.join(names[i] for i in program.inputs[0])}->{''.join(names[i] for i in program.output)}"


def _evaluate(program: _Program, arrays: list[Any]) -> Any:
    inputs, output, sizes, path = program
    pending = []
    for x, labels in zip(arrays, inputs, strict=True):
        pending.append(without_ones(*_without_repeats(x, labels), sizes))
    for step in path:
        group = [pending[i] for i in step]
        pending = [entry for i, entry in enumerate(pending) if i not in step]
        (x, labels), *rest = group
        for n, (y, others) in enumerate(rest, start=1):
            last = not pending and n == len(rest)
            kept = set(output).union(*(g[1] for g in pending), *(g[1] for g in rest[n:]))
            x, labels = _contract(x, labels, y, others, kept, output if last else None)
        pending.append((x, labels))
    ((x, labels),) = pending
    return _arranged(*_sum_over(x, labels, set(output)), output, sizes)


@implements(np.einsum_path)
def einsum_path(*operands: Any, optimize: Any = "greedy", einsum_call: Any = False) -> Any:
    subscripts, arrays = _split(operands)
    stand_ins = [np.broadcast_to(np.empty(()), shape_of(x)) for x in arrays]
    return np.einsum_path(subscripts, *stand_ins, optimize=optimize, einsum_call=einsum_call)
