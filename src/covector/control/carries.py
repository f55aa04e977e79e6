"""What the loops share: the state that goes from step to step, and what each step leaves behind."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.buffer import BufferValue, buffer
from ..core.mutation import is_alone
from ..core.primitive import PRIMITIVES
from ..core.protect import same_layout
from ..core.tracer import Tracer, snapshot
from ..core.values import Aval, aval_of, dtype_of, is_weak, shape_of
from ..transforms.arguments import check_leaf, fun_name
from ..transforms.call import as_numpy

__all__ = ["Carry", "Stacks", "as_strong", "check_functions", "check_unroll", "fresh", "leaves_like", "shown"]

_ndarray = np.ndarray


def check_functions(name: str, **functions: Any) -> None:
    """Raise TypeError unless all of these arguments can be called."""
    for argument, fun in functions.items():
        if not callable(fun):
            raise TypeError(f"{name}: {argument} must be a function, got {type(fun).__name__}: {fun!r}")


def check_unroll(name: str, unroll: Any) -> None:
    """Raise unless `unroll` is a positive integer or a bool."""
    if isinstance(unroll, bool | np.bool_):
        return
    try:
        n = operator.index(unroll)
    except TypeError:
        raise TypeError(f"{name}: unroll must be a positive int or a bool, got {unroll!r}") from None
    if n < 1:
        raise ValueError(f"{name}: unroll must be a positive int or a bool, got {unroll!r}")


def as_strong(x: Any) -> Any:
    """Return a Python number as NumPy scalar, also one that is traced; anything else as it is."""
    inner = x
    while isinstance(inner, Tracer):
        if inner._weak:
            break
        inner = inner.value
    else:
        if not is_weak(inner):
            return x
    return PRIMITIVES["convert"](x, dtype=x.dtype) if isinstance(x, Tracer) else as_numpy(x)


def fresh(x: Any) -> Any:
    """Return a copy of `x` that may be written to, with traced values if a transform runs."""
    if isinstance(x, BufferValue):
        x = x.constant()
    if isinstance(x, Tracer):
        return x.clone()
    return buffer(same_layout(x)) if isinstance(x, _ndarray) and x.ndim else as_numpy(x)


class Carry:
    """The state of a loop: its structure, shapes and dtypes, which every step keeps.

    Parameters
    ----------
    name : str
        The loop, for messages.
    argument : str
        What the initial value is called in its signature.
    init : pytree
        The initial value.

    Attributes
    ----------
    leaves : list
        Its leaves, Python numbers made NumPy scalars.
    """

    __slots__ = ("_argument", "_dtypes", "_name", "_shapes", "leaves", "treedef")

    def __init__(self, name: str, argument: str, init: Any) -> None:
        self._name = name
        self._argument = argument
        leaves, self.treedef = tree.flatten(init)
        for i, x in enumerate(leaves):
            known = isinstance(x, Tracer | np.number | np.bool_) or (type(x) is _ndarray and x.dtype.kind in "biufc")
            if not known:  # naming a leaf takes longer than checking it
                check_leaf(x, f"{name}: {argument}{self._path(i)}")
        self.leaves = [as_strong(x) for x in leaves]
        self._shapes = [shape_of(x) for x in self.leaves]
        self._dtypes = [dtype_of(x) for x in self.leaves]

    @property
    def avals(self) -> list[Aval]:
        """Shape and dtype of each leaf."""
        return [Aval(s, d) for s, d in zip(self._shapes, self._dtypes, strict=True)]

    def whole(self, leaves: Sequence[Any]) -> Any:
        """Put leaves into the structure of the state."""
        return leaves[0] if self.treedef is tree.LEAF else tree.unflatten(self.treedef, leaves)

    def start(self) -> list[Any]:
        """Return leaves that the steps may write to."""
        return [fresh(x) for x in self.leaves]

    def step(self, function: Callable[..., Any], new: list[Any], before: list[Any]) -> list[Any]:
        """Return the leaves of the new state, checked, such that the next step may write to them.

        Parameters
        ----------
        function : callable
            What returned it, for messages.
        new : list
            The new state alone; it is taken out, because nobody else may refer to what is written to.
        before : list
            The leaves that the step was given, which belong to the loop already.
        """
        leaves = self.check(function, new.pop())
        ours = {id(x) for x in before}
        for i in range(len(leaves)):
            x = leaves[i]
            if isinstance(x, np.generic):
                continue
            if id(x) in ours:
                ours.remove(id(x))
            else:
                references = sys.getrefcount(x)
                if not is_alone(x, references):
                    leaves[i] = fresh(x)
        return leaves

    def check(self, function: Callable[..., Any], new: Any) -> list[Any]:
        """Return the leaves of the new state; TypeError unless it has the structure, shapes and dtypes of the first."""
        leaves = leaves_like(self.treedef, new)
        if leaves is None:
            raise TypeError(
                f"{self._name}: {fun_name(function)} returns a state of the structure {shown(tree.structure(new))}, "
                f"but {self._argument} has the structure {shown(self.treedef)}; return the same structure in each step"
            )
        for i, x in enumerate(leaves):
            if type(x) is not _ndarray and not isinstance(x, np.generic | Tracer):
                check_leaf(x, f"{self._name}: the new value of {self._argument}{self._path(i)}")
                leaves[i] = x = as_numpy(x)
            if isinstance(x, Tracer):
                x._trace.check_alive(fun_name(function))
            if x.shape != self._shapes[i] or x.dtype != self._dtypes[i]:
                raise self._mismatch(function, i, x)
        return leaves

    def _mismatch(self, function: Callable[..., Any], i: int, x: Any) -> TypeError:
        shape, dtype = self._shapes[i], self._dtypes[i]
        advice = []
        if shape_of(x) != shape:
            where = f"np.zeros({_tuple(shape_of(x))})" if shape_of(x) else "a number"
            advice.append(f"start from a value of that shape, such as {where}, or return one of shape {shape}")
        if dtype_of(x) != dtype:
            start = f"{self._argument}{self._path(i)}"
            if not shape and dtype.kind == "i" and dtype_of(x).kind == "f":
                first = f"start from a {dtype_of(x)}, 0.0 in place of 0"
            else:
                first = f"start from {start} of dtype {dtype_of(x)}"
            advice.append(f"{first}, or cast what is returned with .astype(np.{dtype})")
        return TypeError(
            f"{self._name}: {fun_name(function)} returns {aval_of(x)} for {self._argument}{self._path(i)}, which "
            f"starts as {Aval(shape, dtype)}; shape and dtype stay the same from step to step: {'; '.join(advice)}"
        )

    def _path(self, i: int) -> str:
        return str(tree.paths(self.treedef)[i])


def leaves_like(treedef: tree.TreeDef, value: Any) -> list[Any] | None:
    """The leaves of `value` in the order of `treedef`, None if it has another structure; dicts may differ in order."""
    if isinstance(value, Tracer):
        return [value] if treedef == tree.LEAF else None
    leaves, own = tree.flatten(value)
    if own is treedef or own == treedef:
        return leaves
    try:
        leaves = treedef.flatten_up_to(value)
    except (ValueError, TypeError):
        return None
    return leaves if all(tree.structure(x) == tree.LEAF for x in leaves) else None


def _tuple(shape: tuple[int, ...]) -> str:
    return str(shape[0]) if len(shape) == 1 else str(shape)


def shown(treedef: tree.TreeDef) -> str:
    """The structure as Python would write it, with stars for leaves."""
    return repr(tree.unflatten(treedef, [_Star()] * treedef.num_leaves))


class _Star:
    def __repr__(self) -> str:
        return "*"


class Stacks:
    """What the steps leave behind, stacked along a new first axis.

    Parameters
    ----------
    name : str
        The loop, for messages.
    length : int
        The number of steps.
    """

    __slots__ = ("_arrays", "_avals", "_length", "_name", "_rows", "treedef")

    def __init__(self, name: str, length: int) -> None:
        self._name = name
        self._length = length
        self.treedef: tree.TreeDef | None = None
        self._avals: list[Aval] = []
        self._arrays: list[Any] = []
        self._rows: list[list[Any] | None] = []

    def put(self, i: int, function: Callable[..., Any], y: Any) -> None:
        """Add what step `i` leaves behind."""
        if self.treedef is None:
            self._begin(function, y)
        assert self.treedef is not None
        leaves = leaves_like(self.treedef, y)
        if leaves is None:
            raise TypeError(
                f"{self._name}: {fun_name(function)} returns results of the structure {shown(tree.structure(y))} in "
                f"step {i}, and {shown(self.treedef)} in the first step; return the same structure in each step"
            )
        for k, x in enumerate(leaves):
            if isinstance(x, BufferValue):
                x = x.constant()
            aval = self._avals[k]
            if shape_of(x) != aval.shape or dtype_of(x) != aval.dtype:
                raise TypeError(
                    f"{self._name}: {fun_name(function)} returns {aval_of(x)} as result{self._path(k)} of step {i}, "
                    f"and {aval} in the first step; results of all steps have the same shape and dtype"
                )
            if isinstance(x, Tracer):
                rows = self._rows[k]
                if rows is None:
                    rows = self._rows[k] = [None] * self._length
                rows[i] = snapshot(x)
                continue
            if self._arrays[k] is None:
                self._arrays[k] = np.empty((self._length, *aval.shape), aval.dtype)
            self._arrays[k][i] = x

    def _begin(self, function: Callable[..., Any], y: Any) -> None:
        leaves, self.treedef = tree.flatten(y)
        for k, x in enumerate(leaves):
            check_leaf(x, f"{self._name}: the result{self._path(k)} of {fun_name(function)}")
        self._avals = [aval_of(x)._replace(weak=False) for x in leaves]
        self._arrays = [None] * len(leaves)
        self._rows = [None] * len(leaves)

    def _path(self, k: int) -> str:
        assert self.treedef is not None
        path = tree.paths(self.treedef)[k]
        return f" leaf {path}" if path else ""

    def whole(self) -> Any:
        """The stacked results, in the structure of one."""
        stacked = []
        for array, rows in zip(self._arrays, self._rows, strict=True):
            if rows is not None:
                array = np.stack([array[i] if row is None else row for i, row in enumerate(rows)])
            stacked.append(array)
        assert self.treedef is not None
        return tree.unflatten(self.treedef, stacked)
