"""A function may overwrite its work arrays after use: derivatives are those at the time of use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from compositions.cases import Case, cases, differentiable
from covector.core.primitive import bind


def overwriting(case: Case, wanted: int) -> Any:
    """`case.smooth` as a function of its argument number `wanted`, which ruins all others when it has used them."""

    def fun(x: Any) -> Any:
        full = [a.copy() if isinstance(a, np.ndarray) else a for a in case.sample.args]
        full[wanted] = x
        out = bind(case.primitive, full, case.sample.params)
        for i, a in enumerate(full):
            if isinstance(a, np.ndarray) and i != wanted:
                a[...] = 0
        return tuple(out[i] for i in case.places) if case.primitive.multiple else (out,)

    return fun


def untouched(case: Case, wanted: int) -> Any:
    def fun(x: Any) -> Any:
        full = list(case.sample.args)
        full[wanted] = x
        out = bind(case.primitive, full, case.sample.params)
        return tuple(out[i] for i in case.places) if case.primitive.multiple else (out,)

    return fun


@pytest.mark.parametrize("case", cases(lambda c: differentiable(c) and len(c.sample.args) > 1))
def test_constants_overwritten_after_use(case: Case) -> None:
    u = case.draw("out", "u")
    for i, t in zip(case.active, case.draw("args", "t"), strict=True):
        x = case.sample.args[i]
        ruined, plain = overwriting(case, i), untouched(case, i)
        want = cv.vjp(plain, x)[1](u)
        case.close(cv.vjp(ruined, x)[1](u), want)
        case.close(cv.vjp(cv.checkpoint(ruined), x)[1](u), want)
        case.close(cv.linearize(ruined, x)[1](t), cv.jvp(plain, (x,), (t,))[1])
        second = [cv.jvp(lambda z, f=f: cv.vjp(f, z)[1](u), (x,), (t,))[1] for f in (ruined, plain)]
        case.close(*second)
        graph = cv.make_graph(ruined)(x)
        case.close(graph.run(x), plain(x))


@pytest.mark.parametrize("case", cases(lambda c: differentiable(c) and any(isinstance(x, np.ndarray) for x in c.args)))
def test_arguments_overwritten_by_the_caller(case: Case) -> None:
    """A pullback, a pushforward and a recorded program outlive the arrays they were made from."""
    t, u = case.draw("args", "t"), case.draw("out", "u")
    wanted = cv.vjp(case.smooth, *case.args)[1](u), cv.jvp(case.smooth, tuple(case.args), t)[1]
    xs = [x.copy() if isinstance(x, np.ndarray) else x for x in case.args]
    _, pullback = cv.vjp(case.smooth, *xs)
    _, pushforward = cv.linearize(case.smooth, *xs)
    for x in xs:
        if isinstance(x, np.ndarray):
            x[...] = 0
    case.close(pullback(u), wanted[0])
    case.close(pushforward(*t), wanted[1])
