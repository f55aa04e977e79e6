"""An initial value problem from start to end: a loop over output times around a loop over steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.tracer import Tracer, concrete
from ...core.values import dtype_of, shape_of
from ...transforms.batching import BatchTracer
from ..scan import scan
from ..while_loop import while_loop
from .dopri import Clock, Field, Options, State, attempt, choose, data, first_state, interpolate

__all__ = ["integrate", "known_value"]


def integrate(field: Field, y: Any, t: Any, options: Options, name: str = "odeint") -> Any:
    """The solution at the times `t`, along a new first axis; `field` takes one array and the time.

    Rows from where the integration failed on are NaN; if that is known now, it is an error.
    """
    t = t.astype(float)
    count = shape_of(t)[0]
    if count == 0:
        return np.zeros((0, *shape_of(y)), dtype_of(y))
    if count == 1 or 0 in shape_of(y):
        return np.broadcast_to(y, (count, *shape_of(y))) + np.zeros((), dtype_of(y))
    times = data(t)
    start = times[0]
    direction = choose(times[-1] < start, np.float64(-1), np.float64(1))
    clock = Clock(t[0], direction, np.abs(start))
    targets = direction * (t[1:] - t[0])
    last = data(targets[-1])
    state = first_state(field, y, clock, options)
    ordered = np.all(direction * (times[1:] - times[:-1]) >= 0)
    state = state._replace(alive=state.alive & ordered & np.isfinite(last))
    report = _Report(name, clock, options)

    def advance(state: State, target: Any) -> tuple[State, Any]:
        goal = data(target)

        def goes_on(carry: tuple[State, Any]) -> Any:
            state, tries = carry
            return (state.end < goal) & state.alive & (tries < options.mxstep)

        def step(carry: tuple[State, Any]) -> tuple[State, Any]:
            state, tries = carry
            return attempt(field, state, last, clock, options), tries + 1

        state, tries = while_loop(goes_on, step, (state, np.int64(0)))
        report.check(state, tries, goal)
        alive = state.alive & (state.end >= goal)
        # A factor and not a choice, so that what went wrong shows in derivatives, too.
        factor = choose(alive, np.float64(1), np.float64(np.nan)).astype(np.finfo(dtype_of(y)).dtype)
        return state._replace(alive=alive), factor * interpolate(state, target, clock)

    _, rows = scan(advance, state, targets)
    return np.concatenate([np.reshape(y, (1, *shape_of(y))), rows])


def known_value(x: Any) -> Any:
    """The plain value under all transforms, if there is one and it is the same in all lanes; else None."""
    tower = x
    while isinstance(tower, Tracer):
        if isinstance(tower, BatchTracer):
            return None
        tower = tower.value
    return concrete(x)


class _Report:
    """Says what went wrong, where that is known at once."""

    def __init__(self, name: str, clock: Clock, options: Options) -> None:
        self.name = name
        self.clock = clock
        self.options = options

    def check(self, state: State, tries: Any, goal: Any) -> None:
        """Raise RuntimeError if the integration is known not to have come to `goal`."""
        alive, end, tries, goal = map(known_value, (state.alive, state.end, tries, goal))
        if alive is None or end is None or goal is None or (alive and end >= goal):
            return
        t, step = known_value(self.clock.time(state.end)), known_value(state.step)
        if alive:
            raise RuntimeError(
                f"{self.name}: {tries} attempts at a step did not suffice to come from one output time to the next; "
                f"the last was of size {step:.3g} at t={t:.6g}. Raise mxstep={self.options.mxstep}, or rtol and atol; "
                f"if steps are small although the solution is smooth, the problem is stiff: use "
                f'covector.scipy.integrate.solve_ivp(..., method="Radau")'
            )
        raise RuntimeError(
            f"{self.name}: the integration came to its end at t={t:.6g}, where steps of size {step:.3g} were still too "
            f"large: the solution or its derivative becomes infinite, NaN or discontinuous there"
        )
