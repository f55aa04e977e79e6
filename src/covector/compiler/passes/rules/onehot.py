"""Rules about constants of zeros and ones, the bases that `jacrev` and `jacfwd` map derivatives over.

Products with them stay outermost, so that what is computed is a vector and not a matrix of mostly zeros.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ....core.graph import Var
from ....core.values import Aval
from ..constants import is_identity
from .arithmetic import Inputs, Params

if TYPE_CHECKING:
    from ..simplify import Builder


def is_basis(b: Builder, x: Any) -> bool:
    """Whether `x` is a constant array of nothing but -1, 0 and 1, with zeros among them."""
    if type(x) is Var or not isinstance(x, np.ndarray):
        return False
    key = ("basis", id(x))
    if key not in b.notes:
        rows = x.reshape(-1)
        some = rows[: 1 << 10]
        basis = bool(((some == 0) | (abs(some) == 1)).all()) and bool(((rows == 0) | (abs(rows) == 1)).all())
        b.notes[key] = (basis and bool((rows == 0).any()), x)
    return bool(b.notes[key][0])


def _masked(b: Builder, x: Any) -> tuple[Any, Any] | None:
    """The basis and the factor of which `x` is the product."""
    eq = b.maker(x, "product")
    return (eq.inputs[0], eq.inputs[1]) if eq is not None and is_basis(b, eq.inputs[0]) else None


def _smaller(b: Builder, out: Aval, *factors: Any) -> bool:
    """Whether what the factors make is smaller than the result, and of its dtype."""
    shapes = [b.aval(x).shape for x in factors]
    return math.prod(np.broadcast_shapes(*shapes)) < math.prod(out.shape) and all(
        b.aval(x).dtype == out.dtype and not b.aval(x).weak for x in factors
    )


def scaled_basis(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    """A basis times a number: the number goes to the other factor."""
    t, p = inputs
    if not isinstance(t, np.ndarray) or t.dtype.kind != "f" or not _smaller(b, out, p) or is_basis(b, t):
        return None
    key = ("scaled", id(t))
    if key not in b.notes:
        largest = abs(t).max()
        signs = np.sign(t)
        usable = bool(np.isfinite(largest)) and bool((t == signs * largest).all()) and bool((t == 0).any())
        b.notes[key] = ((signs, largest) if usable else None, t)
    found = b.notes[key][0]
    if found is None:
        return None
    return b.emit("product", b.constant(found[0]), b.emit("multiply", p, found[1]))


def product_of_product(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    found = _masked(b, inputs[0])
    if found is None or not _smaller(b, out, found[1], inputs[1]):
        return None
    return b.emit("product", found[0], b.emit("product", found[1], inputs[1]))


def scaled_product(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    for x, y in (inputs, inputs[::-1]):
        found, n = _masked(b, x), b.number(y)
        if found is not None and n is not None and np.isfinite(n) and _smaller(b, out, found[1]):
            return b.emit("product", found[0], b.emit("multiply", found[1], y))
    return None


def negative_product(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    found = _masked(b, inputs[0])
    if found is None or not _smaller(b, out, found[1]):
        return None
    return b.emit("product", found[0], b.emit("negative", found[1]))


def combined(name: str) -> Any:
    """The rule for sums and differences of products with the same basis."""

    def rule(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
        left, right = (_masked(b, x) for x in inputs)
        if left is None or right is None or left[0] is not right[0] or not _smaller(b, out, left[1], right[1]):
            return None
        return b.emit("product", left[0], b.emit(name, left[1], right[1]))

    return rule


def _diagonal(b: Builder, x: Any) -> Any:
    """The vector on the diagonal if `x` is a diagonal matrix made of an identity, else None."""
    found = _masked(b, x)
    shape = b.aval(x).shape
    if found is None or len(shape) != 2 or found[0].shape != shape or not is_identity(found[0]):
        return None
    n, v = shape[0], b.aval(found[1]).shape
    if v in ((n,), (n, 1), (1, n)):
        return b.emit("reshape", found[1], shape=(n,))
    return b.like(found[1], Aval((n,), x.dtype)) if v == () else None


def matmul_of_diagonal(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    x, y = inputs
    left, right = _diagonal(b, x), _diagonal(b, y)
    if right is not None:
        return b.emit("multiply", x, right)
    if left is not None and b.aval(y).shape:
        rank = len(b.aval(y).shape)
        if rank == 2:
            left = b.emit("reshape", left, shape=(out.shape[0], 1))
        return b.emit("multiply", left, y) if rank <= 2 else None
    return None


def matmul_of_identity(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    for x, y in (inputs, inputs[::-1]):
        if type(y) is not Var and isinstance(y, np.ndarray) and y.ndim == 2 and is_identity(y):
            return b.like(x, out) if b.aval(x).shape == out.shape else None
    return None


def sum_of_diagonal(b: Builder, out: Aval, inputs: Inputs, params: Params) -> Any:
    v = _diagonal(b, inputs[0]) if len(params["axis"]) == 1 else None
    return None if v is None else b.like(v, out)
