"""What every transform does with its arguments: pick, flatten, check and name them in messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.buffer import BufferValue
from ..core.errors import TracerConversionError
from ..core.protect import COPY_BELOW, read_only, same_layout
from ..core.tracer import Tracer
from ..core.values import dtype_of, is_plain, shape_of

__all__ = [
    "bind_arguments",
    "differentiated_leaves",
    "fun_name",
    "output_leaves",
    "own",
    "own_each",
    "restore_kind",
    "show_tree",
    "split_aux",
]

_ndarray = np.ndarray


def fun_name(fun: Any) -> str:
    """The name of `fun` for messages."""
    return getattr(fun, "__qualname__", None) or repr(fun)


def check_callable(fun: Any, transform: str) -> None:
    """Raise TypeError unless `fun` can be called."""
    if not callable(fun):
        raise TypeError(f"{transform}: the first argument must be a function, got {type(fun).__name__}: {fun!r}")


def check_leaf(x: Any, place: str) -> None:
    """Raise TypeError unless `x` is an array of numbers in the sense of the contract."""
    if isinstance(x, Tracer | np.floating | np.complexfloating):
        return
    if not is_plain(x):
        raise TypeError(
            f"{place} is a {type(x).__module__}.{type(x).__name__}; expected an array, a NumPy scalar, a Python "
            f"number, or a pytree of these (register your own class with covector.register_pytree_node)"
        )
    if isinstance(x, np.ndarray) and type(x) is not np.ndarray and _is_special(x):
        raise TypeError(f"{place} is a {type(x).__name__}, whose semantics differ from an array's; use np.asarray(x)")
    if dtype_of(x).kind not in "biufc":
        raise TypeError(f"{place} has dtype {dtype_of(x)}; expected real or complex numbers")


def _is_special(x: Any) -> bool:
    """Whether `x` is a masked array or a matrix (told by their attributes, because numpy.ma is slow to import)."""
    return hasattr(x, "mask") or hasattr(x, "getA1")


Place = Callable[[int], str]
"""How messages call the i-th argument; only evaluated when one is wrong."""


def differentiated_leaves(arg: Any, place: Place, i: int) -> tuple[list[Any], tree.TreeDef, list[bool]]:
    """Flatten the i-th differentiated argument.

    Returns
    -------
    leaves : list
        The leaves; a bare Python int has become a float.
    treedef : PyTreeSpec
        The structure.
    active : list of bool
        False for integer and bool leaves inside a pytree, which are constants.
    """
    if type(arg) is _ndarray and arg.dtype.kind in "fc":
        return [arg], tree.LEAF, [True]
    leaves, treedef = tree.flatten(arg)
    if treedef == tree.LEAF:
        return [_bare(arg, place, i)], treedef, [True]
    for k, x in enumerate(leaves):
        if type(x) is not _ndarray or x.dtype.kind not in "biufc":
            check_leaf(x, f"{place(i)}, leaf {tree.paths(treedef)[k]},")
    return leaves, treedef, [dtype_of(x).kind in "fc" for x in leaves]


def _bare(x: Any, place: Place, i: int) -> Any:
    if type(x) is float:
        return x
    if type(x) is int:
        return float(x)
    if isinstance(x, Tracer) and x._weak and x.dtype.kind == "i":
        return x.astype(float)
    check_leaf(x, place(i))
    dtype = dtype_of(x)
    if dtype.kind not in "fc":
        what = "a Python bool" if type(x) is bool else f"an array of dtype {dtype}"
        raise TypeError(
            f"{place(i)} is {what}, which has no derivative; convert it with .astype(float), or leave it out of argnums"
        )
    return x


def output_leaves(out: Any, transform: str, fun: Any) -> tuple[list[Any], tree.TreeDef]:
    """Flatten an output and check that every leaf is an array."""
    leaves, treedef = tree.flatten(out)
    for i, x in enumerate(leaves):
        if isinstance(x, Tracer):
            x._trace.check_alive(f"the output of {fun_name(fun)}")
            if isinstance(x, BufferValue):
                leaves[i] = x.constant().copy()
        elif type(x) is _ndarray:
            if x.dtype.kind == "O":
                raise TracerConversionError(
                    f"{transform}: the output of {fun_name(fun)} holds an array of objects, which hides traced values "
                    f"from the derivative; build it with np.stack([...]) or covector.numpy.array([...])"
                )
        else:
            path = tree.paths(treedef)[i]
            check_leaf(x, f"{transform}: the output{f' leaf {path}' if path else ''} of {fun_name(fun)}")
    return leaves, treedef


def split_aux(result: Any, transform: str, fun: Any) -> tuple[Any, Any]:
    """Split the result of a function with has_aux=True into output and aux."""
    if not (isinstance(result, tuple) and len(result) == 2):
        kind = "one array" if isinstance(result, Tracer) else type(result).__name__
        got = f"a tuple of {len(result)}" if isinstance(result, tuple) else kind
        raise TypeError(f"{transform}: with has_aux=True, {fun_name(fun)} must return a pair (output, aux), got {got}")
    return result


def bind_arguments(
    transform: str, fun: Callable[..., Any], argnums: int | Sequence[int], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...], tuple[int, ...]]:
    """Return the function of the differentiated arguments alone, these arguments, and their positions."""
    count = len(args)
    if not kwargs and argnums == tuple(range(count)) and count:
        return fun, args, argnums
    numbers = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for i in numbers:
        if not isinstance(i, int) or isinstance(i, bool):
            raise TypeError(f"{transform}: argnums must be an int or a tuple of ints, got {argnums!r}")
        if not -count <= i < count:
            raise ValueError(
                f"{transform}: argnums={argnums} asks for positional argument {i}, but {fun_name(fun)} was called "
                f"with {count} positional argument{'s' * (count != 1)}"
            )
    positions = tuple(i % count for i in numbers)
    if len(set(positions)) != len(positions):
        raise ValueError(f"{transform}: argnums={argnums} names an argument twice")
    if count == 1 and positions == (0,) and not kwargs:
        return fun, args, positions

    def partial(*primals: Any) -> Any:
        full = [_lent(x) for x in args]
        for i, x in zip(positions, primals, strict=True):
            full[i] = x
        return fun(*full, **{name: _lent(x) for name, x in kwargs.items()})

    return partial, tuple(args[i] for i in positions), positions


def _lent(x: Any) -> Any:
    """Return the argument `x`, which is not differentiated, such that the function cannot change the caller's array."""
    if type(x) is not _ndarray:
        return x
    return same_layout(x) if x.nbytes <= COPY_BELOW else read_only(x)


