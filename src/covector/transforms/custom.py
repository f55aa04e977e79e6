"""`custom_jvp` and `custom_vjp`: derivative rules written by the user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import numpy as np

from ..core import tree
from ..core.cotangents import zeros
from ..core.errors import CustomRuleError, NotDifferentiableError
from ..core.graph import record
from ..core.primitive import Primitive, bind
from ..core.tracer import Tracer
from ..core.values import Aval, aval_of, dtype_of, shape_of
from .arguments import check_callable, fun_name
from .batching import BatchTrace
from .call import Axes, FlatFunction, as_numpy, call, flat_avals, over_lanes, positional, zeros_for
from .vmap import vmap

__all__ = ["custom_jvp", "custom_vjp"]

Flat = Callable[..., Sequence[Any]]


def _aval(x: Any) -> Aval:
    return aval_of(x)._replace(weak=False)


class _JvpRule:
    """A function with its jvp, both on flat leaves: ``rule(primals, tangents) -> tangents_out``."""

    def __init__(self, fun: Flat, rule: Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]]) -> None:
        self.fun = fun
        self.rule = rule

    def batched(self, trace: BatchTrace, axes: Axes) -> _JvpRule:
        count = len(axes)

        def rule(primals: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
            # A None tangent (of an integer) is an empty subtree, which has no axis.
            t_axes = tuple(None if t is None else a for t, a in zip(tangents, axes, strict=True))
            mapped = over_lanes(trace, lambda *xs: tuple(self.rule(xs[:count], xs[count:])), (*axes, *t_axes))
            return mapped(*primals, *tangents)  # type: ignore[no-any-return]

        return _JvpRule(over_lanes(trace, lambda *xs: tuple(self.fun(*xs)), axes), rule)


class _VjpRule:
    """A function with its forward and backward pass, all on flat leaves."""

    def __init__(
        self, fun: Flat, fwd: Callable[..., tuple[Sequence[Any], Any]], bwd: Callable[..., Sequence[Any]]
    ) -> None:
        self.fun = fun
        self.fwd = fwd
        self.bwd = bwd

    def batched(self, trace: BatchTrace, axes: Axes) -> _VjpRule:
        def bwd(residual: Any, cts: Sequence[Any]) -> Sequence[Any]:
            out = vmap(lambda r, c: tuple(self.bwd(r, c)), axis_name=trace.axis_name)(residual, tuple(cts))
            return [c if a == 0 or c is None else c.sum(axis=0) for c, a in zip(out, axes, strict=True)]

        fwd = over_lanes(trace, lambda *xs: self.fwd(*xs), axes)
        return _VjpRule(over_lanes(trace, lambda *xs: tuple(self.fun(*xs)), axes), fwd, bwd)


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


def _jvp_of_jvp_rule(args: Sequence[Any], tangents: Sequence[Any], out: Any, *, rule: _JvpRule) -> Sequence[Any]:
    return rule.rule(args, [zeros_for(x) if t is None else t for x, t in zip(args, tangents, strict=True)])


def _vjp_of_jvp_rule(
    ct: Sequence[Any], wanted: Sequence[bool], out: Any, args: Sequence[Any], *, rule: _JvpRule
) -> list[Any]:
    """Transpose the user's jvp, recorded on abstract tangents of the wanted arguments."""
    places = [i for i, w in enumerate(wanted) if w]

    def pushforward(*ts: Any) -> Sequence[Any]:
        tangents = [zeros_for(x) for x in args]
        for i, t in zip(places, ts, strict=True):
            tangents[i] = t
        return rule.rule(args, tangents)

    found = record(pushforward, [_aval(args[i]) for i in places], "custom_jvp").transpose(ct)
    cts: list[Any] = [None] * len(args)
    for i, c in zip(places, found, strict=True):
        cts[i] = c
    return cts


custom_jvp_p = Primitive(
    "custom_jvp",
    _impl,
    _abstract,
    _jvp_of_jvp_rule,
    _vjp_of_jvp_rule,
    _batch(lambda: custom_jvp_p),
    family="call",
    multiple=True,
    singular=True,
)


# --- custom_vjp -------------------------------------------------------------------------------------------------------


