"""Large arrays take other ways than small ones: held instead of copied, forgotten, overwritten where nobody else looks.

Many equal lanes make every array large; each lane must come out as it does alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from compositions.cases import Case, cases, differentiable, one_each
from covector.core.protect import COPY_BELOW


def repeated(case: Case, xs: Sequence[Any]) -> list[Any]:
    """Stacks of equal lanes, so many that the smallest argument and the smallest output pass the limit."""
    smallest = min(np.asarray(x).nbytes for x in [*case.args, *(case.out[i] for i in case.places)])
    count = COPY_BELOW // smallest + 1
    return [np.repeat(np.asarray(x)[None], count, axis=0) for x in xs]


LARGE = one_each(cases(lambda c: differentiable(c) and all(np.size(x) for x in [*c.args, *c.out])))


@pytest.mark.parametrize("case", LARGE)
def test_many_equal_lanes(case: Case) -> None:
    t, u = case.draw("args", "t"), case.draw("out", "u")
    xs, ts, us = (repeated(case, given) for given in (case.args, t, u))
    before = [a.copy() for a in (*xs, *ts, *us)]
    mapped = cv.vmap(case.smooth)

    def loss(*ys: Any) -> Any:
        return sum(np.sum(np.real(v * y)) for v, y in zip(us, mapped(*ys), strict=True))

    _, pullback = cv.vjp(mapped, *xs)
    _, pushforward = cv.linearize(mapped, *xs)
    backward = cv.vjp(case.smooth, *case.args)[1](u)
    forward = cv.jvp(case.smooth, tuple(case.args), t)[1]
    found = [
        (pullback(tuple(us)), backward),
        (pullback(tuple(us)), backward),
        (cv.grad(loss, tuple(range(len(xs))))(*xs), backward),
        (pushforward(*ts), forward),
        (cv.jvp(mapped, tuple(xs), tuple(ts))[1], forward),
    ]
    for many, one in found:
        for got, want in zip(many, one, strict=True):
            case.close([got[0], got[-1]], [np.asarray(want)] * 2)
            case.close([got], [np.broadcast_to(want, got.shape)])
    for a, b in zip((*xs, *ts, *us), before, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.flags.writeable


@pytest.mark.parametrize("factor", [1.0, 1.5])
@pytest.mark.parametrize("case", LARGE)
def test_a_cotangent_that_is_one_number_everywhere(case: Case, factor: float) -> None:
    """As the pullback of a sum makes it, a view without strides: neither it nor what it multiplies is overwritten."""
    xs = repeated(case, case.args)
    ones = tuple(np.ones_like(case.out[i]) for i in case.places)
    want = [factor * w for w in cv.vjp(case.smooth, *case.args)[1](ones)]
    mapped = cv.vmap(case.smooth)
    _, pullback = cv.vjp(lambda *ys: sum(np.sum(np.real(y)) for y in mapped(*ys)), *xs)
    for _ in range(2):
        for got, w in zip(pullback(factor), want, strict=True):
            case.close([got], [np.broadcast_to(w.astype(got.dtype), got.shape)])


@pytest.mark.parametrize("shape", [(60,), (5, 40), (3, 4, 50)])
@pytest.mark.parametrize("function", [np.max, np.min, np.nanmax, np.nanmin])
def test_few_ties_in_a_long_array_share_evenly(function: Any, shape: tuple[int, ...]) -> None:
    """The positions of the extremum are looked up in long arrays: same shares as in short ones."""
    sign = 1.0 if function in (np.max, np.nanmax) else -1.0
    x = np.random.default_rng(3).uniform(-1.0, 1.0, shape)
    for k in (3, 7, 19):
        x[..., k] = 2.0 * sign
    hit = x == 2.0 * sign
    t = np.random.default_rng(4).uniform(0.5, 1.0, shape)
    for axis, ties in ((-1, 3), (None, int(hit.sum()))):
        u = np.random.default_rng(5).uniform(0.5, 1.0, function(x, axis=axis).shape)[()]
        shared = np.where(hit, u[..., None] if np.ndim(u) else u, 0) / ties
        np.testing.assert_allclose(cv.vjp(lambda y, a=axis: function(y, axis=a), x)[1](u)[0], shared, rtol=1e-14)
        moved = np.sum(np.where(hit, t, 0), axis=axis) / ties
        np.testing.assert_allclose(cv.jvp(lambda y, a=axis: function(y, axis=a), (x,), (t,))[1], moved, rtol=1e-14)


@pytest.mark.parametrize("zeros", [(), (150,), (150, 290)])
def test_long_cumulative_products(zeros: tuple[int, ...]) -> None:
    """Long recurrences run in blocks: d out[k] / d x[j] is the product of all x[i], i ≤ k, but x[j]."""
    n = 400
    x, t, u = np.random.default_rng(6).uniform(0.9, 1.1, (3, n))
    x[list(zeros)] = 0.0
    others = np.stack([np.cumprod(np.where(np.arange(n) == j, 1.0, x)) for j in range(n)]) * np.tri(n).T
    (backward,) = cv.vjp(np.cumprod, x)[1](u)
    forward = cv.jvp(np.cumprod, (x,), (t,))[1]
    np.testing.assert_allclose(backward, others @ u, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(forward, t @ others, rtol=1e-11, atol=1e-12)
    second = cv.jvp(lambda y: cv.vjp(np.cumprod, y)[1](u)[0], (x,), (t,))[1]
    again = cv.vjp(lambda y: cv.jvp(np.cumprod, (y,), (t,))[1], x)[1](u)[0]
    np.testing.assert_allclose(second, again, rtol=1e-9, atol=1e-10)