def check_argnums(transform: str, argnums: Any) -> None:
    """Raise TypeError unless `argnums` is an int or a sequence of ints."""
    ok = isinstance(argnums, int) or (
        isinstance(argnums, tuple | list) and len(argnums) > 0 and all(isinstance(i, int) for i in argnums)
    )
    if not ok or isinstance(argnums, bool):
        raise TypeError(f"{transform}: argnums must be an int or a tuple of ints, got {argnums!r}")


def own(x: Any) -> Any:
    """Return the result leaf `x` as a value that the caller may write to: no Python number, no locked view.

    A traced value comes as a handle of its own, because a tape or another result may hold the one given.
    """
    if isinstance(x, _ndarray):
        return x if x.flags.writeable else x.copy()
    if isinstance(x, Tracer):
        return x.clone()
    return x if isinstance(x, np.generic) else dtype_of(x).type(x)


def own_each(leaves: Sequence[Any]) -> list[Any]:
    """Return `own` of the result leaves, copied where two share memory, as handles do until one is written to."""
    out: list[Any] = []
    seen: set[int] = set()
    for x in map(own, leaves):
        if isinstance(x, _ndarray):
            owner: Any = x
            while isinstance(owner.base, _ndarray):
                owner = owner.base
            if id(owner) in seen:
                x = x.copy()
            seen.add(id(owner))
        out.append(x)
    return out


def restore_kind(x: Any, primal: Any) -> Any:
    """Return the 0-d result `x` as NumPy scalar or 0-d array, whichever `primal` was (a Python number: scalar)."""
    if isinstance(x, Tracer) or x.shape:
        return x
    if type(primal) is _ndarray and not primal.shape:
        return np.array(x)
    return x[()]


def show_tree(leaves: Sequence[Any], treedef: tree.TreeDef) -> str:
    """Write a tree with shapes and dtypes in place of its leaves."""
    return repr(tree.unflatten(treedef, [_Shown(x) for x in leaves]))


class _Shown:
    def __init__(self, x: Any) -> None:
        plain = isinstance(x, Tracer) or is_plain(x) or hasattr(x, "dtype")
        self.text = f"{dtype_of(x)}[{','.join(map(str, shape_of(x)))}]" if plain else repr(x)

    def __repr__(self) -> str:
        return self.text
