"""Whose code something is: the user's, or that of a library whose own arrays never change."""

from __future__ import annotations

import dis
import os
import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

__all__ = ["counterpart", "is_core_module", "is_library_code", "is_library_module", "is_numpys", "names_in"]

# Code knows its file by the name it was imported under, which may lead through a link.
_OURS = tuple(str(Path(path(__file__)).parents[2]) + os.sep for path in (os.path.realpath, os.path.abspath))
_STANDARD = os.path.dirname(os.path.realpath(os.__file__)) + os.sep
_BESIDE_NUMPY = os.path.dirname(os.path.dirname(os.path.realpath(np.__file__))) + os.sep
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_CORE = frozenset(("covector", "numpy", "scipy", "optree", "llvmlite", "builtins"))


@lru_cache(maxsize=4096)
def _is_library_file(file: str) -> bool:
    return file.startswith((*_OURS, _STANDARD, _BESIDE_NUMPY, "<frozen")) or any(p in file for p in _PACKAGES)


def is_library_code(code: CodeType) -> bool:
    """Whether `code` belongs to an installed package or the standard library."""
    return _is_library_file(code.co_filename)


def is_library_module(module: ModuleType) -> bool:
    """Whether `module` belongs to an installed package or the standard library."""
    name = module.__name__
    if is_core_module(name):
        return True
    file = getattr(module, "__file__", None)
    return _is_library_file(os.path.realpath(file)) if file else name != "__main__" and not vars(module).get("__path__")


def is_core_module(name: str | None) -> bool:
    """Whether the module `name` is one of ours, NumPy's, SciPy's or the standard library's."""
    top = (name or "builtins").partition(".")[0]
    return top in _CORE or (top in sys.stdlib_module_names and top != "__main__")


def is_numpys(x: Any) -> bool:
    """Whether `x` is a function that NumPy has under its name."""
    module = "numpy" if isinstance(x, np.ufunc) else getattr(x, "__module__", None)
    if type(module) is not str or not module.startswith("numpy") or isinstance(x, type | ModuleType) or not callable(x):
        return False
    name = getattr(x, "__name__", None)
    return isinstance(name, str) and getattr(np, name, None) is x


def counterpart(x: Any) -> Any:
    """What `covector.numpy` has in place of NumPy, or of a function for which `is_numpys`."""
    ours = import_module("covector.numpy")
    return ours if x is np else getattr(ours, x.__name__, x)


_EXTENDED = dis.EXTENDED_ARG
_GLOBAL = dis.opmap["LOAD_GLOBAL"]
_STORES = (dis.opmap["STORE_GLOBAL"], dis.opmap["DELETE_GLOBAL"])
_NAME = dis.opmap.get("LOAD_NAME", -1)


@lru_cache(maxsize=1024)
def names_in(code: CodeType) -> tuple[tuple[str, ...], frozenset[str], frozenset[str]]:
    """Which globals `code`, and functions defined in it, read and assign; all names that may be attributes."""
    found: dict[str, None] = {}
    stored: set[str] = set()
    attributes: set[str] = set()
    stack = [code]
    while stack:
        code = stack.pop()
        found.update(dict.fromkeys(_globals_of(code, stored)))
        attributes.update(code.co_names)
        for x in code.co_consts:
            if isinstance(x, CodeType):
                stack.append(x)
            elif type(x) is str and x.isidentifier():
                attributes.add(x)
    return tuple(found), frozenset(stored), frozenset(attributes)


def _globals_of(code: CodeType, stored: set[str]) -> list[str]:
    """The globals that `code` reads; those that it assigns go into `stored`."""
    text, names, found, high = code.co_code, code.co_names, [], 0
    for i in range(0, len(text), 2):
        operation, argument = text[i], text[i + 1] | high
        high = argument << 8 if operation == _EXTENDED else 0
        if operation == _GLOBAL:
            found.append(names[argument >> 1])
        elif operation == _NAME:
            found.append(names[argument])
        elif operation in _STORES:
            stored.add(names[argument])
    return found
