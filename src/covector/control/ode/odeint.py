"""`odeint`: initial value problems with derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.errors import ConcretizationError
from ...core.tracer import Tracer
from ...core.values import Aval, aval_of, dtype_of, shape_of
from ...transforms.arguments import check_callable, fun_name
from ...transforms.batching import BatchTrace
from ...transforms.vmap import named_axes
from ..programs.axes import axes_of
from ..programs.bodies import record_body
from .adjoint import integrate_continuously
from .dopri import Field, Options
from .fields import Packing, user_field
from .integration import integrate, known_value

__all__ = ["odeint"]


def odeint(
    func: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    rtol: float = 1.4e-8,
    atol: float = 1.4e-8,
    mxstep: int = 100_000,
    hmax: float = np.inf,
    adjoint: str = "discrete",
) -> Any:
    """Solve an initial value problem ``y' = func(y, t, *args)``, differentiably.

    Parameters
    ----------
    func : callable
        ``func(y, t, *args)`` returns dy/dt in the structure of y, with its shapes and dtypes. It may close over traced
        values.
    y0 : pytree
        The initial value at ``t[0]``: real or complex arrays.
    t : array_like
        The times at which the solution is wanted, increasing or decreasing; the first is the initial time.
    *args : pytree
        What `func` depends on besides.
    rtol, atol : float, optional
        Tolerances: a step is accepted if the root mean square of ``error / (atol + rtol * abs(y))`` is at most 1. An
        `rtol` below ten roundings of the dtype of y counts as those (1.2e-6 in single precision).
    mxstep : int, optional
        The most attempts at a step between two output times.
    hmax : float, optional
        The largest step.
    adjoint : {"discrete", "continuous"}, optional
        How derivatives are made, see Notes.

    Returns
    -------
    pytree
        The solution at all times, in the structure of `y0`, with a new first axis of ``len(t)``.

    Raises
    ------
    TypeError
        `func` returns another structure, shape or dtype than that of y; the message names the leaf.
    ValueError
        The times are not in order, an option makes no sense, or `func` exchanges values between the examples of a
        `vmap` around it, which take steps of their own.
    RuntimeError
        The integration came to a halt: at a singularity, or because of `mxstep`. Where this cannot be known while
        Python runs (`jit`, `vmap`) the solution is NaN from there on.

    Notes
    -----
    The method is that of Dormand and Prince of order 5 with the step size control of DOPRI5, for problems that are not
    stiff. Between the ends of steps, the solution is interpolated to order 4; the last step ends at ``t[-1]``, and
    `func` is never asked about times beyond it. The times that `func` is given have the precision of y.

    Under `jit` the whole integration is one native loop.

    With ``adjoint="discrete"`` the derivative is that of the computed solution with the sizes of its steps held fixed:
    forward and reverse mode agree to rounding, and all orders work. Reverse mode stores what each step needs. With
    ``adjoint="continuous"`` forward mode integrates the sensitivity equations along with the solution, and reverse mode
    the adjoint equations backwards: memory does not grow with the number of steps, the derivatives are as accurate as
    the tolerances, and the two modes agree only so far. `func` is then recorded once and cannot look at values.

    Derivatives reach `y0`, `args`, what `func` closes over, and `t`: that by a time is the slope there.

    Examples
    --------
    >>> import numpy as np, covector
    >>> def decay(y, t, rate):
    ...     return -rate * y
    >>> t = np.array([0.0, 1.0, 2.0])
    >>> covector.odeint(decay, 1.0, t, 0.5).round(6)
    array([1.      , 0.606531, 0.367879])
    >>> covector.grad(lambda rate: covector.odeint(decay, 1.0, t, rate)[-1])(0.5).round(6)
    np.float64(-0.735759)

    References
    ----------
    E. Hairer, S. P. Norsett, G. Wanner, Solving Ordinary Differential Equations I, 2nd edition, II.4-II.6.

    L. F. Shampine, Some practical Runge-Kutta formulas, Mathematics of Computation 46 (1986).

    R. T. Q. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud, Neural Ordinary Differential Equations (2018).
    """
    check_callable(func, "odeint")
    if adjoint not in ("discrete", "continuous"):
        raise ValueError(f'odeint: adjoint must be "discrete" or "continuous", got {adjoint!r}')
    packing = Packing(y0)
    options = _options(rtol, atol, mxstep, hmax, packing.dtype)
    t = _times(t)
    y = packing.join(packing.leaves)
    field = user_field(func, packing, args)
    if named_axes():
        _check_lanes(func, field, y)
    if adjoint == "continuous":
        rows = integrate_continuously(func, field, y, t, options)
    else:
        rows = integrate(field, y, t, options)
    return packing.split(rows, shape_of(t))


def _check_lanes(func: Callable[..., Any], field: Field, y: Any) -> None:
    """Raise ValueError if the field exchanges values between lanes, which take steps of their own."""
    try:
        axes = axes_of(record_body(field, [aval_of(y), Aval((), np.dtype(float))], "odeint", function=func).graph)
    except ConcretizationError:  # it looks at values, and cannot be recorded
        return
    if axes:
        raise ValueError(
            f"odeint: {fun_name(func)} exchanges values over the axis {_name(axes[0])!r}, but the examples of a "
            f"vmap take steps of their own and are never at the same time; make the axis part of the state: odeint of "
            f"a function of all examples, with vmap inside of it"
        )


def _name(axis: Any) -> Any:
    return axis.axis_name if isinstance(axis, BatchTrace) else axis.name


def _options(rtol: Any, atol: Any, mxstep: Any, hmax: Any, dtype: np.dtype[Any]) -> Options:
    for name, x in (("rtol", rtol), ("atol", atol), ("hmax", hmax), ("mxstep", mxstep)):
        if isinstance(x, Tracer):
            raise TypeError(f"odeint: {name} is traced, but it is no quantity to differentiate; pass a Python number")
        if not np.ndim(x) == 0 or not x >= 0 or (x == 0 and name != "rtol" and name != "atol"):
            raise ValueError(f"odeint: {name} must be a positive number, got {x!r}")
    if rtol == 0 and atol == 0:
        raise ValueError("odeint: rtol and atol are both 0, which no step can satisfy")
    # Below that, the error estimate is rounding.
    rtol = max(float(rtol), 10 * float(np.finfo(dtype).eps))
    return Options(rtol, float(atol), float(hmax), int(min(mxstep, np.iinfo(np.int64).max)))


def _times(t: Any) -> Any:
    """The output times as a one-dimensional array of real numbers, in order if that can be told."""
    if isinstance(t, list | tuple) and any(isinstance(x, Tracer) for x in t):
        t = np.stack(t)
    if not isinstance(t, Tracer):
        t = np.asarray(t)
    if len(shape_of(t)) != 1:
        raise ValueError(f"odeint: t must be one-dimensional, got shape {shape_of(t)}; for one time, use [t0, t1]")
    if dtype_of(t).kind not in "iuf":
        raise TypeError(f"odeint: t must hold real numbers, got dtype {dtype_of(t)}")
    known = known_value(t)
    if known is not None:
        steps = np.diff(np.asarray(known, dtype=float))
        if not (np.all(steps >= 0) or np.all(steps <= 0)):
            wrong = int(np.flatnonzero(~(steps * np.sign(known[-1] - known[0]) >= 0))[0])
            raise ValueError(
                f"odeint: t must increase or decrease throughout, got t[{wrong}]={known[wrong]} followed by "
                f"t[{wrong + 1}]={known[wrong + 1]}; sort it"
            )
    return t if dtype_of(t).kind == "f" else t.astype(float)
