"""Compiled functions in other processes: programs travel as recorded operations, machine code is made anew."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from ...core import tree
from ...core.graph import Graph
from ...core.primitive import Primitive
from ...transforms.arguments import fun_name
from ..tracing.closures import Environment
from ..tracing.specialise import Specialisation

__all__ = ["checked", "reduce_jit", "reduce_specialisation"]

_PLAIN = (int, float, complex, str, bytes, slice, np.ndarray, np.generic, np.dtype, Primitive, type(None), type(...))


# --- programs ---------------------------------------------------------------------------------------------------------


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
    elif not _can_pickle(value):
        raise pickle.PicklingError(
            f"a compiled function holds {place}, a {type(value).__name__} that cannot be pickled; define the functions "
            f"and derivative rules that it calls at the top of a module"
        )


def _can_pickle(x: Any) -> bool:
    """Whether `x` can be pickled by the standard library or, where that is loaded, by cloudpickle."""
    return _by(pickle, x) is not None or _by(sys.modules.get("cloudpickle"), x) is not None


def _by(module: Any, x: Any) -> bytes | None:
    """The pickle of `x` that `module` makes, None where it makes none."""
    if module is None:
        return None
    try:
        return module.dumps(x)
    except Exception:  # whatever the classes in it raise
        return None


# --- compiled functions -----------------------------------------------------------------------------------------------


def reduce_jit(function: Any) -> Any:
    """What ``__reduce__`` of a compiled function returns.

    A function that a module defines is found by its name in the other process. Any other travels with the Python
    function that it compiles, if that can be pickled, else with the programs recorded so far.
    """
    cloudpickle = sys.modules.get("cloudpickle")
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    # Other programs of cloudpickle's users do not have our main module.
    if _named(module, name) is function and not (module == "__main__" and cloudpickle is not None):
        return name
    fun, make = function.__wrapped__, type(function)
    if not isinstance(fun, _Elsewhere):
        if _by(pickle, fun) is not None:
            return _restored, (make, fun, function.options)
        code = _by(cloudpickle, fun)
        if code is not None:
            return _from_code, (make, code, function.options)
    hidden, recorded = _current(function)
    if not recorded:
        raise pickle.PicklingError(
            f"jit: {fun_name(fun)} cannot be pickled, because it is no function that a module defines, and there is no "
            f"program of it yet that could travel instead; define it at the top of a module, or call it first"
        )
    return _from_programs, (make, fun_name(fun), function.options, hidden, recorded)


def _named(module: Any, name: str) -> Any:
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _current(function: Any) -> tuple[list[Any], list[tuple[Any, Any, Specialisation]]]:
    """Return copies of the arrays that the function reaches besides its arguments, and its programs for these."""
    found: dict[int, list[Any]] = {}
    for fixed_key, environment, key, spec in function.recorded():
        entries = found.setdefault(id(environment), [environment.read(function.__wrapped__, ())])
        if type(entries[0]) is not int and _by(pickle, (fixed_key, key)) is not None:
            entries.append((fixed_key, key, spec))
    for hidden, *entries in found.values():
        if entries:
            return [np.array(x) if isinstance(x, np.ndarray) else x for x in hidden], entries
    return [], []


def _restored(make: Callable[..., Any], fun: Any, options: tuple[Any, ...]) -> Any:
    return make(fun, *options)


def _from_code(make: Callable[..., Any], code: bytes, options: tuple[Any, ...]) -> Any:
    return make(pickle.loads(code), *options)


def _from_programs(
    make: Callable[..., Any], name: str, options: tuple[Any, ...], hidden: list[Any], recorded: Sequence[Any]
) -> Any:
    function = make(_Elsewhere(name), *options)
    environment = _Frozen(hidden)
    for fixed_key, key, spec in recorded:
        function.restore(fixed_key, environment, key, spec)
    return function


class _Elsewhere:
    """Stands for a Python function that could not be pickled."""

    def __init__(self, name: str) -> None:
        self.__name__ = self.__qualname__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            f"jit: {self.__name__} came from another process as its recorded programs, of which none is for arguments "
            f"like these; define the function at the top of a module, or call it with such arguments before pickling it"
        )


class _Frozen(Environment):
    """What a function reached besides its arguments when it was pickled."""

    __slots__ = ("hidden",)

    def __init__(self, hidden: list[Any]) -> None:
        super().__init__(_nothing, ())
        self.hidden = tuple(hidden)
        self.reader = self._given
        self.active = bool(hidden)

    def _given(self, fun: Any, fixed: Any) -> tuple[Any, ...]:
        return self.hidden


def _nothing() -> None:
    """Reaches nothing."""


def reduce_specialisation(spec: Specialisation) -> Any:
    """What ``__reduce__`` of a specialisation returns."""
    checked(spec.graph)
    treedef = None if spec.treedef is tree.LEAF else spec.treedef
    options = {name: getattr(spec, name) for name in ("written", "watched", "lanes", "threads", "donate")}
    return _specialisation, (spec.graph, spec.guarded, spec.guards, treedef, spec.kinds, options)


def _specialisation(graph: Graph, guarded: Any, guards: Any, treedef: Any, kinds: Any, options: dict[str, Any]) -> Any:
    spec = Specialisation(graph, guarded, guards, tree.LEAF if treedef is None else treedef, kinds)
    for name, value in options.items():
        setattr(spec, name, value)
    return spec
