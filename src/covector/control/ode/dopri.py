"""One step of the Dormand-Prince method: stages, error estimate, the next step size, and the solution in between.

The state is one array `y` of real or complex numbers and the field a function ``field(y, time)`` of it. Inside, time is
counted from the start in the direction of integration; `Clock` translates. The sizes of the steps and whether they are
accepted are data: derivatives take them as given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...core import tree
from ...core.tracer import Tracer
from ...core.values import dtype_of
from ...transforms.stop_gradient import stop_gradient_p

__all__ = ["Clock", "Field", "Options", "State", "attempt", "choose", "data", "first_state", "interpolate"]

Field = Callable[[Any, Any], Any]

# Dormand & Prince 1980; the same in Hairer, Norsett & Wanner, Solving Ordinary Differential Equations I, table II.5.2.
NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0)
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
)
# The solution of order 5; what the one of order 4 differs by; the part of order 4 of the interpolant (Shampine 1986, in
# the form of Hairer's program DOPRI5). The second stage has weight zero in all three, the seventh is the field at the
# end of the step.
SOLUTION = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
BEND = (
    -12715105075 / 11282082432,
    0.0,
    87487479700 / 32700410799,
    -10690763975 / 1880347072,
    701980252875 / 199316789632,
    -1453857185 / 822651844,
    69997945 / 29380423,
)

# The step size control of DOPRI5 (Hairer, Norsett & Wanner, II.4 and IV.2): a proportional-integral controller.
SAFETY = 0.9
SHRINK, GROW = 5.0, 10.0
INTEGRAL = 0.04
PROPORTIONAL = 0.2 - 0.75 * INTEGRAL


class Options(NamedTuple):
    """What does not change during an integration.

    Attributes
    ----------
    rtol, atol : float
        Tolerances.
    hmax : float
        The largest step.
    mxstep : int
        The most attempts at a step between two output times.
    """

    rtol: float
    atol: float
    hmax: float
    mxstep: int


class Clock(NamedTuple):
    """How time inside relates to the user's.

    Attributes
    ----------
    start : float
        The user's time at the start; its derivative is followed.
    direction : float
        1 or -1.
    size : float
        Magnitude of `start`, as data.
    """

    start: Any
    direction: Any
    size: Any

    def time(self, elapsed: Any) -> Any:
        """The user's time."""
        return self.start + self.direction * elapsed


class State(NamedTuple):
    """Where the integration stands: the last accepted step, from `begin` to `end`, and what is known for the next.

    Attributes
    ----------
    begin, end : float
        The step's times, as data.
    y_begin, f_begin, y, f : array
        Solution and field there.
    bend : array
        What the interpolant needs besides.
    step : float
        The size to try next.
    error : float
        The error of the last accepted step in units of what is allowed.
    rejected : bool
        Whether the last attempt was rejected.
    alive : bool
        Whether the integration goes on.
    """

    begin: Any
    end: Any
    y_begin: Any
    f_begin: Any
    y: Any
    f: Any
    bend: Any
    step: Any
    error: Any
    rejected: Any
    alive: Any


def data(x: Any) -> Any:
    """Return `x` as a constant of all derivatives."""
    return stop_gradient_p(x) if isinstance(x, Tracer) else x


def choose(condition: Any, yes: Any, no: Any) -> Any:
    """Return one of two trees; where the condition is known, without touching the other's numbers."""
    if not isinstance(condition, Tracer):
        return yes if condition else no
    return tree.map(lambda a, b: np.where(condition, a, b), yes, no)


def combine(y: Any, h: Any, weights: tuple[float, ...], slopes: list[Any]) -> Any:
    """``y + h * sum(weight * slope)``; without `y`, the sum alone."""
    terms = [w * k for w, k in zip(weights, slopes, strict=True) if w]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return h * total if y is None else y + h * total


def like_numbers_of(y: Any, x: Any) -> Any:
    """Return the real number `x` in the precision of `y`."""
    return x.astype(np.finfo(dtype_of(y)).dtype)


def norm(x: Any, scale: Any) -> Any:
    """Root mean square of ``x / scale`` as a number of double precision."""
    return np.sqrt(np.mean(np.square(np.abs(x / scale)))).astype(float)


