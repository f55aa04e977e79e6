"""NumPy functions that cannot have a derivative here, each with the form that works."""

from __future__ import annotations

from typing import Any

import numpy as np

from .register import refuse

__all__: list[str] = []

_function: Any

for _function in (np.save, np.savez, np.savez_compressed, np.savetxt):
    refuse(_function, "a file holds no derivative; return the value (has_aux=True), and save it outside")

for _function in (np.array2string, np.array_repr, np.array_str):
    refuse(_function, "it formats plain arrays; use repr(t), or print(t)")

_CONVERTS: tuple[Any, ...] = (
    np.array,
    np.asarray,
    np.asanyarray,
    np.ascontiguousarray,
    np.asfortranarray,
    np.require,
)
for _function in _CONVERTS:
    refuse(_function, "like= asks for an array of the same kind, which it cannot make; np.stack([t, u]) builds arrays")

for _function in (
    np.frombuffer,
    np.fromfile,
    np.fromfunction,
    np.fromiter,
    np.fromstring,
    np.genfromtxt,
    np.loadtxt,
):
    refuse(_function, "what it makes is a plain array, so leave out like=")

for _function in (np.packbits, np.unpackbits):
    refuse(_function, "it works on the bits of integers; apply it outside the differentiated function")

for _function in (np.busday_count, np.busday_offset, np.is_busday, np.datetime_as_string):
    refuse(_function, "it works on dates; apply it outside the differentiated function")

for _function in (np.shares_memory, np.may_share_memory):
    refuse(_function, "traced values behave as separate arrays; leave the question out")
