"""Arrays that are not differentiated: the function cannot change the caller's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import covector as cv

MATRICES = [cv.grad, cv.value_and_grad, cv.jacrev, cv.jacfwd, cv.hessian]


def overwrites(x: Any, y: Any, *, z: Any) -> Any:
    y[0] = 7.0
    z += 1.0
    return np.sum(x**2 * y) + np.sum(z)


@pytest.mark.parametrize("transform", MATRICES)
def test_other_arguments_and_keywords(transform: Callable[..., Any]) -> None:
    x, y, z = np.ones(3), np.ones(3), np.ones(3)
    first = transform(overwrites)(x, y, z=z)
    np.testing.assert_array_equal(y, np.ones(3))
    np.testing.assert_array_equal(z, np.ones(3))
    if transform is cv.grad:
        np.testing.assert_array_equal(first, [14.0, 2.0, 2.0])  # the function works with what it wrote


def test_large_ones_are_read_only_and_free_again_afterwards() -> None:
    y = np.ones(10_000)
    with pytest.raises(ValueError, match="read-only"):
        cv.grad(overwrites)(np.ones(10_000), y, z=np.ones(3))
    y[0] = 2.0
    assert y.sum() == 10_001.0


@pytest.mark.parametrize("run", [cv.grad, cv.jacrev, cv.vjp, cv.jvp], ids=lambda f: f.__name__)
def test_integer_leaves_beside_differentiated_ones(run: Any) -> None:
    tree = {"w": np.ones(2), "k": np.array([1, 2])}

    def f(p: Any) -> Any:
        p["k"][0] = 5
        return np.sum(p["w"] * p["k"])

    if run is cv.vjp:
        assert run(f, tree)[0] == 7.0
    elif run is cv.jvp:
        assert run(f, (tree,), ({"w": np.ones(2), "k": None},))[1] == 7.0
    else:
        np.testing.assert_array_equal(run(f)(tree)["w"], [5.0, 2.0])
    np.testing.assert_array_equal(tree["k"], [1, 2])
