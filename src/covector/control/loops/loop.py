"""A loop as one operation: a program that runs again and again on what it returned the time before.

Inputs of the primitive: ``(count if counted, constants…, initial carries…, sequences…)``; its outputs: ``(final
carries…, stacked elements…)``. The body takes ``(index, constants…, carries…, one element of each sequence…)`` and
returns ``(carries…, elements…)``; so the inputs of the body but the first are those of the loop but the count.

- A plain loop runs `length` times.
- A counted loop runs ``min(count, length)`` times; without `length` there is no bound, and without bound no stacks in
  recorded programs. Rows of stacks from `count` on are not specified.
- A loop with the program `cond` of ``(index, constants…, carries…)`` runs while that returns True. Its `length` is the
  room in its stacks; without it they grow.

Where a counted loop or one with a condition has a `tag`, and runs more than `length` times, it raises `CapacityError`.
What `checkpoint` says matters to reverse mode only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...core.errors import ConcretizationError
from ...core.graph import Graph, GraphTracer, Var
from ...core.mutation import changed, owned
from ...core.primitive import Primitive
from ...core.tracer import Tracer
from ...core.values import Aval, aval_of
from ..programs.evaluation import evaluation
from ..samples import loop_samples
from .capacity import CapacityError

__all__ = ["Operands", "bind_loop", "is_recorded", "loop_p", "out_avals"]


class Operands(NamedTuple):
    """The inputs of a loop by kind."""

    count: list[Any]  # type: ignore[assignment]
    constants: list[Any]
    carries: list[Any]
    sequences: list[Any]

    @classmethod
    def of(cls, args: Sequence[Any], params: dict[str, Any]) -> Operands:
        """Sort the inputs of a `loop` with these parameters, or anything else of which there is one for each."""
        a = int(params.get("counted", False))
        b = a + params["constants"]
        c = b + params["carries"]
        return cls(list(args[:a]), list(args[a:b]), list(args[b:c]), list(args[c:]))


def bind_loop(
    operands: Operands,
    body: Graph,
    *,
    length: int | None,
    reverse: bool = False,
    cond: Graph | None = None,
    tag: int | None = None,
    checkpoint: Any = None,
) -> tuple[Any, ...]:
    """Apply `loop_p` to operands by kind, with no more parameters than needed."""
    params: dict[str, Any] = {
        "body": body,
        "constants": len(operands.constants),
        "carries": len(operands.carries),
        "length": length,
        "reverse": reverse,
    }
    if cond is not None:
        params["cond"] = cond
    if operands.count:
        params["counted"] = True
    if tag is not None:
        params["tag"] = tag
    if checkpoint is not None:
        params["checkpoint"] = checkpoint
    return tuple(loop_p(*itertools.chain(*operands), **params))


def is_recorded(args: Iterable[Any]) -> bool:
    """Whether, under all transforms, a program is recorded from one of the arguments, so that nothing runs now."""
    for x in args:
        while isinstance(x, Tracer):
            x._trace  # noqa: B018  # brings a view up to date
            if isinstance(x, GraphTracer) and not x._trace.knows_values:  # type: ignore[attr-defined]
                return True
            x = x.value
    return False


def out_avals(graph: Graph) -> list[Aval]:
    """Shape and dtype of the outputs of a program."""
    return [x.aval._replace(weak=False) if type(x) is Var else Aval(*aval_of(x)[:2]) for x in graph.outputs]


class _Body:
    """A program to be run on plain arrays many times."""

    __slots__ = ("graph", "uses")

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.uses = graph.last_uses()

    def run(self, given: list[Any]) -> list[Any]:
        """Return the outputs for the inputs `given`, a list that is emptied.

        Writes are done in place where the body has the only reference to the array.
        """
        graph = self.graph
        values: list[Any] = [None] * graph.count
        given.reverse()
        for var in graph.inputs:
            values[var.index] = given.pop()
        for eq, dying in zip(graph.equations, self.uses, strict=True):
            _step(eq, dying, values)
        return [values[x.index] if type(x) is Var else x for x in graph.outputs]


def _step(eq: Any, dying: Sequence[Var], values: list[Any]) -> None:
    """Evaluate an equation on plain values, after which the variables `dying` are not needed any more."""
    xs = [values[x.index] if type(x) is Var else x for x in eq.inputs]
    if eq.primitive.writes and dying and dying[0] is eq.inputs[0]:
        xs[0] = None
        out = changed(owned(values, dying[0].index), eq.primitive, xs[1:], eq.params)
    else:
        out = eq.primitive.impl(*xs, **eq.params)
    for var in dying:
        values[var.index] = None
    for var, y in zip(eq.outputs, out if eq.primitive.multiple else (out,), strict=True):
        values[var.index] = y


class _Stack:
    """Elements of one shape, in as many rows as there are known to be or else as turn out to be needed."""

    __slots__ = ("grows", "rows")

    def __init__(self, aval: Aval, length: int | None, counted: bool) -> None:
        self.grows = length is None
        self.rows = (np.zeros if counted else np.empty)((length or 0, *aval.shape), aval.dtype)

    def put(self, i: int, element: Any) -> None:
        """Store row `i`, unless there is no room for it and there was meant to be."""
        if i >= len(self.rows):
            if not self.grows:
                return
            more = np.zeros((max(2 * len(self.rows), 16), *self.rows.shape[1:]), self.rows.dtype)
            more[: len(self.rows)] = self.rows
            self.rows = more
        self.rows[i] = element

    def finished(self, count: int) -> Any:
        """The array of all rows, after so many iterations."""
        return self.rows[:count].copy() if self.grows and len(self.rows) > count else self.rows


def _impl(
    *args: Any,
    body: Graph,
    constants: int,
    carries: int,
    length: int | None,
    reverse: bool,
    cond: Graph | None = None,
    counted: bool = False,
    tag: int | None = None,
    checkpoint: Any = None,
) -> tuple[Any, ...]:
    fixed = args[counted : counted + constants]
    state = list(args[counted + constants : counted + constants + carries])
    sequences = args[counted + constants + carries :]
    indices: Iterable[int] = itertools.count()
    if cond is None:
        times = _times(int(args[0]) if counted else None, length, tag)
        indices = range(times)[::-1] if reverse else range(times)
    stacks = [_Stack(a, length, cond is not None or counted) for a in out_avals(body)[carries:]]
    program = _Body(body)
    test = None if cond is None else _Body(cond)
    ran = 0
    for i in indices:
        if test is not None and not test.run([np.int64(i), *fixed, *state])[0]:
            break
        given = [np.int64(i), *fixed, *state, *[s[i] for s in sequences]]
        # No name may refer to the state any more, or it would be copied where it could be written to in place.
        state.clear()
        out = program.run(given)
        state.extend(out[:carries])
        for stack, element in zip(stacks, out[carries:], strict=True):
            stack.put(i, element)
            del element
        del out
        ran += 1
    if tag is not None and length is not None and ran > length:
        raise CapacityError(tag, ran)
    return (*_own(state, args), *[stack.finished(ran) for stack in stacks])


def _times(count: int | None, length: int | None, tag: int | None) -> int:
    if count is None:
        assert length is not None, "a plain loop has a length"
        return length
    if length is None or count <= length:
        return max(count, 0)
    if tag is not None:
        raise CapacityError(tag, count)
    return length


def _own(state: list[Any], args: Sequence[Any]) -> list[Any]:
    """The final carries, none of them an argument, another carry or a view."""
    seen = {id(x) for x in args}
    out = []
    for x in state:
        if isinstance(x, np.ndarray) and (id(x) in seen or x.base is not None or not x.flags.writeable):
            x = x.copy()
        seen.add(id(x))
        out.append(x if isinstance(x, np.ndarray | np.generic) else np.asarray(x)[()])
    return out


def _aval(*avals: Aval, body: Graph, carries: int, length: int | None, **_: Any) -> tuple[Aval, ...]:
    out = out_avals(body)
    if length is None and len(out) > carries:
        raise ConcretizationError(
            "the number of iterations of a loop that stacks its results must be known when a program is recorded"
        )
    return (*out[:carries], *[Aval((length, *a.shape), a.dtype) for a in out[carries:]])  # type: ignore[arg-type]


def _forward(args: Sequence[Any], tangents: Sequence[Any], params: dict[str, Any]) -> tuple[Any, Any]:
    from .forward import forward

    return forward(args, tangents, params)


def _jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, *, kept: Any = None, **params: Any) -> Any:
    return _forward(args, tangents, params)[1]


def _residuals(args: Sequence[Any], params: dict[str, Any], parents: Sequence[int]) -> tuple[Any, dict[str, Any]]:
    if params.get("checkpoint") is not None:
        from .checkpointing import residuals
    else:
        from .reverse import residuals
    return residuals(args, params, parents)


def _vjp(
    ct: Sequence[Any], wanted: Sequence[bool], out: Any, args: Sequence[Any], *, kept: Any = None, **params: Any
) -> list[Any]:
    from .reverse import pull, transpose

    if "checkpoint" in params and kept is not None:
        return kept.pull(ct, wanted, args)
    return transpose(ct, args, params) if kept is None else pull(ct, wanted, out, args, kept)


def _batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], **params: Any) -> tuple[Any, ...]:
    from .batch import batch

    with evaluation(not is_recorded(args)):
        return batch(trace, args, batched, params)


loop_p = Primitive(
    "loop",
    _impl,
    _aval,
    _jvp,
    _vjp,
    _batch,
    samples=loop_samples(),
    residuals=_residuals,
    forward=_forward,
    family="control",
    multiple=True,
)
