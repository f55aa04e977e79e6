"""The body of a loop cut in two: what runs forwards and what it keeps, and what runs backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core.graph import Graph, Var
from ...core.values import Aval
from ..programs.axes import bound_axes, recorded, settle_axes
from ..programs.derivatives import Derived, Source, Tape
from ..programs.residuals import part
from .accumulation import accumulated
from .capacity import FIRST, assumed, capacities_in, repeated
from .loop import Operands, out_avals

__all__ = ["Backward", "Kept", "Split", "dependent"]

INDEX = Aval((), np.dtype(np.int64))


class _Place(NamedTuple):
    """Where a backward loop finds a value that the body has left behind.

    Attributes
    ----------
    kind : str
        ``"constant"``: the same in each iteration; ``"stack"``: in a stack of residuals; ``"after"``: it is a carry as
        the iteration returned it, so the next iteration, which runs before in the backward loop, has left it.
    carry : int
        The number of that carry.
    before : int
        The number of the residual that is the carry as the iteration found it.
    """

    kind: str
    carry: int = 0
    before: int = 0


class Split:
    """The body of a loop cut in two: what runs forwards, and what the pullback needs of it.

    Parameters
    ----------
    params : dict
        The parameters of the loop.
    wanted : sequence of bool
        Per input of the loop whether a derivative flows to it.

    Attributes
    ----------
    tape : Tape
        Of the body. The pullback has index, constants, sequences and stacked outputs for nothing; it has no carries.
    wanted : list of bool
        Per input of the body whether a derivative flows to it, once or through the carries.
    kept : list of Var
        The residuals, variables of ``tape.forward``.
    places : list
        Where they go.
    """

    def __init__(self, params: dict[str, Any], wanted: Sequence[bool]) -> None:
        self.body = settle_axes(params["body"])
        self.constants: int = params["constants"]
        self.carries: int = params["carries"]
        self.cond: Graph | None = params.get("cond")
        self.length: int | None = params.get("length")
        first = 1 + self.constants
        flows = zip(self.body.inputs, [False, *wanted[int(params.get("counted", False)) :]], strict=True)
        self.wanted = [w and v.dtype.kind in "fc" for v, w in flows]
        scarce = {("arg", first + k) for k in range(self.carries)} | {("out", k) for k in range(self.carries)}
        while True:
            with repeated(self.length or FIRST):
                self.tape = Tape(self.body, self.wanted, scarce)
            more = [first + k for k in range(self.carries) if self.tape.depends[k] and not self.wanted[first + k]]
            if not more:
                break
            for i in more:
                self.wanted[i] = True
        self.count = len(self.body.outputs)
        self.kept: list[Var] = self.tape.forward.outputs[self.count :]
        self.places = self._places()
        self.backwards: dict[Any, Backward] = {}

    def __reduce__(self) -> Any:
        params = {
            "body": self.body,
            "constants": self.constants,
            "carries": self.carries,
            "cond": self.cond,
            "length": self.length,
        }
        return _split, (params, self.wanted[1:], capacities_in(self.tape.forward))

    def _places(self) -> list[_Place]:
        forward = self.tape.forward
        first = 1 + self.constants
        still = dependent(forward, forward.inputs[:1] + forward.inputs[first:])
        still.update(v.index for eq in forward.equations if eq.primitive.family == "collective" for v in eq.outputs)
        carried = {v.index: k for k, v in enumerate(forward.inputs[first : first + self.carries])}
        before = {carried[v.index]: r for r, v in enumerate(self.kept) if v.index in carried}
        after = {x.index: k for k, x in enumerate(forward.outputs[: self.carries]) if type(x) is Var}
        places = []
        for r, v in enumerate(self.kept):
            k = after.get(v.index)
            if v.index not in still:
                places.append(_Place("constant"))
            elif k in before and before[k] != r:
                places.append(_Place("after", k, before[k]))
            else:
                places.append(_Place("stack"))
        return places

    def stacked(self) -> list[int]:
        """The numbers of the residuals of which there is one per iteration."""
        return [r for r, place in enumerate(self.places) if place.kind == "stack"]

    def forward(self, stacked: Sequence[int]) -> Graph:
        """The body that also returns these residuals, and how often it has run as another carry if nobody knew."""
        graph = self.tape.forward
        kept = [self.kept[r] for r in stacked]
        made = part(graph.inputs, graph.equations, [*graph.outputs[: self.count], *kept])
        if self.cond is None:
            return made
        at = 1 + self.constants + self.carries

        def step(made: Graph, index: Any, *xs: Any) -> list[Any]:
            out = made.run(index, *xs[: at - 1], *xs[at:])
            return [*out[: self.carries], index + 1, *out[self.carries :]]

        avals = [v.aval for v in made.inputs]
        return recorded(step, [made], [*avals[:at], INDEX, *avals[at:]])

    def condition(self) -> Graph | None:
        """The condition of the loop with that body."""
        if self.cond is None:
            return None
        cond = settle_axes(self.cond)
        return recorded(lambda cond, *xs: cond.run(*xs[:-1]), [cond], [*[v.aval for v in cond.inputs], INDEX])

    def invariants(self, operands: Operands) -> dict[int, Any]:
        """The residuals that are the same in each iteration."""
        found = [r for r, place in enumerate(self.places) if place.kind == "constant"]
        if not found:
            return {}
        graph = self.tape.forward
        first = part(graph.inputs[1 : 1 + self.constants], graph.equations, [self.kept[r] for r in found])
        return dict(zip(found, bound_axes(first).run(*operands.constants), strict=True))

    def backward(self, given: tuple[bool, ...]) -> Backward:
        """The body of the backward loop, for the cotangents of the loop's outputs that are given."""
        if given not in self.backwards:
            self.backwards[given] = Backward(self, given)
        return self.backwards[given]


