"""NumPy's own functions of series, run with another `np`.

The functions of `numpy.polynomial` are ordinary Python. What keeps traced values out is only which functions they call:
``np.array``, ``np.empty`` and ``isinstance(x, np.ndarray)``. Here the same code objects run with `covector.numpy` in
the place of their global `np`, so that the arithmetic is NumPy's, whatever its release.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import numpy.polynomial.polyutils as their_utilities
from numpy.polynomial._polybase import ABCPolyBase

from ...core.tracer import Tracer, running
from ..forwarding import holds_traced
from . import replacements

__all__ = ["public", "rebound"]

_HOME = __name__.rpartition(".")[0]
_INNER = type(np.sum)
"""The class of functions that ask for ``__array_function__``; their code is in ``_implementation``."""


class _AnyArray(type):
    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, np.ndarray) or (isinstance(x, Tracer) and bool(x.shape))


class _Array(metaclass=_AnyArray):
    """What ``isinstance(x, np.ndarray)`` asks for: an array, traced or not."""


class _Namespace(ModuleType):
    """`covector.numpy` with another `ndarray`, and `all` as it is asked about coefficients."""

    ndarray = _Array
    all = staticmethod(replacements.vanishes)

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module("covector.numpy"), name)


_NUMPY = _Namespace("numpy")


def _home(module: ModuleType | str) -> str:
    name = module if isinstance(module, str) else module.__name__
    return name.replace("numpy.polynomial", _HOME, 1)


def _with_globals(function: FunctionType, namespace: dict[str, Any]) -> FunctionType:
    new = FunctionType(function.__code__, namespace, function.__name__, function.__defaults__, function.__closure__)
    new.__kwdefaults__ = function.__kwdefaults__
    functools.update_wrapper(new, function)
    return new


@functools.cache
def rebound(module: ModuleType) -> ModuleType:
    """Return a module of NumPy's, whose functions look up `np` and each other in ours."""
    new = ModuleType(_home(module))
    namespace = vars(new)
    namespace |= {"__package__": _HOME, "__builtins__": builtins}
    for name, value in vars(module).items():
        if not name.startswith("__"):
            namespace[name] = _substitute(value, module, namespace)
    if module is their_utilities:
        namespace.update({name: getattr(replacements, name) for name in replacements.UTILITIES})
    else:
        for name, value in list(namespace.items()):
            fixed = replacements.fixed(name, value, namespace) if isinstance(value, FunctionType) else value
            namespace[name] = fixed
    for name, value in vars(module).items():
        if isinstance(value, type) and issubclass(value, ABCPolyBase) and value is not ABCPolyBase:
            namespace[name] = _class(value, new)
    return new


def _substitute(value: Any, module: ModuleType, namespace: dict[str, Any]) -> Any:
    if value is np:
        return _NUMPY
    if value is np.linalg:
        return import_module("covector.numpy.linalg")
    if value is their_utilities:
        return rebound(their_utilities)
    code = getattr(value, "_implementation", value) if type(value) is _INNER else value
    if not isinstance(code, FunctionType):
        return value
    if code.__module__ == their_utilities.__name__ and module is not their_utilities:
        return getattr(rebound(their_utilities), code.__name__)
    return _with_globals(code, namespace)


def public(module: ModuleType, name: str) -> Any:
    """Return the attribute `name` of a module of `numpy.polynomial` for traced values and plain ones.

    Outside of transforms NumPy's own function is called.
    """
    try:
        theirs = getattr(module, name)
    except AttributeError:
        raise AttributeError(f"module {_home(module)!r} has no attribute {name!r}") from None
    if name.startswith("_") or not (isinstance(theirs, FunctionType) or type(theirs) is _INNER):
        return getattr(rebound(module), name) if _is_series(theirs) else theirs
    ours = getattr(rebound(module), name)

    def call(*args: Any, **kwargs: Any) -> Any:
        if running() is None and not holds_traced([*args, *kwargs.values()]):
            return theirs(*args, **kwargs)
        return ours(*args, **kwargs)

    functools.update_wrapper(call, theirs)
    call.__module__, call.__qualname__ = _home(module), name
    return call


# --- classes ----------------------------------------------------------------------------------------------------------


def _is_series(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, ABCPolyBase) and value is not ABCPolyBase


def _class(theirs: type, own: ModuleType) -> type:
    """Return a subclass of one of the classes of series, all of whose methods are rebound."""
    base = rebound(import_module(ABCPolyBase.__module__))
    body: dict[str, Any] = {"__module__": own.__name__, "__qualname__": theirs.__name__, "__doc__": theirs.__doc__}
    for kind, home in ((ABCPolyBase, base), (theirs, own)):
        for name, value in vars(kind).items():
            method = _method(value, home)
            if method is not None:
                body[name] = method
    body |= {"__truediv__": _quotient, "fit": classmethod(functools.partial(_fitted, body["fit"].__func__))}
    return type(theirs)(theirs.__name__, (theirs,), body)


def _method(value: Any, home: ModuleType) -> Any:
    """The rebound form of a member of a class, or None for what is not a function."""
    if getattr(value, "__isabstractmethod__", False):
        return None
    if isinstance(value, staticmethod):
        # _add, _val and the others are functions of the module.
        return staticmethod(getattr(home, value.__func__.__name__, value.__func__))
    if isinstance(value, classmethod):
        inner: Any = value.__func__
        return classmethod(_with_globals(inner, vars(home)))
    return _with_globals(value, vars(home)) if isinstance(value, FunctionType) else None


def _quotient(self: Any, other: Any) -> Any:
    """Division by a number, which may be traced."""
    if isinstance(other, Tracer) and not other.shape:
        return self.__floordiv__(other)
    return ABCPolyBase.__truediv__(self, other)


def _fitted(fit: Callable[..., Any], cls: type, x: Any, y: Any, deg: Any, domain: Any = None, **options: Any) -> Any:
    return fit(cls, x, y, deg, replacements.widened_domain(x) if domain is None else domain, **options)
