"""Reverse mode through a loop: one loop that keeps what the pullback of its body needs, and one that runs backwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import NotDifferentiableError
from ..core.graph import Graph, Var
from ..core.tracer import concrete
from ..core.values import Aval, dtype_of
from .accumulation import accumulated
from .axes import bound_axes, recorded, settle_axes
from .capacity import assumed, capacities_in, capacity_of, tag_of, with_capacities
from .derivatives import Derived, Source, Tape
from .loop import Operands, bind_loop, is_recorded, out_avals
from .residuals import part

__all__ = ["Kept", "pull", "residuals", "transpose"]

_INDEX = Aval((), np.dtype(np.int64))


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
        first = 1 + self.constants
        flows = zip(self.body.inputs, [False, *wanted[int(params.get("counted", False)) :]], strict=True)
        self.wanted = [w and v.dtype.kind in "fc" for v, w in flows]
        scarce = {("arg", first + k) for k in range(self.carries)} | {("out", k) for k in range(self.carries)}
        while True:
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
        params = {"body": self.body, "constants": self.constants, "carries": self.carries, "cond": self.cond}
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

    def forward(self) -> Graph:
        """The body that also returns what is stacked, and how often it has run as another carry if nobody knew."""
        graph = self.tape.forward
        kept = [self.kept[r] for r in self.stacked()]
        made = part(graph.inputs, graph.equations, [*graph.outputs[: self.count], *kept])
        if self.cond is None:
            return made
        at = 1 + self.constants + self.carries

        def step(made: Graph, index: Any, *xs: Any) -> list[Any]:
            out = made.run(index, *xs[: at - 1], *xs[at:])
            return [*out[: self.carries], index + 1, *out[self.carries :]]

        avals = [v.aval for v in made.inputs]
        return recorded(step, [made], [*avals[:at], _INDEX, *avals[at:]])

    def condition(self) -> Graph | None:
        """The condition of the loop with that body."""
        if self.cond is None:
            return None
        cond = settle_axes(self.cond)
        return recorded(lambda cond, *xs: cond.run(*xs[:-1]), [cond], [*[v.aval for v in cond.inputs], _INDEX])

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
        avals = [_INDEX, *[self._aval(s) for s in self.constants + cts + afters]]
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


def residuals(args: Sequence[Any], params: dict[str, Any], parents: Sequence[int]) -> tuple[Any, dict[str, Any]]:
    """Run a loop and keep what its pullback needs: the slot `Primitive.residuals`."""
    wanted = [p > 0 for p in parents]
    if is_recorded(args):
        return _run(args, params, wanted)
    return with_capacities(lambda: _run(args, params, wanted))


def _run(args: Sequence[Any], params: dict[str, Any], wanted: Sequence[bool]) -> tuple[Any, dict[str, Any]]:
    operands = Operands.of(args, params)
    split = Split(params, wanted)
    stacked = split.stacked()
    length, tag = params["length"], params.get("tag")
    if stacked and length is None:
        length, tag = _room(args, params)
    starts = operands.carries if split.cond is None else [*operands.carries, np.int64(0)]
    out = bind_loop(
        operands._replace(carries=starts),
        split.forward(),
        length=length,
        reverse=params["reverse"],
        cond=split.condition(),
        tag=tag,
    )
    stacks = out[len(starts) :]
    results = (*out[: split.carries], *stacks[: split.count - split.carries])
    values = split.invariants(operands)
    values.update(zip(stacked, stacks[split.count - split.carries :], strict=True))
    count = operands.count if split.cond is None else [out[split.carries]]
    return results, {**params, "kept": Kept(split, params, values, length, count)}


def _room(args: Sequence[Any], params: dict[str, Any]) -> tuple[int | None, int | None]:
    """The length and the tag of a loop of which nobody knew how often it runs, now that it stacks something."""
    if is_recorded(args):
        tag = tag_of(params["body"], params.get("cond"))
        return capacity_of(tag), tag
    if params.get("cond") is not None:
        return None, None
    return int(np.max(concrete(args[0]), initial=0)), None


def pull(ct: Sequence[Any], wanted: Sequence[bool], out: Sequence[Any], args: Sequence[Any], kept: Kept) -> list[Any]:
    """The cotangents of the inputs of a loop: the slot `Primitive.vjp`."""
    split = kept.split
    given = tuple([c is not None and d for c, d in zip(ct, split.tape.depends, strict=True)])
    cts: list[Any] = [None] * len(args)
    if not any(given):
        return cts
    back = split.backward(given)
    first = len(args) - len(split.body.inputs) + 1  # of the inputs, after the count

    def value(source: Source) -> Any:
        kind, i = source
        return {"arg": lambda: args[first + i - 1], "residual": lambda: kept.values[i]}.get(
            kind, lambda: (ct if kind == "seed" else out)[i]
        )()

    avals = out_avals(split.body)
    starts = [_zeros(avals[k]) if ct[k] is None else _as(ct[k], avals[k]) for k in back.cts]
    starts += [out[split.places[r].carry] for r in back.afters]
    starts += [_zeros(split.body.inputs[i].aval) for i in back.sums]
    sequences = [value(s) for s in back.sequences]
    length = kept.length
    if length is None and sequences:
        length = sequences[0].shape[0]
    results = bind_loop(
        Operands(kept.count, [value(s) for s in back.constants], starts, sequences),
        back.body,
        length=length,
        reverse=not kept.params["reverse"],
    )
    at = len(back.cts)
    for k, c in zip(back.cts, results, strict=False):
        cts[first + split.constants + k] = c
    for i, c in zip([*back.sums, *back.stacks], results[at + len(back.afters) :], strict=True):
        cts[first + i - 1] = c
    return [c if w else None for c, w in zip(cts, wanted, strict=True)]


def _zeros(aval: Aval) -> Any:
    return np.zeros(aval.shape, aval.dtype) if aval.shape else aval.dtype.type(0)


def _as(ct: Any, aval: Aval) -> Any:
    return ct if dtype_of(ct) == aval.dtype else ct.astype(aval.dtype)


def transpose(ct: Sequence[Any], args: Sequence[Any], params: dict[str, Any]) -> list[Any]:
    """The transpose of a loop that is linear in those inputs that are variables; what it keeps depends on the others.

    The loop runs forwards with zeros in place of the variables.
    """
    wanted = [type(x) is Var for x in args]
    values = [_zeros(x.aval) if type(x) is Var else x for x in args]
    _check_linear(Split(params, wanted), ct)

    def run() -> list[Any]:
        out, more = _run(values, params, wanted)
        return pull(ct, wanted, out, values, more["kept"])

    return run() if is_recorded([*values, *ct]) else with_capacities(run)


def _check_linear(split: Split, ct: Sequence[Any]) -> None:
    """Raise unless the pullback is the same whatever the values of the inputs to which a derivative flows."""
    forward = split.tape.forward
    moving = [v for v, w in zip(forward.inputs, split.wanted, strict=True) if w]
    depends = dependent(forward, moving)
    back = split.backward(tuple([c is not None and d for c, d in zip(ct, split.tape.depends, strict=True)]))
    read = {"arg": forward.inputs, "residual": split.kept, "out": forward.outputs}
    needed = [read[kind][i] for kind, i in back.derived.sources if kind in read]
    nonlinear = any(type(x) is Var and x.index in depends for x in needed)
    if split.cond is not None:
        moving = [v for v, w in zip(split.cond.inputs, split.wanted, strict=False) if w]
        (decision,) = split.cond.outputs
        nonlinear = nonlinear or (type(decision) is Var and decision.index in dependent(split.cond, moving))
    if nonlinear:
        raise NotDifferentiableError("a loop is not linear in its traced argument")
