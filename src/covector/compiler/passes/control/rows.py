"""What the iterations of a loop compute, computed for all of them at once outside of the loop."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.graph import Equation, Var
from ....core.values import Aval
from ..algebra import is_elementwise
from .costs import is_total, nbytes
from .parts import Loop

if TYPE_CHECKING:
    from ..simplify import Builder

__all__ = ["Rows", "can_move", "matrix_of", "room_in"]

_LITTLE = 1 << 21
"""Bytes that stay in a processor's caches, more or less."""

_COUNTED = 1 << 16
"""Iterations up to which their numbers are stored as an array."""


def is_simple(eq: Equation) -> bool:
    """Whether `eq` is an elementwise function that gives a result for all values."""
    return len(eq.outputs) == 1 and (is_elementwise(eq.primitive) or eq.primitive.name == "convert") and is_total(eq)


def can_move(eq: Equation, fixed: Container[int]) -> bool:
    """Whether `Rows.add` can do `eq` for all iterations, where the variables numbered in `fixed` do not change."""
    return is_simple(eq) or eq.primitive.name in _ALONG or matrix_of(eq, fixed) is not None


def matrix_of(eq: Equation, fixed: Container[int]) -> Any:
    """The matrix that `eq` multiplies with a vector or matrix, if it is in `fixed` and the other is not; else None."""
    if eq.primitive.name != "matmul" or not all(type(x) is Var and len(x.shape) <= 2 for x in eq.inputs):
        return None
    constant = [x for x in eq.inputs if x.index in fixed]
    return constant[0] if len(constant) == 1 and len(constant[0].shape) == 2 else None


def room_in(loop: Loop, there: int | None = None) -> int:
    """The bytes per iteration that arrays may take which the loop does without as it is.

    As many as are `there`, or else twice those of its sequences and stacks, which are often not needed then themselves;
    in any case what is little in all.
    """
    assert loop.length
    if there is None:
        there = 2 * (sum(nbytes(g.var) for g in loop.sequences) + sum(nbytes(s.element) for s in loop.stacks))
    return max(there, _LITTLE // loop.length)


_ALONG: dict[str, Callable[[int, dict[str, Any]], dict[str, Any]]] = {
    "reshape": lambda n, p: {"shape": (n, *p["shape"])},
    "transpose": lambda n, p: {"axes": (0, *[k + 1 for k in p["axes"]])},
    "broadcast": lambda n, p: {"shape": (n, *p["shape"]), "axes": (0, *[k + 1 for k in p["axes"]])},
    "slice": lambda n, p: {"index": (slice(None), *p["index"])},
}
"""The parameters of moves with one more axis in front."""


class Rows:
    """Values of the body for all iterations at once.

    Attributes
    ----------
    length : int
        The number of iterations, or of those that there is room for.
    fixed : set of int
        Numbers of the variables of the body that do not change: constants of the loop, and what is made of them.
    arrays : dict
        Number of a variable to the array, with the axis of the loop in front, of what it is in each iteration.
    """

    def __init__(self, b: Builder, loop: Loop) -> None:
        assert loop.length is not None
        self.b = b
        self.length = loop.length
        self._known = {g.var.index: g.outer for g in loop.constants}
        self.fixed = set(self._known)
        self._makers: dict[int, Equation] = {}
        for eq in loop.body:
            if is_total(eq) and all(x.index in self.fixed for x in eq.inputs if type(x) is Var):
                for v in eq.outputs:
                    self._makers[v.index] = eq
                    self.fixed.add(v.index)
        self.arrays = {g.var.index: g.outer for g in loop.sequences}
        if loop.length <= _COUNTED:
            self.arrays[loop.index.index] = np.arange(loop.length)

    def add(self, eq: Equation) -> Any:
        """Return what `eq`, which `can_move`, makes of the rows of its inputs."""
        out, along = eq.outputs[0], _ALONG.get(eq.primitive.name)
        if eq.primitive.name == "matmul":
            array = self._product(eq)
        elif along is not None:
            array = self.b.emit(eq.primitive.name, self.arrays[eq.inputs[0].index], **along(self.length, eq.params))
        else:
            inputs = [self.operand(x, len(out.shape)) for x in eq.inputs]
            array = self.b.bind(eq.primitive, inputs, eq.params)
        self.arrays[out.index] = array = self.b.like(array, Aval((self.length, *out.shape), out.dtype))
        return array

    def constant(self, x: Any) -> Any:
        """Return the value of what does not change."""
        if type(x) is not Var:
            return x
        if x.index not in self._known:
            eq = self._makers[x.index]
            values = self.b.replay(eq, [self.constant(y) for y in eq.inputs])
            self._known.update(zip([v.index for v in eq.outputs], values, strict=True))
        return self._known[x.index]

    def total(self, eq: Equation) -> Any:
        """Return the sum over all iterations of what `eq` makes: an outer product, or one of two matrices."""
        b, (x, y) = self.b, eq.inputs
        if eq.primitive.name == "multiply":
            # A product of two matrices, by the rule for sums of products.
            return b.emit("sum", b.bind(eq.primitive, [self._all(x, 2), self._all(y, 2)], {}), axis=(0,))
        (m, k), n = x.shape, y.shape[1]
        left = b.emit("transpose", self._all(x, 2), axes=(1, 0, 2))
        left = b.emit("reshape", left, shape=(m, self.length * k))
        return b.emit("matmul", left, b.emit("reshape", self._all(y, 2), shape=(self.length * k, n)))

    def _all(self, x: Var, rank: int) -> Any:
        """The rows of a value, also of a constant."""
        if x.index in self.arrays:
            return self.operand(x, rank)
        shape = (self.length, *x.shape)
        rows = self.b.emit("broadcast", self.constant(x), shape=shape, axes=tuple(range(1, len(shape))))
        return rows if len(x.shape) == rank else self.b.emit("reshape", rows, shape=(self.length, 1, *x.shape))

    def operand(self, x: Any, rank: int) -> Any:
        """The rows of a value, each of so many axes; a constant as it is."""
        if type(x) is not Var:
            return x
        array = self.arrays.get(x.index)
        if array is None:
            return self.constant(x)
        if len(x.shape) == rank:
            return array
        return self.b.emit("reshape", array, shape=(self.length, *[1] * (rank - len(x.shape)), *x.shape))

    def _product(self, eq: Equation) -> Any:
        """One product for all iterations, of matrices as long as the loop."""
        b, (x, y) = self.b, eq.inputs
        if x.index in self.fixed:
            matrix, array = self.constant(x), self.arrays[y.index]
            if len(y.shape) == 2:
                return b.emit("matmul", matrix, array)
            return b.emit("matmul", array, b.emit("transpose", matrix, axes=(1, 0)))
        array, matrix = self.arrays[x.index], self.constant(y)
        if len(x.shape) == 1:
            return b.emit("matmul", array, matrix)
        rows = b.emit("reshape", array, shape=(self.length * x.shape[0], x.shape[1]))
        out = b.emit("matmul", rows, matrix)
        return b.emit("reshape", out, shape=(self.length, x.shape[0], y.shape[1]))
