"""What `covector.numpy` has under the name of a function that NumPy evaluates without asking."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ..core.errors import CovectorError
from ..core.values import dtype_of
from .calls import call_of
from .catalog import Entry
from .probe import probe

__all__ = ["namesake", "tried"]

_SECTIONS = ("numpy", "numpy.linalg", "numpy.fft")


def namesake(entry: Entry) -> Any:
    """Return the object of the same name in `covector.numpy`, or None where there is none of its own."""
    if entry.section not in _SECTIONS and not entry.section.startswith("numpy.polynomial"):
        return None
    found = getattr(import_module(f"covector.{entry.section}"), entry.name, None)
    return None if found is entry.function else found


def tried(entry: Entry) -> tuple[str, str]:
    """Call the namesake under each transform: return (what works, what went wrong); one of them is ""."""
    function = namesake(entry)
    call = None if function is None else call_of(entry._replace(function=function))
    if call is None:
        return "", "there is no such function, or no sample call suits it"
    floats = [i for i, x in enumerate(call.arrays) if dtype_of(x).kind in "fc"]
    try:
        found = probe(call.fun, call.arrays, floats)
    except (CovectorError, TypeError, ValueError, AttributeError, AssertionError, np.linalg.LinAlgError) as error:
        return "", f"{type(error).__name__} in a sample call: {error}"
    refusal = found.jvp or found.vjp
    if refusal is not None or not found.flows:
        return "", refusal or "its result does not depend on its arguments"
    return ("jvp, vjp and vmap" if found.vmap is None else "jvp and vjp"), ""