def first_state(field: Field, y: Any, clock: Clock, options: Options) -> State:
    """The state before the first step, whose size is that of Hairer, Norsett & Wanner, II.4."""
    f = field(y, clock.time(np.float64(0)))
    y0, f0 = data(y), data(f)
    scale = options.atol + options.rtol * np.abs(y0)
    d0, d1 = norm(y0, scale), norm(f0, scale)
    small = (d0 < 1e-5) | (d1 < 1e-5)
    guess = np.minimum(choose(small, np.float64(1e-6), 0.01 * d0 / choose(small, np.float64(1), d1)), options.hmax)
    euler = y0 + like_numbers_of(y0, clock.direction * guess) * f0
    d2 = norm(data(field(euler, data(clock.time(guess)))) - f0, scale) / guess
    steep = np.maximum(d1, d2)
    flat = steep <= 1e-15
    step = choose(flat, np.maximum(1e-6, 1e-3 * guess), (0.01 / choose(flat, np.float64(1), steep)) ** 0.2)
    # A field that overflows within the guess says nothing about the step but that it must be smaller.
    step = choose(np.isfinite(d2), np.minimum(100 * guess, step), guess)
    return State(
        begin=np.float64(0),
        end=np.float64(0),
        y_begin=y,
        f_begin=f,
        y=y,
        f=f,
        bend=np.zeros_like(f),
        step=data(np.minimum(step, options.hmax)),
        error=np.float64(1e-4),
        rejected=np.bool_(False),
        alive=data(np.isfinite(d0) & np.isfinite(d1)),
    )


def attempt(field: Field, state: State, last: Any, clock: Clock, options: Options) -> State:
    """Try a step that does not go beyond the time `last`; return the state after it, or with a smaller step to try."""
    final = state.end + 1.01 * state.step >= last
    end = choose(final, last, state.end + state.step)
    step = end - state.end
    y, h = state.y, like_numbers_of(state.y, clock.direction * step)
    slopes = [state.f]
    for node, weights in zip(NODES, STAGES, strict=True):
        slopes.append(field(combine(y, h, weights, slopes), clock.time(state.end + node * step)))
    # The sixth stage is at the end of the step, as is the solution.
    y_end = combine(y, h, SOLUTION, slopes)
    slopes.append(field(y_end, clock.time(end)))
    known = [data(k) for k in slopes]
    y0, y1 = data(y), data(y_end)
    scale = options.atol + options.rtol * np.maximum(np.abs(y0), np.abs(y1))
    error = norm(combine(None, data(h), ERROR, known), scale)
    accepted = error <= 1
    size = next_step(step, error, accepted, state, options)
    bend = combine(None, h, BEND, slopes)
    after = State(state.end, end, y, state.f, y_end, slopes[-1], bend, size, np.maximum(error, 1e-4), ~accepted, True)
    before = state._replace(step=size, rejected=~accepted)
    alive = resolved(clock, choose(accepted, end, state.end), size) | (accepted & final)
    return choose(accepted, after, before)._replace(alive=alive)


def next_step(step: Any, error: Any, accepted: Any, state: State, options: Options) -> Any:
    """The size of the next attempt: DOPRI5's controller, which does not grow a step just after a rejection."""
    finite = np.isfinite(error)
    power = choose(finite, error, np.float64(1)) ** PROPORTIONAL
    after = np.maximum(1 / GROW, np.minimum(SHRINK, power / state.error**INTEGRAL / SAFETY))
    after = np.maximum(after, choose(state.rejected, np.float64(1), np.float64(0)))
    again = choose(finite, np.minimum(SHRINK, power / SAFETY), np.float64(SHRINK))
    return np.minimum(step / choose(accepted, after, again), options.hmax)


def resolved(clock: Clock, elapsed: Any, step: Any) -> Any:
    """Whether a step from there is more than rounding of the time."""
    where = clock.size + elapsed
    return where + 0.1 * step > where


def interpolate(state: State, elapsed: Any, clock: Clock) -> Any:
    """The solution at a time within the last step: Hairer's form of Shampine's polynomial of order 4."""
    moved = state.end > state.begin
    width = choose(moved, state.end - state.begin, np.float64(1))
    theta = like_numbers_of(state.y, (elapsed - state.begin) / width)
    h = like_numbers_of(state.y, clock.direction * width)
    rest = 1 - theta
    rise = state.y - state.y_begin
    curve = h * state.f_begin - rise
    twist = rise - h * state.f - curve
    return state.y_begin + theta * (rise + rest * (curve + theta * (twist + rest * state.bend)))
