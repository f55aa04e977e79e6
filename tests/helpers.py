"""Checks shared by the tests."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from covector.testing import check_grads

__all__ = ["assert_same_as_numpy", "check", "newer"]


def newer(name: str) -> Any:
    """NumPy's function of this name; where the running NumPy is older than the function, one that skips the test."""

    def skip(*args: Any, **options: Any) -> None:
        pytest.skip(f"NumPy {np.__version__} has no np.{name}")

    return getattr(np, name, skip)


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
