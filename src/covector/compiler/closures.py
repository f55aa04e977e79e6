"""Hidden inputs: what a compiled function reaches besides its arguments is read anew at every call.

Arrays become inputs of the program, so that the next call sees an array changed in place, or another one in its place.
Everything else is compared; where it has changed, another program is made. An array that the function makes itself is
part of the program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .reach import Reach
from .substitution import Substitution

__all__ = ["Environment"]


class Environment:
    """What a function and its static arguments reach, as it was when somebody looked.

    Attributes
    ----------
    reader : callable
        What `read` calls.
    active : bool
        Whether there is anything to read or check.
    table : dict
        The programs made for it, by signature.
    """

    __slots__ = ("_labels", "_roots", "active", "names", "reader", "table")

    def __init__(self, fun: Callable[..., Any], fixed: Sequence[Any]) -> None:
        reach = Reach(fun, fixed)
        self.table: dict[Any, Any] = {}
        self.reader: Callable[[Any, Sequence[Any]], Any] = reach.reader()
        self.names = reach.arrays
        self.active = bool(reach.labels)
        self._labels = reach.labels
        self._roots = reach.roots

    def read(self, fun: Callable[..., Any], fixed: Sequence[Any]) -> Any:
        """Return the hidden arrays, a tuple, or the number of the first check that failed."""
        return self.reader(fun, fixed)

    def difference(self, fun: Callable[..., Any], fixed: Sequence[Any]) -> str:
        """Say what has changed since."""
        failed = self.read(fun, fixed)
        return self._labels[failed] if type(failed) is int and failed >= 0 else "something it reaches"

    def substitution(self, tracers: Sequence[Any], numpy: bool = False) -> Substitution:
        """Prepare copies of the function and its static arguments with `tracers` in place of the arrays.

        With `numpy`, they find `covector.numpy` in place of NumPy.
        """
        return Substitution(self._roots, tracers, numpy)

    def copies(self, made: Substitution, fun: Any, fixed: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Return the copies of the function and its static arguments."""
        first, *rest = self._roots
        return made.of(first, fun), [made.of(node, x) for node, x in zip(rest, fixed, strict=True)]
