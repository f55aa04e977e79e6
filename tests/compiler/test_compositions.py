"""The suites of compositions, of conformance and of the documented interfaces, with `jit` around every nesting.

The tests are those suites' own; only what they call `cv` is another thing. The default run takes a seeded choice of
them, one way of compiling each; ``pytest --full`` or ``COVECTOR_FULL=1`` takes all, in all ways.
"""

from __future__ import annotations

import importlib
import os
import zlib
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import in_place.programs as in_place
from compiler.jitted import WAYS, parametrised
from compositions.cases import assert_close
from covector.compiler.jit import jit
from covector.testing import check_grads
from in_place.generator import random_program

FULL = bool(os.environ.get("COVECTOR_FULL"))
PROGRAMS = 300 if FULL else 4

SHARE = {
    "compositions.test_batches": 130,
    "compositions.test_calls": 30,
    "compositions.test_orders": 130,
    "compositions.test_programs": 300,
    "conformance.test_primitives": 300,
    "reference.test_000_torch_func_vjp": 3,
    "reference.test_001_torch_autograd_functional_vjp": 3,
    "reference.test_002_torch_func_jvp": 3,
    "reference.test_003_jax_vjp": 3,
    "reference.test_004_torch_func_jacrev": 3,
}
"""The suites; one test of so many is in the default run."""

CONFORMANCE = "conformance.test_primitives"

SKIPPED = {
    # About what primitives declare and abstract values, not about running anything.
    "test_abstract_value_is_the_actual_one",
    "test_constants_return_plain_values",
    "test_every_primitive_has_samples_and_all_slots",
    # About the equations of recorded programs, of which a compiled call is one.
    "test_no_intermediate_value_of_a_derivative_is_wider",
    # They return strings, which compiled functions do not.
    "test_has_aux_returns_a_triple",
    "test_has_aux_returns_a_pair",
    "test_has_aux",
    # A rule that looks at the cotangent's value, which the program of a pullback does not know.
    "test_chunk_size_one_is_a_loop",
}


def _cases() -> list[Any]:
    found = []
    for suite, share in SHARE.items():
        for label, test, values in parametrised(importlib.import_module(suite)):
            if test.__name__ in SKIPPED:
                continue
            name = f"{suite.split('.')[-1].removeprefix('test_')}-{label}"
            number = zlib.crc32(name.encode())
            if not FULL and number % share:
                continue
            ways = list(WAYS) if FULL else [list(WAYS)[number // share % 3]]
            found += [pytest.param(suite, test, values, way, id=f"{way}-{name}") for way in ways]
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("suite", "test", "values", "way"), _cases())
def test_compiled(suite: str, test: Any, values: dict[str, Any], way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module: ModuleType = importlib.import_module(suite)
    if suite == CONFORMANCE:
        monkeypatch.setattr(module, "covector", WAYS[way])
        monkeypatch.setattr(module, "check_grads", lambda f, *args, **options: check_grads(jit(f), *args, **options))
    else:
        monkeypatch.setattr(module, "cv", WAYS[way])
    if "rng" in test.__code__.co_varnames[: test.__code__.co_argcount]:
        values = {**values, "rng": np.random.default_rng(0)}
    test(**values)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_random_programs_in_place(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled code may round once where NumPy rounds twice, so that values are equal to rounding only."""
    monkeypatch.setattr(in_place, "cv", WAYS[list(WAYS)[seed % 3]])
    monkeypatch.setattr(in_place, "same_bits", lambda got, want, what: assert_close(got, want, 1e-11, 1e-12))
    in_place.check(random_program(seed))
