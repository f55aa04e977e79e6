"""Python frames per operation: the eager overhead, counted rather than timed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import covector
from covector.core.primitive import bind
from covector.ops.exponential import exp

X = np.linspace(0.1, 1.0, 10)


def frames(function: Callable[[], Any]) -> int:
    """Count the Python frames that one call of `function` makes, its own not included."""
    function()
    count = 0

    def profile(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count - 1


def test_bind_without_tracers() -> None:
    assert frames(lambda: bind(exp, (X,), {})) <= 3


def test_forward_pass_of_vjp() -> None:
    assert frames(lambda: covector.vjp(np.sin, X)) <= 30


def test_pullback() -> None:
    _, vjp_fn = covector.vjp(np.sin, X)
    assert frames(lambda: vjp_fn(X)) <= 12


def test_import_loads_neither_scipy_nor_llvmlite_nor_the_peers() -> None:
    code = (
        "import sys, covector; late = ('scipy', 'llvmlite', 'matplotlib', 'jax', 'torch', 'autograd', 'tqdm'); "
        "print([m for m in late if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
