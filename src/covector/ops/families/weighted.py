"""Builder of reductions whose differential is a weighted sum, and the rules that all reductions share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.primitive import Primitive, Rule, bind
from ...core.values import Aval, Shape
from .elementwise import product

__all__ = ["batch_reduction", "keep_axes", "reduced_aval", "weighted"]


def keep_axes(x: Any, shape: Shape, axis: tuple[int, ...]) -> Any:
    """Return the reduced `x` with its reduced axes put back as ones, so that it broadcasts against `shape`."""
    return x.reshape(tuple(1 if i in axis else n for i, n in enumerate(shape)))


def batch_reduction(primitive: Callable[[], Primitive]) -> Rule:
    """Batching rule of ``reduction(x, axis=…)``: the axes move one to the right."""

    def batch(trace: Any, args: Sequence[Any], batched: Sequence[bool], *, axis: tuple[int, ...], **params: Any) -> Any:
        return bind(primitive(), args, {"axis": tuple(i + 1 for i in axis), **params})

    return batch


def reduced_aval(dtype: Callable[[np.dtype[Any]], Any] = lambda d: d) -> Rule:
    """Shape rule of ``reduction(x, axis=…)``."""

    def aval(x: Aval, *, axis: tuple[int, ...], **params: Any) -> Aval:
        return Aval(tuple(n for i, n in enumerate(x.shape) if i not in axis), np.dtype(dtype(x.dtype)))

    return aval


def weighted(
    name: str,
    impl: Rule,
    *,
    partial: Callable[..., Any],
    aval: Rule | None = None,
    singular: bool = False,
    samples: Sequence[Any] = (),
    lower: Any = None,
    source: str = "",
    numpy: Sequence[Any] = (),
) -> Primitive:
    """Declare a reduction ``impl(x, axis=(…))`` whose differential is ``Σ_axis w dx``.

    Parameters
    ----------
    partial : callable
        ``partial(out, x, axis)``: the weights w, of the shape of `x`; `out` has its reduced axes as ones.
    """

    def jvp(args: Sequence[Any], tangents: Sequence[Any], out: Any, *, axis: tuple[int, ...]) -> Any:
        (x,), (t,) = args, tangents
        return None if t is None else product(t, partial(keep_axes(out, x.shape, axis), x, axis)).sum(axis=axis)

    def vjp(ct: Any, wanted: Sequence[bool], out: Any, args: Sequence[Any], *, axis: tuple[int, ...]) -> list[Any]:
        (x,) = args
        weights = partial(keep_axes(out, x.shape, axis), x, axis)
        return [product(keep_axes(ct, x.shape, axis), weights)]

    primitive = Primitive(
        name,
        impl,
        aval or reduced_aval(),
        jvp,
        vjp,
        batch_reduction(lambda: primitive),
        lower=lower,
        sparsity="contracted",
        samples=samples,
        source=source,
        family="weighted",
        singular=singular,
        numpy=tuple(numpy),
    )
    return primitive
