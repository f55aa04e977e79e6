"""Taking the arguments of a call apart: leaves to compute with, and values that belong to the program."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from ...control.programs.axes import axes_key, lanes_of
from ...core import tree
from ...core.buffer import plain_of
from ...core.tracer import Tracer, concrete
from ...core.values import Aval, aval_of, dtype_of, is_weak, shape_of
from ...transforms.arguments import check_leaf, fun_name
from ...transforms.vmap import named_axes
from .members import is_object
from .specialise import Input

__all__ = ["Arguments", "Static", "as_input", "leaf_key", "parameters", "plain_leaf", "static_key"]

_ndarray = np.ndarray
_PYTHON = frozenset((float, int, complex, bool))
_NUMBERS = "biufc"
_FIXED = "fixed"
_BY_IDENTITY: tuple[Any, ...] = (None, object.__hash__)
_INT64 = range(-(2**63), 2**63)


def parameters(fun: Callable[..., Any]) -> dict[str, Any]:
    """The parameters of `fun` by name; none where it does not tell."""
    import inspect

    try:
        return dict(inspect.signature(fun).parameters)
    except (TypeError, ValueError):
        return {}


class Static:
    """Which arguments are part of the program, by position and by name.

    Parameters
    ----------
    fun : callable
        The function; its signature says which position a name has.
    argnums : int or sequence of int
        Positions.
    argnames : str or sequence of str
        Names.
    option : str
        What messages call `argnums`.
    """

    __slots__ = ("fun", "names", "numbers")

    def __init__(self, fun: Callable[..., Any], argnums: Any, argnames: Any, option: str = "static_argnums") -> None:
        self.fun = fun
        numbers = set(argnums) if isinstance(argnums, Iterable) else {argnums}
        names = {argnames} if isinstance(argnames, str) or not isinstance(argnames, Iterable) else set(argnames)
        self._check(argnums, argnames, numbers, names, option)
        if numbers or names:
            known = parameters(fun)
            placed = [p.name for p in known.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
            several = any(p.kind is p.VAR_POSITIONAL for p in known.values())
            if known and not several and any(not -len(placed) <= i < len(placed) for i in numbers):
                raise ValueError(
                    f"jit: {option}={argnums} names a position that {fun_name(fun)} with {len(placed)} "
                    f"positional parameters does not have"
                )
            named = any(p.kind is p.VAR_KEYWORD for p in known.values())
            unknown = names - set(known)
            if known and unknown and not named:
                raise ValueError(f"jit: static_argnames: {fun_name(fun)} has no parameter {sorted(unknown)[0]!r}")
            if known:
                numbers = {i % len(placed) if -len(placed) <= i < 0 else i for i in numbers}
            numbers |= {placed.index(name) for name in names if name in placed}
            names |= {placed[i] for i in numbers if i < len(placed)}
        self.numbers = frozenset(numbers)
        self.names = frozenset(names)

    @staticmethod
    def _check(argnums: Any, argnames: Any, numbers: set[Any], names: set[Any], option: str) -> None:
        if not all(isinstance(i, int) and not isinstance(i, bool) for i in numbers):
            raise TypeError(f"jit: {option} must be an int or a tuple of ints, got {argnums!r}")
        if not all(isinstance(s, str) for s in names):
            raise TypeError(f"jit: static_argnames must be a str or a tuple of strs, got {argnames!r}")

    def __bool__(self) -> bool:
        return bool(self.numbers or self.names)


def static_key(x: Any, place: Callable[[], str]) -> Hashable:
    """What makes two static values the same: type and value, of arrays the contents, of functions their code."""
    if isinstance(x, _ndarray) and x.dtype.kind != "O":
        return (_ndarray, x.dtype.str, x.shape, x.tobytes())
    if type(x) is FunctionType:
        return x.__code__  # what it closes over is compared at every call
    if type(x) is tuple:
        return (tuple, *[static_key(y, place) for y in x])
    if type(x) is slice:
        return (slice, *[static_key(y, place) for y in (x.start, x.stop, x.step)])
    if type(x) in (set, frozenset):
        return (type(x), frozenset(static_key(y, place) for y in x))
    if type(x) in (list, dict):
        parts = x if type(x) is list else [y for item in x.items() for y in item]
        return (type(x), *[static_key(y, place) for y in parts])
    if isinstance(x, Tracer):
        raise TypeError(
            f"jit: {place()} is traced by {x._trace.name}, and static arguments are part of the program; leave it out "
            f"of static_argnums and static_argnames"
        )
    if is_object(x) and type(x).__hash__ in _BY_IDENTITY:
        return ("object", type(x))  # what it holds is compared at every call
    try:
        hash(x)
    except TypeError:
        if is_object(x):
            return ("object", type(x))
        raise TypeError(
            f"jit: {place()} is a {type(x).__name__}, which cannot be compared with that of an earlier call; "
            f"pass its parts, or close over it: what a function closes over may be anything"
        ) from None
    return (type(x), "nan" if type(x) is float and x != x else x)


def leaf_key(x: Any) -> Any:
    """Dtype, shape and kind of an array or number; None for anything else, which is static."""
    kind = type(x)
    if kind is _ndarray:
        return (x.dtype, x.shape) if x.dtype.kind in _NUMBERS else None
    if kind in _PYTHON:
        return kind if kind is not int or x in _INT64 else None
    if isinstance(x, Tracer):
        # As of the number or array that is followed, so that both share a program.
        value = concrete(x)
        if value is not None and np.shape(value) == x.shape:
            return leaf_key(value)
        return (x.dtype, x.shape) if x.shape else x.dtype.type
    if isinstance(x, np.generic):
        return kind if x.dtype.kind in _NUMBERS else None
    if isinstance(x, _ndarray):
        return (kind, x.dtype, x.shape)
    return None


def as_input(x: Any) -> Input:
    """Describe an array, number or traced value as an input of a program."""
    x = plain_of(x)
    if type(x) is _ndarray:
        x = plain_leaf(x)
    value = concrete(x)
    example = value if value is not None and np.shape(value) == shape_of(x) else None
    aval = aval_of(x)
    is_array = isinstance(example, _ndarray) and not aval.shape
    return Input(Aval(aval.shape, aval.dtype), example, weak=is_weak(example), is_array=is_array, lanes=lanes_of(x))


class Arguments:
    """The arguments of one call.

    Attributes
    ----------
    leaves : list
        Arrays, numbers and traced values.
    key : tuple
        Equal for calls that the same program may serve.
    fixed : list
        What is no array, in the order in which it is met.
    traced : bool
        Whether some leaf is traced.
    treedef : PyTreeSpec
        Structure of the arguments, None in place of static ones.
    places : list of int
        The numbers of `leaves` among all leaves.
    static_places : list of int or str
        Positions and names of static arguments.
    """

    __slots__ = (
        "_all",
        "_args",
        "_kwargs",
        "fixed",
        "fixed_key",
        "key",
        "leaves",
        "places",
        "static_places",
        "traced",
        "treedef",
    )

    def __init__(self, static: Static, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        keys: list[Any] = []
        self.fixed: list[Any] = []
        self.static_places: list[int | str] = []
        if static:
            args, kwargs = self._without_static(static, args, kwargs, keys)
        self._args, self._kwargs = args, kwargs
        self._all, self.treedef = tree.flatten((args, kwargs))
        self.leaves: list[Any] = []
        self.places: list[int] = []
        self.traced = False
        for i, x in enumerate(self._all):
            key = leaf_key(x)
            if isinstance(x, _ndarray) and (key is None or type(x) is not _ndarray):
                check_leaf(x, f"jit: {self._place(static.fun, i)}")
            if key is None:
                key = (_FIXED, static_key(x, partial(self._place, static.fun, i)))
                self.fixed.append(x)
            else:
                self.traced |= isinstance(x, Tracer)
                self.leaves.append(x)
                self.places.append(i)
            keys.append(key)
        if named_axes():
            keys.append(("axes", axes_key()))
        self.key = (self.treedef, *keys)
        self.fixed_key = tuple([k[-1] for k in keys if type(k) is tuple and k[0] is _FIXED]) if self.fixed else ()

    @property
    def trees(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The positional and the keyword arguments, None in place of static ones."""
        return self._args, self._kwargs

    def _without_static(self, static: Static, args: Any, kwargs: Any, keys: list[Any]) -> Any:
        """Put None in place of static arguments, and note their values."""
        args, kwargs = list(args), dict(kwargs)
        for i in sorted(static.numbers):
            if i < len(args):
                place = lambda i=i: f"the static argument {i} of {fun_name(static.fun)}"
                keys.append((_FIXED, static_key(args[i], place)))
                self.fixed.append(args[i])
                self.static_places.append(i)
                args[i] = None
        for name in sorted(static.names & set(kwargs)):
            place = lambda name=name: f"the static argument {name!r} of {fun_name(static.fun)}"
            keys.append((_FIXED, static_key(kwargs[name], place)))
            self.fixed.append(kwargs[name])
            self.static_places.append(name)
            kwargs[name] = None
        return tuple(args), kwargs

    def _place(self, fun: Any, i: int) -> str:
        path = tree.paths(self.treedef)[i]
        shown = path.removeprefix("[0]") if path.startswith("[0]") else path.removeprefix("[1]")
        return f"the argument {shown} of {fun_name(fun)}"

    def call(self, fun: Callable[..., Any], leaves: Sequence[Any], fixed: Sequence[Any]) -> Any:
        """Call `fun` with `leaves` and `fixed` in the places of ours."""
        rest = iter(fixed)
        given = {place: next(rest) for place in self.static_places}
        full: list[Any] = list(self._all)
        places = set(self.places)
        values = iter(leaves)
        for i in range(len(full)):
            full[i] = next(values) if i in places else next(rest)
        args, kwargs = tree.unflatten(self.treedef, full)
        if given:
            args = [given.get(i, x) for i, x in enumerate(args)]
            kwargs = {name: given.get(name, x) for name, x in kwargs.items()}
        return fun(*args, **kwargs)

    def difference(self, other: tuple[Any, ...]) -> str | None:
        """What sets these arguments apart from those with the key `other`."""
        if len(other) != len(self.key) or other[0] != self.key[0]:
            return "the structure of its arguments changed"
        for i, (a, b) in enumerate(zip(self.key[1:], other[1:], strict=True)):
            if a != b:
                return f"the dtype or shape of argument leaf {i} changed; pad arrays to a common shape"
        return None

    def flat_places(self, argnums: Iterable[int]) -> tuple[int, ...]:
        """The numbers of the leaves of the positional arguments `argnums`."""
        counts = [len(tree.leaves(a)) for a in self._args]
        starts = [sum(counts[:i]) for i in range(len(counts))]
        wanted = {starts[n] + k for n in argnums if n < len(counts) for k in range(counts[n])}
        return tuple(k for k, i in enumerate(self.places) if i in wanted)


def plain_leaf(x: Any) -> Any:
    """Return an array or number as an array that machine code can take."""
    if type(x) is _ndarray:
        return x if x.dtype.isnative else x.astype(x.dtype.newbyteorder("="))
    return np.asarray(x, dtype_of(x)).view(_ndarray)
