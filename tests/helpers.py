"""Checks shared by the tests."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from covector.testing import check_grads

__all__ = ["assert_same_as_numpy", "check", "since"]


def since(version: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function that needs this NumPy or a newer one: with an older one it skips the test that calls it."""

    def decorate(fun: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fun)
        def skip(*args: Any, **options: Any) -> None:
            pytest.skip(f"needs NumPy {version}, this is {np.__version__}")

        return fun if np.lib.NumpyVersion(np.__version__) >= version else skip

    return decorate


def assert_same_as_numpy(got: Any, want: Any) -> None:
    """Assert equal values, shapes and dtypes."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"shape {got.shape}, NumPy gives {want.shape}"
    assert got.dtype == want.dtype, f"dtype {got.dtype}, NumPy gives {want.dtype}"
    np.testing.assert_allclose(got, want, rtol=1e-6 if got.dtype in (np.float16, np.float32, np.complex64) else 1e-12)


def check(fun: Any, *args: Any, order: int = 2, **options: Any) -> None:
    """Check the derivatives of ``fun(*args)`` in both modes, batched, to second order."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_grads(fun, args, order=order, **options)
