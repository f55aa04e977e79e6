"""Whole compiled programs on disk: what a fresh process finds, it neither simplifies nor plans nor compiles.

An entry is found by what the recorded program does and by everything else that its code depends on. It names the
object file, which is an entry of its own, because different programs may become the same code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from ...core.graph import Graph
from ..calls.key import structure_key
from ..native.entry import layout
from .cache import Cache, key, linked, pack, unpack
from .contents import Contents, UnstorableError, from_meta, to_meta

__all__ = ["load", "program_key", "store"]


def program_key(graph: Graph, threads: int | None, donate: Sequence[int]) -> str | None:
    """Return the key of a recorded program under these options.

    None where there is no cache, where the program holds something that has no contents to compare, and where
    ``COVECTOR_DEBUG=1`` asks that every pass be checked.
    """
    if os.environ.get("COVECTOR_DEBUG") == "1" or Cache().path is None:
        return None
    structure = structure_key(graph)
    if structure is None:
        return None
    return key("program", structure, f"{threads} {list(donate)} {layout()}", _surroundings())


@cache
def _surroundings() -> str:
    """The libraries that compute constants and are called by programs, without importing them."""
    scipy = find_spec("scipy")
    status = os.stat(scipy.origin) if scipy is not None and scipy.origin is not None else None
    found = (status.st_size, status.st_mtime_ns) if status is not None else None
    return f"Python {sys.version}, NumPy {np.__version__}, SciPy {found}"


def store(name: str, graph: Graph, contents: Contents, code: str) -> None:
    """Store what belongs to the object with the key `code` under `name`, if it can be written down."""
    try:
        meta, blob = to_meta(contents, graph)
    except UnstorableError:
        return
    integer = None
    if contents.routines:
        from ..linalg import blas

        integer = blas.integer()
    Cache().put(name, pack({**meta, "code": code, "integer": integer}, blob))


def load(name: str, graph: Graph, functions: Sequence[str]) -> tuple[Contents, Any] | None:
    """Return the contents and the linked code that were stored under `name`, or None."""
    data = Cache().get(name)
    if data is None:
        return None
    try:
        meta, blob = unpack(data)
        contents = from_meta(meta, blob, graph)
        if not _installed(contents, meta["integer"]):
            return None
        code = linked(meta["code"], functions)
    except (ValueError, KeyError, IndexError, TypeError, StopIteration):
        return None  # written by something else, however it came to have this name: as if it were not there
    return None if code is None else (contents, code)


def _installed(contents: Contents, integer: int | None) -> bool:
    """Make known what the code calls; tell whether it is what the code was made for."""
    if contents.parallel:
        from ..native.threads import install

        install()
    if contents.routines:
        from ..linalg import blas

        blas.install(contents.routines)
        return blas.integer() == integer
    return True