class Kept:
    """What a loop leaves behind for its pullback.

    Attributes
    ----------
    split : Split
        The body in two.
    params : dict
        The parameters of the loop.
    values : dict
        The residuals by number.
    length : int or None
        The number of rows in the stacks, None without stacks.
    count : list
        How often the loop ran, if the parameters do not say so.
    """

    __slots__ = ("count", "length", "params", "split", "values")

    def __init__(
        self, split: Split, params: dict[str, Any], values: dict[int, Any], length: int | None, count: list[Any]
    ) -> None:
        self.split = split
        self.params = params
        self.values = values
        self.length = length
        self.count = count


def _split(params: dict[str, Any], wanted: Sequence[bool], capacities: dict[int, int]) -> Split:
    """Make a `Split` again whose residuals there are already."""
    with assumed(capacities):
        return Split(params, wanted)


def dependent(graph: Graph, inputs: Sequence[Var]) -> set[int]:
    """The indices of the variables that depend on some of the inputs."""
    found = {v.index for v in inputs}
    for eq in graph.equations:
        if any(type(x) is Var and x.index in found for x in eq.inputs):
            found.update(v.index for v in eq.outputs)
    return found


class Backward:
    """The body of a backward loop.

    Its carries are the cotangents of carries, carries of the forward loop as they were, and the sums of the cotangents
    of constants.

    Attributes
    ----------
    body : Graph
        The program.
    constants, sequences : list of Source
        What it is given.
    cts : list of int
        The carries of the forward loop that have a cotangent.
    afters : list of int
        The residuals that are carried backwards.
    sums : list of int
        The constants that have a cotangent, and
    stacks : list of int
        the sequences that have, both as numbers of inputs of the forward body.
    """

    def __init__(self, split: Split, given: Sequence[bool]) -> None:
        self.split = split
        first, end = 1 + split.constants, 1 + split.constants + split.carries
        given = list(given)
        while True:
            derived: Derived = split.tape.pull(given)
            more = [i - first for i in derived.places if first <= i < end and not given[i - first]]
            if not more:
                break
            for k in more:
                given[k] = True
        self.derived = derived
        self.cts = [k for k in range(split.carries) if given[k]]
        self.sums = [i for i in derived.places if i < first]
        self.stacks = [i for i in derived.places if i >= end]
        self.constants: list[Source] = []
        self.sequences: list[Source] = []
        self.afters: list[int] = []
        for source in derived.sources:
            self._sort(source, first)
        self.body = self._body()

    def _sort(self, source: Source, first: int) -> None:
        kind, i = source
        place = self.split.places[i] if kind == "residual" else None
        if place is not None and place.kind == "after":
            self.afters.append(i)
            source = ("residual", place.before)
        constant = place.kind == "constant" if place is not None else kind == "arg" and i < first
        known = self.constants if constant else self.sequences
        if source not in known and source != ("arg", 0) and not (kind == "seed" and i < self.split.carries):
            known.append(source)

    def _aval(self, source: Source) -> Aval:
        kind, i = source
        if kind == "arg":
            return self.split.body.inputs[i].aval._replace(weak=False)
        if kind == "residual":
            return self.split.kept[i].aval
        return out_avals(self.split.body)[i]

    def _body(self) -> Graph:
        split, derived = self.split, self.derived
        first = 1 + split.constants
        cts: list[Source] = [("seed", k) for k in self.cts]
        afters: list[Source] = [("residual", r) for r in self.afters]
        sums: list[Source] = [("sum", i) for i in self.sums]
        names = [("arg", 0), *self.constants, *cts, *afters, *sums, *self.sequences]
        avals = [INDEX, *[self._aval(s) for s in self.constants + cts + afters]]
        avals += [self._aval(("arg", i)) for i in self.sums] + [self._aval(s) for s in self.sequences]

        def step(pullback: Graph, *xs: Any) -> list[Any]:
            have = dict(zip(names, xs, strict=True))
            out = pullback.run(*[have[s] for s in derived.sources])
            made = dict(zip(derived.places, out, strict=True))
            nothing = [np.zeros(a.shape, a.dtype) for a in avals[1 + len(self.constants) :][: len(cts)]]
            return [
                *[made.get(first + k, z) for k, z in zip(self.cts, nothing, strict=True)],
                *[have["residual", split.places[r].before] for r in self.afters],
                *[have["sum", i] + made[i] for i in self.sums],
                *[made[i] for i in self.stacks],
            ]

        graph = recorded(step, [derived.graph], avals)
        skip = len(cts) + len(afters)
        at = 1 + len(self.constants) + skip
        return accumulated(graph, [(graph.inputs[at + n], skip + n) for n in range(len(sums))])
