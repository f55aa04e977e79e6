"""Hidden inputs: what a compiled function reaches besides its arguments is read anew at every call.

Arrays become inputs of the program, so that the next call sees an array changed in place, or another one in its place.
Everything else is compared; where it has changed, another program is made. An array that the function makes itself is
part of the program.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .reach import Reach

__all__ = ["Environment"]


class Environment:
    """What a function and its static arguments reach, as it was when somebody looked.

    Attributes
    ----------
    reader : callable
        What `read` calls.
    active : bool
        Whether there is anything to read or check.
    names : list of str
        What messages call the hidden arrays.
    table : dict
        The programs made for it, by signature.
    refused : dict
        Signatures for which the function cannot be recorded, with the reasons.
    """

    __slots__ = ("_labels", "_reach", "active", "names", "reader", "refused", "table")

    def __init__(self, fun: Callable[..., Any], fixed: Sequence[Any]) -> None:
        reach = Reach(fun, fixed)
        self.table: dict[Any, Any] = {}
        self.refused: dict[Any, Exception] = {}
        self.reader: Callable[[Any, Sequence[Any]], Any] = reach.reader()
        self.names = reach.arrays
        self.active = bool(reach.labels)
        self._labels = reach.labels
        self._reach: Reach | None = reach

    def read(self, fun: Callable[..., Any], fixed: Sequence[Any]) -> Any:
        """Return the hidden arrays, a tuple, or the number of the first check that failed."""
        return self.reader(fun, fixed)

    def difference(self, fun: Callable[..., Any], fixed: Sequence[Any]) -> str:
        """Say what has changed since."""
        failed = self.read(fun, fixed)
        return self._labels[failed] if type(failed) is int and failed >= 0 else "something it reaches"

    def reach(self, fun: Callable[..., Any], fixed: Sequence[Any]) -> Reach:
        """Return everything that the function reaches now, which is not kept: it belongs to the user."""
        first, self._reach = self._reach, None
        return Reach(fun, fixed) if first is None else first