def _forward_pass(args: Sequence[Any], params: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    out, residual = params["rule"].fwd(*args)
    return tuple(out), {"rule": params["rule"], "residual": residual}


def _vjp_of_vjp_rule(
    ct: Sequence[Any], wanted: Sequence[bool], out: Any, args: Sequence[Any], *, rule: _VjpRule, residual: Any
) -> list[Any]:
    full = [
        None if dtype_of(y).kind not in "fc" else zeros(y) if c is None else c for c, y in zip(ct, out, strict=True)
    ]
    return [c if w else None for c, w in zip(rule.bwd(residual, full), wanted, strict=True)]


def _jvp_of_vjp_rule(
    args: Sequence[Any], tangents: Sequence[Any], out: Any, *, rule: _VjpRule, residual: Any = None
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


# --- what users call --------------------------------------------------------------------------------------------------


class _Custom:
    """Splits arguments into differentiable leaves and the rest, and binds the call."""

    kind = ""

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: Sequence[int] = ()) -> None:
        check_callable(fun, self.kind)
        self.fun = fun
        self.nondiff_argnums = tuple(nondiff_argnums)
        update_wrapper(self, fun)  # type: ignore[arg-type]

    def _split(self, args: tuple[Any, ...]) -> tuple[list[Any], tuple[Any, ...], Callable[..., Any]]:
        """Return the static arguments, the others, and the function of the others alone."""
        fixed = {i % len(args) for i in self.nondiff_argnums}
        static = [args[i] for i in sorted(fixed)]
        dynamic = tuple(x for i, x in enumerate(args) if i not in fixed)

        def fun(*xs: Any) -> Any:
            rest = iter(xs)
            return self.fun(*[args[i] if i in fixed else next(rest) for i in range(len(args))])

        return static, dynamic, fun

    def _leaves(self, dynamic: tuple[Any, ...]) -> tuple[list[Any], Any]:
        return tree.flatten(dynamic)

    def _mismatch(self, what: str, got: Any, want: Any) -> CustomRuleError:
        return CustomRuleError(
            f"{self.kind}: the rule of {fun_name(self.fun)} returned {what} of another structure: "
            f"got {tree.structure(got)}, expected {want}"
        )


class custom_jvp(_Custom):
    """A function with a forward-mode rule of its own; reverse mode transposes the rule.

    Parameters
    ----------
    fun : callable
        The function; positional arguments and result are pytrees.
    nondiff_argnums : sequence of int, default ()
        Arguments that are not arrays; the rule gets them first.

    Raises
    ------
    CustomRuleError
        When differentiated: no rule was given, or it returned something of the wrong structure or shape.

    Notes
    -----
    ``defjvp(rule)`` takes ``rule(primals, tangents) -> (out, tangent_out)``, with tuples of primals and tangents, and
    `tangent_out` linear in the tangents.

    Examples
    --------
    >>> import numpy as np, covector
    >>> @covector.custom_jvp
    ... def log1pexp(x):
    ...     return np.logaddexp(0.0, x)
    >>> @log1pexp.defjvp
    ... def rule(primals, tangents):
    ...     (x,), (t,) = primals, tangents
    ...     return log1pexp(x), t / (1 + np.exp(-x))
    >>> covector.grad(log1pexp)(0.0)
    np.float64(0.5)
    """

    kind = "custom_jvp"
    rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """Set the rule ``rule(*nondiff, primals, tangents) -> (out, tangent_out)``; usable as a decorator."""
        check_callable(rule, "defjvp")
        self.rule = rule
        return rule

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = positional(self.fun, args, kwargs)
        static, dynamic, fun = self._split(args)
        leaves, treedef = self._leaves(dynamic)
        flat = FlatFunction(fun, treedef, self.kind)
        if not any(isinstance(x, Tracer) for x in leaves):
            return fun(*dynamic)

        def rule(primals: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
            if self.rule is None:
                raise CustomRuleError(f"custom_jvp: {fun_name(self.fun)} has no rule; give it one with .defjvp")
            result = self.rule(*static, tree.unflatten(treedef, primals), tree.unflatten(treedef, tangents))
            if not (isinstance(result, tuple) and len(result) == 2):
                raise CustomRuleError(
                    f"custom_jvp: the rule of {fun_name(self.fun)} must return (out, tangent_out), "
                    f"got {type(result).__name__}"
                )
            out, tangent = result
            out_leaves, out_treedef = tree.flatten(out)
            try:
                ts = out_treedef.flatten_up_to(tangent)
            except ValueError:
                raise self._mismatch("a tangent", tangent, out_treedef) from None
            return [self._tangent(y, t) for y, t in zip(out_leaves, ts, strict=True)]

        out = call(custom_jvp_p, leaves, self.fun, {"rule": _JvpRule(flat, rule)})
        return tree.unflatten(flat.out_treedef, out)

    def _tangent(self, y: Any, t: Any) -> Any:
        if dtype_of(y).kind not in "fc":
            return None
        if t is None:
            return zeros_for(y)
        if shape_of(t) != shape_of(y):
            raise CustomRuleError(
                f"custom_jvp: the rule of {fun_name(self.fun)} returned a tangent of shape {shape_of(t)}, "
                f"expected {shape_of(y)}, the shape of the output"
            )
        return dtype_of(y).type(t) if type(t) in (float, int) else t


class custom_vjp(_Custom):
    """A function with a reverse-mode rule of its own; forward mode transposes the rule.

    Parameters
    ----------
    fun : callable
        The function; positional arguments and result are pytrees.
    nondiff_argnums : sequence of int, default ()
        Arguments that are not arrays; the backward pass gets them first.

    Raises
    ------
    CustomRuleError
        When differentiated: no rule was given, or it returned something of the wrong structure or shape.

    Notes
    -----
    ``defvjp(fwd, bwd)`` takes ``fwd(*args) -> (out, residual)`` and ``bwd(residual, ct) -> cts``, a tuple with one
    cotangent per argument, None for zero.

    Examples
    --------
    >>> import numpy as np, covector
    >>> @covector.custom_vjp
    ... def clip_gradient(x):
    ...     return x
    >>> clip_gradient.defvjp(lambda x: (x, None), lambda _, ct: (np.clip(ct, -1.0, 1.0),))
    >>> covector.grad(lambda x: clip_gradient(x) * 5.0)(2.0)
    np.float64(1.0)
    """

    kind = "custom_vjp"
    fwd: Callable[..., Any] | None = None
    bwd: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Set the passes ``fwd(*args) -> (out, residual)`` and ``bwd(*nondiff, residual, ct) -> cts``."""
        check_callable(fwd, "defvjp")
        check_callable(bwd, "defvjp")
        self.fwd, self.bwd = fwd, bwd

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = positional(self.fun, args, kwargs)
        static, dynamic, fun = self._split(args)
        leaves, treedef = self._leaves(dynamic)
        if not any(isinstance(x, Tracer) for x in leaves):
            return fun(*dynamic)
        flat = FlatFunction(fun, treedef, self.kind)
        fwd_flat = self._forward(args, treedef, flat)

        def bwd(residual: Any, cts: Sequence[Any]) -> Sequence[Any]:
            assert self.bwd is not None
            result = self.bwd(*static, residual, tree.unflatten(flat.out_treedef, cts))
            if not isinstance(result, tuple | list) or len(result) != len(dynamic):
                raise self._mismatch("cotangents", result, f"a tuple of {len(dynamic)}, one per argument")
            return [c for x, c in zip(dynamic, result, strict=True) for c in self._cotangents(x, c)]

        out = call(custom_vjp_p, leaves, self.fun, {"rule": _VjpRule(flat, fwd_flat, bwd)})
        return tree.unflatten(flat.out_treedef, out)

    def _forward(self, args: tuple[Any, ...], treedef: Any, flat: FlatFunction) -> Callable[..., Any]:
        fixed = {i % len(args) for i in self.nondiff_argnums}

        def fwd(*leaves: Any) -> tuple[Sequence[Any], Any]:
            if self.fwd is None:
                raise CustomRuleError(f"custom_vjp: {fun_name(self.fun)} has no rule; give it one with .defvjp")
            rest = iter(tree.unflatten(treedef, leaves))
            result = self.fwd(*[args[i] if i in fixed else next(rest) for i in range(len(args))])
            if not (isinstance(result, tuple) and len(result) == 2):
                raise CustomRuleError(
                    f"custom_vjp: the forward pass of {fun_name(self.fun)} must return (out, residual), "
                    f"got {type(result).__name__}"
                )
            out, residual = result
            out_leaves, flat.out_treedef = tree.flatten(out)
            return tuple(map(as_numpy, out_leaves)), residual

        return fwd

    def _cotangents(self, x: Any, ct: Any) -> list[Any]:
        leaves, treedef = tree.flatten(x)
        if ct is None:
            return [None] * len(leaves)
        try:
            cts = treedef.flatten_up_to(ct)
        except ValueError:
            raise self._mismatch("a cotangent", ct, treedef) from None
        out: list[Any] = []
        for y, c in zip(leaves, cts, strict=True):
            if c is None or dtype_of(y).kind not in "fc":
                out.append(None)
            elif shape_of(c) != shape_of(y):
                raise CustomRuleError(
                    f"custom_vjp: the backward pass of {fun_name(self.fun)} returned a cotangent of shape "
                    f"{shape_of(c)}, expected {shape_of(y)}, the shape of the argument"
                )
            else:
                # A view, because the rule may return an array it keeps: a view is neither added to nor handed out.
                out.append(c.view() if type(c) is np.ndarray else dtype_of(y).type(c) if type(c) in (float, int) else c)
        return out
