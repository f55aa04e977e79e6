"""Guards: what a recorded program takes for granted about values, and the one output that tells whether it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core.graph import Var

__all__ = ["Guard", "conjunction", "question"]

_ULPS = 16
"""How far, in units of the last place, compiled code may be from NumPy's value of an expression that Python asked for.

Compiled code rounds sums and elementary functions differently in their last bits.
"""

_WHOLE = {"int": np.trunc, "math.trunc": np.trunc, "math.floor": np.floor, "math.ceil": np.ceil, "round": np.rint}
_POSITIONS = ("np.nonzero", "np.flatnonzero", "np.argwhere")


class Guard(NamedTuple):
    """One question that Python asked while a function was recorded, and its answer.

    Attributes
    ----------
    var : Var
        The variable asked for.
    expected : array or NumPy scalar
        Its value on the example arguments.
    where : str
        ``"file:line"`` of the caller.
    purpose : str
        What the value was needed for: "bool", "int", "float", …
    match : str
        "bits" where every bit counts, for numbers that are given; "equal"; or "near", for computed ones.
    """

    var: Var
    expected: Any
    where: str
    purpose: str
    match: str

    def same_question(self, other: Guard) -> bool:
        """Whether `other` asks for the same variable for the same reason."""
        return self.var.index == other.var.index and self.purpose == other.purpose

    def same_answer(self, other: Guard) -> bool:
        """Whether the answers agree."""
        a, b = self.expected, other.expected
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()

    def __repr__(self) -> str:
        shown = self.expected if not self.expected.shape else f"{self.expected.dtype}{list(self.expected.shape)}"
        return f"Guard({self.var} is {shown} for {self.purpose} at {self.where})"


def question(t: Any, value: Any, purpose: str) -> tuple[Any, Any, str]:
    """Return what has to stay the same so that `value`, that of `t`, serves the `purpose` equally well.

    Returns
    -------
    asked : tracer
        `t`, or something coarser computed from it.
    expected : array or NumPy scalar
        Its value.
    match : str
        How they are compared.
    """
    kind = t.dtype.kind
    if purpose == "bool" or purpose.startswith(_POSITIONS):
        value = np.asarray(value)
        return (t, value.copy(), "equal") if kind == "b" else (np.not_equal(t, 0), np.not_equal(value, 0), "equal")
    if purpose in _WHOLE and kind == "f" and np.isfinite(value):
        return _WHOLE[purpose](t), _WHOLE[purpose](np.asarray(value)) + 0.0, "equal"
    return t, np.array(value, t.dtype), "near" if kind in "fc" else "equal"


def conjunction(tracers: Sequence[Any], guards: Sequence[Guard]) -> Any:
    """Return the traced bool that tells whether all guards hold for the values that `tracers` stand for."""
    total: Any = None
    for t, guard in zip(tracers, guards, strict=True):
        if not guard.expected.size:
            continue
        held = _holds(t, guard.expected, guard.match)
        if held.shape:
            held = np.all(held)
        total = held if total is None else np.logical_and(total, held)
    return total


def _holds(t: Any, expected: Any, match: str) -> Any:
    expected = np.asarray(expected)
    if not expected.shape:
        expected = expected[()]
    kind = expected.dtype.kind
    if kind == "c":
        return np.logical_and(
            _holds(np.real(t), np.real(expected), match), _holds(np.imag(t), np.imag(expected), match)
        )
    if kind == "b" and not expected.shape:
        return t if expected else np.logical_not(t)
    same = np.equal(t, expected)
    if kind != "f" or match == "equal":
        return same
    if match == "bits":
        same = np.logical_and(same, np.equal(np.signbit(t), np.signbit(expected)))
    else:
        limit = _ULPS * np.finfo(expected.dtype).eps * np.abs(expected)
        near = np.abs(np.subtract(t, np.where(np.isfinite(expected), expected, 0)[()])) <= limit.astype(expected.dtype)
        same = np.logical_or(same, np.logical_and(np.isfinite(expected), near))
    nan = np.isnan(expected)
    return np.logical_or(same, np.logical_and(np.isnan(t), nan)) if np.any(nan) else same
