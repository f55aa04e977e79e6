"""`custom_jvp` and `custom_vjp`: derivative rules written by the user."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

from ..core import tree
from ..core.errors import CustomRuleError
from ..core.protect import read_only
from ..core.tracer import Tracer
from ..core.values import Aval, aval_of, dtype_of, is_plain, is_weak, shape_of
from ..ops.families import like
from .arguments import check_callable, fun_name, output_leaves
from .call import as_numpy, call, positional, zeros_for
from .custom_primitives import JvpRule, VjpRule, custom_jvp_p, custom_vjp_p

__all__ = ["custom_jvp", "custom_vjp"]


class _Custom:
    """Splits arguments into differentiable leaves and the rest, and binds the call."""

    kind = ""

    def __init__(self, fun: Callable[..., Any], nondiff_argnums: int | Sequence[int] = ()) -> None:
        check_callable(fun, self.kind)
        self.fun = fun
        self.nondiff_argnums = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)
        update_wrapper(self, fun)  # type: ignore[arg-type]

    def __reduce_ex__(self, protocol: Any) -> Any:
        # A decorated function is found by its name, as any function is.
        name = getattr(self, "__qualname__", "")
        found: Any = sys.modules.get(self.__module__)
        for part in name.split("."):
            found = getattr(found, part, None)
        return name if found is self else super().__reduce_ex__(protocol)

    def _mismatch(self, what: str, got: Any, want: Any) -> CustomRuleError:
        return CustomRuleError(
            f"{self.kind}: the rule of {fun_name(self.fun)} returned {what} of another structure: "
            f"got {tree.structure(got)}, expected {want}"
        )


class _Call:
    """One call of a custom function, as a function of the flat leaves of its differentiable arguments.

    It keeps no traced value, so that it outlives the transforms that run and can be pickled.
    """

    def __init__(self, custom: Any, args: tuple[Any, ...]) -> None:
        for i in custom.nondiff_argnums:
            if not -len(args) <= i < len(args):
                raise ValueError(
                    f"{custom.kind}: nondiff_argnums={custom.nondiff_argnums} asks for positional argument {i}, but "
                    f"{fun_name(custom.fun)} was called with {len(args)}"
                )
        fixed = {i % len(args) for i in custom.nondiff_argnums}
        self.custom = custom
        self.static = [args[i] if i in fixed else None for i in range(len(args))]
        self.places = [i for i in range(len(args)) if i not in fixed]
        self.treedefs = [tree.structure(args[i]) for i in self.places]
        self.avals: list[list[Aval | None]] = []
        self.out_treedef: Any = None

    def leaves(self, args: tuple[Any, ...]) -> list[Any]:
        """The leaves of the differentiable arguments."""
        flat = [tree.leaves(args[i]) for i in self.places]
        self.avals = [[aval_of(x) if isinstance(x, Tracer) or is_plain(x) else None for x in xs] for xs in flat]
        return [x for xs in flat for x in xs]

    def trees(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The differentiable arguments made of `leaves`."""
        rest = iter(leaves)
        return tuple([tree.unflatten(t, [next(rest) for _ in range(t.num_leaves)]) for t in self.treedefs])

    def arguments(self, leaves: Sequence[Any]) -> list[Any]:
        """All arguments."""
        full = list(self.static)
        for i, x in zip(self.places, self.trees(leaves), strict=True):
            full[i] = x
        return full

    def nondiff(self) -> list[Any]:
        """The arguments that are not differentiated."""
        return [x for i, x in enumerate(self.static) if i not in self.places]

    def __call__(self, *leaves: Any) -> tuple[Any, ...]:
        fun = self.custom.fun
        flat, self.out_treedef = output_leaves(fun(*self.arguments(leaves)), self.custom.kind, fun)
        return tuple(map(as_numpy, flat))

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Sequence[Any]:
        """The tangent of the output."""
        return self.custom._apply(self.nondiff(), self.trees(primals), self.trees(tangents))  # type: ignore[no-any-return]

    def forward(self, *leaves: Any) -> tuple[Sequence[Any], Any]:
        """Output and residual."""
        out, residual = self.custom._forward(self.arguments(leaves))
        out_leaves, self.out_treedef = tree.flatten(out)
        return tuple(map(as_numpy, out_leaves)), residual

    def backward(self, residual: Any, cts: Sequence[Any]) -> Sequence[Any]:
        """The cotangents of the arguments."""
        given = self.custom._backward(self.nondiff(), residual, tree.unflatten(self.out_treedef, cts), len(self.places))
        parts = zip(self.treedefs, self.avals, given, strict=True)
        return [c for treedef, avals, ct in parts for c in self.custom._cotangents(treedef, avals, ct)]


