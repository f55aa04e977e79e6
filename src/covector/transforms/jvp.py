"""`jvp`: forward mode for users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import tree
from ..core.cotangents import unshared, zeros
from ..core.protect import Holds
from ..core.tracer import Tracer
from ..core.values import dtype_of, is_weak, shape_of
from .arguments import (
    check_callable,
    check_leaf,
    differentiated_leaves,
    fun_name,
    output_leaves,
    own,
    own_each,
    restore_kind,
    show_tree,
    split_aux,
)
from .forward import ForwardTrace, ForwardTracer
from .linearization import lower_aux

__all__ = ["forward", "jvp"]


def forward(
    transform: str, fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False
) -> tuple[list[Any], list[Any], tree.TreeDef, Any]:
    """Run `fun` with tangents.

    Parameters
    ----------
    primals : sequence
        One ``(leaves, treedef)`` per argument.
    tangents : sequence
        One list of tangent leaves per argument; None for zero.

    Returns
    -------
    out, tangents_out : list
        Output leaves and their tangents, None where no input was reached.
    treedef : PyTreeSpec
        The output structure.
    aux : pytree
        Auxiliary output, None without `has_aux`.
    """
    trace = ForwardTrace(transform)
    holds = Holds()
    keep = holds.argument
    try:
        args = [
            tree.unflatten(treedef, [trace.tracer(keep(x), keep(t)) for x, t in zip(leaves, ts, strict=True)])
            for (leaves, treedef), ts in zip(primals, tangents, strict=True)
        ]
        result = fun(*args)
        aux = None
        if has_aux:
            result, aux = split_aux(result, transform, fun)
            aux = lower_aux(trace, aux)
        leaves, treedef = output_leaves(result, transform, fun)
        mine = [isinstance(x, ForwardTracer) and x._trace is trace for x in leaves]
        # While arrays are held, so that what passes through unchanged is copied.
        out = own_each([x.value if m else x for x, m in zip(leaves, mine, strict=True)])
        return out, [own(x.tangent) if m else None for x, m in zip(leaves, mine, strict=True)], treedef, aux
    finally:
        trace.close()
        holds.release()


def jvp(fun: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """Compute a function's value and its Jacobian-vector product (forward mode).

    Parameters
    ----------
    fun : callable
        Takes the primals as positional arguments. Returns a pytree of arrays, or with `has_aux` ``(out, aux)``.
    primals : tuple or list of pytree
        Where to evaluate, one entry per argument.
    tangents : tuple or list of pytree
        The direction, with the structure, shapes and dtypes of `primals`; None for integer leaves.
    strict : bool, default False
        Raise if an output does not depend on any input; otherwise its tangent is zeros.
    has_aux : bool, default False
        Whether `fun` returns auxiliary data, which is not differentiated.

    Returns
    -------
    out : pytree
        ``fun(*primals)``.
    tangent_out : pytree
        The Jacobian times `tangents`, with the structure of `out`; None for integer leaves.
    aux : pytree
        Only with `has_aux`.

    Raises
    ------
    TypeError
        `primals` or `tangents` is not a tuple or list, their trees or dtypes differ, or a primal is an integer array.
    ValueError
        A tangent has another shape than its primal.
    RuntimeError
        With `strict`, if an output does not depend on any input.

    Notes
    -----
    Cost: a small multiple of one call of `fun`, in time and memory.

    Examples
    --------
    >>> import numpy as np, covector
    >>> covector.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
    (np.float64(6.0), np.float64(3.0))
    """
    check_callable(fun, "jvp")
    flat, ts = _check(fun, primals, tangents)
    out, tangents_out, treedef, aux = forward("jvp", fun, flat, ts, has_aux=has_aux)
    if strict:
        for i, (x, t) in enumerate(zip(out, tangents_out, strict=True)):
            if t is None and dtype_of(x).kind in "fc":
                path = tree.paths(treedef)[i]
                where = f"output leaf {path}" if path else "the output"
                raise RuntimeError(f"jvp: with strict=True, {where} of {fun_name(fun)} does not depend on any input")
    values = tree.unflatten(treedef, out)
    tangent_out = tree.unflatten(treedef, finish_tangents(tangents_out, out))
    return (values, tangent_out, aux) if has_aux else (values, tangent_out)


def finish_tangents(tangents: list[Any], out: Sequence[Any]) -> list[Any]:
    """Return the tangents of the output leaves `out` for the user: zeros for None, None for integers, none shared."""
    found: list[Any] = []
    for i, x in enumerate(out):
        t = unshared(tangents, i)
        if dtype_of(x).kind not in "fc":
            found.append(None)
        else:
            found.append(zeros(x) if t is None else own(restore_kind(t, x)))
    return found


def _check(fun: Any, primals: Any, tangents: Any) -> tuple[list[Any], list[list[Any]]]:
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise TypeError(
                f"jvp: {name} must be a tuple or a list with one entry per argument of {fun_name(fun)}, got "
                f"{type(given).__name__}; for one argument write jvp(fun, (x,), (t,))"
            )
    if isinstance(primals, tuple) != isinstance(tangents, tuple) or len(primals) != len(tangents):
        raise TypeError(_trees_differ(primals, tangents))
    flat, ts = [], []
    for i, (x, t) in enumerate(zip(primals, tangents, strict=True)):
        leaves, treedef, active = differentiated_leaves(x, lambda k: f"jvp: primal {k} of {fun_name(fun)}", i)
        try:
            given = treedef.flatten_up_to(t)
        except ValueError:
            raise TypeError(_trees_differ(primals, tangents)) from None
        paths = tree.paths(treedef)
        ts.append(
            [
                check_tangent(a, b, c, f"jvp: the tangent of primal {i}{f', leaf {p}' if p else ''}")
                for a, b, c, p in zip(leaves, given, active, paths, strict=True)
            ]
        )
        flat.append((leaves, treedef))
    return flat, ts


def check_tangent(x: Any, t: Any, active: bool, place: str) -> Any:
    """Return the tangent `t` of the primal leaf `x` in its dtype; raise if it does not fit."""
    if not active:
        if t is not None:
            raise TypeError(f"{place} must be None, because the primal is of integer or bool dtype; got {t!r}")
        return None
    dtype, shape = dtype_of(x), shape_of(x)
    if is_weak(t) and type(t) is not bool and not shape and not (type(t) is complex and dtype.kind == "f"):
        return dtype.type(t)
    if not isinstance(t, np.ndarray | np.generic | Tracer):
        raise TypeError(f"{place} must be an array of shape {shape} and dtype {dtype}, got {type(t).__name__}")
    if type(t) is not np.ndarray:
        check_leaf(t, place)
    if t.shape != shape:
        raise ValueError(f"{place} has shape {t.shape}, expected {shape}, the shape of the primal")
    if t.dtype != dtype:
        raise TypeError(f"{place} has dtype {t.dtype}, expected {dtype}, the dtype of the primal")
    return t


def _trees_differ(primals: Any, tangents: Any) -> str:
    return (
        f"jvp: primals and tangents must be of the same tree.\n  primals:  {show_tree(*tree.flatten(primals))}\n"
        f"  tangents: {show_tree(*tree.flatten(tangents))}"
    )
