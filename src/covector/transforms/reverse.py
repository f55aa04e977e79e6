"""The tape: the tracer that writes it, the pullback that walks it backwards, the pushforward that walks it forwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.buffer import as_buffer, constant_of
from ..core.cotangents import Pending, add_cotangent
from ..core.mutation import adopt, changed, copied, isolate, mutate, owned
from ..core.primitive import Primitive, bind
from ..core.protect import COPY_BELOW, Holds, fixed, same_layout
from ..core.surface import TracedArray, TracedNumber, TracedValue
from ..core.tracer import Trace, Tracer, newest_level, snapshot, start
from ..core.values import WEAK_FAMILIES, Shape, aval_of, dtype_of, shape_of, strong
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

    __slots__ = ()
    _state = ("value", "slot")

    def __init__(self, trace: ReverseTrace, value: Any, slot: int) -> None:
        self._trace = trace
        self._link = None
        self.value = value
        self.slot = slot

    def clone(self) -> Tracer:
        trace: Any = self._trace
        if trace.cloned is None:
            trace.cloned = set()
        trace.cloned.add(self.slot)
        return trace.tracer(self.value, self.slot)  # type: ignore[no-any-return]


class ReverseNumber(TracedNumber, ReverseTracer):
    """A `ReverseTracer` of no dimensions."""

    __slots__ = ()


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

    __slots__ = ("cloned", "escapes", "holds", "tape")

    def __init__(self, name: str, escapes: bool) -> None:
        # The base's attributes, set here to save a call in every gradient.
        self.name = name
        self.level = newest_level()
        self.alive = True
        start(self)
        self.tape: Tape = [None]
        self.escapes = escapes
        self.holds: Holds | None = None
        self.cloned: set[int] | None = None

    def close(self) -> None:
        """End the trace."""
        Trace.close(self)  # shorter than super()
        if self.holds is not None:
            self.holds.release()

    def protect(self, x: Any) -> Any:
        """Return the constant or primal `x` such that a later write cannot change the derivative."""
        if type(x) is not _ndarray:
            return fixed(x) if isinstance(x, _ndarray) else snapshot(x)
        if self.escapes or x.nbytes <= COPY_BELOW:
            return x.copy("K") if x.flags.forc else same_layout(x)
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
        return (ReverseArray if shape_of(value) else ReverseNumber)(self, value, slot)

    def lift(self, value: Any) -> Tracer:
        return self.tracer(value, 0)

    def write(self, x: Tracer, primitive: Any, args: Sequence[Any], params: dict[str, Any]) -> None:
        """Write to `x`; see `core.mutation.write`. The tape gets one node of the size of what is written."""
        if not self.alive:
            self.check_alive(primitive)
        if x._trace is not self:
            adopt(x, self.lift(snapshot(x)))
        values, parents, kept = [], [x.slot], [aval_of(x)]
        for a in args:
            mine = isinstance(a, Tracer) and a._trace is self
            parents.append(a.slot if mine else 0)
            value = a.value if mine else snapshot(a)
            values.append(value)
            kept.append(self.protect(value) if dtype_of(value).kind not in "fc" else aval_of(value))
        isolate(x)
        if blocked_level() >= self.level:
            mutate(x, "value", primitive, values, params)
            adopt(x, constant_of(self, x.value))
            return
        moves = self.cloned is None or x.slot not in self.cloned
        mutate(x, "value", primitive, values, params)
        x.slot = len(self.tape)
        self.tape.append((primitive, kept, params, moves, parents))

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
                    x = x.constant()
                    if isinstance(x, Tracer):
                        plain = False
            else:
                parents.append(0)
                # Integers (indices, masks) are read by rules that forget their real and complex arguments.
                if isinstance(x, _ndarray) and (primitive.keeps or x.dtype.kind not in "fc"):
                    x = self.protect(x)
            values.append(x)
        if primitive.constant or blocked_level() >= self.level:
            return as_buffer(self, bind(primitive, values, params))
        if primitive.residuals is not None:
            out, params = primitive.residuals(values, params, parents)
        else:
            out = primitive.impl(*values, **params) if plain else bind(primitive, values, params)
        tape = self.tape
        slot = len(tape)
        if (large or primitive.lean) and not primitive.keeps:
            # The derivative needs only shape and dtype: of large arrays, and of those that are about to be written
            # to, the tape holds no more.
            for i, x in enumerate(values):
                if parents[i] and (primitive.lean or (type(x) is _ndarray and x.nbytes > COPY_BELOW)):
                    values[i] = aval_of(x)
        if primitive.multiple:
            tape.append((primitive, values, params, out, parents))
            tape.extend([None] * (len(out) - 1))
            return tuple(self.tracer(x, slot + i) if x.dtype.kind in "fc" else x for i, x in enumerate(out))
        if out.dtype.kind not in "fc":
            return out
        kept = out if primitive.keeps_out or type(out) is not _ndarray or out.nbytes <= COPY_BELOW else aval_of(out)
        if primitive.writes:
            kept = False  # a new array: the old one has not moved
        tape.append((primitive, values, params, kept, parents))
        return (ReverseArray if out.shape else ReverseNumber)(self, out, slot)


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
            if primitive.writes:
                del ct  # the only other reference: the array can be changed in place
                _pull_write(totals, slot, node)
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
        if primitive.writes:
            del given
            _push_write(tangents, slot, node)
            continue
        t = primitive.jvp(args, given, out, **params)
        if primitive.multiple:
            tangents[slot : slot + len(t)] = t
        else:
            tangents[slot] = t


# --- writes: the cotangent or tangent of the array moves from one slot to the next ------------------------------------


def _pull_write(totals: list[Any], slot: int, node: Any) -> None:
    """The transpose of a write: the values get what is at their places, and there the array gets nothing."""
    primitive, args, params, _, parents = node
    _, v, *indices = args
    if parents[1]:
        add_cotangent(totals, parents[1], primitive.read(totals[slot], v, *indices, **params), v)
    if not parents[0]:
        totals[slot] = None
        return
    ct = owned(totals, slot)
    if not primitive.adds:
        ct = changed(ct, primitive, (ct.dtype.type(0), *indices), params)
    if totals[parents[0]] is None:
        totals[parents[0]] = ct
    else:
        add_cotangent(totals, parents[0], ct, args[0])


def _push_write(tangents: list[Any], slot: int, node: Any) -> None:
    """The write applied to tangents."""
    primitive, args, params, moves, parents = node
    x, _, *indices = args
    tv = tangents[parents[1]]
    if tangents[parents[0]] is None:
        t = np.zeros(x.shape, x.dtype)
    elif moves:
        t = owned(tangents, parents[0])
    else:
        t = copied(tangents[parents[0]])
    if tv is not None or not primitive.adds:
        t = changed(t, primitive, (x.dtype.type(0) if tv is None else tv, *indices), params)
    tangents[slot] = t
