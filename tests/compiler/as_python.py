"""A compiled function next to the same function as Python: what the user-level tests of `jit` are written with."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

import covector as cv

__all__ = ["agrees", "assert_alike"]


def assert_alike(got: Any, want: Any) -> None:
    """Assert equal structure, types, dtypes, shapes and values."""
    assert cv.tree.structure(got) == cv.tree.structure(want)
    for a, b in zip(cv.tree.leaves(got), cv.tree.leaves(want), strict=True):
        assert type(a) is type(b), f"{a!r} is no {type(b).__name__}"
        x, y = np.asarray(a), np.asarray(b)
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        if y.dtype.kind in "fc":
            assert_allclose(x, y, rtol=1e-12 if y.dtype.itemsize >= 8 else 1e-5, atol=1e-14)
        else:
            assert_array_equal(x, y)


def agrees(fun: Callable[..., Any], *calls: Any, **options: Any) -> Any:
    """Call ``jit(fun)`` with each of `calls` twice, compare with Python, and return it.

    A call is a tuple of arguments, or the only argument. Where Python raises, the compiled function has to raise an
    exception of that type. The arguments must stay as they are.
    """
    compiled = cv.jit(fun, **options)
    for call in calls * 2:
        args = call if type(call) is tuple else (call,)
        kept = copy.deepcopy(args)
        try:
            with np.errstate(all="ignore"):
                want = fun(*copy.deepcopy(args))
        except Exception as error:
            try:
                got = compiled(*args)
            except Exception as raised:
                assert isinstance(raised, type(error)), f"{raised!r} instead of {error!r}"
            else:
                raise AssertionError(f"{got!r} instead of {error!r}") from None
        else:
            assert_alike(compiled(*args), want)
        for now, before in zip(cv.tree.leaves(args), cv.tree.leaves(kept), strict=True):
            if isinstance(now, np.ndarray):
                assert_array_equal(now, before)
    return compiled
