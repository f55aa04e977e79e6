"""Two things beyond a fit: a Hessian-vector product and a batched Jacobian."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from covector import grad, hessian, hvp, jacfwd, vmap

from .data import Floats, Problem
from .fitting import covariance_factor

BATCH = 1000


@dataclass(frozen=True)
class CurvatureProduct:
    """A Hessian-vector product beside two other ways to get it."""

    direction: Floats
    product: Floats
    hessian_digits: float
    difference_digits: float
    seconds: float
    hessian_seconds: float


@dataclass(frozen=True)
class BatchedJacobian:
    """One batched Jacobian beside a Python loop over the same parameter sets."""

    shape: tuple[int, ...]
    digits: float
    seconds: float
    loop_seconds: float


def _timed(run: Callable[[], Any], runs: int = 5) -> tuple[Any, float]:
    result, quickest = None, np.inf
    for _ in range(runs):
        begin = perf_counter()
        result = run()
        quickest = min(quickest, perf_counter() - begin)
    return result, quickest


def _digits(value: Floats, reference: Floats) -> float:
    """Digits of agreement in the norm; 16 when nothing differs."""
    error = np.linalg.norm(value - reference) / np.linalg.norm(reference)
    return float(min(-np.log10(error), 16.0)) if error > 0 else 16.0


def curvature_product(problem: Problem, b: Floats, direction: Floats) -> CurvatureProduct:
    """Product of the Hessian of the sum of squares at `b` with `direction`."""
    (_, (product,)), seconds = _timed(lambda: hvp(problem.sum_of_squares, (b,), (direction,)))
    full, hessian_seconds = _timed(lambda: hessian(problem.sum_of_squares)(b))
    gradient = grad(problem.sum_of_squares)
    # The step that balances truncation against rounding in a central difference, relative to the direction.
    step = np.finfo(float).eps ** (1 / 3)
    difference = (gradient(b + step * direction) - gradient(b - step * direction)) / (2 * step)
    return CurvatureProduct(
        direction=direction,
        product=product,
        hessian_digits=_digits(product, full @ direction),
        difference_digits=_digits(difference, product),
        seconds=seconds,
        hessian_seconds=hessian_seconds,
    )


def batched_jacobian(problem: Problem, b: Floats, jacobian: Floats) -> BatchedJacobian:
    """Jacobians of the model at many plausible parameter sets, drawn from the covariance of the fit."""
    rng = np.random.default_rng(1234)
    draws = b + rng.standard_normal((BATCH, len(b))) @ covariance_factor(problem, b, jacobian).T
    single = jacfwd(problem.model)
    batched, seconds = _timed(lambda: vmap(single, in_axes=(0, None))(draws, problem.x))
    looped, loop_seconds = _timed(lambda: np.stack([single(draw, problem.x) for draw in draws]), runs=1)
    return BatchedJacobian(batched.shape, _digits(batched, looped), seconds, loop_seconds)