class custom_jvp(_Custom):
    """A function with a forward-mode rule of its own; reverse mode transposes the rule.

    Parameters
    ----------
    fun : callable
        The function; positional arguments and result are pytrees.
    nondiff_argnums : int or sequence of int, default ()
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
        applied = _Call(self, args)
        leaves = applied.leaves(args)
        if not any(isinstance(x, Tracer) for x in leaves):
            return self.fun(*args)
        out = call(custom_jvp_p, leaves, self.fun, {"rule": JvpRule(applied, applied.jvp)})
        return tree.unflatten(applied.out_treedef, out)

    def _apply(self, static: Sequence[Any], primals: Any, tangents: Any) -> Sequence[Any]:
        """Call the rule and return the leaves of its tangent."""
        if self.rule is None:
            raise CustomRuleError(f"custom_jvp: {fun_name(self.fun)} has no rule; give it one with .defjvp")
        result = self.rule(*static, primals, tangents)
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
        # A view, because the rule may return an array it keeps: a view is not handed out.
        return dtype_of(y).type(t) if is_weak(t) else read_only(like(t, y))


class custom_vjp(_Custom):
    """A function with a reverse-mode rule of its own; forward mode transposes the rule.

    Parameters
    ----------
    fun : callable
        The function; positional arguments and result are pytrees.
    nondiff_argnums : int or sequence of int, default ()
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
        applied = _Call(self, args)
        leaves = applied.leaves(args)
        if not any(isinstance(x, Tracer) for x in leaves):
            return self.fun(*args)
        out = call(custom_vjp_p, leaves, self.fun, {"rule": VjpRule(applied, applied.forward, applied.backward)})
        return tree.unflatten(applied.out_treedef, out)

    def _forward(self, args: Sequence[Any]) -> tuple[Any, Any]:
        """Call the forward pass."""
        if self.fwd is None:
            raise CustomRuleError(f"custom_vjp: {fun_name(self.fun)} has no rule; give it one with .defvjp")
        result = self.fwd(*args)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise CustomRuleError(
                f"custom_vjp: the forward pass of {fun_name(self.fun)} must return (out, residual), "
                f"got {type(result).__name__}"
            )
        return result

    def _backward(self, static: Sequence[Any], residual: Any, ct: Any, count: int) -> Sequence[Any]:
        """Call the backward pass and return one tree of cotangents per argument."""
        assert self.bwd is not None
        result = self.bwd(*static, residual, ct)
        if not isinstance(result, tuple | list) or len(result) != count:
            raise self._mismatch("cotangents", result, f"a tuple of {count}, one per argument")
        return result

    def _cotangents(self, treedef: Any, avals: Sequence[Any], ct: Any) -> list[Any]:
        if ct is None:
            return [None] * len(avals)
        try:
            cts = treedef.flatten_up_to(ct)
        except ValueError:
            raise self._mismatch("a cotangent", ct, treedef) from None
        out: list[Any] = []
        for y, c in zip(avals, cts, strict=True):
            if c is None or y is None or y.dtype.kind not in "fc":
                out.append(None)
            elif shape_of(c) != y.shape:
                raise CustomRuleError(
                    f"custom_vjp: the backward pass of {fun_name(self.fun)} returned a cotangent of shape "
                    f"{shape_of(c)}, expected {y.shape}, the shape of the argument"
                )
            else:
                # A view, because the rule may return an array it keeps: a view is neither added to nor handed out.
                out.append(y.dtype.type(c) if is_weak(c) else read_only(c))
        return out
