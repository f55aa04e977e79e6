"""Whether a function does under every transform what another one does, the same written out in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import covector as cv

__all__ = ["TRANSFORMS", "agree", "close"]


def close(got: Any, want: Any, rtol: float = 1e-10) -> None:
    """Assert that two pytrees have the same structure, shapes and dtypes, and the same values to rounding."""
    (got, got_tree), (want, want_tree) = cv.tree.flatten(got), cv.tree.flatten(want)
    assert got_tree == want_tree, f"structure {got_tree}, expected {want_tree}"
    for a, b in zip(got, want, strict=True):
        assert np.shape(a) == np.shape(b), f"shape {np.shape(a)}, expected {np.shape(b)}"
        kinds = np.asarray(a).dtype, np.asarray(b).dtype
        assert kinds[0] == kinds[1], f"dtype {kinds[0]}, expected {kinds[1]}"
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12)


def _scalar(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a number as its result, in which every real output has a part of its own."""

    def scalar(*args: Any) -> Any:
        total = 0.0
        for k, y in enumerate(cv.tree.leaves(f(*args))):
            if y.dtype.kind == "f":
                weights = np.cos(k + np.arange(y.size)).reshape(y.shape)
                total = total + (weights * y).sum()
        return total

    return scalar


def _tangents(args: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(cv.tree.map(lambda x: np.cos(np.arange(np.size(x)) + 0.5).reshape(np.shape(x))[()], a) for a in args)


def _lanes(args: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(cv.tree.map(lambda x: np.stack([x, 0.5 * x, 1.25 * x]), a) for a in args)


def _jvp(f: Callable[..., Any], args: Sequence[Any]) -> Any:
    return cv.jvp(f, tuple(args), _tangents(args))


def _linearize(f: Callable[..., Any], args: Sequence[Any]) -> Any:
    out, push = cv.linearize(f, *args)
    return out, push(*_tangents(args))


def _vjp(f: Callable[..., Any], args: Sequence[Any]) -> Any:
    out, pull = cv.vjp(f, *args)
    return out, pull(cv.tree.map(lambda y: 0.5 * np.ones_like(y), out))


def _wrt(args: Sequence[Any]) -> tuple[int, ...]:
    return tuple(range(len(args)))


Run = Callable[[Callable[..., Any], Sequence[Any]], Any]

TRANSFORMS: dict[str, Run] = {
    "value": lambda f, args: f(*args),
    "grad": lambda f, args: cv.grad(_scalar(f), argnums=_wrt(args))(*args),
    "jvp": _jvp,
    "vjp": _vjp,
    "linearize": _linearize,
    "jacrev": lambda f, args: cv.jacrev(f, argnums=_wrt(args))(*args),
    "jacfwd": lambda f, args: cv.jacfwd(f, argnums=_wrt(args))(*args),
    "hessian": lambda f, args: cv.hessian(_scalar(f), argnums=_wrt(args))(*args),
    "grad of grad": lambda f, args: cv.grad(lambda *a: _scalar(cv.grad(_scalar(f), argnums=_wrt(args)))(*a))(*args),
    "vmap": lambda f, args: cv.vmap(f)(*_lanes(args)),
    "vmap of grad": lambda f, args: cv.vmap(cv.grad(_scalar(f), argnums=_wrt(args)))(*_lanes(args)),
    "vmap of vmap": lambda f, args: cv.vmap(cv.vmap(f))(*_lanes(_lanes(args))),
    "jacrev of vmap": lambda f, args: cv.jacrev(cv.vmap(f), argnums=_wrt(args))(*_lanes(args)),
    "jvp of vmap": lambda f, args: _jvp(cv.vmap(f), _lanes(args)),
    "checkpoint": lambda f, args: cv.grad(_scalar(cv.checkpoint(f)), argnums=_wrt(args))(*args),
    "eval_shape": lambda f, args: cv.eval_shape(f, *args),
}
"""Name → ``run(f, args)``; all arguments are pytrees of real arrays."""


def agree(f: Callable[..., Any], want: Callable[..., Any], args: Sequence[Any], transform: str) -> None:
    """Assert that `f` gives under a transform what `want` gives."""
    run = TRANSFORMS[transform]
    if transform == "eval_shape":
        shapes = run(f, args)
        values = cv.tree.map(lambda y: cv.ShapeDtypeStruct(np.shape(y), np.asarray(y).dtype), want(*args))
        assert shapes == values
        return
    close(run(f, args), run(want, args))
