"""BLAS and LAPACK for compiled code: the routines that SciPy exports to Cython, called without Python.

Every routine follows Fortran: all arguments are pointers, matrices are stored column by column, and integers have the
width that `integer` tells. ``install(["dgemm"])`` makes it known to compiled code as ``cv_dgemm``, declared as
``declare void @cv_dgemm(ptr, ptr, …)``; ``cv_ddot`` and other functions of real value return it.
"""

from __future__ import annotations

import ctypes
import importlib
import re
import sys
import threading
from collections.abc import Iterable
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from ..native import llvm

__all__ = ["address", "install", "integer"]

_MODULES = ("cython_blas", "cython_lapack")
_LOCK = threading.Lock()


def install(names: Iterable[str]) -> None:
    """Make routines known to compiled code.

    Parameters
    ----------
    names : iterable of str
        As BLAS and LAPACK call them: ``"dgemm"``, ``"zgetrf"``. The symbol is the name after ``cv_``.

    Raises
    ------
    KeyError
        If SciPy exports no such routine.
    TypeError
        If its value is complex, which systems return in different ways.
    """
    for name in names:
        llvm.add_symbol(f"cv_{name}", address(name))


@cache
def address(name: str) -> int:
    """Return where the routine is."""
    for part in _MODULES:
        capsule = _exports(part).get(name)
        if capsule is not None:
            signature = _signature(capsule)
            if re.match(r"[^(]*complex[^(]*\(", signature):
                raise TypeError(f"{name} returns a complex number; compiled code calls only what returns none")
            where: int = _api("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.c_char_p)(capsule, signature.encode())
            return where
    raise KeyError(f"SciPy exports no BLAS or LAPACK routine {name!r}")


@cache
def integer() -> int:
    """Return how many bits an integer argument has: 32 or, in a SciPy built for very large matrices, 64.

    The sum of the magnitudes of n ones is asked for, with n in two halves of 32 bits, 3 and -1. Who reads 32 bits
    finds 3; who reads 64 finds a negative number, for which the answer is zero.
    """
    if sys.byteorder == "big":
        return 32 if re.search(r"\bint \*", _signature(_exports("cython_blas")["dasum"])) else 64
    total = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(address("dasum"))
    n, stride, ones = (ctypes.c_int32 * 2)(3, -1), ctypes.c_int64(1), (ctypes.c_double * 3)(1.0, 1.0, 1.0)
    return 32 if total(n, ones, ctypes.byref(stride)) == 3.0 else 64


def _api(name: str, result: Any, *more: Any) -> Any:
    """Return a function of Python's C interface that takes an object first."""
    return ctypes.PYFUNCTYPE(result, ctypes.py_object, *more)((name, ctypes.pythonapi))


def _signature(capsule: Any) -> str:
    name: bytes = _api("PyCapsule_GetName", ctypes.c_char_p)(capsule)
    return name.decode()


@cache
def _exports(part: str) -> dict[str, Any]:
    """Return the routines of one of the two modules, as capsules named by their signatures."""
    with _LOCK:
        exports: dict[str, Any] = _module(part).__pyx_capi__
        return exports


def _module(part: str) -> ModuleType:
    """Load one of SciPy's two modules, without the rest of `scipy.linalg` if that is not loaded anyway.

    The package around them takes ten times as long to import as they do, which a program with one small matrix
    product would notice.
    """
    name = f"scipy.linalg.{part}"
    if "scipy.linalg" not in sys.modules:
        module = _alone(name)
        if module is not None:
            return module
    return importlib.import_module(name)


def _alone(name: str) -> ModuleType | None:
    """Load an extension module from where its package is; None if this SciPy does not let itself be taken apart."""
    import scipy

    folder = Path(scipy.__file__).parent / "linalg"
    spec = FileFinder(str(folder), (ExtensionFileLoader, EXTENSION_SUFFIXES)).find_spec(name)
    if spec is None or spec.loader is None:
        return None
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError:
        return None
    finally:
        # It registers itself. Left there, it would never become an attribute of its package.
        sys.modules.pop(name, None)
    return module if "__pyx_capi__" in vars(module) else None
