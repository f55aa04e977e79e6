"""The exchange algorithm of Remez on a grid, in arbitrary precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath
from mpmath import mpf

__all__ = ["minimax"]

_DIGITS = 45
_ROUNDS = 12


def _extrema(errors: list[Any], wanted: int) -> list[int]:
    """Positions of `wanted` extreme errors of alternating sign, with the largest among them."""
    found: list[int] = []
    for k, error in enumerate(errors):
        if found and (errors[found[-1]] > 0) == (error > 0):
            if abs(error) > abs(errors[found[-1]]):
                found[-1] = k
        else:
            found.append(k)
    while len(found) > wanted:
        sizes = [abs(errors[k]) for k in found]
        if len(found) == wanted + 1:
            del found[0 if sizes[0] < sizes[-1] else -1]
        else:
            pair = min(range(len(found) - 1), key=lambda i: max(sizes[i], sizes[i + 1]))
            first = 0 if pair == 0 else len(found) - 2 if pair == len(found) - 2 else pair
            del found[first : first + (1 if first == 0 else 2)]
    return found


def _powers(scaled: list[Any], middle: Any, half: Any) -> list[Any]:
    """Coefficients in powers of x from those in powers of (x - middle) / half."""
    out: list[Any] = []
    for coefficient in reversed(scaled):
        product = [mpf(0), *[c / half for c in out]]
        for i, c in enumerate(out):
            product[i] -= c * middle / half
        product[0] += coefficient
        out = product
    return out


def minimax(
    function: Callable[[Any], Any],
    low: Any,
    high: Any,
    degree: int,
    weight: Callable[[Any], Any] | None = None,
    grid: int = 600,
) -> tuple[list[Any], Any]:
    """The polynomial of `degree` with the smallest largest weighted error on [low, high].

    Parameters
    ----------
    function : callable
        What to fit; takes and returns mpmath numbers.
    weight : callable, optional
        Multiplies the error; the reciprocal of `function`, which makes the error relative, unless given.
    grid : int
        Number of Chebyshev points on which the error is looked at.

    Returns
    -------
    coefficients : list
        By rising power of x.
    error : mpf
        The largest weighted error.
    """
    with mpmath.workdps(_DIGITS):
        return _exchange(function, mpf(low), mpf(high), degree, weight, grid)


def _exchange(
    function: Callable[[Any], Any],
    low: Any,
    high: Any,
    degree: int,
    weight: Callable[[Any], Any] | None,
    grid: int,
) -> tuple[list[Any], Any]:
    middle, half = (low + high) / 2, (high - low) / 2
    scaled = [-mpmath.cos(mpmath.pi * (2 * k + 1) / (2 * grid)) for k in range(grid)]
    points = [middle + half * u for u in scaled]
    values = [mpf(function(x)) for x in points]
    weights = [mpf(weight(x)) if weight else 1 / abs(v) for x, v in zip(points, values, strict=True)]
    chosen = [round((grid - 1) * k / (degree + 1)) for k in range(degree + 2)]
    best: tuple[list[Any], Any] | None = None
    for _ in range(_ROUNDS):
        system = mpmath.matrix(
            [[*[scaled[k] ** j for j in range(degree + 1)], (-1) ** i / weights[k]] for i, k in enumerate(chosen)]
        )
        solution = list(mpmath.lu_solve(system, mpmath.matrix([values[k] for k in chosen])))
        coefficients, level = solution[:-1], abs(solution[-1])
        errors = [
            w * (mpmath.polyval(coefficients, u, asc=True) - v) for u, v, w in zip(scaled, values, weights, strict=True)
        ]
        worst = max(abs(e) for e in errors)
        if best is None or worst < best[1]:
            best = coefficients, worst
        following = _extrema(errors, degree + 2)
        if len(following) < degree + 2 or worst < mpf("1.02") * level:
            break
        chosen = following
    assert best is not None
    return _powers(best[0], middle, half), best[1]
