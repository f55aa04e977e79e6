"""Compiled functions under other transforms: the primitive `jit_call`, whose rules are compiled programs as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...control.loops.capacity import CapacityError, assumed, capacities_in, enlarge
from ...control.programs.axes import lane_names, lanes_of, mapped_over
from ...control.programs.residuals import part
from ...core.buffer import as_buffer
from ...core.errors import CovectorError
from ...core.mutation import newest
from ...core.primitive import Expand, Primitive, bind
from ...core.tracer import Tracer, snapshot
from ...core.values import Aval
from ...transforms.batching import BatchTracer, Unmapped
from ...transforms.checkpoint import checkpoint_p
from ...transforms.reverse import ReverseTracer
from ...transforms.stop_gradient import stop_gradient_p
from ..tracing.results import as_kind
from ..tracing.specialise import Specialisation
from .program import Part, Program, Reverse

__all__ = ["admits", "call", "call_program", "jit_call_p"]


def _impl(*args: Any, program: Program, **_: Any) -> tuple[Any, ...]:
    return program(*args)


def _aval(*_: Aval, program: Program, **__: Any) -> tuple[Aval, ...]:
    return program.avals()


def _inline(*args: Any, program: Program, **_: Any) -> tuple[Any, ...]:
    return tuple(program.graph.run(*args))


class _Pass:
    """What the forward pass of a call leaves behind."""

    __slots__ = ("residuals", "reverse", "wanted")

    def __init__(self, program: Program, wanted: tuple[bool, ...], residuals: tuple[Any, ...]) -> None:
        self.wanted = wanted
        self.reverse: Reverse = program.reverse(wanted)
        self.residuals = residuals
        if len(residuals) != len(self.reverse.forward.graph.outputs) - len(program.graph.outputs):
            raise CovectorError("a pickled derivative of a compiled function was made by another version of covector")

    def __getstate__(self) -> Any:
        return self.reverse.of, self.wanted, self.residuals, capacities_in(self.reverse.forward.graph)

    def __setstate__(self, state: Any) -> None:
        *parts, capacities = state
        with assumed(capacities):  # the residuals have that many rows
            self.__init__(*parts)  # type: ignore[misc]


def _forward(args: Sequence[Any], params: dict[str, Any], parents: Sequence[int]) -> tuple[Any, dict[str, Any]]:
    program: Program = params["program"]
    wanted = tuple([p > 0 for p in parents])
    last: CapacityError | None = None
    while True:
        reverse = program.reverse(wanted)
        try:
            results = bind(jit_call_p, args, {"program": reverse.forward})
            break
        except CapacityError as error:
            if last is not None and error.args == last.args:
                raise  # the loop belongs to a program of which this one was made
            last = error
            enlarge(error)
            program.forget_reverse(wanted)
    count = len(program.graph.outputs)
    return results[:count], {"program": program, "kept": _Pass(program, wanted, tuple(results[count:]))}


def _run(part: Part, count: int, **given: Sequence[Any]) -> list[Any]:
    """Bind a derived program to what it needs of `given`; return `count` results, None where zero."""
    out: list[Any] = [None] * count
    if part.places:
        results = bind(jit_call_p, [given[kind][i] for kind, i in part.sources], {"program": part.program})
        for i, x in zip(part.places, results, strict=True):
            out[i] = x
    return out


def _vjp(
    ct: Sequence[Any], wanted: Sequence[bool], out: Any, args: Sequence[Any], *, program: Program, kept: Any = None
) -> list[Any]:
    if kept is None:
        # Only the transposition of a recorded program comes here, with variables in place of some arguments.
        return checkpoint_p.vjp(ct, wanted, out, args, graph=program.graph)
    part = kept.reverse.pull([c is not None for c in ct])
    return _run(part, len(args), arg=args, out=out, residual=kept.residuals, seed=ct)


def _jvp(
    args: Sequence[Any], tangents: Sequence[Any], out: Any, *, program: Program, kept: _Pass | None = None
) -> list[Any]:
    moving = [t is not None for t in tangents]
    if kept is None:
        return _run(program.tangents(moving), len(out), arg=args, out=out, seed=tangents)
    return _run(kept.reverse.push(moving), len(out), arg=args, out=out, residual=kept.residuals, seed=tangents)


def _batch(trace: Any, args: Sequence[Any], mapped: Sequence[bool], *, program: Program, **_: Any) -> Any:
    batched, mine = program.batched(mapped, trace.size, trace.axis_name)
    results = bind(jit_call_p, args, {"program": batched})
    return tuple([y if m else Unmapped(y) for y, m in zip(results, mine, strict=True)])


jit_call_p = Primitive(
    "jit_call",
    _impl,
    _aval,
    _jvp,
    _vjp,
    _batch,
    lower=Expand(_inline),
    residuals=_forward,
    inline=_inline,
    family="call",
    multiple=True,
    singular=True,
)
"""``jit_call(*leaves, program)`` returns the outputs of a `Program`."""


def call(program: Program, leaves: Sequence[Any]) -> list[Any]:
    """Call a program on leaves of which some are traced.

    Leaves and outputs that no derivative flows through are constants to the transforms, as they are outside of `jit`.
    """
    leaves = [
        stop_gradient_p(x) if isinstance(x, Tracer) and not reaches else x
        for x, reaches in zip(leaves, program.reaches, strict=True)
    ]
    if program.axes:
        leaves = mapped_over(program.axes, leaves)
    out = bind(jit_call_p, leaves, {"program": program})
    trace: Any = newest(leaves)
    if not any(isinstance(y, ReverseTracer) and y._trace is trace for y in out):
        return list(out)
    wanted = [isinstance(x, ReverseTracer) and x._trace is trace and x.slot > 0 for x in leaves]
    depends = program.reverse(wanted).depends
    return [
        as_buffer(trace, y.value) if isinstance(y, ReverseTracer) and y._trace is trace and not d else y
        for y, d in zip(out, depends, strict=True)
    ]


# --- specialisations --------------------------------------------------------------------------------------------------


def _programs(spec: Specialisation) -> tuple[Program, Program | None]:
    """The program of a specialisation, and the one that tells whether its guards hold."""
    if spec.program is None:
        guarded = spec.guarded
        guard = guarded and part(guarded.inputs, guarded.equations, guarded.outputs[-1:])
        spec.program = Program(spec.graph, spec.threads), guard and Program(guard, spec.threads)
    return spec.program


def _value(x: Any) -> Any:
    """The leaf without derivatives: a plain array, or lanes of one."""
    x = snapshot(x)
    if not isinstance(x, Tracer):
        return x
    value = _value(x.value)
    return x._trace.tracer(value) if isinstance(x, BatchTracer) else value  # type: ignore[attr-defined]


def admits(spec: Specialisation, inputs: Sequence[Any]) -> bool:
    """Whether what `spec` takes for granted holds for argument leaves and hidden arrays that may be traced.

    What depends on a mapped value is not granted, even if all lanes agree: the function itself has no single answer
    then, and says so when it is recorded anew.
    """
    count = len(spec.graph.inputs)
    if not spec.is_current(inputs[count:]) or spec.lanes != lane_names([lanes_of(x) for x in inputs]):
        return False
    _, guard = _programs(spec)
    if guard is None:
        return True
    try:
        (held,) = bind(jit_call_p, [_value(x) for x in inputs[:count]], {"program": guard})
    except Exception:  # what was recorded for other values may fail on these
        return False
    return not isinstance(held, Tracer) and bool(held)


def call_program(spec: Specialisation, inputs: Sequence[Any]) -> list[Any]:
    """Call the program of a specialisation that admits the inputs, some of them traced; return the output leaves."""
    out = call(_programs(spec)[0], inputs[: len(spec.graph.inputs)])
    return [x if isinstance(x, Tracer) else as_kind(x, kind) for x, kind in zip(out, spec.kinds, strict=True)]
