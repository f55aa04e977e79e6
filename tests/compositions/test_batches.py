"""`vmap` composed with both modes and itself, against loops over the lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from compositions.cases import Case, cases, differentiable
from covector.core.primitive import bind

SMOOTH = cases(differentiable)
LANES = 3


def loop(fun: Callable[..., Sequence[Any]], *columns: Sequence[Any]) -> list[Any]:
    """Apply `fun` to each lane and stack the results."""
    return [np.stack(ys) for ys in zip(*[fun(*row) for row in zip(*columns, strict=True)], strict=True)]


def stacked(rows: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(np.stack(column) for column in zip(*rows, strict=True))


def arrays(xs: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(np.asarray(x) for x in xs)


def directions(case: Case, what: str) -> list[tuple[Any, ...]]:
    return [arrays(case.draw(what, f"lane {k}")) for k in range(LANES)]


def derivatives(case: Case) -> dict[str, tuple[Callable[..., Any], list[tuple[Any, ...]]]]:
    return {
        "jvp": (lambda xs, ts: cv.jvp(case.smooth, xs, ts)[1], directions(case, "args")),
        "vjp": (lambda xs, us: cv.vjp(case.smooth, *xs)[1](us), directions(case, "out")),
    }


@pytest.mark.parametrize("mode", ["jvp", "vjp"])
@pytest.mark.parametrize("case", SMOOTH)
def test_vmap_of_a_derivative_is_a_loop(case: Case, mode: str) -> None:
    """Points and directions mapped; points only; directions only, which is what Jacobians do."""
    fun, rows = derivatives(case)[mode]
    points = [arrays(xs) for xs in case.lanes(LANES)]
    xs, us = stacked(points), stacked(rows)
    case.close(cv.vmap(fun)(xs, us), loop(fun, points, rows))
    case.close(cv.vmap(fun, in_axes=(0, None))(xs, rows[1]), loop(fun, points, [rows[1]] * LANES))
    case.close(cv.vmap(fun, in_axes=(None, 0))(points[1], us), loop(fun, [points[1]] * LANES, rows))


@pytest.mark.parametrize("case", SMOOTH)
def test_a_derivative_of_vmap_is_a_loop(case: Case) -> None:
    points, ts, us = case.lanes(LANES), directions(case, "args"), directions(case, "out")
    mapped, xs = cv.vmap(case.smooth), stacked(points)
    wanted = derivatives(case)
    case.close(cv.jvp(mapped, xs, stacked(ts))[1], loop(wanted["jvp"][0], map(tuple, points), ts))
    case.close(cv.vjp(mapped, *xs)[1](stacked(us)), loop(wanted["vjp"][0], map(tuple, points), us))


@pytest.mark.parametrize("case", cases(lambda c: differentiable(c) and len(c.args) > 1))
def test_each_argument_mapped_alone(case: Case) -> None:
    """An argument that all lanes share gets the sum of the lanes' cotangents."""
    rows, us = case.lanes(LANES), directions(case, "out")
    pull = derivatives(case)["vjp"][0]
    for k in range(len(case.args)):
        axes = tuple(0 if i == k else None for i in range(len(case.args)))
        points = [tuple(x if i == k else rows[0][i] for i, x in enumerate(row)) for row in rows]
        xs = tuple(np.stack([p[i] for p in points]) if i == k else rows[0][i] for i in range(len(case.args)))
        got = cv.vjp(cv.vmap(case.smooth, in_axes=axes), *xs)[1](stacked(us))
        want = [c if i == k else c.sum(axis=0) for i, c in enumerate(loop(pull, points, us))]
        case.close(got, want)


def positions(case: Case) -> list[int]:
    return [i for i, x in enumerate(case.sample.args) if isinstance(x, np.ndarray) and x.dtype.kind in "iub"]


