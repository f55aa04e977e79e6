"""Random programs over views, slices, masks, writes and calls mean under the transforms what they mean in NumPy.

A failure prints a program with as few statements as it takes, ready to be run by itself.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from in_place.generator import random_program
from in_place.programs import Program, check, minimised, rounded, same_bits

FULL = os.environ.get("COVECTOR_FULL") == "1"
PARTS = 10
EACH = 200 if FULL else 10


def fails(program: Program) -> bool:
    try:
        check(program)
    except Exception:
        return True
    return False


def assert_means_the_same(program: Program) -> None:
    """Check the program; if it fails, raise what its smallest failing part raises, with that part as text."""
    if not fails(program):
        return
    small = minimised(program, fails)
    try:
        check(small)
    except Exception as error:
        raise AssertionError(f"seed {program.seed}: {type(error).__name__}: {error}\n\n{small.script}") from None


# A failing seed is made small by leaving out statements, not by drawing other seeds, so shrinking is off.
@pytest.mark.parametrize("part", range(PARTS))
def test_random_programs(part: int) -> None:
    inexact: list[int] = []

    @settings(
        max_examples=EACH,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**32 - 1).map(lambda seed: random_program(seed * PARTS + part)))
    def run(program: Program) -> None:
        rounded.clear()
        assert_means_the_same(program)
        if rounded:
            inexact.append(program.seed)

    run()
    assert len(inexact) <= 1 + EACH // 50, inexact


def test_the_generator_reaches_every_kind_of_statement() -> None:
    """Seen as text, in a few hundred programs, so that a kind whose proposals never run is noticed."""
    text = "\n".join(random_program(seed).source for seed in range(300))
    missing = [form for form in FORMS if form not in text]
    assert not missing


FORMS = [
    *["zeros_like", "ones_like", "full_like", "empty_like", "like=", ".copy()", "flatten", "astype", "order='F'"],
    *[".T", ".mT", "swapaxes", "moveaxis", "transpose", "reshape", "ravel", "squeeze", "expand_dims", "flip", "rot90"],
    *["diagonal", "broadcast_to", "np.split", ".real", ".imag", "for r in", "for i in", "while", "if ", "np.ix_"],
    *[".at(", "copyto", "where=", "np.put(", ".put(", "np.place", "putmask", "fill_diagonal", "put_along_axis"],
    *[".fill(", ".sort(", "out=", "np.clip", "+=", "-=", "*=", "/=", "@=", "[1:] = ", "[[-1, 0]]", "mode="],
    *["np.sum(", "np.add.reduce", "cumsum", "cumprod", "concatenate", "np.stack", "np.where", "np.maximum", " @ "],
    *["c0[", "m0]", "k0", "s0 ", "np.conj", "None", "...", "::-1"],
]


def test_two_runs_of_numpy_agree() -> None:
    """No statement reads memory that was never written."""
    for seed in range(100):
        program = random_program(seed)
        first, second = (program.function()(np, *program.fresh_inputs()) for _ in range(2))
        for name, value in first.items():
            same_bits(second[name], value, name)
