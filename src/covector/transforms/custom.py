"""`custom_jvp` and `custom_vjp`: derivative rules written by the user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import numpy as np

from ..core import tree
from ..core.errors import CustomRuleError
from ..core.tracer import Tracer
from ..core.values import dtype_of, shape_of
from .arguments import check_callable, fun_name
from .call import FlatFunction, as_numpy, call, positional, zeros_for
from .custom_primitives import JvpRule, VjpRule, custom_jvp_p, custom_vjp_p

__all__ = ["custom_jvp", "custom_vjp"]


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

        out = call(custom_jvp_p, leaves, self.fun, {"rule": JvpRule(flat, rule)})
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

        out = call(custom_vjp_p, leaves, self.fun, {"rule": VjpRule(flat, fwd_flat, bwd)})
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
