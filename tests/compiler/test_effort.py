"""How much LLVM is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from covector.compiler.loops.fuse import fuse
from covector.compiler.loops.plan import Plan, plan
from covector.compiler.native.effort import level_of
from covector.compiler.passes.expand import expand
from covector.compiler.passes.roll import roll
from covector.compiler.passes.simplify import simplify
from covector.core.graph import record
from covector.core.values import aval_of


def planned(fun: Callable[..., Any], *args: Any) -> Plan:
    graph = record(lambda *xs: (fun(*xs),), [aval_of(x) for x in args], "test")
    return plan(fuse(roll(simplify(expand(graph)))))


def repeated(x: Any) -> Any:
    for _ in range(200):
        x = np.sin(x) + x[::-1]
    return x


def test_long_programs_get_all_and_short_ones_less() -> None:
    for long, short in [
        (planned(np.sin, np.ones(80_000)), planned(np.sin, np.ones(20))),
        (planned(repeated, np.ones(400)), planned(repeated, np.ones(5))),
        (planned(np.matmul, *[np.ones((80, 80))] * 2), planned(np.matmul, *[np.ones((12, 12))] * 2)),
        (planned(np.matmul, *[np.ones((90, 40, 40))] * 2), planned(np.sin, np.float64(1.0))),
    ]:
        assert level_of(long, "") == 3 and level_of(short, "") == 2


def test_masses_of_straight_code_are_not_searched_for_vectors() -> None:
    text = " " * 300_000
    assert level_of(planned(np.sin, np.ones(20)), text) == 1
    assert level_of(planned(np.sin, np.ones(80_000)), text) == 3
