"""Helpers for pytrees: flatten, map and reduce nested containers of arrays, and register classes as such."""

from .core.tree import all, flatten, leaves, map, reduce, register_dataclass, register_pytree_node, structure, unflatten

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
