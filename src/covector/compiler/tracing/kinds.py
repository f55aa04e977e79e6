"""What traced values answer to ``isinstance(x, np.ndarray)`` and ``type(x)``: the type of what they stand for."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ...core.tracer import Tracer
from ...core.views import is_view
from .tracers import JitPoint, JitScalar, JitTracer

__all__ = ["REPLACED", "type_of"]

_PYTHON: dict[str, type] = {"b": bool, "i": int, "f": float, "c": complex}


def type_of(x: Any) -> type:
    """The type of `x`; of a value that `jit` traces, the type that it has in a call without `jit`."""
    if isinstance(x, JitTracer):
        if x.shape or is_view(x) or type(x) is JitPoint:
            return np.ndarray
        return _PYTHON[x.dtype.kind] if type(x) is JitScalar else x.dtype.type
    if isinstance(x, Tracer) and x._trace.level == 0 and x._trace.name == "jit":
        return np.ndarray  # an array that the function made, to write into it
    return type(x)


def _isinstance(x: Any, kinds: Any, /) -> bool:
    """Return whether `x` is an instance of a class or of one of several."""
    return isinstance(x, kinds) or (isinstance(x, Tracer) and issubclass(type_of(x), kinds))


class _Type:
    """Stands for `type` in functions that are recorded."""

    def __call__(self, x: Any, *rest: Any, **options: Any) -> Any:
        return type(x, *rest, **options) if rest else type_of(x)

    def __instancecheck__(self, x: Any) -> bool:
        return isinstance(x, type)

    def __subclasscheck__(self, kind: Any) -> bool:
        return issubclass(kind, type)

    def __getitem__(self, item: Any) -> Any:
        return type[item]

    def __getattr__(self, name: str) -> Any:
        return getattr(type, name)


REPLACED: dict[str, tuple[Any, Any]] = {
    "isinstance": (builtins.isinstance, _isinstance),
    "type": (builtins.type, _Type()),
}
"""Name of a built-in function → that function, and the one that recorded functions find in its place."""
