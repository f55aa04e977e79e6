"""Programs inside of programs: the parameters of an equation that are graphs, or tuples of graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .graph import Graph

__all__ = ["has_programs", "programs_in", "with_programs"]


def has_programs(params: dict[str, Any]) -> bool:
    """Whether there are programs among the parameters."""
    return bool(params) and any(_is_program(v) for v in params.values())


def _is_program(v: Any) -> bool:
    return isinstance(v, Graph) or (type(v) is tuple and bool(v) and isinstance(v[0], Graph))


def programs_in(params: dict[str, Any]) -> Iterator[Graph]:
    """The programs among the parameters, in the order of the parameters' names."""
    for name in sorted(params):
        v = params[name]
        if isinstance(v, Graph):
            yield v
        elif _is_program(v):
            yield from v


def with_programs(params: dict[str, Any], make: Callable[[Graph], Graph]) -> dict[str, Any]:
    """The parameters with ``make(program)`` in place of each program; `params` itself where nothing changes."""

    def made(v: Any) -> Any:
        if isinstance(v, Graph):
            return make(v)
        if _is_program(v):
            new = tuple([make(g) for g in v])
            return v if all(a is b for a, b in zip(new, v, strict=True)) else new
        return v

    if not has_programs(params):
        return params
    new = {name: made(v) for name, v in params.items()}
    return params if all(new[name] is v for name, v in params.items()) else new
