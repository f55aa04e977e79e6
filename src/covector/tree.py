"""Helpers for pytrees: flatten, map and reduce nested containers of arrays, and register classes as such."""

from .core.tree import (
    all,  # noqa: A004
    flatten,
    leaves,
    map,  # noqa: A004
    reduce,
    register_dataclass,
    register_pytree_node,
    structure,
    unflatten,
)

__all__ = [
    "all",
    "flatten",
    "leaves",
    "map",
    "reduce",
    "register_dataclass",
    "register_pytree_node",
    "structure",
    "unflatten",
]
