"""First derivatives of the elementwise functions against mpmath; `python -m benchmarks accuracy` shows the table.

By default NumPy's functions and a seeded choice of SciPy's at a few points; with ``--full`` all of them at all points.
"""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
from benchmarks import accuracy
from benchmarks.references import REFERENCES
from benchmarks.references.exceptions import EXCEPTIONS, NO_REFERENCE

FULL = bool(os.environ.get("COVECTOR_FULL"))
COUNT = accuracy.POINTS if FULL else 12
ALL = {function.name: function for function in accuracy.functions()}
_SPECIAL = [name for name in ALL if name.startswith("scipy.") and name in REFERENCES]
_OWN = ["exp", "erf", "erfc", "erfcx", "dawsn", "ndtr", "ndtri", "log_ndtr", "expit", "log_expit", "xlogy", "betaln"]
CHOSEN = {f"scipy.special.{name}" for name in _OWN} | set(random.Random(0).sample(_SPECIAL, 25))


def compared() -> list[str]:
    """The functions to compare in this run."""
    names = [name for name in ALL if name in REFERENCES]
    return names if FULL else [name for name in names if name.startswith("np.") or name in CHOSEN]


@pytest.mark.parametrize("name", compared())
def test_derivative_is_accurate(name: str) -> None:
    for row in accuracy.rows_of(ALL[name], COUNT):
        good, note = accuracy.judge(row)
        assert good, f"{row}: {note}"


def test_every_function_has_a_reference_or_a_reason() -> None:
    without = [f for f in ALL.values() if f.name not in REFERENCES and f.name not in NO_REFERENCE]
    assert [f.name for f in without if accuracy.has_derivative(f)] == []


def test_every_exception_says_what_it_is_about() -> None:
    known = {name.partition(":")[0] for name in (*EXCEPTIONS, *NO_REFERENCE)}
    assert known <= set(ALL)
    assert all(reason for _, reason in EXCEPTIONS.values()) and all(NO_REFERENCE.values())
    assert all(bound > accuracy.LIMIT for bound, _ in EXCEPTIONS.values())


def test_an_inaccurate_derivative_is_found() -> None:
    assert not accuracy.judge(accuracy.Row("np.tanh", 0, 8.5, (1.0,), 30))[0]
    assert accuracy.judge(accuracy.Row("np.tanh", 0, 7.5, (1.0,), 30))[0]
    assert not accuracy.judge(accuracy.Missing("np.tanh", 0))[0]


def test_ulps_of_neighbours() -> None:
    assert accuracy.ulps(1.0, accuracy.mp.mpf(1)) == 0
    assert accuracy.ulps(np.nextafter(1.5, 2), accuracy.mp.mpf(1.5)) == 1
    assert accuracy.ulps(np.nan, accuracy.mp.mpf(1)) == np.inf
