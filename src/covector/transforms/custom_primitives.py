"""The primitives behind `custom_jvp` and `custom_vjp`: functions of flat leaves with the rules that users wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core import tree
from ..core.cotangents import zeros
from ..core.errors import CustomRuleError, NotDifferentiableError
from ..core.graph import record
from ..core.primitive import Primitive, bind
from ..core.protect import fixed, read_only
from ..core.values import Aval, aval_of, dtype_of
from .batching import BatchTrace
from .call import Axes, OverLanes, flat_avals, zeros_for
from .vmap import vmap

__all__ = ["JvpRule", "VjpRule", "custom_jvp_p", "custom_vjp_p"]

Flat = Callable[..., Sequence[Any]]


def _aval(x: Any) -> Aval:
    return aval_of(x)._replace(weak=False)


# Rules are objects and not closures, so that a pullback or pushforward through them can be pickled.


class JvpRule:
    """A function with its jvp, both on flat leaves: ``rule(primals, tangents) -> tangents_out``."""

    def __init__(self, fun: Flat, rule: Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]]) -> None:
        self.fun = fun
        self.rule = rule

    def batched(self, trace: BatchTrace, axes: Axes) -> JvpRule:
        return JvpRule(OverLanes(trace, self.fun, axes), _BatchedJvp(trace, self.rule, axes))


class _BatchedJvp:
    def __init__(self, trace: BatchTrace, rule: Callable[..., Sequence[Any]], axes: Axes) -> None:
        self.trace = trace
        self.rule = rule
        self.axes = axes

    def __call__(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
        # A None tangent (of an integer) is an empty subtree, which has no axis.
        t_axes = tuple(None if t is None else a for t, a in zip(tangents, self.axes, strict=True))
        mapped = OverLanes(self.trace, self._lane, (*self.axes, *t_axes))
        return mapped(*primals, *tangents)  # type: ignore[no-any-return]

    def _lane(self, *xs: Any) -> tuple[Any, ...]:
        count = len(self.axes)
        return tuple(self.rule(xs[:count], xs[count:]))


class VjpRule:
    """A function with its forward and backward pass, all on flat leaves."""

    def __init__(
        self, fun: Flat, fwd: Callable[..., tuple[Sequence[Any], Any]], bwd: Callable[..., Sequence[Any]]
    ) -> None:
        self.fun = fun
        self.fwd = fwd
        self.bwd = bwd

    def batched(self, trace: BatchTrace, axes: Axes) -> VjpRule:
        fun, fwd = OverLanes(trace, self.fun, axes), OverLanes(trace, self.fwd, axes)
        return VjpRule(fun, fwd, _BatchedBackward(trace, self.bwd, axes))


class _BatchedBackward:
    def __init__(self, trace: BatchTrace, bwd: Callable[..., Sequence[Any]], axes: Axes) -> None:
        self.trace = trace
        self.bwd = bwd
        self.axes = axes

    def __call__(self, residual: Any, cts: Sequence[Any]) -> Sequence[Any]:
        out = vmap(self._lane, axis_name=self.trace.axis_name)(residual, tuple(cts))
        return [c if a == 0 or c is None else c.sum(axis=0) for c, a in zip(out, self.axes, strict=True)]

    def _lane(self, residual: Any, cts: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(self.bwd(residual, cts))


def _impl(*args: Any, rule: Any) -> tuple[Any, ...]:
    return tuple(rule.fun(*args))


def _abstract(*avals: Aval, rule: Any) -> tuple[Aval, ...]:
    return flat_avals(rule.fun, avals)


def _batch(primitive: Callable[[], Primitive]) -> Callable[..., Any]:
    def batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, rule: Any, **_: Any) -> Any:
        axes = tuple(0 if b else None for b in batched)
        return bind(primitive(), args, {"rule": rule.batched(trace, axes)})

    return batch


# --- custom_jvp -------------------------------------------------------------------------------------------------------


def _recorded_rule(args: Sequence[Any], params: dict[str, Any], parents: Sequence[int]) -> tuple[Any, dict[str, Any]]:
    """Record the user's jvp on abstract tangents of the wanted arguments.

    At once and not in the pullback, because by then what the rule closes over may have changed or ended.
    """
    rule = params["rule"]
    places = [i for i, p in enumerate(parents) if p]

    def pushforward(*ts: Any) -> Sequence[Any]:
        tangents = [zeros_for(x) for x in args]
        for i, t in zip(places, ts, strict=True):
            tangents[i] = t
        return rule.rule(given, tangents)  # type: ignore[no-any-return]

    given = list(map(read_only, args))
    out = tuple(rule.fun(*given))
    graph = record(pushforward, [_aval(args[i]) for i in places], "custom_jvp")
    return out, {"rule": None, "graph": graph, "places": places}


def _jvp_of_jvp_rule(
    args: Sequence[Any], tangents: Sequence[Any], out: Any, *, rule: Any, graph: Any = None, places: Sequence[int] = ()
) -> Sequence[Any]:
    full = [zeros_for(x) if t is None else read_only(t) for x, t in zip(args, tangents, strict=True)]
    if graph is None:
        return rule.rule(list(map(read_only, args)), full)  # type: ignore[no-any-return]
    return graph.run(*[full[i] for i in places])  # type: ignore[no-any-return]


def _vjp_of_jvp_rule(
    ct: Sequence[Any],
    wanted: Sequence[bool],
    out: Any,
    args: Sequence[Any],
    *,
    rule: Any,
    graph: Any,
    places: Sequence[int],
) -> list[Any]:
    """Transpose the recorded jvp."""
    cts: list[Any] = [None] * len(args)
    for i, c in zip(places, graph.transpose(ct), strict=True):
        cts[i] = c
    return cts


custom_jvp_p = Primitive(
    "custom_jvp",
    _impl,
    _abstract,
    _jvp_of_jvp_rule,
    _vjp_of_jvp_rule,
    _batch(lambda: custom_jvp_p),
    residuals=_recorded_rule,
    family="call",
    multiple=True,
    singular=True,
)


# --- custom_vjp -------------------------------------------------------------------------------------------------------


def _forward_pass(args: Sequence[Any], params: dict[str, Any], _: Sequence[int]) -> tuple[Any, dict[str, Any]]:
    args = list(map(read_only, args))
    out, residual = params["rule"].fwd(*args)
    # What the user saved is as little to be changed by a later write as what the tape saves, which has fixed `args`.
    known = set(map(id, args))
    residual = tree.map(lambda r: r if id(r) in known else fixed(r), residual)
    return tuple(out), {"rule": params["rule"], "residual": residual}


def _vjp_of_vjp_rule(
    ct: Sequence[Any], wanted: Sequence[bool], out: Any, args: Sequence[Any], *, rule: VjpRule, residual: Any
) -> list[Any]:
    full = [
        None if dtype_of(y).kind not in "fc" else zeros(y) if c is None else read_only(c)
        for c, y in zip(ct, out, strict=True)
    ]
    return [c if w else None for c, w in zip(rule.bwd(residual, full), wanted, strict=True)]


def _jvp_of_vjp_rule(
    args: Sequence[Any], tangents: Sequence[Any], out: Any, *, rule: VjpRule, residual: Any = None
) -> Sequence[Any]:
    """Forward mode is the transpose of the user's backward pass, which is linear in the cotangent."""
    if residual is None:
        _, residual = rule.fwd(*args)
    places = [i for i, y in enumerate(out) if dtype_of(y).kind in "fc"]

    def pullback(*us: Any) -> Sequence[Any]:
        cts: list[Any] = [None] * len(out)
        for i, u in zip(places, us, strict=True):
            cts[i] = u
        return rule.bwd(residual, cts)

    try:
        graph = record(pullback, [_aval(out[i]) for i in places], "custom_vjp")
        found = graph.transpose(tangents)
    except (NotDifferentiableError, CustomRuleError, TypeError) as error:
        raise CustomRuleError(
            f"forward mode through a custom_vjp function needs the transpose of its backward pass, which failed: "
            f"{error}; write the backward pass in NumPy functions linear in the cotangent, or use custom_jvp"
        ) from error
    result: list[Any] = [None] * len(out)
    for i, t in zip(places, found, strict=True):
        result[i] = t
    return result


custom_vjp_p = Primitive(
    "custom_vjp",
    _impl,
    _abstract,
    _jvp_of_vjp_rule,
    _vjp_of_vjp_rule,
    _batch(lambda: custom_vjp_p),
    residuals=_forward_pass,
    family="call",
    multiple=True,
    singular=True,
)
