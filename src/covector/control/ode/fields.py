"""The user's function of a pytree as a function of one array, with what it returns checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core import tree
from ...core.tracer import Tracer
from ...core.values import dtype_of, is_plain, is_weak, shape_of
from ...transforms.arguments import check_leaf, fun_name, show_tree

__all__ = ["Packing", "user_field"]


class Packing:
    """How a pytree becomes one array: a single array as it is, several raveled and joined.

    Parameters
    ----------
    y : pytree
        The initial state.

    Raises
    ------
    TypeError
        A leaf is no array of real or complex numbers.
    """

    def __init__(self, y: Any) -> None:
        leaves, self.treedef = tree.flatten(y)
        self.paths = tree.paths(self.treedef)
        leaves = [_number(x, f"odeint: y0{p and f', leaf {p},'}") for x, p in zip(leaves, self.paths, strict=True)]
        self.leaves = leaves
        self.shapes = [shape_of(x) for x in leaves]
        self.dtypes = [dtype_of(x) for x in leaves]
        self.dtype = np.result_type(*self.dtypes) if leaves else np.dtype(float)
        self.ends = np.cumsum([int(np.prod(s)) for s in self.shapes]).tolist()

    def join(self, leaves: Sequence[Any]) -> Any:
        """One array of the leaves."""
        if len(leaves) == 1:
            return leaves[0]
        if not leaves:
            return np.zeros(0)
        return np.concatenate([np.ravel(x).astype(self.dtype) for x in leaves])

    def split(self, y: Any, rows: tuple[int, ...] = ()) -> Any:
        """The pytree of an array, which may have further axes in front."""
        if len(self.shapes) == 1:
            return tree.unflatten(self.treedef, [y])
        begins = [0, *self.ends][: len(self.ends)]
        parts = [y[..., a:b] for a, b in zip(begins, self.ends, strict=True)]
        leaves = [
            _narrowed(np.reshape(p, (*rows, *s)), d) for p, s, d in zip(parts, self.shapes, self.dtypes, strict=True)
        ]
        return tree.unflatten(self.treedef, leaves)


def _number(x: Any, place: str) -> Any:
    """A leaf of the state as an array or NumPy scalar."""
    check_leaf(x, place)
    if is_weak(x) and type(x) is not bool:
        return np.complex128(x) if type(x) is complex else np.float64(x)
    if dtype_of(x).kind not in "fc":
        raise TypeError(f"{place} has dtype {dtype_of(x)}; the state must be real or complex: use .astype(float)")
    return x


def _narrowed(x: Any, dtype: Any) -> Any:
    if x.dtype == dtype:
        return x
    return (x.real if dtype.kind == "f" and x.dtype.kind == "c" else x).astype(dtype)


def user_field(func: Callable[..., Any], packing: Packing, args: tuple[Any, ...]) -> Callable[[Any, Any], Any]:
    """Return ``func(y, t, *args)`` as a function of one array and the time, in the precision of the state."""
    precision: np.dtype[Any] = np.zeros(0, packing.dtype).real.dtype

    def field(y: Any, t: Any) -> Any:
        # The function may use the array that it is given, and the one that it returns, for something else later.
        slope = func(packing.split(_own(y)), t.astype(precision), *args)
        return packing.join([_own(x) for x in checked(slope, func, packing)])

    return field


def _own(x: Any) -> Any:
    if isinstance(x, Tracer):
        return x.clone()
    return x.copy() if type(x) is np.ndarray else x


def checked(slope: Any, func: Any, packing: Packing) -> list[Any]:
    """The leaves of what `func` returned; TypeError if they do not fit the state."""
    leaves, treedef = tree.flatten(slope)
    name = fun_name(func)
    if treedef != packing.treedef:
        hint = ""
        if packing.treedef == tree.LEAF:
            hint = "; for an array y, return an array: np.stack([...]) of its elements"
        raise TypeError(
            f"odeint: {name} must return the derivative of y in the structure of y, "
            f"{show_tree(packing.leaves, packing.treedef)}, got {show_tree(leaves, treedef)}{hint}"
        )
    out = []
    for x, path, shape, dtype in zip(leaves, packing.paths, packing.shapes, packing.dtypes, strict=True):
        place = f"odeint: the derivative that {name} returned{path and f', leaf {path},'}"
        if not (isinstance(x, Tracer) or is_plain(x)):
            raise TypeError(f"{place} is a {type(x).__name__}; expected {dtype}[{','.join(map(str, shape))}]")
        if is_weak(x):
            kind = np.result_type(dtype, x)
            x = dtype.type(x) if kind == dtype else x
        if shape_of(x) != shape:
            raise TypeError(f"{place} has shape {shape_of(x)}; expected {shape}, the shape of y")
        if dtype_of(x) != dtype:
            raise TypeError(
                f"{place} has dtype {dtype_of(x)}; expected {dtype}, the dtype of y: convert the arguments that make "
                f"it so, or start from y0.astype({dtype_of(x)})"
            )
        out.append(x)
    return out
