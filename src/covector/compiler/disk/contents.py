"""What a compiled program needs at run time besides its machine code, and how it is written to the disk.

Arrays and primitives that occur in the recorded program are referred to by their number in it: whoever reads an entry
has recorded the same program. Everything else is JSON, or bytes behind it; nothing is pickled. What can be said in
neither way makes the program one that is compiled anew in every process.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.graph import Equation, Graph, Var
from ...core.primitive import PRIMITIVES
from ...core.programs import programs_in
from ...core.values import Aval
from ..loops.definitions import Capacity, Failure

if TYPE_CHECKING:
    from ..native.emit import Module

__all__ = ["Bounds", "Contents", "UnstorableError", "contents_of", "from_meta", "to_meta"]

_MOST = 1 << 24  # bytes of constants made by the passes; a program with more is quicker to compile than to read
_PLAIN = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class Bounds:
    """The axis that a number out of bounds would have indexed, and its length."""

    axis: int
    size: int


@dataclass(frozen=True)
class Contents:
    """What stands between machine code and arrays.

    Attributes
    ----------
    outputs : list of Aval
        The arrays to allocate.
    results : list
        Per output of the program ("out", number), ("in", number) or ("value", constant).
    constants : list of ndarray
    checks : list
        What raises an IndexError, which has `axis` and `size`, or is a `Failure` or a `Capacity`.
    hosts : list of Equation
        What Python computes.
    routines : list of str
        Of BLAS and LAPACK.
    arena : int
        Bytes of temporary arrays.
    parallel : bool
        Whether the pool of threads is needed.
    reused : dict of int to int
        Outputs that are written to the memory of an input that may be overwritten.
    """

    outputs: list[Aval]
    results: list[tuple[str, Any]]
    constants: list[Any]
    checks: Sequence[Any]
    hosts: list[Equation]
    routines: list[str]
    arena: int
    parallel: bool
    reused: dict[int, int]


class UnstorableError(Exception):
    """The program holds something that cannot be written down."""


def contents_of(module: Module) -> Contents:
    """What the code of `module` needs."""
    return Contents(
        outputs=[v.aval for v in module.plan.outputs],
        results=module.plan.results,
        constants=module.constants,
        checks=module.checks,
        hosts=module.hosts,
        routines=sorted(set(re.findall(r"@cv_(\w+)\(", module.text)) - {"parallel_for"}),
        arena=module.arena,
        parallel=module.parallel,
        reused=module.plan.reused,
    )


def to_meta(contents: Contents, graph: Graph) -> tuple[dict[str, Any], bytes]:
    """Write `contents` of the recorded program `graph` down.

    Raises
    ------
    UnstorableError
        If that cannot be done.
    """
    w = _Writer(graph)
    meta = {
        "outputs": [_aval(a) for a in contents.outputs],
        "results": [[kind, at if kind != "value" else w.array(np.asarray(at))] for kind, at in contents.results],
        "constants": [w.array(c) for c in contents.constants],
        "checks": [_check(c) for c in contents.checks],
        "hosts": [w.equation(eq) for eq in contents.hosts],
        "routines": contents.routines,
        "arena": int(contents.arena),
        "parallel": bool(contents.parallel),
        "reused": [[int(k), int(i)] for k, i in contents.reused.items()],
    }
    return meta, b"".join(w.chunks)


def from_meta(meta: dict[str, Any], blob: bytes, graph: Graph) -> Contents:
    """Read what `to_meta` wrote for a program that does the same as `graph`."""
    r = _Reader(graph, blob)
    return Contents(
        outputs=[_read_aval(a) for a in meta["outputs"]],
        results=[(kind, at if kind != "value" else r.array(at)) for kind, at in meta["results"]],
        constants=[r.array(c) for c in meta["constants"]],
        checks=[_read_check(c) for c in meta["checks"]],
        hosts=[r.equation(eq) for eq in meta["hosts"]],
        routines=meta["routines"],
        arena=meta["arena"],
        parallel=meta["parallel"],
        reused=dict(meta["reused"]),
    )


def _check(c: Any) -> list[Any]:
    if isinstance(c, Capacity):
        return [c.tag]
    return list(c) if isinstance(c, Failure) else [int(c.axis), int(c.size)]


def _read_check(x: list[Any]) -> Any:
    if len(x) == 1:
        return Capacity(*x)
    return Failure(*x) if isinstance(x[0], str) else Bounds(*x)


def _aval(a: Aval) -> list[Any]:
    return [[int(n) for n in a.shape], _dtype(a.dtype)]


def _read_aval(x: list[Any]) -> Aval:
    return Aval(tuple(x[0]), np.dtype(x[1]))


def _dtype(dtype: np.dtype[Any]) -> str:
    if dtype.hasobject or np.dtype(dtype.str) != dtype:
        raise UnstorableError(f"the dtype {dtype}")
    return dtype.str


def _equations(graph: Graph) -> Iterator[Equation]:
    """The equations of a program and of those inside it, in an order that depends on what they say alone."""
    for eq in graph.equations:
        yield eq
        for inner in programs_in(eq.params):
            yield from _equations(inner)


def _outputs(graph: Graph) -> Iterator[Any]:
    """What a program and those inside it return."""
    yield from graph.outputs
    for eq in graph.equations:
        for inner in programs_in(eq.params):
            yield from _outputs(inner)


def _arrays(graph: Graph) -> list[Any]:
    """The constant arrays of a program and of those inside it."""
    found = [x for eq in _equations(graph) for x in eq.inputs if type(x) is np.ndarray]
    return found + [x for x in _outputs(graph) if type(x) is np.ndarray]


def _memory(x: Any) -> tuple[Any, ...]:
    """What two views of the same elements in the same shape have in common."""
    return x.__array_interface__["data"][0], x.shape, x.strides, x.dtype


class _Writer:
    def __init__(self, graph: Graph) -> None:
        self.arrays = {_memory(x): k for k, x in enumerate(_arrays(graph))}
        self.params = {id(eq.params): k for k, eq in enumerate(_equations(graph))}
        self.chunks: list[bytes] = []
        self.size = 0

    def _bytes(self, data: bytes) -> int:
        at = self.size
        self.size += len(data)
        if self.size > _MOST:
            raise UnstorableError(f"{self.size} bytes of constants")
        self.chunks.append(data)
        return at

    def array(self, x: Any) -> list[Any]:
        known = self.arrays.get(_memory(x))
        if known is not None and x.size:
            return ["constant", known]
        if x.nbytes > _MOST:
            raise UnstorableError(f"{x.nbytes} bytes of constants")
        return ["array", list(x.shape), _dtype(x.dtype), self._bytes(x.tobytes())]

    def value(self, x: Any) -> Any:
        """Write a parameter, or an input that is no variable."""
        kind = type(x)
        if kind in _PLAIN:
            return x
        if kind is np.ndarray:
            return self.array(x)
        if isinstance(x, np.generic):
            return ["scalar", _dtype(x.dtype), self._bytes(x.tobytes())]
        if isinstance(x, np.dtype):
            return ["dtype", _dtype(x)]
        if kind is complex:
            return ["complex", x.real, x.imag]
        if kind is tuple or kind is list:
            return [kind.__name__, *[self.value(y) for y in x]]
        if kind is dict:
            return ["dict", *[[self.value(k), self.value(v)] for k, v in x.items()]]
        if kind is slice:
            return ["slice", *[self.value(y) for y in (x.start, x.stop, x.step)]]
        raise UnstorableError(f"a value of type {kind.__name__}")

    def equation(self, eq: Equation) -> dict[str, Any]:
        known = self.params.get(id(eq.params)) if eq.params else None
        if PRIMITIVES.get(eq.primitive.name) is not eq.primitive:
            raise UnstorableError(f"{eq.primitive}")
        return {
            "primitive": eq.primitive.name,
            "params": ["of", known] if known is not None else self.value(eq.params),
            "inputs": [["var", *_aval(x.aval)] if type(x) is Var else ["is", self.value(x)] for x in eq.inputs],
            "outputs": [_aval(v.aval) for v in eq.outputs],
        }


class _Reader:
    def __init__(self, graph: Graph, blob: bytes) -> None:
        self.graph = graph
        self.blob = blob
        self._arrays: list[Any] | None = None

    def array(self, x: list[Any]) -> Any:
        if x[0] == "constant":
            if self._arrays is None:
                self._arrays = _arrays(self.graph)
            return self._arrays[x[1]]
        _, shape, dtype, at = x
        return self._elements(np.dtype(dtype), at, math.prod(shape)).reshape(shape)

    def _elements(self, dtype: np.dtype[Any], at: int, count: int) -> Any:
        if not count:
            return np.empty(0, dtype)
        # A copy: the bytes stand anywhere in the file, and code relies on the alignment of arrays.
        return np.frombuffer(self.blob, np.uint8, count * dtype.itemsize, at).copy().view(dtype)

    def value(self, x: Any) -> Any:
        if type(x) is not list:
            return x
        kind, *rest = x
        if kind in ("constant", "array"):
            return self.array(x)
        if kind == "scalar":
            return self._elements(np.dtype(rest[0]), rest[1], 1)[0]
        if kind == "dtype":
            return np.dtype(rest[0])
        if kind == "complex":
            return complex(*rest)
        if kind == "dict":
            return {self.value(k): self.value(v) for k, v in rest}
        parts = [self.value(y) for y in rest]
        if kind == "slice":
            return slice(*parts)
        return {"tuple": tuple, "list": list}[kind](parts)

    def equation(self, x: dict[str, Any]) -> Equation:
        params = x["params"]
        if params[0] == "of":
            found = next(eq for k, eq in enumerate(_equations(self.graph)) if k == params[1]).params
        else:
            found = self.value(params)
        inputs = [Var(k, _read_aval(y[1:])) if y[0] == "var" else self.value(y[1]) for k, y in enumerate(x["inputs"])]
        outputs = [Var(-1 - k, _read_aval(a)) for k, a in enumerate(x["outputs"])]
        return Equation(PRIMITIVES[x["primitive"]], inputs, found, outputs)
