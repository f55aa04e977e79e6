"""What a compiled function returns: arrays, NumPy scalars and Python numbers exactly where NumPy would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.graph import Equation, Graph, Var
from ...core.tracer import Tracer
from ...core.values import is_weak
from ...core.views import is_view
from .tracers import JitPoint, JitScalar, JitTracer

__all__ = ["ARRAY", "PYTHON", "SCALAR", "as_kind", "kinds_of"]

ARRAY, SCALAR, PYTHON = "array", "scalar", "python"

_MAKES_ARRAYS = frozenset(("reshape", "where", "broadcast", "write", "put", "add_at", "sph_harm_y"))
"""Whose results of no dimensions are arrays; of other functions they are scalars."""

_AS_GIVEN = frozenset(("convert", "transpose", "stop_gradient", "real", "imag", "conjugate"))
"""Whose results are arrays where their argument is one."""


def kinds_of(leaves: Sequence[Any], graph: Graph, arrays: Sequence[Var]) -> list[str]:
    """Say of each output leaf what it is to be returned as.

    Parameters
    ----------
    leaves : sequence
        Tracers and constants.
    graph : Graph
        The program that computes them.
    arrays : sequence of Var
        Inputs that are arrays of no dimensions, and not numbers.
    """
    if all(isinstance(x, Tracer | np.ndarray) and x.shape for x in leaves):
        return [ARRAY] * len(leaves)
    made = {v.index: eq for eq in graph.equations for v in eq.outputs if not v.shape}
    given = {v.index for v in arrays}
    return [_kind(x, made, given) for x in leaves]


def _kind(x: Any, made: dict[int, Equation], arrays: set[int]) -> str:
    if isinstance(x, JitTracer):
        if x.shape or is_view(x) or type(x) is JitPoint:
            return ARRAY
        if type(x) is JitScalar:
            return PYTHON
        return ARRAY if _is_array(x._var, made, arrays) else SCALAR
    if is_weak(x):
        return PYTHON
    return SCALAR if isinstance(x, np.generic) else ARRAY


def _is_array(x: Any, made: dict[int, Equation], arrays: set[int]) -> bool:
    while type(x) is Var:
        eq = made.get(x.index)
        if eq is None:
            return x.index in arrays
        name = eq.primitive.name
        if name in ("slice", "read"):
            return eq.params["index"][-1:] == (Ellipsis,)
        if name not in _AS_GIVEN:
            return name in _MAKES_ARRAYS
        x = eq.inputs[0]
        if type(x) is Var and x.shape:
            return True
    return isinstance(x, np.ndarray)


def as_kind(x: Any, kind: str) -> Any:
    """Return the plain value `x` as what a function's output is: an array, a NumPy scalar or a Python number."""
    x = np.asarray(x)
    return x.item() if kind == PYTHON else x[()] if kind == SCALAR else x
