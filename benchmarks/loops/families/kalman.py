"""Log-likelihood of a series under a linear Gaussian model by the Kalman filter: state 4, observation 2.

The model is motion in a plane at nearly constant velocity, of which positions are observed. Differentiated in the
transition F, the observation H and the covariances Q and R, all entries free.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...compiled.families.base import Case, Function
from ...compiled.limit import call
from .base import Loop, answers, filling

STEPS = 10_000
PYTHON_STEPS = 50
STATE, SEEN = 4, 2
CONSTANT = SEEN * math.log(2.0 * math.pi)


def advance(namespace: Any, parameters: Any, mean: Any, covariance: Any, seen: Any) -> tuple[Any, Any, Any]:
    """Mean and covariance after the observation `seen`, and its log-likelihood."""
    F, H, Q, R = parameters
    mean = F @ mean
    covariance = F @ covariance @ F.T + Q
    cross = H @ covariance
    spread = cross @ H.T + R
    gap = seen - H @ mean
    gain = namespace.linalg.solve(spread, cross).T
    fit = gap @ namespace.linalg.solve(spread, gap) + namespace.linalg.slogdet(spread)[1] + CONSTANT
    return mean + gain @ gap, covariance - gain @ cross, -0.5 * fit


def _scanned(namespace: Any, scan: Function) -> Function:
    def function(F: Any, H: Any, Q: Any, R: Any, mean: Any, covariance: Any, observations: Any) -> Any:
        def step(carry: Any, seen: Any) -> Any:
            mean, covariance, total = carry
            mean, covariance, term = advance(namespace, (F, H, Q, R), mean, covariance, seen)
            return (mean, covariance, total + term), None

        return scan(step, (mean, covariance, 0.0), observations)[0][2]

    return function


def _covector() -> Function:
    import covector

    return _scanned(np, covector.scan)


def _jax() -> Function:
    import jax

    return _scanned(jax.numpy, jax.lax.scan)


def _looped(namespace: Any) -> Function:
    def function(F: Any, H: Any, Q: Any, R: Any, mean: Any, covariance: Any, observations: Any) -> Any:
        total = 0.0
        for seen in observations:
            mean, covariance, term = advance(namespace, (F, H, Q, R), mean, covariance, seen)
            total = total + term
        return total

    return function


def _torch() -> Function:
    import torch

    return _looped(torch)


def _limit(quantity: str, library: Any, primals: Any, data: Any, tangents: Any) -> Callable[[], Any]:
    observations = data[2]
    out = answers(quantity, primals)
    kept = (np.empty((len(observations), STATE + STATE * STATE)),) if quantity == "gradient" else ()
    function = getattr(library, f"kalman_{quantity}")
    return filling(call(function, *primals, *tangents, *data, len(observations), *kept, *out), out)


def model(random: np.random.Generator) -> tuple[Any, ...]:
    """F, H, Q and R near those of motion at constant velocity."""
    F = np.eye(STATE)
    F[0, 2] = F[1, 3] = 0.1
    F *= 0.98
    H = np.eye(SEEN, STATE)
    noise = 0.1 * random.normal(size=(STATE, STATE))
    Q = 0.02 * np.eye(STATE) + 0.1 * noise @ noise.T
    R = np.array([[0.5, 0.1], [0.1, 0.4]])
    return F + 0.005 * random.normal(size=F.shape), H + 0.01 * random.normal(size=H.shape), Q, R


def _loop(steps: int, python: bool = False, **marks: Any) -> Loop:
    def data(random: np.random.Generator) -> tuple[Any, ...]:
        F, H, Q, R = model(np.random.default_rng(1))
        state = random.normal(size=STATE)
        roots = np.linalg.cholesky(Q), np.linalg.cholesky(R)
        observations = np.empty((steps, SEEN))
        for t in range(steps):
            state = F @ state + roots[0] @ random.normal(size=STATE)
            observations[t] = H @ state + roots[1] @ random.normal(size=SEEN)
        return np.zeros(STATE), np.eye(STATE), observations

    return Loop(
        family="kalman",
        size=("python-" if python else "") + str(steps),
        parameters=model,
        data=data,
        covector=(lambda: _looped(np)) if python else _covector,
        jax=_jax,
        torch=_torch,
        limit=_limit,
        marks=marks,
    )


def cases() -> list[Case]:
    """10,000 observations, and a short loop in Python that `jit` has to roll."""
    loops = [_loop(7, small=True), _loop(STEPS), _loop(PYTHON_STEPS, python=True)]
    return [case for loop in loops for case in loop.cases()]
