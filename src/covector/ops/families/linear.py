"""Builders of functions that are linear in one argument, or in each of several, from their transposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.primitive import Primitive, Rule, bind
from .elementwise import like

__all__ = ["linear", "multilinear"]


def linear(
    name: str,
    impl: Rule,
    *,
    transpose: Rule,
    aval: Rule,
    batch: Rule,
    keeps: bool = False,
    lean: bool = False,
    samples: Sequence[Any] = (),
    lower: Any = None,
    sparsity: Any = "moves",
    source: str = "",
    numpy: Sequence[Any] = (),
) -> Primitive:
    """Declare a function that is linear in its first argument; the others (index arrays, masks) are constants.

    Parameters
    ----------
    transpose : callable
        ``transpose(ct, x, *rest, **params)`` with the shape of `x`, of which only shape and dtype may be read.
    keeps : bool
        Whether the transpose reads values of the other arguments.
    """

    def jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, **params: Any) -> Any:
        return None if tangents[0] is None else bind(primitive, (tangents[0], *args[1:]), params)

    def vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any], **params: Any) -> list[Any]:
        first = transpose(ct, *args, **params) if wanted[0] else None
        return [first] + [None] * (len(args) - 1)

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
        family="linear",
        keeps=keeps,
        keeps_out=False,
        lean=lean,
        numpy=tuple(numpy),
    )
    return primitive


def multilinear(
    name: str,
    impl: Rule,
    *,
    transposes: Sequence[Rule],
    aval: Rule,
    batch: Rule,
    samples: Sequence[Any] = (),
    lower: Any = None,
    source: str = "",
    numpy: Sequence[Any] = (),
) -> Primitive:
    """Declare a function that is linear in each of its arguments.

    Parameters
    ----------
    transposes : sequence of callables
        ``transposes[i](ct, *args, **params)``: the cotangent of argument i, of which only shape and dtype may be read.
    """

    def jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, **params: Any) -> Any:
        total = None
        for i, t in enumerate(tangents):
            if t is not None:
                term = bind(primitive, (*args[:i], t, *args[i + 1 :]), params)
                total = term if total is None else total + term
        return None if total is None else like(total, out)

    def vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any], **params: Any) -> list[Any]:
        return [rule(ct, *args, **params) if want else None for rule, want in zip(transposes, wanted, strict=True)]

    primitive = Primitive(
        name,
        impl,
        aval,
        jvp,
        vjp,
        batch,
        lower=lower,
        sparsity="contracted",
        samples=samples,
        source=source,
        family="multilinear",
        keeps_out=False,
        numpy=tuple(numpy),
    )
    return primitive
