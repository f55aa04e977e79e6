"""The table: one row per public name, with a verdict from the registries or from a sample call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core import dispatch
from ..core.errors import CovectorError
from ..core.primitive import Primitive, Refuse, load_late_rules
from ..core.values import dtype_of
from .calls import Call, call_of
from .catalog import SECTIONS, Entry, entries
from .declared import limit, outside, replaced
from .namesakes import namesake, tried
from .probe import Finding, probe

__all__ = ["CONSTANT", "DIFFERENTIABLE", "REFUSED", "UNKNOWN", "Row", "row", "sample_of", "table"]

DIFFERENTIABLE = "differentiable"
CONSTANT = "no derivative by nature"
REFUSED = "refused"
UNKNOWN = "unknown"

_PARAMETER = re.compile(r"with respect to `(\w+)`")


class Row(NamedTuple):
    """What is known of one public name; `jvp`, `vjp` and `vmap` are "yes", "no", "plain" (no derivative) or ""."""

    section: str
    name: str
    verdict: str
    jvp: str = ""
    vjp: str = ""
    vmap: str = ""
    note: str = ""


def table() -> list[Row]:
    """Return all rows, section by section."""
    load_late_rules()
    return [row(entry) for section in SECTIONS for entry in entries(section)]


def row(entry: Entry) -> Row:
    """Return what is known of one name; of a refused one also whether its namesake in `covector.numpy` works."""
    found = _row(entry)
    if found.verdict != REFUSED or namesake(entry) is None:
        return found
    works, wrong = tried(entry)
    if works:
        return found._replace(note=f"{found.note}; use covector.{entry.full}, which has {works}")
    return found._replace(verdict=UNKNOWN, note=wrong) if entry.section.startswith("numpy.polynomial") else found


def _row(entry: Entry) -> Row:
    function = entry.function
    handler = dispatch.UFUNCS.get(function) if isinstance(function, np.ufunc) else _handler(function)
    if (handler is None or function is np.isnat) and (reason := outside(entry)) is not None:
        return Row(*entry[:2], CONSTANT, note=reason)
    if isinstance(handler, Primitive) and handler.constant:
        return Row(*entry[:2], CONSTANT, "plain", "plain", _slot(handler.batch))
    reason = replaced(entry) or (None if handler is not None else dispatch.REFUSED.get(_key(function)))
    if isinstance(function, np.ufunc) and reason is not None:
        return Row(*entry[:2], REFUSED, note=reason)
    try:
        call = sample_of(entry)
        if call is None:
            return Row(*entry[:2], REFUSED if reason else UNKNOWN, note=reason or "no sample call suits it")
        return _by_call(entry, call, handler, reason)
    except Exception as error:
        if reason is not None and isinstance(error, TypeError | AttributeError | ValueError):
            # Python or NumPy itself turns a traced value away.
            return Row(*entry[:2], REFUSED, note=reason)
        return Row(*entry[:2], UNKNOWN, note=f"{type(error).__name__} in a sample call: {error}")


def _key(function: Any) -> Any:
    try:
        hash(function)
    except TypeError:
        return None
    return function


def _handler(function: Any) -> Any:
    return dispatch.FUNCTIONS.get(_key(function))


def _slot(rule: Any) -> str:
    return "no" if isinstance(rule, Refuse) else "yes"


def sample_of(entry: Entry) -> Call | None:
    """Return a sample call: of a primitive one of its own samples, else one of `calls`; None if none suits."""
    handler = dispatch.UFUNCS.get(entry.function) if isinstance(entry.function, np.ufunc) else None
    if isinstance(handler, Primitive):
        args = [np.asarray(x) for x in handler.samples[1 if len(handler.samples) > 1 else 0].args]
        return Call(lambda *xs: entry.function(*xs), args)
    return call_of(entry)


def _by_call(entry: Entry, call: Call, handler: Any, reason: str | None) -> Row:
    """The row of a name of which a sample call decides."""
    floats = [i for i, x in enumerate(call.arrays) if dtype_of(x).kind in "fc"]
    found = probe(call.fun, call.arrays, floats)
    note = ""
    if found.jvp is not None and len(floats) > 1:
        found, note = _by_argument(entry, call, floats, found)
    if found.jvp is not None and found.vjp is not None:
        known = reason or (found.jvp if handler is not None or entry.section == "numpy.ndarray" else None)
        return Row(*entry[:2], REFUSED if known else UNKNOWN, note=known or f"unexplained refusal: {found.jvp}")
    if found.jvp is not None or found.vjp is not None:
        return Row(*entry[:2], UNKNOWN, note=f"one mode only: {found.jvp or found.vjp}")
    batch = "yes" if found.vmap is None else "no"
    if found.vmap is not None:
        note = "; ".join(filter(None, (note, f"under vmap: {found.vmap}")))
    if not found.flows:
        return Row(*entry[:2], CONSTANT, "plain", "plain", batch, note)
    ufunc = dispatch.UFUNCS.get(entry.function) if isinstance(entry.function, np.ufunc) else None
    if ufunc is not None:
        note = "; ".join(filter(None, (note, _parameters(entry.function, call.arrays))))
    note = "; ".join(filter(None, (note, "" if handler is not None else limit(entry))))
    return Row(*entry[:2], DIFFERENTIABLE, "yes", "yes", batch, note)


def _by_argument(entry: Entry, call: Call, floats: Sequence[int], together: Finding) -> tuple[Finding, str]:
    """Differentiate in one argument at a time: some functions have a derivative in some of them only."""
    single = {i: probe(call.fun, call.arrays, [i]) for i in floats}
    works = [i for i, found in single.items() if found.jvp is None and found.vjp is None and found.flows]
    if not works:
        return together, ""
    refused = [i for i in floats if single[i].jvp is not None]
    names = ", ".join(_name(entry.function, i, single[i].jvp) for i in refused)
    # Mapping over a refused argument is refused too; what counts is the one that works.
    batch = probe(lambda x: call.fun(*_with(call.arrays, works[0], x)), [call.arrays[works[0]]], []).vmap
    return single[works[0]]._replace(vmap=batch), f"not in {names}" if names else ""


def _with(arrays: Sequence[Any], i: int, x: Any) -> list[Any]:
    return [*arrays[:i], x, *arrays[i + 1 :]]


def _name(function: Any, i: int, refusal: str | None) -> str:
    import inspect

    found = _PARAMETER.search(refusal or "")
    if found:
        return found.group(1)
    try:
        return list(inspect.signature(function).parameters)[i]
    except (ValueError, IndexError, TypeError):
        return f"argument {i + 1}"


def _parameters(ufunc: np.ufunc, arrays: Sequence[Any]) -> str:
    """Name the parameters of a ufunc in which it has no derivative, found by differentiating in each."""
    found = []
    for i, x in enumerate(arrays):
        if dtype_of(x).kind != "i":
            continue
        changed = _with(arrays, i, np.asarray(x, float))
        try:
            refusal = probe(lambda *xs: ufunc(*xs), changed, [i]).jvp
        except (TypeError, ValueError, CovectorError):
            continue
        if refusal is not None:
            found.append(_name(ufunc, i, refusal))
    return f"not in {', '.join(found)}" if found else ""


def by_section(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the rows of each section."""
    for section in SECTIONS:
        yield section, [r for r in rows if r.section == section]
