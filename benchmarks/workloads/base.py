"""What a workload is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# A user function, given the array namespace it is written against.
Model = Callable[[Any], Callable[..., Any]]


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Attributes
    ----------
    name
        What is computed.
    size
        The n of the row, which decides which targets apply: elements of the differentiated argument; under `vmap`,
        elements of the arrays that most of the work is done on.
    operator
        Method of `Peer` that is applied to the model.
    model
        The user function, written once; the namespace is its only parameter.
    inputs
        Makes the arguments of the derivative: arrays and nested tuples of arrays.
    handwritten
        The same derivative as one would write it by hand in NumPy, with the same arguments.
    builtin
        Peer name to the same function by a single library call of that peer, where it has one.
    """

    name: str
    size: int
    operator: str
    model: Model
    inputs: Callable[[np.random.Generator], tuple[Any, ...]]
    handwritten: Callable[..., Any]
    builtin: Mapping[str, tuple[str, Model]] = field(default_factory=dict)
