"""Builder of functions without derivative by nature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.dispatch import UFUNCS
from ...core.primitive import Primitive, Refuse, Rule
from .elementwise import batch_elementwise, elementwise_aval

__all__ = ["constant"]

_NO_DERIVATIVE = Refuse("this function is constant almost everywhere and has no derivative rule")


def constant(
    name: str,
    impl: Rule,
    *,
    ufunc: Any = None,
    aval: Rule | None = None,
    batch: Rule | None = None,
    multiple: bool = False,
    samples: Sequence[Any] = (),
    lower: Any = None,
    numpy: Sequence[Any] = (),
) -> Primitive:
    """Declare a function without derivative by nature; elementwise unless `aval` and `batch` say otherwise."""
    primitive = Primitive(
        name,
        impl,
        aval or elementwise_aval(impl),
        _NO_DERIVATIVE,
        _NO_DERIVATIVE,
        batch or batch_elementwise(lambda: primitive),
        lower=lower or (name if aval is None else None),
        sparsity="none",
        samples=samples,
        family="constant",
        multiple=multiple,
        constant=True,
        keeps=False,
        numpy=(ufunc,) if ufunc is not None else tuple(numpy),
    )
    if ufunc is not None:
        UFUNCS[ufunc] = primitive
    return primitive
