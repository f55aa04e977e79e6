"""Pytrees: thin names over optree, with dicts in insertion order and our own registration namespace."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
import optree

__all__ = [
    "all",
    "flatten",
    "is_single_leaf",
    "leaves",
    "map",
    "paths",
    "reduce",
    "register_dataclass",
    "register_pytree_node",
    "structure",
    "unflatten",
]

_NAMESPACE = "covector"
# NumPy users expect a dict to keep its order; optree sorts keys unless told otherwise, per namespace.
# The context manager is kept, because it would restore the old setting when collected.
_insertion_order = optree.dict_insertion_ordered(True, namespace=_NAMESPACE)
_insertion_order.__enter__()

T = TypeVar("T")
TreeDef = optree.PyTreeSpec
LEAF: TreeDef = optree.tree_structure(0.0, namespace=_NAMESPACE)  # type: ignore[arg-type]
_ARRAYS = frozenset((np.ndarray, float, int, complex, bool, np.float64, np.float32, np.complex128, np.int64))


def is_single_leaf(tree: object) -> bool:
    """Whether `tree` is at first sight one array (the common case, decided without optree)."""
    return type(tree) in _ARRAYS


def flatten(tree: Any) -> tuple[list[Any], TreeDef]:
    """Return the leaves of `tree` and its structure.

    Parameters
    ----------
    tree : pytree
        Any nesting of tuple, list, dict, namedtuple, OrderedDict or registered class. None is an empty subtree.

    Returns
    -------
    leaves : list
        The leaves, dicts in insertion order.
    treedef : optree.PyTreeSpec
        The structure; give it to `unflatten`.

    Examples
    --------
    >>> from covector import tree
    >>> leaves, treedef = tree.flatten({"b": 1.0, "a": (2.0, None)})
    >>> leaves
    [1.0, 2.0]
    >>> tree.unflatten(treedef, [10.0, 20.0])
    {'b': 10.0, 'a': (20.0, None)}
    """
    if type(tree) in _ARRAYS:
        return [tree], LEAF
    return optree.tree_flatten(tree, namespace=_NAMESPACE)


def unflatten(treedef: TreeDef, leaves: Iterable[Any]) -> Any:
    """Put `leaves` back into the structure `treedef` (see `flatten`).

    Parameters
    ----------
    treedef : optree.PyTreeSpec
        A structure from `flatten` or `structure`.
    leaves : iterable
        As many leaves as the structure has.

    Returns
    -------
    pytree
        The tree.

    Examples
    --------
    >>> from covector import tree
    >>> tree.unflatten(tree.structure([0, 0]), (1, 2))
    [1, 2]
    """
    return optree.tree_unflatten(treedef, leaves)


def structure(tree: Any) -> TreeDef:
    """Return the structure of `tree` without its leaves.

    Parameters
    ----------
    tree : pytree
        The tree.

    Returns
    -------
    optree.PyTreeSpec
        Its structure; structures compare with ``==``.

    Examples
    --------
    >>> from covector import tree
    >>> tree.structure((1, 2)) == tree.structure((3.0, 4.0))
    True
    """
    return flatten(tree)[1]


def leaves(tree: Any) -> list[Any]:
    """Return the leaves of `tree` in order.

    Parameters
    ----------
    tree : pytree
        The tree.

    Returns
    -------
    list
        Its leaves.

    Examples
    --------
    >>> from covector import tree
    >>> tree.leaves({"x": 1, "y": [2, 3]})
    [1, 2, 3]
    """
    return flatten(tree)[0]


def map(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """Apply `function` to every leaf of `tree`, together with the matching parts of `rest`.

    Parameters
    ----------
    function : callable
        Takes one leaf of each tree.
    tree : pytree
        Gives the structure.
    *rest : pytree
        Trees with at least the structure of `tree`.

    Returns
    -------
    pytree
        The results in the structure of `tree`.

    Examples
    --------
    >>> from covector import tree
    >>> tree.map(lambda a, b: a + b, (1, 2), (10, 20))
    (11, 22)
    """
    return optree.tree_map(function, tree, *rest, namespace=_NAMESPACE)


def reduce(function: Callable[[Any, Any], Any], tree: Any, *initial: Any) -> Any:
    """Combine the leaves of `tree` from left to right.

    Parameters
    ----------
    function : callable
        Takes the value so far and one leaf.
    tree : pytree
        The tree.
    *initial : object
        The value to start with; the first leaf when absent.

    Returns
    -------
    object
        The combined value.

    Examples
    --------
    >>> from covector import tree
    >>> tree.reduce(lambda a, b: a + b, {"x": 1, "y": (2, 3)})
    6
    """
    return optree.tree_reduce(function, tree, *initial, namespace=_NAMESPACE)


def all(tree: Any) -> bool:
    """Return whether every leaf of `tree` is true.

    Parameters
    ----------
    tree : pytree
        The tree.

    Returns
    -------
    bool
        True when no leaf is false.

    Examples
    --------
    >>> from covector import tree
    >>> tree.all((True, [1, {}]))
    True
    """
    return bool(optree.tree_all(tree, namespace=_NAMESPACE))


def paths(treedef: TreeDef) -> list[str]:
    """Return for every leaf its place written as Python would: ``['a'][0]``, ``.x``; ``""`` for a bare leaf."""
    return [accessor.codify("") for accessor in treedef.accessors()]


def register_pytree_node(
    cls: type[T],
    flatten: Callable[[T], tuple[Iterable[Any], Any]],
    unflatten: Callable[[Any, Iterable[Any]], T],
) -> type[T]:
    """Make instances of `cls` pytrees.

    Parameters
    ----------
    cls : type
        The class.
    flatten : callable
        ``flatten(obj) -> (children, metadata)``; the metadata is hashable and compares with ``==``.
    unflatten : callable
        ``unflatten(metadata, children) -> obj``.

    Returns
    -------
    type
        `cls` itself.

    Raises
    ------
    ValueError
        If `cls` is registered already.

    Examples
    --------
    >>> import covector
    >>> class Point:
    ...     def __init__(self, x, y):
    ...         self.x, self.y = x, y
    >>> _ = covector.register_pytree_node(Point, lambda p: ((p.x, p.y), None), lambda _, c: Point(*c))
    >>> covector.grad(lambda p: p.x * p.y)(Point(2.0, 3.0)).x
    np.float64(3.0)
    """
    optree.register_pytree_node(cls, lambda x: tuple(flatten(x))[:2], unflatten, namespace=_NAMESPACE)  # type: ignore[arg-type]
    return cls


def register_dataclass(
    cls: type[T] | None = None,
    *,
    data_fields: Iterable[str] | None = None,
    meta_fields: Iterable[str] = (),
) -> Any:
    """Make instances of a dataclass pytrees; usable as a decorator.

    Parameters
    ----------
    cls : type
        A dataclass.
    data_fields : iterable of str, optional
        Fields that are subtrees; all fields that are not in `meta_fields` when absent.
    meta_fields : iterable of str, default ()
        Fields that belong to the structure and are never differentiated or mapped.

    Returns
    -------
    type
        `cls` itself.

    Raises
    ------
    TypeError
        If `cls` is not a dataclass.
    ValueError
        If a field is unknown or in neither list.

    Examples
    --------
    >>> import dataclasses, covector
    >>> @covector.register_dataclass
    ... @dataclasses.dataclass
    ... class Params:
    ...     scale: float
    ...     shift: float
    >>> covector.grad(lambda p: p.scale * 2.0 + p.shift)(Params(1.0, 5.0))
    Params(scale=np.float64(2.0), shift=np.float64(1.0))
    """
    if cls is None:
        return lambda c: register_dataclass(c, data_fields=data_fields, meta_fields=meta_fields)
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise TypeError(f"register_dataclass: expected a dataclass, got {cls!r}; decorate it with @dataclass first")
    names = [field.name for field in dataclasses.fields(cls) if field.init]
    meta = tuple(meta_fields)
    data = tuple(name for name in names if name not in meta) if data_fields is None else tuple(data_fields)
    if set(data) | set(meta) != set(names) or set(data) & set(meta):
        raise ValueError(
            f"register_dataclass: the fields of {cls.__name__} are {names}; "
            f"data_fields={list(data)} and meta_fields={list(meta)} must hold each of them exactly once"
        )

    def flat(x: Any) -> tuple[tuple[Any, ...], Any]:
        return tuple(getattr(x, name) for name in data), tuple(getattr(x, name) for name in meta)

    def build(metadata: Any, children: Iterable[Any]) -> Any:
        return cls(**dict(zip(data, children, strict=True)), **dict(zip(meta, metadata, strict=True)))

    return register_pytree_node(cls, flat, build)
