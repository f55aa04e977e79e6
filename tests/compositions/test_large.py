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


@pytest.mark.parametrize("case", LARGE)
def test_a_cotangent_that_is_one_number_everywhere(case: Case) -> None:
    """As the pullback of a sum makes it: a view without strides, which must be left as it is."""
    xs = repeated(case, case.args)
    mapped = cv.vmap(case.smooth)
    ones = tuple(np.ones_like(case.out[i]) for i in case.places)
    want = cv.vjp(case.smooth, *case.args)[1](ones)
    got = cv.grad(lambda *ys: sum(np.sum(np.real(y)) for y in mapped(*ys)), tuple(range(len(xs))))(*xs)
    again = cv.jvp(
        lambda *ys: cv.vjp(mapped, *ys)[1](tuple(map(np.ones_like, mapped(*ys)))),
        tuple(xs),
        tuple(repeated(case, case.draw("args", "t"))),
    )[0]
    for many in (got, again):
        for g, w in zip(many, want, strict=True):
            case.close([g], [np.broadcast_to(w, g.shape)])
