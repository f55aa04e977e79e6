"""What the composition tests run on: every primitive on its samples, as a function of its real and complex arguments.

The default run takes, of each primitive, one sample of each dtype and two more, chosen by a seed; ``pytest --full`` or
``COVECTOR_FULL=1`` takes all samples.
"""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from covector.core.primitive import PRIMITIVES, Primitive, Sample, bind, load_late_rules
from covector.core.values import dtype_of, is_weak

load_late_rules()

FULL = bool(os.environ.get("COVECTOR_FULL"))
EXTRA = 2

Flat = Callable[..., tuple[Any, ...]]


class Case:
    """A primitive on one sample: `fun` of its differentiable arguments `args` returns a tuple of all its outputs.

    `smooth` is `fun` restricted to the outputs that have a derivative. Integer arguments, and Python numbers beside
    arrays, are held constant.
    """

    def __init__(self, primitive: Primitive, sample: Sample) -> None:
        self.primitive = primitive
        self.sample = sample
        arrays = [i for i, x in enumerate(sample.args) if dtype_of(x).kind in "fc" and not is_weak(x)]
        self.active = arrays or [i for i, x in enumerate(sample.args) if dtype_of(x).kind in "fc"]
        self.args = [sample.args[i] for i in self.active]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.out = self.fun(*self.args)
        self.places = [i for i, y in enumerate(self.out) if y.dtype.kind in "fc"]

    def fun(self, *xs: Any) -> tuple[Any, ...]:
        full = list(self.sample.args)
        for i, x in zip(self.active, xs, strict=True):
            full[i] = x
        out = bind(self.primitive, full, self.sample.params)
        return tuple(out) if self.primitive.multiple else (out,)

    def smooth(self, *xs: Any) -> tuple[Any, ...]:
        out = self.fun(*xs)
        return tuple(out[i] for i in self.places)

    def draw(self, what: str, key: str) -> tuple[Any, ...]:
        """Directions of the arguments ("args") or of the outputs ("out"), away from zero."""
        like = self.args if what == "args" else [self.out[i] for i in self.places]
        rng = np.random.default_rng(zlib.crc32(f"{self.primitive.name}{what}{key}".encode()))
        return tuple(direction(x, rng) for x in like)

    def lanes(self, count: int) -> list[list[Any]]:
        """The arguments of `count` lanes, which differ by a factor: triangles, symmetry and order stay as they are."""
        factors = 1.0 + np.arange(count) * 2.0**-6
        return [[as_lane(x, x * f) for x in self.args] for f in factors]

    @property
    def single(self) -> bool:
        """Whether float32 decides the accuracy."""
        return any(dtype_of(x).name in ("float16", "float32", "complex64") for x in [*self.sample.args, *self.out])

    def close(self, got: Sequence[Any], want: Sequence[Any], factor: float = 1.0) -> None:
        """Assert equal shapes and dtypes, and values equal to rounding, relative to the largest element."""
        rtol, atol = (2e-3, 1e-4) if self.single else (1e-8, 1e-10)
        for g, w in zip(got, want, strict=True):
            assert_close(g, w, rtol * factor, atol * factor)


def direction(x: Any, rng: np.random.Generator) -> Any:
    """A random (co)tangent of `x`."""
    dtype = dtype_of(x)
    t = rng.uniform(0.5, 1.0, np.shape(x)) * rng.choice([-1.0, 1.0], np.shape(x))
    if dtype.kind == "c":
        t = t + 1j * rng.uniform(-1.0, 1.0, np.shape(x))
    return np.asarray(t).astype(dtype)[() if not isinstance(x, np.ndarray) else ...]


def as_lane(x: Any, value: Any) -> Any:
    return np.asarray(value, dtype_of(x))


def assert_close(got: Any, want: Any, rtol: float, atol: float) -> None:
    """Assert equal shape and dtype and ``|got − want| ≤ atol + rtol · max|want|``, where NaN equals NaN."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    assert got.dtype == want.dtype
    finite = np.isfinite(want)
    size = float(np.max(np.abs(want[finite]), initial=0.0))
    np.testing.assert_allclose(got, want, rtol=0, atol=atol + rtol * size)


def _chosen(primitive: Primitive) -> list[tuple[int, Sample]]:
    samples = list(enumerate(primitive.samples))
    if FULL:
        return samples
    rng = np.random.default_rng(zlib.crc32(primitive.name.encode()))
    samples = [samples[i] for i in rng.permutation(len(samples))]
    kinds: dict[Any, tuple[int, Sample]] = {}
    for i, s in samples:
        kinds.setdefault(tuple(sorted({dtype_of(x).name for x in s.args if dtype_of(x).kind in "fc"})), (i, s))
    rest = [s for s in samples if s not in kinds.values()]
    return sorted([*kinds.values(), *rest[:EXTRA]], key=lambda s: s[0])


def cases(choose: Callable[[Case], bool] = lambda c: True) -> list[Any]:
    """Parameters of a test: the chosen samples of every primitive for which `choose` holds."""
    return [
        pytest.param(case, id=f"{case.primitive.name}-{i}-{case.sample.label}")
        for name, primitive in sorted(PRIMITIVES.items())
        for i, sample in _chosen(primitive)
        for case in [Case(primitive, sample)]
        if choose(case)
    ]


def one_each(parameters: list[Any]) -> list[Any]:
    """The first of the cases of each primitive, in the default run."""
    return parameters if FULL else list({c.values[0].primitive.name: c for c in reversed(parameters)}.values())[::-1]


def differentiable(case: Case) -> bool:
    """Whether the case has an argument and an output with a derivative."""
    return not case.primitive.constant and bool(case.args) and bool(case.places)
