"""What makes two recorded programs the same program."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from types import BuiltinFunctionType, FunctionType
from typing import Any

import numpy as np

from ...control.programs.axes import Axis
from ...core.graph import Graph, Var
from ...core.primitive import Primitive
from ..passes.constants import uniform

__all__ = ["structure_key"]

_SMALL = 4096  # elements up to which bytes are as quick to write as to look through


def structure_key(graph: Graph) -> str | None:
    """Return a text that two programs share exactly if they do the same, in this process or another.

    Parameters
    ----------
    graph : Graph
        The program. Names of variables do not matter; constants count by their contents.

    Returns
    -------
    str or None
        A hash; None where the program holds something that has no contents to compare, as a user's derivative rule.

    Notes
    -----
    Cost: linear in the number of operations and the size of the constants.
    """
    text = hashlib.sha256()
    try:
        _write_graph(text, graph)
    except _OpaqueError:
        return None
    return text.hexdigest()


class _OpaqueError(Exception):
    """Something without contents to compare."""


def _write_graph(text: Any, graph: Graph) -> None:
    names: dict[int, int] = {}
    # By identity, because most variables of a long program share theirs.
    avals: dict[int, bytes] = {}

    def define(v: Var) -> bytes:
        names[v.index] = len(names)
        aval = v.aval
        shown = avals.get(id(aval))
        if shown is None:
            shown = avals[id(aval)] = f"{aval.dtype.str}{aval.shape}{'w' * aval.weak};".encode()
        return shown

    def use(parts: list[bytes], xs: Sequence[Any]) -> None:
        """Write `parts` and the values `xs`; leave in `parts` what is not written yet."""
        for x in xs:
            if type(x) is Var:
                parts.append(b"v%d;" % names[x.index])
            else:
                text.update(b"".join(parts))
                parts.clear()
                _write(text, x)

    text.update(b"graph(" + b"".join([define(v) for v in graph.inputs]))
    for eq in graph.equations:
        parts = [b"\n", eq.primitive.name.encode(), b"("]
        use(parts, eq.inputs)
        if eq.params:
            text.update(b"".join(parts))
            parts.clear()
            _write(text, eq.params)
        text.update(b"".join([*parts, b")", *[define(v) for v in eq.outputs]]))
    parts = [b"\nreturn "]
    use(parts, graph.outputs)
    text.update(b"".join([*parts, b")"]))


def _write(text: Any, x: Any) -> None:
    """Write the value `x`: its type, its length where it has one, its contents."""
    kind = type(x)
    if kind is np.ndarray or isinstance(x, np.generic):
        if x.dtype.hasobject:
            raise _OpaqueError
        number = uniform(x) if x.size > _SMALL else None
        text.update(f"{kind.__name__}{x.dtype.str}{x.shape}{'' if number is None else 'uniform'}:".encode())
        text.update((x if number is None else number).tobytes())
    elif kind in (tuple, list):
        text.update(f"{kind.__name__}{len(x)}(".encode())
        for y in x:
            _write(text, y)
    elif kind is dict:
        text.update(b"dict%d(" % len(x))
        for name in sorted(x, key=repr):
            _write(text, name)
            _write(text, x[name])
    elif kind is slice:
        _write(text, (x.start, x.stop, x.step))
        text.update(b"slice")
    elif x is None or x is Ellipsis or kind in (bool, int, float, complex, str, bytes):
        shown = repr(x)
        text.update(f"{kind.__name__}{len(shown)}:{shown};".encode())
    elif isinstance(x, np.dtype):
        text.update(f"dtype{x.str};".encode())
    elif isinstance(x, Primitive):
        text.update(f"primitive {x.name};".encode())
    elif isinstance(x, Graph):
        _write_graph(text, x)
    elif kind is Axis:
        text.update(b"axis")
        _write(text, (x.name, x.size))
    elif isinstance(x, type | FunctionType | BuiltinFunctionType | np.ufunc):
        _write_name(text, x)
    else:
        from .program import Program

        if not isinstance(x, Program):
            raise _OpaqueError
        _write_graph(text, x.graph)


def _write_name(text: Any, x: Any) -> None:
    """Write the name of one of our own or NumPy's functions; a user's may be another one tomorrow."""
    module = getattr(x, "__module__", None)
    name = getattr(x, "__qualname__", x.__name__)
    # Some ufuncs do not know whose they are.
    for place in (module,) if module else ("numpy", "scipy.special"):
        found: Any = sys.modules.get(place)
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is x and place.partition(".")[0] in ("covector", "numpy", "scipy", "builtins"):
            text.update(f"{place}.{name};".encode())
            return
    raise _OpaqueError