@pytest.mark.parametrize("case", cases(lambda c: differentiable(c) and bool(positions(c))))
def test_integer_arguments_mapped_alone(case: Case) -> None:
    """Indices and masks differ between lanes, what they point into does not: its cotangent is the sum over lanes."""
    places = positions(case)

    def of_integers(xs: tuple[Any, ...], *integers: Any) -> tuple[Any, ...]:
        full = list(case.sample.args)
        for i, x in zip([*places, *case.active], [*integers, *xs], strict=True):
            full[i] = x
        out = bind(case.primitive, full, case.sample.params)
        return tuple(out[i] for i in case.places) if case.primitive.multiple else (out,)

    integers = [np.stack([case.sample.args[i]] * LANES) for i in places]
    mapped = cv.vmap(of_integers, in_axes=(None, *[0] * len(places)))
    xs, t, us = tuple(case.args), case.draw("args", "t"), directions(case, "out")
    _, pullback = cv.vjp(lambda *ys: mapped(ys, *integers), *xs)
    pulled = [cv.vjp(case.smooth, *xs)[1](u) for u in us]
    case.close(pullback(stacked(us)), [sum(cts[1:], cts[0]) for cts in zip(*pulled, strict=True)])
    tangents = cv.jvp(lambda *ys: mapped(ys, *integers), xs, t)[1]
    case.close(tangents, [np.stack([y] * LANES) for y in cv.jvp(case.smooth, xs, t)[1]])


@pytest.mark.parametrize("case", cases(lambda c: bool(c.args)))
def test_vmap_of_vmap(case: Case) -> None:
    """A grid of lanes: the outer map along the last axis of the stack, the inner along the first, and back again."""
    rows = case.lanes(2 * LANES)
    want = [y.reshape((2, LANES, *y.shape[1:])) for y in loop(case.fun, *zip(*rows, strict=True))]
    grid = [x.reshape((2, LANES, *x.shape[1:])) for x in stacked(rows)]
    case.close(cv.vmap(cv.vmap(case.fun))(*grid), want)
    turned = [np.moveaxis(x, 1, -1) for x in grid]
    inner = cv.vmap(case.fun, in_axes=-1)
    case.close(cv.vmap(inner)(*turned), want)
    outer = cv.vmap(cv.vmap(case.fun, in_axes=0), in_axes=-1, out_axes=1)
    case.close(outer(*turned), want)


@pytest.mark.parametrize("case", cases(lambda c: len(c.args) > 1))
def test_vmap_of_vmap_over_different_arguments(case: Case) -> None:
    """All pairs of lanes of the first argument and lanes of the others."""
    rows = case.lanes(LANES)
    first, rest = np.stack([r[0] for r in rows]), [np.stack(c) for c in list(zip(*rows, strict=True))[1:]]
    none = (None,) * len(rest)
    zero = (0,) * len(rest)
    want = [
        np.stack([np.stack(ys) for ys in column])
        for column in zip(*[list(zip(*[case.fun(a[0], *b[1:]) for b in rows], strict=True)) for a in rows], strict=True)
    ]
    got = cv.vmap(cv.vmap(case.fun, in_axes=(None, *zero)), in_axes=(0, *none))(first, *rest)
    case.close(got, want)
    got = cv.vmap(cv.vmap(case.fun, in_axes=(0, *none)), in_axes=(None, *zero), out_axes=1)(first, *rest)
    case.close(got, want)


@pytest.mark.parametrize("case", SMOOTH)
def test_vmap_of_second_derivatives(case: Case) -> None:
    """vmap∘jvp∘vjp and vjp∘vmap∘jvp against a loop."""
    points = [arrays(xs) for xs in case.lanes(LANES)]
    t, u = arrays(case.draw("args", "t")), arrays(case.draw("out", "u"))

    def curvature(*xs: Any) -> Any:
        return cv.jvp(lambda *ys: cv.vjp(case.smooth, *ys)[1](u), xs, t)[1]

    want = loop(curvature, *zip(*points, strict=True))
    case.close(cv.vmap(curvature)(*stacked(points)), want)
    pushed = cv.vmap(lambda *xs: cv.jvp(case.smooth, xs, t)[1])
    us = tuple(np.stack([x] * LANES) for x in u)
    case.close(cv.vjp(pushed, *stacked(points))[1](us), want)


@pytest.mark.parametrize("case", cases(lambda c: bool(c.args)))
@pytest.mark.parametrize("lanes", [0, 1])
def test_no_lane_and_one_lane(case: Case, lanes: int) -> None:
    xs = [np.stack([np.asarray(x)] * 2)[:lanes] for x in case.args]
    out = cv.vmap(case.fun)(*xs)
    for got, y in zip(out, case.out, strict=True):
        assert got.shape == (lanes, *y.shape)
        assert got.dtype == y.dtype
        if lanes:
            case.close([got[0]], [np.asarray(y)])
