"""Positions: converting them, traced under vmap, and trimming by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import covector as cv
from covector.core.errors import ConcretizationError, NotDifferentiableError
from helpers import assert_same_as_numpy, since


@pytest.mark.parametrize("order", ["C", "F"])
def test_positions_under_vmap(order: Any) -> None:
    x = np.random.default_rng(3).normal(size=(4, 2, 3))

    def largest(x: Any) -> Any:
        i, j = np.unravel_index(np.argmax(np.ravel(x, order)), x.shape, order)
        place = np.ravel_multi_index((i, j), x.shape, order=order)
        return x[i, j], np.ravel(x, order)[place], i

    got = cv.vmap(largest)(x)
    for a, b in zip(got, zip(*[largest(lane) for lane in x], strict=True), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(got[0], x.max(axis=(1, 2)))
    np.testing.assert_array_equal(cv.grad(lambda x: cv.vmap(largest)(x)[0].sum())(x), x == x.max((1, 2), keepdims=True))


@pytest.mark.parametrize("trim", ["fb", "f", "b"])
@pytest.mark.parametrize("x", [[0.0, 0, 1, 0, 2, 0], [1.0], [0.0, 0], [], [[0.0, 0, 0], [0, 1, 0], [0, 2, 0]]], ids=str)
def test_trim_zeros(x: Any, trim: Any) -> None:
    x = np.array(x)
    trim_zeros = since("2.0.0" if x.ndim == 1 else "2.2.0")(np.trim_zeros)
    out, pullback = cv.vjp(lambda x: trim_zeros(x, trim), x)
    assert_same_as_numpy(out, trim_zeros(x, trim))
    np.testing.assert_array_equal(pullback(out)[0], x)
    if x.ndim > 1:
        assert_same_as_numpy(cv.vjp(lambda x: np.trim_zeros(x, trim, axis=1), x)[0], np.trim_zeros(x, trim, axis=1))
    with pytest.raises(ConcretizationError, match=r"np\.where"):
        cv.vmap(lambda x: np.trim_zeros(x))(x[None])


def test_positions_of_several_axes_and_of_arrays() -> None:
    i = np.array([[0, 5], [23, 7]])
    for order in ("C", "F"):
        got = cv.vmap(lambda i, order=order: np.unravel_index(i, (2, 3, 4), order))(i)
        for a, b in zip(got, np.unravel_index(i, (2, 3, 4), order), strict=True):
            assert_same_as_numpy(a, b)
        back = cv.vmap(lambda *at, order=order: np.ravel_multi_index(at, (2, 3, 4), order=order))(*got)
        assert_same_as_numpy(back, i)


def test_modes_of_ravel_multi_index_are_refused() -> None:
    with pytest.raises(NotDifferentiableError, match="mode='clip'"):
        cv.vmap(lambda i: np.ravel_multi_index((i, i), (2, 2), mode="clip"))(np.array([0, 1]))


def test_open_mesh_of_traced_positions() -> None:
    x, i = np.random.default_rng(0).normal(size=(2, 3, 3)), np.array([[0, 2], [1, 1]])
    got = cv.vmap(lambda x, i: x[np.ix_(i, [0, 2])])(x, i)
    assert_same_as_numpy(got, np.stack([a[np.ix_(b, [0, 2])] for a, b in zip(x, i, strict=True)]))
