"""A program as arrays of integers, in which repetitions can be looked for by whole-array operations.

Values are numbered: the inputs of the program first, then the outputs of its equations in order, so that what one
iteration of a loop made lies a fixed number after what the iteration before made. Constants have negative numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....control.loops.loop import loop_p
from ....core.graph import Equation, Graph, Var
from ....core.primitive import Primitive
from ....core.values import is_weak, shape_of
from ..keys import frozen, scalar_key
from .limits import LEAST_COUNT, LEAST_LENGTH, MANY
from .numbers import scrambled

__all__ = ["INDEXED", "Table", "entries", "indexed_shape", "literal_dtype"]

INDEXED = frozenset({"slice", "read", "write", "unslice"})
"""Primitives with a basic index, whose places may move from iteration to iteration."""

_REACHES = (128, 4096)
_HOT = 16
_PRODUCTS = ("product", "masked_product")


class Table:
    """The arrays.

    Attributes
    ----------
    tokens : int64 array
        One number per equation: equal ones do the same to arguments of the same shapes and dtypes.
    sharp : list of int64 arrays
        As `tokens`, but telling apart by how far back the arguments were made, up to several distances, beyond which
        those that are used often are told apart by which they are.
    refs, ref_start : int64 arrays
        Numbers of the arguments of all equations, and where those of each equation start.
    places, place_start : int64 arrays
        Likewise the places in basic indices: of an integer itself, of a slice its start.
    out_start : int64 array
        Number of the first output of each equation.
    work : int64 array
        Before each equation and behind the last, how much there is to do so far: a loop counts as many equations.
    outputs : list of int
        Numbers of the outputs of the program.
    variables : list of Var
        By number.
    constants : list
        The constant with number -1-k at k.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.equations = graph.equations
        self.constants: list[Any] = []
        self.variables: list[Var] = []
        self._ids: dict[Any, int] = {}
        self._by_identity: dict[int, int] = {}
        self._by_value: dict[Any, int] = {}
        self._alive: list[Any] = []
        self._number: list[int] = [0] * graph.count
        self._avals: list[int] = []
        self._aval_ids: dict[int, int] = {}
        self._constant_avals: list[int] = []
        self._weak: set[int] = set()
        for var in graph.inputs:
            self._define(var)
        refs: list[int] = []
        places: list[int] = []
        tokens: list[int] = []
        self.ref_start, self.place_start, self.out_start = self._fill(tokens, refs, places)
        self.tokens = np.array(tokens, np.int64)
        self.work = np.concatenate(
            [[0], np.cumsum([LEAST_LENGTH if eq.primitive is loop_p else 1 for eq in self.equations])]
        )
        self.refs = np.array(refs, np.int64)
        self.places = np.array(places, np.int64)
        self.outputs = [self.reference(x) for x in graph.outputs]
        self._set_apart()
        self.sharp = [self._sharpen(reach) for reach in _REACHES]

    def constant(self, number: int) -> Any:
        """The constant with a (negative) number."""
        return self.constants[-1 - number]

    def _define(self, var: Var) -> int:
        aval = var.aval
        known = self._aval_ids.get(id(aval))
        if known is None:
            known = self._aval_ids[id(aval)] = self._id((aval.shape, aval.dtype, aval.weak))
            if aval.weak:
                self._weak.add(known)
        self._number[var.index] = len(self.variables)
        self.variables.append(var)
        self._avals.append(known)
        return known

    def _fill(self, tokens: list[int], refs: list[int], places: list[int]) -> tuple[Any, Any, Any]:
        ref_start, place_start, out_start = [0], [0], []
        number, avals, ids, weak = self._number, self._avals, self._ids, self._weak
        by_identity, constant_avals = self._by_identity, self._constant_avals
        for eq in self.equations:
            key: list[Any] = [eq.primitive]
            for x in eq.inputs:
                if type(x) is Var:
                    ref = number[x.index]
                    key.append(avals[ref])
                else:
                    ref = by_identity.get(id(x)) or self._constant(x)
                    key.append(constant_avals[-1 - ref])
                refs.append(ref)
            if weak and not weak.isdisjoint(key):
                self._settle_weak(eq, key)
            if eq.params:
                known = eq.primitive.name in INDEXED
                key.append(self._index_key(eq, places) if known else self._params_key(eq.params))
            out_start.append(len(avals))
            for var in eq.outputs:
                key.append(self._define(var))
            whole = tuple(key)
            token = ids.get(whole)
            if token is None:
                token = ids[whole] = len(ids)
            tokens.append(token)
            ref_start.append(len(refs))
            place_start.append(len(places))
        out_start.append(len(avals))
        return np.array(ref_start), np.array(place_start), np.array(out_start)

    def _id(self, key: Any) -> int:
        known = self._ids.get(key)
        if known is None:
            known = self._ids[key] = len(self._ids)
        return known

    def _settle_weak(self, eq: Equation, key: list[Any]) -> None:
        """Name Python numbers in `key` by the dtype in which `eq` uses them.

        It is that of the carry, or of the array of constants, that may take their place.
        """
        for k, x in enumerate(eq.inputs):
            if x.aval.weak if type(x) is Var else is_weak(x):
                dtype = literal_dtype(eq, k)
                same = dtype is not None and (type(x) is not Var or dtype == x.dtype)
                key[1 + k] = self._id(((), dtype, False) if same else ("weak", self.reference(x)))

    def reference(self, x: Any) -> int:
        """The number of an argument of an equation."""
        return self._number[x.index] if type(x) is Var else self._by_identity.get(id(x)) or self._constant(x)

    def _constant(self, x: Any) -> int:
        """Give a number to a constant that was not met before, that of an equal one if there is any."""
        if isinstance(x, np.ndarray):
            key: Any = (x.dtype, x.shape, x.tobytes()) if not x.dtype.hasobject else ("object", id(x))
        elif isinstance(x, np.generic | int | float | complex):
            key = scalar_key(x)
        else:
            key = frozen(x, self._alive)
        known = self._by_value.get(key)
        if known is None:
            self.constants.append(x)
            known = self._by_value[key] = -len(self.constants)
            kind = self._id((shape_of(x), getattr(x, "dtype", None), is_weak(x)))
            self._constant_avals.append(kind)
            if is_weak(x):
                self._weak.add(kind)
        # The program keeps its constants alive, so that no other can come to have this identity.
        self._by_identity[id(x)] = known
        return known

    def _params_key(self, params: dict[str, Any]) -> Any:
        return tuple([(k, v if type(v) is int else self._param_key(v)) for k, v in params.items()])

    def _param_key(self, v: Any) -> Any:
        if isinstance(v, Graph):
            return self._graph_key(v)
        if type(v) is tuple and v and isinstance(v[0], Graph):
            return tuple([self._graph_key(g) for g in v])
        return frozen(v, self._alive)

    def _graph_key(self, graph: Graph) -> int:
        """A number that two programs share only if they are the same but for the names of variables."""
        known = self._by_identity.get(id(graph))
        if known is None:
            order: dict[int, int] = {v.index: k for k, v in enumerate(graph.inputs)}
            name = lambda x: order[x.index] if type(x) is Var else self._constant(x)
            parts: list[Any] = [tuple([v.aval for v in graph.inputs])]
            for eq in graph.equations:
                read = tuple([name(x) for x in eq.inputs])
                for var in eq.outputs:
                    order[var.index] = len(order)
                made = tuple([v.aval for v in eq.outputs])
                parts.append((eq.primitive, read, self._params_key(eq.params), made))
            parts.append(tuple([name(x) for x in graph.outputs]))
            known = self._by_identity[id(graph)] = self._id(("graph", *parts))
            self._alive.append(graph)
        return known

    def _index_key(self, eq: Equation, places: list[int]) -> Any:
        """A key of the index without the places in it, which go to `places`."""
        shape = indexed_shape(eq)
        axis = 0
        key: list[Any] = [shape if eq.primitive.name == "unslice" else None]
        for e in eq.params["index"]:
            kind = type(e)
            if kind is int or isinstance(e, np.integer):
                places.append(int(e))
                key.append("i")
                axis += 1
            elif kind is slice:
                start, stop, step = e.indices(shape[axis])
                places.append(start)
                key.append((len(range(start, stop, step)), step))
                axis += 1
            elif e is None and eq.primitive.name in ("slice", "read"):
                key.append(None)
            else:
                return self._params_key(eq.params)
        return tuple(key)

    def _set_apart(self) -> None:
        """Make the tokens of equations unlike all others that only prepare arguments of one wide concatenation.

        That takes them from a loop as they are (see `joins`).
        """
        counts = np.diff(self.ref_start)
        wide = [k for k in np.flatnonzero(counts >= MANY).tolist() if self.equations[k].primitive.name == "concat"]
        if not wide:
            return
        uses = np.bincount(self.refs[self.refs >= 0], minlength=len(self.variables))
        for k in wide:
            if np.count_nonzero(self.tokens == self.tokens[k]) >= LEAST_COUNT:
                continue
            refs = np.unique(self.refs[self.ref_start[k] : self.ref_start[k + 1]])
            makers = np.searchsorted(self.out_start, refs[refs >= len(self.graph.inputs)], side="right") - 1
            for at, number in zip(makers.tolist(), refs[refs >= len(self.graph.inputs)].tolist(), strict=True):
                if uses[number] == 1 and self.equations[at].primitive.name == "reshape":
                    self.tokens[at] = -1 - at

    def _sharpen(self, reach: int) -> Any:
        """Mix into the tokens where arguments come from: how far back, if near; which ones, if they are used often."""
        counts = np.diff(self.ref_start)
        owner = np.repeat(np.arange(len(self.equations)), counts)
        distance = self.out_start[owner] - self.refs if len(owner) else self.refs
        near = (self.refs >= 0) & (distance <= reach)
        shifted = self.refs + len(self.constants)
        uses = np.bincount(shifted, minlength=1)
        hot = ~near & (uses[shifted] >= _HOT)
        mark = np.where(near, distance, np.where(hot, -2 - shifted, -1)).astype(np.uint64)
        slot = (np.arange(len(owner)) - self.ref_start[owner]).astype(np.uint64)
        with np.errstate(over="ignore"):
            mixed = scrambled(mark * np.uint64(31) + slot)
            total = scrambled(self.tokens.astype(np.uint64))
            np.add.at(total, owner, mixed)
        return np.unique(total, return_inverse=True)[1]


