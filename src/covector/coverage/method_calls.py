"""Sample calls of the methods, attributes and operators of arrays."""

from __future__ import annotations

import copy
import operator
import os
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["methods"]

V = np.array([0.3, 0.7, 0.55])
W = np.array([0.8, 0.4, 0.65])
M = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, 0.2], [0.1, 0.2, 0.5]])
WHOLE = np.array([5, 3, 6])
SHIFTS = np.array([1, 2, 1])
ONE = np.array(0.5)
ONE_WHOLE = np.array(2)

_Sample = tuple[Callable[..., Any], tuple[Any, ...]]

_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "argpartition": (1,),
    "partition": (1,),
    "astype": (np.float32,),
    "choose": ([V, W, V],),
    "clip": (0.4, 0.6),
    "compress": ([True, False, True],),
    "dot": (W,),
    "fill": (0.5,),
    "put": ([0, 1], [0.5, 0.6]),
    "repeat": (2,),
    "reshape": (3, 1),
    "resize": (3,),
    "searchsorted": (W,),
    "setflags": (),
    "take": ([2, 0],),
    "to_device": ("cpu",),
    "tofile": (os.devnull,),
    "dump": (os.devnull,),
    "view": (np.int64,),
    "item": (1,),
    "__getitem__": (slice(1, None),),
    "__setitem__": (0, 0.5),
    "__contains__": (0.3,),
    "__array_namespace__": (),
}
"""Arguments of methods that need some."""

_MATRIX = ("T", "mT", "diagonal", "trace", "swapaxes", "transpose")
_SCALAR = ("__float__", "__complex__", "__int__", "__bool__")
_BITS = ("and", "or", "xor", "lshift", "rshift")
_BINARY = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "divmod")


def methods(name: str) -> list[_Sample]:
    """Return how to call one method, attribute or operator, and the arrays."""
    bare = name.strip("_")
    stem = bare[1:] if bare[:1] in "ri" and bare[1:] in (*_BINARY, *_BITS, "matmul") else bare
    if name.startswith("__i") and stem != bare:
        # As a statement: Python falls back to the operator without assignment.
        return [(lambda f, x, y: getattr(operator, name)(x, y), _operands(stem))]
    if name.startswith("__") and stem in (*_BINARY, *_BITS, "matmul"):
        return [(_called(name), _operands(stem))]
    if name in _SCALAR:
        return [(_called(name), (ONE,))]
    if name == "__index__":
        return [(_called(name), (ONE_WHOLE,))]
    if name == "__invert__":
        return [(_called(name), (WHOLE,))]
    if name == "__iter__":
        return [(lambda f, x: list(x), (V,))]
    if name in ("__copy__", "__deepcopy__"):
        return [(lambda f, x: getattr(copy, bare)(x), (V,))]
    if name == "swapaxes":
        return [(lambda f, x: x.swapaxes(0, 1), (M,))]
    if name == "imag":
        return [(lambda f, x: (x * 1j).imag, (V,))]
    if name == "choose":
        return [(_called(name, *_ARGUMENTS[name]), (SHIFTS,))]
    if name == "searchsorted":
        return [(_called(name, W), (np.sort(V),))]
    array = M if name in _MATRIX else V
    if not callable(getattr(array, name, None)):
        return [(lambda f, x: getattr(x, name), (array,))]
    return [(_called(name, *_ARGUMENTS.get(name, ())), (array,))]


def _operands(stem: str) -> tuple[Any, Any]:
    return (WHOLE, SHIFTS) if stem in _BITS else (M, M + np.eye(3)) if stem == "matmul" else (V, W)


def _called(name: str, *arguments: Any) -> Callable[..., Any]:
    return lambda f, x, *rest: operator.methodcaller(name, *rest, *arguments)(x)
