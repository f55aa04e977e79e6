"""Fit one problem with exact derivatives, and with finite differences to compare."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from covector import grad, hessian, jacfwd

from .data import Floats, Problem

# The certified values are given to 11 significant digits, so agreement beyond that cannot be seen.
CERTIFIED_DIGITS = 11

TOLERANCE = float(np.finfo(float).eps)
MAX_EVALUATIONS = 2000
TIMING_RUNS = 3


@dataclass(frozen=True)
class Fit:
    """The result of one fit: where it ended, how well it agrees, and what it cost."""

    derivatives: str
    start: Floats
    parameters: Floats
    standard_errors: Floats
    parameter_digits: float
    error_digits: float
    residual_calls: int
    jacobian_calls: int
    seconds: float
    newton_steps: int = 0


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, b: Any) -> Any:
        self.calls += 1
        return self.function(b)


def agreement(value: Floats, certified: Floats) -> float:
    """Digits to which `value` agrees with `certified`: the log relative error of its worst element.

    References
    ----------
    B. D. McCullough, Assessing the reliability of statistical software: Part I,
    The American Statistician 52 (1998), 358-366.
    """
    if not np.all(np.isfinite(value)):
        return 0.0
    worst = float(np.max(np.abs(value - certified) / np.abs(certified)))
    return min(max(-np.log10(worst), 0.0), float(CERTIFIED_DIGITS)) if worst > 0 else float(CERTIFIED_DIGITS)


def covariance_factor(problem: Problem, b: Floats, jacobian: Floats) -> Floats:
    """A matrix `C` with ``C @ C.T == s**2 * inv(J.T @ J)``, the covariance of the fitted parameters.

    `J.T @ J` is never formed: its condition number is the square of that of `J`. The columns are brought to
    length one first, because the parameters may differ by many orders of magnitude.
    """
    length = np.linalg.norm(jacobian, axis=0)
    _, r = np.linalg.qr(jacobian / length)
    degrees_of_freedom = len(problem.x) - len(b)
    s = np.sqrt(problem.sum_of_squares(b) / degrees_of_freedom)
    factor: Floats = s * np.linalg.inv(r) / length[:, None]
    return factor


def standard_errors(problem: Problem, b: Floats, jacobian: Floats) -> Floats:
    """Standard error of every parameter, the square root of the diagonal of the covariance."""
    errors: Floats = np.linalg.norm(covariance_factor(problem, b, jacobian), axis=1)
    return errors


def refine(problem: Problem, b: Floats) -> tuple[Floats, int]:
    """Newton steps on the gradient of the sum of squares, with its exact Hessian, down to rounding.

    A solver that compares sums of squares cannot tell parameters apart once the sum has stopped changing in its
    last digit. Near a minimum, where the sum is flat, that happens half-way through the digits of the parameters:
    eight of sixteen. The gradient passes through zero with full slope, so its zero keeps all the digits.

    Returns the refined parameters and the number of steps taken. A point with an indefinite Hessian is no minimum
    and is returned as it came.
    """
    gradient, curvature = grad(problem.sum_of_squares), hessian(problem.sum_of_squares)
    previous, steps = np.inf, 0
    while True:
        h = curvature(b)
        if not np.all(np.diag(h) > 0):
            return b, steps
        scale = 1 / np.sqrt(np.diag(h))
        try:
            lower = np.linalg.cholesky(scale[:, None] * h * scale)
        except np.linalg.LinAlgError:
            return b, steps
        step = -np.linalg.solve(lower.T, np.linalg.solve(lower, scale * gradient(b)))
        size = float(np.linalg.norm(step))
        if not size < previous / 10:  # no longer converging as Newton does: what remains is rounding
            return b, steps
        b, previous, steps = b + scale * step, size, steps + 1


def _solve(problem: Problem, start: Floats, jacobian: Any) -> tuple[Floats, Floats, int]:
    """Run the solver; return the parameters, the Jacobian there, and the number of residual evaluations."""
    residuals = Counted(problem.residuals)
    # Trial steps far from the minimum may overflow; the solver rejects them, so NumPy need not warn.
    with np.errstate(all="ignore"):
        result = least_squares(
            residuals, start, jac=jacobian, method="trf", x_scale="jac",
            xtol=TOLERANCE, ftol=TOLERANCE, gtol=TOLERANCE, max_nfev=MAX_EVALUATIONS,
        )  # fmt: skip
    return result.x, result.jac, residuals.calls


def _quickest(run: Callable[[], Any]) -> float:
    def seconds() -> float:
        begin = perf_counter()
        run()
        return perf_counter() - begin

    return min(seconds() for _ in range(TIMING_RUNS))


def _judged(problem: Problem, b: Floats, jacobian: Floats, **cost: Any) -> Fit:
    """The fit that ended at `b`, with standard errors and digits of agreement worked out."""
    errors = standard_errors(problem, b, jacobian)
    return Fit(
        parameters=b,
        standard_errors=errors,
        parameter_digits=agreement(b, problem.certified),
        error_digits=agreement(errors, problem.standard_error),
        **cost,
    )


def fit_with_differences(problem: Problem, start: Floats) -> Fit:
    """Fit with SciPy's two-point finite differences, and take the standard errors from them too."""
    b, jacobian, calls = _solve(problem, start, "2-point")
    return _judged(
        problem, b, jacobian, derivatives="2-point", start=start, residual_calls=calls, jacobian_calls=0,
        seconds=_quickest(lambda: _solve(problem, start, "2-point")),
    )  # fmt: skip


def fit_exactly(problem: Problem, start: Floats) -> Fit:
    """Fit with the Jacobian of the unchanged residual function."""
    exact = jacfwd(problem.residuals)
    counted = Counted(exact)
    b, jacobian, calls = _solve(problem, start, counted)
    return _judged(
        problem, b, jacobian, derivatives="exact", start=start, residual_calls=calls, jacobian_calls=counted.calls,
        seconds=_quickest(lambda: _solve(problem, start, exact)),
    )  # fmt: skip


def fit_and_refine(problem: Problem, fit: Fit) -> Fit:
    """Continue an exact fit with Newton steps; the cost given is that of both together."""
    b, steps = refine(problem, fit.parameters)
    seconds = fit.seconds + _quickest(lambda: refine(problem, fit.parameters))
    return _judged(
        problem, b, jacfwd(problem.residuals)(b), derivatives="exact + Newton", start=fit.start,
        residual_calls=fit.residual_calls, jacobian_calls=fit.jacobian_calls, seconds=seconds, newton_steps=steps,
    )  # fmt: skip
