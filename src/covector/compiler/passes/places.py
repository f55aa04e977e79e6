"""Arithmetic of basic indices: bring them to one form, compose them, and compare the elements that they select.

A *selection* is a list with, per entry of the index, None (a new axis), an int (one position, and the axis is gone) or
a `range` of positions. It names every axis of the array, so two selections of one array can be compared axis by axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...core.values import Shape

__all__ = ["Selection", "compose", "disjoint", "index_of", "selected_shape", "selection", "within"]

Selection = list[Any]

_ALL = slice(None)


def selection(index: Sequence[Any], shape: Shape) -> Selection:
    """Return the selection that the basic index `index` makes from an array of shape `shape`."""
    if type(index) is not tuple:
        index = (index,)
    named = sum(1 for i in index if i is not None and i is not Ellipsis)
    out: Selection = []
    axis = 0
    for i in index:
        if i is None:
            out.append(None)
        elif i is Ellipsis:
            for _ in range(len(shape) - named):
                out.append(range(shape[axis]))
                axis += 1
        elif type(i) is slice:
            out.append(_trimmed(range(*i.indices(shape[axis]))))
            axis += 1
        else:
            k = int(i)
            out.append(k + shape[axis] if k < 0 else k)
            axis += 1
    out.extend(range(n) for n in shape[axis:])
    return out


def _trimmed(r: range) -> range:
    """The same positions in the one form that all ranges with these positions share."""
    n = len(r)
    if n == 0:
        return range(0)
    return range(r[0], r[0] + 1) if n == 1 else range(r[0], r[-1] + (1 if r.step > 0 else -1), r.step)


def index_of(sel: Selection, shape: Shape) -> tuple[Any, ...]:
    """Return the index of a selection from an array of shape `shape`: an entry for every axis, ints from zero up."""
    out: list[Any] = []
    axis = 0
    for entry in sel:
        if entry is None:
            out.append(None)
            continue
        if type(entry) is range:
            n = shape[axis]
            if len(entry) == n and entry.step == 1:
                entry = _ALL
            else:
                entry = slice(entry.start, entry.stop if entry.stop >= 0 else None, entry.step)
        out.append(entry)
        axis += 1
    return tuple(out)


def selected_shape(sel: Selection) -> Shape:
    """The shape of what is selected."""
    return tuple([1 if e is None else len(e) for e in sel if type(e) is not int])


def compose(inner: Selection, outer: Selection) -> Selection | None:
    """Return the selection that first `inner` and then `outer` makes; None where a new axis is taken apart."""
    out: Selection = []
    entries = iter(outer)

    def next_axis() -> Any:
        for e in entries:
            if e is not None:
                return e
            out.append(None)
        raise AssertionError("the outer selection has too few axes")

    for first in inner:
        if type(first) is int:
            out.append(first)
            continue
        second = next_axis()
        if first is None:
            if type(second) is range:
                if len(second) != 1:
                    return None
                out.append(None)
        elif type(second) is int:
            out.append(first[second])
        else:
            out.append(_trimmed(first[second.start : second.stop if second.stop >= 0 else None : second.step]))
    out.extend(entries)
    return out


def _positions(sel: Selection) -> list[range]:
    """The positions along each axis of the array."""
    return [range(e, e + 1) if type(e) is int else e for e in sel if e is not None]


def disjoint(a: Selection, b: Selection) -> bool:
    """Whether two selections from one array certainly have no element in common."""
    return any(_apart(p, q) for p, q in zip(_positions(a), _positions(b), strict=True))


def _apart(p: range, q: range) -> bool:
    if not p or not q:
        return True
    if max(p[0], p[-1]) < min(q[0], q[-1]) or max(q[0], q[-1]) < min(p[0], p[-1]):
        return True
    return (p[0] - q[0]) % math.gcd(p.step, q.step) != 0


def within(region: Selection, sel: Selection) -> Selection | None:
    """Return the selection from the elements of `region` that are those of `sel`; None unless all of them are there.

    Both select from the same array.
    """
    out: Selection = []
    mine = iter(region)
    for entry in sel:
        if entry is None:
            out.append(None)
            continue
        for have in mine:
            if have is not None:
                break
            out.append(0)  # an axis that the region has in addition
        else:
            raise AssertionError("selections of different arrays")
        if type(have) is int:
            if type(entry) is int:
                if entry != have:
                    return None
            elif len(entry) == 1 and entry[0] == have:
                out.append(None)
            else:
                return None
        elif type(entry) is int:
            if entry not in have:
                return None
            out.append(have.index(entry))
        else:
            place = _subrange(have, entry)
            if place is None:
                return None
            out.append(place)
    out.extend(0 for have in mine if have is None)
    return out


def _subrange(have: range, want: range) -> range | None:
    """The positions in `have` of the elements of `want`."""
    if not want:
        return range(0)
    if want[0] not in have or want[-1] not in have:
        return None
    first, last = have.index(want[0]), have.index(want[-1])
    if len(want) == 1:
        return range(first, first + 1)
    if want.step % have.step:
        return None
    step = want.step // have.step
    return range(first, last + (1 if step > 0 else -1), step)
