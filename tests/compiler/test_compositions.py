"""The suites of compositions, of conformance and of the documented interfaces, with `jit` around every nesting.

The tests are those suites' own; only what they call `cv` is another thing. The default run takes a seeded choice of
them, one way of compiling each; ``pytest --full`` or ``COVECTOR_FULL=1`` takes all, in all ways.
"""

from __future__ import annotations

import os
import zlib
from types import ModuleType
from typing import Any

import pytest

import compositions.test_batches as batches
import compositions.test_calls as calls
import compositions.test_orders as orders
import compositions.test_programs as programs
import conformance.test_primitives as conformance
from compiler.jitted import Jitted, parametrised
from covector.compiler.jit import jit
from covector.testing import check_grads

FULL = bool(os.environ.get("COVECTOR_FULL"))
SHARE = {batches: 90, calls: 20, orders: 90, programs: 220, conformance: 160}
"""One test of so many is in the default run."""

WAYS = {"inside": (True, False), "outside": (False, True), "everywhere": (True, True)}

SKIPPED = {
    # About what primitives declare and abstract values, not about running anything.
    "test_abstract_value_is_the_actual_one",
    "test_constants_return_plain_values",
    "test_every_primitive_has_samples_and_all_slots",
    # About the equations of recorded programs, of which a compiled call is one.
    "test_no_intermediate_value_of_a_derivative_is_wider",
}


def _cases() -> list[Any]:
    found = []
    for label, module, test, values in parametrised(*SHARE):
        if test.__name__ in SKIPPED:
            continue
        name = f"{module.__name__.split('_')[-1]}-{label}"
        number = zlib.crc32(name.encode())
        if not FULL and number % SHARE[module]:
            continue
        ways = list(WAYS) if FULL else [list(WAYS)[number // SHARE[module] % 3]]
        found += [pytest.param(module, test, values, way, id=f"{way}-{name}") for way in ways]
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("module", "test", "values", "way"), _cases())
def test_compiled(
    module: ModuleType, test: Any, values: dict[str, Any], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace = Jitted(*WAYS[way])
    if module is conformance:
        monkeypatch.setattr(module, "covector", namespace)
        monkeypatch.setattr(module, "check_grads", lambda f, *args, **options: check_grads(jit(f), *args, **options))
    else:
        monkeypatch.setattr(module, "cv", namespace)
    test(**values)
