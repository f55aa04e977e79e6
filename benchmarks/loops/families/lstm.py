"""The LSTM of ``benchmarks.compiled`` with `scan` over the characters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...compiled.families.base import Case
from ...compiled.families.lstm import FEATURES, SIZES, covector_loss, jax_loss, torch_loss
from ...compiled.limit import call
from .base import Loop, answers, filling


def _limit(quantity: str, library: Any, primals: Any, data: Any, tangents: Any) -> Callable[[], Any]:
    weights, _, _ = primals
    state, sequence = data
    layers, _, b = weights.shape
    steps = len(sequence) - 1
    out = answers(quantity, primals)
    kept = [np.empty((steps, layers, 8, b)), np.empty((steps, b))] if quantity == "gradient" else []
    room = [*kept, np.empty((6, layers, b))]
    function = getattr(library, f"lstm_{quantity}")
    return filling(call(function, layers, steps, b, *primals, *tangents, state, sequence, *room, *out), out)


def _loop(layers: int, characters: int, features: int, **marks: Any) -> Loop:
    def data(random: np.random.Generator) -> tuple[Any, ...]:
        return (
            random.normal(size=(2, layers, features)),
            random.integers(0, 2, size=(characters, features)).astype(float),
        )

    return Loop(
        family="lstm",
        size=f"{layers}x{characters}",
        parameters=lambda random: (
            random.normal(size=(layers, 4, features)),
            random.normal(size=(layers, 4, features)),
            random.normal(size=(3, features)),
        ),
        data=data,
        covector=covector_loss,
        jax=jax_loss,
        torch=torch_loss,
        limit=_limit,
        left_out={"torch": "a call takes many seconds"} if characters > SIZES[0][1] else {},
        marks=marks,
    )


def cases() -> list[Case]:
    """Two sizes (layers x characters)."""
    loops = [_loop(2, 6, 5, small=True), *(_loop(*size, FEATURES) for size in SIZES[:2])]
    return [case for loop in loops for case in loop.cases()]
