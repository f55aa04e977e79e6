"""Who takes part: covector, the peers, and C written by hand, behind one face.

Nothing here imports a library before it is asked for, so that a fresh process loads only what it measures.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from . import limit
from .families import Case


def map_tree(function: Callable[[Any], Any], tree: Any) -> Any:
    """`tree` with `function` applied to everything that is no tuple, list or dict."""
    if isinstance(tree, dict):
        return {key: map_tree(function, child) for key, child in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)(map_tree(function, child) for child in tree)
    return function(tree)


def leaves(tree: Any) -> list[Any]:
    """The leaves of nested tuples, lists and dicts, in order."""
    found: list[Any] = []
    map_tree(found.append, tree)
    return found


class Contestant:
    """Someone who takes part.

    Attributes
    ----------
    name
        As ``--peers`` takes it, and the heading of the column.
    package
        What must be installed, None for C.
    """

    name: str
    package: str | None

    def __init__(self, threads: int) -> None:
        self.threads = threads

    @classmethod
    def missing(cls) -> str | None:
        """Why it cannot take part on this machine; None if it can."""
        import importlib.util

        if cls.package is not None and importlib.util.find_spec(cls.package) is None:
            return f"{cls.package} is not installed"
        return None

    @classmethod
    def version(cls) -> str:
        """Version of the library."""
        import importlib.metadata

        return importlib.metadata.version(str(cls.package))

    @classmethod
    def offers(cls, case: Case) -> bool:
        """Whether it has a function for the case."""
        return cls.name in case.peers

    def load(self) -> None:
        """Import the library and set its threads."""
        importlib.import_module(str(self.package))

    def array(self, value: np.ndarray[Any, Any]) -> Any:
        """The library's own array with the same contents."""
        return value.copy()

    def wait(self, result: Any) -> Any:
        """Return `result` when it has been computed."""
        return result

    def build(self, case: Case) -> Callable[..., Any]:
        """The function of a case."""
        return case.peers[self.name]()

    def prepare(self, case: Case, inputs: tuple[Any, ...]) -> Callable[[], Any]:
        """A call without arguments that returns when its result is complete."""
        arguments = map_tree(self.array, inputs)
        function, wait = self.build(case), self.wait
        if type(self).wait is Contestant.wait:
            return lambda: function(*arguments)
        return lambda: wait(function(*arguments))

    def numpy(self, result: Any) -> list[np.ndarray[Any, Any]]:
        """The leaves of a result as NumPy arrays."""
        return [np.asarray(leaf) for leaf in leaves(result)]


class Covector(Contestant):
    """The library under test, compiled."""

    name = package = "covector"

    @classmethod
    def offers(cls, case: Case) -> bool:
        return True

    @classmethod
    def version(cls) -> str:
        import covector

        return covector.__version__

    def load(self) -> None:
        import covector

        if hasattr(covector, "threads"):
            covector.threads(self.threads)

    def build(self, case: Case) -> Callable[..., Any]:
        import covector

        self.function = case.covector(covector.jit)
        return self.function


class CovectorEager(Covector):
    """covector without ``jit``."""

    name = "covector-eager"

    def build(self, case: Case) -> Callable[..., Any]:
        return case.covector(lambda function: function)


class CovectorStored(Covector):
    """covector without what saves memory, where a case saves memory."""

    name = "covector-stored"

    @classmethod
    def offers(cls, case: Case) -> bool:
        return cls.name in case.peers

    def build(self, case: Case) -> Callable[..., Any]:
        return case.peers[self.name]()


class Jax(Contestant):
    """``jax.jit`` on the CPU with 64 bits, waiting for every result."""

    name = package = "jax"

    def load(self) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")
        self.ready = jax.block_until_ready

    def array(self, value: np.ndarray[Any, Any]) -> Any:
        import jax

        return jax.numpy.asarray(value)

    def wait(self, result: Any) -> Any:
        return self.ready(result)


class Torch(Contestant):
    """PyTorch as it runs without a compiler."""

    name = package = "torch"

    def load(self) -> None:
        import torch

        torch.set_num_threads(self.threads)

    def array(self, value: np.ndarray[Any, Any]) -> Any:
        import torch

        return torch.from_numpy(value.copy())

    def numpy(self, result: Any) -> list[np.ndarray[Any, Any]]:
        return [leaf.detach().numpy() for leaf in leaves(result)]


class TorchCompile(Torch):
    """PyTorch through ``torch.compile``."""

    name = "torch.compile"


class Autograd(Contestant):
    """HIPS autograd, which has no compiler."""

    name = package = "autograd"


class C(Contestant):
    """Derivatives written by hand in C."""

    name = "c"
    package = None
    flags: tuple[str, ...] = limit.FLAGS

    @classmethod
    def missing(cls) -> str | None:
        return "no gcc was found" if limit.compiler() is None else None

    @classmethod
    def version(cls) -> str:
        return "gcc " + " ".join(cls.flags)

    @classmethod
    def offers(cls, case: Case) -> bool:
        return case.limit is not None

    def load(self) -> None:
        """Nothing: the library is compiled with the case."""

    def prepare(self, case: Case, inputs: tuple[Any, ...]) -> Callable[[], Any]:
        if case.limit is None:
            raise ValueError(f"{case.label} has no derivative in C")
        library = limit.library(case.family, self.flags, self.threads, case.suite)
        return case.limit(library, map_tree(self.array, inputs))


class CFast(C):
    """The same C, where the compiler may reorder sums and use approximate vector functions."""

    name = "c-fast"
    flags = limit.FAST_FLAGS


# the order is the order of the columns
CONTESTANTS: dict[str, type[Contestant]] = {
    kind.name: kind for kind in (Covector, CovectorStored, CovectorEager, Jax, Torch, TorchCompile, Autograd, C, CFast)
}


def environment(threads: int) -> dict[str, str]:
    """The environment variables under which a process uses `threads` threads whatever library it loads."""
    variables = {
        name: str(threads)
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NPROC")
    }
    flags = os.environ.get("XLA_FLAGS", "")
    if threads == 1:
        flags += " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return variables | {"XLA_FLAGS": flags.strip(), "JAX_PLATFORMS": "cpu"}
