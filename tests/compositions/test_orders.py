"""Forward and reverse mode applied to each other: four routes to one second derivative, and its differences.

With H = ∂²⟨u, f(x)⟩ applied to t, in the real pairing ⟨u, y⟩ = Re Σ u y: forward over reverse, reverse over forward and
reverse over reverse give the array H t itself, and forward over forward gives ⟨u, f''(t, s)⟩ = ⟨H t, s⟩.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from compositions.cases import Case, cases, differentiable

SMOOTH = cases(differentiable)


def pair(us: Sequence[Any], ys: Sequence[Any]) -> tuple[float, float]:
    """⟨u, y⟩ and the sum of the absolute values of its terms."""
    terms = [np.real(np.multiply(u, y, dtype=np.result_type(u, float))) for u, y in zip(us, ys, strict=True)]
    return float(sum(np.sum(t) for t in terms)), float(sum(np.sum(np.abs(t)) for t in terms))


def push(case: Case, xs: Sequence[Any], ts: Sequence[Any]) -> tuple[Any, ...]:
    return cv.jvp(case.smooth, tuple(xs), tuple(ts))[1]


def pull(case: Case, xs: Sequence[Any], us: Sequence[Any]) -> tuple[Any, ...]:
    return cv.vjp(case.smooth, *xs)[1](tuple(us))


@pytest.mark.parametrize("case", SMOOTH)
def test_value_and_dtype_in_both_modes(case: Case) -> None:
    xs, ts, us = case.args, case.draw("args", "t"), case.draw("out", "u")
    out = [case.out[i] for i in case.places]
    value, tangent = cv.jvp(case.smooth, tuple(xs), ts)
    primal, pullback = cv.vjp(case.smooth, *xs)
    case.close(value, out)
    case.close(primal, out)
    assert [t.dtype for t in tangent] == [y.dtype for y in out]
    cts = pullback(us)
    assert [(np.shape(c), c.dtype) for c in cts] == [(np.shape(x), np.asarray(x).dtype) for x in xs]
    left, scale = pair(us, tangent)
    right, _ = pair(cts, ts)
    assert abs(left - right) <= (1e-3 if case.single else 1e-9) * (1 + scale)


@pytest.mark.parametrize("case", SMOOTH)
def test_second_derivatives_agree_in_all_orders_of_modes(case: Case) -> None:
    xs = tuple(case.args)
    t, s, u = case.draw("args", "t"), case.draw("args", "s"), case.draw("out", "u")
    _, forward_reverse = cv.jvp(lambda *ys: pull(case, ys, u), xs, t)
    reverse_forward = cv.vjp(lambda *ys: push(case, ys, t), *xs)[1](u)
    reverse_reverse = cv.vjp(lambda *ys: pull(case, ys, u), *xs)[1](t)
    _, forward_forward = cv.jvp(lambda *ys: push(case, ys, t), xs, s)
    case.close(reverse_forward, forward_reverse)
    case.close(reverse_reverse, forward_reverse)
    assert [d.dtype for d in forward_forward] == [case.out[i].dtype for i in case.places]
    left, scale = pair(u, forward_forward)
    right, other = pair(forward_reverse, s)
    assert abs(left - right) <= (1e-3 if case.single else 1e-8) * (1 + scale + other)


@pytest.mark.parametrize("case", cases(lambda c: differentiable(c) and not c.single))
def test_second_derivative_is_the_difference_of_first_ones(case: Case) -> None:
    xs, t, u = tuple(case.args), case.draw("args", "t"), case.draw("out", "u")
    _, got = cv.jvp(lambda *ys: pull(case, ys, u), xs, t)

    def central(h: float) -> list[Any]:
        ends = [pull(case, [x + k * h * d for x, d in zip(xs, t, strict=True)], u) for k in (1, -1)]
        return [(a - b) / (2 * h) for a, b in zip(*ends, strict=True)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        want = [(4 * a - b) / 3 for a, b in zip(central(5e-5), central(1e-4), strict=True)]
    for g, w in zip(got, want, strict=True):
        scale = 1.0 + float(np.max(np.abs(w), initial=0.0))
        assert np.max(np.abs(g - w), initial=0.0) <= 2e-5 * scale


# Of complex input, Jacobians want holomorphic functions.
REAL = cases(lambda c: differentiable(c) and all(x.dtype.kind == "f" and x.size <= 6 for x in map(np.asarray, c.args)))


@pytest.mark.parametrize("case", REAL)
def test_jacobians_agree_in_both_modes_and_all_chunks(case: Case) -> None:
    places = tuple(range(len(case.args)))
    backward = cv.jacrev(case.smooth, places)(*case.args)
    for other in (
        cv.jacfwd(case.smooth, places)(*case.args),
        cv.jacrev(case.smooth, places, chunk_size=1)(*case.args),
        cv.jacfwd(case.smooth, places, chunk_size=2)(*case.args),
    ):
        for got, want in zip(other, backward, strict=True):
            case.close(got, want)


@pytest.mark.parametrize("case", SMOOTH)
@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_gradients_of_a_sum_are_linear_in_its_factor(case: Case, factor: float) -> None:
    """The cotangent is one number everywhere, and traced: d/ds grad(s f) = grad f for every s, one included."""
    places = tuple(range(len(case.args)))

    def gradient(s: Any) -> Any:
        return cv.grad(lambda *ys: s * sum(np.sum(np.real(y)) for y in case.smooth(*ys)), places)(*case.args)

    ones = tuple(np.ones_like(case.out[i])[() if case.out[i].shape == () else ...] for i in case.places)
    want = cv.vjp(case.smooth, *case.args)[1](ones)
    scale = np.float32(factor) if case.single else np.float64(factor)
    case.close(gradient(scale), [(w * scale).astype(w.dtype) for w in want])
    case.close(cv.jvp(gradient, (scale,), (np.ones_like(scale),))[1], want)


@pytest.mark.parametrize("case", cases(lambda c: differentiable(c) and len(c.args) > 1))
def test_each_argument_alone(case: Case) -> None:
    """With the other arguments constant, tangents have the output's dtype and add up, and cotangents are the same."""
    t, u = case.draw("args", "t"), case.draw("out", "u")
    tangents = []
    for i, cotangent in enumerate(pull(case, case.args, u)):

        def of_one(x: Any, i: int = i) -> Any:
            return case.smooth(*case.args[:i], x, *case.args[i + 1 :])

        tangents.append(cv.jvp(of_one, (case.args[i],), (t[i],))[1])
        case.close(cv.vjp(of_one, case.args[i])[1](u), [cotangent])
        assert [y.dtype for y in tangents[-1]] == [case.out[i].dtype for i in case.places]
    case.close([sum(ys[1:], ys[0]) for ys in zip(*tangents, strict=True)], push(case, case.args, t))
