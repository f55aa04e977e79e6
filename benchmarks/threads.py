"""One number of threads for every library that takes part, set before any of them is imported."""

from __future__ import annotations

import os
import sys

# The libraries read these once, while they load; later changes have no effect.
_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NPROC",  # the size of XLA's CPU thread pool
)


def limit_threads(count: int) -> None:
    """Let every library loaded from now on use `count` threads.

    Parameters
    ----------
    count
        Number of threads, at least 1.

    Raises
    ------
    RuntimeError
        If NumPy is already loaded: its BLAS has then made its threads.
    """
    if "numpy" in sys.modules:
        raise RuntimeError("limit_threads() must run before NumPy is imported: call it first in the program")
    for variable in _VARIABLES:
        os.environ[variable] = str(count)
    if count == 1:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
