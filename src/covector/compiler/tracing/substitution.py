"""A copy of a function that finds traced values where the original finds arrays."""

from __future__ import annotations

import copy
import functools
from collections import defaultdict, deque
from collections.abc import Sequence
from types import CellType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

from .kinds import REPLACED
from .libraries import counterpart
from .members import slots_of
from .reach import Node

__all__ = ["SideEffectError", "Substitution"]


class SideEffectError(Exception):
    """The function assigned to a variable or attribute outside of it, which only Python can do.

    Attributes
    ----------
    is_new : bool
        Whether it is an attribute that was not there before, perhaps to be made once and kept.
    """

    def __init__(self, place: str, is_new: bool = False) -> None:
        super().__init__(place)
        self.is_new = is_new


class Substitution:
    """Copies of everything between a function and the arrays it reaches.

    Parameters
    ----------
    roots : sequence of Node or None
        The function, and static arguments.
    replacements : sequence
        One value per array.
    numpy : bool
        Whether the copies find `covector.numpy` where the originals find NumPy.
    """

    def __init__(self, roots: Sequence[Node | None], replacements: Sequence[Any], numpy: bool = False) -> None:
        self._roots = roots
        self._replacements = replacements
        self._made: dict[int, Any] = {}
        self._spaces: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._touched = _leading_to_arrays(roots, numpy)
        self._expected: list[tuple[str, Any, Any, Any]] = []
        self._held: list[tuple[Any, dict[Any, Any], Any]] = []

    def all(self, originals: Sequence[Any]) -> list[Any]:
        """The copies of what the roots stand for."""
        return [self.of(node, x) for node, x in zip(self._roots, originals, strict=True)]

    def of(self, node: Node | None, original: Any) -> Any:
        """The copy of what `node` stands for; `original` itself where no array is in it."""
        if node is None or id(node) not in self._touched:
            return original
        if node.array >= 0:
            return self._replacements[node.array]
        made = self._made.get(id(node))
        return getattr(self, f"_{node.kind}")(node) if made is None else made

    def check_effects(self) -> None:
        """Raise `SideEffectError` if something was assigned to a copy that the original should have got."""
        for what, holder, place, value in self._expected:
            found = holder.cell_contents if what == "cell" else holder.get(place, _MISSING)
            if found is not value:
                raise SideEffectError(repr(place))
        for holder, held, cached in self._held:
            found = _items(holder)
            for place in [*held, *found]:
                if found.get(place, _MISSING) is not held.get(place, _MISSING) and place not in cached:
                    raise SideEffectError(repr(place), type(place) is str and place not in held)
        for old, new in self._spaces.values():
            expected = {place for _, holder, place, _ in self._expected if holder is new}
            for place, value in new.items():
                if place not in expected and old.get(place, _MISSING) is not value:
                    raise SideEffectError(repr(place))

    @staticmethod
    def _builtin(node: Node) -> Any:
        return REPLACED[node.value.__name__][1]

    @staticmethod
    def _numpy(node: Node) -> Any:
        return counterpart(node.value)

    # --- one copy per kind --------------------------------------------------------------------------------------------

    def _function(self, node: Node) -> Any:
        old = node.value
        cells = list(old.__closure__ or ())
        space = old.__globals__
        places = [(place, child) for place, child in node.children if id(child) in self._touched]
        for (what, i), _ in places:
            if what == "cell":
                cells[i] = CellType()
        if any(what == "global" for (what, _), _ in places):
            space = self._space(space)
        new = FunctionType(old.__code__, space, old.__name__, None, tuple(cells))
        self._made[id(node)] = new
        defaults, named = list(old.__defaults__ or ()), dict(old.__kwdefaults__ or {})
        for (what, i), child in places:
            value = self.of(child, child.value)
            if what == "cell":
                cells[i].cell_contents = value
                self._expected.append(("cell", cells[i], old.__code__.co_freevars[i], value))
            elif what == "global":
                space[i] = value
                self._expected.append(("global", space, i, value))
            elif what == "default":
                defaults[i] = value
            else:
                named[i] = value
        new.__defaults__ = tuple(defaults) if old.__defaults__ is not None else None
        new.__kwdefaults__ = named or None
        new.__dict__.update(old.__dict__)
        new.__qualname__, new.__module__, new.__doc__ = old.__qualname__, old.__module__, old.__doc__
        return new

    def _space(self, old: dict[str, Any]) -> dict[str, Any]:
        if id(old) not in self._spaces:
            self._spaces[id(old)] = old, dict(old)
        return self._spaces[id(old)][1]

    def _parts(self, node: Node) -> dict[Any, Any]:
        return {place: self.of(child, child.value) for place, child in node.children}

    def _method(self, node: Node) -> Any:
        parts = self._parts(node)
        owner = parts.get("__self__", node.value.__self__)
        function = parts.get("__func__", node.value.__func__)
        made = MethodType(function, owner) if type(node.value) is MethodType else type(node.value)(function, owner)
        self._made[id(node)] = made
        return made

    def _partial(self, node: Node) -> Any:
        parts, old = self._parts(node), node.value
        function, args = parts.get("func", old.func), parts.get("args", old.args)
        made = functools.partial(function, *args, **parts.get("keywords", old.keywords))
        self._made[id(node)] = made
        return made

    def _jit(self, node: Node) -> Any:
        made = self._made[id(node)] = node.value.replaced(node.value.__wrapped__)
        function = self._parts(node)["__wrapped__"]
        made = self._made[id(node)] = node.value.replaced(function)
        return made

    def _module(self, node: Node) -> Any:
        made = ModuleType(node.value.__name__)
        self._made[id(node)] = made
        space = vars(made)
        space.update(vars(node.value))
        for key, value in self._parts(node).items():
            space[key] = value
        self._held.append((space, _items(space), ()))
        return made

    def _sequence(self, node: Node) -> Any:
        old = node.value
        made: Any
        if isinstance(old, list | deque):
            made = copy.copy(old)
            self._made[id(node)] = made
            for i, value in self._parts(node).items():
                made[i] = value
            self._held.append((made, _items(made), ()))
            return made
        items = list(old)
        for i, value in self._parts(node).items():
            items[i] = value
        made = type(old)(*items) if hasattr(old, "_fields") else tuple(items)
        self._made[id(node)] = made
        return made

    def _mapping(self, node: Node) -> Any:
        old = node.value
        made: Any = defaultdict(old.default_factory, old) if isinstance(old, defaultdict) else type(old)(old)
        self._made[id(node)] = made
        for key, value in self._parts(node).items():
            made[key] = value
        self._held.append((made, _items(made), ()))
        return made

    def _instance(self, node: Node) -> Any:
        old, kind = node.value, type(node.value)
        made: Any = kind() if kind is SimpleNamespace else object.__new__(kind)
        self._made[id(node)] = made
        for key in slots_of(kind):
            if hasattr(old, key):
                object.__setattr__(made, key, getattr(old, key))
        own = getattr(made, "__dict__", None)
        if own is not None:
            own.update(old.__dict__)
        for key, value in self._parts(node).items():
            if own is not None and key in own:
                own[key] = value
            else:
                object.__setattr__(made, key, value)
        cached = {
            key for base in kind.__mro__ for key, x in vars(base).items() if isinstance(x, functools.cached_property)
        }
        self._held.append((made, _items(made), cached))
        members = {key: self._member(old, child) for key, old, child in node.members if id(child) in self._touched}
        if members:
            # Methods of the class reach arrays, too: the copy is of a class that has copies of them.
            members.update(__slots__=(), __module__=kind.__module__)
            made.__class__ = type(kind)(kind.__name__, (kind,), members)  # type: ignore[misc]
        return made

    def _member(self, old: Any, child: Node) -> Any:
        new = self.of(child, child.value)
        if isinstance(old, property):
            return property(new, old.fset, old.fdel, old.__doc__)
        if isinstance(old, staticmethod | classmethod):
            jitted: Any = old.__func__
            return type(old)(new if type(jitted) is FunctionType else jitted.replaced(new))
        if isinstance(old, functools.cached_property):
            return property(new)
        if child.kind == "function" and type(old) is not FunctionType:
            return old.replaced(new)
        return new


