"""When a function asks for more specialisations than make sense."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ...transforms.arguments import fun_name
from .closures import Environment
from .libraries import is_library_code
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

    def allow_group(self, known: Sequence[Any], new: Any) -> bool:
        """Whether the function may be recorded for one more tuple of static values; those in `known` are there."""
        if len(known) >= WARN_AFTER:
            old, value = next((a, b) for a, b in zip(known[-1], new) if a != b) if known[-1] != new else (None, None)
            shown = f"from {_shown(old)} to {_shown(value)}"
            self._warn(f"{len(known)} times because a static argument changed {shown}; make it a dynamic argument")
        return len(known) < STOP_AFTER

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
            if changed is not None and len(environment.table) >= WARN_AFTER_SHAPES:
                self._warn(f"{len(environment.table)} times because {changed}")

    def warn_of_size(self) -> None:
        """Say that the function reaches too many objects."""
        self._once(
            f"jit({fun_name(self.fun)}) runs as plain Python, because too many objects are reached by the function to "
            f"look at in every call; pass what it needs as arguments"
        )

    def warn_of_refusal(self, error: BaseException) -> None:
        """Say that the function does something that only Python can do."""
        self._once(f"jit({fun_name(self.fun)}) runs as plain Python, because it cannot be recorded: {error}")

    def warn_of_effect(self, place: str) -> None:
        """Say that the function assigns to something outside of it."""
        self._once(
            f"jit({fun_name(self.fun)}) runs as plain Python, because it changes {place}, which is outside of it, "
            f"at every call; return the new value instead, or, where it is an array, write into it with x[...] = value"
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
        warnings.warn(message, RuntimeWarning, stacklevel=_stack_level())


def _shown(key: Any) -> str:
    """A static value, given what it is compared by."""
    return repr(key[-1]) if type(key) is tuple else "one function"


def _stack_level() -> int:
    """Where in the stack the caller of the compiled function is."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and is_library_code(frame.f_code):
        frame, level = frame.f_back, level + 1
    return level


def _reason(new: Specialisation, old: Specialisation) -> str:
    for a, b in zip(new.guards, old.guards):
        if not (a.same_question(b) and a.same_answer(b)):
            return (
                f"because Python asked for a value at {a.where} ({a.purpose}) that differs from call to call; "
                f"use np.where(condition, a, b), covector.cond or whole-array operations there"
            )
    more = (new.guards if len(new.guards) > len(old.guards) else old.guards)[min(len(new.guards), len(old.guards)) :]
    if more:
        return (
            f"because the number of questions about values differs from call to call, first at {more[0].where} "
            f"({more[0].purpose}); use np.where(condition, a, b), a fixed number of iterations, or covector.while_loop "
            f"or covector.fori_loop, of which one program serves all numbers of steps"
        )
    return "because an array that it closes over and that cannot be traced changed; pass it as an argument"
