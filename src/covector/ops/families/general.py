"""Builder of any other differentiable function from its jvp; reverse mode transposes that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...core.graph import Var, record
from ...core.primitive import Primitive, Rule
from ...core.values import aval_of
from .elementwise import like

__all__ = ["general", "transpose_term"]


def _add_outputs(a: Any, b: Any, multiple: bool) -> Any:
    if not multiple:
        return a + b
    return tuple(y if x is None else x if y is None else x + y for x, y in zip(a, b, strict=True))


def _add_terms(terms: Sequence[Any], out: Any, multiple: bool) -> Any:
    """Sum the contributions to the output tangent(s), in the shapes and dtypes of the output(s)."""
    if not terms:
        return (None,) * len(out) if multiple else None
    total = terms[0]
    for term in terms[1:]:
        total = _add_outputs(total, term, multiple)
    if not multiple:
        return like(total, out)
    return tuple(None if t is None else like(t, y) for t, y in zip(total, out, strict=True))


def transpose_term(term: Callable[[Any], Any], x: Any, ct: Any, multiple: bool) -> Any:
    """Apply to `ct` the transpose of the linear function `term` of an argument with the aval of `x`."""

    def flat(t: Any) -> Any:
        out = term(t)
        return out if multiple else (out,)

    aval = x.aval if type(x) is Var else aval_of(x)
    graph = record(flat, [aval._replace(weak=False)], "transpose")
    return graph.transpose(ct if multiple else (ct,))[0]


def general(
    name: str,
    impl: Rule,
    *,
    jvps: Sequence[Rule | None],
    aval: Rule,
    batch: Rule,
    multiple: bool = False,
    singular: bool = True,
    keeps: bool = True,
    keeps_out: bool = True,
    samples: Sequence[Any] = (),
    lower: Any = None,
    sparsity: Any = "dense",
    source: str = "",
    numpy: Sequence[Any] = (),
) -> Primitive:
    """Declare a function by its jvp; reverse mode transposes it.

    Parameters
    ----------
    jvps : sequence of callables
        ``jvps[i](t, out, *args, **params)``: the part of the output tangent(s) due to the tangent `t` of argument i,
        written with operations that are linear in `t`. With `multiple`, a tuple in which None stands for zero.
        None for an argument without derivative.
    keeps, keeps_out : bool
        Whether a rule reads the values, not just shapes and dtypes, of the arguments, and of the output.
    """

    def jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, **params: Any) -> Any:
        moving = [(r, t) for r, t in zip(jvps, tangents, strict=True) if t is not None and r is not None]
        return _add_terms([rule(t, out, *args, **params) for rule, t in moving], out, multiple)

    def vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any], **params: Any) -> list[Any]:
        cts: list[Any] = []
        for rule, want, x in zip(jvps, wanted, args, strict=True):
            if not want or rule is None:
                cts.append(None)
            else:
                term = lambda t, rule=rule: rule(t, out, *args, **params)
                cts.append(transpose_term(term, x, ct, multiple))
        return cts

    primitive = Primitive(
        name,
        impl,
        aval,
        jvp,
        vjp,
        batch,
        lower=lower,
        sparsity=sparsity,
        samples=samples,
        source=source,
        family="general",
        multiple=multiple,
        singular=singular,
        keeps=keeps,
        keeps_out=keeps_out,
        numpy=tuple(numpy),
    )
    return primitive
