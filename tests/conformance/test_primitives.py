"""Every primitive on every sample of its declaration: shapes, both modes, orders one and two, batched."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import covector
import covector.ops.filtering
import covector.ops.lapack
import covector.ops.special
from covector.core.primitive import PRIMITIVES, Primitive, Sample, bind
from covector.core.values import aval_of, dtype_of, shape_of
from covector.testing import check_grads

CASES = [
    pytest.param(p, s, id=f"{name}-{i}-{s.label}")
    for name, p in sorted(PRIMITIVES.items())
    for i, s in enumerate(p.samples)
]
SMOOTH = [c for c in CASES if not c.values[0].constant]


def _outputs(primitive: Primitive, out: Any) -> tuple[Any, ...]:
    return out if primitive.multiple else (out,)


def _active(sample: Sample) -> list[int]:
    return [i for i, x in enumerate(sample.args) if dtype_of(x).kind in "fc"]


def _function(primitive: Primitive, sample: Sample) -> tuple[Any, list[Any]]:
    """The primitive as a function of its real and complex arguments."""
    active = _active(sample)

    def fun(*xs: Any) -> Any:
        full = list(sample.args)
        for i, x in zip(active, xs, strict=True):
            full[i] = x
        return _outputs(primitive, bind(primitive, full, sample.params))

    return fun, [sample.args[i] for i in active]


@pytest.mark.parametrize(("primitive", "sample"), CASES)
def test_abstract_value_is_the_actual_one(primitive: Primitive, sample: Sample) -> None:
    out = _outputs(primitive, primitive.impl(*sample.args, **sample.params))
    avals = _outputs(primitive, primitive.aval(*[aval_of(x) for x in sample.args], **sample.params))
    assert [(a.shape, a.dtype) for a in avals] == [(shape_of(y), dtype_of(y)) for y in out]


@pytest.mark.parametrize(("primitive", "sample"), SMOOTH)
def test_derivatives(primitive: Primitive, sample: Sample) -> None:
    fun, args = _function(primitive, sample)
    check_grads(fun, args, order=2)


@pytest.mark.parametrize(("primitive", "sample"), CASES)
def test_vmap_over_every_axis_equals_a_loop(primitive: Primitive, sample: Sample) -> None:
    """Each argument mapped over each axis, or shared, in all combinations that map at least one."""
    choices = [[None, *range(np.ndim(x) + 1)] if i < 3 else [None] for i, x in enumerate(sample.args)]
    combinations = [c for c in itertools.product(*choices) if any(a is not None for a in c)]
    for axes in combinations[:: max(1, len(combinations) // 8)]:
        _check_vmap(primitive, sample, axes)


def _check_vmap(primitive: Primitive, sample: Sample, axes: tuple[Any, ...]) -> None:
    lanes = [[x if a is None else _vary(x, k) for k in range(2)] for x, a in zip(sample.args, axes, strict=True)]
    args = [xs[0] if a is None else np.stack(xs, axis=a) for xs, a in zip(lanes, axes, strict=True)]
    together = covector.vmap(lambda *xs: _outputs(primitive, bind(primitive, xs, sample.params)), in_axes=axes)(*args)
    for k in range(2):
        alone = _outputs(primitive, primitive.impl(*[xs[k] for xs in lanes], **sample.params))
        for a, b in zip(together, alone, strict=True):
            assert a.dtype == dtype_of(b)
            np.testing.assert_allclose(
                a[k],
                b,
                rtol=1e-5 if a.real.dtype.itemsize <= 4 else 1e-9,
                atol=1e-6 if a.real.dtype.itemsize <= 4 else 1e-12,
            )


def _vary(x: Any, k: int) -> Any:
    x = np.asarray(x)
    return x if x.dtype.kind in "iub" else (x * (1 + k * 2.0**-5)).astype(x.dtype)


@pytest.mark.parametrize(("primitive", "sample"), SMOOTH)
def test_vjp_of_vmap_is_vmap_of_vjp(primitive: Primitive, sample: Sample) -> None:
    fun, args = _function(primitive, sample)
    stacked = [np.stack([_vary(x, k) for k in range(2)]) for x in args]
    out, outside = covector.vjp(covector.vmap(fun), *stacked)
    cts = tuple(
        None if y.dtype.kind not in "fc" else np.ones_like(y) * (1.5 if y.dtype.kind == "f" else 1.5 - 0.5j)
        for y in out
    )
    cts = tuple(None if c is None else c.astype(y.dtype) for c, y in zip(cts, out, strict=True))
    inside = covector.vmap(lambda u, *xs: covector.vjp(fun, *xs)[1](u))(cts, *stacked)
    for a, b in zip(outside(cts), inside, strict=True):
        np.testing.assert_allclose(
            a, b, rtol=1e-4 if a.real.dtype.itemsize <= 4 else 1e-8, atol=1e-5 if a.real.dtype.itemsize <= 4 else 1e-10
        )


@pytest.mark.parametrize("name", sorted(n for n, p in PRIMITIVES.items() if p.constant))
def test_constants_return_plain_values(name: str) -> None:
    primitive = PRIMITIVES[name]
    for sample in primitive.samples:
        fun, args = _function(primitive, sample)
        if args:
            _, _, seen = covector.vjp(lambda *xs, fun=fun: (np.zeros(()), list(fun(*xs))), *args, has_aux=True)
            assert all(isinstance(y, np.ndarray | np.generic) for y in seen)


def test_every_primitive_has_samples_and_all_slots() -> None:
    for name, p in PRIMITIVES.items():
        assert p.samples or p.family in {"call", "collective"} or name == "product", name
        assert all(callable(r) for r in (p.impl, p.aval, p.jvp, p.vjp, p.batch)), name
        assert p.family, name
