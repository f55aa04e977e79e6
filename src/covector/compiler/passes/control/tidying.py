"""Loops with less in them: constants known in the body, carries that do not change, parts given or made twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ....control.loops.loop import loop_p
from ....core.graph import Equation, Var
from ....core.primitive import PRIMITIVES
from ....core.values import Aval
from .equality import merge_carries
from .hoisting import hoist
from .parts import Carry, Given, Loop
from .splitting import split
from .steady import steady
from .sums import sum_behind

if TYPE_CHECKING:
    from ..simplify import Builder

__all__ = ["loop_values"]

_ROUNDS = 4
"""How often what was found may lead to more."""


def loop_values(b: Builder, eq: Equation, inputs: Any) -> list[Any]:
    """Return the values of the outputs of the `loop` equation `eq` with the simplified `inputs`."""
    return _Tidying(b, Loop(inputs, eq.params, eq.outputs)).values(eq.outputs)


class _Tidying:
    """One loop on its way into the new program.

    Attributes
    ----------
    known : dict
        Number of an output to the value that it has.
    """

    def __init__(self, b: Builder, loop: Loop) -> None:
        self.b = b
        self.loop = loop
        self.known: dict[int, Any] = {}

    def values(self, outputs: Any) -> list[Any]:
        """Return the values of the outputs."""
        loop = self.loop
        self._known_count()
        if loop.condition is None and not loop.count and loop.length in (0, 1):
            return self._spliced()
        for _ in range(_ROUNDS):
            self._constants()
            loop.settle()
            loop.settle(self.b.body(loop.body))
            if loop.condition is not None:
                loop.condition = self.b.body(loop.condition)
            if not (self._unchanged() | steady(self.b, loop) | merge_carries(loop, self.known)):
                break
        self._stacks()
        if self._never():
            return [self.known[v.index] for v in outputs]
        hoist(self.b, loop)
        split(self.b, loop, self.known)
        sum_behind(self.b, loop, self.known)
        loop.drop_unused()
        return self._emitted(outputs)

    def _emitted(self, outputs: Any) -> list[Any]:
        inputs, params, left = self.loop.equation()
        found: dict[int, Any] = {}
        if left:
            made = self.b.store(loop_p, inputs, params, left)
            found = {v.index: x for v, x in zip(left, made, strict=True)}

        own = {v.index for v in outputs}

        def value(v: Var) -> Any:
            while v.index not in found:
                x = self.known[v.index]
                x = x(found) if callable(x) else x
                if type(x) is not Var or x.index not in own:
                    return x
                v = x
            return found[v.index]

        return [value(v) for v in outputs]

    # --- how often ----------------------------------------------------------------------------------------------------

    def _known_count(self) -> None:
        """Make a loop whose count is known one without."""
        loop = self.loop
        if not loop.count or loop.stacks or loop.sequences:
            return
        count = self.b.number(loop.count[0])
        if count is None:
            return
        length = max(int(count), 0)
        if loop.length is None or length <= loop.length or loop.options.get("tag") is None:
            loop.count = []
            loop.options = {k: v for k, v in loop.options.items() if k not in ("counted", "tag")}
            loop.options["length"] = length if loop.length is None else min(length, loop.length)

    def _never(self) -> bool:
        """Give the outputs of a loop whose condition is known to be false."""
        loop = self.loop
        if loop.condition is None or loop.stacks:
            return False
        (going,) = loop.condition.outputs
        if type(going) is Var or bool(going):
            return False
        for c in loop.carries:
            self.known[c.out.index] = self.b.like(c.outer, c.out.aval)
        return True

    def _spliced(self) -> list[Any]:
        """The values of a loop of one iteration or none."""
        b, loop = self.b, self.loop
        if not loop.length:
            out = [b.like(c.outer, c.out.aval) for c in loop.carries]
            return out + [b.constant(np.zeros(s.out.shape, s.out.dtype)) for s in loop.stacks]
        given = [np.int64(0), *[b.like(g.outer, g.var.aval) for g in [*loop.constants, *loop.carries]]]
        given += [b.emit("slice", g.outer, index=(0,)) for g in loop.sequences]
        out = b.splice(loop.body, given)
        n = len(loop.carries)
        finals = [b.like(x, c.out.aval) for x, c in zip(out, loop.carries, strict=False)]
        rows = [
            b.like(x, s.out.aval._replace(shape=s.out.shape[1:])) for x, s in zip(out[n:], loop.stacks, strict=True)
        ]
        return finals + [b.emit("reshape", x, shape=s.out.shape) for x, s in zip(rows, loop.stacks, strict=True)]

    # --- what goes in -------------------------------------------------------------------------------------------------

    def _constants(self) -> None:
        """Give the body what is known, and each other value once."""
        loop = self.loop
        self._merge(loop.constants)
        self._merge(loop.sequences)
        here: dict[int, Any] = {}
        tests: dict[int, Any] = {}
        kept = []
        for g in loop.constants:
            number = self.b.number(g.outer)
            if number is None and type(g.outer) is Var:
                kept.append(g)
                continue
            x = g.outer if number is None else number
            here[g.var.index] = self._inside(x, g.var, loop.body)
            if g.test is not None and loop.condition is not None:
                tests[g.test.index] = self._inside(x, g.test, loop.condition)
        for g in loop.sequences:
            number = self.b.number(g.outer)
            if number is not None:
                here[g.var.index] = self._inside(number, g.var, loop.body)
        loop.sequences = [g for g in loop.sequences if g.var.index not in here]
        loop.constants = kept
        self._put(here, tests)

    def _inside(self, x: Any, var: Var, graph: Any) -> Any:
        """The constant `x` as a program uses it in place of `var`; a broadcast number becomes an equation."""
        if type(x) is np.ndarray and x.ndim:
            return x
        number = var.aval.dtype.type(x)
        if not var.shape:
            return number.item() if var.aval.weak else number
        return Equation(PRIMITIVES["broadcast"], [number], {"shape": var.shape, "axes": ()}, [graph.variable(var.aval)])

    def _put(self, here: dict[int, Any], tests: dict[int, Any]) -> None:
        loop = self.loop
        if not here:
            return
        plain = lambda xs: {i: x.outputs[0] if isinstance(x, Equation) else x for i, x in xs.items()}
        made = lambda xs: [x for x in xs.values() if isinstance(x, Equation)]
        # The arrays that are filled come first; variables were made for programs that are built anew.
        loop.substitute(plain(here), plain(tests))
        loop.body.equations = made(here) + loop.body.equations
        if loop.condition is not None and tests:
            loop.condition.equations = made(tests) + loop.condition.equations

    def _merge(self, givens: list[Given]) -> None:
        """Leave out values that are given before."""
        first: dict[Any, Given] = {}
        here: dict[int, Any] = {}
        tests: dict[int, Any] = {}
        for g in list(givens):
            other = first.setdefault(g.outer.index if type(g.outer) is Var else (id(g.outer),), g)
            if other is not g and other.var.aval == g.var.aval:
                here[g.var.index] = other.var
                if g.test is not None:
                    tests[g.test.index] = other.test
                givens.remove(g)
        self.loop.substitute(here, tests)

    # --- what comes out -----------------------------------------------------------------------------------------------

    def _unchanged(self) -> bool:
        """Make constants of carries that stay what they are; tell whether there were any."""
        loop = self.loop
        still = [c for c in loop.carries if c.after is c.var]
        for c in still:
            self.make_constant(c)
        return bool(still)

    def make_constant(self, c: Carry) -> None:
        """Make a carry that does not change a constant."""
        x = self.b.like(c.outer, Aval(c.var.shape, c.var.dtype))
        self.known[c.out.index] = x
        self.loop.constants.append(Given(x, c.var, c.test))
        self.loop.carries.remove(c)

    def _stacks(self) -> None:
        """Leave out stacks of what is the same in all iterations, is there already, or is stacked twice."""
        loop = self.loop
        if loop.length is None:
            return
        constants = {g.var.index: g.outer for g in loop.constants}
        arrays = {g.var.index: g.outer for g in loop.sequences}
        fixed = {v.index: eq for eq in loop.body if eq.primitive.name == "broadcast" for v in eq.outputs}
        seen: dict[int, Var] = {}
        kept = []
        for s in loop.stacks:
            x = s.element
            if type(x) is Var:
                if x.index in fixed and type(fixed[x.index].inputs[0]) is not Var:
                    axes = tuple([k + 1 for k in fixed[x.index].params["axes"]])
                    repeated = self.b.emit("broadcast", fixed[x.index].inputs[0], shape=s.out.shape, axes=axes)
                    self.known[s.out.index] = self.b.like(repeated, s.out.aval)
                elif x.index in arrays:
                    self.known[s.out.index] = arrays[x.index]
                elif x.index in constants:
                    self.known[s.out.index] = self._repeated(constants[x.index], s.out)
                elif x.index in seen:
                    self.known[s.out.index] = seen[x.index]
                else:
                    seen[x.index] = s.out
                    kept.append(s)
            else:
                self.known[s.out.index] = self._repeated(x, s.out)
        if len(kept) < len(loop.stacks):
            loop.stacks = kept
            loop.settle()
            loop.settle(self.b.body(loop.body))

    def _repeated(self, x: Any, out: Var) -> Any:
        x = self.b.like(x, Aval(out.shape[1:], out.dtype))
        return self.b.emit("broadcast", x, shape=out.shape, axes=tuple(range(1, len(out.shape))))
