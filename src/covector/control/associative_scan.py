"""`associative_scan`: running sums, products, compositions of anything associative, in few whole-array operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.tracer import Tracer
from ..core.values import aval_of, shape_of
from ..transforms.arguments import check_leaf, fun_name
from .carries import check_functions, leaves_like, shown

__all__ = ["associative_scan"]


def associative_scan(fn: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Combine the elements along an axis from the first to each of them, by an associative function.

    Parameters
    ----------
    fn : callable
        ``fn(a, b)`` combines two elements. It is called with many pairs at once: `a` and `b` are pytrees like `elems`,
        with arrays of the same shape but along `axis`, and it has to combine them one by one along that axis, as
        ``np.add`` and ``np.matmul`` do. It must be associative: ``fn(fn(a, b), c) = fn(a, fn(b, c))``.
    elems : pytree
        Arrays of the same length along `axis`.
    reverse : bool, default False
        Combine from the last element to each of them; the later one is then the first argument of `fn`.
    axis : int, default 0
        The axis along which the elements lie; negative numbers count from the end of each leaf's axes.

    Returns
    -------
    pytree
        Arrays of the shapes of `elems`; element k combines the elements 0 to k, or with `reverse` the last to k.

    Raises
    ------
    TypeError
        `fn` changes the structure, a shape or a dtype.
    ValueError
        The leaves have no such axis, or different lengths along it.

    Notes
    -----
    Cost: fewer than 2n combinations in 2 log₂ n calls of `fn`, each on whole arrays. A `scan` makes n - 1
    combinations in as many steps. Sums are formed in another order than one after the other, and rounded accordingly.

    References
    ----------
    Blelloch, "Prefix sums and their applications", Carnegie Mellon University, CMU-CS-90-190 (1990).

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.associative_scan(np.add, np.array([1.0, 2.0, 3.0, 4.0]))
    array([ 1.,  3.,  6., 10.])

    The recurrence ``y[k] = a[k] y[k-1] + b[k]`` composes maps ``y → a y + b``:

    >>> def then(first, second):
    ...     return second[0] * first[0], second[0] * first[1] + second[1]
    >>> a, b = np.array([0.5, 0.5, 0.5]), np.array([1.0, 2.0, 4.0])
    >>> covector.associative_scan(then, (a, b))[1]
    array([1.  , 2.5 , 5.25])
    """
    check_functions("associative_scan", fn=fn)
    leaves, treedef = tree.flatten(elems)
    axes = _axes(leaves, treedef, axis)

    def combine(a: Sequence[Any], b: Sequence[Any]) -> list[Any]:
        return _checked(fn, fn(tree.unflatten(treedef, a), tree.unflatten(treedef, b)), b, treedef)

    if reverse:
        leaves = [np.flip(x, k) for x, k in zip(leaves, axes, strict=True)]
    out = _prefixes(combine, [np.copy(x) for x in leaves], axes)
    if reverse:
        out = [np.flip(x, k) for x, k in zip(out, axes, strict=True)]
    return tree.unflatten(treedef, out)


Combine = Callable[[Sequence[Any], Sequence[Any]], list[Any]]


def _prefixes(combine: Combine, xs: list[Any], axes: Sequence[int]) -> list[Any]:
    """The elements combined from the first to each: those of odd number from pairs, then those in between."""
    n = shape_of(xs[0])[axes[0]] if xs else 0
    if n < 2:
        return xs
    pairs = combine(_every(xs, axes, 0, n - 1, 2), _every(xs, axes, 1, n, 2))
    odd = _prefixes(combine, pairs, axes)
    first = _every(xs, axes, 0, 1, 1)
    if n == 2:
        return [np.concatenate(both, k) for *both, k in zip(first, odd, axes, strict=True)]
    between = combine(_every(odd, axes, 0, (n - 1) // 2, 1), _every(xs, axes, 2, n, 2))
    even = [np.concatenate(both, k) for *both, k in zip(first, between, axes, strict=True)]
    return [_interleaved(a, b, k) for a, b, k in zip(even, odd, axes, strict=True)]


def _every(xs: Sequence[Any], axes: Sequence[int], start: int, stop: int, step: int) -> list[Any]:
    return [x[(slice(None),) * k + (slice(start, stop, step),)] for x, k in zip(xs, axes, strict=True)]


def _interleaved(even: Any, odd: Any, axis: int) -> Any:
    """The elements of both in turns; `even` may have one more."""
    m = shape_of(odd)[axis]
    (both,) = _every([even], [axis], 0, m, 1)
    shape = shape_of(odd)
    whole = np.reshape(np.stack([both, odd], axis + 1), (*shape[:axis], 2 * m, *shape[axis + 1 :]))
    if shape_of(even)[axis] == m:
        return whole
    return np.concatenate([whole, *_every([even], [axis], m, m + 1, 1)], axis)


def _axes(leaves: Sequence[Any], treedef: tree.TreeDef, axis: Any) -> list[int]:
    """The axis of each leaf, counted from the front."""
    if not isinstance(axis, int | np.integer) or isinstance(axis, bool):
        raise TypeError(f"associative_scan: axis must be an int, got {axis!r}")
    paths = tree.paths(treedef)
    for path, x in zip(paths, leaves, strict=True):
        if not isinstance(x, Tracer):
            check_leaf(x, f"associative_scan: elems{path}")
        if not -len(shape_of(x)) <= axis < len(shape_of(x)):
            raise ValueError(f"associative_scan: elems{path} has shape {shape_of(x)}, which has no axis {axis}")
    axes = [int(axis) % len(shape_of(x)) for x in leaves]
    lengths = [shape_of(x)[k] for x, k in zip(leaves, axes, strict=True)]
    if len(set(lengths)) > 1:
        lines = [f"  elems{path}: {n}" for path, n in zip(paths, lengths, strict=True)]
        raise ValueError(f"associative_scan: the lengths along axis {axis} disagree:\n" + "\n".join(lines))
    return axes


def _checked(fn: Any, made: Any, given: Sequence[Any], treedef: tree.TreeDef) -> list[Any]:
    """The leaves of what `fn` made; TypeError unless structure, shapes and dtypes are those it was given."""
    out = leaves_like(treedef, made)
    if out is None:
        raise TypeError(
            f"associative_scan: {fun_name(fn)} returns the structure {shown(tree.structure(made))}, and was given "
            f"{shown(treedef)}; it must return what it combines"
        )
    for path, x, y in zip(tree.paths(treedef), out, given, strict=True):
        if not isinstance(x, Tracer):
            check_leaf(x, f"associative_scan: what {fun_name(fn)} returns for elems{path}")
        if aval_of(x)[:2] != aval_of(y)[:2]:
            raise TypeError(
                f"associative_scan: {fun_name(fn)} returns {aval_of(x)} for elems{path}, of which it was given "
                f"{aval_of(y)}; shape and dtype must stay the same (it is called with many pairs at once, one after "
                f"the other along the axis)"
            )
    return out
