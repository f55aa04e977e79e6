"""A scalar recurrence: the logistic map x ← r x (1 − x) + u with small inputs u; the mean of x².

With r = 2.8 the map contracts around its fixed point, so that derivatives are bounded however long the series.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...compiled.families.base import Case, Function
from ...compiled.limit import call
from .base import Loop, answers, filling

SIZES = (10_000, 1_000_000)
PYTHON_STEPS = 200
PATIENCE = 100_000  # steps, more than which torch needs many seconds for


def _scanned(scan: Function) -> Function:
    def function(r: Any, start: Any, inputs: Any) -> Any:
        def step(carry: Any, u: Any) -> Any:
            x, total = carry
            x = r * x * (1.0 - x) + u
            return (x, total + x * x), None

        return scan(step, (start, 0.0), inputs)[0][1] / len(inputs)

    return function


def _covector() -> Function:
    import covector

    return _scanned(covector.scan)


def _jax() -> Function:
    import jax

    return _scanned(jax.lax.scan)


def _looped(r: Any, start: Any, inputs: Any) -> Any:
    x, total = start, 0.0
    for u in inputs:
        x = r * x * (1.0 - x) + u
        total = total + x * x
    return total / len(inputs)


def _limit(quantity: str, library: Any, primals: Any, data: Any, tangents: Any) -> Callable[[], Any]:
    (inputs,) = data
    out = answers(quantity, primals)
    kept = (np.empty(inputs.size),) if quantity == "gradient" else ()
    function = getattr(library, f"recurrence_{quantity}")
    return filling(call(function, *primals, *tangents, inputs, inputs.size, *kept, *out), out)


def _loop(steps: int, python: bool = False, **marks: Any) -> Loop:
    return Loop(
        family="recurrence",
        size=("python-" if python else "") + str(steps),
        parameters=lambda random: (np.array(2.8), np.array(0.3)),
        data=lambda random: (random.uniform(-0.01, 0.01, size=steps),),
        covector=(lambda: _looped) if python else _covector,
        jax=_jax,
        torch=lambda: _looped,
        limit=_limit,
        left_out={"torch": "a call takes many seconds"} if steps > PATIENCE else {},
        marks=marks,
    )


def cases() -> list[Case]:
    """Two lengths, and a short loop in Python that `jit` has to roll."""
    loops = [_loop(9, small=True), *(_loop(size) for size in SIZES), _loop(PYTHON_STEPS, python=True)]
    return [case for loop in loops for case in loop.cases()]
