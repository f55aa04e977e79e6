"""Running the program of a specialisation, and what its failures mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...control.loops.capacity import CapacityError
from .specialise import Specialisation

__all__ = ["OF_VALUES", "UncachedError", "run_program"]


class UncachedError(Exception):
    """The call has to be made without machine code.

    Attributes
    ----------
    raised : bool
        Whether the cause is an error that the function raised while it was recorded.
    """

    raised = False


OF_VALUES = (ArithmeticError, LookupError, ValueError)
"""What compiled code raises for values that NumPy raises for: positions out of bounds, singular matrices."""


def run_program(spec: Specialisation, arrays: Sequence[Any], hidden: Sequence[Any]) -> Any:
    """Run a program; what it raises for these values, Python is to raise, where the function may catch it."""
    spec.executable  # noqa: B018  # compiles, which is to raise its own errors
    try:
        return spec.run(arrays, hidden)
    except OF_VALUES:
        if spec.donate:
            raise  # the arguments may be overwritten by now
    except CapacityError as error:
        error.program = spec
        raise
    raise UncachedError
