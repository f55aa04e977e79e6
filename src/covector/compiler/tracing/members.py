"""What there is in an object and in its class."""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterator
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from ...core.tracer import Tracer
from .libraries import is_core_module, is_library_code
from .sameness import is_data

__all__ = [
    "CONTAINERS",
    "ClassMembers",
    "functions_of",
    "has_attributes",
    "is_class_data",
    "is_object",
    "slots_of",
    "user_classes",
]

_ndarray = np.ndarray

CONTAINERS = (list, tuple, dict, OrderedDict, defaultdict, deque)
"""Types of containers of which items are followed."""

_NAMES = (
    "doc",
    "annotations",
    "slots",
    "match_args",
    "firstlineno",
    "static_attributes",
    "init",
    "new",
    "repr",
    "str",
    "eq",
    "hash",
    "reduce",
    "reduce_ex",
    "getstate",
    "setstate",
    "del",
    "init_subclass",
) + ("class_getitem", "setattr", "delattr", "format", "sizeof", "dir", "post_init", "replace", "copy", "deepcopy")
_UNUSED = frozenset(f"__{name}__" for name in _NAMES)
"""Notes, and methods that run when an object is made or shown, not when it is used."""


def is_object(x: Any) -> bool:
    """Whether `x` is an object of a user's class, whose attributes can be followed."""
    if isinstance(x, BuiltinFunctionType | FunctionType | MethodType | ModuleType | type | Enum | _ndarray | Tracer):
        return False
    kind = type(x)
    if kind is SimpleNamespace:
        return True
    return not is_core_module(kind.__module__) and has_attributes(x) and not hasattr(kind, "_fields")


def has_attributes(x: Any) -> bool:
    """Whether `x` keeps anything in a dictionary or in slots."""
    return hasattr(x, "__dict__") or bool(slots_of(type(x)))


def slots_of(kind: type) -> list[str]:
    """The names of the slots of instances of `kind`."""
    found: list[str] = []
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                hidden = name.startswith("__") and not name.endswith("__")
                found.append(f"_{base.__name__.lstrip('_')}{name}" if hidden else name)
    return found


def user_classes(kind: type) -> Iterator[type]:
    """The classes from which `kind` derives, itself included, that belong to the user."""
    return (base for base in kind.__mro__ if not is_core_module(base.__module__))


def functions_of(member: Any) -> list[FunctionType]:
    """The Python functions behind a member of a class."""
    from ..jit import JitFunction

    if isinstance(member, staticmethod | classmethod) and isinstance(member.__func__, JitFunction):
        member = member.__func__
    if isinstance(member, property):
        parts: tuple[Any, ...] = (member.fget,)
    elif isinstance(member, staticmethod | classmethod):
        parts = (member.__func__,)
    elif isinstance(member, functools.cached_property):
        parts = (member.func,)
    elif isinstance(member, JitFunction):
        parts = (member.__wrapped__,)
    else:
        parts = (member,)
    return [f for f in parts if type(f) is FunctionType and not is_library_code(f.__code__)]


def is_class_data(member: Any) -> bool:
    """Whether a member of a class is a value that methods read, as in ``class A: W = np.ones(3)``."""
    return (
        isinstance(member, _ndarray) or (is_data(member) and not isinstance(member, str)) or type(member) in CONTAINERS
    )


_MAKING = ("__init__", "__new__", "__post_init__")


class ClassMembers:
    """What objects reach through their classes: followed where some code names it, and compared at every call.

    Parameters
    ----------
    reach : Reach
        What looks for it.
    """

    def __init__(self, reach: Any) -> None:
        self._reach = reach

    def follow(self, node: Any, kind: type, names: set[str]) -> None:
        """Follow those members of `kind`, the class of the object of `node`, that are named or called by operators."""
        reach = self._reach
        overridden: set[str] = set(getattr(node.value, "__dict__", ()))
        for base in user_classes(kind):
            self._check_names(base)
            space = vars(base)
            for key in list(space):
                if key in _UNUSED or not (key in names or (key.startswith("__") and key.endswith("__"))):
                    continue
                again = key in overridden
                overridden.add(key)
                member, label = space[key], f"{base.__name__}.{key}"
                self._check_member(base, key, label)
                if not reach.first((id(node), base, key)):
                    continue
                for fun in functions_of(member):
                    child = reach.member(label, fun, again)
                    if child is not None:
                        node.members.append((key, member, child))
                if is_class_data(member):
                    child = reach.visit(member, f"{reach.constant(base)}.__dict__[{key!r}]", label, again, False)
                    if child is not None:
                        node.members.append((key, member, child))

    def follow_class(self, kind: type, label: str) -> None:
        """Follow everything in the class `kind`, which code may make objects of."""
        reach = self._reach
        for base in user_classes(kind):
            for key, member in list(vars(base).items()):
                for fun in functions_of(member):
                    reach.member(f"{label}.{key}", fun, True)
                if is_class_data(member):
                    reach.visit(member, f"{reach.constant(base)}.__dict__[{key!r}]", f"{label}.{key}", True, False)

    def check(self, kind: type, names: set[str]) -> None:
        """Compare those members of the class `kind` that are named or make its objects."""
        for base in user_classes(kind):
            self._check_names(base)
            for key in list(vars(base)):
                if key in names or key in _MAKING:
                    self._check_member(base, key, f"{base.__name__}.{key}")

    def _check_names(self, base: type) -> None:
        """Notice members that are added, which may override others."""
        if self._reach.first((base, None)):
            space = vars(base)
            self._reach.check(f"len({self._reach.constant(space)}) != {len(space)}", f"the class {base.__name__}")

    def _check_member(self, base: type, key: str, label: str) -> None:
        member = vars(base)[key]
        if (functions_of(member) or callable(member)) and self._reach.first((base, key)):
            space, known = self._reach.constant(vars(base)), self._reach.constant(member)
            self._reach.check(f"{space}.get({key!r}) is not {known}", label)
