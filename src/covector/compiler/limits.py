"""When a function asks for more specialisations than make sense."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..transforms.arguments import fun_name
from .closures import Environment
from .signature import Arguments
from .specialise import Specialisation

__all__ = ["Limits"]

WARN_AFTER = 8
"""So many programs of one function that differ in answers or in values of Python objects are worth a warning."""

WARN_AFTER_SHAPES = 32
"""The same for shapes and dtypes, of which a program may well meet several."""

STOP_AFTER = 64
"""So many programs are kept for one reason; other calls run as Python."""


class Limits:
    """Counts the specialisations of a function, warns once, and stops making more."""

    def __init__(self, fun: Callable[..., Any]) -> None:
        self.fun = fun
        self._lock = threading.Lock()
        self._warned = False
        self._signatures = 0

    def allow_environment(self, group: Sequence[Environment], fun: Any, fixed: Sequence[Any]) -> bool:
        """Whether what the function reaches may be looked at anew."""
        if len(group) >= WARN_AFTER:
            changed = group[0].difference(fun, fixed)
            self._warn(
                f"{len(group)} times because {changed} changed; pass it as an argument, so that one program serves all "
                f"its values"
            )
        return len(group) < STOP_AFTER

    def allow(self, environment: Environment, given: Arguments, bucket: Sequence[Specialisation]) -> bool:
        """Whether one more specialisation may be made."""
        return len(bucket) < STOP_AFTER if bucket else len(environment.table) < STOP_AFTER

    def note(
        self, environment: Environment, given: Arguments, new: Specialisation, bucket: Sequence[Specialisation]
    ) -> None:
        """Count the specialisation `new`; those in `bucket` have the same signature."""
        if len(bucket) >= WARN_AFTER:
            self._warn(f"{len(bucket)} times {_reason(new, bucket[0])}")
        elif not bucket and len(environment.table) >= WARN_AFTER:
            changed = given.difference(next(reversed(environment.table)))
            if changed is not None and (not changed[1] or len(environment.table) >= WARN_AFTER_SHAPES):
                self._warn(f"{len(environment.table)} times because {changed[0]}")

    def warn_of_size(self) -> None:
        """Say that the function reaches too many objects."""
        self._once(
            f"jit({fun_name(self.fun)}) runs as plain Python, because too many objects are reached by the function to "
            f"look at in every call; pass what it needs as arguments"
        )

    def warn_of_effect(self, place: str) -> None:
        """Say that the function assigns to something outside of it."""
        self._once(
            f"jit({fun_name(self.fun)}) runs as plain Python, because it assigns to {place!r} outside of it; return "
            f"the new value instead, or, where it is an array, write into it: {place}[...] = value"
        )

    def _warn(self, reason: str) -> None:
        self._once(
            f"jit({fun_name(self.fun)}) was compiled again {reason}. After {STOP_AFTER} times it runs as plain Python."
        )

    def _once(self, message: str) -> None:
        with self._lock:
            if self._warned:
                return
            self._warned = True
        warnings.warn(message, RuntimeWarning, stacklevel=2)


def _reason(new: Specialisation, old: Specialisation) -> str:
    for a, b in zip(new.guards, old.guards):
        if not (a.same_question(b) and a.same_answer(b)):
            return (
                f"because Python asked for a value at {a.where} ({a.purpose}) that differs from call to call; "
                f"use np.where(condition, a, b) or whole-array operations there"
            )
    more = (new.guards if len(new.guards) > len(old.guards) else old.guards)[min(len(new.guards), len(old.guards)) :]
    if more:
        return (
            f"because the number of questions about values differs from call to call, first at {more[0].where} "
            f"({more[0].purpose}); use np.where(condition, a, b), or a fixed number of iterations"
        )
    return "because an array that it closes over and that cannot be traced changed; pass it as an argument"
