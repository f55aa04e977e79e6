"""Carries that are always equal: they start from the same, and the same is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....core.graph import Var
from ..keys import frozen, scalar_key
from .parts import Carry, Loop

__all__ = ["merge_carries"]


def merge_carries(loop: Loop, known: dict[int, Any]) -> bool:
    """Leave one of each set of equal carries, and note in `known` what the others end as; tell whether there were any.

    Carries that start from the same are taken to be equal; those that then become different things are told apart, and
    so on until what is taken for granted agrees with what follows from it.
    """
    groups = _numbered([_start(c) for c in loop.carries])
    if len(set(groups)) == len(groups):
        return False
    alive: list[Any] = []
    while True:
        values = _values(loop, groups, alive)
        finer = _numbered([(g, values(c.after)) for g, c in zip(groups, loop.carries, strict=True)])
        if finer == groups:
            break
        groups = finer
    first: dict[int, Carry] = {}
    here: dict[int, Any] = {}
    tests: dict[int, Any] = {}
    kept = []
    for g, c in zip(groups, loop.carries, strict=True):
        other = first.setdefault(g, c)
        if other is c:
            kept.append(c)
            continue
        here[c.var.index] = other.var
        if c.test is not None:
            tests[c.test.index] = other.test
        known[c.out.index] = other.out
    loop.carries = kept
    loop.substitute(here, tests)
    loop.settle()
    return bool(here)


def _start(c: Carry) -> Any:
    return (_name(c.outer), c.var.shape, c.var.dtype)


def _name(x: Any) -> Any:
    if type(x) is Var:
        return x.index
    return ("array", id(x)) if isinstance(x, np.ndarray) else scalar_key(x)


def _numbered(keys: list[Any]) -> list[int]:
    """The same number for equal keys, in the order in which they come."""
    numbers: dict[Any, int] = {}
    return [numbers.setdefault(k, len(numbers)) for k in keys]


def _values(loop: Loop, groups: list[int], alive: list[Any]) -> Any:
    """What tells apart the values of the body, if carries of one group are equal."""
    made: dict[int, Any] = {c.var.index: ("carry", g) for g, c in zip(groups, loop.carries, strict=True)}
    numbers: dict[Any, int] = {}

    def value(x: Any) -> Any:
        return made.get(x.index, ("given", x.index)) if type(x) is Var else _name(x)

    for eq in loop.body:
        key = (eq.primitive.name, *[value(x) for x in eq.inputs], frozen(eq.params, alive))
        number = numbers.setdefault(key, len(numbers))
        for k, v in enumerate(eq.outputs):
            made[v.index] = ("made", number, k)
    return value
