"""Whether contestants computed the same, before anything is timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Arrays = Sequence[np.ndarray[Any, Any]]


def difference(got: Arrays, expected: Arrays, tolerance: float) -> str | None:
    """What is wrong with a result.

    Parameters
    ----------
    got, expected
        The leaves of the result and of the reference.
    tolerance
        Largest difference allowed in an array, relative to the array's largest element.

    Returns
    -------
    str or None
        The first difference in words; None if there is none.
    """
    if len(got) != len(expected):
        return f"{len(got)} arrays, expected {len(expected)}"
    for index, (mine, reference) in enumerate(zip(got, expected, strict=True)):
        if mine.shape != reference.shape or mine.dtype != reference.dtype:
            return f"array {index} is {mine.dtype}{mine.shape}, expected {reference.dtype}{reference.shape}"
        if not mine.size:
            continue
        scale = float(np.max(np.abs(reference)))
        error = float(np.max(np.abs(mine - reference)))
        if not error <= tolerance * scale:
            relative = error / scale if scale else float("inf")
            return (
                f"array {index} of shape {mine.shape} is off by {relative:.2e} relative to the largest element, "
                f"allowed {tolerance:.0e}"
            )
    return None
