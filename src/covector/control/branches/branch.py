"""A decision as one operation: one of several programs runs, which one an integer says."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from ...core.graph import Equation, Graph, GraphTrace, Var, record
from ...core.primitive import Primitive, bind
from ...core.values import Aval, aval_of
from ...ops.structural import broadcast_p
from ...transforms.call import as_numpy
from ...transforms.vmap import named_axes
from ..loops.capacity import assumed, capacities_in, with_capacities
from ..loops.loop import is_recorded
from ..programs.axes import bound_axes, open_axes, settle_axes
from ..programs.derivatives import Derived, Source, Tape, dual, tangents
from ..programs.evaluation import evaluation
from ..programs.residuals import part
from ..samples import branch_samples

__all__ = ["branch_p", "fitted", "result_avals"]

# Inputs: (index, operands…). Every program takes all operands, and all return results of the same shapes and dtypes.

Programs = tuple[Graph, ...]


def result_avals(graph: Graph) -> list[Aval]:
    """Shape and dtype of what a program returns, never weak."""
    found = [x.aval if type(x) is Var else aval_of(x) for x in graph.outputs]
    return [Aval(a.shape, a.dtype) for a in found]


def _impl(index: Any, *operands: Any, branches: Programs, how: str) -> tuple[Any, ...]:
    graph = branches[min(max(int(index), 0), len(branches) - 1)]
    if named_axes():
        graph = bound_axes(graph)
    return tuple([as_numpy(x) for x in graph.run(*operands)])


def _aval(*avals: Aval, branches: Programs, how: str) -> tuple[Aval, ...]:
    return tuple(result_avals(branches[0]))


def _bind(index: Any, operands: Sequence[Any], branches: Programs, how: str) -> Sequence[Any]:
    return bind(branch_p, [index, *operands], {"branches": branches, "how": how})


# --- programs made of the branches, with the same operands and results ------------------------------------------------


def fitted(
    graph: Graph, sources: Sequence[Any], places: Sequence[int], operands: dict[Any, Aval], results: Sequence[Aval]
) -> Graph:
    """The program as one of several that take `operands` and return `results`.

    Parameters
    ----------
    graph : Graph
        The program.
    sources : sequence
        Which of the operands each of its inputs is.
    places : sequence of int
        Which of the results each of its outputs is; the others are zero.
    operands : dict
        The operands, by whatever names them, with shape and dtype.
    results : sequence of Aval
        Shape and dtype of the results.
    """
    out = copy(graph)
    given = dict(zip(sources, graph.inputs, strict=True))
    out.inputs = [given[key] if key in given else out.variable(aval) for key, aval in operands.items()]
    out.equations = list(graph.equations)
    made = dict(zip(places, graph.outputs, strict=True))
    out.outputs = [made[i] if i in made else _zero(out, aval) for i, aval in enumerate(results)]
    return out


def _zero(graph: Graph, aval: Aval) -> Any:
    """A zero result of the program."""
    zero = aval.dtype.type(0)
    if not aval.shape:
        return zero
    var = graph.variable(aval)
    graph.equations.append(Equation(broadcast_p, [zero], {"shape": aval.shape, "axes": ()}, [var]))
    return var


def _joined(parts: Sequence[Derived], results: dict[int, Aval]) -> tuple[list[Source], Programs, list[int]]:
    """Programs derived from the branches as branches: their operands, themselves, and the places of their results.

    `results` has shape and dtype for each possible place.
    """
    operands: dict[Source, Aval] = {}
    for graph, sources, _ in parts:
        for source, v in zip(sources, graph.inputs, strict=True):
            operands.setdefault(source, v.aval._replace(weak=False))
    places = sorted({i for _, _, found in parts for i in found})
    number = {place: k for k, place in enumerate(places)}
    avals = [results[i] for i in places]
    programs = [fitted(g, sources, [number[i] for i in found], operands, avals) for g, sources, found in parts]
    return list(operands), tuple(programs), places


# --- forward mode -----------------------------------------------------------------------------------------------------


def _forward(
    args: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]
) -> tuple[Sequence[Any], Sequence[Any]]:
    branches: Programs = params["branches"]
    moving = [t is not None for t in tangents[1:]]
    avals = result_avals(branches[0])
    count = len(avals)
    duals = [dual(settle_axes(g), moving) for g in branches]
    pairs = [(g, [i for i, m in enumerate(mine) if m]) for g, mine in duals]
    moves = sorted({i for _, found in pairs for i in found})
    given = [*args[1:], *[t for t in tangents[1:] if t is not None]]
    operands = {i: aval_of(x)._replace(weak=False) for i, x in enumerate(given)}
    number = {place: count + k for k, place in enumerate(moves)}
    results = [*avals, *[avals[i] for i in moves]]
    programs = [
        fitted(g, range(len(given)), [*range(count), *[number[i] for i in found]], operands, results)
        for g, found in pairs
    ]
    # The tangent at a singular point is infinite, as it is without a branch, and no reason for a warning.
    with np.errstate(all="ignore"):
        out = _bind(args[0], given, tuple(programs), params["how"])
    dots: list[Any] = [None] * count
    for i, t in zip(moves, out[count:], strict=True):
        dots[i] = t
    return out[:count], dots


def _jvp(
    args: Sequence[Any], dots: Sequence[Any], out: Any, *, branches: Programs, how: str, kept: _Pass | None = None
) -> list[Any]:
    moving = [t is not None for t in dots[1:]]
    if kept is not None:
        return kept.run("push", moving, args, out, dots[1:], how)
    parts = _joined([tangents(settle_axes(g), moving) for g in branches], dict(enumerate(result_avals(branches[0]))))
    return _run(parts, len(out), args[0], how, arg=args[1:], out=out, seed=dots[1:])


def _run(parts: Any, count: int, index: Any, how: str, **given: Sequence[Any]) -> list[Any]:
    """Bind what `_joined` returned to what it needs of `given`; return `count` results, None where zero."""
    sources, programs, places = parts
    out: list[Any] = [None] * count
    if places:
        results = _bind(index, [given[kind][i] for kind, i in sources], programs, how)
        for i, x in zip(places, results, strict=True):
            out[i] = x
    return out


# --- reverse mode -----------------------------------------------------------------------------------------------------


class _Pass:
    """The branches on tapes, and what the forward pass leaves behind.

    Branches keep different residuals. Each has its place among those of all; two branches share the place of residuals
    of the same shape and dtype, of which only one is there at a time.
    """

    __slots__ = ("_parts", "_tapes", "branches", "forward", "residuals", "slots", "wanted")

    def __init__(self, branches: Programs, wanted: tuple[bool, ...], residuals: Sequence[Any] = ()) -> None:
        self.branches = branches
        self.wanted = wanted
        self.residuals = residuals
        self._parts: dict[Any, Any] = {}
        self._tapes = [Tape(settle_axes(g), wanted) for g in branches]
        avals = result_avals(branches[0])
        count = len(avals)
        kept = [result_avals(tape.forward)[count:] for tape in self._tapes]
        self.slots, places = _shared_places(kept)
        operands = {i: v.aval._replace(weak=False) for i, v in enumerate(branches[0].inputs)}
        self.forward = tuple(
            fitted(
                tape.forward, range(len(wanted)), [*range(count), *[count + k for k in mine]], operands, avals + places
            )
            for tape, mine in zip(self._tapes, self.slots, strict=True)
        )

    def __getstate__(self) -> Any:
        capacities = {tag: room for g in self.forward for tag, room in capacities_in(g).items()}
        return capacities, (self.branches, self.wanted, self.residuals)

    def __setstate__(self, state: Any) -> None:
        capacities, given = state
        with assumed(capacities):
            self.__init__(*given)  # type: ignore[misc]

    def run(
        self, walk: str, given: Sequence[bool], args: Sequence[Any], out: Any, seeds: Sequence[Any], how: str
    ) -> list[Any]:
        """Run one of the passes over the tapes: cotangents of the operands, or tangents of the results."""
        key = walk, tuple(given)
        parts = self._parts.get(key)
        if parts is None:
            derived = [
                Derived(graph, [(kind, mine[i] if kind == "residual" else i) for kind, i in sources], places)
                for mine, (graph, sources, places) in zip(
                    self.slots, [getattr(tape, walk)(given) for tape in self._tapes], strict=True
                )
            ]
            avals = result_avals(self.branches[0]) if walk == "push" else [v.aval for v in self.branches[0].inputs]
            parts = _joined(derived, {i: Aval(a.shape, a.dtype) for i, a in enumerate(avals)})
            self._parts[key] = parts
        count = len(out) if walk == "push" else len(self.wanted)
        return _run(parts, count, args[0], how, arg=args[1:], out=out, residual=self.residuals, seed=seeds)


def _shared_places(kept: Sequence[Sequence[Aval]]) -> tuple[list[list[int]], list[Aval]]:
    """For each branch the places of its residuals among those of all branches, and shape and dtype of each place."""
    places: list[Aval] = []
    slots = []
    for avals in kept:
        free = list(range(len(places)))
        mine = []
        for a in avals:
            k = next((k for k in free if places[k] == a), None)
            if k is None:
                k = len(places)
                places.append(a)
            else:
                free.remove(k)
            mine.append(k)
        slots.append(mine)
    return slots, places


def _residuals(
    args: Sequence[Any], params: dict[str, Any], parents: Sequence[int]
) -> tuple[Sequence[Any], dict[str, Any]]:
    branches, how = params["branches"], params["how"]

    def run() -> tuple[Sequence[Any], dict[str, Any]]:
        kept = _Pass(branches, tuple([p > 0 for p in parents[1:]]))
        results = _bind(args[0], args[1:], kept.forward, how)
        count = len(branches[0].outputs)
        kept.residuals = tuple(results[count:])
        return results[:count], {**params, "kept": kept}

    return run() if is_recorded(args) else with_capacities(run)


def _vjp(
    ct: Sequence[Any],
    wanted: Sequence[bool],
    out: Any,
    args: Sequence[Any],
    *,
    branches: Programs,
    how: str,
    kept: _Pass | None = None,
) -> list[Any]:
    given = [c is not None for c in ct]
    if kept is not None:
        cts = kept.run("pull", given, args, out, ct, how)
    else:
        # Only the transposition of a recorded program comes here, with variables in place of some operands.
        linear = [type(x) is Var for x in args[1:]]
        derived = [_transposed(g, linear, given) for g in branches]
        avals = dict(enumerate([aval_of(x)._replace(weak=False) for x in args[1:]]))
        cts = _run(_joined(derived, avals), len(args) - 1, args[0], how, arg=args[1:], seed=ct)
    return [None, *[c if w else None for c, w in zip(cts, wanted[1:], strict=True)]]


def _transposed(graph: Graph, linear: Sequence[bool], given: Sequence[bool]) -> Derived:
    """The transpose of a program in those operands in which it is linear, as a program of the others."""
    recorder = GraphTrace("cond")
    try:
        xs = {i: recorder.input(v.aval) for i, v in enumerate(graph.inputs) if not linear[i]}
        places = [i for i, one in enumerate(linear) if one]

        def of_linear(*moved: Any) -> list[Any]:
            full = {**xs, **dict(zip(places, moved, strict=True))}
            return opened.run(*[full[i] for i in range(len(linear))])

        avals = result_avals(graph)
        seeds = {i: recorder.input(avals[i]) for i, g in enumerate(given) if g}
        with open_axes(settle_axes(graph), recorder) as opened:
            program = record(of_linear, [graph.inputs[i].aval for i in places], "cond")
            cts = program.transpose([seeds.get(i) for i in range(len(given))])
        found = [(i, c) for i, c in zip(places, cts, strict=True) if c is not None]
        outputs = [recorder.lower(c) for _, c in found]
        sources: list[Source] = [*[("arg", i) for i in xs], *[("seed", i) for i in seeds]]
        made = settle_axes(part(recorder.graph.inputs, recorder.graph.equations, outputs))
        return Derived(made, sources, [i for i, _ in found])
    finally:
        recorder.close()


def _batch(trace: Any, args: Sequence[Any], mapped: Sequence[bool], *, branches: Programs, how: str, **_: Any) -> Any:
    from .lanes import over_lanes

    with evaluation(not is_recorded(args)):
        return over_lanes(trace, args, mapped, branches, how)


branch_p = Primitive(
    "branch",
    _impl,
    _aval,
    _jvp,
    _vjp,
    _batch,
    samples=branch_samples(),
    residuals=_residuals,
    forward=_forward,
    family="control",
    multiple=True,
)
"""``branch(index, *operands, branches, how)`` returns the results of the program number `index`, clamped into range."""
