"""Every primitive as machine code computes what its implementation computes.

The default run takes a seeded choice of samples; ``pytest --full`` or ``COVECTOR_FULL=1`` takes all of them.
"""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from covector.compiler.backend import Executable, executable
from covector.core.graph import record
from covector.core.primitive import PRIMITIVES, Primitive, Sample, bind, load_late_rules
from covector.core.values import aval_of, dtype_of, is_weak

load_late_rules()

FULL = bool(os.environ.get("COVECTOR_FULL"))
EACH = 2
"""So many samples of each primitive in the default run."""


def _samples(primitive: Primitive) -> list[tuple[int, Sample]]:
    numbered = [(i, s) for i, s in enumerate(primitive.samples) if any(not is_weak(x) for x in s.args)]
    if FULL:
        return numbered
    rng = np.random.default_rng(zlib.crc32(primitive.name.encode()))
    return [numbered[i] for i in sorted(rng.permutation(len(numbered))[:EACH])]


CASES = [
    pytest.param(p, s, id=f"{name}-{i}-{s.label}")
    for name, p in sorted(PRIMITIVES.items())
    if p.family not in ("call", "collective")
    for i, s in _samples(p)
]


def outputs(primitive: Primitive, args: Sequence[Any], params: dict[str, Any]) -> tuple[Any, ...]:
    """What NumPy computes; whatever it warns of is no matter here."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        out = bind(primitive, args, params)
    return tuple(out) if primitive.multiple else (out,)


def compiled(primitive: Primitive, sample: Sample, places: Sequence[int]) -> tuple[Executable, list[Any]]:
    """The program of which the arguments at `places` are the inputs and the others constants, and these inputs."""

    def fun(*xs: Any) -> tuple[Any, ...]:
        full = list(sample.args)
        for i, x in zip(places, xs, strict=True):
            full[i] = x
        out = bind(primitive, full, sample.params)
        return tuple(out) if primitive.multiple else (out,)

    args = [sample.args[i] for i in places]
    return executable(record(fun, [aval_of(x) for x in args], primitive.name)), args


def assert_equal(got: Any, want: Any) -> None:
    """Assert equal shapes and dtypes, and values up to a few units in the last place of the largest."""
    assert isinstance(got, np.ndarray)
    want = np.asarray(want)
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    if want.dtype.kind not in "fc":
        np.testing.assert_array_equal(got, want)
        return
    eps = float(np.finfo(want.dtype).eps)
    size = float(np.max(np.abs(want), initial=0.0, where=np.isfinite(want)))
    np.testing.assert_allclose(got, want, rtol=64 * eps, atol=64 * eps * size)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("primitive", "sample"), CASES)
def test_machine_code_is_the_implementation(primitive: Primitive, sample: Sample) -> None:
    """With all arrays as inputs, and with those of integers and bools as constants of the program."""
    want = outputs(primitive, sample.args, sample.params)
    arrays = [i for i, x in enumerate(sample.args) if not is_weak(x)]
    numbers = [i for i in arrays if dtype_of(sample.args[i]).kind in "fc"]
    for places in [arrays, numbers] if 0 < len(numbers) < len(arrays) else [arrays]:
        program, args = compiled(primitive, sample, places)
        kept = [np.copy(x) for x in args]
        first, second = program(*args), program(*args)
        for got in (first, second):
            assert len(got) == len(want)
            for g, w in zip(got, want, strict=True):
                assert_equal(g, w)
        for x, y in zip(args, kept, strict=True):
            np.testing.assert_array_equal(x, y)
        mine = [y for y in (*first, *second) if y.size]
        assert not any(np.shares_memory(y, x) for y in mine for x in args if isinstance(x, np.ndarray))
        assert not any(np.shares_memory(x, y) for k, x in enumerate(mine) for y in mine[:k])


def test_every_primitive_is_among_the_cases() -> None:
    """Apart from those without samples, and calls of functions and of other processes."""
    missing = {n for n, p in PRIMITIVES.items() if p.family not in ("call", "collective")}
    missing -= {c.values[0].name for c in CASES}
    for name in missing:
        assert not any(not is_weak(x) for s in PRIMITIVES[name].samples for x in s.args), name