_MISSING = object()


def _items(holder: Any) -> dict[Any, Any]:
    """What a container, or an object in its attributes, holds, by place."""
    if isinstance(holder, list | deque):
        return dict(enumerate(holder))
    if isinstance(holder, dict):
        return dict(holder)
    held = {key: getattr(holder, key) for key in slots_of(type(holder)) if hasattr(holder, key)}
    return {**held, **getattr(holder, "__dict__", {})}


def _leading_to_arrays(roots: Sequence[Node | None], numpy: bool) -> set[int]:
    """The ids of the nodes in which there is something to replace."""

    def is_replaced(node: Node) -> bool:
        return node.array >= 0 or node.kind == "builtin" or (numpy and node.kind == "numpy")

    parents: dict[int, list[Node]] = {}
    stack = [r for r in roots if r is not None]
    seen = {id(r) for r in stack}
    arrays = [r for r in stack if is_replaced(r)]
    while stack:
        node = stack.pop()
        for child in [c for _, c in node.children] + [c for _, _, c in node.members]:
            parents.setdefault(id(child), []).append(node)
            if id(child) not in seen:
                seen.add(id(child))
                stack.append(child)
                if is_replaced(child):
                    arrays.append(child)
    touched = {id(a) for a in arrays}
    rest = list(arrays)
    while rest:
        for parent in parents.get(id(rest.pop()), ()):
            if id(parent) not in touched:
                touched.add(id(parent))
                rest.append(parent)
    return touched
