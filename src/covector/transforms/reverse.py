"""The tape: the tracer that writes it, the pullback that walks it backwards, the pushforward that walks it forwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.cotangents import Pending, add_cotangent
from ..core.primitive import Primitive, bind
from ..core.protect import COPY_BELOW, Holds, fixed
from ..core.surface import TracedArray, TracedValue
from ..core.tracer import Trace, Tracer, newest_level, snapshot
from ..core.values import WEAK_FAMILIES, Shape, aval_of, shape_of, strong
from .grad_mode import blocked_level

__all__ = ["Node", "ReverseTrace", "ReverseTracer", "pull_back", "push_forward"]

_ndarray = np.ndarray
_float64 = np.float64


Node = tuple[Primitive, Sequence[Any], dict[str, Any], Any, Sequence[int]]
"""One recorded application ``(primitive, args, params, out, parents)``; ``parents[i]`` is the slot of argument i on the
tape, 0 for a constant. A plain tuple, because one is made for every operation."""

Tape = list[Node | None]


class ReverseTracer(TracedValue):
    """A value and its slot on the tape."""

    __slots__ = ("slot",)

    def __init__(self, trace: ReverseTrace, value: Any, slot: int) -> None:
        self._trace = trace
        self.value = value
        self.slot = slot

    def clone(self) -> Tracer:
        return type(self)(self._trace, self.value, self.slot)  # type: ignore[arg-type]


class ReverseArray(TracedArray, ReverseTracer):
    """A `ReverseTracer` of one or more dimensions."""

    __slots__ = ()

    # Straight from the value, which is an array or a tracer: these are asked for in every rule.
    @property
    def shape(self) -> Shape:
        return self.value.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.dtype  # type: ignore[no-any-return]


class ReverseTrace(Trace):
    """Writes a tape: slot i holds the node whose (first) output has number i; inputs and further outputs hold None.

    Slot 0 stays empty, so that a parent is true exactly if a derivative flows to it.

    Parameters
    ----------
    escapes : bool
        Whether the tape outlives the transform; then constants are copied, else large ones are held read-only.
    """

    __slots__ = ("escapes", "holds", "tape")

    def __init__(self, name: str, escapes: bool) -> None:
        # The base's attributes, set here to save a call in every gradient.
        self.name = name
        self.level = newest_level()
        self.alive = True
        self.tape: Tape = [None]
        self.escapes = escapes
        self.holds: Holds | None = None

    def close(self) -> None:
        """End the trace."""
        self.alive = False
        if self.holds is not None:
            self.holds.release()

    def protect(self, x: Any) -> Any:
        """Return the constant or primal `x` such that a later write cannot change the derivative."""
        if type(x) is not _ndarray:
            return fixed(x) if isinstance(x, _ndarray) else snapshot(x)
        if self.escapes or x.nbytes <= COPY_BELOW:
            return x.copy("K")  # the memory layout shows in order="A" and "K"
        if self.holds is None:
            self.holds = Holds()
        return self.holds.protect(x)

    def input(self, value: Any) -> ReverseTracer:
        """Make a tracer of a primal."""
        slot = len(self.tape)
        self.tape.append(None)
        return self.tracer(value, slot)

    def tracer(self, value: Any, slot: int) -> ReverseTracer:
        """Make a tracer of `value`."""
        return (ReverseArray if shape_of(value) else ReverseTracer)(self, value, slot)

    def process(self, primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> Any:
        if not self.alive:
            self.check_alive(primitive)
        values: list[Any] = []
        parents: list[int] = []
        plain, large = True, False
        for x in args:
            if isinstance(x, Tracer):
                if x._trace is self:
                    parents.append(x.slot)
                    x = x.value
                    if type(x) is _ndarray:
                        large = large or x.nbytes > COPY_BELOW
                    elif isinstance(x, Tracer):
                        plain = False
                    elif primitive.family not in WEAK_FAMILIES:
                        x = strong(x)
                else:
                    parents.append(0)
                    plain = False
                    x = x.clone()
            else:
                parents.append(0)
                # Integers (indices, masks) are read by rules that forget their real and complex arguments.
                if isinstance(x, _ndarray) and (primitive.keeps or x.dtype.kind not in "fc"):
                    x = self.protect(x)
            values.append(x)
        if primitive.constant or blocked_level() >= self.level:
            return _locked(bind(primitive, values, params))
        if primitive.residuals is not None:
            out, params = primitive.residuals(values, params, parents)
        else:
            out = primitive.impl(*values, **params) if plain else bind(primitive, values, params)
        tape = self.tape
        slot = len(tape)
        if large and not primitive.keeps:
            # Of large arrays the derivative needs only shape and dtype, so the tape does not hold them.
            for i, x in enumerate(values):
                if type(x) is _ndarray and x.nbytes > COPY_BELOW and parents[i]:
                    values[i] = aval_of(x)
        if primitive.multiple:
            tape.append((primitive, values, params, out, parents))
            tape.extend([None] * (len(out) - 1))
            return tuple(self.tracer(x, slot + i) if x.dtype.kind in "fc" else x for i, x in enumerate(out))
        if out.dtype.kind not in "fc":
            return out
        kept = out if primitive.keeps_out or type(out) is not _ndarray or out.nbytes <= COPY_BELOW else aval_of(out)
        tape.append((primitive, values, params, kept, parents))
        return (ReverseArray if out.shape else ReverseTracer)(self, out, slot)


def _locked(out: Any) -> Any:
    """Make a constant result read-only where it is a view, because the tape may need what it views."""
    if type(out) is _ndarray and out.base is not None:
        out.flags.writeable = False
    return out


@np.errstate(all="ignore")
def pull_back(tape: Tape, totals: list[Any], consume: bool) -> None:
    """Propagate cotangents backwards through `tape`.

    Parameters
    ----------
    tape : list
        From a `ReverseTrace`.
    totals : list
        One entry per slot: the cotangent of an output, or None for zero; on return those of the inputs.
    consume : bool
        Free each node once it is done; the tape is then good for one pullback.
    """
    for slot in range(len(tape) - 1, 0, -1):
        node = tape[slot]
        if type(totals[slot]) is Pending:
            totals[slot] = totals[slot].total()
        if node is None:
            continue
        if consume:
            tape[slot] = None
        primitive, args, params, out, parents = node
        if primitive.multiple:
            ct: Any = totals[slot : slot + len(out)]
            if all(c is None for c in ct):
                continue
        else:
            ct = totals[slot]
            if ct is None:
                continue
            totals[slot] = None
        i = 0
        for c in primitive.vjp(ct, parents, out, args, **params):
            if c is not None:
                slot, x = parents[i], args[i]
                kind = type(c)
                # The first contribution, where it fits as it is; everything else is add_cotangent's business.
                if (
                    totals[slot] is None
                    and kind is type(x)
                    and (kind is _float64 or (c.shape == x.shape and c.dtype == x.dtype))
                ):
                    totals[slot] = c
                else:
                    add_cotangent(totals, slot, c, x)
            i += 1


@np.errstate(all="ignore")
def push_forward(tape: Tape, tangents: list[Any]) -> None:
    """Propagate tangents forwards through `tape`; entries None are zero, and on return all slots are filled in."""
    for slot, node in enumerate(tape):
        if node is None:
            continue
        primitive, args, params, out, parents = node
        given = [tangents[p] for p in parents]
        if all(t is None for t in given):
            continue
        t = primitive.jvp(args, given, out, **params)
        if primitive.multiple:
            tangents[slot : slot + len(t)] = t
        else:
            tangents[slot] = t
