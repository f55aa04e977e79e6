"""The two checks that every table of NumPy functions goes through: NumPy's values, and derivatives."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import covector as cv
from helpers import assert_same_as_numpy, check

Case = tuple[str, Callable[..., Any], Sequence[Any]]


def params(cases: Sequence[Case]) -> list[Any]:
    """Parameters of a test from a table of (name, function of arrays, shapes or arrays)."""
    return [pytest.param(fun, inputs(name, given), id=name) for name, fun, given in cases]


def inputs(name: str, given: Sequence[Any], dtype: Any = float) -> list[Any]:
    """Arrays of the given shapes with values of moderate size, well apart; given arrays as they are."""
    rng = np.random.default_rng(sum(map(ord, name)))
    out = []
    for item in given:
        if isinstance(item, tuple):
            size = int(np.prod(item))
            values = (rng.permutation(size) + rng.uniform(0.2, 0.8, size)) * 3.0 / max(size, 1) - 1.4
            out.append(values.reshape(item).astype(dtype))
        else:
            out.append(item)
    return out


def check_values(fun: Callable[..., Any], args: Sequence[Any]) -> None:
    """Traced by vjp, by jvp and by vmap, `fun` returns what it returns on plain arrays."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        want = fun(*args)
        _compare(cv.vjp(fun, *args)[0], want)
        _compare(cv.jvp(fun, tuple(args), tuple(np.ones_like(x) for x in args))[0], want)
        lanes = [np.stack([x, x + x.dtype.type(0.01)]) for x in args]
        batch = cv.vmap(fun)(*lanes)
        for k in range(2):
            _compare(cv.tree.map(lambda y, k=k: y[k], batch), fun(*[x[k] for x in lanes]))


def _compare(got: Any, want: Any) -> None:
    got, want = cv.tree.leaves(got), cv.tree.leaves(want)
    assert len(got) == len(want)
    for a, b in zip(got, want, strict=True):
        assert_same_as_numpy(a, b)


def check_derivatives(fun: Callable[..., Any], args: Sequence[Any], order: int = 2) -> None:
    """Both modes, batched, to the given order."""
    check(fun, *args, order=order)
