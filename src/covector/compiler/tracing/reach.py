"""Finding what a function reaches besides its arguments: arrays, numbers and other functions, and the ways to them.

Starting from the function, `Reach` follows closure cells, globals that the code names, defaults, attributes of objects
and items of containers. For each array it finds, it writes down how to get there again; for each value that is no
array, how to find out whether it has changed. Out of that becomes the source of one Python function, which runs at
every call of the compiled function and therefore has to be fast.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ...core.tracer import Tracer
from .kinds import REPLACED
from .libraries import is_core_module, is_library_code, is_library_module, is_numpys, names_in
from .members import CONTAINERS, ClassMembers, has_attributes, is_object, slots_of
from .sameness import contents, is_data, same, same_contents, snapshot

__all__ = ["Node", "Reach", "TooMuchError"]

_ndarray = np.ndarray
_MOST = 20_000
_NUMBERS = "biufc"
_MISSING = object()


class TooMuchError(Exception):
    """The function reaches more objects than can be looked at in every call."""


class Node:
    """Something that the function reaches.

    Attributes
    ----------
    kind : str
        "array", "function", "method", "partial", "jit", "module", "instance", "sequence", "mapping", or "numpy" for
        NumPy itself and those functions of its that `covector.numpy` replaces, "builtin" for `isinstance` and `type`.
    value : object
        It.
    children : list of (place, Node)
        What is in it, by cell number, name, key or position.
    array : int
        The number of an array, -1 for anything else.
    """

    __slots__ = ("array", "children", "kind", "members", "value", "variable")

    def __init__(self, kind: str, value: Any, variable: str, array: int = -1) -> None:
        self.kind = kind
        self.value = value
        self.variable = variable
        self.array = array
        self.children: list[tuple[Any, Node]] = []
        self.members: list[tuple[str, Any, Node]] = []


class Reach:
    """What one function, and static arguments of it, reach.

    Attributes
    ----------
    roots : list of Node or None
        The function, then the static arguments; None for what holds no arrays.
    arrays : list of str
        What messages call the hidden arrays.
    labels : list of str
        What messages call that which the numbered checks look at.
    state : list of (holder, key or None, value)
        What containers, cells and globals held.
    builtins : bool
        Whether some code names built-in functions that are to be replaced.
    """

    def __init__(self, fun: Callable[..., Any], fixed: Sequence[Any]) -> None:
        self.arrays: list[str] = []
        self.labels: list[str] = []
        self.state: list[tuple[Any, Any, Any]] = []
        self._lines: list[str] = []
        self._constants: dict[str, Any] = {"same": same, "same_contents": same_contents, "ndarray": _ndarray}
        self._seen: dict[tuple[int, bool], Node] = {}
        self._kept: list[Any] = []
        self._found: list[str] = []
        self._names: set[str] = set()
        self._codes: set[CodeType] = set()
        self._instances: list[tuple[Node, type]] = []
        self._modules: list[tuple[Node, str, bool, str]] = []
        self._classes: list[type] = []
        self._certain: set[str] = set()
        self._done: set[Any] = set()
        self._count = 0
        self.builtins = False
        self.roots = [self.visit(fun, "fun", getattr(fun, "__name__", "fun"), False, False)]
        for i, x in enumerate(fixed):
            self.roots.append(self.visit(x, f"fixed[{i}]", f"static argument {i}", False, True))
        self._members()

    # --- the function that reads --------------------------------------------------------------------------------------

    def reader(self) -> Callable[[Any, Sequence[Any]], Any]:
        """Make ``read(fun, fixed)``, which returns the hidden arrays, or the number of the first check that failed."""
        body = "".join(f"        {line}\n" for line in self._lines)
        listed = "".join(f"{name}, " for name in self._found)
        head, last = "def read(fun, fixed):\n    try:\n", "    except Exception:\n        return -1\n"
        scope = dict(self._constants)
        exec(f"{head}{body}        return ({listed})\n{last}", scope)
        return scope["read"]

    def restore(self) -> None:
        """Undo what a function did to containers, variables and attributes outside of it."""
        for holder, key, value in self.state:
            if value is _MISSING:
                holder.pop(key, None)
            elif key is not None:
                holder[key] = value
            elif isinstance(holder, CellType):
                holder.cell_contents = value
            elif isinstance(holder, list):
                holder[:] = value
            else:
                holder.clear()
                holder.update(value)

    def _note_container(self, x: Any, kept: Any) -> None:
        if type(x) in (list, dict, set):
            self.state.append((x, None, kept))

    def constant(self, x: Any) -> str:
        """A name for `x` in the function that reads."""
        name = f"k{len(self._constants)}"
        self._constants[name] = x
        return name

    def check(self, failed: str, label: str) -> None:
        """Let the function that reads give up where the expression `failed` is true."""
        self.labels.append(label)
        self._lines.append(f"if {failed}: return {len(self.labels) - 1}")

    def _variable(self, expression: str) -> str:
        self._count += 1
        if self._count > _MOST:
            raise TooMuchError
        name = f"v{self._count}"
        self._lines.append(f"{name} = {expression}")
        return name

    # --- following ----------------------------------------------------------------------------------------------------

    def visit(self, x: Any, expression: str, label: str, watch: bool, fresh: bool) -> Node | None:
        """Follow `x`, which `expression` reads.

        Parameters
        ----------
        watch : bool
            Whether arrays in it cannot be replaced by traced ones, so that their contents have to be compared.
        fresh : bool
            Whether it may be another object of the same make at every call, as a lambda in an argument is.
        """
        if x is np:
            return Node("numpy", x, "")
        if isinstance(x, ModuleType) and is_library_module(x):
            return None
        name = self._variable(expression)
        if self._constants.get(expression) is x:
            self._certain.add(name)
        if is_numpys(x):
            self.check(f"{name} is not {self.constant(x)}", label)
            return Node("numpy", x, name)
        seen = self._seen.get((id(x), watch))
        if seen is not None:
            self.check(f"{name} is not {seen.variable}", label)
            return seen
        if isinstance(x, Tracer) or (type(x) is _ndarray and x.dtype.kind in _NUMBERS and x.dtype.isnative):
            return self._array(x, name, label, watch)
        if is_data(x):
            kept = snapshot(x)
            self._note_container(x, kept)
            constant = self.constant(kept)
            self.check(f"{name} is not {constant} and not same({name}, {constant})", label)
            return None
        follow = self._follower(x)
        if follow is None:
            self.check(f"{name} is not {self.constant(x)}", label)
            return None
        kind, how = follow
        node = self._note(Node(kind, x, name), watch)
        how(node, label, watch, fresh)
        return node

    def _note(self, node: Node, watch: bool) -> Node:
        self._seen[id(node.value), watch] = node
        self._kept.append(node.value)  # so that nothing else gets its id
        return node

    def _follower(self, x: Any) -> tuple[str, Callable[..., None]] | None:
        from ..calls.program import Program, Reverse
        from ..jit import BoundMethod, JitFunction

        kind = type(x)
        if kind in (Program, Reverse):
            return None  # the same for good, though they keep what was made of them
        if kind is FunctionType:
            return "function", self._function
        if kind is MethodType or kind is BoundMethod:
            return "method", self._method
        if kind is functools.partial:
            return "partial", self._partial
        if kind is JitFunction:
            return "jit", self._jitted
        if isinstance(x, ModuleType):
            return "module", self._module
        if kind in CONTAINERS or (isinstance(x, tuple) and hasattr(kind, "_fields")):
            return ("mapping", self._mapping) if isinstance(x, dict) else ("sequence", self._sequence)
        if isinstance(x, _ndarray):
            return "opaque", self._foreign_array
        if isinstance(x, type):
            return None if is_core_module(x.__module__) else ("class", self._class)
        if is_object(x):
            return "instance", self._instance
        # Objects of SciPy's and our own hold arrays that only their compiled code, or a rule, sees.
        known = str(kind.__module__).startswith(("scipy.", "covector.")) and not isinstance(x, np.ufunc)
        return ("library", self._library_object) if known and has_attributes(x) else None

    def _child(self, node: Node, place: Any, x: Any, expression: str, label: str, watch: bool, fresh: bool) -> None:
        child = self.visit(x, expression, label, watch, fresh)
        if child is not None:
            node.children.append((place, child))

    def _array(self, x: Any, name: str, label: str, watch: bool) -> Node | None:
        if watch:
            if isinstance(x, Tracer):
                self.check(f"{name} is not {self.constant(x)}", label)
            else:
                self.check(f"not same_contents({name}, {self.constant(contents(x))})", f"the contents of {label}")
            return None
        node = self._note(Node("array", x, name, len(self.arrays)), watch)
        self.arrays.append(label)
        self._found.append(name)
        dtype, shape = self.constant(x.dtype), self.constant(x.shape)
        self.check(
            f"({name}.dtype is not {dtype} and {name}.dtype != {dtype}) or {name}.shape != {shape}",
            f"the shape or dtype of {label}",
        )
        return node

    def _foreign_array(self, node: Node, label: str, watch: bool, fresh: bool) -> None:
        x, name = node.value, node.variable
        if x.dtype.hasobject:
            self.check(f"{name} is not {self.constant(x)}", label)
        else:
            self.check(f"not same_contents({name}, {self.constant(contents(x))})", f"the contents of {label}")

    def _function(self, node: Node, label: str, watch: bool, fresh: bool) -> None:
        fun, name = node.value, node.variable
        code = fun.__code__
        if fresh:
            self.check(f"{name}.__code__ is not {self.constant(code)}", label)
        elif name != "v1" and name not in self._certain:
            self.check(f"{name} is not {self.constant(fun)}", label)
        for i, (variable, cell) in enumerate(zip(code.co_freevars, fun.__closure__ or (), strict=True)):
            try:
                held = cell.cell_contents
            except ValueError:
                continue  # not assigned yet
            path = f"{name}.__closure__[{i}]" if fresh else self.constant(cell)
            self.state.append((cell, None, held))
            self._child(node, ("cell", i), held, f"{path}.cell_contents", f"{variable!r}", watch, fresh)
        for i, x in enumerate(fun.__defaults__ or ()):
            self._child(node, ("default", i), x, f"{name}.__defaults__[{i}]", f"a default of {label}", watch, fresh)
        for key, x in (fun.__kwdefaults__ or {}).items():
            self._child(node, ("kwdefault", key), x, f"{name}.__kwdefaults__[{key!r}]", f"{key!r}", watch, fresh)
        if is_library_code(code):
            return
        space = fun.__globals__
        if fresh:
            self.check(f"{name}.__globals__ is not {self.constant(space)}", label)
        constant = self.constant(space)
        wanted, stored, attributes = names_in(code)
        self._names |= attributes
        for key in dict.fromkeys((*wanted, *stored)):
            if key not in space and key in stored:
                self.state.append((space, key, _MISSING))
                self.check(f"{key!r} in {constant}", f"the global {key!r}")
            elif key not in space:
                if key in REPLACED:
                    self.builtins = True
                    node.children.append((("global", key), Node("builtin", REPLACED[key][0], "")))
            else:
                self.state.append((space, key, space[key]))
                self._child(
                    node, ("global", key), space[key], f"{constant}[{key!r}]", f"the global {key!r}", watch, False
                )

    def _method(self, node: Node, label: str, watch: bool, fresh: bool) -> None:
        name = node.variable
        self.check(f"type({name}) is not {self.constant(type(node.value))}", label)
        self._child(node, "__func__", node.value.__func__, f"{name}.__func__", label, watch, fresh)
        self._child(node, "__self__", node.value.__self__, f"{name}.__self__", f"the object of {label}", watch, fresh)
        self._names.add(getattr(node.value, "__name__", ""))

    def _partial(self, node: Node, label: str, watch: bool, fresh: bool) -> None:
        name = node.variable
        self.check(f"type({name}) is not {self.constant(functools.partial)}", label)
        for place in ("func", "args", "keywords"):
            self._child(node, place, getattr(node.value, place), f"{name}.{place}", label, watch, fresh)

    def _jitted(self, node: Node, label: str, watch: bool, fresh: bool) -> None:
        name = node.variable
        self.check(f"type({name}) is not {self.constant(type(node.value))}", label)
        self._child(node, "__wrapped__", node.value.__wrapped__, f"{name}.__wrapped__", label, watch, fresh)

    def _module(self, node: Node, label: str, watch: bool, fresh: bool) -> None:
        self.check(f"{node.variable} is not {self.constant(node.value)}", label)
        self._modules.append((node, self.constant(vars(node.value)), watch, label))

    def _sequence(self, node: Node, label: str, watch: bool, fresh: bool) -> None:
        x, name = node.value, node.variable
        self._note_container(x, copy.copy(x))
        self.check(f"type({name}) is not {self.constant(type(x))} or len({name}) != {len(x)}", label)
        for i, item in enumerate(x):
            self._child(node, i, item, f"{name}[{i}]", f"{label}[{i}]", watch, fresh)

    def _mapping(self, node: Node, label: str, watch: bool, fresh: bool) -> None:
        x, name = node.value, node.variable
        self._note_container(x, copy.copy(x))
        keys = self.constant(tuple(x))
        self.check(f"type({name}) is not {self.constant(type(x))} or tuple({name}) != {keys}", label)
        for key, item in list(x.items()):
            shown = repr(key) if type(key) in (str, int) else self.constant(key)
            self._child(node, key, item, f"{name}[{shown}]", f"{label}[{key!r}]", watch, fresh)

    def _instance(self, node: Node, label: str, watch: bool, fresh: bool) -> None:
        x, name, kind = node.value, node.variable, type(node.value)
        self.check(f"type({name}) is not {self.constant(kind)}", label)
        own = getattr(x, "__dict__", None)
        if own is not None:
            space = self._variable(f"{name}.__dict__")
            self.check(f"tuple({space}) != {self.constant(tuple(own))}", f"the attributes of {label}")
            self.state.append((own, None, dict(own)))
            for key, item in list(own.items()):
                self._child(node, key, item, f"{space}[{key!r}]", f"{label}.{key}", watch, fresh)
        for key in slots_of(kind):
            if hasattr(x, key):
                self._child(node, key, getattr(x, key), f"{name}.{key}", f"{label}.{key}", watch, fresh)
        if isinstance(x, list | tuple | dict | set):
            raise TooMuchError  # a container with attributes of its own
        self._instances.append((node, kind))

    def _library_object(self, node: Node, label: str, watch: bool, fresh: bool) -> None:
        x, name = node.value, node.variable
        self.check(f"type({name}) is not {self.constant(type(x))}", label)
        for key, item in list(getattr(x, "__dict__", {}).items()):
            self._child(node, key, item, f"{name}.__dict__[{key!r}]", f"{label}.{key}", True, fresh)
        for key in slots_of(type(x)):
            if hasattr(x, key):
                self._child(node, key, getattr(x, key), f"{name}.{key}", f"{label}.{key}", True, fresh)
        node.children.clear()

    def _class(self, node: Node, label: str, watch: bool, fresh: bool) -> None:
        self.check(f"{node.variable} is not {self.constant(node.value)}", label)
        self._classes.append(node.value)
        ClassMembers(self).follow_class(node.value, label)

    # --- what code can reach by attributes: members of the classes of objects, and of modules -------------------------

    def _members(self) -> None:
        """Follow those attributes of classes and modules that some code names, until nothing new is named."""
        members = ClassMembers(self)
        before = -1
        while before != len(self._done):
            before = len(self._done)
            for node, kind in list(self._instances):
                members.follow(node, kind, self._names)
            for kind in list(self._classes):
                members.check(kind, self._names)
            for node, constant, watch, label in list(self._modules):
                space = vars(node.value)
                for key in sorted(self._names & set(space)):
                    if self.first((id(node.value), key)):
                        shown = f"{label}.{key}".replace("the global ", "").replace("'", "")
                        self._child(node, key, space[key], f"{constant}[{key!r}]", shown, watch, False)

    def first(self, key: Any) -> bool:
        """Whether this is the first time that somebody asks for `key`."""
        new = key not in self._done
        self._done.add(key)
        return new

    def member(self, label: str, fun: FunctionType, watch: bool) -> Node | None:
        """Follow a function that belongs to a class."""
        return self.visit(fun, self.constant(fun), label, watch, False)
