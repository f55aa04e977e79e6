"""Compiled functions in other processes: programs travel as recorded operations, machine code is made anew."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.graph import Graph
from ..core.primitive import Primitive

__all__ = ["can_pickle", "checked", "is_global"]

_PLAIN = (int, float, complex, str, bytes, slice, np.ndarray, np.generic, np.dtype, Primitive, type(None), type(...))


def checked(graph: Graph) -> Graph:
    """Return the program, all of whose parameters can be pickled, else raise PicklingError."""
    for eq in graph.equations:
        for name, value in eq.params.items():
            _check(value, f"the parameter {name!r} of {eq.primitive}")
    return graph


def _check(value: Any, place: str) -> None:
    if isinstance(value, _PLAIN):
        return
    if isinstance(value, tuple | list):
        for v in value:
            _check(v, place)
    elif isinstance(value, Graph):
        checked(value)
    elif not can_pickle(value):
        raise pickle.PicklingError(
            f"a compiled function holds {place}, a {type(value).__name__} that cannot be pickled; define the functions "
            f"and derivative rules that it calls at the top of a module"
        )


def can_pickle(x: Any) -> bool:
    """Whether `x` can be pickled by the standard library or, where that is loaded, by cloudpickle."""
    for name in ("pickle", "cloudpickle"):
        module = sys.modules.get(name)
        if module is not None and _dumps(module.dumps, x):
            return True
    return False


def _dumps(dumps: Callable[[Any], bytes], x: Any) -> bool:
    try:
        dumps(x)
    except Exception:  # whatever the user's classes raise
        return False
    return True


def is_global(x: Any, module: Any, name: Any) -> bool:
    """Whether `x` is what its module calls by this name, so that it can be pickled by it."""
    found: Any = sys.modules.get(module)
    for part in str(name).split("."):
        found = getattr(found, part, None)
    return found is x
