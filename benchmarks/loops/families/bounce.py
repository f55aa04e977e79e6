"""A ball that falls through air and bounces off the floor: `fori_loop` over time with `cond` for the floor.

Differentiated in the restitution and the initial speed: the final height.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...compiled.families.base import Case, Function
from ...compiled.limit import call
from .base import Loop, answers, filling

STEPS = 10_000
STEP, GRAVITY, DRAG, START = 5e-4, 9.81, 0.05, 1.0


def _simulated(fori_loop: Function, cond: Function, steps: int) -> Function:
    def function(restitution: Any, speed: Any) -> Any:
        def bounce(y: Any, v: Any) -> Any:
            return -restitution * y, -restitution * v

        def fly(y: Any, v: Any) -> Any:
            return y, v

        def advance(_: Any, state: Any) -> Any:
            y, v = state
            v = v - STEP * (GRAVITY + DRAG * v * abs(v))
            y = y + STEP * v
            return cond(y < 0.0, bounce, fly, y, v)

        return fori_loop(0, steps, advance, (START, speed))[0]

    return function


def _covector(steps: int) -> Callable[[], Function]:
    def build() -> Function:
        import covector

        return _simulated(covector.fori_loop, covector.cond, steps)

    return build


def _jax(steps: int) -> Callable[[], Function]:
    def build() -> Function:
        import jax

        return _simulated(jax.lax.fori_loop, jax.lax.cond, steps)

    return build


def _torch(steps: int) -> Callable[[], Function]:
    def function(restitution: Any, speed: Any) -> Any:
        y, v = START, speed
        for _ in range(steps):
            v = v - STEP * (GRAVITY + DRAG * v * abs(v))
            y = y + STEP * v
            if y < 0.0:
                y, v = -restitution * y, -restitution * v
        return y

    return lambda: function


def _limit(steps: int) -> Callable[..., Callable[[], Any]]:
    def prepare(quantity: str, library: Any, primals: Any, data: Any, tangents: Any) -> Callable[[], Any]:
        out = answers(quantity, primals)
        kept = (np.empty((steps, 3)),) if quantity == "gradient" else ()
        function = getattr(library, f"bounce_{quantity}")
        constants = (steps, STEP, GRAVITY, DRAG, START)
        return filling(call(function, *primals, *tangents, *constants, *kept, *out), out)

    return prepare


def _loop(steps: int, **marks: Any) -> Loop:
    return Loop(
        family="bounce",
        size=str(steps),
        parameters=lambda random: (np.array(0.85), np.array(2.0)),
        covector=_covector(steps),
        jax=_jax(steps),
        torch=_torch(steps),
        limit=_limit(steps),
        marks=marks,
    )


def cases() -> list[Case]:
    """10,000 steps: five seconds, seven bounces."""
    return [case for loop in (_loop(2_000, small=True), _loop(STEPS)) for case in loop.cases()]
