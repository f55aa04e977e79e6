"""`associative_scan` against running sums and products, under every transform, and against one after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import covector as cv
from agreement import TRANSFORMS, agree, close

RNG = np.random.default_rng(3)


def one_by_one(fn: Any, elems: Any) -> Any:
    """The same along the first axis, one element after the other."""
    leaves, treedef = cv.tree.flatten(elems)
    parts = [cv.tree.unflatten(treedef, [x[k] for x in leaves]) for k in range(len(leaves[0]))]
    out = parts[:1]
    for part in parts[1:]:
        out.append(fn(out[-1], part))
    return cv.tree.map(lambda *xs: np.stack(xs), *out)


@pytest.mark.parametrize("n", range(12))
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_sums(n: int, reverse: bool, axis: int) -> None:
    x = np.moveaxis(RNG.normal(size=(n, 2)), 0, axis)
    got = cv.associative_scan(np.add, x, reverse, axis)
    want = np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)
    close(got, want)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_products_of_matrices(n: int) -> None:
    """Which do not commute: the order of the arguments matters."""
    x = RNG.normal(size=(n, 2, 2))
    close(cv.associative_scan(np.matmul, x), one_by_one(np.matmul, x))
    flipped = cv.associative_scan(np.matmul, x, reverse=True)
    close(np.ascontiguousarray(flipped[::-1]), one_by_one(np.matmul, x[::-1]))


def affine(first: Any, second: Any) -> Any:
    return {"a": second["a"] * first["a"], "b": second["a"] * first["b"] + second["b"]}


MAPS = {"a": RNG.normal(size=7), "b": RNG.normal(size=7)}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transforms(transform: str) -> None:
    agree(lambda m: cv.associative_scan(affine, m), lambda m: one_by_one(affine, m), (MAPS,), transform)


def test_recorded() -> None:
    want = one_by_one(affine, MAPS)
    close(cv.jit(lambda m: cv.associative_scan(affine, m))(MAPS), want)
    loss = lambda scan: lambda m: (scan(affine, m)["b"] ** 2).sum()
    close(cv.jit(cv.grad(loss(cv.associative_scan)))(MAPS), cv.grad(loss(one_by_one))(MAPS))


def test_steps_of_a_recurrence() -> None:
    def step(y: Any, m: Any) -> Any:
        y = m["a"] * y + m["b"]
        return y, y

    close(cv.associative_scan(affine, MAPS)["b"], cv.scan(step, 0.0, MAPS)[1])


@pytest.mark.parametrize("n", [2, 3, 16, 100, 1023])
def test_few_calls_and_few_combinations(n: int) -> None:
    counts = []

    def fn(a: Any, b: Any) -> Any:
        counts.append(len(a))
        return a + b

    np.testing.assert_allclose(cv.associative_scan(fn, np.ones(n)), np.arange(1.0, n + 1))
    assert sum(counts) < 2 * n and len(counts) <= 2 * math.ceil(math.log2(n))


def test_dtypes_and_arrays_of_the_caller() -> None:
    x = np.array([3, 1, 2])
    out = cv.associative_scan(np.maximum, x)
    assert out.dtype == np.int64 and out.tolist() == [3, 3, 3]
    for n in (0, 1):
        alone = np.ones(n)
        cv.associative_scan(np.add, alone)[...] = 5.0
        assert (alone == 1.0).all()
    seen = cv.associative_scan(np.logical_or, np.array([False, True, False]))
    assert seen.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("fn", "elems", "axis", "error", "words"),
    [
        (np.add, 1.0, 0, ValueError, r"elems has shape \(\), which has no axis 0"),
        (np.add, np.ones(3), 1, ValueError, r"has no axis 1"),
        (np.add, {"u": np.ones(3), "v": np.ones(2)}, 0, ValueError, r"elems\['u'\]: 3\n  elems\['v'\]: 2"),
        (lambda a, b: a.sum(), np.ones(3), 0, TypeError, r"returns float64\[\] for elems, of which .* float64\[1\]"),
        (np.true_divide, np.arange(1, 4), 0, TypeError, r"returns float64\[1\] for elems, .* int64\[1\]"),
        (lambda a, b: (a, b), np.ones(3), 0, TypeError, r"structure \(\*, \*\), and was given \*"),
        (np.add, np.ones(3), 0.0, TypeError, "axis must be an int, got 0.0"),
        (None, np.ones(3), 0, TypeError, "fn must be a function, got NoneType"),
        (np.add, ["a"], 0, TypeError, r"elems\[0\] is a builtins.str"),
    ],
)
def test_messages(fn: Any, elems: Any, axis: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        cv.associative_scan(fn, elems, axis=axis)
