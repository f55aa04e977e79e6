"""Derivatives written by hand in C: what a person would reach who has the time to derive and write them.

The sources are in the folder ``limits`` of each benchmark, one file per family. They are compiled while the benchmark
runs, into a directory that is removed afterwards; without a C compiler the column stays empty.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import ctypes

# What only the C column needs is imported where it is used: a process that measures how long another library takes
# to its first result must not load it.

_BENCHMARKS = os.path.dirname(os.path.dirname(__file__))
FLAGS = ("-O3", "-march=native", "-std=c11")
FAST_FLAGS = (*FLAGS, "-ffast-math")


def compiler() -> str | None:
    """Path of the C compiler, None if there is none."""
    import shutil

    return shutil.which("gcc")


def library(family: str, flags: tuple[str, ...], threads: int, suite: str = "compiled") -> ctypes.CDLL:
    """The hand-written derivatives of a family.

    Parameters
    ----------
    family
        Name of the source file.
    flags
        Flags of the compiler.
    threads
        How many threads the loops may use; with more than one, OpenMP is switched on.
    suite
        The benchmark whose source it is.

    Raises
    ------
    RuntimeError
        If the file does not compile.
    """
    import atexit
    import ctypes
    import shutil
    import subprocess
    import tempfile

    folder = tempfile.mkdtemp(prefix="covector-limit-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    target = os.path.join(folder, f"{family}.so")
    parallel = ("-fopenmp",) if threads > 1 else ()
    command = [str(compiler()), *flags, *parallel, "-shared", "-fPIC", "-o", target]
    source = os.path.join(_BENCHMARKS, suite, "limits", f"{family}.c")
    done = subprocess.run([*command, source, "-lm"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{family}.c does not compile:\n{done.stderr}")
    return ctypes.CDLL(target)


def call(function: Any, *arguments: Any) -> Any:
    """A call of a C function with arguments that are converted once.

    Parameters
    ----------
    function
        The C function, which returns nothing.
    *arguments
        Arrays (their address is passed), ints (``int64_t``) and floats (``double``).
    """
    import ctypes

    converted: list[Any] = []
    for value in arguments:
        if isinstance(value, np.ndarray):
            if not value.flags.c_contiguous:
                raise ValueError("arrays given to C must be C-contiguous")
            converted.append(ctypes.c_void_p(value.ctypes.data))
        elif isinstance(value, float):
            converted.append(ctypes.c_double(value))
        else:
            converted.append(ctypes.c_int64(value))
    function.restype = None
    held = arguments  # the addresses are good only while the arrays live

    def invoke() -> None:
        function(*converted)

    invoke.held = held  # type: ignore[attr-defined]
    return invoke
