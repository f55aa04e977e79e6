"""``a += t`` with a plain array `a` and a traced `t`: the name is bound to a new array if `a` has one owner.

Python assigns what the operator returns. Where the name (or attribute, or item) on the left is the only reference to
the array, nobody can tell the array changed in place from another one put in its place.
"""

from __future__ import annotations

import dis
import sys
from typing import Any

import numpy as np

__all__ = ["has_one_owner", "is_augmented"]

_BINARY_OP = dis.opmap["BINARY_OP"]
_FIRST_IN_PLACE = 13
"""The operands of BINARY_OP from this one on are those of ``+=``, ``&=`` …; checked by `_calibrated`."""


class _Probe:
    """Answers ``array += probe`` with what `is_augmented` and `sys.getrefcount` say of an array with one owner."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        references = sys.getrefcount(inputs[0])
        return references, is_augmented(sys._getframe(1))


def is_augmented(frame: Any) -> bool:
    """Whether `frame` is just executing an augmented assignment."""
    code = frame.f_code.co_code
    at = frame.f_lasti
    return bool(code[at] == _BINARY_OP and code[at + 1] >= _FIRST_IN_PLACE)


def _calibrated(product: bool) -> int:
    """The references to an array with one owner; 0, which none has, if this Python is not understood."""
    array: Any = np.empty((1, 1))
    if product:
        array @= _Probe()
    else:
        array += _Probe()
    references, augmented = array
    return references if augmented else 0


# A debugger at import must not make them too large. For ``@=`` NumPy makes a tuple of its operands more.
_ONE_OWNER = min(8, _calibrated(False))
_ONE_OWNER_OF_PRODUCT = min(12, _calibrated(True))


def has_one_owner(array: Any, references: int, product: bool = False) -> bool:
    """Whether only the left-hand side of the assignment (of ``@=``: a `product`) refers to `array`, and no view."""
    return references <= (_ONE_OWNER_OF_PRODUCT if product else _ONE_OWNER) and array.base is None