def indexed_shape(eq: Equation) -> tuple[int, ...]:
    """The shape of the array that the basic index of `eq` refers to."""
    return eq.params["shape"] if eq.primitive.name == "unslice" else np.shape(eq.inputs[0])


def entries(eq: Equation) -> list[tuple[Any, int]]:
    """The entries of the basic index of `eq`, each with the axis that it is about."""
    out, axis = [], 0
    for e in eq.params["index"]:
        out.append((e, axis))
        axis += e is not None
    return out


_DTYPES: dict[Any, Any] = {}


def literal_dtype(eq: Equation, place: int) -> Any:
    """The dtype in which `eq` uses the Python number at `place` of its arguments; None if it cannot be told."""
    kinds = tuple([_kind(x) for x in eq.inputs])
    key = (eq.primitive, kinds, place)
    if key not in _DTYPES:
        _DTYPES[key] = _literal_dtype(eq.primitive, kinds, place)
    return _DTYPES[key]


def _kind(x: Any) -> Any:
    """The dtype of an argument, or the Python type for a Python number."""
    if type(x) is Var:
        return type(x.dtype.type(0).item()) if x.aval.weak else x.dtype
    return type(x) if is_weak(x) else x.dtype


def _literal_dtype(primitive: Primitive, kinds: tuple[Any, ...], place: int) -> Any:
    if not any(isinstance(k, np.dtype) for k in kinds):
        return None
    impl = primitive.impl
    if isinstance(impl, np.ufunc):
        try:
            return impl.resolve_dtypes((*kinds, *[None] * impl.nout))[place]
        except (TypeError, ValueError):
            return None
    if primitive.family == "choice" or primitive.name in _PRODUCTS:
        return np.result_type(*[k if isinstance(k, np.dtype) else k(0) for k in kinds])
    return None
