"""What the benchmarks need of a library."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[..., Any]


class Peer(ABC):
    """A library that differentiates, reduced to the operators the workloads use.

    Attributes
    ----------
    name
        Column heading.
    version
        Version of the library.
    namespace
        The module user functions are written against (``numpy``, ``torch``, …).
    threads
        How many threads it was told to use, in its own words.
    remarks
        Operator name to what a reader must know about how this library does it.
    """

    name: str
    version: str
    namespace: Any
    threads: str
    remarks: dict[str, str]

    @abstractmethod
    def array(self, value: np.ndarray[Any, Any]) -> Any:
        """The library's own array with the same contents."""

    def inputs(self, values: Any) -> Any:
        """`values`, an array or nested tuples of arrays, in the library's own arrays."""
        return tuple(map(self.inputs, values)) if isinstance(values, tuple) else self.array(values)

    def wait(self, result: Any) -> Any:
        """Return `result` when it has been computed."""
        return result

    @abstractmethod
    def grad(self, function: Function) -> Function:
        """Gradient in the first argument."""

    @abstractmethod
    def hvp(self, function: Function) -> Function:
        """``(x, v) -> H(x) v``."""

    @abstractmethod
    def jacrev(self, function: Function) -> Function:
        """Jacobian in the first argument, reverse mode."""

    @abstractmethod
    def jacfwd(self, function: Function) -> Function:
        """Jacobian in the first argument, forward mode."""

    @abstractmethod
    def hessian(self, function: Function) -> Function:
        """Hessian in the first argument."""

    @abstractmethod
    def example_grads(self, function: Function) -> Function:
        """Gradient in the first argument for every row of the other arguments."""
